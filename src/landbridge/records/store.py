"""
Records: create, update, upsert, delete, undelete, over a transaction that the caller holds.

Everything that reads state happens here, inside the unit: references are looked for, uniqueness is the database's. Failing
leaves nothing behind for a plain create or update (the INSERT is the only write), so lists need no savepoint for each of
their records (`Tx.alone`). Each function takes `access`, whose rights decide.

Source: `rest.md` sections 3 and 9.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, cast

from landbridge import ids
from landbridge.access import Access
from landbridge.errors import (
    AllOrNoneRolledBack,
    CannotInsertUpdate,
    CannotUpdateConvertedLead,
    DuplicateAssignment,
    DuplicateValue,
    EntityIsDeleted,
    ExternalIdNotFound,
    InsufficientAccess,
    InvalidCrossReferenceInPath,
    InvalidCrossReferenceKey,
    InvalidField,
    InvalidTypeForOperation,
    MalformedId,
    SalesforceError,
)
from landbridge.ids import RecordId
from landbridge.records import blobs, files
from landbridge.records.saved import SaveResult
from landbridge.records.shape import ASSIGNMENT, Shape, person_name
from landbridge.records.validate import Prepared, prepare, stored_value, writer_of
from landbridge.schema.catalog import Catalog, Entity
from landbridge.schema.model import Field, Kind
from landbridge.schema.numbers import Numbers
from landbridge.storage import Change, ChangeKind, ConstraintViolated, Tx
from landbridge.storage.dialect import quote

MASTER_RECORD_TYPE = "012000000000000AAA"

FIND_ASSIGNMENT = """SELECT 1 FROM "PermissionSetAssignment" WHERE "AssigneeId" = ? AND "PermissionSetId" = ?"""
FIND_RECORD_TYPE = """SELECT "SobjectType" FROM "RecordType" WHERE "Id" = ?"""


_EVENT, _CREATE = Kind.EVENT, ChangeKind.CREATE
"""Looked up once: members of an enum are slow to find in Python 3.11."""
_READ_ONLY = (Kind.SYSTEM, Kind.METADATA)


class MultipleMatches(Exception):
    """An external id that several records have: REST answers 300 with where they are."""

    def __init__(self, sobject: str, found: Sequence[RecordId]) -> None:
        super().__init__(f"{len(found)} records of {sobject} match")
        self.sobject = sobject
        self.found = tuple(found)


Saved = tuple[RecordId, bool | None]
"""The id of a record that was written; whether an upsert created it."""


class Publisher(Protocol):
    """Publishes platform events: what a create of one is. The ids to answer carry the event's `uuid`."""

    def publish(self, tx: Tx, access: Access, entity: Entity, values: Mapping[str, Any]) -> str:
        """Publish one. Raises the SalesforceError of the first rule broken."""
        ...

    def publish_each(
        self, tx: Tx, access: Access, entity: Entity, rows: Sequence[Mapping[str, Any]]
    ) -> Sequence[str | SalesforceError]:
        """Publish several, each of which fails alone."""
        ...


class Store:
    """
    Writes records of one org. `captured` are the lower-case names of the objects whose changes are announced: only
    for them the values before an update are kept.
    """

    def __init__(
        self,
        numbers: Numbers,
        captured: Callable[[], frozenset[str]] = frozenset,
        publisher: Publisher | None = None,
    ) -> None:
        self.numbers = numbers
        self._captured = captured
        self._publisher = publisher
        self._files = files.Files(self._insert_beside, self._update_beside)

    def shape(self, entity: Entity) -> Shape:
        """The writing rules of an entity, made at its first write."""
        found = entity.derived.get(Shape)
        if found is None:
            found = entity.derived[Shape] = Shape(entity, writer_of)
        assert isinstance(found, Shape)
        return found

    # --- create ------------------------------------------------------------------------------------------------

    def create(
        self, tx: Tx, catalog: Catalog, access: Access, entity: Entity, given: Mapping[str, Any],
        record_id: RecordId | None = None,
    ) -> RecordId:  # fmt: skip
        """
        Create one record from a JSON object. Returns its id (`record_id`, where one was drawn before); raises the
        SalesforceError of the first rule broken.
        """
        self._may(access, entity, "createable", "inserted")
        if entity.kind is _EVENT and self._publisher is not None:
            return RecordId(self._publisher.publish(tx, access, entity, given))
        shape = self.shape(entity)
        if shape.blobs:
            given = files.given(shape.name, given)
        return self._insert(tx, catalog, access, shape, prepare(shape, access, given, creating=True), record_id)

    def _insert(
        self, tx: Tx, catalog: Catalog, access: Access, shape: Shape, prepared: Prepared, record_id: RecordId | None = None
    ) -> RecordId:  # fmt: skip
        row = self._row(tx, catalog, access, shape, prepared, record_id)
        if shape.name == ASSIGNMENT:
            given = row.get("AssigneeId"), row.get("PermissionSetId")
            if tx.one(FIND_ASSIGNMENT, given) is not None:
                raise DuplicateAssignment(*given)
        if shape.blobs:
            files.lengths(shape, prepared.blobs, row)
            if shape.name == "ContentVersion":
                self._files.place(tx, catalog, access, row)
            self._keep_blobs(tx, row["Id"], prepared)
        return self._put(tx, shape, row)

    def _keep_blobs(self, tx: Tx, record_id: RecordId, prepared: Prepared) -> None:
        for name, blob in prepared.blobs.items():
            if blob is None:
                blobs.drop(tx, record_id, name)
            else:
                blobs.keep(tx, record_id, name, blob)

    def _put(self, tx: Tx, shape: Shape, row: dict[str, Any]) -> RecordId:
        record_id: RecordId = row["Id"]
        sql = shape.insert(tuple(row))
        try:
            tx.run(sql, tuple(row.values()))
        except ConstraintViolated as violated:
            raise self._duplicate(tx, shape, row, violated, record_id) from None
        tx.changes.append(Change(_CREATE, shape.name, record_id, row, None, sql))
        return record_id

    def _row(
        self, tx: Tx, catalog: Catalog, access: Access, shape: Shape, prepared: Prepared, record_id: RecordId | None = None
    ) -> dict[str, Any]:  # fmt: skip
        """The whole row of a record to be, with an id of its own."""
        if prepared.references or prepared.parents:
            self._resolve(tx, catalog, access, shape, prepared)
        if record_id is None:
            assert shape.entity.key_prefix is not None
            record_id = self.numbers.id(tx, shape.entity.key_prefix)
        # No create can give what is stamped: those fields are not createable.
        stamped = shape.stamped(tx.stamp, access.user_id)
        row: dict[str, Any] = {"Id": record_id, **shape.defaults, **stamped, **prepared.columns}
        self._complete(tx, access, shape, row)
        return row

    def _fill(self, tx: Tx, access: Access, shape: Shape, row: dict[str, Any]) -> None:
        """What a create does not say: stamps, owner, auto-numbers, names."""
        row.update(shape.stamped(tx.stamp, access.user_id))
        self._complete(tx, access, shape, row)

    def _complete(self, tx: Tx, access: Access, shape: Shape, row: dict[str, Any]) -> None:
        if shape.has_owner and row.get("OwnerId") is None:
            row["OwnerId"] = access.user_id
        for field in shape.auto_numbers:
            row[field.name] = self.numbers.auto_number(tx, shape.name, field)
        if shape.name_parts:
            row["Name"] = person_name(row)
        elif shape.names_itself and row.get("Name") is None:
            row["Name"] = row["Id"][:15]

    def _insert_beside(
        self, tx: Tx, catalog: Catalog, access: Access, sobject: str, values: dict[str, Any]
    ) -> RecordId:
        """A row that comes with another one: stamps and defaults, but no checks."""
        entity = catalog.get(sobject)
        assert entity is not None, sobject
        assert entity.key_prefix is not None, sobject
        shape = self.shape(entity)
        row = {"Id": self.numbers.id(tx, entity.key_prefix), **shape.defaults, **values}
        self._fill(tx, access, shape, row)
        return self._put(tx, shape, row)

    def _update_beside(
        self, tx: Tx, catalog: Catalog, access: Access, sobject: str, record_id: RecordId, values: dict[str, Any]
    ) -> None:
        entity = catalog.get(sobject)
        assert entity is not None, sobject
        self._change(tx, catalog, access, self.shape(entity), record_id, Prepared(columns=values))

    # --- update ------------------------------------------------------------------------------------------------

    def update(
        self, tx: Tx, catalog: Catalog, access: Access, entity: Entity, record_id: str, given: Mapping[str, Any]
    ) -> RecordId:
        """Change fields of one record. Raises the SalesforceError of the first rule broken."""
        self._may(access, entity, "updateable", "updated")
        shape = self.shape(entity)
        found = own_id(entity, record_id)
        self._change(tx, catalog, access, shape, found, prepare(shape, access, given, creating=False))
        return found

    def _change(
        self, tx: Tx, catalog: Catalog, access: Access, shape: Shape, record_id: RecordId, prepared: Prepared
    ) -> None:
        self._resolve(tx, catalog, access, shape, prepared)
        row = prepared.columns
        if prepared.blobs:
            files.lengths(shape, prepared.blobs, row)
        wanted = (*row, *shape.updated_stamps[1]) if self.is_captured(shape) else ()
        parts = shape.name_parts if not shape.name_parts or not row.keys().isdisjoint(shape.name_parts) else ()
        before = self._read(tx, shape, record_id, (*wanted, *parts, *shape.locks))
        if any(before[name] for name in shape.locks):
            raise CannotUpdateConvertedLead
        if parts:
            row["Name"] = person_name({**before, **row})
        dates, users = shape.updated_stamps
        for column in dates:
            row[column] = tx.stamp
        for column in users:
            row[column] = access.user_id
        self.write_row(tx, shape, record_id, row)
        if shape.blobs:
            self._keep_blobs(tx, record_id, prepared)
            if shape.name == "ContentVersion":
                self._files.changed(tx, catalog, access, record_id, row)
        kept = {name: before[name] for name in wanted} if wanted else None
        if kept and parts:
            kept["Name"] = person_name(before)
        tx.changes.append(Change(ChangeKind.UPDATE, shape.name, record_id, row, kept))

    def is_captured(self, shape: Shape) -> bool:
        """Whether changes of this object are announced."""
        captured = self._captured()
        return bool(captured) and shape.name.lower() in captured

    def whole(self, tx: Tx, shape: Shape, record_id: RecordId) -> dict[str, Any]:
        """Every stored value of a record that is there; empty for one that is not."""
        columns = tuple(field.name for field in shape.entity.fields if field.stored)
        found = tx.one(shape.read(columns), (record_id,))
        return {} if found is None else dict(zip(columns, found[1:], strict=True))

    def write_row(self, tx: Tx, shape: Shape, record_id: RecordId, row: Mapping[str, Any]) -> None:
        """Write columns of one row. Raises DuplicateValue for a unique value that another live record has."""
        if not row:
            return
        try:
            tx.run(shape.update(tuple(row)), (*row.values(), record_id))
        except ConstraintViolated as violated:
            raise self._duplicate(tx, shape, row, violated, record_id) from None

    def _read(self, tx: Tx, shape: Shape, record_id: RecordId, columns: tuple[str, ...]) -> dict[str, Any]:
        """These columns of a live record. Raises for one that is deleted or never was."""
        found = tx.one(shape.read(columns), (record_id,))
        if found is None:
            raise InvalidCrossReferenceInPath
        if found[0]:
            raise EntityIsDeleted
        return dict(zip(columns, found[1:], strict=True))

    # --- upsert ------------------------------------------------------------------------------------------------

    def upsert(
        self, tx: Tx, catalog: Catalog, access: Access, entity: Entity, key: str, value: Any, given: Mapping[str, Any],
        *, update_only: bool = False,
    ) -> tuple[RecordId, bool]:  # fmt: skip
        """
        Update the record whose external-id (or idLookup) field `key` is `value`, or create it.

        Returns (id, created). Raises MultipleMatches, ExternalIdNotFound, SalesforceErrors.
        """
        field = key_field(entity, access, key)
        if any(name.lower() == field.name.lower() for name in given):
            raise InvalidField(f"The {field.name} field should not be specified in the sobject data.")
        if field.type == "id":
            return self.update(tx, catalog, access, entity, str(value), given), False
        found = self.find(tx, entity, field, value)
        if len(found) > 1:
            raise MultipleMatches(entity.name, found)
        if found:
            return self.update(tx, catalog, access, entity, found[0], given), False
        if update_only:
            raise ExternalIdNotFound(field.name)
        return self.create(tx, catalog, access, entity, {**given, field.name: value}), True

    def find(self, tx: Any, entity: Entity, field: Field, value: Any) -> list[RecordId]:
        """The ids of the live records whose `field` is `value` (at most 200); none for a value that can't be one."""
        try:
            stored = stored_value(field, value)
        except SalesforceError:
            return []
        if stored is None:
            return []
        live = ' AND "IsDeleted" = 0' if self.shape(entity).soft_delete else ""
        sql = f'SELECT "Id" FROM {quote(entity.name)} WHERE {quote(field.name)} = ?{live} ORDER BY "Id" LIMIT 200'
        return [RecordId(row[0]) for row in tx.all(sql, (stored,))]

    # --- lists -------------------------------------------------------------------------------------------------

    def create_many(
        self, tx: Tx, catalog: Catalog, access: Access, entity: Entity, rows: Iterable[Mapping[str, Any]],
        *, all_or_none: bool = False,
    ) -> list[SaveResult]:  # fmt: skip
        """Create records; one result each, in order. `all_or_none`: any error undoes all, each result says so."""
        shape = self.shape(entity)
        if entity.kind is _EVENT and self._publisher is not None:
            publisher = self._publisher
            return self.all_of(tx, lambda: self._publish_rows(tx, access, entity, publisher, list(rows)), all_or_none)
        if not shape.one_statement:

            def work(row: Mapping[str, Any]) -> Saved:
                return self.create(tx, catalog, access, entity, row), None

            return self.each_of(tx, work, list(rows), all_or_none=all_or_none)
        return self.all_of(tx, lambda: self._create_rows(tx, catalog, access, shape, rows), all_or_none)

    def _publish_rows(
        self, tx: Tx, access: Access, entity: Entity, publisher: Publisher, rows: Sequence[Mapping[str, Any]]
    ) -> list[SaveResult]:
        try:
            self._may(access, entity, "createable", "inserted")
        except SalesforceError as error:
            return [SaveResult(None, (error,)) for _ in rows]
        return [
            SaveResult(None, (became,)) if isinstance(became, SalesforceError) else SaveResult(RecordId(became))
            for became in publisher.publish_each(tx, access, entity, rows)
        ]

    def _create_rows(
        self, tx: Tx, catalog: Catalog, access: Access, shape: Shape, rows: Iterable[Mapping[str, Any]]
    ) -> list[SaveResult]:
        """Rows of one shape: the INSERT of each is its only statement, so they go in runs and fail alone by themselves."""
        try:
            self._may(access, shape.entity, "createable", "inserted")
        except SalesforceError as error:
            return [SaveResult(None, (error,)) for _ in rows]
        results: list[SaveResult | None] = []
        run: list[tuple[int, dict[str, Any]]] = []
        sql, recipe = "", None
        for given in rows:
            try:
                prepared = prepare(shape, access, given, creating=True)
                if prepared.parents:
                    self._put_run(tx, shape, sql, run, results)  # one of them may be the parent
                row = self._row(tx, catalog, access, shape, prepared)
            except SalesforceError as error:
                results.append(SaveResult(None, (error,)))
                continue
            if prepared.recipe is None or prepared.recipe is not recipe:
                recipe = prepared.recipe
                needed = shape.insert(tuple(row))
                if needed is not sql:
                    self._put_run(tx, shape, sql, run, results)
                    sql = needed
            run.append((len(results), row))
            results.append(None)
        self._put_run(tx, shape, sql, run, results)
        return cast("list[SaveResult]", results)

    def _put_run(
        self, tx: Tx, shape: Shape, sql: str, run: list[tuple[int, dict[str, Any]]], results: list[SaveResult | None]
    ) -> None:
        """Insert rows with the same columns, note what became of each, and empty the run."""
        if not run:
            return
        became = tx.run_each(sql, [tuple(row.values()) for _, row in run])
        for (index, row), violated in zip(run, became, strict=True):
            if violated is None:
                tx.changes.append(Change(_CREATE, shape.name, row["Id"], row, None, sql))
                results[index] = SaveResult(row["Id"])
            else:
                results[index] = SaveResult(None, (self._duplicate(tx, shape, row, violated, row["Id"]),))
        run.clear()

    def each(self, tx: Tx, works: Sequence[Callable[[], Saved]], *, all_or_none: bool) -> list[SaveResult]:
        """Run one write per record, each failing alone; collect what became of each. `all_or_none`: any error undoes all."""
        return self.each_of(tx, lambda work: work(), works, all_or_none=all_or_none)

    def each_of(
        self, tx: Tx, work: Callable[[Any], Saved], items: Sequence[Any], *, all_or_none: bool
    ) -> list[SaveResult]:
        """As `each`, with one write for all: it is called with each item."""
        return self.all_of(tx, lambda: self._each(tx, work, items), all_or_none)

    def all_of(self, tx: Tx, write: Callable[[], list[SaveResult]], all_or_none: bool) -> list[SaveResult]:
        """Write a list; with `all_or_none` undo it where anything in it failed."""
        if not all_or_none:
            return write()
        results: list[SaveResult] = []
        try:
            with tx.nested():
                results = write()
                if any(result.errors for result in results):
                    raise _RolledBack
        except _RolledBack:
            return [result if result.errors else _rolled_back() for result in results]
        return results

    def _each(self, tx: Tx, work: Callable[[Any], Saved], items: Sequence[Any]) -> list[SaveResult]:
        return [
            SaveResult(None, (became,)) if isinstance(became, SalesforceError) else SaveResult(became[0], (), became[1])
            for became in tx.alone_each(work, items, SalesforceError)
        ]

    # --- shared ------------------------------------------------------------------------------------------------

    def _may(self, access: Access, entity: Entity, flag: str, done: str) -> None:
        """Whether this user may do this to this object at all."""
        if access.read_only:
            raise InsufficientAccess
        kind = entity.kind
        if kind is _EVENT and (done != "inserted" or self._publisher is None):
            raise InvalidTypeForOperation(f"entity type cannot be {done}: {entity.sobject.label}", fields=())
        if not entity.sobject.flags.get(flag, True) or kind in _READ_ONLY:
            if done == "inserted":
                raise CannotInsertUpdate(f"entity type cannot be inserted: {entity.sobject.label}", fields=())
            raise InvalidTypeForOperation(f"entity type cannot be {done}: {entity.sobject.label}", fields=())

    def _resolve(self, tx: Tx, catalog: Catalog, access: Access, shape: Shape, prepared: Prepared) -> None:
        """Find parents named by external ids; see that every reference points to a live record of a right type."""
        for reference, target, key, value in prepared.parents:
            prepared.columns[reference.name] = self._parent(tx, catalog, access, reference, target, key, value)
        for field, record_id in prepared.references:
            if field.name == "RecordTypeId":
                self._record_type(tx, shape, prepared, record_id)
            else:
                self._exists(tx, catalog, field, record_id)

    def _parent(
        self, tx: Tx, catalog: Catalog, access: Access, reference: Field, target: str | None, key: str, value: Any
    ) -> RecordId:
        name = target if target is not None else reference.reference_to[0]
        entity = catalog.get(name)
        if entity is None or entity.name not in reference.reference_to:
            raise InvalidField(f"The {reference.relationship_name} relationship does not point to {name}.")
        field = key_field(entity, access, key)
        found = self.find(tx, entity, field, value)
        if not found:
            raise InvalidField(
                f"Foreign key external ID: {str(value).lower()} not found for field {field.name} in entity {entity.name}"
            )
        if len(found) > 1:
            raise DuplicateValue(field.name, found[0])
        return found[0]

    def _exists(self, tx: Tx, catalog: Catalog, field: Field, record_id: RecordId) -> None:
        target = catalog.by_prefix(record_id[:3])
        if target is None or target.name not in field.reference_to:
            raise MalformedId(field.label, record_id, field.name)
        if not target.sobject.has_table:
            raise InvalidCrossReferenceKey
        found = tx.one(self.shape(target).read(()), (record_id,))
        if found is None:
            raise InvalidCrossReferenceKey
        if found[0]:
            raise ReferenceIsDeleted

    def _record_type(self, tx: Tx, shape: Shape, prepared: Prepared, record_id: RecordId) -> None:
        if record_id == MASTER_RECORD_TYPE:
            prepared.columns["RecordTypeId"] = None
            return
        found = tx.one(FIND_RECORD_TYPE, (record_id,))
        if found is None or found[0] != shape.name:
            raise InvalidCrossReferenceKey(
                f"Record Type ID: this ID value isn't valid for the user: {record_id}", fields=("RecordTypeId",)
            )

    def _duplicate(
        self, tx: Tx, shape: Shape, row: Mapping[str, Any], violated: ConstraintViolated, record_id: RecordId
    ) -> SalesforceError:
        """The error for a unique value that another record has; also of an undelete, whose row does not name it."""
        column = (violated.index or "").rpartition(".")[2].strip().strip('"')
        field = shape.fields.get(column)
        if field is None:
            raise violated
        value = row[column] if column in row else self._stored(tx, shape, record_id, column)
        others = [other for other in self.find(tx, shape.entity, field, value) if other != record_id]
        return DuplicateValue(field.name, others[0] if others else None)

    def _stored(self, tx: Tx, shape: Shape, record_id: RecordId, column: str) -> Any:
        found = tx.one(shape.read((column,)), (record_id,))
        return None if found is None else found[1]

    def check_may_delete(self, access: Access, entity: Entity) -> None:
        """Raises for a user or an object that takes no delete."""
        self._may(access, entity, "deletable", "deleted")


class ReferenceIsDeleted(EntityIsDeleted):
    """The record that a body points to is gone; a record in the path answers 404 instead."""

    status = 400


class _RolledBack(Exception):
    """Leaves the savepoint of a list in which one record failed."""


def _rolled_back() -> SaveResult:
    return SaveResult(None, (AllOrNoneRolledBack(),))


def own_id(entity: Entity, text: str) -> RecordId:
    """The id of a record of this entity from a path. Raises what REST answers for an id that can't be one of it."""
    record_id = ids.normalize(text)
    if record_id is None:
        raise ExternalIdNotFound(text)
    if record_id[:3] != entity.key_prefix:
        raise InvalidCrossReferenceInPath
    return record_id


def key_field(entity: Entity, access: Access, key: str) -> Field:
    """The external-id, idLookup or Id field named `key`. Raises ExternalIdNotFound for any other name."""
    field = entity.field(key)
    if field is None or not (field.external_id or field.id_lookup) or not access.readable(entity.name, field.name):
        raise ExternalIdNotFound(key)
    return field
