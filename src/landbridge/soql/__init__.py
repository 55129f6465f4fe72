"""SOQL: lex, parse, bind, emit, run. All pure but run."""

from landbridge.soql import locators
from landbridge.soql.bind import BoundQuery, bind
from landbridge.soql.emit import Statement, emit
from landbridge.soql.locators import TABLES
from landbridge.soql.moments import Clockface
from landbridge.soql.parse import parse
from landbridge.soql.run import Cursor, Front, Page, query_json, recent, resume, row, run

__all__ = [
    "TABLES",
    "BoundQuery",
    "Clockface",
    "Cursor",
    "Front",
    "Page",
    "Statement",
    "bind",
    "emit",
    "locators",
    "parse",
    "query_json",
    "recent",
    "resume",
    "row",
    "run",
]
