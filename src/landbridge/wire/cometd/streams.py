"""
The CometD clients of a running org: what moves them in time.

A commit that appended events asks for a round. The more clients a round answered, the longer the breath before the next one,
LINGER at most: under load one answer carries several events. After a pause, and to who is alone, events go out at once: to who is
alone within the commit, before its publisher is answered.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from landbridge.wire.cometd.clients import Bounds, Clients
from landbridge.wire.cometd.render import Render

if TYPE_CHECKING:
    from landbridge.server import Server

LINGER = 0.002
"""Seconds between two rounds at most (PERFORMANCE section 7: 1 to 2 ms)."""
BREATH = 0.0002
"""Seconds for every client but the first that a round answered: twice what an answer and the next request cost."""
BUSY = 0.01
HEAVY = 8_192
"""Bytes of an answer from which on more at a time counts for more than at once; BUSY seconds after a breath that is over."""
SWEEP = 1.0


class Streams:
    """The streams of one server: made at its first CometD request, closed with it."""

    def __init__(self, server: Server) -> None:
        self._clock = server.clock
        self._loop = asyncio.get_running_loop()
        sessions = server.sessions
        self.clients = Clients(
            server.events,
            Render(server.events),
            lambda: server.chance.letters(28).lower(),
            Bounds(server.settings.streaming_clients),
            is_live=lambda login: sessions.ends(login) != 0,
            touch=sessions.touch,
        )
        self._closing = (
            server.events.listen(self._appended),
            sessions.listen(self._sweep),
            server.clock.listen(self._jumped),
        )
        self._round: asyncio.Handle | None = None
        self._rested = 0.0
        self._heavy = False
        self._sweeper = self._loop.call_later(SWEEP, self._tick)

    @classmethod
    def of(cls, server: Server) -> Streams:
        """The streams of a server."""
        found = server.rooms.get(cls)
        if found is None:
            found = server.rooms[cls] = cls(server)
        assert isinstance(found, Streams)
        return found

    def now(self) -> float:
        """The org's time, which holds and absences are measured in."""
        return self._clock.epoch()

    def hasten(self) -> None:
        """Have a round soon: events were committed, or a held connect has not been looked at."""
        if self._round is not None:
            return
        wait = self._breath()
        if wait > 0:
            self.clients.patient = True
            self._round = self._loop.call_later(wait, self._deliver)
        else:
            self._round = self._loop.call_soon(self._deliver)

    def _appended(self) -> None:
        """
        Events were committed. Where the last round answered one at most, this one is now, before the publisher has its answer.

        The other way round a client that does both would publish again before it polls, and the event wait for the poll.
        """
        if self._round is None and not self.clients.patient and self._breath() <= 0:
            self._deliver()
        else:
            self.hasten()

    def _breath(self) -> float:
        """Seconds until the next round is due; none or less than none: now."""
        wait = self._rested - self._loop.time()
        return LINGER if self._heavy and wait > -BUSY else wait

    def _deliver(self) -> None:
        self._round = None
        answered, size = self.clients.deliver(self.now())
        if self.clients.more:
            self._round = self._loop.call_soon(self._deliver)
            return
        self.clients.patient = answered > 1
        self._heavy = size > HEAVY * answered
        if answered > 1:
            self._rested = self._loop.time() + min(LINGER, BREATH * (answered - 1))
        if self.clients.impatient:
            self.hasten()

    def _tick(self) -> None:
        self._sweeper = self._loop.call_later(SWEEP, self._tick)
        self._sweep()

    def _jumped(self) -> None:
        self._loop.call_soon_threadsafe(self._sweep)  # whoever moves the clock may be in another thread

    def _sweep(self) -> None:
        self.clients.sweep(self.now())

    async def close(self) -> None:
        """Let go of the log and the timers. Held connects went with their connections."""
        for end in self._closing:
            end()
        self._sweeper.cancel()
        if self._round is not None:
            self._round.cancel()
