"""
What a statement says, as values: the parser's output.

`at` is the place of a node in the text (0-based), for the preamble of errors.
"""

from __future__ import annotations

import msgspec


class Path(msgspec.Struct, frozen=True):
    """A field by its names: `Name`, or `Account.Owner.Name`."""

    names: tuple[str, ...]
    at: int

    @property
    def text(self) -> str:
        return ".".join(self.names)


class AllFields(msgspec.Struct, frozen=True):
    """`FIELDS(ALL)`, `FIELDS(STANDARD)` or `FIELDS(CUSTOM)`."""

    which: str
    at: int


class Literal(msgspec.Struct, frozen=True):
    """
    A value as written. `kind`: string, number, boolean, null, date, datetime, time, or moment (a date literal, its number
    in `n`). After LIKE a string keeps its escapes.
    """

    kind: str
    value: str | float | bool | None
    at: int
    n: int = 0


class Compare(msgspec.Struct, frozen=True):
    """`path op value`; `op` is one of = != < <= > >= LIKE."""

    path: Path
    op: str
    value: Literal


class Within(msgspec.Struct, frozen=True):
    """`path [NOT] IN (values)`."""

    path: Path
    negated: bool
    values: tuple[Literal, ...]


class Both(msgspec.Struct, frozen=True):
    """`a AND b AND ...` or `a OR b OR ...`."""

    op: str
    terms: tuple[Condition, ...]


class Negation(msgspec.Struct, frozen=True):
    """`NOT a`."""

    term: Condition


Condition = Compare | Within | Both | Negation


class Order(msgspec.Struct, frozen=True):
    """One item of ORDER BY; `nulls_first` None takes the direction's default."""

    path: Path
    descending: bool
    nulls_first: bool | None


class Query(msgspec.Struct, frozen=True):
    """A whole statement. `select` is empty for `SELECT COUNT()`."""

    select: tuple[Path | AllFields, ...]
    count: bool
    sobject: str
    sobject_at: int
    alias: str | None
    where: Condition | None
    order: tuple[Order, ...]
    limit: int | None
    offset: int | None
    offset_at: int = 0
