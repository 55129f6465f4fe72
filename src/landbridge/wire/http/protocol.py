"""
HTTP/1.1 for one connection: bytes to requests, replies to bytes.

httptools parses; what stands here are the bounds (target, headers, body, waiting requests, time), the order of pipelined
requests (one runs at a time), and the pressure back on whoever sends or reads too fast or too slowly. A request whose header
lines the connection has seen before skips the parser (`heads`).

Time is watched by one sweep per server (`Connections.sweep`), not by a timer per request: a connection notes since when it
waits for the peer, and the sweep closes those that wait too long.
"""

from __future__ import annotations

import asyncio
import gzip
import logging
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import cast

import httptools

from landbridge.clock import Clock
from landbridge.errors import BadRequest, BodyTooLarge, HeadersTooLarge, SalesforceError, ServerUnavailable, UriTooLong
from landbridge.values import http_date_of
from landbridge.wire.http.body import inflate
from landbridge.wire.http.core import Core, error_reply
from landbridge.wire.http.heads import MOST, SPECIAL, Head, Line, Lines, lines_of, request_line
from landbridge.wire.http.message import JSON, Reply, Request, Waiting

log = logging.getLogger(__name__)

MAX_TARGET = 16_384
MAX_HEADERS = 16_384
"""Bytes of target and headers together (rest.md section 1: 431 above it)."""
MAX_WAITING = 32
"""Pipelined requests that wait on one connection before reading pauses."""
GZIP_FROM = 1024
"""Replies of fewer bytes are not worth compressing."""
HIGH_WATER = 1 << 20
"""Bytes that a peer may leave unread for as long as a silent one may stay; with more it has the time of a request."""
JOINED = 16_384
"""Larger bodies are not copied behind their head: two writes cost less than the copy."""

_REASONS = {
    200: b"OK", 201: b"Created", 204: b"No Content", 300: b"Multiple Choices", 302: b"Found", 304: b"Not Modified",
    400: b"Bad Request", 401: b"Unauthorized", 403: b"Forbidden", 404: b"Not Found", 405: b"Method Not Allowed",
    408: b"Request Timeout", 409: b"Conflict", 410: b"Gone", 412: b"Precondition Failed", 413: b"Content Too Large",
    414: b"URI Too Long", 415: b"Unsupported Media Type", 431: b"Request Header Fields Too Large",
    500: b"Internal Server Error", 501: b"Not Implemented", 502: b"Bad Gateway", 503: b"Service Unavailable",
}  # fmt: skip
_STATUS_LINES = {code: b"HTTP/1.1 %d %s\r\n" % (code, reason) for code, reason in _REASONS.items()}
# Usual reply headers of an org (rest.md section 1). No Strict-Transport-Security: it would pin localhost to TLS in browsers.
_COMMON = (
    b"Cache-Control: no-cache,must-revalidate,max-age=0,no-store,private\r\n"
    b"Vary: Accept-Encoding\r\nX-Content-Type-Options: nosniff\r\nX-Robots-Tag: none\r\nServer: landbridge\r\n"
)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a connection may take: bytes of a body, seconds for a whole request, seconds of silence between requests."""

    max_body: int
    request_timeout: float
    idle_timeout: float
    max_connections: int


class Connections:
    """The open connections of one server and what they share."""

    def __init__(self, core: Core, clock: Clock, bounds: Bounds) -> None:
        self.core = core
        self.clock = clock
        self.bounds = bounds
        self.open: set[HttpProtocol] = set()
        self.now = clock.monotonic()
        self._date = b""
        self._starts: dict[int, bytes] = {}
        self._usual: dict[int, bytes] = {}
        self._tick()

    def _tick(self) -> None:
        self.now = self.clock.monotonic()
        self._date = b"Date: " + http_date_of(self.clock.now()).encode() + b"\r\n"
        self._starts, self._usual = {}, {}

    def start(self, status: int) -> bytes:
        """How replies of a status begin in this second: status line and date."""
        found = self._starts.get(status)
        if found is None:
            line = _STATUS_LINES.get(status) or b"HTTP/1.1 %d Status\r\n" % status
            found = self._starts[status] = line + self._date
        return found

    def usual(self, status: int) -> bytes:
        """The same with the headers that nearly every reply has."""
        found = self._usual.get(status)
        if found is None:
            found = self._usual[status] = self.start(status) + _COMMON
        return found

    def sweep(self) -> None:
        """Close what waits too long; called each second."""
        self._tick()
        for connection in list(self.open):
            connection.expire(self.now)

    async def close(self, grace: float) -> None:
        """Let running requests end within `grace` seconds, then cut what is left."""
        for connection in list(self.open):
            connection.close_when_idle()
        deadline = self.clock.monotonic() + grace
        while self.open and self.clock.monotonic() < deadline:
            await self.clock.sleep(0.01)
        for connection in list(self.open):
            connection.abort()


class HttpProtocol(asyncio.Protocol):
    """One connection."""

    __slots__ = (
        "_answered",
        "_body",
        "_body_size",
        "_chunked",
        "_closing",
        "_connections",
        "_failed",
        "_headers",
        "_heads",
        "_held",
        "_keep",
        "_last",
        "_lengths",
        "_lines",
        "_parser",
        "_paused",
        "_peer",
        "_reading",
        "_request",
        "_running",
        "_secure",
        "_since",
        "_size",
        "_stalled",
        "_stream",
        "_target",
        "_transport",
        "_waiting",
        "_writable",
    )  # fmt: skip

    def __init__(self, connections: Connections, *, secure: bool) -> None:
        self._connections = connections
        self._secure = secure
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._peer = ""
        self._heads: dict[bytes, Head] = {}
        self._lines: bytes | None = None
        """The header lines of the request that the parser is reading, if they may be kept."""
        self._last: tuple[Lines, Line] | None = None
        """The last request with a known head, and what is known of it."""
        self._reading = False
        """Whether the parser has part of a request."""
        self._request: Request | None = None
        """The request that runs, and in `_keep` whether the connection stays after it."""
        self._keep = True
        self._waiting: deque[tuple[Request, bool]] = deque()
        self._running = False
        self._answered = False
        """The answer is written, the peer does not read it: no further request of it runs until it does."""
        self._closing = False
        self._failed = False
        self._paused = False
        self._since: float | None = connections.now
        self._stalled: float | None = None
        """Since when the peer does not read."""
        self._held: Waiting | None = None
        self._stream: asyncio.Task[None] | None = None
        self._writable: asyncio.Event | None = None
        self._start()

    def _start(self) -> None:
        self._target = b""
        self._headers: dict[bytes, bytes] = {}
        self._size = 0
        self._body: list[bytes] = []
        self._body_size = 0
        self._chunked = False
        self._lengths = 0

    # --- the connection ------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop has transports of its own class
        # uvloop writes at the end of its turn what stays below the limit, and at once what is above it. At once: who waits for
        # an answer hears before the rest of its group and before the subscribers. (asyncio's own loop does so always.)
        at_once = transport.get_extra_info("sslcontext") is None
        self._transport.set_write_buffer_limits(0 if at_once else HIGH_WATER)
        peer = transport.get_extra_info("peername")
        self._peer = peer[0] if isinstance(peer, tuple) else "127.0.0.1"
        self._connections.open.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        # A write that was submitted still commits; its answer finds no transport and is dropped.
        self._connections.open.discard(self)
        self._transport = None
        self._waiting.clear()
        if self._held is not None:
            self._held.gone()
            self._held = None
        if self._stream is not None:
            self._stream.cancel()
        if self._writable is not None:
            self._writable.set()

    def pause_writing(self) -> None:
        self._writable = asyncio.Event()
        self._stalled = self._connections.now

    def resume_writing(self) -> None:
        self._stalled = None
        if self._writable is not None:
            self._writable.set()
            self._writable = None
        if self._answered:
            self._answered = False
            self._next(True)

    def expire(self, now: float) -> None:
        """Close the connection if it has waited too long for its peer."""
        bounds = self._connections.bounds
        if self._stalled is not None and self._transport is not None:
            much = self._transport.get_write_buffer_size() > HIGH_WATER
            if now - self._stalled > (bounds.request_timeout if much else bounds.idle_timeout):
                self.abort()
                return
        if self._since is not None:
            idle = not self._running and not self._size
            if now - self._since > (bounds.idle_timeout if idle else bounds.request_timeout):
                self.abort()

    def close_when_idle(self) -> None:
        self._closing = True
        if self._held is not None:
            self._held.finish()
        elif not self._running and self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    # --- reading -------------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self._failed or (not self._reading and self._is_known(data)):
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            # An offer (Java's client offers h2c on every connection), not a demand: HTTP/1.1 goes on (RFC 9110, 7.8).
            self._parser = httptools.HttpRequestParser(self)
            rest = data[upgrade.args[0] :]
            if rest:
                self.data_received(rest)
        except httptools.HttpParserCallbackError as error:
            cause = error.__context__
            self._refuse(cause if isinstance(cause, SalesforceError) else BadRequest("malformed request"))
        except httptools.HttpParserError:
            self._refuse(BadRequest("malformed HTTP request"))

    def _is_known(self, data: bytes) -> bool:
        """Whether this is a whole request with header lines that were seen before: it is taken then."""
        if self._last is not None:
            lines, line = self._last
            body = lines.body_in(data)
            if body is not None and len(body) <= self._connections.bounds.max_body:
                self._take_known(line, body)
                return True
        found, plain = lines_of(data), request_line(data)
        if found is None or plain is None:
            self._lines = None
            return False
        self._lines = found.key
        head = self._heads.get(found.key)
        if head is None or len(data) - found.body > self._connections.bounds.max_body:
            return False
        line = Line(plain[0], plain[1], head)
        self._last = found, line
        self._take_known(line, data[found.body :])
        return True

    def _take_known(self, line: Line, body: bytes) -> None:
        self._take(
            Request(line.method, line.target, line.head.headers, body, self._secure, self._peer, None, line), True
        )

    def eof_received(self) -> bool:
        # Half-closed clients still get the answers to what they sent. A vanished one looks the same: what waits for
        # something to happen is answered now, or its connection would stay for nobody.
        self._closing = True
        if self._held is not None:
            self._held.finish()
        return self._running or bool(self._waiting)

    def on_message_begin(self) -> None:
        self._start()
        self._reading = True
        self._since = self._connections.now

    def on_url(self, url: bytes) -> None:
        self._size += len(url)
        if len(self._target) + len(url) > MAX_TARGET:
            raise UriTooLong
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._size += len(name) + len(value) + 4
        if self._size > MAX_HEADERS + 64:
            raise HeadersTooLarge
        key = name.lower()
        if key == b"content-length":
            self._lengths += 1
        elif key == b"transfer-encoding":
            self._chunked = True
        if key in self._headers and key != b"content-length":
            value = self._headers[key] + b", " + value
        self._headers[key] = value

    def on_headers_complete(self) -> None:
        if self._lengths > 1 or (self._lengths and self._chunked):
            # Two lengths for one body: what request smuggling is made of (RFC 9112 section 6.3).
            raise BadRequest("a request has one length: Content-Length or Transfer-Encoding")
        length = self._headers.get(b"content-length")
        if length is not None and (not length.isdigit() or int(length[:19]) > self._connections.bounds.max_body):
            raise BodyTooLarge(self._connections.bounds.max_body)
        if self._headers.get(b"expect", b"").lower() == b"100-continue" and self._transport is not None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._body_size += len(body)
        if self._body_size > self._connections.bounds.max_body:
            raise BodyTooLarge(self._connections.bounds.max_body)
        self._body.append(body)

    def on_message_complete(self) -> None:
        if self._size > MAX_HEADERS:
            raise HeadersTooLarge
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        coding = self._headers.get(b"content-encoding")
        if coding is not None and body:
            try:
                body = inflate(body, coding.decode("latin-1").strip().lower(), self._connections.bounds.max_body)
            except ValueError as error:
                raise BadRequest(str(error)) from error
        head = Head(self._headers)
        line = Line(self._parser.get_method().decode("latin-1"), self._target, head)
        request = Request(line.method, line.target, self._headers, body, self._secure, self._peer, None, line)
        keep = self._parser.should_keep_alive()
        self._size = 0
        self._reading = False
        if (
            self._lines is not None
            and keep
            and SPECIAL.isdisjoint(self._headers)
            and self._parser.get_http_version() == "1.1"
        ):
            if len(self._heads) >= MOST:
                self._heads.clear()
            self._headers.pop(b"content-length", None)
            self._heads[self._lines] = head
        self._take(request, keep)

    def _take(self, request: Request, keep: bool) -> None:
        self._since = None
        if self._running:
            self._waiting.append((request, keep))
            if len(self._waiting) >= MAX_WAITING and self._transport is not None:
                self._transport.pause_reading()
                self._paused = True
        else:
            self._run(request, keep)

    def _refuse(self, error: SalesforceError) -> None:
        """Answer what can't be a request, and close: where the next one would start is unknown."""
        self._failed = True
        self._waiting.clear()
        if self._running:
            self._closing = True  # the answer under way goes out first; this one is dropped with the connection
            return
        self._request = None
        self._send(error_reply(error), keep=False)

    # --- answering -----------------------------------------------------------------------------------------------

    def _run(self, request: Request, keep: bool) -> None:
        self._running = True
        self._request, self._keep = request, keep
        self._held = self._connections.core.handle(request, self._respond)
        if self._held is not None and self._closing:
            self._held.finish()

    def _respond(self, reply: Reply) -> None:
        self._held = None
        if self._transport is None:
            self._running = False
            return
        keep = self._keep and not self._closing
        body = reply.body
        if body is None or isinstance(body, (bytes, tuple)):
            self._send(reply, keep=keep)
            self._next(keep)
        else:
            self._stream = asyncio.get_running_loop().create_task(self._send_stream(reply, body, keep))

    def _next(self, keep: bool) -> None:
        self._request = None
        if keep and self._writable is not None and not self._closing:
            self._answered = True
            return
        self._running = False
        self._since = self._connections.now
        if not keep or self._closing:
            if self._transport is not None and not self._waiting:
                self._transport.close()
                return
            if not keep:
                self._waiting.clear()
                return
        if self._waiting:
            if self._paused and self._transport is not None:
                self._transport.resume_reading()
                self._paused = False
            request, keep_next = self._waiting.popleft()
            # Not from inside the last answer: a long pipeline would nest as deep as it is long.
            self._running = True
            asyncio.get_running_loop().call_soon(self._run, request, keep_next)

    def _send(self, reply: Reply, *, keep: bool) -> None:
        transport, request, body = self._transport, self._request, reply.body
        if transport is None:
            return
        assert body is None or isinstance(body, (bytes, tuple))
        if body is None:
            tail = b"\r\n" if reply.status in (204, 304) else b"Content-Length: 0\r\n\r\n"
            transport.write(self._head(reply, keep) + tail)
        else:
            parts = (body,) if isinstance(body, bytes) else body
            size = len(body) if isinstance(body, bytes) else sum(map(len, body))
            if size > GZIP_FROM and request is not None and b"gzip" in request.headers.get(b"accept-encoding", b""):
                parts = (_zipped(reply, parts),)
                size = len(parts[0])
            kind = b"Content-Type: %b\r\nContent-Length: %d\r\n\r\n" % (reply.content_type, size)
            head = self._head(reply, keep)
            if request is not None and request.method == "HEAD":
                transport.write(head + kind)
            elif size <= JOINED:
                transport.write(b"".join((head, kind, *parts)))  # one packet
            else:
                transport.writelines((head, kind, *parts))
        if not keep:
            transport.close()

    def _head(self, reply: Reply, keep: bool) -> bytes:
        headers, connections = reply.headers, self._connections
        stamp = b"" if self._request is None else self._request.stamp
        if not headers and keep:
            return connections.usual(reply.status) + stamp
        named = b"".join([b"%b: %b\r\n" % header for header in headers])
        if named.count(b"\n") != len(headers) or named.count(b"\r") != len(headers):
            named = b"".join([b"%b: %b\r\n" % (name, _clean(value)) for name, value in headers])
        usual = connections.usual(reply.status)
        if b"Cache-Control: " in named:
            usual = connections.start(reply.status) + _COMMON.partition(b"\r\n")[2]
        close = b"" if keep else b"Connection: close\r\n"
        return b"".join((usual, named, stamp, close))

    async def _send_stream(self, reply: Reply, body: AsyncIterator[bytes], keep: bool) -> None:
        """A reply whose length is not known: chunks as they come, waiting while the peer does not read."""
        try:
            if self._transport is not None:
                self._transport.write(
                    self._head(reply, keep)
                    + b"Content-Type: %b\r\nTransfer-Encoding: chunked\r\n\r\n" % reply.content_type
                )
            if self._request is not None and self._request.method == "HEAD":
                self._stream = None
                self._next(keep)
                return
            async for chunk in body:
                if self._transport is None:
                    return
                if chunk:
                    self._transport.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
                if self._writable is not None:
                    await self._writable.wait()
            if self._transport is not None:
                self._transport.write(b"0\r\n\r\n")
        except Exception:
            log.exception("a streamed reply broke off")
            keep = False
        self._stream = None
        self._next(keep)


def _clean(value: bytes) -> bytes:
    """No line break gets into a header, whatever it was made from."""
    return value.replace(b"\r", b"").replace(b"\n", b"")


def _zipped(reply: Reply, parts: tuple[bytes, ...]) -> bytes:
    """The body compressed, with what the reply's headers have to say of it."""
    reply.headers = [(name, _tagged(value) if name == b"ETag" else value) for name, value in reply.headers]
    reply.headers.append((b"Content-Encoding", b"gzip"))
    return gzip.compress(b"".join(parts), 1, mtime=0)


def _tagged(etag: bytes) -> bytes:
    """An ETag of a compressed reply: `--gzip` before the closing quote (rest.md section 1)."""
    return etag[:-1] + b'--gzip"' if etag.endswith(b'"') else etag


def unavailable() -> bytes:
    """What a connection over the bound is told before it is closed."""
    body = error_reply(ServerUnavailable("Too many connections")).body
    assert isinstance(body, bytes)
    head = b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: %b\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
    return head % (JSON, len(body)) + body
