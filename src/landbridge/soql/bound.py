"""
What a statement means for one catalogue and one user: the binder's output, the emitter's input. Pure values.

Tables are numbered through the whole statement (`t0`, `t1`, ...), so that a subquery can name a table of the query around it.
"""

from __future__ import annotations

import msgspec

from landbridge import values
from landbridge.schema.catalog import Entity
from landbridge.schema.model import Field
from landbridge.soql.moments import Span
from landbridge.storage import Value
from landbridge.storage.dialect import quote

PHOTO = "PhotoUrl"
"""A standard field that no column holds: it is made from the Id."""


# --- expressions -----------------------------------------------------------------------------------------------------


class Join(msgspec.Struct, frozen=True, gc=False):
    """A parent table: `number` names it, `reference` is the field of table `base` that holds its key."""

    number: int
    base: int
    reference: Field
    entity: Entity


class Scope(msgspec.Struct, gc=False):
    """One object of a FROM with the parents its paths lead to; `joins` grows while names are resolved."""

    entity: Entity
    table: int
    joins: list[Join] = []


class Column(msgspec.Struct, frozen=True, gc=False):
    """
    A field of one table. `sql` is its value: a boolean of a parent that is not there is false. `plain`: that is its JSON
    value too; `filters`: conditions may name it.
    """

    table: int
    field: Field
    name: str
    type: str
    sql: str
    plain: bool
    filters: bool

    @classmethod
    def of(cls, table: int, field: Field) -> Column:
        """The column of a field; `facts.Columns` keeps them."""
        sql = f"t{table}.{quote(field.name)}"
        if field.type == "boolean" and table:
            sql = f"coalesce({sql}, 0)"
        plain = not (
            field.calculated
            or field.is_compound
            or field.name == PHOTO
            or field.type == "base64"
            or values.json_sql(field.type, "x") != "x"
        )
        return cls(table, field, field.name, field.type, sql, plain, bool(field.filterable) and field.stored)


class TypeName(msgspec.Struct, frozen=True, gc=False):
    """What object a polymorphic parent is: told from the Id in `reference` of table `base`, by (key prefix, name)."""

    base: int
    reference: Field
    names: tuple[tuple[str, str], ...]
    cases: str
    """The same as the branches of a CASE."""
    type: str = "string"


class Lookup(msgspec.Struct, gc=False):
    """A value of the record with a given Id."""

    scope: Scope
    value: Expr


class Polymorphic(msgspec.Struct, gc=False):
    """A value of a parent that may be of several objects: by key prefix, where to look it up."""

    base: int
    reference: Field
    choices: tuple[tuple[str, Lookup], ...]
    type: str


class Apply(msgspec.Struct, frozen=True, gc=False):
    """A function of other expressions; `given` are its constants."""

    name: str
    of: tuple[Expr, ...]
    type: str
    given: tuple[Value, ...] = ()


class Aggregate(msgspec.Struct, frozen=True, gc=False):
    """COUNT, COUNT_DISTINCT, SUM, AVG, MIN or MAX. `ranks`: the values of a picklist in their order, for MIN and MAX."""

    name: str
    of: Expr
    type: str
    ranks: tuple[str, ...] = ()


Expr = Column | TypeName | Polymorphic | Apply | Aggregate


# --- output ------------------------------------------------------------------------------------------------------------


class Compound(msgspec.Struct, frozen=True, gc=False):
    """An address or location: parts by their JSON key."""

    table: int
    parts: tuple[tuple[str, Field], ...]
    type: str = "address"


class Node(msgspec.Struct, gc=False):
    """One object of the output: its values by key, in order, and the parents and children among them."""

    id: Expr
    entity: Entity | None
    """None: polymorphic, `kind` tells what it is."""
    kind: TypeName | None = None
    items: dict[str, Shown] = {}


class Choice(msgspec.Struct, gc=False):
    """TYPEOF: by key prefix the object to show, else `otherwise`."""

    base: int
    reference: Field
    branches: tuple[tuple[str, Scope, Node], ...]
    otherwise: Node | None


class Children(msgspec.Struct, gc=False):
    """A subquery: the records that point to this one through `query.link`."""

    query: BoundQuery


Shown = Expr | Node | Compound | Choice | Children


# --- conditions ----------------------------------------------------------------------------------------------------------


class Slot(msgspec.Struct, frozen=True, gc=False):
    """
    A value that came from the string literal at place `at` of the text, converted for a column of `type`.

    Statements that differ in such values alone are one statement (`run.Front`).
    """

    value: Value
    at: int
    type: str
    like: bool = False


class Test(msgspec.Struct, frozen=True, gc=False):
    """
    A comparison with stored values. `op`: = != < <= > >= LIKE IN NOT IN INCLUDES EXCLUDES, or IS NULL / IS NOT NULL without
    values. With `span` (a date literal) the values are bound at run.
    """

    expr: Expr
    op: str
    values: tuple[Value | Slot, ...] = ()
    span: Span | None = None


class Semi(msgspec.Struct, frozen=True, gc=False):
    """`expr [NOT] IN (the values of an inner query)`."""

    expr: Expr
    negated: bool
    inner: BoundQuery
    value: Expr


class Group(msgspec.Struct, frozen=True, gc=False):
    op: str
    terms: tuple[Bound, ...]


class Inverse(msgspec.Struct, frozen=True, gc=False):
    term: Bound


Bound = Test | Semi | Group | Inverse


class Sort(msgspec.Struct, frozen=True, gc=False):
    expr: Expr
    descending: bool
    nulls_first: bool


# --- the whole -----------------------------------------------------------------------------------------------------------


class Grouped(msgspec.Struct, gc=False):
    """An aggregate query: what it groups by (`how`: empty, ROLLUP, CUBE), what it shows by key, and HAVING."""

    how: str
    keys: tuple[Expr, ...]
    shown: tuple[tuple[str, Expr], ...]
    having: Bound | None


class BoundQuery(msgspec.Struct, gc=False):
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
