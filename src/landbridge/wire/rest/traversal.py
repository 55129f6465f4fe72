"""
Relationships in URLs: `/sobjects/Account/{id}/Contacts`, `/sobjects/Contact/{id}/Account/Owner`.

A path goes through parents, one record each, and may end in children, which are a query result. GET shows, PATCH and DELETE
change the parent at the end of the path. A relationship that leads nowhere answers 404, as the REST guide says.

Source: `rest.md` section 2; guide page "Traverse Relationships with Friendly URLs".
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from landbridge import ids
from landbridge.access import Access
from landbridge.errors import MethodNotAllowed, NoSuchColumn, NotFound
from landbridge.ids import RecordId
from landbridge.schema.catalog import Catalog, Child, Entity
from landbridge.schema.model import Field
from landbridge.storage import Reader
from landbridge.storage.dialect import quote
from landbridge.wire.http.message import Beside, Call, Needs, Reply, Route
from landbridge.wire.rest import passwords
from landbridge.wire.rest.blobs import blob_field, decode_record, download
from landbridge.wire.rest.passwords import is_password
from landbridge.wire.rest.query import answer_query
from landbridge.wire.rest.rows import check_conditions, entity_of, names, refuse_id, row

_FIELD = re.compile(r"[A-Za-z]\w*(?:\.[A-Za-z]\w*)*", re.ASCII)
DEEPEST = 5
"""Relationships of one path; SOQL's own bound for parents."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a path ends: at a record, or at the `children` of one."""

    entity: Entity
    record_id: RecordId
    children: Child | None = None


def starts_here(entity: Entity, segment: str) -> bool:
    """Whether the segment after an object's name is the id of one of its records, and no field's name."""
    if entity.field(segment) is not None:
        return False
    record_id = ids.normalize(segment)
    return record_id is not None and record_id[:3] == entity.key_prefix


def walk(reader: Reader, catalog: Catalog, access: Access, entity: Entity, record_id: str, path: list[str]) -> Place:
    """Follow relationship names from a record. Raises NotFound where one is unknown, hidden or leads to no record."""
    place = Place(entity, _here(record_id))
    if len(path) > DEEPEST:
        raise NotFound
    for name in path:
        if place.children is not None:
            raise NotFound
        reference = place.entity.relationship(name)
        if reference is not None and access.readable(place.entity.name, reference.name):
            place = _parent(reader, catalog, place, reference)
        else:
            place = _children(reader, catalog, access, place, name)
    return place


def _here(text: str) -> RecordId:
    record_id = ids.normalize(text)
    if record_id is None:
        raise NotFound
    return record_id


def _parent(reader: Reader, catalog: Catalog, place: Place, reference: Field) -> Place:
    found = _read(reader, place, quote(reference.name))
    if found is None or found[0] is None:
        raise NotFound
    target = catalog.by_prefix(found[0][:3])
    if target is None or not target.sobject.has_table:
        raise NotFound
    return Place(target, RecordId(found[0]))


def _children(reader: Reader, catalog: Catalog, access: Access, place: Place, name: str) -> Place:
    for child in catalog.children(place.entity.name):
        owner = catalog.get(child.sobject)
        if (child.relationship_name or "").lower() != name.lower() or owner is None or not owner.sobject.has_table:
            continue
        if access.readable(owner.name, child.field.name) and _read(reader, place, "1") is not None:
            return Place(place.entity, place.record_id, child)
    raise NotFound


def _read(reader: Reader, place: Place, column: str) -> tuple[str | None, ...] | None:
    entity = place.entity
    if not entity.sobject.has_table:
        return None
    live = ' AND "IsDeleted" = 0' if entity.field("IsDeleted") is not None else ""
    return reader.one(f'SELECT {column} FROM {quote(entity.name)} WHERE "Id" = ?{live}', (place.record_id,))


# --- handlers --------------------------------------------------------------------------------------------------------


def place_of(call: Call, path: list[str]) -> Place:
    """Where the call's path ends; `path` are the relationship names in it."""
    entity = entity_of(call)
    if not starts_here(entity, call.params["field"]):
        raise NotFound
    server = call.server
    return walk(call.reader, server.catalog, call.access, entity, call.params["field"], path)


def show(call: Call, path: list[str]) -> Reply | Beside:
    """The record at the end of the path, the children there as a query result, or the bytes of its blob field."""
    place = place_of(call, path[:-1])
    if is_password(place.entity, path[-1]):
        return passwords.show(call, place.record_id)
    field = None if place.children is not None else blob_field(place.entity, call.access, path[-1])
    if field is not None:
        return download(call, place.entity, field, place.record_id)
    place = place_of(call, path)
    if place.children is None:
        return row(call, place.entity, place.record_id)
    owner = call.server.catalog.get(place.children.sobject)
    assert owner is not None
    wanted = names(call.request.query().get("fields", ""))
    for name in wanted or ():
        if _FIELD.fullmatch(name) is None:  # a path of names and no more of SOQL than that
            raise NoSuchColumn(name[:80], owner.name)
    shown = wanted or tuple(f.name for f in owner.fields if call.access.readable(owner.name, f.name))
    link = place.children.field.name
    return answer_query(call, f"SELECT {', '.join(shown)} FROM {owner.name} WHERE {link} = '{place.record_id}'")


def change(call: Call, path: list[str]) -> Reply:
    """`PATCH`: change the parent at the end of the path."""
    place = _one(call, path)
    given = decode_record(call, place.entity)
    refuse_id(given)
    check_conditions(call, place.entity, place.record_id)
    server = call.server
    server.store.update(call.writer, server.catalog, call.access, place.entity, place.record_id, given)
    return Reply(204)


def remove(call: Call, path: list[str]) -> Reply:
    """`DELETE`: delete the parent at the end of the path."""
    if is_password(entity_of(call), path[-1]):
        return passwords.refuse_reset()
    place = _one(call, path)
    server = call.server
    server.bin.delete(call.writer, server.catalog, call.access, place.entity, place.record_id)
    return Reply(204)


def _one(call: Call, path: list[str]) -> Place:
    place = place_of(call, path)
    if place.children is not None:
        raise MethodNotAllowed(call.request.method, ("GET", "HEAD"))
    return place


def _path(call: Call) -> list[str]:
    return [call.params["value"], *(name for name in call.params["rest"].split("/") if name)]


def show_further(call: Call) -> Reply | Beside:
    """`GET /sobjects/{S}/{id}/{relationship}/{relationship}...`: the record or the children at the end of the path."""
    return show(call, _path(call))


def change_further(call: Call) -> Reply:
    """`PATCH` of the parent at the end of a longer path: 204."""
    return change(call, _path(call))


def remove_further(call: Call) -> Reply:
    """`DELETE` of the parent at the end of a longer path: 204."""
    return remove(call, _path(call))


_FURTHER = "/services/data/{version}/sobjects/{sobject}/{field}/{value}/{rest...}"

ROUTES = (
    Route("GET", _FURTHER, show_further, Needs.READ),
    Route("PATCH", _FURTHER, change_further, Needs.WRITE),
    Route("DELETE", _FURTHER, remove_further, Needs.WRITE),
)
