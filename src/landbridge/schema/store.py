"""
The catalogue in the database: what a source added to the standard objects, and how a changed source changes tables.

Loading is like a deploy on the platform: it adds and alters, it never deletes what the source does not mention. Loading
the same source twice changes nothing. A change that would lose data is refused unless the caller allows it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from landbridge.errors import LandbridgeError
from landbridge.ids import DIGITS
from landbridge.schema.catalog import Catalog, Entity
from landbridge.schema.model import Field, Kind, RecordType, SObject
from landbridge.schema.numbers import Numbers
from landbridge.schema.tables import column, create, index_name, indexes, stored_fields
from landbridge.storage import Reader, Tx
from landbridge.storage.dialect import SQLITE, quote
from landbridge.values import column_type

TABLES = ("CREATE TABLE lb_sobject (name TEXT PRIMARY KEY NOT NULL, definition TEXT NOT NULL) WITHOUT ROWID",)

KEEP = "INSERT INTO lb_sobject (name, definition) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET definition = excluded.definition"
KEPT = "SELECT definition FROM lb_sobject ORDER BY name"

_PREFIX_START = {Kind.CUSTOM: "a", Kind.SETTING: "a", Kind.EVENT: "e", Kind.METADATA: "m"}


def load(reader: Reader, standard: Sequence[SObject]) -> Catalog:
    """The catalogue of a database: the standard objects with what was added to them, and the custom ones."""
    kept = [msgspec.json.decode(row[0], type=SObject) for row in reader.all(KEPT)]
    catalog = Catalog(standard)
    return catalog.replaced(_upgraded(catalog, sobject) for sobject in kept) if kept else catalog


def _upgraded(catalog: Catalog, kept: SObject) -> SObject:
    """A standard object as this release knows it, with the custom fields that the file has."""
    entity = catalog.get(kept.name)
    if entity is None or kept.kind is not Kind.STANDARD:
        return kept
    before = {field.name.lower(): field for field in kept.fields}
    own = tuple(_still_pointing(field, before.pop(field.name.lower(), field)) for field in entity.sobject.fields)
    return msgspec.structs.replace(entity.sobject, fields=(*own, *before.values()), record_types=kept.record_types)


def _still_pointing(field: Field, kept: Field) -> Field:
    """A standard reference that the org's own objects were added to: activities of custom objects."""
    added = set(kept.reference_to) - set(field.reference_to)
    return (
        field
        if not added
        else msgspec.structs.replace(field, reference_to=tuple(sorted({*field.reference_to, *added})))
    )


def create_all(tx: Tx, catalog: Catalog) -> None:
    """Make the tables of a whole catalogue in an empty database; not those that a migration has made as views."""
    views = {row[0] for row in tx.all(SQLITE.views)}
    for entity in catalog:
        if entity.sobject.kind is not Kind.EVENT and entity.name not in views:
            for statement in create(entity, SQLITE):
                tx.run(statement)


def add_missing(tx: Tx, catalog: Catalog) -> None:
    """After an upgrade: make the tables and columns that this release has and the file has not."""
    views = {row[0] for row in tx.all(SQLITE.views)}
    for entity in catalog:
        if entity.sobject.kind is Kind.EVENT or entity.name in views:
            continue
        present = {row[0].lower() for row in tx.all(SQLITE.columns, (entity.name,))}
        if not present:
            for statement in create(entity, SQLITE):
                tx.run(statement)
        else:
            _add_columns(tx, entity, present)


def _add_columns(tx: Tx, entity: Entity, present: set[str]) -> None:
    missing = [field for field in stored_fields(entity) if field.name.lower() not in present]
    for field in missing:
        tx.run(f"ALTER TABLE {quote(entity.name)} ADD COLUMN {column(field, SQLITE)}")
    for statement in indexes(entity, only=frozenset(field.name for field in missing)):
        tx.run(statement)


def apply(
    tx: Tx, catalog: Catalog, objects: Iterable[SObject], numbers: Numbers, *, allow_drop: bool = False
) -> Catalog:
    """
    Take objects of a source into the org: tables, columns, indexes, record types, definitions.

    Returns the catalogue after it, the same one when nothing changed. Raises LandbridgeError listing what would be lost.
    """
    changed: list[SObject] = []
    prefixes = _Prefixes(catalog)
    for wanted in objects:
        old = catalog.get(wanted.name)
        merged = wanted if old is None else _merge(old.sobject, wanted)
        merged = _with_record_types(tx, numbers, merged)
        if merged.key_prefix is None and merged.kind in _PREFIX_START:
            merged = msgspec.structs.replace(merged, key_prefix=prefixes.take(_PREFIX_START[merged.kind]))
        if old is not None and old.sobject == merged:
            continue
        changed.append(merged)
    if not changed:
        return catalog
    after = catalog.replaced(changed)
    _refuse_losses(tx, catalog, after, changed, allow_drop=allow_drop)
    for sobject in changed:
        entity = after.get(sobject.name)
        assert entity is not None
        _alter(tx, catalog.get(sobject.name), entity)
        tx.run(KEEP, (sobject.name, msgspec.json.encode(sobject).decode()))
    return after


class _Prefixes:
    """Free key prefixes: `a00`, `a01`, ... in the order objects come."""

    def __init__(self, catalog: Catalog) -> None:
        self._taken = {entity.key_prefix for entity in catalog}

    def take(self, start: str) -> str:
        for high in DIGITS:
            for low in DIGITS:
                prefix = start + high + low
                if prefix not in self._taken:
                    self._taken.add(prefix)
                    return prefix
        raise LandbridgeError("this org has no key prefix left for one more custom object")


def _merge(old: SObject, wanted: SObject) -> SObject:
    """`wanted` over `old`: fields and record types that it does not mention stay."""
    fields = {field.name.lower(): field for field in old.fields}
    for field in wanted.fields:
        fields[field.name.lower()] = field
    types = {kept.developer_name: kept for kept in old.record_types}
    for record_type in wanted.record_types:
        known = types.get(record_type.developer_name)
        types[record_type.developer_name] = msgspec.structs.replace(
            record_type, record_type_id=known.record_type_id if known is not None else record_type.record_type_id
        )
    return msgspec.structs.replace(
        wanted,
        fields=tuple(fields.values()),
        record_types=tuple(types.values()),
        key_prefix=old.key_prefix or wanted.key_prefix,
    )


ADD_RECORD_TYPE = """
    INSERT INTO "RecordType" ("Id", "Name", "DeveloperName", "Description", "SobjectType", "IsActive", "CreatedDate",
                              "LastModifiedDate", "SystemModstamp")
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, ?7)
"""


def _with_record_types(tx: Tx, numbers: Numbers, sobject: SObject) -> SObject:
    """The object with an id, and a row of RecordType, for each of its record types."""
    if all(known.record_type_id is not None for known in sobject.record_types):
        return sobject
    with_ids: list[RecordType] = []
    for record_type in sobject.record_types:
        if record_type.record_type_id is None:
            record_type = msgspec.structs.replace(record_type, record_type_id=str(numbers.id(tx, "012")))
            tx.run(ADD_RECORD_TYPE, (
                record_type.record_type_id, record_type.name, record_type.developer_name, record_type.description,
                sobject.name, int(record_type.active), tx.stamp,
            ))  # fmt: skip
        with_ids.append(record_type)
    return msgspec.structs.replace(sobject, record_types=tuple(with_ids))


def _alter(tx: Tx, old: Entity | None, new: Entity) -> None:
    if new.kind is Kind.EVENT:
        return
    if old is None or old.kind is Kind.EVENT:
        for statement in create(new, SQLITE):
            tx.run(statement)
        return
    table = quote(new.name)
    for field in stored_fields(new):
        before = old.field(field.name)
        if before is None or not before.stored:
            continue
        if _column(before) != _column(field):
            tx.run(f"DROP INDEX IF EXISTS {quote(index_name(new, before))}")
            tx.run(f"ALTER TABLE {table} DROP COLUMN {quote(before.name)}")
        elif _indexed(before) != _indexed(field):
            tx.run(f"DROP INDEX IF EXISTS {quote(index_name(new, before))}")
            for statement in indexes(new, only=frozenset({field.name})):
                tx.run(statement)
        elif _shorter(before, field):
            name = quote(field.name)
            tx.run(f"UPDATE {table} SET {name} = substr({name}, 1, ?1) WHERE length({name}) > ?1", (field.length,))
    _add_columns(tx, new, {row[0].lower() for row in tx.all(SQLITE.columns, (new.name,))})


def _column(field: Field) -> str:
    return column(field, SQLITE).split(" DEFAULT")[0]


def _indexed(field: Field) -> tuple[bool, bool, bool]:
    return field.unique, field.external_id, field.is_reference


def _shorter(before: Field, after: Field) -> bool:
    return column_type(after.type) == "TEXT" and 0 < (after.length or 0) < (before.length or 0)


def _refuse_losses(tx: Tx, before: Catalog, after: Catalog, changed: Sequence[SObject], *, allow_drop: bool) -> None:
    losses = []
    for sobject in changed:
        old, new = before.get(sobject.name), after.get(sobject.name)
        if old is not None and new is not None and old.kind is not Kind.EVENT:
            losses += _losses(tx, old, new)
    if losses and not allow_drop:
        raise LandbridgeError(
            "the source would lose data that this org holds:\n  " + "\n  ".join(losses)
            + "\nNothing was changed. Start again with --allow-drop to lose it, or with another --data folder."
        )  # fmt: skip


def _losses(tx: Tx, old: Entity, new: Entity) -> list[str]:
    """What of the rows that are there would not survive, a line each."""
    found = []
    table = quote(new.name)
    for field in new.fields:
        before = old.field(field.name)
        if before is None or not before.stored:
            continue
        name = quote(before.name)
        if not field.stored or _column(before) != _column(field):
            filled = "<> 0" if before.type == "boolean" else "IS NOT NULL"
            if tx.one(f"SELECT 1 FROM {table} WHERE {name} {filled} LIMIT 1"):
                found.append(f"{new.name}.{field.name} becomes {field.type} (was {before.type}): its values go")
        elif _shorter(before, field) and tx.one(
            f"SELECT 1 FROM {table} WHERE length({name}) > ? LIMIT 1", (field.length,)
        ):
            found.append(f"{new.name}.{field.name} gets shorter ({before.length} to {field.length}): values are cut")
    return found
