"""
The proxy of one `landbridge exec`: a loopback port that knows its own program by a random credential.

Hosts of the org have their TLS ended here, with a certificate minted for the host; other hosts are tunnelled as they are, or
refused. Nothing is logged of what passes.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable

from landbridge.chance import Chance
from landbridge.proxy.head import MAX_HEAD, Asked, Refused, read
from landbridge.proxy.leads import OPEN, Lead, carry, streams
from landbridge.proxy.outside import Outside

log = logging.getLogger(__name__)

HEAD = 10.0
"""Seconds a program may take to say what it wants."""
MAX_CONNECTIONS = 1024


class Gate:
    """
    An open proxy on 127.0.0.1. `url` carries the credential: it is for the program's environment, never for a log.

    `mint` gives the TLS context of a host (and the protocols it speaks); `pubsub` leads the hosts of the Pub/Sub API, None
    where the org has none. `outside` is how other hosts are reached.
    """

    def __init__(
        self,
        lead: Lead,
        mint: Callable[[str, tuple[str, ...]], ssl.SSLContext],
        chance: Chance,
        *,
        only_org: bool = False,
        pubsub: Lead | None = None,
        outside: Outside | None = None,
    ) -> None:
        self._lead = lead
        self._pubsub = pubsub
        self._outside = outside or Outside()
        self._mint = mint
        self._only_org = only_org
        self._credential = f"landbridge:{chance.hex_token(24)}"
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._socket.setblocking(False)
        self.port: int = self._socket.getsockname()[1]
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket, self._accept)

    def __repr__(self) -> str:
        return f"Gate(port={self.port})"

    @property
    def url(self) -> str:
        return f"http://{self._credential}@127.0.0.1:{self.port}"

    async def close(self) -> None:
        """Take no more connections, cut those there are."""
        self._loop.remove_reader(self._socket)
        self._socket.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self) -> None:
        try:
            connection, _ = self._socket.accept()
        except OSError as error:
            log.debug("a connection to the proxy could not be accepted: %s", error)
            return
        connection.setblocking(False)
        if len(self._tasks) >= MAX_CONNECTIONS:
            connection.close()
            return
        task = self._loop.create_task(self._serve(connection))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, connection: socket.socket) -> None:
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            async with asyncio.timeout(HEAD):
                head = await self._head(connection)
            if head:
                await self._lead_on(connection, read(head, self._credential))
            else:
                connection.close()
        except Refused as refused:
            await self._refuse(connection, refused)
        except (OSError, TimeoutError) as error:
            # The program went, said nothing, or does not trust our certificate: its affair, told at debug level.
            log.debug("a connection to the proxy ended: %s", error)
            connection.close()
        except asyncio.CancelledError:
            connection.close()
            raise
        except Exception:
            log.exception("the proxy failed a connection")
            connection.close()

    async def _head(self, connection: socket.socket) -> bytes:
        """A request's head and not a byte more: what follows belongs to whoever the connection is led to."""
        head = b""
        while True:
            await self._readable(connection)
            peeked = connection.recv(MAX_HEAD, socket.MSG_PEEK)
            if not peeked:
                return b""
            end = (head + peeked).find(b"\r\n\r\n")
            take = len(peeked) if end < 0 else end + 4 - len(head)
            head += connection.recv(take)
            if end >= 0:
                return head
            if len(head) > MAX_HEAD:
                raise Refused(431, "Request Header Fields Too Large", f"the request's head is over {MAX_HEAD} bytes")

    async def _readable(self, connection: socket.socket) -> None:
        ready: asyncio.Future[None] = self._loop.create_future()
        self._loop.add_reader(connection, _wake, ready)
        try:
            await ready
        finally:
            self._loop.remove_reader(connection)

    async def _lead_on(self, connection: socket.socket, asked: Asked) -> None:
        if asked.of_org:
            lead, speaks = self._lead, ("http/1.1",)
            if asked.of_pubsub:
                if self._pubsub is None:
                    raise Refused(502, "Bad Gateway", "this org has no Pub/Sub API")
                lead, speaks = self._pubsub, ("h2",)
            context = self._mint(asked.host, speaks) if asked.head is None else None
            await lead.take(connection, context, asked.head or b"")
            return
        if self._only_org:
            raise Refused(403, "Forbidden", f"--only-org: {asked.host} is no host of the org")
        await self._tunnel(connection, asked)

    async def _tunnel(self, connection: socket.socket, asked: Asked) -> None:
        outer = await self._outside.reach(asked)
        try:
            if asked.head is None:
                await self._loop.sock_sendall(connection, OPEN)
            inner = await streams(connection, None)
        except BaseException:
            outer[1].close()
            raise
        await carry(inner, outer)

    async def _refuse(self, connection: socket.socket, refused: Refused) -> None:
        text = f"landbridge exec: {refused.text}\n".encode()
        head = (
            f"HTTP/1.1 {refused.status} {refused.reason}\r\nContent-Type: text/plain; charset=utf-8\r\n"
            f"Content-Length: {len(text)}\r\nConnection: close\r\n"
        )
        if refused.status == 407:
            head += 'Proxy-Authenticate: Basic realm="landbridge exec"\r\n'
        try:
            async with asyncio.timeout(HEAD):
                await self._loop.sock_sendall(connection, head.encode() + b"\r\n" + text)
        except (OSError, TimeoutError) as error:
            log.debug("a refusal was not read: %s", error)
        connection.close()


def _wake(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)
