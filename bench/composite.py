"""Lists of 200 records against the C floor; composites of 25 creates against single creates on one connection; durable."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path

from bench import floors, servers
from bench.load import Job
from bench.rows import BODY, DATA, source
from bench.table import SECONDS, Section, Table, rounds

RECORDS, SUBREQUESTS, CLIENTS = 200, 25, 4


def records() -> str:
    """The body of a collection; each record is that of a single create, with an external id of its own."""
    found = []
    for number in range(RECORDS):
        record = BODY.replace("EXT-{n}", f"EXT-{{n}}-{number}")
        found.append('{"attributes": {"type": "Account"}, ' + record[1:])
    return '{"allOrNone": false, "records": [' + ",".join(found) + "]}"


def composite() -> str:
    """The body of a composite of single creates."""
    found = []
    for number in range(SUBREQUESTS):
        head = json.dumps({"method": "POST", "url": f"{DATA}/sobjects/Account", "referenceId": f"ref{number}"})
        found.append(head[:-1] + ', "body": ' + BODY.replace("EXT-{n}", f"EXT-{{n}}-{number}") + "}")
    return '{"compositeRequest": [' + ",".join(found) + "]}"


def requests(table: Table, folder: Path) -> None:
    floor = floors.build("floor")
    with ExitStack() as stack:
        org = stack.enter_context(servers.ours(folder, source=source(folder)))
        bearer = {"Authorization": f"Bearer {org.ready['access_token']}"}
        numbers = iter(range(10_000_000, 10**12, 10_000_000))

        def load(path: str, body: str, clients: int = 1) -> float:
            return org.load(Job(0, "POST", f"{DATA}{path}", bearer, body, clients, SECONDS, next(numbers))).rate

        def each(_: int) -> None:
            table.add("collection records", load("/composite/sobjects", records(), CLIENTS) * RECORDS)
            table.add("composite creates", load("/composite", composite()) * SUBREQUESTS)
            table.add("single creates, 1 client", load("/sobjects/Account", BODY))
            if floor is not None:
                table.add("C floor, beside lists", floors.inserts(floor, folder))

        rounds(each)


SECTION = Section(
    "composite", requests,
    (
        ("collection records", "rec/s, 200 a request, 4 clients, durable"), ("composite creates", "rec/s, 25 a request, 1 client, durable"),
        ("single creates, 1 client", "rec/s, durable"), ("C floor, beside lists", "rec/s, batches of 128, full"),
    ),
    (
        ("collections of 200 / C floor", "collection records", "C floor, beside lists", ">= 0.60 (0.85)"),
        ("composite of 25 creates / single creates, 1 client", "composite creates", "single creates, 1 client", ">= 4"),
    ),
)  # fmt: skip
