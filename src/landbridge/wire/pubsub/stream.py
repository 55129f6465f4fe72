"""
One subscriber's stream: a cursor into the log, and two tasks that send from it.

A subscriber costs its cursor and at most one response in the making: events stay in the log until the client asks, and a write
waits until gRPC has taken the response before. A client that stops reading, or asks for one event a second, holds up nobody.

Who sends. The task that reads requests sends what is there at once: a request and its response cost one turn of one task, and
while a response waits for a slow client no further request is read. The other task sends when something else happens: a commit
that appended an event of the topic, a jump of the org's clock, the end of a session, the moment when something is due.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING

from landbridge.events.log import ReplayIdInvalid
from landbridge.wire.pubsub.frames import Frames, field, tail
from landbridge.wire.pubsub.refusal import Refused
from landbridge.wire.pubsub.session import Flow

if TYPE_CHECKING:
    from landbridge.auth.sessions import Session
    from landbridge.events import EventLog, Topic
    from landbridge.server import Server

log = logging.getLogger(__name__)

Write = Callable[[bytes], Awaitable[None]]
BUSY = 1.0
"""Seconds after which we look again at a client that takes no response although one is due."""


class Wake:
    """An event that the org's clock and sessions set too, from whatever thread they are moved."""

    def __init__(self, server: Server) -> None:
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()
        self._endings = [
            server.clock.listen(self._jumped),
            server.sessions.listen(self._event.set),
        ]

    def _jumped(self) -> None:
        self._loop.call_soon_threadsafe(self._event.set)

    def set(self) -> None:
        self._event.set()

    def clear(self) -> None:
        self._event.clear()

    async def wait(self, seconds: float) -> None:
        """Until it is set, so many seconds at most."""
        timer = self._loop.call_later(max(seconds, 0.0), self._event.set)
        try:
            await self._event.wait()
        finally:
            timer.cancel()

    def close(self) -> None:
        for end in self._endings:
            end()


class Subscriber:
    """The sending side of a Subscribe or ManagedSubscribe stream; its requests reach it through `flow`."""

    def __init__(
        self, server: Server, log: EventLog, frames: Frames, flow: Flow, session: Session, rpc_id: str, write: Write
    ) -> None:
        self.flow = flow
        self.session = session
        self.wake = Wake(server)
        self.failed: Exception | None = None
        self.finished = False
        """The client has said that no more requests come: what is outstanding is sent yet."""
        self.cursor = 0
        self.told = 0
        """The latest replay id that a response has carried."""
        self.owed = 0
        """Notices that are yet to come: a stream does not end before them."""
        self._notices: deque[bytes] = deque()
        self._topic: Topic | None = None
        self._clock = server.clock
        self._sessions = server.sessions
        self._switchboard = server.switchboard
        self._log = log
        self._frames = frames
        self._rpc_id = field(3, rpc_id.encode())
        self._write = write
        self._sending = False
        self._news: asyncio.Task[None] | None = None

    def begin(self, topic: Topic, after: int) -> None:
        """Start sending the topic's events after a replay id (-1 the tip, -2 before all). Raises Refused."""
        try:
            self.cursor = self._log.start(topic, replay=after)
        except ReplayIdInvalid as error:
            raise Refused("subscription.fetch.replayid.corrupted") from error
        self._topic = topic

    # --- the two tasks -------------------------------------------------------------------------------------------

    async def converse(self, requests: AsyncIterator[bytes], take: Callable[[bytes], Awaitable[None]]) -> None:
        """Hand each request to `take` and send, until the client wants no more. Raises Refused, and what `take` raises."""
        reading = asyncio.get_running_loop().create_task(self._read(requests, take))
        try:
            await self._run()
        finally:
            reading.cancel()
            self._close()
            await asyncio.gather(reading, return_exceptions=True)

    async def _read(self, requests: AsyncIterator[bytes], take: Callable[[bytes], Awaitable[None]]) -> None:
        try:
            async for request in requests:
                self._check_session()  # before the request counts as its use
                await take(request)
                await self.send()
                self._await_news()
            self.finished = True
        except Exception as error:
            self.failed = error
        self.wake.set()

    async def _run(self) -> None:
        while True:
            self.wake.clear()
            if self.failed is not None:
                raise self.failed
            ends = self._check_session()
            await self.send()
            now, due = self._clock.epoch(), self.flow.due()
            if self.finished and not self.flow.pending and not self._notices and not self.owed:
                return
            if self._sending or due > now:
                self._await_news()
                await self.wake.wait(min(due, ends) - now if due > now else BUSY)
            elif self.flow.pending:
                await self.send(keepalive=True)
            else:
                return  # nobody asks: the stream is closed, as documented

    def _check_session(self) -> float:
        """When the session ends unless it is used. Raises Refused when it has ended."""
        ends = self._sessions.ends(self.session)
        if ends <= self._clock.epoch():
            raise Refused("service.auth.error")
        return ends

    def notify(self, notice: bytes) -> None:
        """Send a field that is not of the events (the answer to a commit) with the next response, an empty one if need be."""
        self._notices.append(notice)
        self.wake.set()

    def fail(self, error: Exception) -> None:
        """End the stream with an error."""
        self.failed = error
        self.wake.set()

    # --- sending -------------------------------------------------------------------------------------------------

    async def send(self, *, keepalive: bool = False) -> None:
        """Send what is there and asked for; who comes while it is being sent leaves it to the one who sends."""
        if self._sending or self._topic is None:
            return
        self._sending = True
        try:
            if keepalive:
                await self._respond(b"", 0)
            while True:
                if self._notices:
                    await self._respond(b"", 0)
                elif not self.flow.pending or not await self._some(self._topic):
                    return
        finally:
            self._sending = False

    async def _some(self, topic: Topic) -> bool:
        """One response, or a step through others' events; False when the topic has nothing after the cursor."""
        found, upto = self._log.scan(topic, self.cursor, self.flow.pending)
        if found:
            body, count = self._frames.body(topic, found)
            self.cursor = upto if count == len(found) else found[count - 1].replay_id
            await self._respond(body, count)
            return True
        walked, self.cursor = upto > self.cursor, upto
        if walked and upto < self._log.tip():
            await asyncio.sleep(0)  # noqa: TID251  # a long walk lets the loop breathe
            return True
        return False

    async def _respond(self, body: bytes, count: int) -> None:
        self.flow.sent(count, self._clock.epoch())
        strike = self._switchboard.strike("pubsub.response", {"subscriber": self})
        if strike is not None:
            await self._clock.sleep(strike.delay)
            if strike.error is not None:
                raise strike.error
        self.told = self.cursor
        response = body + tail(self.cursor, self._rpc_id, self.flow.pending)
        await self._write(response + self._notices.popleft() if self._notices else response)

    # --- waiting for events --------------------------------------------------------------------------------------

    def _await_news(self) -> None:
        """Have the log wake us when the topic has an event after the cursor."""
        if self._topic is not None and self.flow.pending and self._news is None and not self._sending:
            self._news = asyncio.get_running_loop().create_task(self._log.wait(self._topic, self.cursor))
            self._news.add_done_callback(self._heard)

    def _heard(self, task: asyncio.Task[None]) -> None:
        self._news = None
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("waiting for events failed", exc_info=error)
            self.failed = Refused("subscription.internal.error")
        self.wake.set()

    def _close(self) -> None:
        self.wake.close()
        if self._news is not None:
            self._news.cancel()
