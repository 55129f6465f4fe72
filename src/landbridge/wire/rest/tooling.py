"""
The Tooling API, read side: queries over the catalogue and the org's setup objects, describes, rows.

Replies differ from REST's in their keys (recorded: tooling-named-credential-query, tooling-sobjects) and in the URLs of
records. Channels are written here (`channels`); other writes, Apex and searches say that they are not there yet.

Source: `rest.md` section 12, `metadata.md` section 4.
"""

from __future__ import annotations

from typing import Any

import msgspec

from landbridge import ids
from landbridge.errors import ExternalIdNotFound, InsufficientAccess, MalformedQuery, NotFound, Unsupported
from landbridge.schema import describe, tooling
from landbridge.schema.catalog import Catalog, Entity
from landbridge.server import Server
from landbridge.soql import Front, Page, Statement
from landbridge.values import http_date
from landbridge.wire.http.message import Beside, Call, Needs, Reply, Route, json_reply
from landbridge.wire.rest import channels, managed
from landbridge.wire.rest.conditional import described
from landbridge.wire.rest.query import Window, answer_query, next_page
from landbridge.wire.rest.rows import names

_RESOURCES = (
    "query", "search", "sobjects", "completions", "executeAnonymous", "runTestsAsynchronous", "runTestsSynchronous",
)  # fmt: skip


class Desk:
    """What the Tooling API keeps while an org is open: its view of the catalogue, its statements."""

    def __init__(self) -> None:
        self.front = Front()
        self._catalog: Catalog | None = None

    @classmethod
    def of(cls, server: Server) -> Desk:
        """The desk of a server, made at its first use."""
        found = server.rooms.get(cls)
        if found is None:
            found = server.rooms[cls] = cls()
        assert isinstance(found, Desk)
        return found

    def catalog(self, base: Catalog) -> Catalog:
        """The objects of this API; made anew when the org's catalogue changes."""
        if self._catalog is None or self._catalog.version != base.version:
            self._catalog = tooling.catalog(base)
        return self._catalog

    async def close(self) -> None:
        """Nothing is held."""


def root(call: Call) -> Reply:
    """`GET /tooling`: resource -> path."""
    return json_reply({name: f"{call.data_path}/tooling/{name}" for name in _RESOURCES})


# --- queries ---------------------------------------------------------------------------------------------------------


def query(call: Call) -> Reply | Beside:
    """`GET /tooling/query?q=SELECT ...`: over definitions, packages and setup objects."""
    given = call.request.query()
    if "q" not in given:
        raise MalformedQuery("A query string has to be specified")
    if managed.asks(given["q"]):
        return managed.query(call)
    return answer_query(call, given["q"], given, through=_window(call))


def more(call: Call) -> Beside:
    """`GET /tooling/query/{locator}`: the next page."""
    return next_page(call, _window(call))


def _window(call: Call) -> Window:
    desk = Desk.of(call.server)

    def encode(page: Page, statement: Statement | None) -> bytes:
        name = b"null" if statement is None else msgspec.json.encode(statement.entity.name)
        more_pages = b"" if page.next is None else b'"nextRecordsUrl":' + msgspec.json.encode(page.next) + b","
        return b'{"size":%d,"totalSize":%d,"done":%b,"queryLocator":%b,"entityTypeName":%b,%b"records":%b}' % (
            page.count or page.total, page.total, b"true" if page.next is None else b"false",
            b"null" if page.next is None else msgspec.json.encode(page.next.rpartition("/")[2]),
            name, more_pages, _moved(call, page.records),
        )  # fmt: skip

    return Window(desk.front, desk.catalog(call.server.catalog), f"{call.data_path}/tooling/query", encode)


def _moved(call: Call, records: bytes) -> bytes:
    """Records with the URLs of this API. A quote within a value is escaped, so that only `attributes` can look like this."""
    old = f'"url":"{call.data_path}/sobjects/'.encode()
    return records.replace(old, f'"url":"{call.data_path}/tooling/sobjects/'.encode())


# --- objects and rows ------------------------------------------------------------------------------------------------


def sobjects(call: Call) -> Reply:
    """`GET /tooling/sobjects`: the objects of this API."""
    catalog = _catalog(call)

    def make() -> dict[str, Any]:
        whole = describe.describe_global(catalog, call.access, call.version)
        for item in whole["sobjects"]:
            item["urls"] = _urls(call, item["name"])
        return whole

    return described(call, "tooling", make)


def sobject(call: Call) -> Reply:
    """`GET /tooling/sobjects/{S}`: the item of the global describe."""
    entity = _entity(call)
    item = describe.describe_global_item(entity, call.access, call.version)
    item["urls"] = _urls(call, entity.name)
    return json_reply({"objectDescribe": item, "recentItems": []})


def describe_sobject(call: Call) -> Reply:
    """`GET /tooling/sobjects/{S}/describe`."""
    entity, catalog = _entity(call), _catalog(call)

    def make() -> dict[str, Any]:
        whole = describe.describe_sobject(catalog, entity, call.access, call.version, call.request.base_url)
        whole["urls"] = _urls(call, entity.name)
        return whole

    return described(call, f"tooling/{entity.name}", make)


def get(call: Call) -> Reply:
    """`GET /tooling/sobjects/{S}/{id}?fields=A,B`."""
    entity = _entity(call)
    record_id = ids.normalize(call.params["id"])
    if record_id is None:
        raise ExternalIdNotFound(call.params["id"])
    wanted = call.request.query().get("fields")
    fields = None if wanted is None else names(wanted)
    front = Desk.of(call.server).front
    statement = front.row(_catalog(call), call.access, entity, fields, call.version)
    found = call.reader.one(statement.one(), (record_id,))
    if found is None:
        raise NotFound
    headers = [] if found[1] is None else [(b"Last-Modified", http_date(found[1]).encode())]
    return Reply(200, _moved(call, found[0].encode()), headers=headers)


def _catalog(call: Call) -> Catalog:
    return Desk.of(call.server).catalog(call.server.catalog)


def _entity(call: Call) -> Entity:
    entity = _catalog(call).get(call.params["sobject"])
    if entity is None:
        raise NotFound
    return entity


def _urls(call: Call, name: str) -> dict[str, str]:
    base = f"{call.data_path}/tooling/sobjects/{name}"
    return {"rowTemplate": base + "/{ID}", "describe": base + "/describe", "sobject": base}


# --- writes ----------------------------------------------------------------------------------------------------------


def create(call: Call) -> Reply:
    """`POST /tooling/sobjects/{S}`: channels and their members; what else there is comes from source."""
    return channels.create(call, _written(call))


def update(call: Call) -> Reply:
    """`PATCH /tooling/sobjects/{S}/{id}`: the filter of a channel's member."""
    return channels.update(call, _written(call))


def delete(call: Call) -> Reply:
    """`DELETE /tooling/sobjects/{S}/{id}`: a channel's member."""
    return channels.delete(call, _written(call))


def _written(call: Call) -> str:
    name = _entity(call).name
    if call.access.read_only:
        raise InsufficientAccess
    if name not in channels.NAMES:
        raise Unsupported(f"writing {name} over the Tooling API")
    return name


_T = "/services/data/{version}/tooling"
_S = _T + "/sobjects/{sobject}"

ROUTES = (
    Route("GET", _T, root, Needs.NOTHING),
    Route("GET", _T + "/query", query, Needs.READ),
    Route("GET", _T + "/query/{locator}", more, Needs.READ),
    Route("GET", _T + "/sobjects", sobjects, Needs.NOTHING),
    Route("GET", _S, sobject, Needs.NOTHING),
    Route("GET", _S + "/describe", describe_sobject, Needs.NOTHING),
    Route("GET", _S + "/{id}", get, Needs.READ),
    Route("POST", _S, create, Needs.WRITE),
    Route("PATCH", _S + "/{id}", update, Needs.WRITE),
    Route("DELETE", _S + "/{id}", delete, Needs.WRITE),
)
