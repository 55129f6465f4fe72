"""
A SOQL condition as a function of JSON values: the filter of a channel member, `--where` of a tail. Pure.

Text compares without case, LIKE knows `%` and `_`, a field that is null or absent compares to null alone. Conditions that need
the database or a clock (semi-joins, date literals such as TODAY, functions) are refused.

Source: `events.md` section 5 (filterExpression is SOQL-like).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from landbridge import values as wire
from landbridge.errors import InvalidField, MalformedQuery, QueryError, QueryUnsupported
from landbridge.soql.parse import parse, placed
from landbridge.soql.tree import Both, Compare, Condition, Includes, Literal, Negation, Operand, Path, Within

Values = Mapping[str, Any]
Predicate = Callable[[Values], bool]
KnownField = Callable[[tuple[str, ...]], tuple[str, ...] | None]
"""The path of a field as the values have it; None for a field that is none."""

_PREFIX = "SELECT Id FROM Filtered WHERE "
_OTHER = ("count", "others", "scope", "group", "having", "order", "offset", "viewed")
_ORDERED: dict[str, Callable[[Any, Any], bool]] = {
    "<": lambda a, b: a < b, "<=": lambda a, b: a <= b, ">": lambda a, b: a > b, ">=": lambda a, b: a >= b,
}  # fmt: skip


def predicate(text: str, known: KnownField = lambda path: path) -> Predicate:
    """
    The condition as a function of an event's values (compounds nested).

    Raises MalformedQuery for text that is no condition, InvalidField for an unknown field, QueryUnsupported.
    """
    query = parse(_PREFIX + text)
    if query.where is None or any(getattr(query, clause) for clause in _OTHER) or query.limit is not None:
        raise MalformedQuery(f"a filter is one condition, without other clauses: {text}")
    try:
        return _compile(query.where, known)
    except QueryError as error:
        placed(error, query.text)
        error.at = None if error.at is None else error.at - len(_PREFIX)
        raise


def _compile(condition: Condition, known: KnownField) -> Predicate:
    if isinstance(condition, Both):
        terms = [_compile(term, known) for term in condition.terms]
        if condition.op == "AND":
            return lambda values: all(term(values) for term in terms)
        return lambda values: any(term(values) for term in terms)
    if isinstance(condition, Negation):
        inner = _compile(condition.term, known)
        return lambda values: not inner(values)
    if isinstance(condition, Compare):
        return _compare(_field(condition.operand, known), condition.op, condition.value)
    if isinstance(condition, Within):
        field, wanted, negated = (
            _field(condition.operand, known),
            [_equal(v) for v in condition.values],
            condition.negated,
        )
        return lambda values: any(one(field(values)) for one in wanted) is not negated
    if isinstance(condition, Includes):
        return _includes(_field(condition.operand, known), condition)
    raise QueryUnsupported("a semi-join in a filter of events")


def _field(operand: Operand, known: KnownField) -> Callable[[Values], Any]:
    if not isinstance(operand, Path):
        raise QueryUnsupported("a function in a filter of events", operand.at)
    path = known(operand.names)
    if path is None:
        raise InvalidField(f"No such field in these events: {operand.text}", None)
    name, *rest = path

    def get(values: Values) -> Any:
        found: Any = values.get(name)
        for part in rest:
            found = found.get(part) if isinstance(found, Mapping) else None
        return found

    return get


def _compare(field: Callable[[Values], Any], op: str, literal: Literal) -> Predicate:
    if op == "LIKE":
        pattern = _like(str(literal.value))
        return lambda values: isinstance(found := field(values), str) and pattern.fullmatch(found) is not None
    if op in ("=", "!="):
        equal, wanted = _equal(literal), op == "="
        return lambda values: equal(field(values)) is wanted
    against, test = _value(literal), _ORDERED[op]

    def ordered(values: Values) -> bool:
        found = _comparable(field(values), literal.kind)
        if found is None or isinstance(found, str) != isinstance(against, str):
            return False
        return test(found, against)

    return ordered


def _equal(literal: Literal) -> Callable[[Any], bool]:
    against = _value(literal)
    return lambda found: _comparable(found, literal.kind) == against


def _value(literal: Literal) -> Any:
    if literal.kind == "moment":
        raise QueryUnsupported("a date literal in a filter of events", literal.at)
    if literal.kind == "datetime":
        try:
            return wire.parse_datetime(str(literal.value))
        except ValueError:
            raise MalformedQuery(f"{literal.value} is no datetime") from None
    return literal.value.lower() if isinstance(literal.value, str) else literal.value


def _comparable(found: Any, kind: str) -> Any:
    """A value in the form in which it compares to a literal of this kind."""
    if kind == "null":
        return found
    if kind == "datetime" and isinstance(found, str):
        try:
            return wire.parse_datetime(found)
        except ValueError:
            return None
    if isinstance(found, bool) != (kind == "boolean"):
        return None
    return found.lower() if isinstance(found, str) else found


def _like(text: str) -> re.Pattern[str]:
    """A LIKE pattern, in which a backslash takes a wildcard's meaning away."""
    parts = []
    escaped = False
    for char in text:
        if escaped:
            parts.append(re.escape(char))
            escaped = False
        elif char == "\\":
            escaped = True
        else:
            parts.append({"%": ".*", "_": "."}.get(char) or re.escape(char))
    return re.compile("".join(parts), re.IGNORECASE | re.DOTALL)


def _includes(field: Callable[[Values], Any], condition: Includes) -> Predicate:
    groups = [frozenset(part.lower() for part in wire.split_multipicklist(str(v.value))) for v in condition.values]

    def test(values: Values) -> bool:
        found = field(values)
        held = {part.lower() for part in wire.split_multipicklist(found)} if isinstance(found, str) else set()
        return any(group <= held for group in groups) is not condition.negated

    return test
