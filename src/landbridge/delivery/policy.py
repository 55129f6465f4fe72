"""
What happens to a delivery after an attempt. Pure: no clock, no dice, no database.

An attempt ends with an `Outcome`, a value. `decide` turns it, with the author's `Retry`, into one of three decisions:
done, try again at a moment, or give up and keep it as a dead letter. How soon is a matter of the kind: a locked row is
free in a moment, a spent daily limit is not, a value that was refused today is refused tomorrow. The tables below say
which is which; reference page: docs/reference/retries.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Kind(StrEnum):
    """How an attempt ended."""

    DONE = "done"
    TIMEOUT = "timeout"  # no answer in time: the target may have done the work
    CONNECTION = "connection"  # no connection, or it broke
    STATUS = "status"  # an HTTP answer that is no success; `status` says which
    SALESFORCE = "salesforce"  # an org's own error; `code` says which
    NOT_SENT = "not_sent"  # held back before anything was sent: open breaker, no turn within a limit
    ERROR = "error"  # any other exception of the author's code
    INVALID = "invalid"  # the event does not fit the model the handler asks for, or a setting is wrong
    RETRY_LATER = "retry_later"  # the author says so
    GIVE_UP = "give_up"  # the author says so
    INTERRUPTED = "interrupted"  # the process ended while it ran


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    What an attempt came to, as a value.

    `code` is an org's error code or the exception's type; `retry_after` seconds that the other side (or the author) asks
    us to wait; `reason` one line for a person; `detail` whatever helps to understand it (a traceback, a response).
    """

    kind: Kind
    code: str = ""
    status: int = 0
    retry_after: float | None = None
    reason: str = ""
    detail: str = ""


DONE = Outcome(Kind.DONE)


@dataclass(frozen=True, slots=True)
class Retry:
    """
    How often and how long a delivery is tried.

    `attempts`: tries at most, the first one included (1: never again). `first`: the longest wait before the second try,
    in seconds; it doubles with each try up to `longest`, and the wait is drawn between 0 and that (full jitter), so that
    a thousand deliveries that failed together do not come back together. `age`: seconds after which a delivery is given
    up whatever its count. A wait that the other side asks for (Retry-After) is honoured even when it is longer than
    `longest`. Raises ValueError for numbers that make no sense.
    """

    attempts: int = 8
    first: float = 1.0
    longest: float = 300.0
    age: float = 72 * 3600.0

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ValueError("Retry(attempts=...) counts the first try too: 1 or more")
        if self.first < 0 or self.longest < 0 or self.age <= 0:
            raise ValueError("Retry(first=..., longest=..., age=...) are seconds: 0 or more, age above 0")


@dataclass(frozen=True, slots=True)
class Tries:
    """
    What came before: `failures` counted so far without this one; `interrupted` attempts in a row that the process did not
    survive, and during how many of them nothing `alone` but this delivery was in flight, because it was suspected.
    """

    first_at: datetime
    failures: int
    interrupted: int = 0
    alone: int = 0


@dataclass(frozen=True, slots=True)
class Done:
    """The delivery is settled; its key goes on."""


@dataclass(frozen=True, slots=True)
class RetryAt:
    """Try again at `at`. `counted` is False where the target was never asked; `new_login`: get a new session first."""

    at: datetime
    counted: bool = True
    new_login: bool = False


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Give up; `why` for a person."""

    why: str


Decision = Done | RetryAt | DeadLetter


class Pace(StrEnum):
    """How soon a failure of a kind may be over."""

    NEVER = "never"  # the same question gets the same answer
    SOON = "soon"  # a lock: 2 s at most
    USUAL = "usual"  # as the author's Retry says
    LATE = "late"  # a spent allocation: not before LATE_FIRST
    NEW_LOGIN = "new_login"  # at once, with a new session


SOON_FIRST, SOON_LONGEST = 0.25, 2.0
LATE_FIRST, LATE_LONGEST = 60.0, 3600.0
"""Daily and hourly allocations come back bit by bit: a minute at least, an hour at most."""
SUSPECTED_AFTER, PROVEN_AFTER = 3, 3
"""
All that is in flight when a process dies is interrupted, and most of it is innocent. What was interrupted so often in a row is
suspected and runs alone from then on; what the process did not survive so often while it ran alone is itself the cause, unless
the process has ended while others ran in between.
"""

STATUS_PACE = {408: Pace.USUAL, 425: Pace.USUAL, 429: Pace.USUAL}
"""HTTP statuses below 500 that are worth another try; every 5xx is too (RFC 9110 section 15, RFC 6585, RFC 8470)."""

# Salesforce's codes (documented: SOAP API Developer Guide, "ExceptionCode" and "StatusCode"; how soon is our judgement).
SALESFORCE_PACE = {
    "UNABLE_TO_LOCK_ROW": Pace.SOON,
    "SERVER_UNAVAILABLE": Pace.USUAL,
    "UNKNOWN_EXCEPTION": Pace.USUAL,
    "QUERY_TIMEOUT": Pace.USUAL,
    "TRANSACTION_TIMED_OUT": Pace.USUAL,
    "CONCURRENT_REQUEST_LIMIT_EXCEEDED": Pace.USUAL,
    "PLATFORM_EVENT_PUBLISHING_UNAVAILABLE": Pace.USUAL,
    "PLATFORM_EVENT_PUBLISH_FAILED": Pace.USUAL,
    "REQUEST_LIMIT_EXCEEDED": Pace.LATE,
    "LIMIT_EXCEEDED": Pace.LATE,
    "STORAGE_LIMIT_EXCEEDED": Pace.LATE,
    "INVALID_SESSION_ID": Pace.NEW_LOGIN,
}
"""Codes that are not here are never tried again: they speak of the data (validation, duplicates, missing fields)."""


def decide(tries: Tries, outcome: Outcome, retry: Retry, now: datetime, jitter: float) -> Decision:
    """
    Done, RetryAt or DeadLetter.

    Reads no clock and rolls no dice: `jitter`, from 0 (included) to 1, is drawn by the caller.
    """
    kind = outcome.kind
    if kind is Kind.DONE:
        return Done()
    if kind is Kind.GIVE_UP:
        return DeadLetter(outcome.reason or "the flow gave up")
    if kind is Kind.INTERRUPTED:
        if tries.alone >= PROVEN_AFTER:
            return DeadLetter(
                f"the process ended during each of {tries.interrupted} attempts, {tries.alone} times with nothing else under way"
            )
        return RetryAt(now, counted=False)
    pace = pace_of(outcome)
    if pace is Pace.NEVER:
        return DeadLetter(f"not worth another try: {outcome.reason or outcome.code or kind}")
    counted = kind is not Kind.NOT_SENT
    if counted and tries.failures + 1 >= retry.attempts:
        return DeadLetter(f"failed {tries.failures + 1} times")
    wait = wait_of(outcome, pace, tries.failures + 1, retry, jitter)
    if (now - tries.first_at).total_seconds() + wait > retry.age:
        return DeadLetter(f"not done within {retry.age:g} s")
    return RetryAt(now + timedelta(seconds=wait), counted, pace is Pace.NEW_LOGIN)


class Told(StrEnum):
    """What the end of a process tells about the suspects."""

    NOTHING = "nothing"  # nothing was in flight: it may have been stopped
    SUSPECT = "suspect"  # one ran alone
    OTHERS = "others"  # the process ends without them too


def told_by(in_flight: Sequence[int]) -> Told:
    """`in_flight`: how often in a row each delivery that was in flight at the end had been interrupted before."""
    if not in_flight:
        return Told.NOTHING
    return Told.SUSPECT if len(in_flight) == 1 and in_flight[0] >= SUSPECTED_AFTER else Told.OTHERS


def pace_of(outcome: Outcome) -> Pace:
    """How soon a failure may be over, by the tables."""
    match outcome.kind:
        case Kind.STATUS:
            if outcome.status >= 500:
                return Pace.USUAL
            return STATUS_PACE.get(outcome.status, Pace.NEVER)
        case Kind.SALESFORCE:
            if outcome.code in SALESFORCE_PACE:
                return SALESFORCE_PACE[outcome.code]
            return Pace.USUAL if outcome.status >= 500 else Pace.NEVER
        case Kind.INVALID | Kind.GIVE_UP:
            return Pace.NEVER
        case _:
            return Pace.USUAL


def wait_of(outcome: Outcome, pace: Pace, failures: int, retry: Retry, jitter: float) -> float:
    """Seconds until the next try after `failures` failures, this one included."""
    if outcome.kind is Kind.RETRY_LATER and outcome.retry_after is not None:
        return outcome.retry_after  # the author's own number, to the letter
    if pace is Pace.NEW_LOGIN and failures == 1:
        return 0.0
    if pace is Pace.SOON:
        most = _doubled(SOON_FIRST, SOON_LONGEST, failures)
    elif pace is Pace.LATE:
        # Half of it is certain: at once is never right here.
        most = _doubled(LATE_FIRST, LATE_LONGEST, failures)
        return max(most / 2 + jitter * most / 2, outcome.retry_after or 0.0)
    else:
        most = _doubled(retry.first, retry.longest, failures)
    wait = jitter * most
    if outcome.retry_after is not None:
        # Never before what was asked for; the jitter goes on top, so that those who were told the same moment spread.
        return outcome.retry_after + min(wait, retry.first)
    return wait


def _doubled(first: float, longest: float, failures: int) -> float:
    # 2.0 ** 1024 overflows; the longest wait is reached long before 60 doublings.
    return min(longest, first * 2.0 ** min(failures - 1, 60))
