"""
SOQL: text to SQL against lark's parse of the same text, queries of every kind over HTTP, a million rows paged through.

The grammar is written for lark's fastest parser (LALR, contextual lexer) and covers what the texts below need; ours does all of SOQL,
binds every name and writes the SQL in its time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.__main__ import Table

TEXTS = (
    "SELECT Id, Name, Industry, AnnualRevenue FROM Account WHERE Industry = 'Technology' AND AnnualRevenue > 1000 "
    "ORDER BY Name DESC NULLS LAST LIMIT 200",
    "SELECT Id, LastName, Account.Name, Account.Owner.Name FROM Contact WHERE Account.Name LIKE 'A%' AND "
    "CreatedDate = LAST_N_DAYS:30 ORDER BY LastName",
    "SELECT Id, Name, (SELECT Id, LastName FROM Contacts ORDER BY LastName LIMIT 5) FROM Account WHERE Id IN "
    "('001000000000001AAA', '001000000000002AAA', '001000000000003AAA')",
    "SELECT Industry, COUNT(Id) n, SUM(AnnualRevenue) total FROM Account WHERE CreatedDate > 2024-01-01T00:00:00Z "
    "GROUP BY Industry HAVING COUNT(Id) > 1 ORDER BY COUNT(Id) DESC",
    "SELECT Id, Subject FROM Task WHERE (Status = 'Open' OR Priority = 'High') AND NOT (Subject LIKE '%x%') AND What.Type IN "
    "('Account', 'Opportunity')",
)
GRAMMAR = r"""
    start: "SELECT"i item ("," item)* "FROM"i NAME where? group? having? order? limit?
    item: func NAME? | NAME | "(" start ")"
    func: NAME "(" (func | NAME)? ")"
    where: "WHERE"i cond
    cond: term (AND term)* | term (OR term)*
    term: "NOT"i term | "(" cond ")" | operand OP value | operand "LIKE"i STRING | operand "NOT"i? "IN"i "(" value ("," value)* ")"
    operand: func | NAME
    value: STRING | NUMBER | DATETIME | DATE | "TRUE"i | "FALSE"i | "NULL"i | NAME (":" NUMBER)?
    group: "GROUP"i "BY"i operand ("," operand)*
    having: "HAVING"i cond
    order: "ORDER"i "BY"i sort ("," sort)*
    sort: operand ("ASC"i | "DESC"i)? ("NULLS"i ("FIRST"i | "LAST"i))?
    limit: "LIMIT"i NUMBER ("OFFSET"i NUMBER)?
    AND: "AND"i
    OR: "OR"i
    OP: "<=" | ">=" | "!=" | "<>" | "=" | "<" | ">"
    NAME: /[A-Za-z_]\w*(\.[A-Za-z_]\w*)*/
    STRING: /'([^'\\]|\\.)*'/
    DATETIME.3: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:?\d\d)/
    DATE.2: /\d{4}-\d\d-\d\d/
    NUMBER: /[+-]?\d+(\.\d+)?/
    %ignore /\s+/
"""
LOOPS = 300


def front(table: Table) -> None:
    """Text to SQL, microseconds a statement: cold, warm by exact text, warm with another literal; lark's parse alone."""
    from lark import Lark

    from landbridge.access import Access
    from landbridge.ids import RecordId
    from landbridge.schema import standard
    from landbridge.schema.catalog import Catalog
    from landbridge.soql import Front, bind, emit, parse

    lark = Lark(GRAMMAR, parser="lalr")
    catalog, access = Catalog(standard.load()), Access(RecordId("005000000000001AAA"))
    kept = Front()

    def timed(name: str, work: Callable[[str], object]) -> None:
        for text in TEXTS:
            work(text)
        start = time.perf_counter()
        for _ in range(LOOPS):
            for text in TEXTS:
                work(text)
        table.add(name, (time.perf_counter() - start) / LOOPS / len(TEXTS) * 1e6)

    turn = iter(range(10**9))
    for _ in range(3):
        timed("lark parse", lark.parse)
        timed("text to SQL, cold", lambda text: emit(bind(parse(text), catalog, access), 67.0, text))
        timed("text to SQL, warm", lambda text: kept.prepare(text, catalog, access, 67.0))
        timed(
            "text to SQL, warm, other literals",
            lambda text: kept.prepare(text.replace("A%", f"A{next(turn)}%").replace("'Technology'", f"'T{next(turn)}'")
                                      .replace("001000000000001AAA", f"001{next(turn):012d}AAA"), catalog, access, 67.0),
        )  # fmt: skip
