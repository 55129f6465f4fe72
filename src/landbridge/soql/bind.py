"""
A Query and a catalogue to a BoundQuery: every name resolved, every value in its stored form. Pure.

Parent paths become joins, polymorphic ones lookups by key prefix; what an access can't read does not exist. Errors carry the
place of the name that was wrong. Values against columns stand in `stored.py`.

Source: `soql.md` sections 2, 3 and 5.
"""

from __future__ import annotations

from typing import Final

from landbridge.access import Access
from landbridge.errors import (
    InvalidField,
    InvalidQueryFilterOperator,
    InvalidQueryScope,
    InvalidType,
    MalformedQuery,
    OffsetOutsideValidRange,
    QueryError,
    QueryUnsupported,
    TooManySemiJoins,
)
from landbridge.schema.catalog import Catalog, Child, Entity
from landbridge.schema.model import Field
from landbridge.soql.bound import (
    Aggregate,
    Apply,
    Bound,
    BoundQuery,
    Children,
    Choice,
    Column,
    Expr,
    Group,
    Grouped,
    Inverse,
    Node,
    Semi,
    Shown,
    Slot,
    Sort,
    Test,
)
from landbridge.soql.facts import facts
from landbridge.soql.functions import AGGREGATE_TYPES, DATE_TYPES, DATETIME_ALONE
from landbridge.soql.names import Names, Place, Shared, compound_parts, name_key, output
from landbridge.soql.parse import AGGREGATES, DATES, placed
from landbridge.soql.stored import compared, likeness, parts, span_of, stored
from landbridge.soql.tree import (
    AllFields,
    Both,
    Call,
    Compare,
    Condition,
    Geolocation,
    Includes,
    Item,
    Literal,
    Negation,
    Operand,
    Path,
    Query,
    SemiJoin,
    Subquery,
    TypeOf,
    Within,
)
from landbridge.storage import Value

MAX_OFFSET: Final = 2000
MAX_SUBQUERIES: Final = 20
MAX_SEMI_JOINS: Final = 2
_FIELDS_LIMIT: Final = 200
NESTED_SINCE: Final = 58.0
"""The API version from which subqueries may nest, five levels deep in all."""
_LONG: Final = 255
_LONG_PAGE, _LONG_CUSTOM_PAGE = 1000, 200
_SCOPES: Final = ("team", "delegated", "mine_and_my_groups", "my_territory", "my_team_territory", "scopingrule")
_NO_SEMI_JOIN: Final = frozenset({"activityhistory", "attachment", "event", "note", "openactivity", "task"})


def bind(
    query: Query, catalog: Catalog, access: Access, *, version: float = 67.0, all_rows: bool = False
) -> BoundQuery:
    """Resolve a statement. Raises the QueryErrors of `soql.md` section 5, each with its place."""
    name = query.source.path
    entity = catalog.get(name.names[0] if len(name.names) == 1 else name.text)
    try:
        if entity is None or not facts(entity).queryable:
            raise InvalidType(name.text, name.at)
        return _Binder(Shared(catalog, access, version, all_rows), entity, query).query()
    except QueryError as error:
        raise placed(error, query.text) from None


class _Binder(Names):
    """One query: the whole statement, a subquery or the inner side of a semi-join."""

    def __init__(
        self, shared: Shared, entity: Entity, query: Query, *, link: Field | None = None, depth: int = 0
    ) -> None:
        super().__init__(shared, entity)
        self._query = query
        self._link = link
        self._depth = depth
        self._aliases: dict[str, tuple[str, ...]] = {}
        if query.source.alias is not None:
            self._aliases[query.source.alias.lower()] = ()
        for other in query.others:
            first, *rest = other.path.names
            known = self._aliases.get(first.lower())
            if first.lower() == entity.name.lower():
                known = ()
            if known is None or not rest or other.alias is None:
                raise MalformedQuery(
                    "A driving SObject type has already been set, all other entity types in the FROM clause must be "
                    f"relationships to the initial object. The driving object is {entity.name}.",
                    other.path.at,
                )
            self._aliases[other.alias.lower()] = (*known, *rest)
        self._grouped: Grouped | None = None
        self._semi_joins = 0

    def names(self, path: Path) -> tuple[str, ...]:
        """The path from the object on: without its name or alias in front, the aliases of FROM spelled out."""
        names = path.names
        if len(names) == 1:
            return names
        first = names[0].lower()
        if first in self._aliases:
            return (*self._aliases[first], *names[1:])
        if first == self.entity.name.lower() and self.entity.relationship(first) is None:
            return names[1:]
        return names

    # --- the clauses -------------------------------------------------------------------------------------------

    def query(self) -> BoundQuery:
        query = self._query
        aggregated = query.group is not None or _aggregate_query(query)
        if self._link is not None and (aggregated or query.count):
            raise MalformedQuery("only root queries support aggregate expressions", query.source.path.at)
        root = Node(self._own[self.entity.fields[0].name.lower()], self.entity)
        if aggregated:
            self._bind_groups()
        elif not query.count:
            root = self.root()
            for item in query.select:
                if not self._own_field(root.items, item):
                    self._select(root, item)
        mine = self._scope()
        where = None if query.where is None else self.condition(query.where, top=True)
        if query.having is not None and query.group is not None and self._grouped is not None:
            self._grouped.having = self.condition(query.having, having=True)
        elif query.having is not None:
            raise MalformedQuery("unexpected token: 'HAVING'", query.source.path.at)
        order = self._order()
        self._check_limits()
        return BoundQuery(
            self.scope, root, query.count, where, order, query.limit, query.offset or 0, self.shared.all_rows,
            self._grouped, mine, query.viewed, self._link, _page(root),
        )  # fmt: skip

    def _scope(self) -> bool:
        scope = self._query.scope
        if scope is None or scope.lower() == "everything":
            return False
        if scope.lower() == "mine" and self.entity.field("OwnerId") is not None:
            return True
        if scope.lower() in _SCOPES:
            raise QueryUnsupported(f"USING SCOPE {scope}", self._query.scope_at)
        raise InvalidQueryScope(scope, self.entity.name, self._query.scope_at)

    def _check_limits(self) -> None:
        query = self._query
        if query.offset is not None and query.offset > MAX_OFFSET:
            raise OffsetOutsideValidRange(f"Maximum SOQL offset allowed is {MAX_OFFSET}", query.offset_at)
        if self._link is not None and query.offset is not None:
            raise MalformedQuery("OFFSET is not allowed in a subquery", query.offset_at)
        if self._grouped is not None and not self._grouped.keys and query.limit is not None:
            raise MalformedQuery(
                "Non-grouped query that uses overall aggregate functions cannot also use LIMIT", query.limit_at
            )

    # --- SELECT ------------------------------------------------------------------------------------------------

    def _own_field(self, items: dict[str, Shown], item: Item | AllFields | Subquery | TypeOf) -> bool:
        """Show a field of the object itself, the most frequent item by far; whether it was one that needs no more care."""
        if self.shared.hides or not isinstance(item, Item) or item.alias is not None:
            return False
        path = item.what
        if not isinstance(path, Path) or len(names := path.names) > 1:
            return False
        column = self._own.get(names[0].lower())
        if column is None or not column.plain or (name := column.name) in items:
            return False
        items[name] = column
        return True

    def _select(self, root: Node, item: Item | AllFields | Subquery | TypeOf) -> None:
        if not isinstance(item, Item):
            if isinstance(item, AllFields):
                self._all_fields(root, item)
            elif isinstance(item, Subquery):
                self._subquery(root, item)
            else:
                self._type_of(root, item)
        elif isinstance(item.what, Path):
            if item.alias is not None:
                # What a missing comma gives on the platform, too (soql.md section 5).
                raise MalformedQuery("only aggregate expressions use field aliasing", item.alias_at)
            self.show(root, self.names(item.what), item.what)
        else:
            self._show_call(root, item, item.what)

    def _show_call(self, root: Node, item: Item, call: Call) -> None:
        """toLabel, format and DISTANCE beside plain fields."""
        value = self.call(call)
        if call.name in DATES or call.name == "GROUPING":
            raise _must_be_grouped(call)
        node, key = root, item.alias
        if key is None and isinstance(call.args[0], Path) and call.name != "DISTANCE":
            names = self.names(call.args[0])
            for depth, name in enumerate(names[:-1]):
                node = self._parent(node, names[: depth + 1], name, call.args[0])
            place = self.walk(names, call.at)
            found = place.entity.field(place.name) if isinstance(place, Place) else None
            key = found.name if found is not None else names[-1]
        if key is None:
            key = f"expr{sum(1 for known in node.items if known.startswith('expr'))}"
        if key in node.items:
            raise InvalidField(f"duplicate field selected: {key}")
        node.items[key] = value

    def _all_fields(self, root: Node, item: AllFields) -> None:
        if item.which != "STANDARD" and not self._is_bounded():
            raise MalformedQuery(
                "The SOQL FIELDS function must have a LIMIT of at most 200, or a filter by at most 200 Ids", item.at
            )
        for one in self.entity.fields:
            wanted = item.which == "ALL" or one.custom == (item.which == "CUSTOM")
            if not wanted or not self.shared.access.readable(self.entity.name, one.name):
                continue
            if one.name in root.items:
                raise InvalidField(f"duplicate field selected: {one.name}")
            root.items[one.name] = output(self.entity, self._own[one.name.lower()])
        if not root.items:
            raise MalformedQuery("'FIELDS(...)' expansion function must result in at least one field being selected.")

    def _is_bounded(self) -> bool:
        """FIELDS(ALL) and FIELDS(CUSTOM) need LIMIT 200, `Id IN` at most 200 values, or as many tests of an Id."""
        query = self._query
        if query.limit is not None and query.limit <= _FIELDS_LIMIT:
            return True
        where = query.where
        terms = where.terms if isinstance(where, Both) and where.op == "OR" else (where,)
        count = 0
        for term in terms:
            operand = getattr(term, "operand", None)
            if not isinstance(operand, Path) or self.names(operand)[-1].lower() != "id" or len(operand.names) > 2:
                return False
            if isinstance(term, Within) and not term.negated:
                count += len(term.values)
            elif getattr(term, "op", "") == "=":
                count += 1
            else:
                return False
        return count <= _FIELDS_LIMIT

    def _subquery(self, root: Node, item: Subquery) -> None:
        shared, query = self.shared, item.query
        shared.subqueries += 1
        if shared.subqueries > MAX_SUBQUERIES:
            raise MalformedQuery(f"a query has at most {MAX_SUBQUERIES} subqueries", item.at)
        if self._depth and shared.version < NESTED_SINCE:
            raise MalformedQuery("nesting of subqueries is supported from version 58.0 on", item.at)
        path = query.source.path
        names = self.names(path) if len(path.names) > 1 else path.names
        child = self._child(names[-1]) if len(names) == 1 else None
        entity = None if child is None else shared.catalog.get(child.sobject)
        if child is None or entity is None or not facts(entity).queryable:
            raise InvalidType.relationship(names[-1], path.at)
        key = child.relationship_name or names[-1]
        if key in root.items:
            raise MalformedQuery(f"duplicate subquery relationship: {key}", path.at)
        root.items[key] = Children(_Binder(shared, entity, query, link=child.field, depth=self._depth + 1).query())

    def _child(self, name: str) -> Child | None:
        for child in self.shared.catalog.children(self.entity.name):
            if (child.relationship_name or "").lower() == name.lower() and self.shared.access.readable(
                child.sobject, child.field.name
            ):
                return child
        return None

    def _type_of(self, root: Node, item: TypeOf) -> None:
        names, at = self.names(item.path), item.path.at
        place = self.walk(names, at)
        if not isinstance(place, Place):
            raise MalformedQuery(f"TYPEOF is not allowed behind a polymorphic relationship: {item.path.text}", at)
        reference = self.reference(place.entity, place.name, at)
        targets = self.targets(reference)
        if not reference.name_pointing or len(names) != 1:
            raise MalformedQuery(f"TYPEOF needs a polymorphic relationship of the object: {item.path.text}", at)
        key = reference.relationship_name or place.name
        if key in root.items:
            raise InvalidField(f"duplicate field selected: {key}")
        branches = []
        for branch in item.branches:
            entity = self.shared.catalog.get(branch.sobject)
            if entity is None:
                raise InvalidType(branch.sobject, branch.at)
            if entity not in targets or entity.key_prefix is None:
                raise MalformedQuery(f"{item.path.text} does not refer to {entity.name}", branch.at)
            inner = Names(self.shared, entity)
            self._count(place.table, reference.name, entity.name, branch.at)
            node = inner.root()
            for path in branch.fields:
                inner.show(node, path.names, path)
            branches.append((entity.key_prefix, inner.scope, node))
        otherwise: Node | None = None
        if item.otherwise:
            otherwise = Node(Column.of(place.table, reference), None, self.type_name(reference, place.table))
            for path in item.otherwise:
                value = self.column((*names, *path.names), path.at)
                otherwise.items[name_key(path.names[-1])] = value
        root.items[key] = Choice(place.table, reference, tuple(branches), otherwise)

    # --- GROUP BY and aggregates ----------------------------------------------------------------------------------

    def _bind_groups(self) -> None:
        query = self._query
        group = query.group
        how = "" if group is None else group.how
        items = () if group is None else group.items
        if how and len(items) > 3:
            assert group is not None
            raise MalformedQuery(f"{how} takes at most 3 fields", group.at)
        keys = tuple(self._group_key(item) for item in items)
        self._grouped = Grouped(how, keys, (), None)
        shown: dict[str, Expr] = {}
        unnamed = 0
        for item in query.select:
            if isinstance(item, Subquery):
                raise MalformedQuery("subqueries are not allowed in a query that groups", item.at)
            if not isinstance(item, Item):
                at = item.at if isinstance(item, AllFields) else item.path.at
                raise MalformedQuery("Field must be grouped or aggregated", at)
            value = self._in_group(item.what)
            key = item.alias
            if key is None and isinstance(item.what, Path):
                key = value.field.name if isinstance(value, Column) else name_key(item.what.names[-1])
            if key is None:
                key = f"expr{unnamed}"
                unnamed += 1
            if key in shown:
                raise MalformedQuery(f"duplicate alias: {key}", item.alias_at or _at(item.what))
            shown[key] = value
        self._grouped.shown = tuple(shown.items())

    def _group_key(self, operand: Operand) -> Expr:
        value = self.operand(operand)
        if isinstance(value, Aggregate):
            raise MalformedQuery(f"cannot group by an aggregate: {operand.text}", operand.at)
        if isinstance(value, Column) and (not value.field.groupable or value.field.calculated):
            raise MalformedQuery(f"field '{value.field.name}' can not be grouped in a query call", operand.at)
        return value

    def _in_group(self, operand: Operand) -> Expr:
        """An expression of an aggregate query: grouped, or aggregated."""
        assert self._grouped is not None
        keys = self._grouped.keys
        value = self.operand(operand, grouped=True)
        if isinstance(value, Aggregate) or value in keys:
            return value
        if isinstance(value, Apply) and value.name in ("GROUPING", "FORMAT", "TOLABEL"):
            (inner,) = value.of
            if isinstance(inner, Aggregate) or inner in keys:
                return value
        raise _must_be_grouped(operand)

    # --- expressions -------------------------------------------------------------------------------------------

    def operand(self, operand: Operand, *, grouped: bool = False) -> Expr:
        if isinstance(operand, Path):
            return self.column(self.names(operand), operand.at)
        if operand.name in AGGREGATES and not grouped:
            raise MalformedQuery(f"aggregate functions are not allowed here: {operand.text}", operand.at)
        return self.call(operand)

    def call(self, call: Call) -> Expr:
        if call.name in AGGREGATES:
            return self._aggregate(call)
        if call.name == "DISTANCE":
            return self._distance(call)
        if call.name in DATES:
            return self._date_function(call)
        argument = call.args[0]
        assert not isinstance(argument, Geolocation)
        if call.name == "CONVERTTIMEZONE":
            raise MalformedQuery("convertTimezone() is only allowed inside a date function", call.at)
        if call.name == "GROUPING":
            if self._grouped is None or not self._grouped.how:
                raise MalformedQuery("GROUPING() is only allowed with GROUP BY ROLLUP or CUBE", call.at)
            return Apply("GROUPING", (self.operand(argument),), "int")
        if call.name == "FORMAT":
            value = self.operand(argument, grouped=self._grouped is not None)
            scale = value.field.scale if isinstance(value, Column) else 2
            return Apply("FORMAT", (value,), "string", (value.type, scale))
        return self._label(argument)

    def _label(self, argument: Operand) -> Expr:
        """`toLabel(field)`: the labels of a picklist; other text is its own label."""
        value = self.operand(argument)
        found = value.field if isinstance(value, Column) else None
        labels: list[str] = []
        if found is not None and found.type in ("picklist", "multipicklist", "combobox"):
            for one in found.picklist_values:
                if one.label != one.value:
                    labels += [one.value, one.label]
        many = found is not None and found.type == "multipicklist"
        return Apply("LABELS" if many and labels else "TOLABEL", (value,), "string", tuple(labels))

    def _aggregate(self, call: Call) -> Aggregate:
        argument = call.args[0]
        if not isinstance(argument, Path):
            raise MalformedQuery(f"unexpected token: '{argument.name if isinstance(argument, Call) else '('}'", call.at)
        value = self.column(self.names(argument), argument.at)
        allowed = AGGREGATE_TYPES[call.name]
        found = value.field if isinstance(value, Column) else None
        id_count = call.name in ("COUNT", "COUNT_DISTINCT") and value.type in ("id", "reference")
        fits = value.type in allowed if allowed is not None else found is None or bool(found.aggregatable) or id_count
        if not fits or (found is not None and found.calculated):
            raise MalformedQuery(f"field {argument.names[-1]} does not support aggregate operator {call.name}", call.at)
        ranks: tuple[str, ...] = ()
        if call.name in ("MIN", "MAX") and found is not None and found.type == "picklist":
            ranks = tuple(one.value for one in found.picklist_values)
        type_ = {"COUNT": "int", "COUNT_DISTINCT": "int", "AVG": "double"}.get(call.name, value.type)
        return Aggregate(call.name, value, type_, ranks)

    def _date_function(self, call: Call) -> Apply:
        argument, local = call.args[0], False
        if isinstance(argument, Call) and argument.name == "CONVERTTIMEZONE":
            argument, local = argument.args[0], True
        if not isinstance(argument, Path):
            raise MalformedQuery(f"unexpected token: '{getattr(argument, 'text', '(')}'", call.at)
        value = self.column(self.names(argument), argument.at)
        wrong = value.type not in DATE_TYPES or (value.type == "date" and (call.name in DATETIME_ALONE or local))
        if wrong:
            raise InvalidField(f"{call.name} does not take field '{argument.names[-1]}' of type {value.type}", call.at)
        if local:
            value = Apply("LOCAL", (value,), "datetime")
        return Apply(call.name, (value,), "date" if call.name == "DAY_ONLY" else "int")

    def _distance(self, call: Call) -> Apply:
        path, point = call.args
        assert isinstance(path, Path)
        assert isinstance(point, Geolocation)
        place = self.walk(self.names(path), path.at)
        if not isinstance(place, Place):
            raise MalformedQuery(f"DISTANCE() needs a location of one object: {path.text}", path.at)
        found = self.of(facts(place.entity).columns(place.table), place.entity, place.name, path.at).field
        sides = {key.lower(): part for key, part in compound_parts(place.entity, found)}
        latitude, longitude = sides.get("latitude"), sides.get("longitude")
        if latitude is None or longitude is None:
            raise MalformedQuery(f"DISTANCE() needs a location or an address: {path.text}", path.at)
        if not -90 <= point.latitude <= 90 or not -180 <= point.longitude <= 180:
            raise MalformedQuery("GEOLOCATION() takes a latitude of -90 to 90 and a longitude of -180 to 180", point.at)
        return Apply(
            "DISTANCE", (Column.of(place.table, latitude), Column.of(place.table, longitude)), "double",
            (point.latitude, point.longitude, call.unit),
        )  # fmt: skip

    # --- WHERE, HAVING -------------------------------------------------------------------------------------------

    def condition(self, node: Condition, *, top: bool = False, having: bool = False) -> Bound:
        """`top`: the outermost level or a list of ANDs there, where alone semi-joins may stand."""
        if isinstance(node, Compare):
            operand = node.operand
            return self._compare(operand, node.op, node.value, self._filterable(operand, having=having))
        if isinstance(node, Both):
            if node.op == "OR":
                for term in node.terms:
                    if isinstance(term, SemiJoin):
                        raise MalformedQuery("Semi join sub-selects are not allowed with the 'OR' operator", term.at)
            within = [self.condition(t, top=top and isinstance(t, SemiJoin), having=having) for t in node.terms]
            return Group(node.op, tuple(within))
        if isinstance(node, Negation):
            return Inverse(self.condition(node.term, having=having))
        if isinstance(node, SemiJoin):
            return self._semi_join(node, top=top and not having)
        expr = self._filterable(node.operand, having=having)
        if isinstance(node, Includes):
            return self._includes(node, expr)
        return self._within(node, expr)

    def _filterable(self, operand: Operand, *, having: bool) -> Expr:
        if having:
            return self._in_group(operand)
        expr = self.operand(operand)
        if isinstance(expr, Column) and not expr.filters and isinstance(operand, Path):
            if expr.field.is_compound:
                raise InvalidField("Address fields can only be filtered using Distance functions", operand.at)
            raise InvalidField(f"field '{operand.names[-1]}' can not be filtered in a query call", operand.at)
        return expr

    def _compare(self, operand: Operand, op: str, value: Literal, expr: Expr) -> Bound:
        type_, kind, name = expr.type, value.kind, _label(operand)
        boolean = type_ == "boolean"
        if kind == "null":
            if op not in ("=", "!="):
                raise MalformedQuery(f"unexpected token: '{op}'", operand.at)
            if boolean:  # = null is = false (soql.md section 3)
                return Test(expr, "=", (0 if op == "=" else 1,))
            return Test(expr, "IS NULL" if op == "=" else "IS NOT NULL")
        if kind == "moment":
            return Test(expr, op, (), span_of(type_, value, name, operand.at))
        if op == "LIKE":
            pattern = likeness(type_, value, name, operand.at)
            return Test(expr, "LIKE", (Slot(pattern, value.at, type_, like=True),))
        far = not isinstance(expr, Column) and isinstance(expr, Apply) and expr.name == "DISTANCE"
        if (boolean and op not in ("=", "!=")) or (far and op in ("=", "!=")):
            raise InvalidQueryFilterOperator(f"field '{name}' does not support this operator", operand.at)
        found = stored(type_, value, name, operand.at)
        if type_ == "multipicklist" and op in ("=", "!="):
            same = Test(expr, "SAME", tuple(parts(str(found))))
            return same if op == "=" else Inverse(same)
        return Test(expr, op, (Slot(found, value.at, type_) if kind == "string" else found,))

    def _within(self, node: Within, expr: Expr) -> Bound:
        operand, type_ = node.operand, expr.type
        name, at = _label(operand), operand.at
        if not isinstance(expr, Column) and isinstance(expr, Apply) and expr.name == "DISTANCE":
            raise InvalidQueryFilterOperator(f"field '{name}' does not support this operator", at)
        kinds = [value.kind for value in node.values]
        if "moment" in kinds:
            value = node.values[kinds.index("moment")]
            raise MalformedQuery(f"unexpected token: '{value.value}'", value.at)
        null = "null" in kinds
        given: list[Value | Slot] = []
        for kind, value in zip(kinds, node.values, strict=True):
            if kind != "null":
                found = stored(type_, value, name, at)
                given.append(Slot(found, value.at, type_) if kind == "string" else found)
        test = Test(expr, "NOT IN" if node.negated else "IN", tuple(given))
        if not null:
            return test
        if node.negated:
            return Group("AND", (test, Test(expr, "IS NOT NULL")))
        return Group("OR", (test, Test(expr, "IS NULL")))

    def _includes(self, node: Includes, expr: Expr) -> Bound:
        name, at = _label(node.operand), node.operand.at
        op = "EXCLUDES" if node.negated else "INCLUDES"
        if expr.type != "multipicklist":
            raise InvalidQueryFilterOperator(
                f"field '{name}' of type {expr.type} does not support the operator {op}", at
            )
        tests = []
        for value in node.values:
            if value.kind == "null":
                tests.append(Test(expr, "IS NULL"))
            else:
                tests.append(Test(expr, "INCLUDES", tuple(parts(compared(expr.type, value, name, at)))))
        any_of: Bound = tests[0] if len(tests) == 1 else Group("OR", tuple(tests))
        return Inverse(any_of) if node.negated else any_of

    def _semi_join(self, node: SemiJoin, *, top: bool) -> Semi:
        """`X [NOT] IN (SELECT Y FROM ...)` with the limits of `soql.md` section 3."""
        query, operand = node.query, node.operand
        if self._link is None and self._depth:
            raise MalformedQuery("Nesting of semi join sub-selects is not supported", node.at)
        if not top:
            raise MalformedQuery(
                "Semi join sub-selects are only allowed at the top level WHERE expressions and not in nested WHERE "
                "expressions.",
                node.at,
            )
        self._semi_joins += 1
        if self._semi_joins > MAX_SEMI_JOINS:
            raise TooManySemiJoins(f"Maximum {MAX_SEMI_JOINS} semi join sub-selects are allowed", node.at)
        if not isinstance(operand, Path) or len(self.names(operand)) != 1:
            raise MalformedQuery(
                f"The left operand '{_label(operand)}' cannot have more than one level of relationships", operand.at
            )
        expr = self.column(self.names(operand), operand.at)
        if expr.type not in ("id", "reference"):
            raise MalformedQuery(
                "The left operand field in the where expression for outer query should be an id field, cannot use: "
                f"'{operand.names[-1]}'", operand.at,
            )  # fmt: skip
        entity = self.shared.catalog.get(query.source.path.text)
        if entity is None or not facts(entity).queryable:
            raise InvalidType(query.source.path.text, query.source.path.at)
        if entity.name == self.entity.name:
            raise MalformedQuery(
                "The inner and outer selects should not be on the same object type", query.source.path.at
            )
        if entity.name.lower() in _NO_SEMI_JOIN:
            raise MalformedQuery(
                f"Entity '{entity.name}' is not supported for semi join inner selects", query.source.path.at
            )
        item = query.select[0] if len(query.select) == 1 else None
        path = item.what if isinstance(item, Item) and item.alias is None else None
        ending = query.order or query.limit is not None or query.offset is not None or query.group is not None
        if not isinstance(path, Path) or ending or query.viewed:
            raise MalformedQuery(
                "semi join sub-selects select one id field, without ORDER BY, LIMIT or GROUP BY", node.at
            )
        inner = _Binder(self.shared, entity, query, depth=1)
        value = inner.column(inner.names(path), path.at)
        if len(inner.names(path)) != 1 or value.type not in ("id", "reference"):
            raise MalformedQuery(f"Semi join sub-selects can only query id fields, cannot use: '{path.text}'", path.at)
        if not _targets(expr, self.entity) & _targets(value, entity):
            raise MalformedQuery(
                f"The selected field '{path.names[-1]}' in the subquery and the left operand field in the where expression "
                f"in the outer query '{operand.names[-1]}' should point to the same object type", operand.at,
            )  # fmt: skip
        return Semi(expr, node.negated, inner.query(), value)

    # --- ORDER BY ----------------------------------------------------------------------------------------------

    def _order(self) -> tuple[Sort, ...]:
        found: list[Sort] = []
        for one in self._query.order:
            operand = one.operand
            expr = self.operand(operand) if self._grouped is None else self._in_group(operand)
            if isinstance(expr, Column):
                field = expr.field
                if not field.sortable or field.is_compound or field.calculated:
                    raise MalformedQuery(f"field '{field.name}' can not be sorted in a query call", operand.at)
            first = (not one.descending) if one.nulls_first is None else one.nulls_first
            ranks = _ranks(expr)
            if ranks:  # picklists sort in their own order, what is not in it behind
                found.append(Sort(Apply("RANK", (expr,), "int", ranks), one.descending, first))
            found.append(Sort(expr, one.descending, first))
        return tuple(found)


def _aggregate_query(query: Query) -> bool:
    """Whether SELECT has an aggregate function."""
    for item in query.select:  # noqa: SIM110 - a loop costs less than a generator, and this is asked of every statement
        if isinstance(item, Item) and not isinstance(item.what, Path) and _aggregates(item.what):
            return True
    return False


def _aggregates(call: Call) -> bool:
    """Whether a function makes its query an aggregate one."""
    return call.name in AGGREGATES or any(isinstance(arg, Call) and _aggregates(arg) for arg in call.args)


def _label(operand: Operand) -> str:
    return operand.names[-1] if isinstance(operand, Path) else operand.text


def _at(operand: Operand) -> int:
    return operand.at


def _must_be_grouped(operand: Operand) -> MalformedQuery:
    inner: Operand | Geolocation = operand
    while isinstance(inner, Call):
        inner = inner.args[0]
    name = inner.text if isinstance(inner, Path) else operand.text
    return MalformedQuery(f"Field must be grouped or aggregated: {name}", operand.at)


def _targets(expr: Expr, entity: Entity) -> set[str]:
    """The objects that the Ids of a column belong to."""
    if isinstance(expr, Column) and expr.field.type == "reference":
        return set(expr.field.reference_to)
    return {entity.name}


def _ranks(expr: Expr) -> tuple[str, ...]:
    if isinstance(expr, Column) and expr.field.type == "picklist":
        return tuple(one.value for one in expr.field.picklist_values)
    return ()


def _page(root: Node) -> int:
    """How many rows a page has: fewer where long text is selected (soql.md sections 2 and 4)."""
    long = [
        item.field for item in root.items.values()
        if isinstance(item, Column) and item.type == "textarea" and (item.field.length or 0) > _LONG
    ]  # fmt: skip
    if sum(1 for field in long if field.custom) >= 2:
        return _LONG_CUSTOM_PAGE
    return _LONG_PAGE if long else 2000
