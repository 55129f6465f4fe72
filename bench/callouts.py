"""
Callouts to a local stub, with credential, breaker, masks and journal on disk, against the bare client they stand on.

Both send the same POST of 140 bytes with an idempotency key from one loop to the same stub in a process of its own, 1 and 16 at
a time, 16 settled in units of their own as deliveries do it; the bare client reads its answers as streams too, since bounded
bodies are on the list of what a client must do. Where there are two cores the stub has one and the sender, all of its threads,
the other, so that what is compared is work and not the luck of the scheduler.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import uvloop
from pyreqwest.client import ClientBuilder

from bench.table import SECONDS, Section, Table, rounds
from landbridge import Settings
from landbridge.callouts import request
from landbridge.server import Server
from landbridge.storage import Unit

BODY = b'{"order":"801000000000001AAA","status":"Submitted","lines":[{"sku":"A-1","n":2},{"sku":"B-7","n":1}],"note":"as ever"}'
SPELL = min(SECONDS, 2.0)


class Stub(asyncio.Protocol):
    """Answers every request with the same small JSON."""

    REPLY = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"ok":true}'

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._data = b""

    def data_received(self, data: bytes) -> None:
        self._data += data
        while True:
            head, end, rest = self._data.partition(b"\r\n\r\n")
            if not end:
                return
            at = head.lower().find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(rest) < length:
                return
            self._data = rest[length:]
            self._transport.write(self.REPLY)  # type: ignore[attr-defined]


def pin(last: bool) -> None:
    """Keep this process on the first core, or the last, where there are several."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(cores) > 1:
        os.sched_setaffinity(0, {cores[-1] if last else cores[0]})


async def stub() -> None:
    pin(last=True)
    server = await asyncio.get_running_loop().create_server(Stub, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


async def rate(one: Callable[[int], Awaitable[None]], clients: int, spell: float = SPELL) -> float:
    """Calls a second of so many clients, each sending its next when it has its answer."""
    count = 0
    start = time.perf_counter()
    end = start + spell

    async def client(number: int) -> None:
        nonlocal count
        while time.perf_counter() < end:
            await one(number)
            count += 1

    await asyncio.gather(*(client(number) for number in range(clients)))
    return count / (time.perf_counter() - start)


async def measure(url: str, folder: Path) -> None:
    """In a process of its own: prints a name and a rate a line."""
    pin(last=False)
    server = await Server.open(Settings(data=folder / "org", home=folder / "home"))
    await server.db.write(
        lambda tx: server.callouts.store.set(
            tx, "ERP", {"url": url, "auth": "bearer"}, {"token": "a-token-of-some-length"}, server.org.admin_id
        ),
        Unit("bench"),
    )
    sent = request(
        "ERP", "POST", "/orders", data=BODY, headers={"Content-Type": "application/json"}, idempotency_key="k"
    )

    async def ours(number: int) -> None:
        run = server.callouts.run(flow="bench", subscription="orders", limits=True)
        outcome = await server.callouts.send(sent, run)
        assert outcome.ok

    async def settled(number: int) -> None:
        run = server.callouts.run(flow="bench", subscription="orders", limits=True)
        outcome = await server.callouts.send(sent, run)
        assert outcome.ok
        await server.db.write(run.settle, Unit("bench"))

    await rate(ours, 4, 0.2)
    # All clients of a process share a thread, which the first one starts; the first is ours, as in a server. The bare client is
    # as fast on a thread that it has started itself (`transport._started`).
    bare = ClientBuilder().follow_redirects(False).no_proxy().default_headers(
        {"Authorization": "Bearer a-token-of-some-length"}
    ).build()  # fmt: skip
    limit = timedelta(seconds=10)

    async def plain(number: int) -> None:
        builder = bare.request("POST", f"{url}/orders").timeout(limit).header("Content-Type", "application/json")
        async with builder.header("Idempotency-Key", "k").body_bytes(BODY).build_streamed() as response:
            body = await response.body_reader.read(1 << 20)
            assert response.status == 200
            assert body is not None

    await rate(plain, 4, 0.2)
    for clients in (1, 16):
        print(f"bare client, {clients} {await rate(plain, clients)}")
        print(f"callouts, {clients} {await rate(ours, clients)}")
    print(f"callouts settled, 16 {await rate(settled, 16)}")
    await bare.close()
    await server.close()


def run(table: Table, folder: Path) -> None:
    process = subprocess.Popen([sys.executable, "-m", "bench.callouts"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        url = f"http://127.0.0.1:{process.stdout.readline().strip()}"

        def each(number: int) -> None:
            place = folder / str(number)
            place.mkdir()
            sender = [sys.executable, "-m", "bench.callouts", url, str(place)]
            for line in subprocess.run(sender, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines():
                name, _, value = line.rpartition(" ")
                table.add(name, float(value))

        rounds(each)
    finally:
        process.kill()
        process.wait()


SECTION = Section(
    "callouts",
    run,
    figures=(
        ("bare client, 1", "req/s, pyreqwest, streamed"), ("callouts, 1", "req/s, journal durable"),
        ("bare client, 16", "req/s"), ("callouts, 16", "req/s"), ("callouts settled, 16", "req/s, a unit each"),
    ),
    ratios=(
        ("callouts / bare client, 1 at a time", "callouts, 1", "bare client, 1", ">= 0.5 (0.8)"),
        ("callouts / bare client, 16 at a time", "callouts, 16", "bare client, 16", ">= 0.5 (0.8)"),
        ("callouts settled in units / bare client, 16", "callouts settled, 16", "bare client, 16", "(0.5)"),
    ),
)  # fmt: skip

if __name__ == "__main__":
    uvloop.run(stub() if len(sys.argv) == 1 else measure(sys.argv[1], Path(sys.argv[2])))
