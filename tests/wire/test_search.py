"""Searches: SOSL and its form without SOSL, as words in the text fields of records."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landbridge.errors import SalesforceError
from landbridge.soql.search import parse
from tests.support.running import Reply, RunningOrg

ledger = pytest.mark.ledger


@pytest.fixture(scope="module")
def searched(home: Path) -> Iterator[RunningOrg]:
    with RunningOrg(home=home) as org:
        org.create("Account", Name="Grand Hotel", Phone="555-1234", BillingCity="Ghent")
        org.create("Account", Name="Hotelier", Phone="77")
        org.create("Account", Name="O'Brien 100%")
        org.create("Contact", LastName="Hotel", Email="front@hotel.example")
        yield org


def find(org: RunningOrg, text: str, version: str = "67.0") -> Reply:
    return org.data("GET", f"/search/?{urlencode({'q': text})}", version=version)


def names(org: RunningOrg, text: str) -> list[str]:
    reply = find(org, text)
    assert reply.status == 200, reply.raw
    return [row.get("Name") or row["Id"][:3] for row in reply.json["searchRecords"]]


@ledger("search.sosl", "differs", "words in text fields; no index, no relevance: records come by object and Id")
@ledger("route.GET /services/data/{version}/search", "observed", "recording rest-search-sosl")
@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("FIND {Hotel} RETURNING Account(Name)", ["Grand Hotel"]),
        ("FIND {hotel*} IN NAME FIELDS RETURNING Account(Name ORDER BY Name), Contact(Name)",
         ["Grand Hotel", "Hotelier", "Hotel"]),
        ("FIND {grand hotel} RETURNING Account(Name)", ["Grand Hotel"]),
        ('FIND {"hotel grand"} RETURNING Account(Name)', []),
        ("FIND {ghent OR Hotelier} RETURNING Account(Name ORDER BY Name DESC)", ["Hotelier", "Grand Hotel"]),
        ("FIND {hotel* AND NOT ghent} RETURNING Account(Name)", ["Hotelier"]),
        ("FIND {H?tel} RETURNING Account(Name WHERE Phone != null LIMIT 1)", ["Grand Hotel"]),
        ("FIND {555-1234} IN PHONE FIELDS RETURNING Account(Name)", ["Grand Hotel"]),
        ("FIND {O'Brien 100%} RETURNING Account(Name)", ["O'Brien 100%"]),
        ("find {hotel} in name fields returning Contact limit 5", ["003"]),
        ("FIND {nobody} RETURNING Account(Name)", []),
    ],
)  # fmt: skip
def test_records_that_hold_the_words_are_found(searched: RunningOrg, text: str, found: list[str]) -> None:
    assert names(searched, text) == found


def test_a_search_without_objects_looks_everywhere(searched: RunningOrg) -> None:
    kinds = {row["attributes"]["type"] for row in find(searched, "FIND {hotel}").json["searchRecords"]}

    assert {"Account", "Contact"} <= kinds


@ledger("search.array", "documented", "rest.md section 6")
def test_before_37_the_answer_is_the_array(searched: RunningOrg) -> None:
    assert isinstance(find(searched, "FIND {hotel} RETURNING Account", "36.0").json, list)


@ledger("error.MalformedSearch", "observed", "rest.md section 9")
@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("hotel", "MALFORMED_SEARCH"),
        ("FIND {x}", "MALFORMED_SEARCH"),
        ("FIND {hotel} IN EVERY FIELDS", "MALFORMED_SEARCH"),
        ("FIND {hotel} RETURNING", "MALFORMED_SEARCH"),
        ("FIND {hotel} RETURNING Account(Name", "MALFORMED_SEARCH"),
        ("FIND {hotel} RETURNING Nope(Id)", "MALFORMED_SEARCH"),
        ("FIND {hotel} RETURNING Account(Nope)", "INVALID_FIELD"),
        ("FIND {hotel} RETURNING Account(Name WHERE Nope = 1)", "INVALID_FIELD"),
        ("FIND {hotel AND} RETURNING Account(Name)", "MALFORMED_QUERY"),
        ("FIND {hotel} WITH DATA CATEGORY x", "FUNCTIONALITY_NOT_ENABLED"),
        ("FIND {hotel} LIMIT 5000", "MALFORMED_SEARCH"),
    ],
)
def test_a_search_that_is_none_is_refused(searched: RunningOrg, text: str, code: str) -> None:
    assert find(searched, text).error == code


@ledger("search.parameterized", "documented", "rest.md section 6")
@ledger("route.GET /services/data/{version}/parameterizedSearch", "documented", "rest.md section 6")
@ledger("route.POST /services/data/{version}/parameterizedSearch", "documented", "rest.md section 6")
def test_a_search_needs_no_sosl(searched: RunningOrg) -> None:
    asked = urlencode({"q": "hotel*", "sobject": "Account", "Account.fields": "Name", "Account.where": "Phone = '77'"})
    body: dict[str, Any] = {"q": "hotel", "in": "NAME", "fields": ["Id"], "overallLimit": 1,
                            "sobjects": [{"name": "Account", "fields": ["Name"]}, {"name": "Contact"}]}  # fmt: skip

    by_url = searched.data("GET", f"/parameterizedSearch?{asked}").json["searchRecords"]
    by_body = searched.data("POST", "/parameterizedSearch", body).json["searchRecords"]

    assert [row["Name"] for row in by_url] == ["Hotelier"]
    assert [row["Name"] for row in by_body] == ["Grand Hotel"]
    assert searched.data("GET", "/parameterizedSearch?sobject=Account").error == "MALFORMED_SEARCH"


@ledger("search.scope-order", "guessed", "documented shape; here the objects last viewed")
@ledger("route.GET /services/data/{version}/search/scopeOrder", "documented", "REST guide, Search Scope and Order")
def test_the_scope_is_what_was_worked_with(searched: RunningOrg) -> None:
    found = searched.data("GET", "/search/scopeOrder").json

    assert {item["type"] for item in found} == {"Account", "Contact"}
    assert found[0]["url"] == f"/services/data/v67.0/sobjects/{found[0]['type']}/describe"


@given(st.text(max_size=60), st.text(max_size=40))
def test_any_text_is_a_search_or_refused(term: str, rest: str) -> None:
    try:
        parse(f"FIND {{{term}}}{rest}")
    except SalesforceError:
        return
