"""
`/composite/tree/{S}`: up to 200 records nested as trees of children, all of them created or none.

The plan of what is created under what is made first (pure); then the records are created level by level, so that the answer
names roots first. At the first level with a refused record everything is undone, and the answer names the refused ones alone.

Source: composite.md section 3; order of the results: recording tree-two-accounts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from landbridge.errors import (
    InvalidInput,
    JsonParserError,
    NoRecords,
    NotFound,
    ProcessingHalted,
    SalesforceError,
    TooManyInRequest,
    TooManyRecords,
)
from landbridge.ids import RecordId
from landbridge.records import SaveResult
from landbridge.records.lists import InvalidRecordType
from landbridge.schema.catalog import Catalog, Entity
from landbridge.wire.composite.envelope import members, status
from landbridge.wire.http.body import decode_object
from landbridge.wire.http.message import Call, Needs, Reply, Route

MOST, MOST_LEVELS, MOST_TYPES = 200, 5, 5

_REFERENCE_ID = re.compile(r"[A-Za-z0-9]")


@dataclass(frozen=True, slots=True)
class Planned:
    """A record to be created: `parent` is the record above it, `field` the reference field that will point there."""

    entity: Entity
    reference_id: str
    values: Mapping[str, Any]
    parent: Planned | None = None
    field: str = ""


Refusal = tuple[str, tuple[SalesforceError, ...]]
"""A record's referenceId and what is wrong with it."""


class Refused(Exception):
    """A tree that can't be created: its refused records with their errors."""

    def __init__(self, results: Sequence[Refusal]) -> None:
        super().__init__(f"{len(results)} refused")
        self.results = tuple(results)


def plan(catalog: Catalog, root: Entity, records: Sequence[Any]) -> list[list[Planned]]:
    """
    The records of trees by level, parents before children.

    Raises NoRecords, TooManyRecords (200), TooManyInRequest (5 levels, 5 types), JsonParserError; Refused for records that can't
    be planned, InvalidInput for one without a referenceId. Pure.
    """
    if not records:
        raise NoRecords
    levels: list[list[Planned]] = []
    refused: list[Refusal] = []
    seen: set[str] = set()
    above: list[tuple[Planned | None, str, Entity, Any]] = [(None, "", root, record) for record in records]
    count = 0
    while above:
        count += len(above)
        if count > MOST:
            raise TooManyRecords(MOST)
        if len(levels) == MOST_LEVELS:
            raise TooManyInRequest(f"The trees have more than {MOST_LEVELS} levels")
        level: list[Planned] = []
        below: list[tuple[Planned | None, str, Entity, Any]] = []
        for parent, field, entity, record in above:
            reference_id = _reference_id(record)
            if reference_id in seen:
                refused.append((reference_id, _twice(reference_id)))
                continue
            seen.add(reference_id)
            try:
                values, children = _parts(record)
                planned = Planned(_of(catalog, entity, record), reference_id, values, parent, field)
                below += [(planned, *_child(catalog, planned.entity, name), child) for name, child in children]
            except SalesforceError as error:
                refused.append((reference_id, (error,)))
            else:
                level.append(planned)
        levels.append(level)
        above = below
    if refused:
        raise Refused(refused)
    types = {planned.entity.name for level in levels for planned in level}
    if len(types) > MOST_TYPES:
        raise TooManyInRequest(f"The trees have records of {len(types)} objects; at most {MOST_TYPES} are allowed")
    return levels


def _attributes(record: Any) -> dict[str, Any]:
    if not isinstance(record, dict):
        raise JsonParserError("every record must be an object")
    attributes = record.get("attributes")
    return attributes if isinstance(attributes, dict) else {}


def _reference_id(record: Any) -> str:
    found = _attributes(record).get("referenceId")
    if not isinstance(found, str) or not found:
        raise InvalidInput("Include a reference ID for each record in the request.")
    if not _REFERENCE_ID.match(found):
        raise InvalidInput(f"A reference ID must start with a letter or a number: {found[:255]}")
    return found


def _twice(reference_id: str) -> tuple[SalesforceError, ...]:
    """The two errors of a referenceId that two records have, as a real org answers them."""
    return (
        InvalidInput("Duplicate ReferenceId provided in the request."),
        ProcessingHalted(f"Duplicate ReferenceId found: {reference_id[:255]}"),
    )


def _of(catalog: Catalog, expected: Entity, record: Any) -> Entity:
    """The object of a record: what it says, which must be what its place in the tree asks for."""
    name = _attributes(record).get("type")
    if not isinstance(name, str):
        raise InvalidInput("Include an entity type for each record in the request.")
    found = catalog.get(name)
    if found is not expected:
        raise InvalidRecordType(name)
    return found


def _parts(record: dict[str, Any]) -> tuple[dict[str, Any], list[tuple[str, Any]]]:
    """A record's own values, and its children as (relationship, record)."""
    values: dict[str, Any] = {}
    children: list[tuple[str, Any]] = []
    for key, value in record.items():
        if isinstance(value, dict) and isinstance(value.get("records"), list):
            children += [(key, child) for child in value["records"]]
        elif key != "attributes":
            values[key] = value
    return values, children


def _child(catalog: Catalog, parent: Entity, relationship: str) -> tuple[str, Entity]:
    """The reference field and the object behind a child relationship name. Raises InvalidInput."""
    for child in catalog.children(parent.name):
        if (child.relationship_name or "").lower() == relationship.lower():
            entity = catalog.get(child.sobject)
            assert entity is not None
            return child.field.name, entity
    raise InvalidInput(f"{parent.name} has no child relationship '{relationship[:255]}'")


def tree(call: Call) -> Reply:
    """`POST /composite/tree/{S}`: 201 with the id of every record, or 400 with the errors of those that were refused."""
    root = call.server.catalog.get(call.params["sobject"])
    if root is None:
        raise NotFound
    records = members(decode_object(call.request), "the request").get("records")
    if records is not None and not isinstance(records, list):
        raise JsonParserError("records must be a list")
    try:
        levels = plan(call.server.catalog, root, records or ())
        with call.writer.nested():
            made = _create(call, levels)
    except Refused as refused:
        return _refused(refused.results)
    results = [{"referenceId": one.reference_id, "id": made[one.reference_id]} for level in levels for one in level]
    return Reply(201, msgspec.json.encode({"hasErrors": False, "results": results}))


def _create(call: Call, levels: Sequence[Sequence[Planned]]) -> dict[str, RecordId]:
    """Create the records level by level. Raises Refused with all refused records of the first level that has any."""
    made: dict[str, RecordId] = {}
    for level in levels:
        results = call.server.store.each(call.writer, [_work(call, one, made) for one in level], all_or_none=False)
        refused = [
            (one.reference_id, result.errors) for one, result in zip(level, results, strict=True) if result.errors
        ]
        if refused:
            raise Refused(refused)
        made.update(zip((one.reference_id for one in level), map(_id, results), strict=True))
    return made


def _id(result: SaveResult) -> RecordId:
    assert result.id is not None
    return result.id


def _work(call: Call, one: Planned, made: Mapping[str, RecordId]) -> Any:
    server = call.server

    def work() -> tuple[RecordId, None]:
        values = one.values
        if one.parent is not None:
            values = {**values, one.field: made[one.parent.reference_id]}
        return server.store.create(call.writer, server.catalog, call.access, one.entity, values), None

    return work


def _refused(results: Sequence[Refusal]) -> Reply:
    body = {
        "hasErrors": True,
        "results": [{"referenceId": name, "errors": list(map(status, errors))} for name, errors in results],
    }
    return Reply(400, msgspec.json.encode(body))


ROUTES = (Route("POST", "/services/data/{version}/composite/tree/{sobject}", tree, Needs.WRITE),)
