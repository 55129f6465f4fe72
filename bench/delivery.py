"""
Deliveries: no-op handlers, enqueued to settled, durable, in order per key; against a bare loop on the same database and peers.

The floor enqueues, claims and settles in batches of 128 with SQL alone: no keys, no handlers, no retries. The peers: queues.py.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from itertools import count
from pathlib import Path
from typing import Any

import apsw
import uvloop

from bench.queues import BATCH, BODY, PEERS
from bench.table import Section, Table, rounds
from landbridge import delivery, ids
from landbridge.chance import Chance
from landbridge.clock import Clock
from landbridge.delivery import OBJECTS, PREFIX, Delivery, Done, Draft, Engine, Settled, SqlQueue, Subscription, Work
from landbridge.events import subscriptions
from landbridge.faults import Switchboard
from landbridge.schema.catalog import Entity
from landbridge.schema.tables import create
from landbridge.storage import Migration, SQLiteDatabase, Unit
from landbridge.storage.dialect import SQLITE

DELIVERIES = 128 * 200
KEYS = 1000
NAME = "bench/no-op"
TABLES = (
    *delivery.TABLES,
    *delivery.CLAIMS,
    *delivery.SUSPECTS,
    *subscriptions.TABLES,
    *create(Entity(OBJECTS[0]), SQLITE),
)


def _open(path: Path) -> tuple[SQLiteDatabase, SqlQueue, Clock, Chance]:
    clock, chance = Clock(), Chance(1)
    db = SQLiteDatabase.open(path, clock=clock, new_key=chance.uuid, migrations=(Migration(1, TABLES),))
    numbers = count(1)
    return db, SqlQueue(lambda _tx: ids.make(PREFIX, next(numbers))), clock, chance


def _drafts(start: int, keys: int) -> list[Draft]:
    return [Draft(NAME, f"key-{n % keys}", f"uuid-{n}", n, "c", BODY) for n in range(start, start + BATCH)]


def ours(folder: Path, deliveries: int = DELIVERIES) -> float:
    """Deliveries a second, from the first enqueue to the last settle."""

    async def run() -> float:
        db, queue, clock, chance = _open(folder / "ours.sqlite")
        engine = Engine(db, queue, clock, chance, Switchboard(clock, chance))
        done = 0

        async def handler(_delivery: Delivery, _work: Work) -> None:
            nonlocal done
            done += 1

        engine.add(Subscription(name=NAME, handler=handler))
        await engine.start()
        start = time.perf_counter()
        for number in range(0, deliveries, BATCH):
            drafts = _drafts(number, KEYS)
            await db.write(lambda tx, drafts=drafts: queue.enqueue(tx, drafts, 0.0), Unit("bench"))  # type: ignore[misc]
            engine.enqueued(NAME)
        while not engine.idle:  # noqa: ASYNC110  # a look from outside
            await asyncio.sleep(0.0005)
        seconds = time.perf_counter() - start
        assert done == deliveries
        await engine.stop()
        await db.close()
        return deliveries / seconds

    return uvloop.run(run())


def bare(folder: Path, deliveries: int = DELIVERIES) -> float:
    """The floor: enqueue, claim and settle in batches, the finished acknowledged and the next claimed in one transaction."""
    connection = apsw.Connection(str(folder / "bare.sqlite"))
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "wal_autocheckpoint = 4000", "cache_size = -65536"):
        connection.execute(f"PRAGMA {pragma}").fetchall()
    connection.execute(
        "CREATE TABLE job (id INTEGER PRIMARY KEY, state INTEGER NOT NULL, due REAL NOT NULL, lease REAL, attempt INTEGER NOT "
        "NULL, body BLOB NOT NULL)"
    )
    connection.execute("CREATE INDEX job_due ON job (due, id) WHERE state = 0")
    claim = (
        "UPDATE job SET state = 1, lease = ?, attempt = attempt + 1 WHERE id IN (SELECT id FROM job WHERE state = 0 AND due <= ? "
        "ORDER BY due, id LIMIT ?) RETURNING id, body"
    )
    start = time.perf_counter()
    for _ in range(0, deliveries, BATCH):
        with connection:
            connection.executemany("INSERT INTO job (state, due, attempt, body) VALUES (0, 0, 0, ?)", [(BODY,)] * BATCH)
    finished: list[tuple[int]] = []
    settled = 0
    while settled < deliveries:
        with connection:
            connection.executemany("DELETE FROM job WHERE id = ?", finished)
            settled += len(finished)
            finished = [(row[0],) for row in connection.execute(claim, (60.0, 1.0, BATCH)).fetchall()]
    rate = deliveries / (time.perf_counter() - start)
    connection.close()
    return rate


def run(table: Table, folder: Path) -> None:
    """Fill the table."""

    def each(number: int) -> None:
        place = folder / f"round-{number}"
        place.mkdir()
        table.add("deliveries", ours(place))
        table.add("bare claim-settle loop", bare(place))
        for name, (work, needs) in PEERS.items():
            rate = work(place)
            if rate is not None:
                table.add(name, rate)
            elif number == 0:
                print(f"  left out: {name} (not here: {needs})")
        gc.collect()

    rounds(each)


def waiting(folder: Path, most: int) -> list[tuple[int, float, float]]:
    """(how many wait, milliseconds to claim and settle 128 heads, resident MB), for a hundredth, a tenth and all of `most`."""

    async def measure() -> list[tuple[int, float, float]]:
        db, queue, _, _ = _open(folder / "waiting.sqlite")
        figures = []
        number = 0
        for goal in (most // 100, most // 10, most):
            while number < goal:
                # Ten to a key: what waits behind a head must cost a claim nothing.
                drafts = _drafts(number, max(BATCH, most // 10))
                await db.write(lambda tx, drafts=drafts: queue.enqueue(tx, drafts, 0.0), Unit("soak"))  # type: ignore[misc]
                number += BATCH
            times = []
            for _ in range(min(30, goal // BATCH // 4)):
                start = time.perf_counter()
                claimed = await db.write(lambda tx: queue.claim(tx, NAME, 10.0**12, BATCH, 60.0), Unit("soak"))

                def settle(tx: Any, claimed: list[Delivery] = claimed) -> None:
                    queue.settle_many(tx, [Settled(one, Done()) for one in claimed])

                await db.write(settle, Unit("soak"))
                times.append((time.perf_counter() - start) * 1000)
            figures.append((number, sorted(times)[len(times) // 2], _resident()))
        await db.close()
        return figures

    return uvloop.run(measure())


def _resident() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


SECTION = Section(
    "delivery",
    run,
    figures=(
        ("deliveries", "/s, no-op, enqueue to settled, durable, in order per key"),
        ("bare claim-settle loop", "/s, batches of 128, durable"), ("huey", "jobs/s, SQLite, fsync"),
        ("dramatiq", "jobs/s, Redis without persistence"), ("NATS JetStream", "jobs/s, file store, nats-py"),
        ("procrastinate", "jobs/s, PostgreSQL"), ("dbos", "jobs/s, PostgreSQL"),
    ),
    ratios=(
        ("deliveries / bare claim-settle loop", "deliveries", "bare claim-settle loop", ">= 0.25"),
        ("deliveries / huey (SQLite, fsync)", "deliveries", "huey", ">= 20"),
        ("deliveries / dramatiq (Redis)", "deliveries", "dramatiq", ">= 30"),
        ("deliveries / NATS JetStream (nats-py)", "deliveries", "NATS JetStream", ">= 4"),
        ("deliveries / procrastinate (PostgreSQL)", "deliveries", "procrastinate", ">= 100"),
        ("deliveries / dbos (PostgreSQL)", "deliveries", "dbos", ">= 100"),
    ),
)  # fmt: skip

if __name__ == "__main__":
    sys.exit("run it with: make bench SECTIONS=delivery")
