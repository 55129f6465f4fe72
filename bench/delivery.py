"""
Deliveries: no-op handlers, enqueued to settled, durable, in order per key; against a bare loop on the same database and peers.

The floor enqueues, claims and settles in batches of 128 with SQL alone: no keys, no handlers, no retries. Peers are run as
their users run them, each durable where it can be; one whose server or package is not here is left out and says why.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

import apsw
import uvloop

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

BATCH = 128
DELIVERIES = 128 * 200
KEYS = 1000
BODY = b'{"payload":"' + b"x" * 185 + b'"}'
NAME = "bench/no-op"
TABLES = (*delivery.TABLES, *subscriptions.TABLES, *create(Entity(OBJECTS[0]), SQLITE))


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


def huey(folder: Path, jobs: int = 1500) -> float | None:
    """huey on SQLite with fsync, one worker thread of its consumer."""
    if find_spec("huey") is None:
        return None
    from huey import SqliteHuey

    app = SqliteHuey("bench", filename=str(folder / "huey.db"), fsync=True, results=False)
    done = threading.Semaphore(0)

    @app.task()
    def job(_body: str) -> None:
        done.release()

    body = BODY.decode()
    start = time.perf_counter()
    for _ in range(jobs):
        job(body)
    consumer = app.create_consumer(workers=1, worker_type="thread", periodic=False, initial_delay=0.001, max_delay=0.01)
    consumer.start()
    for _ in range(jobs):
        done.acquire()
    seconds = time.perf_counter() - start
    consumer.stop(graceful=False)
    return jobs / seconds


@contextlib.contextmanager
def _server(*command: str) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(0.6)
        yield
    finally:
        process.terminate()
        process.wait()


def dramatiq(folder: Path, jobs: int = 2000) -> float | None:
    """dramatiq on a Redis that keeps nothing, one worker of eight threads (its default), in this process."""
    if find_spec("dramatiq") is None or shutil.which("redis-server") is None:
        return None
    import dramatiq as peer
    from dramatiq.brokers.redis import RedisBroker

    del folder
    with _server("redis-server", "--port", "17379", "--save", "", "--appendonly", "no"):
        broker = RedisBroker(host="127.0.0.1", port=17379)
        peer.set_broker(broker)
        done = threading.Semaphore(0)

        @peer.actor(queue_name=f"bench-{time.monotonic_ns()}")
        def job(_body: str) -> None:
            done.release()

        body = BODY.decode()
        start = time.perf_counter()
        for _ in range(jobs):
            job.send(body)
        worker = peer.Worker(broker, worker_timeout=100)
        worker.start()
        for _ in range(jobs):
            done.acquire()
        seconds = time.perf_counter() - start
        worker.stop()
        broker.close()
    return jobs / seconds


def nats(folder: Path, jobs: int = 10_000) -> float | None:
    """JetStream with a file store through nats-py: publishes awaited in batches of 128, a durable pull consumer, acks."""
    if find_spec("nats") is None or shutil.which("nats-server") is None:
        return None
    import nats as peer

    async def run() -> float:
        client = await peer.connect("nats://127.0.0.1:14222")
        stream = client.jetstream()
        await stream.add_stream(name="BENCH", subjects=["bench"])
        puller = await stream.pull_subscribe("bench", durable="worker")
        start = time.perf_counter()
        for _ in range(0, jobs, BATCH):
            await asyncio.gather(*(stream.publish("bench", BODY) for _ in range(BATCH)))
        settled, wanted = 0, (jobs + BATCH - 1) // BATCH * BATCH
        while settled < wanted:
            messages = await puller.fetch(BATCH, timeout=5)
            await asyncio.gather(*(message.ack() for message in messages))
            settled += len(messages)
        await client.flush()
        seconds = time.perf_counter() - start
        await client.close()
        return wanted / seconds

    store = folder / "nats"
    with _server("nats-server", "-js", "-p", "14222", "-a", "127.0.0.1", "-sd", str(store)):
        rate = asyncio.run(run())
    shutil.rmtree(store, ignore_errors=True)
    return rate


PEERS = {
    "huey": (huey, "the package huey"),
    "dramatiq": (dramatiq, "the package dramatiq[redis], or redis-server"),
    "NATS JetStream": (nats, "the package nats-py, or nats-server"),
}
LEFT_OUT = {
    "procrastinate": "it wants a PostgreSQL of its own user; PERFORMANCE section 8 has 0.43 to 0.63 k jobs/s",
    "dbos": "it polls its queue once a second; PERFORMANCE section 8 has 0.20 to 0.21 k jobs/s",
}


def run(table: Table, folder: Path) -> None:
    """Fill the table."""
    for name, why in LEFT_OUT.items():
        print(f"  left out: {name} ({why})")

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
    ),
    ratios=(
        ("deliveries / bare claim-settle loop", "deliveries", "bare claim-settle loop", ">= 0.25"),
        ("deliveries / huey (SQLite, fsync)", "deliveries", "huey", ">= 20"),
        ("deliveries / dramatiq (Redis)", "deliveries", "dramatiq", ">= 30"),
        ("deliveries / NATS JetStream (nats-py)", "deliveries", "NATS JetStream", ">= 4"),
    ),
)  # fmt: skip

if __name__ == "__main__":
    sys.exit("run it with: make bench SECTIONS=delivery")
