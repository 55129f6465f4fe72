"""`kill -9` under composites: what was answered is there, and no list, tree, graph or all-or-none composite is there by halves."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from itertools import count, cycle
from pathlib import Path
from typing import Any

import pytest

from tests.composite.calls import V, sub
from tests.support.running import RunningOrg
from tests.wire.test_kill import Served

ROUNDS, CLIENTS = 3, 8


def collection(name: str) -> tuple[str, Any]:
    records = [{"attributes": {"type": "Contact"}, "LastName": name, "FirstName": "of 20"} for _ in range(20)]
    return "/composite/sobjects", {"allOrNone": True, "records": records}


def chain(name: str) -> tuple[str, Any]:
    parent = sub("POST", "/sobjects/Account", "a", {"Name": name})
    children = [
        sub("POST", "/sobjects/Contact", f"c{number}", {"LastName": name, "FirstName": "of 4", "AccountId": "@{a.id}"})
        for number in range(4)
    ]
    return "/composite", {"allOrNone": True, "compositeRequest": [parent, *children]}


def tree(name: str) -> tuple[str, Any]:
    children = [
        {"attributes": {"type": "Contact", "referenceId": f"c{number}"}, "LastName": name, "FirstName": "of 5"}
        for number in range(5)
    ]
    root = {"attributes": {"type": "Account", "referenceId": "a"}, "Name": name, "Contacts": {"records": children}}
    return "/composite/tree/Account", {"records": [root]}


def graph(name: str) -> tuple[str, Any]:
    nodes = [
        sub("POST", "/sobjects/Contact", f"c{number}", {"LastName": name, "FirstName": "of 3"}) for number in range(3)
    ]
    broken = [*nodes, sub("POST", "/sobjects/Contact", "bad", {"FirstName": "none"})]
    return "/composite/graph", {"graphs": [
        {"graphId": "good", "compositeRequest": nodes}, {"graphId": "bad", "compositeRequest": broken},
    ]}  # fmt: skip


async def send(ready: dict[str, Any], path: str, body: Any, reader: Any, writer: Any) -> bool:
    """One request on a kept-alive connection; False when the server went away before it answered."""
    data = json.dumps(body).encode()
    head = (
        f"POST {V}{path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ready['access_token']}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
    )
    try:
        writer.write(head.encode() + data)
        status = await reader.readuntil(b"\r\n\r\n")
        length = int(status.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
    except (ConnectionError, asyncio.IncompleteReadError):
        return False
    assert b" 200 " in status or b" 201 " in status, status
    return True


@pytest.mark.slow
@pytest.mark.ledger(
    "composite.kill", "documented", "our promise: nothing acknowledged is lost, nothing stays by halves"
)
async def test_composites_survive_kill_9_whole(tmp_path: Path, home: Path) -> None:
    data, acknowledged, numbers = tmp_path / "org", set(), count()
    kinds = cycle((collection, chain, tree, graph))
    for round_ in range(ROUNDS):
        served = Served(data, home, tmp_path / "ready.json")
        ready = await served.ready()
        port = int(ready["url"].rpartition(":")[2])

        async def client(ready: dict[str, Any] = ready, port: int = port) -> None:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            while await send(ready, *next(kinds)(name := f"n{next(numbers)}"), reader, writer):
                acknowledged.add(name)
            writer.close()

        clients = [asyncio.ensure_future(client()) for _ in range(CLIENTS)]
        goal = len(acknowledged) + 60 + 31 * round_
        while len(acknowledged) < goal:
            await asyncio.sleep(0)
        served.kill()
        await asyncio.gather(*clients)

    def check() -> Counter[tuple[str, str]]:
        with RunningOrg(data=data, home=home) as org:
            rows = org.door.server.db.writer.execute('SELECT "LastName", "FirstName" FROM "Contact"').fetchall()
            orphans = org.door.server.db.writer.execute(
                'SELECT count(*) FROM "Contact" WHERE "FirstName" IN (\'of 4\', \'of 5\') AND "AccountId" IS NULL'
            ).fetchall()
        assert orphans == [(0,)]
        return Counter((str(row[0]), str(row[1])) for row in rows)

    found = await asyncio.to_thread(check)
    assert acknowledged <= {name for name, _ in found}
    assert {kind: number for (_, kind), number in found.items() if f"of {number}" != kind} == {}
