"""
A composite, a batch and a graph do what their subrequests do one by one.

Two orgs get the same random subrequests: one in a composite, the other one after the other, references laid in by a look-up of the
test's own. Answers (ids by order of their appearance) and records are compared.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.composite.calls import V, composite, sub
from tests.conftest import ROOT
from tests.support.running import RunningOrg

ID = re.compile(r"\b[0-9A-Za-z]{3}Lb0[0-9A-Za-z]{9}(?:[0-9A-Za-z]{3})?\b")
REFERENCE = re.compile(r"@\{(\w+)\.(\w+)\}")


class Side:
    """One of the two orgs, with its ids by the order in which they were answered."""

    def __init__(self, org: RunningOrg) -> None:
        self.org = org
        self._known: dict[str, str] = {}

    def plain(self, value: Any) -> Any:
        """A value with a name in place of each id."""
        if isinstance(value, str):
            return ID.sub(
                lambda match: self._known.setdefault(match[0][:15], f"<{match[0][:3]} {len(self._known)}>"), value
            )
        if isinstance(value, (list, tuple)):
            return [self.plain(one) for one in value]
        if isinstance(value, dict):
            return {key: self.plain(one) for key, one in value.items()}
        return value

    def state(self) -> list[Any]:
        """All records the subrequests can touch, without what differs between two orgs."""
        found = []
        for soql in (
            "SELECT Name, Phone FROM Account WHERE Name LIKE 'eq%'",
            "SELECT LastName, Account.Name FROM Contact WHERE LastName LIKE 'eq%'",
            "SELECT Sku__c, Price__c FROM Seed_Packet__c WHERE Sku__c LIKE 'EQ%'",
            "SELECT Packet__r.Sku__c, Quantity__c FROM Garden_Order_Line__c",
        ):
            found.append(sorted(repr(self.plain(_values(row))) for row in self.org.rows(soql)))  # noqa: PERF401
        return found


def _values(row: dict[str, Any]) -> dict[str, Any]:
    """A row without its attributes, which hold ids."""
    return {
        key: _values(value) if isinstance(value, dict) else value for key, value in row.items() if key != "attributes"
    }


@pytest.fixture(scope="module")
def sides(home: Path) -> Iterator[tuple[Side, Side]]:
    shop = ROOT / "examples" / "shop"
    with (
        RunningOrg(home=home, source=(shop,), daily_api_requests=10**6) as one,
        RunningOrg(home=home, source=(shop,), daily_api_requests=10**6) as other,
    ):
        yield Side(one), Side(other)


# --- random subrequests ----------------------------------------------------------------------------------------------

NAMES = st.sampled_from(["eq a", "eq b", ""])
SKUS = st.sampled_from(["EQ-1", "EQ-2", "EQ-3"])
REFS = st.integers(0, 4).map(lambda number: f"@{{r{number}.id}}")


def calls() -> st.SearchStrategy[tuple[str, str, Any]]:
    """Method, url and body; references may lead nowhere, values may be refused."""

    def made(*parts: Any) -> Any:
        return st.tuples(*(part if isinstance(part, st.SearchStrategy) else st.just(part) for part in parts))

    def body(**values: Any) -> Any:
        return st.fixed_dictionaries(
            {name: value if isinstance(value, st.SearchStrategy) else st.just(value) for name, value in values.items()}
        )

    packet = SKUS.map(lambda sku: f"/sobjects/Seed_Packet__c/Sku__c/{sku}")
    records = st.lists(
        st.one_of(
            NAMES.map(lambda name: {"attributes": {"type": "Account"}, "Name": name}),
            SKUS.map(lambda sku: {"attributes": {"type": "Seed_Packet__c"}, "Sku__c": sku}),
        ), min_size=1, max_size=4,
    )  # fmt: skip
    return st.one_of(
        made("POST", "/sobjects/Account", body(Name=NAMES)),
        made("POST", "/sobjects/Contact", body(LastName="eq", AccountId=REFS)),
        made("PATCH", REFS.map(lambda ref: f"/sobjects/Account/{ref}"), body(Phone=REFS)),
        made("DELETE", REFS.map(lambda ref: f"/sobjects/Account/{ref}"), None),
        made("GET", REFS.map(lambda ref: f"/sobjects/Account/{ref}?fields=Name,Phone"), None),
        made("PATCH", packet, body(Price__c=st.sampled_from([1, 2.5, "no number", None]))),
        made("POST", "/sobjects/Seed_Packet__c", body(Sku__c=SKUS)),
        made("DELETE", packet, None),
        made("POST", "/sobjects/Garden_Order_Line__c", body(Order__r=st.just({"Name": "nobody"}), Packet__r=body(Sku__c=SKUS), Quantity__c=1)),
        made("POST", "/sobjects/Garden_Order_Line__c", body(Order__c=REFS, Packet__r=body(Sku__c=SKUS), Quantity__c=st.integers(1, 3))),
        made("POST", "/sobjects/Garden_Order__c", body()),
        made("POST", "/composite/sobjects", body(allOrNone=st.booleans(), records=records)),
        made("GET", "/query?q=SELECT Name FROM Account WHERE Name LIKE 'eq%' ORDER BY Name", None),
    )  # fmt: skip


ours = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


def numbered(chosen: list[tuple[str, str, Any]]) -> list[dict[str, Any]]:
    """Subrequests r0, r1, ...; at most five queries and collections."""
    several = 0
    found = []
    for method, url, body in chosen:
        several += "/query" in url or "/composite/" in url
        if several <= 5 or not ("/query" in url or "/composite/" in url):
            found.append(sub(method, url, f"r{len(found)}", body))
    return found


def laid_in(value: Any, known: dict[str, Any]) -> Any:
    """References replaced. Raises KeyError for one that leads nowhere."""
    if isinstance(value, str):
        whole = REFERENCE.fullmatch(value)
        return known[whole[1]][whole[2]] if whole else REFERENCE.sub(lambda match: known[match[1]][match[2]], value)
    if isinstance(value, list):
        return [laid_in(one, known) for one in value]
    if isinstance(value, dict):
        return {key: laid_in(one, known) for key, one in value.items()}
    return value


def one_by_one(org: RunningOrg, wanted: list[dict[str, Any]]) -> list[tuple[int, Any, str | None]]:
    """Status, body and Location of each."""
    known: dict[str, Any] = {}
    found: list[tuple[int, Any, str | None]] = []
    for one in wanted:
        try:
            url, body = laid_in(one["url"], known), laid_in(one["body"], known)
        except KeyError:
            found.append((400, "a reference to nothing", None))
            continue
        reply = org.request(one["method"], quote(url, safe="/?=&%'@{}.,_"), body)
        answered = reply.json if reply.raw else None
        found.append((reply.status, answered, reply.headers.get("location")))
        if reply.status < 300 and isinstance(answered, dict):
            known[one["referenceId"]] = answered
    return found


def told(answers: list[dict[str, Any]]) -> list[tuple[int, Any, str | None]]:
    return [
        (one["httpStatusCode"], "a reference to nothing" if halted(one) else one["body"], one["httpHeaders"].get("Location"))
        for one in answers
    ]  # fmt: skip


def halted(one: dict[str, Any]) -> bool:
    body = one["body"]
    return (
        isinstance(body, list) and bool(body) and str(body[0].get("message")).startswith("Invalid reference specified")
    )


# --- the three -------------------------------------------------------------------------------------------------------


@ours
@given(chosen=st.lists(calls(), min_size=1, max_size=10))
def test_a_composite_does_what_its_subrequests_do_one_by_one(
    sides: tuple[Side, Side], chosen: list[tuple[str, str, Any]]
) -> None:
    one, other = sides
    wanted = numbered(chosen)

    found = one.plain(told(composite(one.org, *wanted)))

    assert found == other.plain(one_by_one(other.org, wanted))
    assert one.state() == other.state()


@ours
@given(chosen=st.lists(calls(), min_size=1, max_size=8))
def test_an_all_or_none_composite_is_all_of_them_or_nothing(
    sides: tuple[Side, Side], chosen: list[tuple[str, str, Any]]
) -> None:
    one, other = sides
    wanted = numbered(chosen)
    for each in wanted:
        if isinstance(each["body"], dict) and "records" in each["body"]:
            each["body"]["allOrNone"] = True  # what the outer one makes of it
    before = one.state()

    answers = composite(one.org, *wanted, allOrNone=True)

    failed = [index for index, answer in enumerate(answers) if not undone(answer) and refused(answer)]
    if not failed:
        assert one.plain(told(answers)) == other.plain(one_by_one(other.org, wanted))
    else:
        (culprit,) = failed
        assert all(undone(answer) for index, answer in enumerate(answers) if index != culprit)
        assert one.state() == before
        # Without the flag the same one is the first to fail, and for the same reason.
        again = composite(one.org, *wanted)
        first = next(index for index, answer in enumerate(again) if refused(answer))
        assert first == culprit
        assert codes(again[culprit]) == codes(answers[culprit])
        assert one.plain(told(again)) == other.plain(one_by_one(other.org, wanted))
    assert one.state() == other.state()


def codes(answer: dict[str, Any]) -> Any:
    return [error.get("errorCode") or [inner["statusCode"] for inner in error["errors"]] for error in answer["body"]]


def undone(answer: dict[str, Any]) -> bool:
    body = answer["body"]
    return answer["httpStatusCode"] == 400 and body[0].get("message", "").startswith("The transaction was rolled back")


def refused(answer: dict[str, Any]) -> bool:
    body = answer["body"]
    some = isinstance(body, list) and any(isinstance(each, dict) and each.get("success") is False for each in body)
    return answer["httpStatusCode"] >= 300 or some


@ours
@given(chosen=st.lists(calls(), min_size=1, max_size=10))
def test_a_batch_does_what_its_subrequests_do_one_by_one(
    sides: tuple[Side, Side], chosen: list[tuple[str, str, Any]]
) -> None:
    one, other = sides
    wanted = [each for each in numbered(chosen) if "@{" not in repr(each) and "/composite/" not in each["url"]]
    if not wanted:
        return
    items = [
        {"method": each["method"], "url": each["url"].removeprefix("/services/data/"), "richInput": each["body"]}
        for each in wanted
    ]

    found = one.org.data("POST", "/composite/batch", {"batchRequests": items}).json

    plain = [(each["statusCode"], each["result"]) for each in found["results"]]
    assert one.plain(plain) == other.plain([each[:2] for each in one_by_one(other.org, wanted)])
    assert found["hasErrors"] is any(status >= 400 for status, _ in plain)
    assert one.state() == other.state()


@ours
@given(chosen=st.lists(st.lists(calls(), min_size=1, max_size=5), min_size=1, max_size=4))
def test_a_graph_does_what_all_or_none_composites_do_one_by_one(
    sides: tuple[Side, Side], chosen: list[list[tuple[str, str, Any]]]
) -> None:
    one, other = sides
    graphs = [
        [each for each in numbered(some) if "/sobjects/" in each["url"] and "/composite/" not in each["url"]]
        for some in chosen
    ]
    graphs = [nodes for nodes in graphs if nodes]
    if not graphs:
        return
    body = {"graphs": [{"graphId": f"g{number}", "compositeRequest": nodes} for number, nodes in enumerate(graphs)]}

    reply = one.org.data("POST", "/composite/graph", body)

    assert reply.status == 200, reply.raw
    for nodes, found in zip(graphs, reply.json["graphs"], strict=True):
        answers = composite(other.org, *nodes, allOrNone=True)
        assert one.plain(told(found["graphResponse"]["compositeResponse"])) == other.plain(told(answers))
        assert found["isSuccessful"] is not any(refused(answer) for answer in answers)
    assert one.state() == other.state()
    assert V in body["graphs"][0]["compositeRequest"][0]["url"]  # type: ignore[index]
