"""
Statements run: the first page, the pages after it, single rows. The only part of this room that touches the database.

A query of one page is one statement. Only when a page comes back full are the rows counted and the key of its last row
read, so that the next page goes on after that key: never by OFFSET, which gets slower page by page.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from landbridge.access import Access
from landbridge.errors import InvalidQueryLocator, NoSuchColumn, QueryError
from landbridge.schema.catalog import Catalog, Entity
from landbridge.schema.model import Field
from landbridge.soql.bind import BoundQuery, Column, Compound, Node, Test, bind, compound_parts
from landbridge.soql.emit import Statement, after, emit
from landbridge.soql.moments import Clockface, ends
from landbridge.soql.parse import parse
from landbridge.soql.preamble import located
from landbridge.storage import Reader, Value

NO_TIME = Clockface(0.0, "UTC")
"""For statements of ours that have no date literal."""
_CACHE = 2048
"""Statements kept per org; when full, the oldest half goes."""


class Cursor(msgspec.Struct, frozen=True):
    """Where a query goes on: after the row with this sort key. JSON-serialisable, so that it outlives the process."""

    text: str
    version: float
    all_rows: bool
    key: list[Any]
    sent: int
    total: int
    face: Clockface
    """When the first page was asked for, and in which zone: date literals mean the same on every page."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows of a result: `records` is their JSON array; `next` is None on the last page."""

    total: int
    records: bytes
    count: int
    next: Cursor | None


@dataclass(frozen=True, slots=True)
class Row:
    """One record as JSON; `modified` is when it was last changed (stored form), None where the object does not say."""

    json: bytes
    modified: str | None


class Front:
    """Texts to statements, remembered: by text, catalogue version, access fingerprint, API version and call."""

    def __init__(self) -> None:
        self._statements: dict[tuple[str, int, str, float, bool], Statement] = {}
        self._rows: dict[tuple[str, tuple[str, ...] | None, int, str, float], Statement] = {}

    def prepare(
        self, text: str, catalog: Catalog, access: Access, version: float, *, all_rows: bool = False
    ) -> Statement:
        """The statement of a text. Raises QueryErrors with their preamble."""
        key = (text, catalog.version, access.fingerprint, version, all_rows)
        statement = self._statements.get(key)
        if statement is None:
            try:
                bound = bind(parse(text), catalog, access, all_rows=all_rows)
            except QueryError as error:
                raise located(error, text) from None
            statement = emit(bound, version, text)
            _remember(self._statements, key, statement)
        return statement

    def row(
        self, catalog: Catalog, access: Access, entity: Entity, fields: tuple[str, ...] | None, version: float
    ) -> Statement:
        """The statement that reads one record by Id: these fields, or all that the access can read."""
        key = (entity.name, fields, catalog.version, access.fingerprint, version)
        statement = self._rows.get(key)
        if statement is None:
            statement = emit(_row_query(access, entity, fields), version)
            _remember(self._rows, key, statement)
        return statement


def _remember(cache: dict[Any, Statement], key: Any, statement: Statement) -> None:
    if len(cache) >= _CACHE:
        for old in list(cache)[: _CACHE // 2]:
            cache.pop(old, None)
    cache[key] = statement


def _row_query(access: Access, entity: Entity, names: tuple[str, ...] | None) -> BoundQuery:
    root = Node(entity)
    if names is None:
        fields = [field for field in entity.fields if access.readable(entity.name, field.name)]
    else:
        fields = [_named(access, entity, name) for name in names]
    for found in fields:
        root.items[found.name] = (
            Compound(0, tuple(compound_parts(entity, found))) if found.is_compound else Column((0,), (found,))
        )
    record_id = entity.field("Id")
    assert record_id is not None
    # The parameter's value is laid in at run: p0.
    where = Test(Column((0,), (record_id,)), "=", ("",))
    return BoundQuery(entity, root, False, (), where, (), 1, 0, False)


def _named(access: Access, entity: Entity, name: str) -> Field:
    found = entity.field(name)
    if found is None or not access.readable(entity.name, found.name):
        raise NoSuchColumn(name, entity.name)
    return found


def row(
    reader: Reader, front: Front, catalog: Catalog, access: Access, entity: Entity, record_id: str,
    fields: tuple[str, ...] | None, version: float,
) -> Row | None:  # fmt: skip
    """One live record by Id; None where there is none. Raises NoSuchColumn for a field that is not there."""
    if not entity.sobject.has_table:
        return None
    found = reader.one(front.row(catalog, access, entity, fields, version).one(), (record_id,))
    return None if found is None else Row(found[0].encode(), found[1])


def run(reader: Reader, statement: Statement, *, batch: int, face: Clockface) -> Page:
    """The first page of a statement. `face` is the moment and the user's time zone, which date literals are told by."""
    params = _params(statement, face)
    if statement.count:
        return Page(_total(reader, statement, params), b"[]", 0, None)
    limit = statement.limit
    size = batch if limit is None else min(batch, limit)
    count, records = _page(reader, statement, "", params, size, statement.offset)
    if count < size or count == limit:
        return Page(count, records, count, None)
    total = _total(reader, statement, params)
    if total <= count:
        return Page(count, records, count, None)
    key = _key(reader, statement, "", params, statement.offset + count - 1)
    cursor = Cursor(statement.text, statement.version, statement.all_rows, key, count, total, face)
    return Page(total, records, count, cursor)


def resume(reader: Reader, front: Front, catalog: Catalog, access: Access, cursor: Cursor, *, batch: int) -> Page:
    """The page after a cursor. Raises InvalidQueryLocator when the statement no longer has this shape."""
    statement = front.prepare(cursor.text, catalog, access, cursor.version, all_rows=cursor.all_rows)
    if len(cursor.key) != len(statement.sort):
        raise InvalidQueryLocator
    size = min(batch, cursor.total - cursor.sent)
    condition, keys = after(statement, cursor.key)
    params = {**_params(statement, cursor.face), **keys}
    count, records = _page(reader, statement, condition, params, size, 0)
    sent = cursor.sent + count
    if count < size or sent >= cursor.total:
        return Page(cursor.total, records, count, None)
    key = _key(reader, statement, condition, params, count - 1)
    rest = msgspec.structs.replace(cursor, key=key, sent=sent)
    return Page(cursor.total, records, count, rest)


def _params(statement: Statement, face: Clockface) -> dict[str, Value]:
    """The statement's own parameters, and the ends of its date literals."""
    if not statement.spans:
        return statement.params
    params = dict(statement.params)
    for number, span in enumerate(statement.spans):
        params[f"s{number}a"], params[f"s{number}b"] = ends(span, face)
    return params


def _page(
    reader: Reader, statement: Statement, condition: str, params: dict[str, Value], size: int, skip: int
) -> tuple[int, bytes]:
    found = reader.one(statement.page(condition), {**params, "batch": size, "skip": skip})
    assert found is not None
    return found[0], found[1].encode()


def _key(reader: Reader, statement: Statement, condition: str, params: dict[str, Value], skip: int) -> list[Any]:
    found = reader.one(statement.keys(condition), {**params, "skip": skip})
    assert found is not None
    return list(found)


def _total(reader: Reader, statement: Statement, params: dict[str, Value]) -> int:
    """All rows of the query, OFFSET and LIMIT taken into account."""
    found = reader.one(statement.total(), params)
    assert found is not None
    rest: int = max(0, found[0] - statement.offset)
    return rest if statement.limit is None else min(rest, statement.limit)


def query_json(page: Page, next_url: str | None) -> bytes:
    """A page as REST answers it; nextRecordsUrl stands between done and records, and only where there is one."""
    more = b"" if next_url is None else b'"nextRecordsUrl":"' + next_url.encode() + b'",'
    done = b"true" if page.next is None else b"false"
    return b'{"totalSize":%d,"done":%b,%b"records":%b}' % (page.total, done, more, page.records)


def recent(
    reader: Reader, front: Front, catalog: Catalog, access: Access, entity: Entity, version: float, *, limit: int
) -> bytes:
    """The records of an object last changed by anybody, as `recentItems` shows them: attributes, Id and Name."""
    name = entity.name_field
    if not entity.sobject.has_table or entity.field("LastModifiedDate") is None:
        return b"[]"
    shown = "" if name is None else f", {name.name}"
    text = f"SELECT Id{shown} FROM {entity.name} ORDER BY LastModifiedDate DESC LIMIT {int(limit)}"
    return run(reader, front.prepare(text, catalog, access, version), batch=limit, face=NO_TIME).records
