"""
Statements run: the first page, the pages after it, single rows. The only part of this room that touches the database.

A query of one page is one statement. Only when a page comes back full are the rows counted and the key of its last row
read, so that the next page goes on after that key: never by OFFSET, which gets slower page by page. Children of a subquery
count towards the page of their parents; those of one parent that are more than a page have pages of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from landbridge.access import Access
from landbridge.errors import InvalidQueryLocator, QueryTooComplicated, TooManyGroups
from landbridge.schema.catalog import Catalog, Entity
from landbridge.soql.emit import emit
from landbridge.soql.front import Front
from landbridge.soql.moments import Asked, ends
from landbridge.soql.statement import MOST_GROUPS, Kin, Statement, after
from landbridge.storage import Reader, StatementTooComplex, Value


class Cursor(msgspec.Struct, frozen=True):
    """Where a query goes on: after the row with this sort key. JSON-serialisable, so that it outlives the process."""

    text: str
    version: float
    all_rows: bool
    key: list[Any]
    sent: int
    total: int
    asked: Asked
    """Who asked for the first page, and when: date literals mean the same on every page."""
    child: str | None = None
    """A subquery's JSON key, when it is the children of `parent` that go on."""
    parent: str | None = None


Locate = Callable[[Cursor], str]
"""Gives a cursor the URL under which its page can be asked for."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows of a result: `records` is their JSON array; `next` the URL of the next page, None on the last one."""

    total: int
    records: bytes
    count: int
    next: str | None = None
    ids: tuple[str, ...] = ()
    """The rows' Ids, where the statement says FOR VIEW or FOR REFERENCE."""


@dataclass(frozen=True, slots=True)
class Row:
    """One record as JSON; `modified` is when it was last changed (stored form), None where the object does not say."""

    json: bytes
    modified: str | None


def row(
    reader: Reader, front: Front, catalog: Catalog, access: Access, entity: Entity, record_id: str,
    fields: tuple[str, ...] | None, version: float,
) -> Row | None:  # fmt: skip
    """One live record by Id; None where there is none. Raises NoSuchColumn for a field that is not there."""
    if not entity.sobject.has_table and not entity.sobject.flags.get("retrieveable", False):
        return None
    found = reader.one(front.row(catalog, access, entity, fields, version).one(), (record_id,))
    return None if found is None else Row(found[0].encode(), found[1])


def run(reader: Reader, statement: Statement, *, batch: int, asked: Asked, locate: Locate) -> Page:
    """
    The first page of a statement, of `batch` rows at most.

    `asked` is the moment, the time zone and the user that its words are told by; `locate` names the pages that follow.
    """
    params = bound_params(statement, asked)
    try:
        if statement.groups:
            return _groups(reader, statement, params)
        if statement.count:
            return Page(_total(reader, statement, params), b"[]", 0)
        return _first(reader, statement, params, batch, asked, locate)
    except StatementTooComplex:
        raise QueryTooComplicated from None


def _groups(reader: Reader, statement: Statement, params: dict[str, Value]) -> Page:
    found = reader.one(statement.groups, params)
    assert found is not None
    if found[0] > MOST_GROUPS:
        raise TooManyGroups
    return Page(found[0], found[1].encode(), found[0])


def _first(
    reader: Reader, statement: Statement, params: dict[str, Value], batch: int, asked: Asked, locate: Locate
) -> Page:
    limit = statement.limit
    start = Cursor(statement.text, statement.version, statement.all_rows, [], 0, 0, asked)
    size = min(batch, statement.bound.most)
    sizes = size, size if limit is None else min(size, limit)
    rows = _rows(reader, statement, "", params, sizes, statement.offset, start, locate)
    ids: tuple[str, ...] = ()
    if statement.bound.viewed:
        found = reader.all(statement.ids(), {**params, "batch": rows.count, "skip": statement.offset})
        ids = tuple(one[0] for one in found)
    if rows.last or rows.count == limit:
        return Page(rows.count, rows.records, rows.count, None, ids)
    total = _total(reader, statement, params)
    if total <= rows.count:
        return Page(rows.count, rows.records, rows.count, None, ids)
    key = rows.key or _key(reader, statement, "", params, statement.offset + rows.count - 1)
    following = msgspec.structs.replace(start, key=key, sent=rows.count, total=total)
    return Page(total, rows.records, rows.count, locate(following), ids)


def resume(
    reader: Reader, front: Front, catalog: Catalog, access: Access, cursor: Cursor, *, batch: int, locate: Locate
) -> Page:
    """The page after a cursor. Raises InvalidQueryLocator when the statement no longer has this shape."""
    statement = front.prepare(cursor.text, catalog, access, cursor.version, all_rows=cursor.all_rows)
    extra: dict[str, Value] = {}
    if cursor.child is not None:
        kin = next((kin for kin in statement.children if kin.key == cursor.child), None)
        if kin is None:
            raise InvalidQueryLocator
        statement, extra = emit(kin.query, cursor.version, cursor.text, child=True), {"parent": cursor.parent}
    if len(cursor.key) != len(statement.sort):
        raise InvalidQueryLocator
    condition, keys = after(statement, cursor.key)
    params = {**bound_params(statement, cursor.asked), **keys, **extra}
    size = min(batch, statement.bound.most)
    sizes = size, min(size, cursor.total - cursor.sent)
    rows = _rows(reader, statement, condition, params, sizes, 0, cursor, locate)
    sent = cursor.sent + rows.count
    if rows.last or sent >= cursor.total:
        return Page(cursor.total, rows.records, rows.count)
    key = rows.key or _key(reader, statement, condition, params, rows.count - 1)
    return Page(cursor.total, rows.records, rows.count, locate(msgspec.structs.replace(cursor, key=key, sent=sent)))


def bound_params(statement: Statement, asked: Asked) -> dict[str, Value]:
    """The statement's own parameters, the ends of its date literals, the user and their time zone."""
    if not statement.zoned and not statement.bound.mine:
        return statement.params
    params = dict(statement.params)
    for number, span in enumerate(statement.spans):
        params[f"s{number}a"], params[f"s{number}b"] = ends(span, asked)
    if statement.local:
        params["zone"] = asked.zone
    if statement.bound.mine:
        params["me"] = asked.user_id
    return params


@dataclass(slots=True)
class _Rows:
    """`last`: fewer rows came than were asked for; `key`: the sort key of the last one, where it is known already."""

    count: int
    records: bytes
    last: bool
    key: list[Any] | None = None


def _rows(
    reader: Reader, statement: Statement, condition: str, params: dict[str, Value], sizes: tuple[int, int],
    skip: int, cursor: Cursor, locate: Locate,
) -> _Rows:  # fmt: skip
    """A page. `sizes`: how many rows it has, children counted, and how many rows of the query itself at most."""
    if statement.pieces:
        return _family(reader, statement, condition, params, sizes, skip, cursor, locate)
    found = reader.one(statement.page(condition), {**params, "batch": sizes[1], "skip": skip})
    assert found is not None
    return _Rows(found[0], found[1].encode(), found[0] < sizes[1])


def _family(
    reader: Reader, statement: Statement, condition: str, params: dict[str, Value], sizes: tuple[int, int],
    skip: int, cursor: Cursor, locate: Locate,
) -> _Rows:  # fmt: skip
    """Rows with their children, until both together fill the page."""
    parts: list[str] = []
    counted, width = 0, len(statement.pieces) + 1
    size, most = sizes
    found = reader.each(statement.family(condition), {**params, "batch": most, "skip": skip, "family": size})
    for row in found:
        text = ""
        for piece, value in zip(statement.pieces, row[1:width], strict=True):
            if isinstance(piece, str):
                text = value if not text else f"{text[:-1]},{value[1:]}"
                continue
            shown, children = _shown(reader, piece, row[0], value, size, cursor, locate)
            counted += children
            text = f'{text[:-1]},"{piece.key}":{shown}}}'
        parts.append(text)
        if len(parts) + counted >= size or len(parts) == most:
            return _Rows(len(parts), _array(parts), False, list(row[width:]))
    return _Rows(len(parts), _array(parts), True)


def _array(parts: list[str]) -> bytes:
    return f"[{','.join(parts)}]".encode()


def _shown(
    reader: Reader, kin: Kin, parent: str, value: str | None, size: int, cursor: Cursor, locate: Locate
) -> tuple[str, int]:
    """One parent's children as a query result, and how many they are."""
    if value is None:
        return "null", 0
    number, _, records = value.partition(":")
    count = int(number)
    total, url = count, ""
    if count >= size and kin.query.limit != count:
        child = emit(kin.query, cursor.version, cursor.text, child=True)
        params = {**bound_params(child, cursor.asked), "parent": parent}
        total = _total(reader, child, params)
        if total > count:
            following = Cursor(
                cursor.text, cursor.version, cursor.all_rows, _key(reader, child, "", params, count - 1), count, total,
                cursor.asked, kin.key, parent,
            )  # fmt: skip
            url = f'"nextRecordsUrl":"{locate(following)}",'
    done = "false" if url else "true"
    return f'{{"totalSize":{total},"done":{done},{url}"records":{records}}}', count


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


def query_json(page: Page) -> bytes:
    """A page as REST answers it; nextRecordsUrl stands between done and records, and only where there is one."""
    more = b"" if page.next is None else b'"nextRecordsUrl":"' + page.next.encode() + b'",'
    done = b"true" if page.next is None else b"false"
    return b'{"totalSize":%d,"done":%b,%b"records":%b}' % (page.total, done, more, page.records)


def _no_more(cursor: Cursor) -> str:
    raise AssertionError(f"a page of {cursor.sent} rows was to be the last")


def recent(
    reader: Reader, front: Front, catalog: Catalog, access: Access, entity: Entity, version: float, *, limit: int
) -> bytes:
    """The records of an object last changed by anybody, as `recentItems` shows them: attributes, Id and Name."""
    name = entity.name_field
    if not entity.sobject.has_table or entity.field("LastModifiedDate") is None:
        return b"[]"
    shown = "" if name is None else f", {name.name}"
    text = f"SELECT Id{shown} FROM {entity.name} ORDER BY LastModifiedDate DESC LIMIT {int(limit)}"
    statement = front.prepare(text, catalog, access, version)
    return run(reader, statement, batch=limit, asked=Asked(0.0), locate=_no_more).records
