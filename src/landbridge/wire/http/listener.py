"""
One port for TLS and plain HTTP.

Many published clients insist on https, others are happier without: the first byte of a connection tells (0x16 begins a TLS
handshake). It is looked at without being taken, and the connection handed to asyncio with or without a TLS context.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import ssl
from collections.abc import Callable

from landbridge.errors import LandbridgeError
from landbridge.wire.http.protocol import Connections, HttpProtocol, unavailable

log = logging.getLogger(__name__)

FIRST_BYTE = 10.0
"""Seconds a new connection may say nothing (idle ones are the idle timeout's business)."""
HANDSHAKE = 10.0
BACKLOG = 1024
_TLS_HANDSHAKE = b"\x16"


class Listener:
    """The open port. `tls` is asked for the context at the first TLS connection: certificates cost time at start."""

    def __init__(
        self, sockets: list[socket.socket], connections: Connections, tls: Callable[[], ssl.SSLContext]
    ) -> None:
        self._sockets = sockets
        self._connections = connections
        self._tls = tls
        self._context: ssl.SSLContext | None = None
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._opening = 0
        self.port: int = sockets[0].getsockname()[1]
        for listening in sockets:
            self._loop.add_reader(listening, self._accept, listening)
        self._sweeper = self._loop.call_later(1.0, self._sweep)

    def connection(self, *, secure: bool) -> HttpProtocol:
        """A protocol for a connection that another port took; `secure` when its TLS ended there."""
        return HttpProtocol(self._connections, secure=secure)

    def _sweep(self) -> None:
        self._connections.sweep()
        self._sweeper = self._loop.call_later(1.0, self._sweep)

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(BACKLOG):
            try:
                connection, _ = listening.accept()
            except BlockingIOError:
                return
            except OSError as error:
                # Out of descriptors: connections wait in the backlog until some are closed.
                log.warning("a connection could not be accepted: %s", error)
                return
            connection.setblocking(False)
            if len(self._connections.open) + self._opening >= self._connections.bounds.max_connections:
                _turn_away(connection)
                continue
            self._opening += 1
            task = self._loop.create_task(self._open(connection))
            self._tasks.add(task)
            task.add_done_callback(self._opened)

    def _opened(self, task: asyncio.Task[None]) -> None:
        self._opening -= 1
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("opening a connection failed", exc_info=error)

    async def _open(self, connection: socket.socket) -> None:
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            async with asyncio.timeout(FIRST_BYTE):
                first = await self._first_byte(connection)
            if not first:
                connection.close()
            elif first == _TLS_HANDSHAKE:
                await self._loop.connect_accepted_socket(
                    lambda: HttpProtocol(self._connections, secure=True),
                    connection,
                    ssl=self._secure(),
                    ssl_handshake_timeout=HANDSHAKE,
                )
            else:
                await self._loop.connect_accepted_socket(
                    lambda: HttpProtocol(self._connections, secure=False), connection
                )
        except (OSError, TimeoutError) as error:
            # The peer went, said nothing, or does not trust our certificate: its affair, told once at debug level.
            log.debug("a connection did not open: %s", error)
            connection.close()
        except asyncio.CancelledError:
            connection.close()
            raise

    async def _first_byte(self, connection: socket.socket) -> bytes:
        try:
            return connection.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            pass  # nothing has come yet: wait until it has
        readable: asyncio.Future[None] = self._loop.create_future()
        self._loop.add_reader(connection, _wake, readable)
        try:
            await readable
        finally:
            self._loop.remove_reader(connection)
        return connection.recv(1, socket.MSG_PEEK)

    def _secure(self) -> ssl.SSLContext:
        if self._context is None:
            self._context = self._tls()
        return self._context

    async def close(self, grace: float = 5.0) -> None:
        """Take no more connections, let running requests end, cut the rest."""
        self._sweeper.cancel()
        for listening in self._sockets:
            self._loop.remove_reader(listening)
            listening.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._connections.close(grace)


def listen(host: str, port: int, option: str = "--port") -> list[socket.socket]:
    """
    Bound, listening, non-blocking sockets. `localhost` means both loopback addresses, where both exist.

    Raises LandbridgeError that says what to do when the port is taken or the address is not this machine's.
    """
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        raise LandbridgeError(f"{host} is no address of this machine: {error.strerror}") from error
    sockets: list[socket.socket] = []
    for family, kind, protocol, _, address in dict.fromkeys(addresses):
        bound = socket.socket(family, kind, protocol)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            wanted = sockets[0].getsockname()[1] if sockets else port
            bound.bind((address[0], wanted, *address[2:]))
            bound.listen(BACKLOG)
        except OSError as error:
            bound.close()
            if sockets:
                continue  # the other family of `localhost` is not there
            raise LandbridgeError(cannot_listen(host, port, error.errno, option)) from error
        bound.setblocking(False)
        sockets.append(bound)
    return sockets


def cannot_listen(host: str, port: int, number: int | None, option: str) -> str:
    """What to tell a person about a port that could not be opened; `number` is the errno, `option` what names the port."""
    if number in (98, 48):  # EADDRINUSE on Linux, on macOS
        return f"port {port} on {host} is in use. Stop what uses it, or take another one: {option} 0 picks a free one."
    if number == 13:
        return f"port {port} needs more rights than this user has. Take one above 1023 with {option}."
    return f"can't listen on {host}:{port} ({option}): {os.strerror(number or 0)}"


def _wake(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)


def _turn_away(connection: socket.socket) -> None:
    try:
        connection.send(unavailable())
    except OSError as error:
        log.debug("a connection over the bound was gone already: %s", error)
    connection.close()
