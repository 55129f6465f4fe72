"""
A Query and a catalogue to a BoundQuery: every name resolved, every value in its stored form. Pure.

Parent paths become joins; what an access can't read does not exist. Errors carry the place of the name that was wrong.

Source: `soql.md` sections 3 and 5.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from landbridge import ids, values
from landbridge.access import Access
from landbridge.errors import (
    InvalidField,
    InvalidQueryFilterOperator,
    InvalidType,
    MalformedQuery,
    OffsetOutsideValidRange,
    QueryUnsupported,
)
from landbridge.schema.catalog import Catalog, Entity
from landbridge.schema.model import Field, Kind
from landbridge.soql.moments import Span
from landbridge.soql.tree import AllFields, Both, Compare, Condition, Literal, Negation, Path, Query, Within
from landbridge.storage import Value

MAX_OFFSET = 2000
MAX_LEVELS = 5
_FIELDS_LIMIT = 200

_APPEND = ("If you are attempting to use a custom {what}, be sure to append the '{tail}' after the {named}. Please reference "
           "your WSDL or the describe call for the appropriate names.")  # fmt: skip


class Join(msgspec.Struct, frozen=True):
    """A parent table: `number` names it (t1, t2, ...), `reference` is the field of table `base` that holds its Id."""

    number: int
    base: int
    reference: Field
    entity: Entity


class TypeOf(msgspec.Struct, frozen=True):
    """What object a polymorphic parent is: told from the Id in `reference` of table `base`, by (key prefix, name)."""

    base: int
    reference: Field
    names: tuple[tuple[str, str], ...]


class Column(msgspec.Struct, frozen=True):
    """
    A field of one table, or the same field of several (a polymorphic parent: only one of them has the row).

    Without fields it is the `Type` of a polymorphic parent.
    """

    tables: tuple[int, ...]
    fields: tuple[Field, ...]
    kind: TypeOf | None = None

    @property
    def field(self) -> Field | None:
        return self.fields[0] if self.fields else None


class Node(msgspec.Struct):
    """One object of the output: its own columns by key, in order, and the parents among them."""

    entity: Entity | None
    """None: polymorphic, `kind` tells what it is."""
    kind: TypeOf | None = None
    joins: tuple[int, ...] = (0,)
    items: dict[str, Column | Node | Compound] = {}


class Compound(msgspec.Struct, frozen=True):
    """An address or location: parts by their JSON key."""

    table: int
    parts: tuple[tuple[str, Field], ...]


class Test(msgspec.Struct, frozen=True):
    """A comparison with stored values. `op`: = != < <= > >= LIKE IN NOT IN, or IS NULL / IS NOT NULL without values."""

    column: Column
    op: str
    values: tuple[Value, ...] = ()
    span: Span | None = None
    """A date literal instead of values; what it means is bound at run."""


class Group(msgspec.Struct, frozen=True):
    op: str
    terms: tuple[Test | Group | Inverse, ...]


class Inverse(msgspec.Struct, frozen=True):
    term: Test | Group | Inverse


Bound = Test | Group | Inverse


class Sort(msgspec.Struct, frozen=True):
    column: Column
    descending: bool
    nulls_first: bool


class BoundQuery(msgspec.Struct, frozen=True):
    """A statement with nothing left to look up."""

    entity: Entity
    root: Node
    count: bool
    joins: tuple[Join, ...]
    where: Bound | None
    order: tuple[Sort, ...]
    limit: int | None
    offset: int
    all_rows: bool


def bind(query: Query, catalog: Catalog, access: Access, *, all_rows: bool = False) -> BoundQuery:
    """Resolve a statement. Raises the QueryErrors of `soql.md` section 5, each with its place."""
    entity = catalog.get(query.sobject)
    if entity is None or not _queryable(entity):
        raise InvalidType(query.sobject, query.sobject_at)
    binder = _Binder(catalog, access, entity, query.alias)
    root = Node(entity)
    for item in query.select:
        binder.select(root, item, query)
    where = None if query.where is None else binder.condition(query.where)
    order = tuple(binder.sort(o.path, o.descending, o.nulls_first) for o in query.order)
    if query.offset is not None and query.offset > MAX_OFFSET:
        raise OffsetOutsideValidRange(f"Maximum SOQL offset allowed is {MAX_OFFSET}", query.offset_at)
    return BoundQuery(
        entity, root, query.count, tuple(binder.joins), where, order, query.limit, query.offset or 0, all_rows
    )


def _queryable(entity: Entity) -> bool:
    return entity.kind is not Kind.EVENT and entity.sobject.flags.get("queryable", True)


class _Binder:
    def __init__(self, catalog: Catalog, access: Access, entity: Entity, alias: str | None) -> None:
        self._catalog = catalog
        self._access = access
        self._entity = entity
        self._alias = None if alias is None else alias.lower()
        self.joins: list[Join] = []
        self._known: dict[tuple[int, str, str], int] = {}

    # --- names -------------------------------------------------------------------------------------------------

    def _names(self, path: Path) -> tuple[str, ...]:
        """The path without the object's name or alias in front."""
        first = path.names[0].lower()
        named = first == self._alias or (
            first == self._entity.name.lower() and self._entity.relationship(first) is None
        )
        return path.names[1:] if named and len(path.names) > 1 else path.names

    def _field(self, entity: Entity, name: str, at: int) -> Field:
        found = entity.field(name)
        if found is None or not self._access.readable(entity.name, found.name):
            raise InvalidField(
                f"No such column '{name}' on entity '{entity.name}'. "
                + _APPEND.format(what="field", tail="__c", named="custom field name"),
                at,
            )
        return found

    def _reference(self, entity: Entity, name: str, at: int) -> Field:
        found = entity.relationship(name)
        if found is None or not self._access.readable(entity.name, found.name):
            raise InvalidField(
                f"Didn't understand relationship '{name}' in field path. "
                + _APPEND.format(what="relationship", tail="__r", named="custom relationship name"),
                at,
            )
        return found

    def _targets(self, reference: Field) -> list[Entity]:
        found = [self._catalog.get(name) for name in reference.reference_to]
        return [entity for entity in found if entity is not None and entity.sobject.has_table]

    def _join(self, base: int, reference: Field, entity: Entity) -> int:
        key = (base, reference.name, entity.name)
        number = self._known.get(key)
        if number is None:
            number = len(self.joins) + 1
            self._known[key] = number
            self.joins.append(Join(number, base, reference, entity))
        return number

    def _walk(self, path: Path) -> tuple[Entity | None, int, Field | None, int, str]:
        """To the object that holds the path's last name: (entity, its table, last reference, the table before, name)."""
        names = self._names(path)
        if len(names) - 1 > MAX_LEVELS:
            raise MalformedQuery(f"a path goes up at most {MAX_LEVELS} levels", path.at)
        entity: Entity = self._entity
        table, base = 0, 0
        reference: Field | None = None
        for index, name in enumerate(names[:-1]):
            reference = self._reference(entity, name, path.at)
            base = table
            targets = self._targets(reference)
            if len(targets) != 1:
                if index != len(names) - 2:
                    raise QueryUnsupported(f"going on from the polymorphic relationship {name}", path.at)
                return None, 0, reference, base, names[-1]
            entity = targets[0]
            table = self._join(base, reference, entity)
        return entity, table, reference, base, names[-1]

    def _column(self, path: Path) -> Column:
        entity, table, reference, base, name = self._walk(path)
        if entity is not None:
            return Column((table,), (self._field(entity, name, path.at),))
        assert reference is not None
        return self._polymorphic(reference, base, name, path.at)

    def _type_of(self, reference: Field, base: int) -> TypeOf:
        names = tuple((t.key_prefix, t.name) for t in self._targets(reference) if t.key_prefix is not None)
        return TypeOf(base, reference, names)

    def _polymorphic(self, reference: Field, base: int, name: str, at: int) -> Column:
        """A field of a parent that may be of several objects: every target that has it is joined."""
        if name.lower() == "type":
            return Column((), (), self._type_of(reference, base))
        tables: list[int] = []
        fields: list[Field] = []
        for target in self._targets(reference):
            found = target.name_field if name.lower() == "name" else target.field(name)
            if found is not None and found.stored and self._access.readable(target.name, found.name):
                tables.append(self._join(base, reference, target))
                fields.append(found)
        if not fields:
            raise InvalidField(
                f"No such column '{name}' on entity 'Name'. "
                + _APPEND.format(what="field", tail="__c", named="custom field name"),
                at,
            )
        return Column(tuple(tables), tuple(fields))

    # --- SELECT ------------------------------------------------------------------------------------------------

    def select(self, root: Node, item: Path | AllFields, query: Query) -> None:
        if isinstance(item, AllFields):
            self._all_fields(root, item, query)
            return
        node, key = self._node(root, item)
        if key.lower() in {known.lower() for known in node.items}:
            raise InvalidField(f"duplicate field selected: {item.text}")
        names = self._names(item)
        if len(names) == 1 or node.entity is not None:
            entity, table, _, _, name = self._walk(item)
            assert entity is not None
            found = self._field(entity, name, item.at)
            node.items[found.name] = self._output(entity, table, found)
        else:
            node.items[key] = self._column(item)

    def _node(self, root: Node, path: Path) -> tuple[Node, str]:
        """The output object that holds the path's last name, made on the way, and the key in it."""
        node, entity = root, self._entity
        names = self._names(path)
        table = 0
        for name in names[:-1]:
            reference = self._reference(entity, name, path.at)
            key = reference.relationship_name or name
            existing = node.items.get(key)
            targets = self._targets(reference)
            if isinstance(existing, Node):
                node = existing
            else:
                polymorphic = len(targets) != 1
                made = Node(None if polymorphic else targets[0], self._type_of(reference, table))
                if not polymorphic:
                    made.joins = (self._join(table, reference, targets[0]),)
                node.items[key] = made
                node = made
            if len(targets) == 1:
                entity = targets[0]
                table = node.joins[0]
        last = names[-1]
        if node.entity is None:
            return node, {"name": "Name", "id": "Id", "type": "Type"}.get(last.lower(), last)
        found = node.entity.field(last)
        return node, found.name if found is not None else last

    def _output(self, entity: Entity, table: int, found: Field) -> Column | Compound:
        if found.is_compound:
            return Compound(table, tuple(compound_parts(entity, found)))
        return Column((table,), (found,))

    def _all_fields(self, root: Node, item: AllFields, query: Query) -> None:
        bounded = query.limit is not None and query.limit <= _FIELDS_LIMIT
        if item.which == "CUSTOM" and not bounded:
            raise MalformedQuery("The SOQL FIELDS function must have a LIMIT of at most 200", item.at)
        found = [
            f for f in self._entity.fields
            if f.custom == (item.which == "CUSTOM") and self._access.readable(self._entity.name, f.name)
        ]  # fmt: skip
        if not found:
            raise MalformedQuery("'FIELDS(...)' expansion function must result in at least one field being selected.")
        for one in found:
            if one.name in root.items:
                raise InvalidField(f"duplicate field selected: {one.name}")
            root.items[one.name] = self._output(self._entity, 0, one)

    # --- WHERE and ORDER BY --------------------------------------------------------------------------------------

    def condition(self, node: Condition) -> Bound:
        if isinstance(node, Both):
            return Group(node.op, tuple(self.condition(term) for term in node.terms))
        if isinstance(node, Negation):
            return Inverse(self.condition(node.term))
        column = self._filterable(node.path)
        if isinstance(node, Within):
            return self._within(node, column)
        return self._compare(node, column)

    def _filterable(self, path: Path) -> Column:
        column = self._column(path)
        found = column.field
        if found is not None and found.is_compound:
            raise InvalidField("Address fields can only be filtered using Distance functions", path.at)
        if found is not None and (not found.filterable or found.calculated):
            raise InvalidField(f"field '{path.names[-1]}' can not be filtered in a query call", path.at)
        return column

    def _compare(self, node: Compare, column: Column) -> Bound:
        value, op = node.value, node.op
        boolean = column.field is not None and column.field.type == "boolean"
        if value.kind == "null":
            if op not in ("=", "!="):
                raise MalformedQuery(f"unexpected token: '{op}'", node.path.at)
            if boolean:  # = null is = false (soql.md section 3)
                return Test(column, "=", (0 if op == "=" else 1,))
            return Test(column, "IS NULL" if op == "=" else "IS NOT NULL")
        if value.kind == "moment":
            return Test(column, op, span=_span(column, value, node.path))
        if op == "LIKE":
            return Test(column, "LIKE", (_like(node, column),))
        if boolean and op not in ("=", "!="):
            raise InvalidQueryFilterOperator(
                f"field '{node.path.names[-1]}' does not support this operator", node.path.at
            )
        return Test(column, op, (stored(column, value, node.path),))

    def _within(self, node: Within, column: Column) -> Bound:
        found = tuple(stored(column, value, node.path) for value in node.values if value.kind != "null")
        null = any(value.kind == "null" for value in node.values)
        test = Test(column, "NOT IN" if node.negated else "IN", found)
        if not null:
            return test
        if node.negated:
            return Group("AND", (test, Test(column, "IS NOT NULL")))
        return Group("OR", (test, Test(column, "IS NULL")))

    def sort(self, path: Path, descending: bool, nulls_first: bool | None) -> Sort:
        column = self._column(path)
        found = column.field
        if found is not None and (not found.sortable or found.is_compound or found.calculated):
            raise MalformedQuery(f"field '{path.names[-1]}' can not be sorted in a query call", path.at)
        return Sort(column, descending, (not descending) if nulls_first is None else nulls_first)


def compound_parts(entity: Entity, compound: Field) -> Iterator[tuple[str, Field]]:
    """The parts of an address or location as (JSON key, field), keys in alphabetical order."""
    found = []
    for part in entity.parts.get(compound.name, ()):
        if compound.type == "location":
            key = "latitude" if part.name.endswith("Latitude__s") else "longitude"
        else:
            key = part.name.removeprefix(compound.name.removesuffix("Address"))
            key = key[0].lower() + key[1:]
        found.append((key, part))
    yield from sorted(found)


_KIND_OF: dict[str, tuple[str, ...]] = {
    "boolean": ("boolean",), "int": ("number",), "long": ("number",), "double": ("number",), "currency": ("number",),
    "percent": ("number",), "date": ("date",), "datetime": ("datetime", "date"), "time": ("time",),
}  # fmt: skip
_TYPE_NAME = {"datetime": "dateTime", "long": "int"}


def stored(column: Column, literal: Literal, path: Path) -> Value:
    """A literal as the column stores it. Raises for a literal of a wrong kind, or an Id that is none."""
    found = column.field
    kind = "string" if found is None else found.type
    expected = _KIND_OF.get(kind, ("string",))
    if literal.kind not in expected:
        quotes = "should be enclosed in quotes" if expected == ("string",) else "should not be enclosed in quotes"
        shown = "string" if expected == ("string",) else _TYPE_NAME.get(kind, kind)
        raise InvalidField(
            f"value of filter criterion for field '{path.names[-1]}' must be of type {shown} and {quotes}", path.at
        )
    if kind in ("id", "reference"):
        text = str(literal.value)
        record_id = ids.normalize(text) if text else None
        if record_id is None and text:
            raise InvalidQueryFilterOperator(f"invalid ID field: {text}", path.at)
        return record_id
    if literal.kind == "boolean":
        return int(bool(literal.value))
    if literal.kind in ("date", "datetime", "time"):
        return _moment(kind, literal)
    value = literal.value
    assert not isinstance(value, bool)
    return value


def _span(column: Column, literal: Literal, path: Path) -> Span:
    kind = "string" if column.field is None else column.field.type
    if kind not in ("date", "datetime"):
        raise InvalidField(
            f"value of filter criterion for field '{path.names[-1]}' must be of type {_TYPE_NAME.get(kind, kind)} and "
            f"should {'be' if kind in values.TEXT_TYPES else 'not be'} enclosed in quotes",
            path.at,
        )
    return Span(str(literal.value), literal.n, kind == "datetime")


def _moment(kind: str, literal: Literal) -> str:
    parse = {"date": values.parse_date, "datetime": values.parse_datetime, "time": values.parse_time}[kind]
    text = str(literal.value)
    if literal.kind == "datetime" and "." not in text and text[-3] != ":" and text[-1] not in "zZ":
        text = (
            f"{text[:-2]}:{text[-2:]}"  # +0000 without a fraction: the query parser takes what the JSON parser refuses
        )
    try:
        return parse(text.replace("z", "Z"))
    except (ValueError, OverflowError):
        raise MalformedQuery(f"Invalid date: {text}", literal.at) from None


def _like(node: Compare, column: Column) -> str:
    found = column.field
    if found is not None and found.type not in values.TEXT_TYPES:
        raise InvalidQueryFilterOperator(
            f"field '{node.path.names[-1]}' of type {found.type} does not support the operator LIKE", node.path.at
        )
    if node.value.kind != "string":
        return str(stored(column, node.value, node.path))
    return str(node.value.value)
