"""
What a statement says, as values: the parser's output.

`at` is the place of a node in the text (0-based), for the preamble of errors.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Path:
    """A field by its names: `Name`, or `Account.Owner.Name`."""

    names: tuple[str, ...]
    at: int

    @property
    def text(self) -> str:
        return ".".join(self.names)


@dataclass(frozen=True, slots=True)
class AllFields:
    """`FIELDS(ALL)`, `FIELDS(STANDARD)` or `FIELDS(CUSTOM)`."""

    which: str
    at: int


@dataclass(frozen=True, slots=True)
class Literal:
    """A value as written. `kind`: string, number, boolean, null, date, datetime or time; a string after LIKE keeps its escapes."""

    kind: str
    value: str | float | bool | None
    at: int


@dataclass(frozen=True, slots=True)
class Compare:
    """`path op value`; `op` is one of = != < <= > >= LIKE."""

    path: Path
    op: str
    value: Literal


@dataclass(frozen=True, slots=True)
class Within:
    """`path [NOT] IN (values)`."""

    path: Path
    negated: bool
    values: tuple[Literal, ...]


@dataclass(frozen=True, slots=True)
class Both:
    """`a AND b AND ...` or `a OR b OR ...`."""

    op: str
    terms: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Negation:
    """`NOT a`."""

    term: Condition


Condition = Compare | Within | Both | Negation


@dataclass(frozen=True, slots=True)
class Order:
    """One item of ORDER BY; `nulls_first` None takes the direction's default."""

    path: Path
    descending: bool
    nulls_first: bool | None


@dataclass(frozen=True, slots=True)
class Query:
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
