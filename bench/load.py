"""
A load generator: so many connections, one request outstanding on each, for so many seconds.

Bytes in, bytes out on bare asyncio protocols (some 10 us of CPU a request), so that it is not what is measured. Run in a process of
its own: `python -m bench.load` reads a job as JSON from standard input and prints the result.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import asdict, dataclass
from itertools import count
from typing import Any


@dataclass(frozen=True)
class Job:
    """`template` has `{n}` where each request gets a number of its own; `body` likewise."""

    port: int
    method: str
    path: str
    headers: dict[str, str]
    body: str = ""
    clients: int = 1
    seconds: float = 2.0
    start: int = 0


@dataclass(frozen=True)
class Result:
    """Answers per second, latencies in milliseconds, bytes of a body, and how many answers were not 2xx."""

    rate: float
    p50: float
    p99: float
    size: int
    errors: int
    done: int


class Client(asyncio.Protocol):
    def __init__(self, load: Load) -> None:
        self._load = load
        self._buffer = b""
        self._missing = 0
        self._sent = 0.0

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._send()

    def _send(self) -> None:
        self._sent = time.perf_counter()
        self._transport.write(self._load.request())

    def data_received(self, data: bytes) -> None:
        if self._missing:  # the rest of a body: bytes are counted, not put together
            self._missing -= len(data)
        else:
            self._buffer += data
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = self._buffer[:end].lower()
            place = head.find(b"content-length:")
            self._length = int(head[place + 15 :].split(b"\r\n", 1)[0]) if place >= 0 else 0
            self._good = head[9:10] == b"2"
            self._missing = end + 4 + self._length - len(self._buffer)
            self._buffer = b""
        if self._missing:
            return
        self._load.answered(time.perf_counter() - self._sent, self._length, self._good)
        if self._load.open:
            self._send()
        else:
            self._transport.close()
            self._load.left()


class Load:
    def __init__(self, job: Job) -> None:
        self._job = job
        self._numbers = count(job.start)
        self._head = f"{job.method} {job.path} HTTP/1.1\r\nHost: localhost\r\n" + "".join(
            f"{name}: {value}\r\n" for name, value in job.headers.items()
        )
        self._fixed = None if "{n}" in job.path + job.body else self._bytes(0)
        self.latencies: list[float] = []
        self.errors = self.size = 0
        self.open = True
        self._clients = job.clients
        self.finished = asyncio.get_running_loop().create_future()

    def _bytes(self, number: int) -> bytes:
        body = self._job.body.replace("{n}", str(number)).encode()
        head = self._head.replace("{n}", str(number))
        kind = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" if body else ""
        return f"{head}{kind}\r\n".encode() + body

    def request(self) -> bytes:
        return self._fixed if self._fixed is not None else self._bytes(next(self._numbers))

    def answered(self, seconds: float, size: int, good: bool) -> None:
        self.latencies.append(seconds)
        self.size = size
        self.errors += not good

    def left(self) -> None:
        self._clients -= 1
        if not self._clients and not self.finished.done():
            self.finished.set_result(None)


async def run(job: Job) -> Result:
    load = Load(job)
    loop = asyncio.get_running_loop()
    start = time.perf_counter()
    for _ in range(job.clients):
        await loop.create_connection(lambda: Client(load), "127.0.0.1", job.port)
    await asyncio.sleep(job.seconds)
    load.open = False
    elapsed = time.perf_counter() - start
    done = len(load.latencies)
    await asyncio.wait_for(load.finished, 30)
    ordered = sorted(load.latencies)
    return Result(
        done / elapsed,
        ordered[len(ordered) // 2] * 1e3,
        ordered[int(len(ordered) * 0.99)] * 1e3,
        load.size,
        load.errors,
        done,
    )


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
