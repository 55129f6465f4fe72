"""
How a query will be run: what `query?explain=` answers, from the database's own plan and real counts.

The shape is the platform's, its costs are not: below 1 the filter is selective, as there, but the figures are those of this
database.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from landbridge.soql.bound import Bound, Column, Group, Inverse
from landbridge.soql.moments import Asked
from landbridge.soql.run import bound_params
from landbridge.soql.statement import Statement
from landbridge.storage import Reader
from landbridge.storage.dialect import quote

_INDEX = re.compile(r"USING (?:COVERING )?INDEX (\S+)|USING INTEGER PRIMARY KEY")
_SELECTIVE = 0.3
"""The share of an object's rows up to which the platform's optimizer follows a standard index."""


def explain(reader: Reader, statement: Statement, asked: Asked) -> dict[str, Any]:
    """`{"plans": [...]}`, the plan that is followed first; a scan of the table is always the other one."""
    bound = statement.bound
    name = bound.entity.name
    params = bound_params(statement, asked)
    total = reader.one(f"SELECT count(*) FROM {quote(name)}")
    found = reader.one(statement.total(), params)
    assert total is not None
    assert found is not None
    size, matches = int(total[0]), int(found[0])
    filtered = sorted({column.field.name for column in _columns(bound.where) if column.table == bound.scope.table})
    plans = []
    indexed = _leading_index(reader, statement, params)
    if indexed:
        share = matches / size if size else 0.0
        plans.append(_plan(name, "Index", [indexed], matches, size, share / _SELECTIVE))
    notes = [
        {
            "description": "Not considering filter for optimization because unindexed",
            "fields": [field],
            "tableEnumOrId": name,
        }
        for field in [*(f for f in filtered if f != indexed), *(["IsDeleted"] if not bound.all_rows else [])]
    ]
    scan = _plan(name, "TableScan", [], matches, size, 1.0 + (matches / size if size else 0.0))
    scan["notes"] = notes
    return {"plans": [*plans, scan], "sourceQuery": statement.text}


def _plan(name: str, kind: str, fields: list[str], cardinality: int, size: int, cost: float) -> dict[str, Any]:
    return {
        "cardinality": cardinality,
        "fields": fields,
        "leadingOperationType": kind,
        "notes": [],
        "relativeCost": round(cost, 3),
        "sobjectCardinality": size,
        "sobjectType": name,
    }


def _leading_index(reader: Reader, statement: Statement, params: dict[str, Any]) -> str | None:
    """The field whose index the database reads the object's own table by; None for a scan."""
    table = f"t{statement.bound.scope.table}"
    for row in reader.all(f"EXPLAIN QUERY PLAN {statement.total()}", params):
        detail = str(row[3])
        match = _INDEX.search(detail)
        if detail.startswith(f"SEARCH {table} ") and match is not None:
            index = match[1] or ""
            return (
                "Id"
                if index.startswith("sqlite_autoindex") or not index
                else index.rpartition(f"{statement.entity.name}_")[2]
            )
    return None


def _columns(where: Bound | None) -> Iterator[Column]:
    if isinstance(where, Group):
        for term in where.terms:
            yield from _columns(term)
    elif isinstance(where, Inverse):
        yield from _columns(where.term)
    elif where is not None:
        expr = where.expr
        if isinstance(expr, Column):
            yield expr
