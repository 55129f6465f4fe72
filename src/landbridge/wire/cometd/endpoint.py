"""
`POST /cometd/NN.N`: an HTTP request with Bayeux messages, its answer, its cookie.

Clients append `/handshake`, `/connect` and so on, or do not: the messages decide. `/cometd/replay/36.0` is the address that
version 36.0 had. A WebSocket offer is a GET, which is not there: 405, as on the platform, and clients fall back.

Source: `events.md` section 3, `clients.md` item 11.
"""

from __future__ import annotations

import asyncio
import re
from functools import lru_cache

from landbridge.wire.cometd import messages
from landbridge.wire.cometd.clients import Caller, Client
from landbridge.wire.cometd.messages import HANDSHAKE_CHANNEL, text
from landbridge.wire.cometd.refusals import Refused
from landbridge.wire.cometd.streams import Streams
from landbridge.wire.http.core import bearer, session_of
from landbridge.wire.http.message import Answer, Call, Needs, Reply, Route

OLDEST, NEWEST = 37.0, 68.0
_VERSION = re.compile(r"\d{2}\.\d\Z", re.ASCII)
_COOKIE = re.compile(rb"(?:^|[;,]\s*)BAYEUX_BROWSER=([A-Za-z0-9]{1,64})")


class Waiting:
    """A held connect, as the connection that carries it sees it."""

    __slots__ = ("_client", "_streams")

    def __init__(self, streams: Streams, client: Client) -> None:
        self._streams = streams
        self._client = client

    def gone(self) -> None:
        """The peer went away."""
        self._streams.clients.lost(self._client, self._streams.now())

    def finish(self) -> None:
        """Answer now: the connection or the server is closing."""
        self._streams.clients.release(self._client, self._streams.now())


def receive(call: Call, answer: Answer) -> Waiting | None:
    """Take a request with messages; what is held when a connect waits for events."""
    try:
        found = messages.decode(call.request.body)
    except Refused as refused:
        answer(_reply([messages.refusal({}, refused)], refused.code))
        return None
    wrong = _wrong_version(call.params.get("api", ""), call.request.target.startswith(b"/cometd/replay/"))
    if wrong is not None:
        answer(_reply([messages.refusal(message, wrong) for message in found], wrong.code))
        return None
    switchboard, strike = call.server.switchboard, None
    if switchboard.armed("cometd.request"):
        strike = switchboard.strike("cometd.request", {"call": call, "messages": found})
    if strike is not None:
        error = strike.error
        if isinstance(error, Refused):
            answer(_reply([messages.refusal(message, error) for message in found]))
            return None
        if error is not None:
            raise error
        if strike.delay:
            # Who goes away in the meantime is noticed when the connect it sent is over.
            asyncio.get_running_loop().call_later(strike.delay, _take, call, found, answer)
            return None
    return _take(call, found, answer)


def _take(call: Call, found: list[messages.Message], answer: Answer) -> Waiting | None:
    streams = Streams.of(call.server)
    browser = _browser(call.request.headers.get(b"cookie"))
    cookie: list[tuple[bytes, bytes]] = []
    if browser is None and any(text(message, "channel") == HANDSHAKE_CHANNEL for message in found):
        browser = call.server.chance.letters(24)
        secure = b"; Secure" if call.request.base_url.startswith("https") else b""
        cookie.append((b"Set-Cookie", b"BAYEUX_BROWSER=%b; Path=/; HttpOnly%b" % (browser.encode(), secure)))
    client = streams.clients.receive(
        found, _caller(call, browser), streams.now(), lambda out: answer(_reply(out, cookie=cookie))
    )
    if streams.clients.impatient:
        streams.hasten()
    return None if client is None else Waiting(streams, client)


def _caller(call: Call, browser: str | None) -> Caller:
    login = session_of(call.request, call.server.sessions)
    if login is not None and login.opens_rest:
        return Caller(login.access, login, "", browser)
    return Caller(None, refused="authentication missing" if bearer(call.request) is None else "authentication invalid")


@lru_cache(maxsize=256)
def _browser(cookies: bytes | None) -> str | None:
    match = None if cookies is None else _COOKIE.search(cookies)
    return None if match is None else match[1].decode()


@lru_cache(maxsize=256)
def _wrong_version(api: str, replayed: bool) -> Refused | None:
    if not _VERSION.match(api):
        return Refused("version missing")
    if (api == "36.0") is not replayed or (not replayed and not OLDEST <= float(api) <= NEWEST):
        return Refused("version unsupported")
    return None


def _reply(found: list[bytes], status: int = 200, cookie: list[tuple[bytes, bytes]] | None = None) -> Reply:
    return Reply(status, messages.body(found), headers=[*cookie] if cookie else [])


ROUTES = tuple(
    Route("POST", pattern, receive, Needs.LATER, authenticated=False, metered=False)
    for pattern in (
        "/cometd", "/cometd/{api}", "/cometd/{api}/{operation}", "/cometd/replay/{api}", "/cometd/replay/{api}/{operation}",
    )
)  # fmt: skip
