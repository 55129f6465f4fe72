"""
One subscriber's stream: a cursor into the log, a loop that sends what is asked for, a task that reads requests.

A subscriber costs its cursor and at most one response in the making: events stay in the log until the client asks, and a write
waits until gRPC has taken the response before. A client that stops reading, or asks for one event a second, holds up nobody.

What wakes the loop: a request, a commit that appended an event of the topic, a jump of the org's clock, the end of a session, the
moment when something is due.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from landbridge.events.log import ReplayIdInvalid
from landbridge.wire.pubsub.frames import Frames, tail
from landbridge.wire.pubsub.refusal import Refused
from landbridge.wire.pubsub.session import Flow

if TYPE_CHECKING:
    from landbridge.auth.sessions import Session
    from landbridge.events import EventLog, Topic
    from landbridge.server import Server

Write = Callable[[bytes], Awaitable[None]]


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
    """The sending side of a Subscribe or ManagedSubscribe stream; its requests reach it through `flow` and `wake`."""

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
        self._topic: Topic | None = None
        self._clock = server.clock
        self._sessions = server.sessions
        self._log = log
        self._frames = frames
        self._rpc_id = rpc_id
        self._write = write
        self._news: asyncio.Task[None] | None = None

    def begin(self, topic: Topic, after: int) -> None:
        """Start sending the topic's events after a replay id (-1 the tip, -2 before all). Raises Refused."""
        try:
            self.cursor = self._log.start(topic, replay=after)
        except ReplayIdInvalid as error:
            raise Refused("subscription.fetch.replayid.corrupted") from error
        self._topic = topic

    async def run(self) -> None:
        """Send until the client has what it asked for and asks no more. Raises Refused."""
        try:
            while True:
                self.wake.clear()
                if self.failed is not None:
                    raise self.failed
                now = self._clock.epoch()
                ends = self._sessions.ends(self.session)
                if ends <= now:
                    raise Refused("service.auth.error")
                if await self._deliver(now):
                    continue
                if not self.flow.pending and self.finished:
                    return
                due = self.flow.due()
                if due > now:
                    await self._rest(min(due, ends) - now)
                elif self.flow.pending:
                    await self._send((), now)
                else:
                    return  # nobody asks: the stream is closed, as documented
        finally:
            self.close()

    async def _deliver(self, now: float) -> bool:
        """Send one response of what is there and asked for; whether there is reason to look again at once."""
        if self._topic is None or not self.flow.pending:
            return False
        found, upto = self._log.scan(self._topic, self.cursor, self.flow.pending)
        if not found:
            walked, self.cursor = upto > self.cursor, upto
            if walked and upto < self._log.tip():
                await asyncio.sleep(0)  # noqa: TID251  # a long walk through others' events lets the loop breathe
                return True
            return False
        frames = self._frames.some(found)
        self.cursor = upto if len(frames) == len(found) else found[len(frames) - 1].replay_id
        await self._send(frames, now)
        return True

    async def _send(self, frames: Sequence[bytes], now: float) -> None:
        self.flow.sent(len(frames), now)
        await self._write(b"".join((*frames, tail(self.cursor, self._rpc_id, self.flow.pending))))

    async def _rest(self, seconds: float) -> None:
        if self._topic is not None and self.flow.pending and self._news is None:
            self._news = asyncio.get_running_loop().create_task(self._log.wait(self._topic, self.cursor))
            self._news.add_done_callback(self._heard)
        await self.wake.wait(seconds)

    def _heard(self, task: asyncio.Task[None]) -> None:
        self._news = None
        if not task.cancelled() and (error := task.exception()) is not None:
            self.failed = error if isinstance(error, Exception) else Refused("subscription.internal.error")
        self.wake.set()

    def close(self) -> None:
        self.wake.close()
        if self._news is not None:
            self._news.cancel()
