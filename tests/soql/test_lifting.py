"""Texts that differ in their string literals alone share one statement, and mean what they would mean alone."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landbridge.access import Access
from landbridge.errors import SalesforceError
from landbridge.ids import RecordId
from landbridge.schema import standard
from landbridge.schema.catalog import Catalog
from landbridge.soql import Front, emit
from landbridge.soql.statement import Statement

CATALOG = Catalog(standard.load())
ACCESS = Access(RecordId("005000000000001AAA"))
SHAPES = (
    "SELECT Id FROM Account WHERE Name = {0}",
    "SELECT Id FROM Account WHERE Name LIKE {0} AND Industry != {1}",
    "SELECT Id, Owner.Name FROM Account WHERE Owner.Name = {0} OR (NOT Name IN ({1}, {2}))",
    "SELECT Id FROM Contact WHERE AccountId = {0} AND LastName > {1}",
    "SELECT Id FROM Contact WHERE AccountId IN (SELECT Id FROM Account WHERE Name = {0}) AND LastName = {1}",
    "SELECT Id, (SELECT Id FROM Contacts LIMIT 3) FROM Account WHERE Name = {0} AND Id IN ({1}, {2})",
    "SELECT Id, (SELECT Id FROM Contacts WHERE LastName = {1}) FROM Account WHERE Name = {0}",
    "SELECT Id FROM Task WHERE What.Type IN ({0}, {1}) AND Subject = {2}",
    "SELECT Industry, COUNT(Id) n FROM Account WHERE Name = {0} GROUP BY Industry HAVING MAX(Name) > {1}",
    "SELECT Industry, COUNT(Id) n FROM Account WHERE Name LIKE {0} AND Site = {1} GROUP BY ROLLUP(Industry, Type)",
    # One literal that is a value, two that are not, and a WHERE that is written three times.
    "SELECT Industry, COUNT(Id) n FROM Account WHERE Name LIKE {0} AND DISTANCE(BillingAddress, GEOLOCATION(1, 2), 'mi') < 5 "
    "AND DISTANCE(BillingAddress, GEOLOCATION(3, 4), 'km') < 5 GROUP BY ROLLUP(Industry)",
    "SELECT Industry, COUNT(Id) n FROM Account WHERE Name LIKE {0} OR Name IN ({1}, {2}) GROUP BY CUBE(Industry, Type)",
)
LITERALS = st.one_of(
    st.sampled_from(
        ["''", "'x'", "'it\\'s'", "'a%'", "'a\\_b'", "'\\u00e9'", "'(')", "'x\\\\'", "'001000000000001AAA'", "'001000000000001'",
         "'Account'", "'a\\qb'", "'line\nbreak'"]),
    st.text("ab'\\%_ (,é", max_size=6).map(lambda text: "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"),
)  # fmt: skip


def meant(front: Front, text: str) -> Any:
    try:
        statement = front.prepare(text, CATALOG, ACCESS, 67.0)
    except SalesforceError as error:
        return type(error), error.body()
    sql = statement.groups or (statement.family() if statement.pieces else statement.page())
    children = [emit(kin.query, 67.0, child=True).params for kin in statement.children]
    return sql, statement.params, children, statement.text


@given(st.sampled_from(SHAPES), st.lists(st.tuples(LITERALS, LITERALS, LITERALS), min_size=1, max_size=4))
def test_a_text_means_the_same_after_others_of_its_shape(shape: str, rounds: list[tuple[str, str, str]]) -> None:
    shared = Front()

    for literals in rounds:
        text = shape.format(*literals)
        assert meant(shared, text) == meant(Front(), text)


def test_a_shape_is_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    front = Front()
    first = front.prepare("SELECT Id FROM Account WHERE Name = 'a'", CATALOG, ACCESS, 67.0)
    monkeypatch.setattr(sys.modules["landbridge.soql.front"], "parse", lambda _text: pytest.fail("parsed again"))

    second = front.prepare("SELECT Id FROM Account WHERE Name = 'b'", CATALOG, ACCESS, 67.0)

    assert isinstance(first, Statement)
    assert (second.params["p0"], first.params["p0"]) == ("b", "a")
    assert second.total() == first.total()
