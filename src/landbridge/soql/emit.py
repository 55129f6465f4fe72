r"""
A BoundQuery to SQL. Pure.

The inner SELECT yields plain columns with WHERE, ORDER and LIMIT; the outer one turns all rows into one JSON array
(PERFORMANCE section 3: 1.9 times the rate of the best shaper in Python). Names come from the catalogue, quoted; every value a
user typed is a bound parameter.

Text compares without case by the columns' own collation. A row that can't be compared (null) is no match, also under NOT.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from landbridge import values
from landbridge.schema.catalog import Entity
from landbridge.soql.bind import Bound, BoundQuery, Column, Compound, Group, Inverse, Node, Sort, Test, TypeOf
from landbridge.soql.moments import Span
from landbridge.storage import Value
from landbridge.storage.dialect import quote

# json_object takes at most 500 pairs (1,000 arguments); wider objects are put together from pieces.
_PAIRS = 400
_SMALL = 200
"""A query of at most so many rows runs on the loop; larger ones beside it."""

# Standard fields that no column holds: they are made from the Id.
_PHOTO = "PhotoUrl"


class Statement(msgspec.Struct, frozen=True):
    """
    One statement, ready to run.

    `page(after)` is the SQL of a page; `keys` that of the sort key of its last row; `total` counts all rows.
    `heavy`: it may return many rows.
    """

    text: str
    version: float
    all_rows: bool
    entity: Entity
    count: bool
    columns: str
    shape: str
    source: str
    where: str
    order: str
    sort: tuple[tuple[str, bool, bool], ...]
    """Sort expressions with descending and nulls-first, the tie-breaker last."""
    params: dict[str, Value]
    limit: int | None
    offset: int
    heavy: bool
    spans: tuple[Span, ...]
    """Date literals; the parameters `:s0a` and `:s0b` are the ends of the first one."""
    _kept: dict[str, str] = {}

    def page(self, after: str = "") -> str:
        """A page: number of rows and their JSON array. Parameters: `params`, `batch`, `skip`, those of `after`."""
        if not after and (text := self._kept.get("page")) is not None:
            return text
        where = self.where if not after else f"{self.where}{' AND ' if self.where else ' WHERE '}({after})"
        text = (
            f"SELECT count(*), json_group_array({self.shape}) FROM (SELECT {self.columns} FROM {self.source}{where}"
            f" ORDER BY {self.order} LIMIT :batch OFFSET :skip)"
        )
        if not after:
            self._kept["page"] = text
        return text

    def keys(self, after: str = "") -> str:
        """The sort key of the row that stands `skip` rows into a page."""
        where = self.where if not after else f"{self.where}{' AND ' if self.where else ' WHERE '}({after})"
        columns = ", ".join(expression for expression, _, _ in self.sort)
        return f"SELECT {columns} FROM {self.source}{where} ORDER BY {self.order} LIMIT 1 OFFSET :skip"

    def one(self) -> str:
        """One record's JSON, and when it was last changed. Kept: reading by Id is the most frequent statement."""
        text = self._kept.get("one")
        if text is None:
            changed = 't0."LastModifiedDate"' if self.entity.field("LastModifiedDate") is not None else "NULL"
            text = self._kept["one"] = (
                f"SELECT {self.shape}, m FROM (SELECT {self.columns}, {changed} AS m FROM {self.source}{self.where})"
            )
        return text

    def total(self) -> str:
        """How many rows the whole query has, LIMIT and OFFSET left aside."""
        return f"SELECT count(*) FROM {self.source}{self.where}"


def emit(bound: BoundQuery, version: float, text: str = "") -> Statement:
    """The SQL of a bound query for an API version (it stands in every record's url)."""
    emitter = _Emitter(bound, version)
    shape = "" if bound.count else emitter.object(bound.root)
    where = emitter.where()
    sort = (*(emitter.sort(one) for one in bound.order), ("t0.rowid", False, True))
    return Statement(
        text, version, bound.all_rows, bound.entity, bound.count, ", ".join(emitter.columns), shape, emitter.source(),
        where, ", ".join(_direction(*one) for one in sort), sort, emitter.params, bound.limit, bound.offset,
        heavy=not _is_small(bound), spans=tuple(emitter.spans),
    )  # fmt: skip


def _is_small(bound: BoundQuery) -> bool:
    return (bound.limit is not None and bound.limit <= _SMALL) or _pinned(bound.where)


def _pinned(where: Bound | None) -> bool:
    """Whether an Id or unique field is asked for by value."""
    if isinstance(where, Group) and where.op == "AND":
        return any(_pinned(term) for term in where.terms)
    if not isinstance(where, Test) or where.op not in ("=", "IN") or len(where.values) > _SMALL:
        return False
    found = where.column.field
    return where.column.tables == (0,) and found is not None and (found.type == "id" or found.unique)


def _direction(expression: str, descending: bool, nulls_first: bool) -> str:
    """One ORDER BY item; NULLS is only written where it differs from SQLite's own order (nulls are smallest)."""
    text = f"{expression} DESC" if descending else expression
    if nulls_first == descending:
        text += " NULLS FIRST" if nulls_first else " NULLS LAST"
    return text


class _Emitter(msgspec.Struct):
    bound: BoundQuery
    version: float
    columns: list[str] = []
    params: dict[str, Value] = {}
    spans: list[Span] = []
    _names: dict[str, str] = {}

    # --- output ------------------------------------------------------------------------------------------------

    def _inner(self, expression: str) -> str:
        """A column of the inner SELECT, by the name it has outside."""
        name = self._names.get(expression)
        if name is None:
            name = self._names[expression] = f"c{len(self._names)}"
            self.columns.append(f"{expression} AS {name}")
        return name

    def object(self, node: Node) -> str:
        """The JSON object of a node."""
        if node.entity is not None:
            table = node.joins[0]
            record_id = self._inner(f't{table}."Id"')
            kind = _text(node.entity.name)
            url = f"{_text(self._path(node.entity.name))} || {record_id}"
        else:
            assert node.kind is not None
            record_id = self._inner(_parent_id(node.kind))
            kind = _type_of(node.kind, record_id)
            url = f"{_text(self._path(''))} || {kind} || '/' || {record_id}"
        pairs = [("attributes", f"json_object('type', {kind}, 'url', {url})")]
        pairs += [(key, self._value(item, record_id)) for key, item in node.items.items()]
        whole = _object(pairs)
        if node is self.bound.root:
            return whole
        return f"json(CASE WHEN {record_id} IS NULL THEN NULL ELSE {whole} END)"

    def _path(self, name: str) -> str:
        path = f"/services/data/v{self.version:.1f}/sobjects/"
        return f"{path}{name}/" if name else path

    def _value(self, item: Column | Node | Compound, record_id: str) -> str:
        if isinstance(item, Node):
            return self.object(item)
        if isinstance(item, Compound):
            return self._compound(item)
        found = item.field
        if found is None:
            assert item.kind is not None
            return _type_of(item.kind, self._inner(_parent_id(item.kind)))
        if found.name == _PHOTO:
            return f"'/services/images/photo/' || {record_id}"
        if found.calculated:
            return "NULL"
        column = self._inner(self.expression(item))
        if found.type == "base64":
            blob = f"{_text(self._path(self.bound.entity.name))} || {record_id} || {_text('/' + found.name)}"
            return f"CASE WHEN {column} IS NULL THEN NULL ELSE {blob} END"
        return values.json_sql(found.type, column)

    def _compound(self, item: Compound) -> str:
        if not item.parts:
            return "NULL"
        parts = [(key, self._inner(f"t{item.table}.{quote(part.name)}"), part) for key, part in item.parts]
        empty = " AND ".join(f"{column} IS NULL" for _, column, _ in parts)
        whole = _object([(key, values.json_sql(part.type, column)) for key, column, part in parts])
        return f"json(CASE WHEN {empty} THEN NULL ELSE {whole} END)"

    # --- FROM, WHERE, ORDER BY -----------------------------------------------------------------------------------

    def source(self) -> str:
        text = f"{quote(self.bound.entity.name)} AS t0"
        for join in self.bound.joins:
            text += (
                f' LEFT JOIN {quote(join.entity.name)} AS t{join.number} ON t{join.number}."Id"'
                f" = t{join.base}.{quote(join.reference.name)}"
            )
        return text

    def expression(self, column: Column) -> str:
        """A column as SQL. A boolean of a parent that is not there is false."""
        if column.field is None:
            assert column.kind is not None
            return _type_of(column.kind, _parent_id(column.kind))
        each = [f"t{table}.{quote(found.name)}" for table, found in zip(column.tables, column.fields, strict=True)]
        if len(each) > 1:
            return f"coalesce({', '.join(each)})"
        if column.field.type == "boolean" and column.tables != (0,):
            return f"coalesce({each[0]}, 0)"
        return each[0]

    def where(self) -> str:
        parts = []
        if self.bound.where is not None:
            parts.append(self._condition(self.bound.where))
        if not self.bound.all_rows and self.bound.entity.field("IsDeleted") is not None:
            parts.append('t0."IsDeleted" = 0')
        return f" WHERE {' AND '.join(parts)}" if parts else ""

    def _condition(self, node: Bound) -> str:
        if isinstance(node, Group):
            return f"({f' {node.op} '.join(self._condition(term) for term in node.terms)})"
        if isinstance(node, Inverse):
            return f"NOT coalesce({self._condition(node.term)}, 0)"
        return self._test(node)

    def _test(self, test: Test) -> str:
        column = self.expression(test.column)
        if test.op in ("IS NULL", "IS NOT NULL"):
            return f"{column} {test.op}"
        if test.op in ("IN", "NOT IN"):
            # One parameter each: the list is bounded by the length of a statement.
            marks = ", ".join(self._param(value) for value in test.values)
            listed = f"{column} {test.op} ({marks})"
            return f"({listed} OR {column} IS NULL)" if test.op == "NOT IN" else listed
        if test.span is not None:
            return self._within(column, test.op, test.span)
        value = self._param(test.values[0])
        if test.op == "LIKE":
            return f"{column} LIKE {value} ESCAPE '\\'"
        if test.op == "!=":
            return f"({column} <> {value} OR {column} IS NULL)"
        return f"{column} {test.op} {value}"

    def _within(self, column: str, op: str, span: Span) -> str:
        """A comparison with a date literal, which is a span: `=` inside, `>` after its end, `<` before its start."""
        start, end = f":s{len(self.spans)}a", f":s{len(self.spans)}b"
        self.spans.append(span)
        inside = f"({column} >= {start} AND {column} < {end})"
        return {
            "=": inside, "!=": f"({column} < {start} OR {column} >= {end} OR {column} IS NULL)",
            ">": f"{column} >= {end}", ">=": f"{column} >= {start}", "<": f"{column} < {start}", "<=": f"{column} < {end}",
        }[op]  # fmt: skip

    def _param(self, value: Value) -> str:
        name = f"p{len(self.params)}"
        self.params[name] = value
        return f":{name}"

    def sort(self, one: Sort) -> tuple[str, bool, bool]:
        return self.expression(one.column), one.descending, one.nulls_first


def _parent_id(kind: TypeOf) -> str:
    return f"t{kind.base}.{quote(kind.reference.name)}"


def _type_of(kind: TypeOf, column: str) -> str:
    """The name of the object an Id belongs to, told from its key prefix."""
    cases = "".join(f" WHEN {_text(prefix)} THEN {_text(name)}" for prefix, name in kind.names)
    return f"CASE substr({column}, 1, 3){cases} END" if cases else "NULL"


def _text(text: str) -> str:
    """A name of the catalogue, or a path made of such, as an SQL string."""
    return "'" + text.replace("'", "''") + "'"


def _object(pairs: Sequence[tuple[str, str]]) -> str:
    """`json_object(...)` of any number of pairs."""
    pieces = [
        f"json_object({', '.join(f'{_text(key)}, {value}' for key, value in pairs[start : start + _PAIRS])})"
        for start in range(0, len(pairs), _PAIRS)
    ]
    if len(pieces) == 1:
        return pieces[0]
    first, *rest = pieces
    joined = f"substr({first}, 1, length({first}) - 1)"
    for piece in rest[:-1]:
        joined += f" || ',' || substr({piece}, 2, length({piece}) - 2)"
    return f"json({joined} || ',' || substr({rest[-1]}, 2))"


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
