"""
`/search` and `/parameterizedSearch`: records that hold a word.

Source: `rest.md` section 6. Before 37.0 the answer is the bare array.
"""

from __future__ import annotations

from typing import Any

import msgspec

from landbridge import soql
from landbridge.errors import MalformedSearch
from landbridge.soql import Asked, Cursor
from landbridge.soql.search import MOST, Search, Wanted, checked, parse, queries
from landbridge.storage import Reader
from landbridge.wire.http.body import decode_object
from landbridge.wire.http.message import Beside, Call, Needs, Reply, Route, json_reply


def search(call: Call) -> Beside:
    """`GET /search?q=FIND {word} ...`: the records of each object, one list."""
    text = call.request.query().get("q")
    if text is None:
        raise MalformedSearch("No search term found. The search term must be enclosed in braces.")
    return _answer(call, parse(text))


def parameterized(call: Call) -> Beside:
    """`GET /parameterizedSearch?q=word&sobject=Account&Account.fields=Id,Name&in=NAME`: the same without SOSL."""
    given = call.request.query()
    names = [name for name in given.get("sobject", "").split(",") if name]
    wanted = [
        Wanted(
            name, _names(given.get(f"{name}.fields", given.get("fields", ""))), given.get(f"{name}.where", ""),
            given.get(f"{name}.orderBy", ""), _number(given.get(f"{name}.limit", given.get("defaultLimit"))),
        )
        for name in names
    ]  # fmt: skip
    return _answer(call, _search(given.get("q"), given.get("in"), wanted, given.get("overallLimit")))


def parameterized_by_body(call: Call) -> Beside:
    """`POST /parameterizedSearch`: the same from a JSON body."""
    given = decode_object(call.request)
    fields = given.get("fields") or []
    wanted = []
    for one in given.get("sobjects") or []:
        if not isinstance(one, dict) or not isinstance(one.get("name"), str):
            raise MalformedSearch("Every entry of sobjects needs a name")
        shown = one.get("fields") or fields
        limit = _number(one.get("limit", given.get("defaultLimit")))
        wanted.append(
            Wanted(
                one["name"], tuple(map(str, shown)), str(one.get("where") or ""), str(one.get("orderBy") or ""), limit
            )
        )
    return _answer(call, _search(given.get("q"), given.get("in"), wanted, given.get("overallLimit")))


def scope_order(call: Call) -> Beside:
    """`GET /search/scopeOrder`: the objects that were worked with, the last one first."""
    catalog = call.server.catalog

    def answer(reader: Reader) -> Reply:
        seen = msgspec.json.decode(soql.viewed(reader, catalog, call.access, call.version, limit=MOST))
        names = dict.fromkeys(item["attributes"]["type"] for item in seen)
        return json_reply([{"type": name, "url": f"{call.data_path}/sobjects/{name}/describe"} for name in names])

    return Beside(answer)


def _search(term: Any, scope: Any, wanted: list[Wanted], limit: Any) -> Search:
    if not isinstance(term, str):
        raise MalformedSearch("The parameter q is missing: the words to look for")
    bound = _number(limit)
    return checked(Search(term, str(scope or "ALL").upper(), tuple(wanted), MOST if bound is None else bound))


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _number(value: Any) -> int | None:
    if value is None:
        return None
    if not str(value).isdigit():
        raise MalformedSearch(f"Not a number: {str(value)[:40]}")
    return int(value)


def _answer(call: Call, asked: Search) -> Beside:
    server = call.server
    prepared = [
        server.front.prepare(text, server.catalog, call.access, call.version)
        for _, text in queries(asked, server.catalog, call.access)
    ]
    who = Asked(server.clock.epoch(), "UTC", call.access.user_id)

    def answer(reader: Reader) -> Reply:
        left, parts = asked.limit, []
        for statement in prepared:
            if left > 0:
                page = soql.run(reader, statement, batch=left, asked=who, locate=_no_page)
                left -= page.count
                parts.append(page.records[1:-1])
        found = b"[" + b",".join(part for part in parts if part) + b"]"
        return Reply(200, found if call.version < 37.0 else b'{"searchRecords":' + found + b"}")

    return Beside(answer)


def _no_page(cursor: Cursor) -> str:
    """A search has one page: what is beyond its limit is not asked for."""
    del cursor
    return ""


_V = "/services/data/{version}"

ROUTES = (
    Route("GET", _V + "/search", search, Needs.READ),
    Route("GET", _V + "/search/scopeOrder", scope_order, Needs.READ),
    Route("GET", _V + "/parameterizedSearch", parameterized, Needs.READ),
    Route("POST", _V + "/parameterizedSearch", parameterized_by_body, Needs.READ),
)
