"""
`kill -9` at random moments of a publish and capture load, with subscribers that come back by their last replay id.

Afterwards: every committed change has exactly one event, every acknowledged publish is there once, replay ids rise, and each
subscriber has seen each event exactly once, in order.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import pytest

from landbridge.client import RestClient, Streaming
from landbridge.clock import Clock
from tests.support.crashes import Counted
from tests.support.running import RunningOrg

KILLS = 6
READERS = 10
WRITERS = 2
TOKEN = "a-token-for-this-test"
TOPICS = ("/event/Later__e", "/data/ChangeEvents")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Served:
    """`landbridge serve` as a process of its own, on a port that stays."""

    def __init__(self, data: Path, home: Path, source: Path, port: int) -> None:
        self.ready_file = data.parent / "ready.json"
        environment = {
            **os.environ, "LANDBRIDGE_HOME": str(home), "LANDBRIDGE_DAILY_API_REQUESTS": "1000000",
            "LANDBRIDGE_HOURLY_PUBLISHED_EVENTS": "1000000", "LANDBRIDGE_ACCESS_TOKEN": TOKEN,
        }  # fmt: skip
        self.process = subprocess.Popen(
            [sys.executable, "-m", "landbridge", "serve", "--data", data, "--port", str(port), "--ready-file",
             self.ready_file, "--source", source, "--capture", "Account", "--pubsub-port", "0", "--pubsub-tls-port", "0"],
            env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip

    async def ready(self) -> None:
        while not self.ready_file.exists():
            assert self.process.poll() is None, self.process.stderr.read() if self.process.stderr else ""
            await asyncio.sleep(0.01)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        if self.process.stderr is not None:
            self.process.stderr.close()
        self.ready_file.unlink()


class Reader(threading.Thread):
    """Follows a topic through every restart, until the event that says the end."""

    def __init__(self, port: int, topic: str) -> None:
        super().__init__(daemon=True)
        self.topic = topic
        self.seen: list[int] = []
        self.following = threading.Event()
        self._client = RestClient(f"http://127.0.0.1:{port}", TOKEN)

    def run(self) -> None:
        streaming = Streaming(self._client, lambda _: Clock().pause(0.05))
        for data in streaming.events(self.topic, -1, self.following.set):
            self.seen.append(data["event"]["replayId"])
            if "end" in (data["payload"].get("Needed__c"), data["payload"].get("Name")):
                return


async def post(reader: Any, writer: Any, sobject: str, values: dict[str, Any]) -> dict[str, Any] | None:
    """One create on a kept-alive connection; None when the server went away before it answered."""
    body = json.dumps(values).encode()
    head = (
        f"POST /services/data/v67.0/sobjects/{sobject} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}"
        f"\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    try:
        writer.write(head.encode() + body)
        status = await reader.readuntil(b"\r\n\r\n")
        length = int(status.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        found: dict[str, Any] = json.loads(await reader.readexactly(length))
    except (ConnectionError, asyncio.IncompleteReadError):
        return None
    assert b" 201 " in status, (status, found)
    return found


@pytest.mark.slow
@pytest.mark.ledger("events.kill", "documented", "our promise: a change and its event commit together or not at all")
async def test_every_committed_change_has_one_event_after_kill_9(
    tmp_path: Path, home: Path, source: Path, counted: Counted
) -> None:
    data, port, chance, numbers = tmp_path / "org", free_port(), Random(6), count()
    created: list[str] = []
    published: list[str] = []
    readers: list[Reader] = []

    async def load() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while True:
            number = next(numbers)
            made = await post(reader, writer, "Account", {"Name": f"n{number}"})
            sent = made and await post(reader, writer, "Later__e", {"Needed__c": f"n{number}"})
            if made:
                created.append(made["id"])
            if sent:
                published.append(sent["errors"][0]["message"])
            else:
                writer.close()
                return

    for round_ in range(KILLS + 1):
        served = Served(data, home, source, port)
        await served.ready()
        if not readers:
            readers = [Reader(port, TOPICS[n % 2]) for n in range(READERS)]
            for one in readers:
                one.start()
            for one in readers:
                assert await asyncio.to_thread(one.following.wait, 30)
        if round_ < KILLS:
            loads = [asyncio.ensure_future(load()) for _ in range(WRITERS)]
            goal = len(published) + chance.randrange(20, 200)
            while len(published) < goal:
                await asyncio.sleep(chance.random() / 500)
            served.kill()
            await asyncio.gather(*loads)
    connection = await asyncio.open_connection("127.0.0.1", port)
    assert await post(*connection, "Later__e", {"Needed__c": "end"})
    assert await post(*connection, "Account", {"Name": "end"})
    connection[1].close()
    for one in readers:
        await asyncio.to_thread(one.join, 30)
        assert not one.is_alive()
    served.kill()

    def look() -> tuple[list[tuple[int, str, str, str]], list[str]]:
        with RunningOrg(data=data, home=home) as org:
            writer = org.door.server.db.writer
            log = writer.execute("SELECT id, topic, uuid, key FROM lb_event ORDER BY id").fetchall()
            return log, [row[0] for row in writer.execute('SELECT "Id" FROM "Account"').fetchall()]

    log, accounts = await asyncio.to_thread(look)
    changes = Counter(key for _, topic, _, key in log if topic == "/data/AccountChangeEvent")
    uuids = Counter(uuid for _, topic, uuid, _ in log if topic == "/event/Later__e")
    by_topic = {name: [i for i, topic, _, _ in log if (topic == name) is (name == TOPICS[0])] for name in TOPICS}
    by_topic[TOPICS[1]] = [i for i, topic, _, _ in log if topic.startswith("/data/")]
    missing = len(set(accounts) - set(changes)) + len(set(created) - set(changes)) + len(set(published) - set(uuids))
    repeats = sum(n - 1 for n in changes.values()) + sum(n - 1 for n in uuids.values())
    for one in readers:
        missing += len(set(by_topic[one.topic]) - set(one.seen))
        repeats += len(one.seen) - len(set(one.seen))
        assert one.seen == sorted(one.seen)
    counted(
        f"events: kills: {KILLS}, commits acknowledged: {len(created) + len(published)}, events: {len(log)}, "
        f"seen by {READERS} readers: {sum(len(one.seen) for one in readers)}, gaps: {missing}, repeats: {repeats}"
    )
    assert (missing, repeats) == (0, 0)
    assert set(changes) == set(accounts)
    assert all(one.seen == by_topic[one.topic] for one in readers)
