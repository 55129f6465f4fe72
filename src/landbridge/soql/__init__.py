"""SOQL: lex, parse, bind, emit, run. All pure but run."""

from landbridge.soql import locators
from landbridge.soql.bind import bind
from landbridge.soql.bound import BoundQuery
from landbridge.soql.columns import column_metadata
from landbridge.soql.emit import emit
from landbridge.soql.explain import explain
from landbridge.soql.front import Front
from landbridge.soql.locators import TABLES
from landbridge.soql.moments import Asked
from landbridge.soql.parse import parse
from landbridge.soql.predicate import Predicate, predicate
from landbridge.soql.run import Cursor, Page, Row, query_json, recent, resume, row, run
from landbridge.soql.statement import Statement
from landbridge.soql.viewed import viewed

__all__ = [
    "TABLES",
    "Asked",
    "BoundQuery",
    "Cursor",
    "Front",
    "Page",
    "Predicate",
    "Row",
    "Statement",
    "bind",
    "column_metadata",
    "emit",
    "explain",
    "locators",
    "parse",
    "predicate",
    "query_json",
    "recent",
    "resume",
    "row",
    "run",
    "viewed",
]
