"""
Bayeux subscribers and publishers in one process: so many long polls, so many closed loops of publishing, for so many seconds.

Bytes in, bytes out on bare asyncio protocols, the same code for every server. A process of its own: `python -m bench.subscribers`
reads a job as JSON from standard input and prints the result. An event carries the moment it was sent, as a number of
microseconds in a member `Sent__c`; how many of them a response has is how many events it delivered.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from typing import Any

SENT = re.compile(rb'"Sent__c":(\d+)')
LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
COOKIE = re.compile(rb"set-cookie: *(BAYEUX_BROWSER=\w+)", re.IGNORECASE)
STAMP = b"1234567890123"
"""Stands in a publish body for the moment of sending; as many digits as that has."""


@dataclass(frozen=True)
class Job:
    """`body` is one publish request with STAMP in it, once an event; `timed` measures latencies."""

    port: int
    bayeux: str
    channel: str
    publish: str
    body: str
    headers: dict[str, str]
    subscribers: int
    publishers: int
    timed: bool
    seconds: float = 2.0


@dataclass(frozen=True)
class Result:
    """Deliveries and published events per second, milliseconds from sending to delivery."""

    deliveries: float
    published: float
    p50: float
    p99: float
    errors: int


class Exchange(asyncio.Protocol, ABC):
    """One connection with one request at a time."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._buffer = bytearray()
        self._end = -1

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.begin()

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        if self._end < 0:
            place = buffer.find(b"\r\n\r\n")
            if place < 0:
                return
            self.head = bytes(buffer[:place])
            self._start = place + 4
            self._end = place + 4 + int(LENGTH.search(self.head)[1])  # type: ignore[index]
        if len(buffer) < self._end:
            return
        body = bytes(buffer[self._start : self._end])
        good = buffer[9:10] == b"2"
        del buffer[: self._end]
        self._end = -1
        self.answered(body, good)

    @abstractmethod
    def begin(self) -> None:
        """The connection is there: send the first request."""

    @abstractmethod
    def answered(self, body: bytes, good: bool) -> None:
        """A whole answer has come; `good`: its status is 2xx."""


class Subscriber(Exchange):
    """Shakes hands, subscribes, and polls from then on."""

    def begin(self) -> None:
        self._cookie = ""
        self._poll = b""
        self._say({"channel": "/meta/handshake", "version": "1.0", "supportedConnectionTypes": ["long-polling"]})

    def _say(self, message: dict[str, Any]) -> None:
        self._last = message["channel"]
        self.transport.write(self._bytes(message))

    def _bytes(self, message: dict[str, Any]) -> bytes:
        headers = {**self.run.job.headers, **({"Cookie": self._cookie} if self._cookie else {})}
        return request(self.run.job.bayeux, headers, json.dumps([message]).encode())

    def answered(self, body: bytes, good: bool) -> None:
        if self._poll:
            self.transport.write(self._poll)
            self.run.delivered(body, good)
            return
        (reply,) = [one for one in json.loads(body) if one["channel"] == self._last]
        assert reply["successful"], reply
        if self._last == "/meta/handshake":
            self._client = reply["clientId"]
            cookie = COOKIE.search(self.head)
            self._cookie = "" if cookie is None else cookie[1].decode()
            self._say({"channel": "/meta/subscribe", "clientId": self._client, "subscription": self.run.job.channel})
        else:
            # Salesforce answers the first connect at once, faye holds it: either is a poll.
            self._poll = self._bytes(
                {"channel": "/meta/connect", "clientId": self._client, "connectionType": "long-polling", "id": "9"}
            )
            self.transport.write(self._poll)
            self.run.ready()


class Publisher(Exchange):
    """Publishes, waits for the answer, publishes again."""

    def begin(self) -> None:
        self._send()

    def _send(self) -> None:
        job = self.run.job
        head = request(job.publish, job.headers, job.body.encode())
        now = b"%013d" % (time.perf_counter_ns() // 1000 + 10**12)
        self.transport.write(head.replace(STAMP, now))

    def answered(self, body: bytes, good: bool) -> None:
        del body
        self.run.took(good)
        if self.run.open:
            self._send()
        else:
            self.transport.close()


class Run:
    def __init__(self, job: Job) -> None:
        self.job = job
        self._missing = job.subscribers
        self._events = job.body.encode().count(STAMP)
        self.subscribed = asyncio.get_running_loop().create_future()
        self.open = True
        self.deliveries = self.requests = self.errors = 0
        self.latencies: list[float] = []

    def ready(self) -> None:
        self._missing -= 1
        if not self._missing:
            self.subscribed.set_result(None)

    def took(self, good: bool) -> None:
        if self.open:
            self.requests += 1
        self.errors += not good

    def delivered(self, body: bytes, good: bool) -> None:
        self.errors += not good
        if not self.open:
            return
        if self.job.timed:
            now = time.perf_counter_ns() // 1000 + 10**12
            sent = SENT.findall(body)
            self.deliveries += len(sent)
            self.latencies += [(now - int(moment)) / 1000 for moment in sent]
        else:
            self.deliveries += body.count(b'"Sent__c":')

    def result(self, elapsed: float) -> Result:
        ordered = sorted(self.latencies) or [0.0]
        return Result(
            self.deliveries / elapsed, self.requests * self._events / elapsed, ordered[len(ordered) // 2],
            ordered[int(len(ordered) * 0.99)], self.errors,
        )  # fmt: skip


def request(path: str, headers: dict[str, str], body: bytes) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{lines}Content-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def run(job: Job) -> Result:
    found = Run(job)
    loop = asyncio.get_running_loop()
    for _ in range(job.subscribers):
        await loop.create_connection(lambda: Subscriber(found), "127.0.0.1", job.port)
    await asyncio.wait_for(found.subscribed, 30)
    await asyncio.sleep(0.2)
    start = time.perf_counter()
    for _ in range(job.publishers):
        await loop.create_connection(lambda: Publisher(found), "127.0.0.1", job.port)
    await asyncio.sleep(job.seconds)
    found.open = False
    return found.result(time.perf_counter() - start)


def main() -> None:
    job = Job(**json.load(sys.stdin))
    try:
        import uvloop
    except ImportError:
        result = asyncio.run(run(job))
    else:
        result = uvloop.run(run(job))
    print(json.dumps(asdict(result)))


if __name__ == "__main__":
    main()
