"""Where the org's hosts are led to: an org in this process, one at a URL, the Pub/Sub API's port."""

from __future__ import annotations

import asyncio
import socket
import ssl
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from landbridge.errors import LandbridgeError
from landbridge.proxy.outside import Streams, reach
from landbridge.wire.http.listener import Listener

HANDSHAKE = 10.0
OPEN = b"HTTP/1.1 200 Connection established\r\n\r\n"


class Lead(Protocol):
    """Takes over a connection whose host is the org's."""

    async def take(self, connection: socket.socket, context: ssl.SSLContext | None, begun: bytes) -> None:
        """
        `context`: how TLS ends here, once the program was told that its tunnel is open; None: plain HTTP, of which `begun`
        is a request that was read already. Raises Refused before anything was sent, OSError.
        """


class Here:
    """The org of this process: its own protocol takes the connection, so nothing is copied."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener

    async def take(self, connection: socket.socket, context: ssl.SSLContext | None, begun: bytes) -> None:
        loop = asyncio.get_running_loop()
        if context is not None:
            await loop.sock_sendall(connection, OPEN)
        await loop.connect_accepted_socket(
            lambda: _Begun(self._listener.connection(secure=context is not None), begun),
            connection, ssl=context, ssl_handshake_timeout=None if context is None else HANDSHAKE,
        )  # fmt: skip


class _Begun(asyncio.Protocol):
    """Feeds a protocol what was read of the connection before it came to it, and steps aside."""

    def __init__(self, inner: asyncio.Protocol, begun: bytes) -> None:
        self._inner = inner
        self._begun = begun

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.set_protocol(self._inner)
        self._inner.connection_made(transport)
        if self._begun:
            self._inner.data_received(self._begun)


class There:
    """
    An org at a URL. Bytes are carried both ways as they are: the program's Host header is what the org sees.

    Over TLS in any case, because the scheme in which the org answers is that of the connection: Landbridge serves both on one
    port. `https` verifies (`ca_file` besides the system's authorities), `http` promises nothing and so verifies nothing.
    """

    def __init__(self, url: str, ca_file: Path | None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise LandbridgeError(f"not the URL of an org: {url}. It looks like http://localhost:8080.")
        self._host, self._port = parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)
        self._context = ssl.create_default_context()
        if parts.scheme == "http":
            self._context.check_hostname = False
            self._context.verify_mode = ssl.CERT_NONE
        elif ca_file is not None:
            self._context.load_verify_locations(ca_file)

    async def take(self, connection: socket.socket, context: ssl.SSLContext | None, begun: bytes) -> None:
        outer = await reach(self._host, self._port, self._context if context is not None else None)
        await _join(connection, context, begun, outer)


class Port:
    """A plaintext port beside this process: the Pub/Sub API, whose TLS ends in the proxy."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._host, self._port = host.strip("[]"), int(port)

    async def take(self, connection: socket.socket, context: ssl.SSLContext | None, begun: bytes) -> None:
        await _join(connection, context, begun, await reach(self._host, self._port))


async def _join(connection: socket.socket, context: ssl.SSLContext | None, begun: bytes, outer: Streams) -> None:
    """Tell the program that its tunnel is open, end its TLS here, and carry what it says to `outer` and back."""
    try:
        if context is not None:
            await asyncio.get_running_loop().sock_sendall(connection, OPEN)
        inner = await streams(connection, context)
    except BaseException:
        outer[1].close()
        raise
    outer[1].write(begun)
    await carry(inner, outer)


async def streams(connection: socket.socket, context: ssl.SSLContext | None) -> Streams:
    """An accepted connection as streams; with a context, this end is the TLS server."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(loop=loop)
    protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
    transport, _ = await loop.connect_accepted_socket(
        lambda: protocol, connection, ssl=context, ssl_handshake_timeout=None if context is None else HANDSHAKE
    )
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


async def carry(one: Streams, other: Streams) -> None:
    """Bytes both ways until both ends have said all. A broken end breaks the other."""
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_pump(one[0], other[1]))
            group.create_task(_pump(other[0], one[1]))
    except* OSError:
        pass  # reset by one side: the other is closed below, which is all there is to tell it
    finally:
        for _, writer in (one, other):
            writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()
    else:
        writer.close()  # TLS has no half-close: who ends one way ends both
