"""
What a result's columns are called and hold: `columnMetadata` of `query?columns=true`, by which `sf data query` lays out its
tables. Pure.

Source: `clients.md`, item 8 of what tools depend on; names of the wrapping keys guessed.
"""

from __future__ import annotations

from typing import Any

from landbridge import values
from landbridge.soql.bound import (
    Aggregate,
    Apply,
    BoundQuery,
    Children,
    Choice,
    Column,
    Node,
    Shown,
)

_APEX = {
    "id": "Id", "reference": "Id", "boolean": "Boolean", "int": "Integer", "long": "Long", "double": "Decimal",
    "currency": "Decimal", "percent": "Decimal", "date": "Date", "datetime": "Datetime", "time": "Time",
    "address": "Address", "location": "Location", "base64": "Blob",
}  # fmt: skip


def column_metadata(bound: BoundQuery) -> dict[str, Any]:
    """The reply to `columns=true`: the object, and its columns in the order of SELECT."""
    grouped = bound.grouped
    if grouped is not None:
        columns = [_column(key, item) for key, item in grouped.shown]
    else:
        columns = [_column(key, item) for key, item in bound.root.items.items()]
    return {
        "columnMetadata": columns,
        "entityName": bound.entity.name,
        "groupBy": grouped is not None and bool(grouped.keys),
        "idSelected": grouped is None and "Id" in bound.root.items,
        "keyPrefix": bound.entity.key_prefix,
    }


def _column(key: str, item: Shown) -> dict[str, Any]:
    joined: list[dict[str, Any]] = []
    aggregate, display = False, key
    if isinstance(item, Children):
        joined = column_metadata(item.query)["columnMetadata"]
        aggregate = True
    elif isinstance(item, Node):
        joined = [_column(name, inner) for name, inner in item.items.items()]
    elif isinstance(item, Choice):
        names = {name: inner for _, _, node in item.branches for name, inner in node.items.items()}
        joined = [_column(name, inner) for name, inner in names.items()]
    elif isinstance(item, Aggregate):
        aggregate = True
        display = f"{item.name}({item.of.field.name})" if isinstance(item.of, Column) else item.name
    elif isinstance(item, Apply):
        aggregate = key.startswith("expr")
        display = item.name if aggregate else key
    field = item.field if isinstance(item, Column) else None
    type_ = "" if isinstance(item, (Node, Children, Choice)) else item.type
    return {
        "aggregate": aggregate,
        "apexType": _APEX.get(type_, "String") if type_ else "complexvalue",
        "booleanType": type_ == "boolean",
        "columnName": key,
        "custom": field is not None and field.custom,
        "displayName": display,
        "foreignKeyName": field.reference_to[0] if field is not None and field.reference_to else None,
        "insertable": field is not None and bool(field.createable),
        "joinColumns": joined,
        "numberType": type_ in values.NUMBER_TYPES,
        "textType": bool(type_) and type_ not in _APEX,
        "updatable": field is not None and bool(field.updateable),
    }
