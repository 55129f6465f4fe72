"""
Lists of records: create, update, upsert and delete up to 200 of several types in one unit, with a result for each.

Every record fails alone, or with `all_or_none` none is kept; records are written in their order. What concerns the list as a
whole (too many records, too many changes of type) is refused before anything is written.

Source: composite.md section 4 (recorded codes and texts), SOAP API Developer Guide on chunks of mixed types.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from landbridge import ids
from landbridge.access import Access
from landbridge.errors import (
    DuplicateExternalId,
    DuplicateValue,
    InvalidType,
    JsonParserError,
    MalformedId,
    MissingArgument,
    NoRecords,
    SalesforceError,
    TooManyInRequest,
    TooManyRecords,
)
from landbridge.ids import RecordId
from landbridge.records.bin import Bin
from landbridge.records.saved import SaveResult
from landbridge.records.store import MultipleMatches, Saved, Store, key_field
from landbridge.schema.catalog import Catalog, Entity
from landbridge.schema.model import Field
from landbridge.storage import Tx

MOST, MOST_CHUNKS = 200, 10

Row = tuple[str | None, Mapping[str, Any]]
"""A record to be: the name of its object (None where it is not said) and its values."""


def check(sobjects: Sequence[str | None]) -> None:
    """
    Whether a list may be written at all, by the objects of its records in their order.

    Raises NoRecords, TooManyRecords (200), TooManyInRequest (more than 10 runs of one type).
    """
    if not sobjects:
        raise NoRecords
    if len(sobjects) > MOST:
        raise TooManyRecords(MOST)
    last: str | None = None
    chunks = 0
    for name in sobjects:
        if name is not last and name != last and name is not None:
            chunks += last is None or name.lower() != last.lower()
            last = name
    if chunks > MOST_CHUNKS:
        raise TooManyInRequest(
            f"Cannot have more than {MOST_CHUNKS} chunks in a single operation. Please rearrange the data to reduce chunking."
        )


class Lists:
    """Writes lists of records on top of `Store` and `Bin`, for one user in one unit."""

    def __init__(self, store: Store, bin_: Bin, tx: Tx, catalog: Catalog, access: Access) -> None:
        self._store = store
        self._bin = bin_
        self._tx = tx
        self._catalog = catalog
        self._access = access
        self._entities: dict[str, Entity] = {}

    def create(self, rows: Sequence[Row], *, all_or_none: bool) -> list[SaveResult]:
        """Create records; a null Id is the same as none."""
        return self._store.all_of(self._tx, lambda: self._create(rows), all_or_none)

    def _create(self, rows: Sequence[Row]) -> list[SaveResult]:
        results: list[SaveResult] = []
        for sobject, run in groupby(rows, itemgetter(0)):
            values = [_without_null_id(row) for _, row in run]
            try:
                entity = self._entity(sobject)
            except SalesforceError as error:
                results += [SaveResult(None, (error,)) for _ in values]
            else:
                results += self._store.create_many(self._tx, self._catalog, self._access, entity, values)
        return results

    def update(self, rows: Sequence[Row], *, all_or_none: bool) -> list[SaveResult]:
        """Update records, each of which names its own id."""

        def work(row: Row) -> Saved:
            entity = self._entity(row[0])
            record_id, values = split(row[1], "id")
            if not record_id:
                raise MissingArgument("Id not specified in an update call", fields=())
            return self._update(entity, record_id, values), None

        return self._each(work, rows, all_or_none)

    def _update(self, entity: Entity, record_id: Any, values: Mapping[str, Any]) -> RecordId:
        found = ids.normalize(record_id) if isinstance(record_id, str) else None
        if found is None or found[:3] != entity.key_prefix:
            raise MalformedId(f"{entity.sobject.label} ID", str(record_id), "Id")
        return self._store.update(self._tx, self._catalog, self._access, entity, found, values)

    def upsert(self, entity: Entity, key: str, rows: Sequence[Row], *, all_or_none: bool) -> list[SaveResult]:
        """
        Update each record that has the same value in field `key`, create those that nothing has.

        Raises ExternalIdNotFound for a field that can't be a key. Values that stand in the list twice are refused.
        """
        field = key_field(entity, self._access, key)
        split_rows = [split(values, field.name.lower()) for _, values in rows]
        counted = Counter(_same(value) for value, _ in split_rows if value is not None)

        def work(row: tuple[Row, tuple[Any, dict[str, Any]]]) -> Saved:
            (sobject, _), (value, values) = row
            self._is(entity, sobject)
            if counted[_same(value)] > 1:
                raise DuplicateValue.in_list(str(value))
            return self._upsert(entity, field, value, values)

        results = self._each(work, list(zip(rows, split_rows, strict=True)), all_or_none)
        return [
            result if result.success else SaveResult(result.id, result.errors, created=False) for result in results
        ]  # fmt: skip

    def _upsert(self, entity: Entity, field: Field, value: Any, values: Mapping[str, Any]) -> tuple[RecordId, bool]:
        if field.type == "id":
            if value:
                return self._update(entity, value, values), False
            return self._store.create(self._tx, self._catalog, self._access, entity, values), True
        if value is None or value == "":
            raise MissingArgument(f"{field.name} not specified", fields=())
        try:
            return self._store.upsert(self._tx, self._catalog, self._access, entity, field.name, value, values)
        except MultipleMatches as several:
            raise DuplicateExternalId(field.name, several.found) from None

    def delete(self, record_ids: Sequence[str], *, all_or_none: bool) -> list[SaveResult]:
        """Delete records of any types. What all-or-none undid keeps its id in the result (composite.md section 4)."""

        def work(text: str) -> Saved:
            record_id = ids.normalize(text)
            entity = None if record_id is None else self._catalog.by_prefix(record_id[:3])
            if record_id is None or entity is None:
                raise MalformedId.plain(text)
            self._bin.delete(self._tx, self._catalog, self._access, entity, record_id)
            return record_id, None

        results = self._each(work, record_ids, all_or_none)
        return [
            SaveResult(ids.normalize(text), result.errors) if result.rolled_back else result
            for text, result in zip(record_ids, results, strict=True)
        ]  # fmt: skip

    # --- shared ----------------------------------------------------------------------------------------------------

    def _each(self, work: Callable[[Any], Saved], items: Sequence[Any], all_or_none: bool) -> list[SaveResult]:
        return self._store.each_of(self._tx, work, items, all_or_none=all_or_none)

    def _entity(self, name: str | None) -> Entity:
        """The object of a record. Raises what a record without a known type gets."""
        if name is None:
            raise no_type()
        found = self._entities.get(name)
        if found is None:
            known = self._catalog.get(name)
            if known is None:
                raise InvalidRecordType(name)
            found = self._entities[name] = known
        return found

    def _is(self, entity: Entity, name: str | None) -> None:
        """Whether a record is of the object that the list is for."""
        if self._entity(name) is not entity:
            raise InvalidRecordType(str(name))


class InvalidRecordType(InvalidType):
    """A record of an object that is not there, or not the one its list is for."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.fields = ()


def no_type() -> SalesforceError:
    """A record that does not say its object."""
    return JsonParserError(
        "Nested object for polymorphic foreign key must have an attributes field before any other fields.", fields=()
    )


def split(values: Mapping[str, Any], key: str) -> tuple[Any, dict[str, Any]]:
    """A record's value under a (lower-case) name, whatever its case there, and the rest of it."""
    found, rest = None, {}
    for name, value in values.items():
        if name.lower() == key:
            found = value
        else:
            rest[name] = value
    return found, rest


def _without_null_id(values: Mapping[str, Any]) -> Mapping[str, Any]:
    for name in ("Id", "id"):
        if name in values and values[name] is None:
            return {key: value for key, value in values.items() if key != name}
    return values


def _same(value: Any) -> Any:
    """Values that are one external id: text whatever its case, as the indexes compare."""
    return value.lower() if isinstance(value, str) else str(value)
