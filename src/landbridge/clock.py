"""Time as an argument: the only module that reads the machine's clocks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


class Clock:
    """
    The org's time: never falls, can be moved forward, is handed to whoever waits, expires or stamps.

    `offset` (seconds) is how far the org's clock runs ahead of the machine's; the server keeps it in the
    database, so that a jump survives a restart. I/O timeouts use `monotonic`, which a jump does not move.
    """

    def __init__(self, offset: float = 0.0) -> None:
        self.offset = offset
        self._last = 0.0
        self._jumped: list[Callable[[], None]] = []

    def epoch(self) -> float:
        """Seconds since 1970-01-01 UTC on the org's clock; never smaller than an earlier answer."""
        now = time.time() + self.offset
        if now < self._last:
            return self._last
        self._last = now
        return now

    def now(self) -> datetime:
        """The org's current moment, aware, in UTC."""
        return datetime.fromtimestamp(self.epoch(), UTC)

    def jump(self, by: timedelta) -> None:
        """Move the org's clock forward. Raises ValueError for a jump into the past: `now` never falls."""
        if by < timedelta(0):
            raise ValueError("the org's clock only moves forward")
        self.offset += by.total_seconds()
        for call in list(self._jumped):
            call()

    def listen(self, call: Callable[[], None]) -> Callable[[], None]:
        """
        Have `call` called after every jump, in the jumper's thread; returns what ends it.

        For whoever waits for a moment of the org's time: the wait may be over earlier than the machine's clock says.
        """
        self._jumped.append(call)
        return lambda: self._jumped.remove(call)

    def monotonic(self) -> float:
        """Seconds for measuring I/O; not moved by `jump`."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait on the machine's clock (I/O pauses, back-off of a login)."""
        await asyncio.sleep(seconds)

    def pause(self, seconds: float) -> None:
        """Wait in a thread that is not the loop's (the command line, the checkpointer)."""
        time.sleep(seconds)
