"""
A server with its door open: the port, the ready file, and what comes down with them.

`async with Door.open(settings) as door` is what `landbridge serve` is made of; tests use it the same way.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import msgspec

from landbridge.auth import certificates
from landbridge.chance import Chance
from landbridge.clock import Clock
from landbridge.config import Settings
from landbridge.errors import LandbridgeError
from landbridge.server import Server
from landbridge.storage.folder import write_private
from landbridge.wire.app import table
from landbridge.wire.http.core import Core
from landbridge.wire.http.listener import Listener, listen
from landbridge.wire.http.protocol import Bounds, Connections

if TYPE_CHECKING:
    from landbridge.wire.pubsub.listener import PubSubListener

SERVER_FILE = "server.json"


@dataclass(frozen=True, slots=True)
class Door:
    """A server that answers at `url`; `ready` is what the ready file says."""

    server: Server
    listener: Listener
    pubsub: PubSubListener
    url: str
    ready: dict[str, Any]

    @classmethod
    @asynccontextmanager
    async def open(
        cls, settings: Settings, clock: Clock | None = None, chance: Chance | None = None
    ) -> AsyncIterator[Door]:
        """Open the org and its port; close both, running requests first, when the block ends."""
        async with AsyncExitStack() as closing:
            sockets = listen(settings.host, settings.port)  # a port in use is told before anything is loaded
            for listening in sockets:
                closing.callback(listening.close)
            held = _hold(settings)
            for listening in held:
                closing.callback(listening.close)
            server = await Server.open(settings, clock, chance)
            closing.push_async_callback(server.close)
            core = Core(server, table())
            closing.push_async_callback(core.close)
            bounds = Bounds(
                settings.max_body, settings.request_timeout, settings.idle_timeout, settings.max_connections
            )
            folder = _certificates(settings, server)
            listener = Listener(
                sockets,
                Connections(core, server.clock, bounds),
                lambda: certificates.ensure(folder, server.clock).context(),
            )
            closing.push_async_callback(listener.close)
            found = certificates.ensure(folder, server.clock)
            pubsub = await _open_pubsub(server, settings, held, found)
            closing.push_async_callback(pubsub.close)
            ready = _ready(server, _shown(settings.host), listener, pubsub, found)
            own = server.folder.path / SERVER_FILE
            write_private(own, msgspec.json.encode(ready))
            closing.callback(own.unlink, missing_ok=True)
            if settings.ready_file is not None:
                _write_ready(settings.ready_file, ready)
                closing.callback(settings.ready_file.unlink, missing_ok=True)
            yield cls(server, listener, pubsub, ready["url"], ready)


def _certificates(settings: Settings, server: Server) -> Path:
    """One CA for all orgs of this user, so that it is trusted once; the settings may name another folder."""
    if settings.certificates is not None:
        return settings.certificates
    home = settings.home
    return server.folder.path / "tls" if home is None else home / "tls"


def _shown(host: str) -> str:
    if host in ("127.0.0.1", "::1", "0.0.0.0", "::"):  # noqa: S104  # shown, not bound
        return "localhost"
    return f"[{host}]" if ":" in host else host


def _hold(settings: Settings) -> list[socket.socket]:
    """The named ports of the Pub/Sub API, held until gRPC takes them: one that is in use is told before anything is loaded."""
    options = ("--pubsub-port", "--pubsub-tls-port")
    held: list[socket.socket] = []
    try:
        for port, option in zip(settings.pubsub_ports, options, strict=True):
            if port:
                held += listen(settings.host, port, option)
    except BaseException:
        for listening in held:
            listening.close()
        raise
    return held


async def _open_pubsub(
    server: Server, settings: Settings, held: list[socket.socket], found: certificates.Certificates
) -> PubSubListener:
    """
    The Pub/Sub API. HTTP answers already: gRPC takes 100 ms to load, in a thread beside it.

    Raises LandbridgeError when a port was taken in the meantime.
    """
    module = await asyncio.to_thread(import_module, "landbridge.wire.pubsub.listener")
    for listening in held:
        listening.close()
    made = module.PubSubListener.open(server, settings.host, settings.pubsub_ports, found.pem())
    return cast("PubSubListener", await made)


def _ready(
    server: Server, host: str, listener: Listener, pubsub: PubSubListener, found: certificates.Certificates
) -> dict[str, Any]:
    mine = server.credentials
    return {
        "url": f"http://{host}:{listener.port}", "pubsub": f"{host}:{pubsub.port}",
        "pubsub_tls": f"{host}:{pubsub.tls_port}", "mcp": None, "username": mine.username, "password": mine.password,
        "security_token": mine.security_token, "client_id": mine.client_id, "client_secret": mine.client_secret,
        "access_token": server.access_token, "refresh_token": mine.refresh_token, "org_id": server.org.org_id,
        "user_id": server.org.admin_id, "ca_file": str(found.ca.resolve()), "pid": os.getpid(),
    }  # fmt: skip


def _write_ready(path: Path, ready: dict[str, Any]) -> None:
    try:
        write_private(path, msgspec.json.format(msgspec.json.encode(ready), indent=1) + b"\n")
    except OSError as error:
        raise LandbridgeError(f"the ready file {path} can't be written: {error.strerror}") from error
