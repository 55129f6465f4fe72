"""
Names to expressions: paths through parents, polymorphic ones, and where they stand in the output. Pure.

Parent paths become joins, polymorphic ones lookups by key prefix; what an access can't read does not exist.

Source: `soql.md` sections 2, 3 and 5.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from landbridge.access import Access
from landbridge.errors import InvalidField, MalformedQuery, QueryUnsupported
from landbridge.schema.catalog import Catalog, Entity
from landbridge.schema.model import Field
from landbridge.soql.bound import (
    Column,
    Compound,
    Expr,
    Join,
    Lookup,
    Node,
    Polymorphic,
    Scope,
    Shown,
    TypeName,
)
from landbridge.soql.facts import Columns, facts, targets, type_names
from landbridge.soql.tree import Path

MAX_LEVELS: Final = 5
MAX_RELATIONSHIPS: Final = 55

_APPEND: Final = (
    "If you are attempting to use a custom {what}, be sure to append the '{tail}' after the {named}. Please reference "
    "your WSDL or the describe call for the appropriate names."
)


def no_such_column(name: str, entity: str, at: int) -> InvalidField:
    return InvalidField(
        f"No such column '{name}' on entity '{entity}'. "
        + _APPEND.format(what="field", tail="__c", named="custom field name"),
        at,
    )


class Shared:
    """What all binders of one statement share: the catalogue, the user's rights, the numbers of tables."""

    __slots__ = ("access", "all_rows", "catalog", "hides", "relationships", "subqueries", "tables", "version")

    def __init__(self, catalog: Catalog, access: Access, version: float, all_rows: bool) -> None:
        self.catalog = catalog
        self.access = access
        self.hides = bool(access.hidden)
        self.version = version
        self.all_rows = all_rows
        self.tables = 0
        self.relationships: set[tuple[int, str, str]] = set()
        self.subqueries = 0

    def table(self) -> int:
        self.tables += 1
        return self.tables - 1


class Fork(NamedTuple):
    """A path that reached a polymorphic parent: the names behind it are looked up in each target."""

    table: int
    reference: Field
    targets: tuple[Entity, ...]
    rest: tuple[str, ...]


class Place(NamedTuple):
    """The object and table that hold a path's last name."""

    entity: Entity
    table: int
    name: str


class Names:
    """Names to expressions, for one object and its parents."""

    def __init__(self, shared: Shared, entity: Entity) -> None:
        self.shared = shared
        self.entity = entity
        self.table = shared.table()
        self.scope = Scope(entity, self.table)
        self._own = facts(entity).columns(self.table)
        self._steps: dict[tuple[int, str], tuple[Entity, int]] = {}
        self._known: dict[tuple[int, str], int] = {}
        self._columns: dict[tuple[str, ...], Expr] = {}

    def of(self, columns: Columns, entity: Entity, name: str, at: int) -> Column:
        """A field of an object among the columns of one of its tables."""
        try:
            found = columns[name.lower()]
        except KeyError:
            raise no_such_column(name, entity.name, at) from None
        if self.shared.hides and not self.shared.access.readable(entity.name, found.field.name):
            raise no_such_column(name, entity.name, at)
        return found

    def reference(self, entity: Entity, name: str, at: int) -> Field:
        found = entity.relationship(name)
        if found is None or not self.shared.access.readable(entity.name, found.name):
            raise InvalidField(
                f"Didn't understand relationship '{name}' in field path. "
                + _APPEND.format(what="relationship", tail="__r", named="custom relationship name"),
                at,
            )
        return found

    def targets(self, reference: Field) -> tuple[Entity, ...]:
        return targets(self.shared.catalog, reference.reference_to)

    def join(self, base: int, reference: Field, entity: Entity, at: int) -> int:
        key = (base, reference.name)
        number = self._known.get(key)
        if number is None:
            self._count(base, reference.name, "", at)
            number = self._known[key] = self.shared.table()
            self.scope.joins.append(Join(number, base, reference, entity))
        return number

    def _count(self, base: int, reference: str, target: str, at: int) -> None:
        used = self.shared.relationships
        used.add((base, reference, target))
        if len(used) > MAX_RELATIONSHIPS:
            raise MalformedQuery(f"maximum number of relationships reached ({MAX_RELATIONSHIPS})", at)

    def walk(self, names: tuple[str, ...], at: int) -> Place | Fork:
        """To the object that holds the last name, or to the polymorphic parent before it."""
        if len(names) - 1 > MAX_LEVELS:
            raise MalformedQuery(f"a path goes up at most {MAX_LEVELS} levels", at)
        entity, table = self.entity, self.table
        for index, name in enumerate(names[:-1]):
            known = self._steps.get((table, name))
            if known is None:
                reference = self.reference(entity, name, at)
                found = self.targets(reference)
                if len(found) != 1:
                    self._count(table, reference.name, "", at)
                    return Fork(table, reference, found, names[index + 1 :])
                known = self._steps[table, name] = found[0], self.join(table, reference, found[0], at)
            entity, table = known
        return Place(entity, table, names[-1])

    def column(self, names: tuple[str, ...], at: int) -> Expr:
        """The value that a path names; the same path is the same value."""
        if len(names) == 1:
            return self.of(self._own, self.entity, names[0], at)
        key = tuple([name.lower() for name in names])
        found = self._columns.get(key)
        if found is None:
            found = self._columns[key] = self._resolve(names, at)
        return found

    def _resolve(self, names: tuple[str, ...], at: int) -> Expr:
        place = self.walk(names, at)
        if isinstance(place, Place):
            return self.of(facts(place.entity).columns(place.table), place.entity, place.name, at)
        if len(place.rest) == 1 and place.rest[0].lower() == "type":
            return self.type_name(place.reference, place.table)
        choices: list[tuple[str, Lookup]] = []
        for target in place.targets:
            if target.key_prefix is None:
                continue
            inner = Names(self.shared, target)
            try:
                value = inner.of_name_object(place.rest, at)
            except InvalidField:
                continue  # only those of the targets that have it
            choices.append((target.key_prefix, Lookup(inner.scope, value)))
        if not choices:
            raise no_such_column(".".join(place.rest), "Name", at)
        return Polymorphic(place.table, place.reference, tuple(choices), choices[0][1].value.type)

    def of_name_object(self, names: tuple[str, ...], at: int) -> Expr:
        """As `column`, where `Name` is whatever names a record of this object (Subject, CaseNumber)."""
        if len(names) == 1 and names[0].lower() == "name" and self.entity.name_field is not None:
            names = (self.entity.name_field.name,)
        found = self.column(names, at)
        if isinstance(found, Column) and not found.field.stored:
            raise no_such_column(names[-1], "Name", at)
        return found

    def type_name(self, reference: Field, table: int) -> TypeName:
        return TypeName(table, reference, *type_names(self.shared.catalog, reference.reference_to))

    # --- output ------------------------------------------------------------------------------------------------

    def root(self) -> Node:
        return Node(self.id_of(self.entity, self.table), self.entity)

    def id_of(self, entity: Entity, table: int) -> Column:
        known = facts(entity)
        try:
            return known.columns(table)[known.key.lower()]
        except KeyError:
            raise QueryUnsupported(f"{entity.name}, which has no Id", 0) from None

    def show(self, root: Node, names: tuple[str, ...], path: Path) -> None:
        """Lay a path into the output: the parents on the way, then the value."""
        node, columns, entity, name = root, self._own, self.entity, names[-1]
        if len(names) > 1:
            for depth, parent in enumerate(names[:-1]):
                node = self._parent(node, names[: depth + 1], parent, path)
            place = self.walk(names, path.at)
            if isinstance(place, Fork):
                self._show(node, name_key(place.rest[-1]), self.column(names, path.at), path)
                return
            entity, columns = place.entity, facts(place.entity).columns(place.table)
        found = self.of(columns, entity, name, path.at)
        self._show(node, found.field.name, output(entity, found), path)

    def _show(self, node: Node, key: str, value: Shown, path: Path) -> None:
        if key in node.items:
            raise InvalidField(f"duplicate field selected: {path.text}")
        node.items[key] = value

    def _parent(self, node: Node, names: tuple[str, ...], name: str, path: Path) -> Node:
        """The node of a parent, made when it is first named."""
        before = self.walk(names, path.at)
        if isinstance(before, Place):
            reference = self.reference(before.entity, name, path.at)
            key = reference.relationship_name or name
        else:
            key = name
        existing = node.items.get(key)
        if isinstance(existing, Node):
            return existing
        if existing is not None:
            raise InvalidField(f"duplicate field selected: {'.'.join(names)}")
        if isinstance(before, Fork):  # Owner.Profile: the Id is looked up, the object is the same for all who have it
            parent = self.column((*names, "Id"), path.at)
            entity = _holder(parent)
            made = Node(parent, entity)
        else:
            targets = self.targets(reference)
            if len(targets) == 1:
                table = self.join(before.table, reference, targets[0], path.at)
                made = Node(self.id_of(targets[0], table), targets[0])
            else:
                made = Node(Column.of(before.table, reference), None, self.type_name(reference, before.table))
        node.items[key] = made
        return made


def _holder(value: Expr) -> Entity:
    """The object whose Id a polymorphic path ends in."""
    while isinstance(value, Polymorphic):
        lookup = value.choices[0][1]
        inner = lookup.value
        if isinstance(inner, Column):
            entities = {lookup.scope.table: lookup.scope.entity} | {j.number: j.entity for j in lookup.scope.joins}
            return entities[inner.table]
        value = inner
    raise AssertionError(value)


def name_key(name: str) -> str:
    """The JSON key of a field of a polymorphic parent: the usual ones have one spelling."""
    return {"name": "Name", "id": "Id", "type": "Type", "email": "Email", "alias": "Alias"}.get(name.lower(), name)


def output(entity: Entity, column: Column) -> Shown:
    """What a field shows: its column, or its parts."""
    if column.field.is_compound:
        return Compound(column.table, tuple(compound_parts(entity, column.field)), column.type)
    return column


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
