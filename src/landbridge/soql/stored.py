"""
Literals against the type of what they are compared with: the stored form, or Salesforce's error. Pure.

Source: `soql.md` sections 1, 3 and 5.
"""

from __future__ import annotations

from typing import Final

from landbridge import ids, values
from landbridge.errors import InvalidField, InvalidQueryFilterOperator, MalformedQuery
from landbridge.soql.moments import Span
from landbridge.soql.tree import Literal
from landbridge.storage import Value

_KIND_OF: Final[dict[str, tuple[str, ...]]] = {
    "boolean": ("boolean",), "int": ("number",), "long": ("number",), "double": ("number",), "currency": ("number",),
    "percent": ("number",), "date": ("date",), "datetime": ("datetime", "date"), "time": ("time",),
}  # fmt: skip
_TEXT: Final = ("string",)
_TYPE_NAME: Final = {"datetime": "dateTime", "long": "int"}
LONGEST: Final = 4000
"""Characters of a string in a filter (soql.md section 1)."""


def stored(type_: str, literal: Literal, name: str, at: int) -> Value:
    """A literal as a column of this type stores it. Raises for a literal of a wrong kind, or an Id that is none."""
    kind, value = literal.kind, literal.value
    if kind not in _KIND_OF.get(type_, _TEXT):
        raise _wrong_kind(type_, name, at)
    if type_ in ("id", "reference"):
        text = str(value)
        record_id = ids.normalize(text) if text else None
        if record_id is None and text:
            raise InvalidQueryFilterOperator(f"invalid ID field: {text}", at)
        return record_id
    if kind == "boolean":
        return int(bool(value))
    if kind in ("date", "datetime", "time"):
        return _moment(type_, literal)
    assert not isinstance(value, bool)
    if isinstance(value, str) and len(value) > LONGEST:
        raise MalformedQuery(f"a string in a filter is at most {LONGEST} characters long", literal.at)
    return value


def compared(type_: str, literal: Literal, name: str, at: int) -> str:
    """A literal that has to be text."""
    return str(stored(type_, literal, name, at) or "")


def _wrong_kind(type_: str, name: str, at: int) -> InvalidField:
    text = type_ not in _KIND_OF
    quotes = "should be enclosed in quotes" if text else "should not be enclosed in quotes"
    shown = "string" if text else _TYPE_NAME.get(type_, type_)
    return InvalidField(f"value of filter criterion for field '{name}' must be of type {shown} and {quotes}", at)


def span_of(type_: str, literal: Literal, name: str, at: int) -> Span:
    """A date literal for a date or datetime. Raises InvalidField for other types."""
    if type_ not in ("date", "datetime"):
        raise _wrong_kind(type_, name, at)
    return Span(str(literal.value), literal.n, type_ == "datetime")


def _moment(type_: str, literal: Literal) -> str:
    parse = {"date": values.parse_date, "datetime": values.parse_datetime, "time": values.parse_time}[type_]
    text = str(literal.value)
    if literal.kind == "datetime" and "." not in text and text[-3] != ":" and text[-1] not in "zZ":
        # +0000 without a fraction: the query parser takes what the JSON parser refuses.
        text = f"{text[:-2]}:{text[-2:]}"
    try:
        return parse(text.replace("z", "Z"))
    except (ValueError, OverflowError):
        raise MalformedQuery(f"Invalid date: {text}", literal.at) from None


def likeness(type_: str, literal: Literal, name: str, at: int) -> str:
    """The pattern of a LIKE. Raises for what is not compared by LIKE."""
    if type_ not in values.TEXT_TYPES or type_ == "multipicklist":
        raise InvalidQueryFilterOperator(f"field '{name}' of type {type_} does not support the operator LIKE", at)
    if literal.kind != "string":
        raise _wrong_kind(type_, name, at)
    return compared(type_, literal, name, at)


def parts(text: str) -> list[str]:
    """The values of a multi-select literal, `AAA;BBB`."""
    return values.split_multipicklist(text)
