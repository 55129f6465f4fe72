"""
Queries over REST: `query`, `queryAll`, the pages after the first.

Source: `rest.md` section 5, `soql.md` sections 4 and 5.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from landbridge import records, soql
from landbridge.auth import users
from landbridge.errors import MalformedQuery
from landbridge.soql import Asked, Cursor, Page, Statement
from landbridge.storage import Reader, Tx
from landbridge.wire.http.message import Beside, Call, Needs, Reply, Route, json_reply

BATCH, SMALLEST_BATCH = 2000, 200
_BATCH_SIZE = re.compile(r"batchSize\s*=\s*(\d+)", re.IGNORECASE)


def query(call: Call) -> Reply | Beside:
    """`GET /query?q=SELECT ...`."""
    return _first(call, all_rows=False)


def query_all(call: Call) -> Reply | Beside:
    """`GET /queryAll?q=...`: deleted rows too."""
    return _first(call, all_rows=True)


def _first(call: Call, *, all_rows: bool) -> Reply | Beside:
    given = call.request.query()
    text = given.get("explain", given.get("q"))
    if text is None:
        raise MalformedQuery("A query string has to be specified")
    return answer_query(call, text, given, all_rows=all_rows)


def answer_query(
    call: Call, text: str, given: Mapping[str, str] | None = None, *, all_rows: bool = False
) -> Reply | Beside:
    """The first page of a statement as REST answers it; `given` may ask for `columns` or `explain` instead."""
    given = given or {}
    server = call.server
    statement = server.front.prepare(text, server.catalog, call.access, call.version, all_rows=all_rows)
    if given.get("columns", "").lower() == "true":
        return json_reply(soql.column_metadata(statement.bound))
    batch, who = _batch(call), _asked(call, statement)
    if "explain" in given:
        return Beside(lambda reader: json_reply(soql.explain(reader, statement, who)))

    def answer(reader: Reader) -> Reply:
        trail = _Trail(call, statement)
        page = soql.run(reader, statement, batch=batch, asked=who, locate=trail.locate)
        return trail.reply(page)

    return Beside(answer) if statement.heavy else answer(call.reader)


def _asked(call: Call, statement: Statement) -> Asked:
    """Who asks, when and where; the time zone is only read for statements that depend on it."""
    user_id = call.access.user_id
    zone = users.find(call.reader, user_id).time_zone if statement.zoned else "UTC"
    return Asked(call.server.clock.epoch(), zone, user_id)


def more(call: Call) -> Beside:
    """`GET /query/{locator}`: the next page."""
    server = call.server
    cursor = soql.locators.find(call.reader, call.params["locator"], call.access.user_id, server.clock.epoch())
    catalog, batch = server.catalog, _batch(call)

    def answer(reader: Reader) -> Reply:
        trail = _Trail(call)
        page = soql.resume(reader, server.front, catalog, call.access, cursor, batch=batch, locate=trail.locate)
        return trail.reply(page)

    return Beside(answer)


class _Trail:
    """What a reply brings with it: the pages that follow, named while it is made and kept before it is sent; views of rows."""

    def __init__(self, call: Call, statement: Statement | None = None) -> None:
        self._call = call
        self._statement = statement
        self._keeps: list[Callable[[Tx], None]] = []

    def locate(self, cursor: Cursor) -> str:
        server = self._call.server
        user_id, now = self._call.access.user_id, server.clock.epoch()
        locator, keep = soql.locators.make(cursor, user_id, now, server.chance)
        self._keeps.append(keep)
        return f"{self._call.data_path}/query/{locator}"

    def reply(self, page: Page) -> Reply:
        statement = self._statement
        if page.ids and statement is not None:
            self._keeps.append(lambda tx: records.view(tx, statement.entity, statement.bound.viewed, page.ids))
        if not self._keeps:
            return Reply(200, soql.query_json(page))
        return Reply(200, soql.query_json(page), after=self._keep)

    def _keep(self, tx: Tx) -> None:
        for keep in self._keeps:
            keep(tx)


def _batch(call: Call) -> int:
    """`Sforce-Query-Options: batchSize=n`, within what the platform allows."""
    options = call.request.header(b"sforce-query-options")
    match = _BATCH_SIZE.search(options) if options else None
    return BATCH if match is None else min(BATCH, max(SMALLEST_BATCH, int(match[1])))


_V = "/services/data/{version}"

ROUTES = (
    Route("GET", _V + "/query", query, Needs.READ),
    Route("GET", _V + "/queryAll", query_all, Needs.READ),
    Route("GET", _V + "/query/{locator}", more, Needs.READ),
    Route("GET", _V + "/queryAll/{locator}", more, Needs.READ),
)
