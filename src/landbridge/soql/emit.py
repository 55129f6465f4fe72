r"""
A BoundQuery to SQL. Pure.

The inner SELECT yields plain columns with WHERE, ORDER and LIMIT; the outer one turns all rows into one JSON array
(PERFORMANCE section 3: 1.9 times the rate of the best shaper in Python). With child subqueries every row comes alone, in
pieces, as its children count towards the page and may have pages of their own. Names come from the catalogue, quoted; every
value a user typed is a bound parameter.

Text compares without case by the columns' own collation. A row that can't be compared (null) is no match, also under NOT.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Final

import msgspec

from landbridge import values
from landbridge.soql.bound import (
    PHOTO,
    Aggregate,
    Apply,
    Bound,
    BoundQuery,
    Children,
    Choice,
    Column,
    Compound,
    Expr,
    Group,
    Grouped,
    Inverse,
    Lookup,
    Node,
    Polymorphic,
    Scope,
    Semi,
    Shown,
    Slot,
    Test,
    TypeName,
)
from landbridge.soql.facts import facts
from landbridge.soql.functions import DATE_SQL, distance, formatted
from landbridge.soql.moments import Span
from landbridge.soql.statement import MOST_GROUPS, Kin, Sorted, Statement
from landbridge.storage import Value
from landbridge.storage.dialect import SQLITE, quote

# json_object takes at most 500 pairs (1,000 arguments); wider objects are put together from pieces.
_PAIRS: Final = 400
_SMALL: Final = 200
"""A query of at most so many rows runs on the loop; larger ones beside it."""
_LISTED: Final = 50
"""Longer lists of values become one parameter: SQLite binds 32,766 at most."""
_PLAIN: Final = frozenset({"=", "<", ">", "<=", ">="})
"""Operators that are the same in SQL."""


def emit(bound: BoundQuery, version: float, text: str = "", *, child: bool = False) -> Statement:
    """
    The SQL of a bound query for an API version (it stands in every record's url).

    `child`: a subquery on its own, for the children of the record `:parent`.
    """
    emitter = _Emitter(version)
    table = bound.scope.table
    level = _Level("c", f"t{table}")
    shape, groups = "", ""
    pieces: tuple[str | Kin, ...] = ()
    if bound.grouped is not None:
        groups = emitter.groups(bound, bound.grouped)
    elif not bound.count:
        pieces = emitter.pieces(bound.root, level)
        shape = pieces[0] if len(pieces) == 1 and isinstance(pieces[0], str) else ""
    where = emitter.where(bound, f"{emitter.link(bound)} = :parent" if child else "")
    sort = emitter.sort(bound) if bound.grouped is None else []
    slots = emitter.slots
    if len(slots) > 1:
        slots.sort(key=_place)
    return Statement(
        text, version, bound.all_rows, bound, ", ".join(level.columns), shape, () if shape else pieces,
        emitter.source(bound.scope), where, _order(sort), tuple(sort), emitter.params,
        not _is_small(bound, has_children=not shape and bool(pieces)), tuple(emitter.spans), emitter.local, groups,
        tuple(slots),
    )  # fmt: skip


def _place(slot: tuple[str, Slot]) -> int:
    return slot[1].at


def _is_small(bound: BoundQuery, *, has_children: bool) -> bool:
    limit, where = bound.limit, bound.where
    if bound.grouped is not None:
        return False
    if limit is not None and limit <= _SMALL and not has_children:
        return True
    return where is not None and _pins(where, bound.scope.table)


def _pins(where: Bound, table: int) -> bool:
    """Whether an Id or unique field is asked for by value."""
    if isinstance(where, Test):
        found = where.expr
        if not isinstance(found, Column) or where.op not in ("=", "IN") or len(where.values) > _SMALL:
            return False
        return found.table == table and (found.type == "id" or found.field.unique)
    return isinstance(where, Group) and where.op == "AND" and any(_pins(term, table) for term in where.terms)


def _order(sort: list[Sorted]) -> str:
    """The items of an ORDER BY."""
    return ", ".join([_direction(expression, descending, first) for expression, descending, first in sort])


def _direction(expression: str, descending: bool, nulls_first: bool) -> str:
    """One ORDER BY item; NULLS is only written where it differs from SQLite's own order (nulls are smallest)."""
    text = f"{expression} DESC" if descending else expression
    if nulls_first == descending:
        text += " NULLS FIRST" if nulls_first else " NULLS LAST"
    return text


class _Level:
    """One SELECT whose rows become JSON one level out: its columns by the names they have there."""

    def __init__(self, prefix: str | None, table: str) -> None:
        self.prefix = prefix
        self.table = table
        self.columns: list[str] = []
        self._names: dict[str, str] = {}

    def name(self, expression: str) -> str:
        """A column by the name it has outside; itself where there is no outside (a single looked-up record)."""
        if self.prefix is None:
            return expression
        name = self._names.get(expression)
        if name is None:
            name = self._names[expression] = f"{self.prefix}{len(self._names)}"
            self.columns.append(f"{expression} AS {name}")
        return name


class _Emitter:
    def __init__(self, version: float) -> None:
        self._version = version
        self.params: dict[str, Value] = {}
        self.spans: list[Span] = []
        self.local = False
        self._levels = 0
        self._bound: dict[tuple[type, Value], str] = {}
        self.slots: list[tuple[str, Slot]] = []
        self._placed: dict[tuple[int, str], str] = {}
        self._away: set[str] = set()
        """The grouping set at hand: SQL of the keys that are rolled up in it."""

    # --- output ------------------------------------------------------------------------------------------------

    def pieces(self, root: Node, level: _Level) -> tuple[str | Kin, ...]:
        """The JSON of the rows: one object, or with children the objects before, between and behind them."""
        record_id = level.name(self.expression(root.id))
        found: list[str | Kin] = []
        pairs = [self._attributes(root, record_id)]
        for key, item in root.items.items():
            if isinstance(item, Column) and item.plain:
                pairs.append(f"'{key}', {level.name(item.sql)}")
            elif isinstance(item, Children):
                if pairs:
                    found.append(_object(pairs))
                    pairs = []
                slots = len(self.slots)
                sql = self._children(item.query, record_id, counted=True)
                found.append(Kin(key, item.query, sql, len(self.slots) > slots))
            else:
                pairs.append(_pair(key, self._value(item, record_id, level, root)))
        if pairs:
            found.append(_object(pairs))
        return tuple(found)

    def _attributes(self, node: Node, record_id: str) -> str:
        if node.entity is not None:
            return f"{facts(node.entity).attributes(self._version)}{record_id})"
        assert node.kind is not None
        kind = _type_of(node.kind, record_id)
        url = f"{_text(self._path(''))} || {kind} || '/' || {record_id}"
        return f"'attributes', json_object('type', {kind}, 'url', {url})"

    def object(self, node: Node, level: _Level) -> str:
        """The JSON object of a node that is always there."""
        record_id = level.name(self.expression(node.id))
        pairs = [self._attributes(node, record_id)]
        for key, item in node.items.items():
            if isinstance(item, Column) and item.plain:
                pairs.append(f"'{key}', {level.name(item.sql)}")
            else:
                pairs.append(_pair(key, self._value(item, record_id, level, node)))
        return _object(pairs)

    def _path(self, name: str) -> str:
        path = f"/services/data/v{self._version:.1f}/sobjects/"
        return f"{path}{name}/" if name else path

    def _value(self, item: Shown, record_id: str, level: _Level, node: Node) -> str:
        if isinstance(item, Column):
            return self._column(item, record_id, level, node)
        if isinstance(item, Node):
            inner = level.name(self.expression(item.id))
            return f"json(CASE WHEN {inner} IS NULL THEN NULL ELSE {self.object(item, level)} END)"
        if isinstance(item, Compound):
            return self._compound(item, level)
        if isinstance(item, Choice):
            return self._choice(item, level)
        if isinstance(item, Children):
            return f"json({self._children(item.query, record_id, counted=False)})"
        return values.json_sql(item.type, level.name(self.expression(item)))

    def _column(self, item: Column, record_id: str, level: _Level, node: Node) -> str:
        found = item.field
        if found.name == PHOTO:
            return f"'/services/images/photo/' || {record_id}"
        if found.calculated:
            return "NULL"
        column = level.name(item.sql)
        if found.type == "base64":
            assert node.entity is not None
            blob = f"{_text(self._path(node.entity.name))} || {record_id} || {_text('/' + found.name)}"
            return f"CASE WHEN {column} IS NULL THEN NULL ELSE {blob} END"
        return values.json_sql(found.type, column)

    def _compound(self, item: Compound, level: _Level) -> str:
        if not item.parts:
            return "NULL"
        parts = [(key, level.name(f"t{item.table}.{quote(part.name)}"), part) for key, part in item.parts]
        empty = " AND ".join(f"{column} IS NULL" for _, column, _ in parts)
        whole = _object([_pair(key, values.json_sql(part.type, column)) for key, column, part in parts])
        return f"json(CASE WHEN {empty} THEN NULL ELSE {whole} END)"

    def _choice(self, item: Choice, level: _Level) -> str:
        """TYPEOF: the record is looked up where its key prefix says it is."""
        parent = level.name(f"t{item.base}.{quote(item.reference.name)}")
        cases = ""
        for prefix, scope, node in item.branches:
            one = self.object(node, _Level(None, f"t{scope.table}"))
            cases += (
                f" WHEN {_text(prefix)} THEN (SELECT {one} FROM {self.source(scope)} WHERE {_id_of(scope)} = {parent})"
            )
        other = "NULL"
        if item.otherwise is not None:
            other = f"CASE WHEN {parent} IS NULL THEN NULL ELSE {self.object(item.otherwise, level)} END"
        return f"json(CASE substr({parent}, 1, 3){cases} ELSE {other} END)"

    def _children(self, query: BoundQuery, parent: str, *, counted: bool) -> str:
        """
        The children of a record as one value: a query result in JSON, null for none.

        `counted`: as `count:array` for `run`, which counts them towards the page and goes on where they are many.
        """
        self._levels += 1
        level = _Level(f"q{self._levels}c", f"t{query.scope.table}")
        shape = self.object(query.root, level)
        where = self.where(query, f"{self.link(query)} = {parent}")
        order = _order(self.sort(query))
        most = str(query.limit) if query.limit is not None else "-1"
        if counted:
            most = f"min({query.limit}, :family)" if query.limit is not None else ":family"
        whole = (
            "count(*) || ':' || json_group_array(json_)" if counted else
            "json_object('totalSize', count(*), 'done', json('true'), 'records', json_group_array(json_))"
        ).replace("json_)", f"{shape})")  # fmt: skip
        return (
            f"(SELECT CASE WHEN count(*) = 0 THEN NULL ELSE {whole} END FROM (SELECT {', '.join(level.columns)} FROM "
            f"{self.source(query.scope)}{where} ORDER BY {order} LIMIT {most}))"
        )

    def link(self, query: BoundQuery) -> str:
        """The column through which a subquery's records point to the one around them."""
        assert query.link is not None
        return f"t{query.scope.table}.{quote(query.link.name)}"

    # --- aggregates --------------------------------------------------------------------------------------------

    def groups(self, bound: BoundQuery, grouped: Grouped) -> str:
        """The whole SQL of an aggregate query: number of rows and their JSON array."""
        names = [f"c{index}" for index in range(len(grouped.shown))]
        pairs = ["'attributes', json_object('type', 'AggregateResult')"]
        for name, (key, expr) in zip(names, grouped.shown, strict=True):
            pairs.append(_pair(key, values.json_sql(expr.type, name)))
        sets = _grouping_sets(grouped)
        selects = [self._grouping_set(bound, grouped, present) for present in sets]
        order = [_direction(f"o{index}", one.descending, one.nulls_first) for index, one in enumerate(bound.order)] or [
            f"g{index}" for index in range(2 * len(grouped.keys))
        ]
        most = MOST_GROUPS + 1 if bound.limit is None else min(bound.limit, MOST_GROUPS + 1)
        inner = f"{' UNION ALL '.join(selects)}"
        text = f"SELECT * FROM ({inner})"
        if order:
            text += f" ORDER BY {', '.join(order)}"
        return f"SELECT count(*), json_group_array({_object(pairs)}) FROM ({text} LIMIT {most} OFFSET {bound.offset})"

    def _grouping_set(self, bound: BoundQuery, grouped: Grouped, present: frozenset[int]) -> str:
        """One SELECT ... GROUP BY; keys that are rolled up are null."""
        away = {self.expression(key) for index, key in enumerate(grouped.keys) if index not in present}
        columns = [f"{self._of_group(expr, away)} AS c{index}" for index, (_, expr) in enumerate(grouped.shown)]
        columns += [f"{self._of_group(one.expr, away)} AS o{index}" for index, one in enumerate(bound.order)]
        for index, key in enumerate(grouped.keys):
            # Without ORDER BY a subtotal stands behind what it sums up.
            columns.append(f"{int(index not in present)} AS g{2 * index}")
            columns.append(f"{self._of_group(key, away)} AS g{2 * index + 1}")
        text = f"SELECT {', '.join(columns)} FROM {self.source(bound.scope)}{self.where(bound)}"
        if present:
            text += f" GROUP BY {', '.join(self.expression(grouped.keys[index]) for index in sorted(present))}"
        if grouped.having is not None:
            self._away = away
            having = self.condition(grouped.having)
            self._away = set()
            # A grand total without keys is one row whatever it counts: HAVING needs a group to speak of.
            text += f"{'' if present else ' GROUP BY NULL'} HAVING {having}"
        elif grouped.keys and not present:
            text += " GROUP BY NULL"
        return text

    def _of_group(self, expr: Expr, away: set[str]) -> str:
        """An expression in one grouping set: a key that is rolled up is null, GROUPING of it 1."""
        if isinstance(expr, Apply) and expr.name == "GROUPING":
            return str(int(self.expression(expr.of[0]) in away))
        if isinstance(expr, Apply) and any(self.expression(one) in away for one in expr.of):
            return "NULL"
        text = self.expression(expr)
        return "NULL" if text in away else text

    # --- FROM, WHERE, ORDER BY -----------------------------------------------------------------------------------

    def source(self, scope: Scope) -> str:
        text = f"{facts(scope.entity).sql} AS t{scope.table}"
        for join in scope.joins:
            known = facts(join.entity)
            text += (
                f" LEFT JOIN {known.sql} AS t{join.number} ON t{join.number}.{known.key_sql}"
                f" = t{join.base}.{quote(join.reference.name)}"
            )
        return text

    def expression(self, expr: Expr) -> str:
        """An expression over the tables."""
        if isinstance(expr, Column):
            return expr.sql
        if isinstance(expr, TypeName):
            return f"({_type_of(expr, f't{expr.base}.{quote(expr.reference.name)}')}) COLLATE NOCASE"
        if isinstance(expr, Polymorphic):
            return self._polymorphic(expr)
        if isinstance(expr, Aggregate):
            return self._aggregate(expr)
        return self._apply(expr)

    def _polymorphic(self, expr: Polymorphic) -> str:
        parent = f"t{expr.base}.{quote(expr.reference.name)}"
        cases = "".join(f" WHEN {_text(prefix)} THEN {self._lookup(one, parent)}" for prefix, one in expr.choices)
        text = f"(CASE substr({parent}, 1, 3){cases} END)"
        return (
            f"{text} COLLATE NOCASE"
            if values.column_type(expr.type) == "TEXT" and expr.type not in ("id", "reference")
            else text
        )

    def _lookup(self, one: Lookup, parent: str) -> str:
        return (
            f"(SELECT {self.expression(one.value)} FROM {self.source(one.scope)} WHERE {_id_of(one.scope)} = {parent})"
        )

    def _aggregate(self, expr: Aggregate) -> str:
        of = self.expression(expr.of)
        if expr.name == "COUNT_DISTINCT":
            return f"count(DISTINCT {of})"
        if expr.ranks:
            # The order of a picklist is that of its values: the rank travels in front of the value.
            rank = self._rank(of, expr.ranks)
            return f"substr({expr.name.lower()}(printf('%05d', {rank}) || {of}), 6)"
        return f"{expr.name.lower()}({of})"

    def _apply(self, expr: Apply) -> str:
        of = [self.expression(one) for one in expr.of]
        if expr.name in DATE_SQL:
            return f"({DATE_SQL[expr.name](of[0])})"
        if expr.name == "LOCAL":
            self.local = True
            return SQLITE.local_time(of[0], ":zone")
        if expr.name == "RANK":
            return self._rank(of[0], expr.given)
        if expr.name == "TOLABEL":
            if not expr.given:
                return of[0]
            pairs = zip(expr.given[::2], expr.given[1::2], strict=True)
            cases = "".join(f" WHEN {self._param(value)} THEN {self._param(label)}" for value, label in pairs)
            return f"(CASE {of[0]}{cases} ELSE {of[0]} END) COLLATE NOCASE"
        if expr.name == "LABELS":
            return self._labels(of[0], expr.given)
        if expr.name == "FORMAT":
            type_, scale = expr.given
            self.local = self.local or type_ == "datetime"
            local = SQLITE.local_time(of[0], ":zone") if type_ == "datetime" else of[0]
            text = formatted(str(type_), int(str(scale)), of[0], local)
            return f"CASE WHEN {of[0]} IS NULL THEN NULL ELSE {text} END"
        if expr.name == "DISTANCE":
            latitude, longitude, unit = expr.given
            return f"({distance(of[0], of[1], (self._param(latitude), self._param(longitude)), str(unit))})"
        assert expr.name == "GROUPING"
        return str(int(of[0] in self._away))

    def _rank(self, of: str, values_: Sequence[Value]) -> str:
        cases = "".join(f" WHEN {of} = {self._param(value)} THEN {index}" for index, value in enumerate(values_))
        return f"CASE WHEN {of} IS NULL THEN NULL{cases} ELSE {len(values_)} END"

    def _labels(self, of: str, given: Sequence[Value]) -> str:
        """The labels of a multi-select: each value between semicolons has its own."""
        pairs = zip(given[::2], given[1::2], strict=True)
        cases = "".join(f" WHEN {self._param(value)} THEN {self._param(label)}" for value, label in pairs)
        listed = f"'[' || replace(json_quote({of}), ';', '\",\"') || ']'"
        return f"(SELECT group_concat(CASE value{cases} ELSE value END, ';') FROM json_each({listed}) WHERE {of} IS NOT NULL)"

    def where(self, bound: BoundQuery, extra: str = "") -> str:
        parts = [extra] if extra else []
        scope, where = bound.scope, bound.where
        if where is not None:
            parts.append(self.condition(where))
        if bound.mine:
            parts.append(f't{scope.table}."OwnerId" = :me')
        if not bound.all_rows and facts(scope.entity).deleted:
            parts.append(f't{scope.table}."IsDeleted" = 0')
        return f" WHERE {' AND '.join(parts)}" if parts else ""

    def condition(self, node: Bound) -> str:
        if isinstance(node, Test):
            return self._test(node)
        if isinstance(node, Group):
            return _balanced([self.condition(term) for term in node.terms], node.op)
        if isinstance(node, Inverse):
            return f"NOT coalesce({self.condition(node.term)}, 0)"
        return self._semi(node)

    def _semi(self, node: Semi) -> str:
        value = self.expression(node.value)
        inner = node.inner
        where = self.where(inner, f"{value} IS NOT NULL")
        listed = f"(SELECT {value} FROM {self.source(inner.scope)}{where})"
        column = self.expression(node.expr)
        if node.negated:
            return f"({column} NOT IN {listed} OR {column} IS NULL)"
        return f"{column} IN {listed}"

    def _test(self, test: Test) -> str:
        expr, op, span = test.expr, test.op, test.span
        if isinstance(expr, Column):
            column = expr.sql
        elif isinstance(expr, Apply) and expr.name == "GROUPING":
            column = str(int(self.expression(expr.of[0]) in self._away))
        else:
            column = self.expression(expr)
        if column in self._away:
            column = "NULL"
        if span is not None:
            return self._within(column, op, span)
        given = test.values
        if op in _PLAIN:
            return f"{column} {op} {self._param(given[0])}"
        if op in ("IN", "NOT IN"):
            listed = f"{column} {op} ({self._list(given)})"
            return f"({listed} OR {column} IS NULL)" if op == "NOT IN" else listed
        if op in ("IS NULL", "IS NOT NULL"):
            return f"{column} {op}"
        if op in ("INCLUDES", "SAME"):
            return self._parts(column, test)
        value = self._param(given[0])
        if op == "LIKE":
            return f"{column} LIKE {value} ESCAPE '\\'"
        assert op == "!="
        return f"({column} <> {value} OR {column} IS NULL)"

    def _list(self, listed: Sequence[Value | Slot]) -> str:
        if len(listed) <= _LISTED:
            return ", ".join([self._param(value) for value in listed])
        plain = [value.value if isinstance(value, Slot) else value for value in listed]
        return f"SELECT value FROM json_each({self._param(msgspec.json.encode(plain).decode())})"

    def _parts(self, column: str, test: Test) -> str:
        """A multi-select that holds all of these values; SAME: and no others."""
        padded = f"';' || lower({column}) || ';'"
        parts = [str(value) for value in test.values]
        tests = [f"instr({padded}, lower({self._param(f';{part};')})) > 0" for part in parts]
        if test.op == "SAME":
            tests.append(f"length({column}) = {self._param(len(';'.join(parts)))}")
        return f"({' AND '.join(tests)})"

    def _within(self, column: str, op: str, span: Span) -> str:
        """A comparison with a date literal, which is a span: `=` inside, `>` after its end, `<` before its start."""
        start, end = f":s{len(self.spans)}a", f":s{len(self.spans)}b"
        self.spans.append(span)
        inside = f"({column} >= {start} AND {column} < {end})"
        return {
            "=": inside, "!=": f"({column} < {start} OR {column} >= {end} OR {column} IS NULL)",
            ">": f"{column} >= {end}", ">=": f"{column} >= {start}", "<": f"{column} < {start}", "<=": f"{column} < {end}",
        }[op]  # fmt: skip

    def _param(self, value: Value | Slot) -> str:
        """A bound parameter; the same value is the same one, so that equal expressions are equal SQL."""
        if isinstance(value, Slot):
            # One parameter per literal of the text, however often its condition is written (each grouping set has a WHERE).
            place = value.at, value.type
            slot = self._placed.get(place)
            if slot is None:
                slot = self._placed[place] = f"p{len(self.params)}"
                self.params[slot] = value.value
                self.slots.append((slot, value))
            return f":{slot}"
        key = (type(value), value)
        name = self._bound.get(key)
        if name is None:
            name = self._bound[key] = f"p{len(self.params)}"
            self.params[name] = value
        return f":{name}"

    def sort(self, bound: BoundQuery) -> list[Sorted]:
        """What the rows are sorted by, the tie-breaker last."""
        found = [(self.expression(one.expr), one.descending, one.nulls_first) for one in bound.order]
        found.append((f"t{bound.scope.table}.rowid", False, True))
        return found


def _grouping_sets(grouped: Grouped) -> list[frozenset[int]]:
    """Which keys are present in each SELECT of the result."""
    every = range(len(grouped.keys))
    if grouped.how == "ROLLUP":
        return [frozenset(every[:length]) for length in range(len(every), -1, -1)]
    if grouped.how == "CUBE":
        return [frozenset(some) for size in range(len(every), -1, -1) for some in combinations(every, size)]
    return [frozenset(every)]


def _id_of(scope: Scope) -> str:
    return f"t{scope.table}.{facts(scope.entity).key_sql}"


def _type_of(kind: TypeName, column: str) -> str:
    """The name of the object an Id belongs to, told from its key prefix."""
    return f"CASE substr({column}, 1, 3){kind.cases} END" if kind.cases else "NULL"


def _balanced(parts: Sequence[str], op: str) -> str:
    """Conditions side by side, paired up: SQLite's trees are at most 1,000 deep, a flat list counts as deep as it is long."""
    if len(parts) <= 8:
        return f"({f' {op} '.join(parts)})"
    half = len(parts) // 2
    return f"({_balanced(parts[:half], op)} {op} {_balanced(parts[half:], op)})"


def _text(text: str) -> str:
    """A name of the catalogue, or a path made of such, as an SQL string."""
    return "'" + text.replace("'", "''") + "'"


def _pair(key: str, value: str) -> str:
    """A key and its value, as json_object takes them."""
    return f"{_text(key)}, {value}"


def _object(pairs: Sequence[str]) -> str:
    """`json_object(...)` of any number of pairs."""
    if len(pairs) <= _PAIRS:
        return f"json_object({', '.join(pairs)})"
    pieces = [f"json_object({', '.join(pairs[start : start + _PAIRS])})" for start in range(0, len(pairs), _PAIRS)]
    first, *rest = pieces
    joined = f"substr({first}, 1, length({first}) - 1)"
    for piece in rest[:-1]:
        joined += f" || ',' || substr({piece}, 2, length({piece}) - 2)"
    return f"json({joined} || ',' || substr({rest[-1]}, 2))"
