"""
What SOQL asks of an object again and again: derived once, kept with the object, gone with its catalogue. Pure.

The columns of a table are values that all statements share; a statement's own work begins where they end.
"""

from __future__ import annotations

from typing import Final

from landbridge.schema.catalog import Catalog, Entity
from landbridge.schema.model import Kind
from landbridge.soql.bound import Column
from landbridge.storage.dialect import quote

_KEPT_TABLES: Final = 64
"""Tables of a statement whose columns are kept: joins have at most 55, lookups of polymorphic parents can be many more."""


class Columns(dict[str, Column]):
    """The fields of one table of a statement by their names in lower case, made when first asked for. Raises KeyError."""

    __slots__ = ("_entity", "_table")

    def __init__(self, entity: Entity, table: int) -> None:
        super().__init__()
        self._entity = entity
        self._table = table

    def __missing__(self, name: str) -> Column:
        found = self._entity.field(name)
        if found is None:
            raise KeyError(name)
        made = self[name] = Column.of(self._table, found)
        return made


class Facts:
    """
    `sql` is the object's table, `key` the column that references hold, `key_sql` the same quoted; `deleted`: its rows can be in
    the bin; `queryable`: SOQL may name it.
    """

    __slots__ = ("_attributes", "_columns", "_entity", "deleted", "key", "key_sql", "queryable", "sql")

    def __init__(self, entity: Entity) -> None:
        self._entity = entity
        self._columns: dict[int, Columns] = {}
        self._attributes: dict[float, str] = {}
        self.sql = quote(entity.name)
        self.key = "DurableId" if entity.field("DurableId") is not None else "Id"
        self.key_sql = quote(self.key)
        self.deleted = entity.field("IsDeleted") is not None
        self.queryable = entity.kind is not Kind.EVENT and entity.sobject.flags.get("queryable", True)

    def columns(self, table: int) -> Columns:
        """The object's fields as columns of the table of that number."""
        found = self._columns.get(table)
        if found is None:
            found = Columns(self._entity, table)
            if table < _KEPT_TABLES:
                self._columns[table] = found
        return found

    def attributes(self, version: float) -> str:
        """The pair `attributes` of a record's JSON, up to its Id; a parenthesis closes it."""
        found = self._attributes.get(version)
        if found is None:
            path = f"/services/data/v{version:.1f}/sobjects/{self._entity.name}/"
            found = self._attributes[version] = (
                f"'attributes', json_object('type', '{self._entity.name}', 'url', '{path}' || "
            )
        return found


def facts(entity: Entity) -> Facts:
    """The facts of an object."""
    found = entity.derived.get(Facts)
    if found is None:
        found = entity.derived[Facts] = Facts(entity)
    assert isinstance(found, Facts)
    return found


class _References(dict[tuple[str, ...], tuple[Entity, ...]]):
    """The objects of a catalogue that a reference points to, events left out, by their names."""


class _TypeNames(dict[tuple[str, ...], tuple[tuple[tuple[str, str], ...], str]]):
    """Key prefixes and names of the objects that a reference points to, and the same as the branches of a CASE."""


def targets(catalog: Catalog, names: tuple[str, ...]) -> tuple[Entity, ...]:
    """The objects that a reference to these names can lead to."""
    known = catalog.derived.setdefault(_References, _References())
    assert isinstance(known, _References)
    found = known.get(names)
    if found is None:
        entities = [catalog.get(name) for name in names]
        found = known[names] = tuple(e for e in entities if e is not None and e.kind is not Kind.EVENT)
    return found


def type_names(catalog: Catalog, names: tuple[str, ...]) -> tuple[tuple[tuple[str, str], ...], str]:
    """(key prefix, object) of all that a reference to these names can lead to, and the branches of a CASE over the prefix."""
    known = catalog.derived.setdefault(_TypeNames, _TypeNames())
    assert isinstance(known, _TypeNames)
    found = known.get(names)
    if found is None:
        pairs = tuple((e.key_prefix, e.name) for e in targets(catalog, names) if e.key_prefix is not None)
        found = known[names] = pairs, "".join(f" WHEN '{prefix}' THEN '{name}'" for prefix, name in pairs)
    return found
