"""
How fast and how many at once: the turns of one credential.

The rate is a token bucket (pure); `Gate` makes callers wait for a token and a place, first come, first served, on the
server's clock, and for no longer than they have time.
"""

from __future__ import annotations

import asyncio
from collections import deque

import msgspec

from landbridge.callouts.model import Kind, Sent, Stopped
from landbridge.clock import Clock


class Bucket(msgspec.Struct, frozen=True):
    """Tokens at a moment; `rate` come in a second, `most` are kept."""

    rate: float
    most: float
    tokens: float
    at: float


def take(bucket: Bucket, now: float) -> tuple[Bucket, float]:
    """
    Take one token; it may be one of the future.

    Returns the bucket after it and the seconds until the token is there, 0 when it is there now.
    """
    tokens = min(bucket.most, bucket.tokens + max(0.0, now - bucket.at) * bucket.rate) - 1.0
    taken = msgspec.structs.replace(bucket, tokens=tokens, at=max(now, bucket.at))
    return taken, max(0.0, -tokens / bucket.rate)


def wait_for(bucket: Bucket, now: float) -> float:
    """Seconds that `take` would have to wait."""
    return take(bucket, now)[1]


def _busy(what: str, retry_after: float) -> Stopped:
    return Stopped(Kind.BUSY, Sent.NO, f"the credential's {what}", retry_after)


class Gate:
    """The turns of one credential; `enter` before, `leave` after."""

    def __init__(self, clock: Clock, rate: float | None, burst: int | None, concurrency: int | None) -> None:
        self._clock = clock
        self._bucket: Bucket | None = None
        if rate is not None:
            most = float(burst) if burst is not None else max(1.0, rate)
            self._bucket = Bucket(rate=rate, most=most, tokens=most, at=clock.monotonic())
        self._places = concurrency
        self._waiting: deque[asyncio.Future[None]] = deque()
        self.free_run = rate is None and concurrency is None
        """Whether nobody ever waits here."""

    async def enter(self, time: float) -> None:
        """Wait for a turn for at most `time` seconds. Raises Stopped."""
        before = self._clock.monotonic()
        if self._places is not None:
            await self._place(time)
        try:
            await self._token(time - (self._clock.monotonic() - before))
        except BaseException:
            self.leave()
            raise

    def leave(self) -> None:
        """Give the place to whoever waits longest."""
        if self._places is None:
            return
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_result(None)
                return
        self._places += 1

    async def _place(self, time: float) -> None:
        assert self._places is not None
        if self._places > 0 and not self._waiting:
            self._places -= 1
            return
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        alarm = asyncio.ensure_future(self._clock.sleep(max(0.0, time)))
        try:
            await asyncio.wait((waiting, alarm), return_when=asyncio.FIRST_COMPLETED)
            if not waiting.done():
                raise _busy("concurrency limit leaves no place", 1.0)
        except BaseException:
            if waiting.done() and not waiting.cancelled():
                self.leave()  # it was our turn, and we go without taking it
            else:
                waiting.cancel()
            raise
        finally:
            alarm.cancel()

    async def _token(self, time: float) -> None:
        if self._bucket is None:
            return
        now = self._clock.monotonic()
        wait = wait_for(self._bucket, now)
        if wait > time:
            raise _busy("rate limit leaves no turn", wait)
        self._bucket, wait = take(self._bucket, now)
        if wait > 0:
            await self._clock.sleep(wait)
