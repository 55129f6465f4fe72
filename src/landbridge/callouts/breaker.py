"""
The circuit breaker of a credential, as a state machine. Pure: values in, values out.

    closed      calls go out; it opens when the failures of the last `window` seconds reach the policy's count and rate
    open        nothing goes out until `wait` seconds have passed
    half open   `probes` calls may go out at a time; `successes` good ones in a row close it, one failure opens it again

What counts as a failure is the caller's to say. A call that was let out before the breaker opened and ends after it changes
nothing: the breaker already knows better. Time is any rising number of seconds; callouts pass the org's clock.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec


class State(StrEnum):
    """Where a breaker is."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


_CLOSED = State.CLOSED


class BreakerPolicy(msgspec.Struct, frozen=True):
    """
    When a breaker opens and closes. Durations in seconds. `failures` 0: it never opens.

    Both must hold to open: at least `failures` failures in the window, and at least `rate` of the window's calls failed.
    """

    failures: int = 5
    rate: float = 0.5
    window: float = 30.0
    wait: float = 30.0
    probes: int = 1
    successes: int = 1


class Breaker(msgspec.Struct, frozen=True):
    """
    A breaker's state. `counts` are (slice of time, good, bad) of the window while closed; `epoch` rises with each change of
    state.

    `until` is when an open one lets a probe out; `out` are the probes under way, `good` those that came back well.
    """

    state: State = State.CLOSED
    counts: tuple[tuple[int, int, int], ...] = ()
    until: float = 0.0
    out: int = 0
    good: int = 0
    epoch: int = 0


class BreakerView(msgspec.Struct, frozen=True):
    """A breaker as others see it: `retry_after` seconds until a call may go out (0 when one may now), recent failures."""

    state: State
    retry_after: float
    failures: int


SLICES = 10
"""A window is counted in so many slices: however busy the credential, the state stays small."""


def ask(breaker: Breaker, policy: BreakerPolicy, now: float) -> tuple[Breaker, float | None]:
    """
    May a call go out now?

    Returns the breaker after the question, and None for yes or the seconds to wait for no. Whoever got a yes must tell how
    the call ended (`ended`) or that it never went out (`abandoned`).
    """
    if breaker.state is State.CLOSED:
        return breaker, None
    if breaker.state is State.OPEN:
        if now < breaker.until:
            return breaker, breaker.until - now
        breaker = Breaker(state=State.HALF_OPEN, until=breaker.until, epoch=breaker.epoch + 1)
    if breaker.out >= policy.probes:
        return breaker, _PROBING
    return msgspec.structs.replace(breaker, out=breaker.out + 1), None


_PROBING = 1.0
"""Seconds to come back after while a probe is under way; nobody knows how long it takes."""


def ended(breaker: Breaker, policy: BreakerPolicy, now: float, epoch: int, *, failed: bool) -> Breaker:
    """How a call ended that was let out in `epoch`."""
    if epoch != breaker.epoch:
        return breaker
    if breaker.state is _CLOSED:
        if policy.failures <= 0:
            return breaker
        counts = _counted(breaker.counts, policy, now, failed=failed)
        if failed:
            bad = sum(count[2] for count in counts)
            if bad >= policy.failures and bad >= policy.rate * sum(count[1] + count[2] for count in counts):
                return _opened(breaker, policy, now)
        return Breaker(_CLOSED, counts, 0.0, 0, 0, epoch)
    if breaker.state is State.OPEN:
        return breaker
    if failed:
        return _opened(breaker, policy, now)
    if breaker.good + 1 >= policy.successes:
        return Breaker(epoch=breaker.epoch + 1)
    return msgspec.structs.replace(breaker, out=max(0, breaker.out - 1), good=breaker.good + 1)


def _slice(policy: BreakerPolicy, now: float) -> int:
    return int(now * SLICES / policy.window)


def _counted(
    counts: tuple[tuple[int, int, int], ...], policy: BreakerPolicy, now: float, *, failed: bool
) -> tuple[tuple[int, int, int], ...]:
    """The window's counts with one call more; slices that have left the window are gone."""
    here = _slice(policy, now)
    if counts:
        last, good, bad = counts[-1]
        if last == here:
            return (*counts[:-1], (here, good, bad + 1) if failed else (here, good + 1, bad))
    return (*(count for count in counts if count[0] > here - SLICES), (here, 0, 1) if failed else (here, 1, 0))


def abandoned(breaker: Breaker, epoch: int) -> Breaker:
    """A call that was let out never went: its probe's place is free again."""
    if epoch != breaker.epoch or breaker.state is not State.HALF_OPEN:
        return breaker
    return msgspec.structs.replace(breaker, out=max(0, breaker.out - 1))


def view(breaker: Breaker, policy: BreakerPolicy, now: float) -> BreakerView:
    """The breaker as others see it; an open one whose wait is over shows as half open."""
    oldest = _slice(policy, now) - SLICES
    failures = sum(count[2] for count in breaker.counts if count[0] > oldest)
    if breaker.state is State.OPEN:
        left = max(0.0, breaker.until - now)
        return BreakerView(State.OPEN if left else State.HALF_OPEN, left, failures)
    busy = breaker.state is State.HALF_OPEN and breaker.out >= policy.probes
    return BreakerView(breaker.state, _PROBING if busy else 0.0, failures)


def _opened(breaker: Breaker, policy: BreakerPolicy, now: float) -> Breaker:
    return Breaker(state=State.OPEN, until=now + policy.wait, epoch=breaker.epoch + 1)
