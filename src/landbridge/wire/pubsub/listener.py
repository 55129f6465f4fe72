"""
The two ports of the Pub/Sub API: plaintext, and TLS with the org's certificate, which published clients insist on.

gRPC runs on the org's own loop: the log, the clock and the sessions are there, and nothing has to cross threads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio

from landbridge.errors import LandbridgeError
from landbridge.threads import yielding
from landbridge.wire.http.listener import cannot_listen
from landbridge.wire.pubsub.service import Service

if TYPE_CHECKING:
    from landbridge.server import Server

LARGEST_REQUEST = 4 * 1024 * 1024
"""Bytes of one request: gRPC's own limit, which the platform names (documented)."""
LARGEST_RESPONSE = 8 * 1024 * 1024
STREAMS_A_CONNECTION = 100
"""As on the platform: a channel has at most 100 streams at a time (documented)."""
GRACE = 1.0
"""Seconds that running calls have to end when the org stops."""

OPTIONS = (
    ("grpc.so_reuseport", 0),  # two orgs on one port would share its connections
    ("grpc.max_receive_message_length", LARGEST_REQUEST),
    ("grpc.max_send_message_length", LARGEST_RESPONSE),
    ("grpc.max_concurrent_streams", STREAMS_A_CONNECTION),
    ("grpc.max_metadata_size", 16 * 1024),
    # A peer that vanished without a goodbye is noticed within two minutes; clients may ping as often as they like.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.http2.max_ping_strikes", 0),
)


@dataclass(frozen=True, slots=True)
class PubSubListener:
    """The open ports."""

    port: int
    tls_port: int
    _service: Service
    _grpc: Any

    @classmethod
    async def open(cls, server: Server, host: str, ports: tuple[int, int], certificate: bytes) -> PubSubListener:
        """
        Answer on `ports` (plaintext, TLS; 0 picks a free one). `certificate` is PEM: key and chain.

        Raises LandbridgeError that names the option when a port is taken.
        """
        service = Service(server)
        with yielding():  # the first server of a process starts the threads of all
            made = grpc.aio.server(options=OPTIONS)
            made.add_generic_rpc_handlers((service.handlers(),))
            shown = f"[{host}]" if ":" in host else host
            plain = _bind(lambda at: made.add_insecure_port(at), shown, ports[0], "--pubsub-port")
            credentials = grpc.ssl_server_credentials([(certificate, certificate)])
            tls = _bind(lambda at: made.add_secure_port(at, credentials), shown, ports[1], "--pubsub-tls-port")
            await made.start()
        return cls(plain, tls, service, made)

    async def close(self) -> None:
        """Take no more calls, let running ones end, cut the rest."""
        self._service.stop()
        await self._grpc.stop(GRACE)


def _bind(add: Any, host: str, port: int, option: str) -> int:
    try:
        bound: int = add(f"{host}:{port}")
    except RuntimeError as error:
        raise LandbridgeError(cannot_listen(host, port, _errno(str(error)), option)) from error
    return bound


def _errno(text: str) -> int | None:
    """gRPC says why in prose alone."""
    return 98 if "in use" in text else 13 if "denied" in text else None
