"""
SOQL: text to SQL against lark's parse of the same text, queries of every kind over HTTP, a million rows paged through.

The grammar is written for lark's fastest parser (LALR, contextual lexer) and covers what the texts below need; ours does all of SOQL,
binds every name and writes the SQL in its time.
"""

from __future__ import annotations

import gc
import http.client
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote

from bench import compiled, floors, servers
from bench.load import Job
from bench.rows import DATA, FIELDS, integration, source
from bench.servers import Running
from bench.table import SECONDS, Section, Table, rounds

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
LOOPS = 100
TURNS = 5
"""Every figure is the median of so many turns of so many loops."""


def measure() -> None:
    """
    In a process of its own, with whatever `landbridge` it finds: prints a name and microseconds a statement, a line each.

    Cold is without the caches of texts; what the catalogue has derived for its objects (`soql/facts.py`) stays, as it does in a
    server from its first queries on.
    """
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
        print(f"{name} {(time.perf_counter() - start) / LOOPS / len(TEXTS) * 1e6}")

    turn = iter(range(10**9))
    gc.collect()
    gc.freeze()  # as `landbridge serve` does once the catalogue stands
    for _ in range(TURNS):
        timed("lark parse", lark.parse)
        timed("text to SQL, cold", lambda text: emit(bind(parse(text), catalog, access), 67.0, text))
        timed("text to SQL, warm", lambda text: kept.prepare(text, catalog, access, 67.0))
        timed(
            "text to SQL, warm, other literals",
            lambda text: kept.prepare(text.replace("A%", f"A{next(turn)}%").replace("'Technology'", f"'T{next(turn)}'")
                                      .replace("001000000000001AAA", f"001{next(turn):012d}AAA"), catalog, access, 67.0),
        )  # fmt: skip


def front(table: Table) -> None:
    """Text to SQL as a wheel has it, compiled, and as a clone has it, interpreted; lark's parse in the same processes."""
    wheel = compiled.site()

    def run_in(place: Path | None) -> dict[str, float]:
        found = dict(os.environ) if place is None else {**os.environ, "PYTHONPATH": str(place)}
        command = [sys.executable, "-m", "bench.language"]
        lines = subprocess.run(
            command, stdout=subprocess.PIPE, text=True, check=True, cwd=servers.ROOT, env=found
        ).stdout
        values: dict[str, list[float]] = {}
        for line in lines.splitlines():
            name, _, value = line.rpartition(" ")
            values.setdefault(name, []).append(float(value))
        return {name: statistics.median(times) for name, times in values.items()}

    def each(_: int) -> None:
        for how, place in (("interpreted", None), ("compiled", wheel)):
            if how == "interpreted" or place is not None:
                for name, value in run_in(place).items():
                    table.add(f"{name}, {how}", value)

    rounds(each)


# --- rows ------------------------------------------------------------------------------------------------------------------

ACCOUNTS, CONTACTS, MANY = 20_000, 2_000, 1_000_000
QUERIES = {
    "flat": f"SELECT {FIELDS} FROM Account WHERE Batch__c = 'I1'",
    "parent path": "SELECT Id, LastName, Phone, Email, Account.Name, Account.Industry FROM Contact WHERE Department = 'C'",
    "child subquery": "SELECT Id, Name, (SELECT Id, LastName, Phone, Email FROM Contacts) FROM Account WHERE Batch__c = 'FIVE'",
    "aggregate": "SELECT Industry, COUNT(Id) n, SUM(AnnualRevenue) s, MAX(Name) m FROM Account WHERE Batch__c = 'I1' GROUP BY Industry",
}
"""Each touches 2,000 rows: 2,000 accounts, 2,000 contacts of 5 accounts, the same from above, 2,000 accounts in groups."""


def clone(database: sqlite3.Connection, table: str, prefix: str, number: int, first: int, **changes: str) -> None:
    """Copy the table's one row so many times under new ids; `changes` are SQL over the row's number `n`."""
    columns = [row[1] for row in database.execute(f'PRAGMA table_info("{table}")')]
    shown = {"Id": f"'{prefix}' || printf('%012d', n) || 'AAA'", **changes}
    chosen = ", ".join(f"({shown[name]})" if name in shown else f't."{name}"' for name in columns)
    database.execute(
        f"WITH RECURSIVE s(n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM s WHERE n < {first + number - 1}) "
        f'INSERT INTO "{table}" SELECT {chosen} FROM s, (SELECT * FROM "{table}" LIMIT 1) t'
    )


def plant(folder: Path, many: int) -> None:
    """An org's folder with the rows of QUERIES, and `many` leads; written while no server has it."""
    with servers.ours(folder, source=source(folder)) as org:
        connection = http.client.HTTPConnection("127.0.0.1", org.port)
        headers = {"Authorization": f"Bearer {org.ready['access_token']}", "Content-Type": "application/json"}
        for name, values in (
            ("Account", {"Name": "a", "Phone": "+1 555", "Website": "https://example.com"}),
            ("Contact", {"LastName": "c", "Phone": "+1 555 1", "Email": "c@example.com"}),
            ("Lead", {"LastName": "l", "Company": "c", "Email": "l@example.com"}),
        ):
            connection.request("POST", f"{DATA}/sobjects/{name}", json.dumps(values), headers)
            reply = connection.getresponse()
            assert reply.status == 201, reply.read()
            reply.read()
        connection.close()
    database = sqlite3.connect(folder / "org" / "org.sqlite")
    clone(database, "Account", "001", ACCOUNTS, 5_000_000, Name="'Account name ' || n", Ext__c="'EXT-' || n",
          Industry="CASE n % 4 WHEN 0 THEN 'Energy' WHEN 1 THEN 'Banking' WHEN 2 THEN 'Media' ELSE 'Other' END",
          AnnualRevenue="1234.5 + n", NumberOfEmployees="n % 1000", Batch__c="'I' || ((n - 5000000) / 2000)")  # fmt: skip
    clone(database, "Account", "001", 5, 6_000_000, Name="'Parent ' || n", Ext__c="'P-' || n", Batch__c="'FIVE'")
    clone(database, "Contact", "003", CONTACTS, 5_000_000, LastName="'Last ' || n", Department="'C'",
          AccountId="'001' || printf('%012d', 6000000 + (n % 5)) || 'AAA'")  # fmt: skip
    clone(database, "Lead", "00Q", many, 5_000_000, LastName="'Lead ' || n")
    database.commit()
    database.execute("ANALYZE")
    database.close()


def queries(table: Table, org: Running, peer: Running | None, folder: Path) -> None:
    cfloor = floors.build("cfloor")
    floors.make_rows(folder / "rows.db")
    bearer = {"Authorization": f"Bearer {org.ready['access_token']}"}
    read_only = {"Authorization": f"Bearer {integration(org)}"}

    def rate(soql: str, headers: dict[str, str]) -> float:
        return org.load(Job(0, "GET", f"{DATA}/query?q={quote(soql)}", headers, "", 2, SECONDS)).rate * 2000

    def each(_: int) -> None:
        for name, soql in QUERIES.items():
            table.add(f"2,000 rows, {name}", rate(soql, bearer))
        table.add("2,000 rows, flat, read-only user", rate(QUERIES["flat"], read_only))
        if peer is not None:
            job = Job(0, "GET", "/services/data/v60.0/query", {}, "", 2, SECONDS)
            table.add("2,000 rows, FastAPI", peer.load(job).rate * 2000)
        if cfloor is not None:
            table.add("2,000 rows, C JSON floor", floors.json_rows(cfloor, folder / "rows.db"))

    rounds(each)


def pages(table: Table, org: Running, many: int) -> None:
    """All leads in pages of 2,000, after a first walk that filled SQLite's page cache: times at both ends, and what memory grew by."""
    walk(org, many)
    before = org.resident()
    times = walk(org, many)
    tenth = max(len(times) // 10, 1)
    for value in times[1 : tenth + 1]:  # the first page also counts all rows
        table.add("a page, first tenth", value * 1e3)
    for value in times[-tenth:]:
        table.add("a page, last tenth", value * 1e3)
    table.add("memory before the pages", before)
    table.add("memory after the pages", org.resident())


def walk(org: Running, many: int) -> list[float]:
    """Seconds of each page."""
    connection = http.client.HTTPConnection("127.0.0.1", org.port)
    headers = {"Authorization": f"Bearer {org.ready['access_token']}"}
    times: list[float] = []
    rows = 0
    path: str | None = f"{DATA}/query?q={quote('SELECT Id, LastName, Email, CreatedDate FROM Lead')}"
    while path:
        start = time.perf_counter()
        connection.request("GET", path, headers=headers)
        page = json.loads(connection.getresponse().read())
        times.append(time.perf_counter() - start)
        rows += len(page["records"])
        path = page.get("nextRecordsUrl")
    connection.close()
    assert rows == many + 1, rows
    return times


def run(table: Table, folder: Path) -> None:
    front(table)
    plant(folder, MANY)
    with ExitStack() as stack:
        org = stack.enter_context(servers.ours(folder, "--hide", "Account.Fax", source=folder / "source"))
        peer = stack.enter_context(servers.fastapi(folder)) if servers.SHARED.is_dir() else None
        queries(table, org, peer, folder)
        pages(table, org, MANY)


_FRONT = ("lark parse", "text to SQL, cold", "text to SQL, warm", "text to SQL, warm, other literals")

SECTION = Section(
    "language", run,
    (
        *((f"{name}, {how}", "us a text") for how in ("compiled", "interpreted") for name in _FRONT),
        *((f"2,000 rows, {name}", "rows/s") for name in QUERIES),
        ("2,000 rows, flat, read-only user", "rows/s"), ("2,000 rows, FastAPI", "rows/s"),
        ("2,000 rows, C JSON floor", "rows/s"), ("a page, first tenth", "ms, of 1,000,000 rows"),
        ("a page, last tenth", "ms, of 1,000,000 rows"), ("memory before the pages", "MB"), ("memory after the pages", "MB"),
    ),
    (
        ("text to SQL, cold / lark's parse alone: a wheel", "text to SQL, cold, compiled", "lark parse, compiled", "<= 0.25"),
        ("text to SQL, cold / lark's parse alone: a clone", "text to SQL, cold, interpreted", "lark parse, interpreted", "-"),
        ("text to SQL, warm / cold: a wheel", "text to SQL, warm, compiled", "text to SQL, cold, compiled", "<= 0.25"),
        ("text to SQL, other literals / cold: a wheel", "text to SQL, warm, other literals, compiled",
         "text to SQL, cold, compiled", "<= 0.25"),
        ("text to SQL, warm / cold: a clone", "text to SQL, warm, interpreted", "text to SQL, cold, interpreted", "<= 0.25"),
        ("flat / C JSON floor", "2,000 rows, flat", "2,000 rows, C JSON floor", ">= 0.75 (1.0)"),
        ("parent path / C JSON floor", "2,000 rows, parent path", "2,000 rows, C JSON floor", ">= 0.5"),
        ("child subquery of 5 x 400 / C JSON floor", "2,000 rows, child subquery", "2,000 rows, C JSON floor", ">= 0.4"),
        ("aggregate / C JSON floor", "2,000 rows, aggregate", "2,000 rows, C JSON floor", "-"),
        ("flat / FastAPI stack", "2,000 rows, flat", "2,000 rows, FastAPI", ">= 20"),
        ("flat: administrator / read-only user", "2,000 rows, flat", "2,000 rows, flat, read-only user", "<= 1.15"),
        ("last page / first page of 1,000,000 rows", "a page, last tenth", "a page, first tenth", "1"),
        ("memory after / before the pages", "memory after the pages", "memory before the pages", "1"),
    ),
)  # fmt: skip

if __name__ == "__main__":
    measure()
