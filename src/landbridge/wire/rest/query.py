"""
Queries over REST: `query`, `queryAll`, the pages after the first.

Source: `rest.md` section 5, `soql.md` sections 4 and 5.
"""

from __future__ import annotations

import re

from landbridge import soql
from landbridge.auth import users
from landbridge.errors import MalformedQuery, Unsupported
from landbridge.soql import Clockface, Page, Statement
from landbridge.storage import Reader
from landbridge.wire.http.message import Beside, Call, Needs, Reply, Route

BATCH, SMALLEST_BATCH = 2000, 200
_BATCH_SIZE = re.compile(r"batchSize\s*=\s*(\d+)", re.IGNORECASE)


def query(call: Call) -> Reply | Beside:
    """`GET /query?q=SELECT ...`."""
    return _first(call, all_rows=False)


def query_all(call: Call) -> Reply | Beside:
    """`GET /queryAll?q=...`: deleted rows too."""
    return _first(call, all_rows=True)


def _first(call: Call, *, all_rows: bool) -> Reply | Beside:
    asked = call.request.query()
    if "explain" in asked:
        raise Unsupported("query plans (explain)")
    if "columns" in asked:
        raise Unsupported("column metadata (columns=true)")
    text = asked.get("q")
    if text is None:
        raise MalformedQuery("A query string has to be specified")
    server = call.server
    statement = server.front.prepare(text, server.catalog, call.access, call.version, all_rows=all_rows)
    batch, face = _batch(call), _face(call, statement)

    def answer(reader: Reader) -> Reply:
        return _reply(call, soql.run(reader, statement, batch=batch, face=face))

    return Beside(answer) if statement.heavy else answer(call.reader)


def _face(call: Call, statement: Statement) -> Clockface:
    """The moment and the user's zone; the zone is only read for statements that have a date literal."""
    zone = users.find(call.reader, call.access.user_id).time_zone if statement.spans else "UTC"
    return Clockface(call.server.clock.epoch(), zone)


def more(call: Call) -> Beside:
    """`GET /query/{locator}`: the next page."""
    server = call.server
    cursor = soql.locators.find(call.reader, call.params["locator"], call.access.user_id, server.clock.epoch())
    catalog, batch = server.catalog, _batch(call)
    return Beside(
        lambda reader: _reply(call, soql.resume(reader, server.front, catalog, call.access, cursor, batch=batch))
    )


def _reply(call: Call, page: Page) -> Reply:
    if page.next is None:
        return Reply(200, soql.query_json(page, None))
    server = call.server
    locator, keep = soql.locators.make(page.next, call.access.user_id, server.clock.epoch(), server.chance)
    return Reply(200, soql.query_json(page, f"{call.data_path}/query/{locator}"), after=keep)


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
