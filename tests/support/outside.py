"""An outside system on a real socket: a small HTTP/1.1 server that does what a test tells it, and remembers what it got."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec


@dataclass
class Got:
    """One request as it arrived; header names lower case. `certificate` is what the client showed, if it had to."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    certificate: dict[str, Any] | None = None

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query))

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode()))


@dataclass
class Answer:
    """What is answered. `raw` instead of all else: these bytes, then the end of the connection; b"" is an abrupt end."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    raw: bytes | None = None
    chunks: int = 0
    """Send the body so many times, chunked, without saying how long it will be."""


def answer(value: Any, status: int = 200, **headers: str) -> Answer:
    return Answer(
        status,
        msgspec.json.encode(value),
        {
            "Content-Type": "application/json",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        },
    )


Handler = Callable[[Got], Answer | Awaitable[Answer]]


class Outside:
    """A running outside system; `got` is every request in order, `connections` how many were opened."""

    def __init__(self, handler: Handler, scheme: str) -> None:
        self.handler = handler
        self.scheme = scheme
        self.got: list[Got] = []
        self.connections = 0
        self.port = 0

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        line, *rest = head.strip().split("\r\n")
        method, target, _ = line.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (one.partition(":") for one in rest)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        certificate = writer.get_extra_info("peercert")
        got = Got(method, target, headers, body, certificate or None)
        self.got.append(got)
        found = self.handler(got)
        reply = await found if isinstance(found, Awaitable) else found
        if reply.delay:
            await asyncio.sleep(reply.delay)
        if reply.raw is not None:
            writer.write(reply.raw)
            await writer.drain()
            writer.transport.abort() if not reply.raw else None
            return False
        length = "Transfer-Encoding: chunked" if reply.chunks else f"Content-Length: {len(reply.body)}"
        lines = "".join(f"{name}: {value}\r\n" for name, value in reply.headers.items())
        writer.write(f"HTTP/1.1 {reply.status} X\r\n{lines}{length}\r\n\r\n".encode("latin-1"))
        for _ in range(reply.chunks):
            writer.write(b"%x\r\n%b\r\n" % (len(reply.body), reply.body))
            await writer.drain()
        if method != "HEAD":
            writer.write(b"0\r\n\r\n" if reply.chunks else reply.body)
        await writer.drain()
        return True


@asynccontextmanager
async def outside(
    handler: Handler = lambda _: Answer(), context: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[Outside]:
    """Run an outside system on a free port of loopback for the block."""
    system = Outside(handler, "http" if context is None else "https")
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await system.serve(reader, writer)
        except asyncio.CancelledError:
            pass  # the block has ended; a task that ends cancelled would be logged as a failure of the server
        finally:
            tasks.discard(task)

    server = await asyncio.start_server(serve, host, 0, ssl=context)
    system.port = server.sockets[0].getsockname()[1]
    try:
        yield system
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
