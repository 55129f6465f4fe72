"""
Queries over REST: `query`, `queryAll`, the pages after the first.

Source: `rest.md` section 5, `soql.md` sections 4 and 5.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from landbridge import records, soql
from landbridge.auth import users
from landbridge.errors import MalformedQuery
from landbridge.schema.catalog import Catalog
from landbridge.soql import Asked, Cursor, Front, Page, Statement
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


@dataclass(frozen=True, slots=True)
class Window:
    """Where a query looks: which objects it sees, where its pages are, what a page looks like."""

    front: Front
    catalog: Catalog
    path: str
    encode: Callable[[Page, Statement | None], bytes]


def window(call: Call) -> Window:
    """The org's own objects."""
    server = call.server
    return Window(server.front, server.catalog, f"{call.data_path}/query", lambda page, _: soql.query_json(page))


def answer_query(
    call: Call,
    text: str,
    given: Mapping[str, str] | None = None,
    *,
    all_rows: bool = False,
    through: Window | None = None,
) -> Reply | Beside:
    """The first page of a statement as REST answers it; `given` may ask for `columns` or `explain` instead."""
    given = given or {}
    seen = through or window(call)
    statement = seen.front.prepare(text, seen.catalog, call.access, call.version, all_rows=all_rows)
    if given.get("columns", "").lower() == "true":
        return json_reply(soql.column_metadata(statement.bound))
    batch, who = _batch(call), _asked(call, statement)
    if "explain" in given:
        return Beside(lambda reader: json_reply(soql.explain(reader, statement, who)))

    def answer(reader: Reader) -> Reply:
        trail = _Trail(call, seen, statement)
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
    return next_page(call, window(call))


def next_page(call: Call, seen: Window) -> Beside:
    """The page that the locator of the path names."""
    server = call.server
    cursor = soql.locators.find(call.reader, call.params["locator"], call.access.user_id, server.clock.epoch())
    batch = _batch(call)

    def answer(reader: Reader) -> Reply:
        trail = _Trail(call, seen)
        page = soql.resume(reader, seen.front, seen.catalog, call.access, cursor, batch=batch, locate=trail.locate)
        return trail.reply(page)

    return Beside(answer)


class _Trail:
    """What a reply brings with it: the pages that follow, named while it is made and kept before it is sent; views of rows."""

    def __init__(self, call: Call, seen: Window, statement: Statement | None = None) -> None:
        self._call = call
        self._window = seen
        self._statement = statement
        self._keeps: list[Callable[[Tx], None]] = []

    def locate(self, cursor: Cursor) -> str:
        server = self._call.server
        user_id, now = self._call.access.user_id, server.clock.epoch()
        locator, keep = soql.locators.make(cursor, user_id, now, server.chance)
        self._keeps.append(keep)
        return f"{self._window.path}/{locator}"

    def reply(self, page: Page) -> Reply:
        statement = self._statement
        if page.ids and statement is not None:
            self._keeps.append(lambda tx: records.view(tx, statement.entity, statement.bound.viewed, page.ids))
        body = self._window.encode(page, statement)
        return Reply(200, body, after=self._keep if self._keeps else None)

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
