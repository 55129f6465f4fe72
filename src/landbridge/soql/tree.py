"""
What a statement says, as values: the parser's output.

`at` is the place of a node: the number of its token (0-based), for the preamble of errors.
"""

from __future__ import annotations

import msgspec


class Path(msgspec.Struct, frozen=True, gc=False):
    """A field by its names: `Name`, or `Account.Owner.Name`."""

    names: tuple[str, ...]
    at: int

    @property
    def text(self) -> str:
        return ".".join(self.names)


class Geolocation(msgspec.Struct, frozen=True, gc=False):
    """`GEOLOCATION(latitude, longitude)`, degrees."""

    latitude: float
    longitude: float
    at: int


class Call(msgspec.Struct, frozen=True, gc=False):
    """A function of fields: `name` in upper case; `unit` is the `mi` or `km` of DISTANCE."""

    name: str
    args: tuple[Operand | Geolocation, ...]
    at: int
    unit: str | None = None

    @property
    def text(self) -> str:
        return f"{self.name}({', '.join(getattr(arg, 'text', '') for arg in self.args)})"


Operand = Path | Call


class Item(msgspec.Struct, frozen=True, gc=False):
    """One item of SELECT: a field or a function, with its alias and the alias's place."""

    what: Operand
    alias: str | None = None
    alias_at: int = 0


class AllFields(msgspec.Struct, frozen=True, gc=False):
    """`FIELDS(ALL)`, `FIELDS(STANDARD)` or `FIELDS(CUSTOM)`."""

    which: str
    at: int


class Subquery(msgspec.Struct, frozen=True, gc=False):
    """`(SELECT ... FROM Contacts)` among the fields."""

    query: Query
    at: int


class Branch(msgspec.Struct, frozen=True, gc=False):
    """`WHEN Account THEN Phone, Name`."""

    sobject: str
    at: int
    fields: tuple[Path, ...]


class TypeOf(msgspec.Struct, frozen=True, gc=False):
    """`TYPEOF What WHEN ... THEN ... ELSE ... END`."""

    path: Path
    branches: tuple[Branch, ...]
    otherwise: tuple[Path, ...]


Selected = Item | AllFields | Subquery | TypeOf


class Literal(msgspec.Struct, frozen=True, gc=False):
    """
    A value as written. `kind`: string, number, boolean, null, date, datetime, time, or moment (a date literal, its number
    in `n`). After LIKE a string keeps its escapes.
    """

    kind: str
    value: str | float | bool | None
    at: int
    n: int = 0


class Compare(msgspec.Struct, frozen=True, gc=False):
    """`operand op value`; `op` is one of = != < <= > >= LIKE."""

    operand: Operand
    op: str
    value: Literal


class Within(msgspec.Struct, frozen=True, gc=False):
    """`operand [NOT] IN (values)`."""

    operand: Operand
    negated: bool
    values: tuple[Literal, ...]


class Includes(msgspec.Struct, frozen=True, gc=False):
    """`operand INCLUDES (values)`, or EXCLUDES where `negated`; a value holds its parts between semicolons."""

    operand: Operand
    negated: bool
    values: tuple[Literal, ...]


class SemiJoin(msgspec.Struct, frozen=True, gc=False):
    """`operand [NOT] IN (SELECT ...)`."""

    operand: Operand
    negated: bool
    query: Query
    at: int


class Both(msgspec.Struct, frozen=True, gc=False):
    """`a AND b AND ...` or `a OR b OR ...`."""

    op: str
    terms: tuple[Condition, ...]


class Negation(msgspec.Struct, frozen=True, gc=False):
    """`NOT a`."""

    term: Condition


Condition = Compare | Within | Includes | SemiJoin | Both | Negation


class GroupBy(msgspec.Struct, frozen=True, gc=False):
    """`GROUP BY items`; `how` is empty, ROLLUP or CUBE."""

    how: str
    items: tuple[Operand, ...]
    at: int


class Order(msgspec.Struct, frozen=True, gc=False):
    """One item of ORDER BY; `nulls_first` None takes the direction's default."""

    operand: Operand
    descending: bool
    nulls_first: bool | None


class Source(msgspec.Struct, frozen=True, gc=False):
    """An object of FROM, a child relationship, or `alias.Relationship` behind a comma."""

    path: Path
    alias: str | None


class Query(msgspec.Struct, frozen=True, gc=False):
    """A whole statement. `select` is empty for `SELECT COUNT()`."""

    select: tuple[Selected, ...]
    source: Source
    count: bool = False
    others: tuple[Source, ...] = ()
    scope: str | None = None
    scope_at: int = 0
    where: Condition | None = None
    group: GroupBy | None = None
    having: Condition | None = None
    order: tuple[Order, ...] = ()
    limit: int | None = None
    limit_at: int = 0
    offset: int | None = None
    offset_at: int = 0
    viewed: tuple[str, ...] = ()
    """VIEW, REFERENCE: what FOR asks to be noted on the rows."""
    text: str = ""
    """What it was parsed from; of the whole statement alone, not of its subqueries."""
