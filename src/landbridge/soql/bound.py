"""
What a statement means for one catalogue and one user: the binder's output, the emitter's input. Pure values.

Tables are numbered through the whole statement (`t0`, `t1`, ...), so that a subquery can name a table of the query around it.
"""

from __future__ import annotations

import msgspec

from landbridge.schema.catalog import Entity
from landbridge.schema.model import Field
from landbridge.soql.moments import Span
from landbridge.storage import Value


def key_name(entity: Entity) -> str:
    """What a reference to this object holds: the Id; of EntityDefinition and its kin the DurableId."""
    return "DurableId" if entity.field("DurableId") is not None else "Id"


# --- expressions -----------------------------------------------------------------------------------------------------


class Join(msgspec.Struct, frozen=True):
    """A parent table: `number` names it, `reference` is the field of table `base` that holds its key."""

    number: int
    base: int
    reference: Field
    entity: Entity


class Scope(msgspec.Struct):
    """One object of a FROM with the parents its paths lead to; `joins` grows while names are resolved."""

    entity: Entity
    table: int
    joins: list[Join] = []


class Column(msgspec.Struct, frozen=True):
    """A field of one table."""

    table: int
    field: Field

    @property
    def type(self) -> str:
        return self.field.type


class TypeName(msgspec.Struct, frozen=True):
    """What object a polymorphic parent is: told from the Id in `reference` of table `base`, by (key prefix, name)."""

    base: int
    reference: Field
    names: tuple[tuple[str, str], ...]
    type: str = "string"


class Lookup(msgspec.Struct):
    """A value of the record with a given Id."""

    scope: Scope
    value: Expr


class Polymorphic(msgspec.Struct):
    """A value of a parent that may be of several objects: by key prefix, where to look it up."""

    base: int
    reference: Field
    choices: tuple[tuple[str, Lookup], ...]
    type: str


class Apply(msgspec.Struct, frozen=True):
    """A function of other expressions; `given` are its constants."""

    name: str
    of: tuple[Expr, ...]
    type: str
    given: tuple[Value, ...] = ()


class Aggregate(msgspec.Struct, frozen=True):
    """COUNT, COUNT_DISTINCT, SUM, AVG, MIN or MAX. `ranks`: the values of a picklist in their order, for MIN and MAX."""

    name: str
    of: Expr
    type: str
    ranks: tuple[str, ...] = ()


Expr = Column | TypeName | Polymorphic | Apply | Aggregate


# --- output ------------------------------------------------------------------------------------------------------------


class Compound(msgspec.Struct, frozen=True):
    """An address or location: parts by their JSON key."""

    table: int
    parts: tuple[tuple[str, Field], ...]
    type: str = "address"


class Node(msgspec.Struct):
    """One object of the output: its values by key, in order, and the parents and children among them."""

    id: Expr
    entity: Entity | None
    """None: polymorphic, `kind` tells what it is."""
    kind: TypeName | None = None
    items: dict[str, Shown] = {}


class Choice(msgspec.Struct):
    """TYPEOF: by key prefix the object to show, else `otherwise`."""

    base: int
    reference: Field
    branches: tuple[tuple[str, Scope, Node], ...]
    otherwise: Node | None


class Children(msgspec.Struct):
    """A subquery: the records that point to this one through `query.link`."""

    query: BoundQuery


Shown = Expr | Node | Compound | Choice | Children


# --- conditions ----------------------------------------------------------------------------------------------------------


class Slot(msgspec.Struct, frozen=True):
    """
    A value that came from the string literal at place `at` of the text, converted for a column of `type`.

    Statements that differ in such values alone are one statement (`run.Front`).
    """

    value: Value
    at: int
    type: str
    like: bool = False


class Test(msgspec.Struct, frozen=True):
    """
    A comparison with stored values. `op`: = != < <= > >= LIKE IN NOT IN INCLUDES EXCLUDES, or IS NULL / IS NOT NULL without
    values. With `span` (a date literal) the values are bound at run.
    """

    expr: Expr
    op: str
    values: tuple[Value | Slot, ...] = ()
    span: Span | None = None


class Semi(msgspec.Struct, frozen=True):
    """`expr [NOT] IN (the values of an inner query)`."""

    expr: Expr
    negated: bool
    inner: BoundQuery
    value: Expr


class Group(msgspec.Struct, frozen=True):
    op: str
    terms: tuple[Bound, ...]


class Inverse(msgspec.Struct, frozen=True):
    term: Bound


Bound = Test | Semi | Group | Inverse


class Sort(msgspec.Struct, frozen=True):
    expr: Expr
    descending: bool
    nulls_first: bool


# --- the whole -----------------------------------------------------------------------------------------------------------


class Grouped(msgspec.Struct):
    """An aggregate query: what it groups by (`how`: empty, ROLLUP, CUBE), what it shows by key, and HAVING."""

    how: str
    keys: tuple[Expr, ...]
    shown: tuple[tuple[str, Expr], ...]
    having: Bound | None


class BoundQuery(msgspec.Struct):
    """A statement with nothing left to look up."""

    scope: Scope
    root: Node
    count: bool
    where: Bound | None
    order: tuple[Sort, ...]
    limit: int | None
    offset: int
    all_rows: bool
    grouped: Grouped | None = None
    mine: bool = False
    """USING SCOPE mine."""
    viewed: tuple[str, ...] = ()
    link: Field | None = None
    """A subquery: the field of its object that points to the record around it."""
    most: int = 2000
    """Rows of a page; fewer when long text is selected."""

    @property
    def entity(self) -> Entity:
        return self.scope.entity
