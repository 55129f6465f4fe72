"""
One request through the org: route, session, switchboard, database, reply.

`handle` is a plain function that answers through a callback: no task and no coroutine on the way of a read or a write.
Reads run at once (or beside the loop, when a handler hands back a `Beside`), writes join the group that commits at the end
of this turn of the loop, LATER routes answer when they like, only OUTSIDE routes get a task.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, cast

import msgspec

from landbridge.access import Access
from landbridge.auth.sessions import hash_of
from landbridge.errors import (
    BadRequest,
    InvalidSessionId,
    MethodNotAllowed,
    NotFound,
    OAuthError,
    RequestLimitExceeded,
    SalesforceError,
    StorageFailed,
    UnknownException,
)
from landbridge.ids import RecordId
from landbridge.storage import DatabaseLost, Tx, Unit
from landbridge.wire.http.message import (
    JSON,
    AsyncHandler,
    Beside,
    Call,
    Handler,
    LaterHandler,
    Needs,
    Reply,
    Request,
    Route,
    Waiting,
)
from landbridge.wire.http.routing import NEWEST, Match, RouteTable

if TYPE_CHECKING:
    from landbridge.auth.sessions import Session, Sessions
    from landbridge.server import Server

log = logging.getLogger(__name__)

Respond = Callable[[Reply], None]

_CLIENT = re.compile(r"\bclient\s*=\s*([^,;]+)", re.IGNORECASE)
_OVERRIDE = re.compile(rb"[?&]_HttpMethod=([A-Za-z]+)")
_STAMP = b"X-SFDC-Request-Id: %b\r\nX-Request-Id: %b\r\n"
_DATA = b"/services/data/"
_BULK = b"/services/async/"
NOBODY = Access(RecordId(""), "")
_LATER, _WRITE = Needs.LATER, Needs.WRITE
"""Looked up once: members of an enum are slow to find in Python 3.11."""


class Core:
    """The requests of one server."""

    def __init__(self, server: Server, table: RouteTable) -> None:
        self._server = server
        self._table = table
        self._tasks: set[asyncio.Task[None]] = set()

    def handle(self, request: Request, respond: Respond) -> Waiting | None:
        """
        Answer `request` by calling `respond` once, now or later on the loop. Never raises.

        What is returned waits for something that may take minutes, and is told when its connection ends.
        """
        correlation_id = self._server.chance.hex(32)
        request_id = correlation_id.encode()
        request.stamp = _STAMP % (request_id, request_id)
        try:
            call, route = self._open(request, correlation_id)
            if self._server.switchboard.armed("http.request") and self._struck(call, route, respond):
                return None
            return self._go(call, route, respond)
        except Exception as error:
            respond(self._error(error, correlation_id))
            return None

    # --- opening -----------------------------------------------------------------------------------------------

    def _open(self, request: Request, correlation_id: str) -> tuple[Call, Route]:
        server = self._server
        line = request.line
        found: Match | None = None if line is None else line.match
        if found is None:
            try:
                found = self._table.match(_method(request), request.path())
            except (NotFound, MethodNotAllowed):
                if request.target.startswith(_DATA):
                    self._session(request, metered=True)  # a session comes before the path, and the call counts
                raise
            if line is not None:
                line.match = found
        route = found.route
        access, session_id = NOBODY, None
        if route.authenticated:
            session = self._session(request, metered=route.metered)
            access, session_id = session.access, session.id
        call = Call(server, request, found.params, found.version, access, None, session_id, correlation_id, self._table)
        return call, route

    def _session(self, request: Request, *, metered: bool) -> Session:
        """Who asks; a metered call is counted. Raises InvalidSessionId, RequestLimitExceeded."""
        server = self._server
        session = session_of(request, server.sessions)
        if session is None:
            raise InvalidSessionId
        if not session.opens_rest:
            raise InvalidSessionId("This session is not valid for use with the REST API")
        if metered:
            used = server.limits.count_api_call()
            request.stamp += b"Sforce-Limit-Info: %b\r\n" % server.limits.info()
            if used > server.limits.maximum:
                raise RequestLimitExceeded
        return session

    # --- running -----------------------------------------------------------------------------------------------

    def _struck(self, call: Call, route: Route, answer: Respond) -> bool:
        """Whether a staged failure delays the call, which is taken later then. Raises the error of one that refuses it."""
        strike = self._server.switchboard.strike("http.request", {"call": call, "route": route})
        if strike is None:
            return False
        if strike.delay:
            self._start(self._late(strike.delay, strike.error, call, route, answer))
            return True
        if strike.error is not None:
            raise strike.error
        return False

    def _go(self, call: Call, route: Route, answer: Respond) -> Waiting | None:
        needs = route.needs
        if needs is _LATER:
            return cast("LaterHandler", route.handler)(call, answer)
        if needs is _WRITE and route.reads is not None and route.reads(call):
            call.keep = []
            self._read(call, _keeping(cast("Handler", route.handler)), answer)
        elif needs is _WRITE:
            self._write(call, cast("Handler", route.handler), answer)
        elif needs is Needs.OUTSIDE:
            self._start(self._outside(call, cast("AsyncHandler", route.handler), answer))
        else:
            self._read(call, cast("Handler", route.handler), answer)
        return None

    def _read(self, call: Call, handler: Handler, answer: Respond) -> None:
        db = self._server.db

        def work(reader: Any) -> Reply | Beside:
            call.tx = reader
            return handler(call)

        reply = db.read_now(work)
        if isinstance(reply, Reply):
            self._keep(call, reply, answer)
            return

        def done(result: Reply | None, error: BaseException | None) -> None:
            if error is not None:
                answer(self._error(error, call.correlation_id))
            else:
                assert result is not None
                self._keep(call, result, answer)

        db.read_later(reply.work, done)

    def _keep(self, call: Call, reply: Reply, answer: Respond) -> None:
        """Make durable what the reply promises, then send it."""
        if reply.after is None:
            answer(reply)
            return

        def done(_: None, error: BaseException | None) -> None:
            answer(reply if error is None else self._error(error, call.correlation_id))

        self._server.db.submit(reply.after, unit(call), done)

    def _write(self, call: Call, handler: Handler, answer: Respond) -> None:
        def work(tx: Any) -> Reply:
            call.tx = tx
            return at_once(handler(call), tx)

        def done(reply: Reply | None, error: BaseException | None) -> None:
            if error is not None:
                answer(self._error(error, call.correlation_id))
            else:
                assert reply is not None
                answer(reply)

        self._server.db.submit(work, unit(call), done)

    async def _outside(self, call: Call, handler: Callable[[Call], Awaitable[Reply]], answer: Respond) -> None:
        try:
            reply = await handler(call)
        except Exception as error:
            reply = self._error(error, call.correlation_id)
        answer(reply)

    async def _late(self, delay: float, error: Exception | None, call: Call, route: Route, answer: Respond) -> None:
        await self._server.clock.sleep(delay)
        try:
            if error is not None:
                raise error
            self._go(call, route, answer)
        except Exception as raised:
            answer(self._error(raised, call.correlation_id))

    def _start(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """End the tasks of OUTSIDE routes and what the rooms keep for this server, and wait for them."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for room in self._server.rooms.values():
            await room.close()
        self._server.rooms.clear()

    # --- replies -----------------------------------------------------------------------------------------------

    def _error(self, error: BaseException, correlation_id: str) -> Reply:
        """The reply to an error: Salesforce's own as they are, ours without their text."""
        if isinstance(error, SalesforceError):
            return error_reply(error)
        if isinstance(error, OAuthError):
            body = msgspec.json.encode({"error": error.error, "error_description": error.description})
            return Reply(error.status, body, headers=[(b"Cache-Control", b"no-store")])
        if isinstance(error, DatabaseLost):
            return error_reply(StorageFailed(str(error)))
        log.error("a request failed", extra={"correlation_id": correlation_id}, exc_info=error)
        return error_reply(UnknownException(correlation_id))


def error_reply(error: SalesforceError) -> Reply:
    """The JSON array of one Salesforce error, with the headers that go with it."""
    headers: list[tuple[bytes, bytes]] = []
    if isinstance(error, InvalidSessionId):
        headers.append((b"WWW-Authenticate", b"Token"))
    elif isinstance(error, MethodNotAllowed):
        headers.append((b"Allow", ",".join(error.allowed).encode()))
    return Reply(error.status, msgspec.json.encode([error.body()]), JSON, headers)


def session_of(request: Request, sessions: Sessions) -> Session | None:
    """The live session whose token a request has; the hash of a token is kept with the head that it came in."""
    line = request.line
    if line is None or request.target.startswith(_BULK):
        token = bearer(request)
        return None if token is None else sessions.find(token)
    head = line.head
    if head.digest is None:
        token = bearer(request)
        if token is None:
            return None
        head.digest = hash_of(token)
    return sessions.at(head.digest)


def bearer(request: Request) -> str | None:
    """
    The access token of a request: `Authorization: Bearer` or `OAuth`; None where there is none.

    Bulk API 1.0 has its own header for it (bulk.md: `X-SFDC-Session`).
    """
    if request.target.startswith(_BULK):
        session = request.headers.get(b"x-sfdc-session")
        if session is not None:
            return session.strip().decode("latin-1")
    value = request.headers.get(b"authorization")
    if value is None:
        return None
    scheme, _, token = value.partition(b" ")
    if scheme.lower() not in (b"bearer", b"oauth"):
        return None
    return token.strip().decode("latin-1")


def _method(request: Request) -> str:
    """The verb; a POST may name another one (`?_HttpMethod=PATCH`), for clients that can't send it."""
    if request.method == "POST" and b"_HttpMethod=" in request.target:
        match = _OVERRIDE.search(request.target)
        if match is not None:
            return match[1].decode().upper()
    return request.method


def unit(call: Call) -> Unit:
    """Who is behind a write: travels into events and the journal."""
    options = call.request.headers.get(b"sforce-call-options")
    return Unit(call.correlation_id, call.access.user_id, _origin(call.version or NEWEST, options))


@lru_cache(maxsize=256)
def _origin(version: float, options: bytes | None) -> str:
    """Where a change comes from, as events say it: the API, its version, the client's name from its call options."""
    match = _CLIENT.search(options.decode("latin-1")) if options is not None else None
    origin = f"com/salesforce/api/rest/{version:.1f}"
    return f"{origin};client={match[1].strip()}" if match else origin


def at_once(reply: Reply | Beside, tx: Any) -> Reply:
    """A handler's answer inside a transaction: what would run beside runs on it, what must be kept is kept in it."""
    if isinstance(reply, Beside):
        reply = reply.work(tx)
    if reply.after is not None:
        reply.after(tx)
        reply.after = None
    return reply


def _keep_all(kept: list[Callable[[Tx], None]], tx: Tx) -> None:
    for keep in kept:
        keep(tx)


def _on_reader(reply: Reply | Beside, call: Call) -> Reply:
    """A part's answer where the whole call only reads: what must be kept is left to the call."""
    if isinstance(reply, Beside):
        reply = reply.work(call.reader)
    if reply.after is not None and call.keep is not None:
        call.keep.append(reply.after)
        reply.after = None
    return reply


def _keeping(handler: Handler) -> Handler:
    """A handler whose reply promises what the parts of its call want kept."""

    def keep(call: Call) -> Reply | Beside:
        reply = handler(call)
        assert isinstance(reply, Reply), "a composite runs its parts itself"
        if call.keep:
            reply.after = partial(_keep_all, call.keep)
        return reply

    return keep


def dispatch(call: Call, request: Request, *, allow: Callable[[Match], None], all_or_none: bool = False) -> Reply:
    """
    Run one subrequest inside the transaction that `call.tx` is (or on the reader, where the call only reads): what composite
    resources are made of.

    Errors become replies, and what a failed subrequest did is undone. `allow` raises the SalesforceError of a route that the
    composite does not take; OUTSIDE routes are refused always. DatabaseLost alone is raised: nothing of the unit was kept.
    The switchboard is asked at `http.subrequest` too, for errors: a unit can't wait, so a delay is one of the request around it.
    """
    table = call.table
    assert table is not None
    try:
        found = table.match(_method(request), request.path())
        allow(found)
        if found.route.needs in (Needs.OUTSIDE, Needs.LATER):
            raise BadRequest(f"{request.path()} can't be part of a composite request")
        inner = Call(
            call.server, request, found.params, found.version, call.access, call.tx, call.session_id, call.correlation_id,
            table, all_or_none,
        )  # fmt: skip
        strike = call.server.switchboard.strike("http.subrequest", {"call": inner, "route": found.route})
        if strike is not None and strike.error is not None:
            raise strike.error
        handler = cast("Handler", found.route.handler)
        if call.keep is not None:
            assert found.route.needs is not Needs.WRITE, "a call that only reads has no subrequest that writes"
            return _on_reader(handler(inner), call)
        return call.writer.alone(lambda: at_once(handler(inner), call.writer))
    except SalesforceError as error:
        return error_reply(error)
    except DatabaseLost:
        raise
    except Exception as error:
        log.error("a subrequest failed", extra={"correlation_id": call.correlation_id}, exc_info=error)
        return error_reply(UnknownException(call.correlation_id))
