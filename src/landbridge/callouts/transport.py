"""
The wire under callouts: pooled HTTP/1.1 and HTTP/2 by pyreqwest, one pool for each credential. Imported at the first callout.

Redirects, cookies and proxies are off: what leaves is what `send` decided. Where only public addresses are allowed, a client
is bound to the one address that was checked; a name that moves gets a new client.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pyreqwest import exceptions as failures
from pyreqwest.client import Client, ClientBuilder
from pyreqwest.http import Url
from pyreqwest.response import Response

from landbridge.callouts.credential import Credential, HttpVersion
from landbridge.callouts.guard import NotAllowed, Resolve, check_addresses
from landbridge.callouts.model import Kind, Sent, Stopped
from landbridge.clock import Clock
from landbridge.threads import yielding

PINNED_FOR = 30.0
"""Seconds an answer of the name service is believed."""
MOST_CLIENTS = 8
CONNECT = 0.9
"""The part of the timeout that connecting may take: what ends within it was certainly not sent."""
_VERSIONS = {"HTTP/0.9": "0.9", "HTTP/1.0": "1.0", "HTTP/1.1": "1.1", "HTTP/2.0": "2", "HTTP/3.0": "3"}


@dataclass(slots=True)
class Answer:
    """A whole answer; header names are lower case."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    version: str


class Transport:
    """The connections of one credential. `headers` go with every request; `client_key` is the certificate's, PEM."""

    def __init__(
        self, credential: Credential, headers: Sequence[tuple[str, str]], client_key: str | None, clock: Clock,
        resolve: Resolve,
    ) -> None:  # fmt: skip
        self._credential = credential
        self._public_only = credential.public_only
        self._most = credential.max_body
        self._headers = dict(headers)
        self._client_key = client_key
        self._clock = clock
        self._resolve = resolve
        self._free: Client | None = None
        self._pinned: dict[str, tuple[Client, float, str]] = {}
        self._turns: dict[str, int] = {}

    async def exchange(
        self, method: str, url: str, headers: Sequence[tuple[str, str]], body: bytes | None, seconds: float
    ) -> Answer:
        """One request and its whole answer, bounded. Raises Stopped, ValueError."""
        if self._public_only:
            began = self._clock.monotonic()
            client = await self._pinned_client(url, seconds)
            seconds = max(0.001, seconds - (self._clock.monotonic() - began))  # the name may have taken its time
        else:
            client = self._free or self._open()
        try:
            builder = client.request(method, url).timeout(timedelta(0, seconds)).headers(headers)
            if body is not None:
                builder.body_bytes(body)
            request = builder.build_streamed()
        except ValueError as error:  # BuilderError is one too
            raise ValueError(f"not a request that HTTP can carry: {str(error).splitlines()[0]}") from None
        answer: Answer | None = None
        try:
            # As `async with` would, but an answer that was read to its end has nothing left to close, and closing it would be
            # one more way through the client.
            response = await request.__aenter__()
            try:
                found = response.headers.dict_multi_value()
                several = list in map(type, found.values())  # a header that came more than once
                pairs: Any = response.headers.items() if several else found.items()
                answer = Answer(response.status, tuple(pairs), b"", _VERSIONS.get(response.version, ""))
                length = found.get("content-length")  # gone where the client has unpacked the body
                if isinstance(length, str) and length.isdecimal() and int(length) <= self._most:
                    answer.body = (await response.bytes()).to_bytes()  # the protocol itself holds it to that length
                else:
                    answer.body = await self._read(response, answer)
            except BaseException:
                await request.__aexit__(None, None, None)
                raise
            return answer
        except failures.RequestError as error:
            failed = _failed(error, answer)
            if failed.sent is Sent.NO and self._public_only:
                self._next_address(url)
            raise failed from None

    async def _read(self, response: Response, answer: Answer) -> bytes:
        """A body of unknown length."""
        most, reader = self._most, response.body_reader
        data = b""
        while len(data) <= most:
            more = await reader.read(most + 1 - len(data))
            if more is None:
                return data
            data += more.to_bytes()
        raise Stopped(Kind.TOO_LARGE, Sent.YES, f"the answer is larger than {most} bytes", answer=answer)

    async def close(self) -> None:
        """Close every connection."""
        clients = [entry[0] for entry in self._pinned.values()]
        if self._free is not None:
            clients.append(self._free)
        self._pinned.clear()
        self._free = None
        for client in clients:
            await client.close()

    # --- clients -----------------------------------------------------------------------------------------------

    def _next_address(self, url: str) -> None:
        """The address could not be reached: the next callout takes another one of the name's."""
        parsed = Url(url)
        key = f"{parsed.host_str}:{parsed.port_or_known_default}"
        self._pinned.pop(key, None)
        self._turns[key] = self._turns.get(key, 0) + 1

    def _open(self) -> Client:
        self._free = _started(self._build())
        return self._free

    async def _pinned_client(self, url: str, seconds: float) -> Client:
        # The client's own parser decides what the host is: two parsers that disagree are a way around any check.
        parsed = Url(url)
        host, port = parsed.host_str or "", parsed.port_or_known_default or 443
        now = self._clock.monotonic()
        known = self._pinned.get(f"{host}:{port}")
        if known is not None and now < known[1]:
            return known[0]
        bare = host.strip("[]")
        addresses = [bare] if parsed.domain is None else await self._addresses(bare, port, seconds)
        try:
            check_addresses(bare, addresses)
        except NotAllowed as error:
            raise Stopped(Kind.REFUSED, Sent.NO, str(error)) from None
        if known is not None and known[2] in addresses:
            self._pinned[f"{host}:{port}"] = (known[0], now + PINNED_FOR, known[2])
            return known[0]
        address = addresses[self._turns.get(f"{host}:{port}", 0) % len(addresses)]
        builder = self._build()
        if parsed.domain is not None:
            builder = builder.resolve(bare, address, port)
        client = _started(builder)
        while len(self._pinned) >= MOST_CLIENTS:
            del self._pinned[next(iter(self._pinned))]
        self._pinned[f"{host}:{port}"] = (client, now + PINNED_FOR, address)
        return client

    async def _addresses(self, host: str, port: int, seconds: float) -> Sequence[str]:
        try:
            async with asyncio.timeout(seconds):
                return await self._resolve(host, port)
        except TimeoutError:
            raise Stopped(Kind.TIMEOUT, Sent.NO, f"the name {host} was not found in time") from None
        except OSError as error:
            raise Stopped(Kind.CONNECT, Sent.NO, f"the name {host} is not known ({error.strerror})") from None

    def _build(self) -> ClientBuilder:
        credential = self._credential
        builder = (
            ClientBuilder()
            .follow_redirects(False)
            .no_proxy()
            .referer(False)
            .user_agent("Landbridge")
            .default_headers(self._headers)
            .connect_timeout(timedelta(seconds=credential.timeout * CONNECT))
        )
        if credential.http is HttpVersion.TWO:
            builder = builder.http2_prior_knowledge()
        elif credential.http is HttpVersion.AUTO:
            builder = builder.http2(True)
        if credential.ca:
            builder = builder.add_root_certificate_pem(credential.ca.encode())
        if credential.client_certificate and self._client_key is not None:
            builder = builder.identity_pem(f"{self._client_key}\n{credential.client_certificate}".encode())
        return builder


def _started(builder: ClientBuilder) -> Client:
    """A client of the builder's. The first one starts the thread in which all of them work."""
    with yielding():
        return builder.build()


def _failed(error: failures.RequestError, answer: Answer | None) -> Stopped:
    """
    The client's error as ours. Its own text names the URL, so only the innermost cause is told.

    Its classes do not say whether the request had gone out (a timeout before the head of the answer is a ConnectTimeoutError to
    it, whatever had been sent); the chain of causes does. Only what is marked as failing to connect is certain.
    """
    causes = [str(cause["message"]) for cause in error.details.get("causes") or ()]
    innermost = causes[-1] if causes else type(error).__name__
    connecting = _CONNECTING in causes
    if isinstance(error, failures.RequestTimeoutError):
        if connecting:
            return Stopped(Kind.TIMEOUT, Sent.NO, "no connection in time")
        text = "no answer in time" if answer is None else "no whole answer in time"
        return Stopped(Kind.TIMEOUT, Sent.MAYBE if answer is None else Sent.YES, text, answer=answer)
    if connecting:
        return Stopped(Kind.CONNECT, Sent.NO, f"no connection: {innermost}")
    begun = answer is not None or isinstance(error, failures.BodyDecodeError)
    return Stopped(Kind.LOST, Sent.YES if begun else Sent.MAYBE, f"the connection was lost: {innermost}", answer=answer)


_CONNECTING = "client error (Connect)"
"""How hyper marks whatever happens before a connection stands: name, TCP, TLS. tests/callouts/test_failures.py holds it to it."""
