"""
What the emitter makes: a statement with the SQL of its pages, its total, its children. Pure values.

Source: `soql.md` section 4; PERFORMANCE sections 3 and 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from landbridge.schema.catalog import Entity
from landbridge.soql.bound import BoundQuery, Slot
from landbridge.soql.moments import Span
from landbridge.storage import Value

MOST_GROUPS: Final = 2000
"""Rows of an aggregate result: it has no second page."""


Sorted = tuple[str, bool, bool]
"""A sort expression, descending, nulls first."""


class Kin(msgspec.Struct, frozen=True, gc=False):
    """A subquery of the statement's rows: its JSON key, its query, and the SQL of a row's children, `count:array`."""

    key: str
    query: BoundQuery
    sql: str
    slotted: bool
    """Whether string literals stand in it."""


class Statement(msgspec.Struct, frozen=True, gc=False):
    """
    One statement, ready to run.

    `page(after)` is the SQL of a page, `keys` that of the sort key of its last row, `total` counts all rows; with children,
    `family(after)` yields row by row. An aggregate query has `groups` alone. `heavy`: it may take long.
    """

    text: str
    version: float
    all_rows: bool
    bound: BoundQuery
    columns: str
    shape: str
    pieces: tuple[str | Kin, ...]
    source: str
    where: str
    order: str
    sort: tuple[Sorted, ...]
    """The tie-breaker last."""
    params: dict[str, Value]
    heavy: bool
    spans: tuple[Span, ...]
    """Date literals; the parameters `:s0a` and `:s0b` are the ends of the first one."""
    local: bool
    """Whether `:zone`, the user's time zone, is a parameter."""
    groups: str = ""
    slots: tuple[tuple[str, Slot], ...] = ()
    """Parameters that came from string literals, in the order of the text (which need not be that of the SQL); one a literal."""
    kept: dict[str, str] = {}

    @property
    def entity(self) -> Entity:
        return self.bound.entity

    @property
    def count(self) -> bool:
        return self.bound.count

    @property
    def limit(self) -> int | None:
        return self.bound.limit

    @property
    def offset(self) -> int:
        return self.bound.offset

    @property
    def children(self) -> tuple[Kin, ...]:
        return tuple(piece for piece in self.pieces if isinstance(piece, Kin))

    @property
    def zoned(self) -> bool:
        """Whether the user's time zone matters."""
        return self.local or bool(self.spans)

    def _where(self, after: str) -> str:
        return self.where if not after else f"{self.where}{' AND ' if self.where else ' WHERE '}({after})"

    def page(self, after: str = "") -> str:
        """A page: number of rows and their JSON array. Parameters: `params`, `batch`, `skip`, those of `after`."""
        if not after and (text := self.kept.get("page")) is not None:
            return text
        text = (
            f"SELECT count(*), json_group_array({self.shape}) FROM (SELECT {self.columns} FROM {self.source}"
            f"{self._where(after)} ORDER BY {self.order} LIMIT :batch OFFSET :skip)"
        )
        if not after:
            self.kept["page"] = text
        return text

    def family(self, after: str = "") -> str:
        """Rows with children: the record's Id, then its pieces, then its sort key. `family`: children of a row at most."""
        keys = "".join(f", {expression} AS k{index}" for index, (expression, _, _) in enumerate(self.sort))
        shown = ", ".join(piece if isinstance(piece, str) else piece.sql for piece in self.pieces)
        outer = "".join(f", k{index}" for index in range(len(self.sort)))
        return (
            f"SELECT c0, {shown}{outer} FROM (SELECT {self.columns}{keys} FROM {self.source}{self._where(after)}"
            f" ORDER BY {self.order} LIMIT :batch OFFSET :skip)"
        )

    def keys(self, after: str = "") -> str:
        """The sort key of the row that stands `skip` rows into a page."""
        columns = ", ".join(expression for expression, _, _ in self.sort)
        return f"SELECT {columns} FROM {self.source}{self._where(after)} ORDER BY {self.order} LIMIT 1 OFFSET :skip"

    def one(self) -> str:
        """One record's JSON, and when it was last changed. Kept: reading by Id is the most frequent statement."""
        text = self.kept.get("one")
        if text is None:
            changed = 't0."LastModifiedDate"' if self.entity.field("LastModifiedDate") is not None else "NULL"
            text = self.kept["one"] = (
                f"SELECT {self.shape}, m FROM (SELECT {self.columns}, {changed} AS m FROM {self.source}{self.where})"
            )
        return text

    def total(self) -> str:
        """How many rows the whole query has, LIMIT and OFFSET left aside."""
        return f"SELECT count(*) FROM {self.source}{self.where}"

    def ids(self) -> str:
        """The Ids of the rows of the first page."""
        table = f't{self.bound.scope.table}."Id"'
        return f"SELECT {table} FROM {self.source}{self.where} ORDER BY {self.order} LIMIT :batch OFFSET :skip"


def after(statement: Statement, key: Sequence[Value]) -> tuple[str, dict[str, Value]]:
    """The condition, with its parameters, of the rows that come after the one with this sort key."""
    params = {f"k{index}": value for index, value in enumerate(key)}
    alternatives: list[str] = []
    same: list[str] = []
    for index, ((expression, descending, nulls_first), value) in enumerate(zip(statement.sort, key, strict=True)):
        later = _later(expression, descending, nulls_first, value, f":k{index}")
        if later is not None:
            alternatives.append(" AND ".join([*same, later]))
        same.append(f"{expression} IS NULL" if value is None else f"{expression} = :k{index}")
    used = {name: value for name, value in params.items() if any(f":{name}" in text for text in (*alternatives,))}
    return " OR ".join(f"({text})" for text in alternatives), used


def _later(expression: str, descending: bool, nulls_first: bool, value: Value, param: str) -> str | None:
    if value is None:
        return f"{expression} IS NOT NULL" if nulls_first else None
    compared = f"{expression} {'<' if descending else '>'} {param}"
    return compared if nulls_first else f"({compared} OR {expression} IS NULL)"
