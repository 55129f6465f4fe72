"""
What an exception means for a delivery, and which failures are the same one. Pure.

An author's handler fails by raising; `outcome_of` says what kind of failure that was. `fingerprint` groups dead letters
by cause: two failures with the same kind, code, place and wording (numbers, ids and quoted values aside) are one problem,
mended once and replayed together.
"""

from __future__ import annotations

import re
import traceback
from hashlib import sha256
from pathlib import Path, PurePath

from landbridge import callouts
from landbridge.callouts import CalloutFailed, UnknownCredential
from landbridge.delivery.policy import Kind, Outcome
from landbridge.errors import LandbridgeError, SalesforceError
from landbridge.storage import DatabaseLost, TransactionExpired

_OURS = str(Path(__file__).parents[1])
MOST_DETAIL = 16_000
"""Characters of a traceback or a response that are kept with an attempt; the end of a traceback says most."""


class RetryLater(Exception):
    """Raise it in a handler to try this delivery again after `seconds`; it counts as an attempt."""

    def __init__(self, seconds: float, reason: str = "") -> None:
        if seconds < 0:
            raise ValueError("RetryLater(seconds): 0 or more")
        super().__init__(reason or f"the flow asks for another try in {seconds:g} s")
        self.seconds = seconds


class GiveUp(Exception):
    """Raise it in a handler when no further try will help: the delivery becomes a dead letter with this reason."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)


class EventInvalid(Exception):
    """The event does not fit the model that the handler's annotation names."""


_CALLOUT = {
    callouts.Kind.ANSWERED: Kind.STATUS,
    callouts.Kind.TOO_LARGE: Kind.INVALID,
    callouts.Kind.TIMEOUT: Kind.TIMEOUT,
    callouts.Kind.CONNECT: Kind.CONNECTION,
    callouts.Kind.LOST: Kind.CONNECTION,
    callouts.Kind.AUTH: Kind.CONNECTION,
    callouts.Kind.BUSY: Kind.NOT_SENT,
    callouts.Kind.BREAKER: Kind.NOT_SENT,
    callouts.Kind.REFUSED: Kind.INVALID,
    callouts.Kind.UNCOMMITTED: Kind.INVALID,
    callouts.Kind.BUDGET: Kind.INVALID,
}


def outcome_of(error: BaseException) -> Outcome:
    """What kind of failure an exception is, with its traceback as the detail."""
    detail = _detail(error)
    reason = _line(str(error) or type(error).__name__)
    name = type(error).__name__
    if isinstance(error, RetryLater):
        return Outcome(Kind.RETRY_LATER, name, retry_after=error.seconds, reason=reason, detail=detail)
    if isinstance(error, GiveUp):
        return Outcome(Kind.GIVE_UP, name, reason=reason, detail=detail)
    if isinstance(error, UnknownCredential):
        # Somebody has to set it first; whatever waits for it goes out then.
        return Outcome(Kind.NOT_SENT, name, reason=reason, detail=detail)
    if isinstance(error, CalloutFailed):
        return of_callout(error.outcome, detail)
    if isinstance(error, SalesforceError):
        return Outcome(Kind.SALESFORCE, error.code, error.status, reason=reason, detail=detail)
    if isinstance(error, DatabaseLost):
        return Outcome(Kind.SALESFORCE, "STORAGE_LIMIT_EXCEEDED", 500, reason=reason, detail=detail)
    if isinstance(error, (TimeoutError, TransactionExpired)):
        return Outcome(Kind.TIMEOUT, name, reason=reason, detail=detail)
    if isinstance(error, (ConnectionError, OSError)):
        return Outcome(Kind.CONNECTION, name, reason=reason, detail=detail)
    if isinstance(error, (EventInvalid, LandbridgeError)):
        return Outcome(Kind.INVALID, name, reason=reason, detail=detail)
    return Outcome(Kind.ERROR, name, reason=f"{name}: {reason}", detail=detail)


def of_callout(outcome: callouts.Outcome, detail: str = "") -> Outcome:
    """A callout that was no success, as the outcome of the attempt that made it."""
    kind = _CALLOUT[outcome.kind]
    answered = outcome.kind is callouts.Kind.ANSWERED
    reason = f"{outcome.method} {outcome.url}: " + (f"status {outcome.status}" if answered else outcome.error)
    if answered:
        detail = f"{detail}\n--- response {outcome.status} ---\n{outcome.shown}"
    code = f"HTTP {outcome.status}" if answered else outcome.kind.value
    return Outcome(kind, code, outcome.status, outcome.retry_after, _line(reason), detail[-MOST_DETAIL:])


def _detail(error: BaseException) -> str:
    """The traceback from the author's first line on: how we came there says nothing to them."""
    found = error.__traceback__
    while found is not None and found.tb_next is not None and found.tb_frame.f_code.co_filename.startswith(_OURS):
        found = found.tb_next
    return "".join(traceback.format_exception(type(error), error, found))[-MOST_DETAIL:]


def _line(text: str) -> str:
    return " ".join(text.split())[:500]


_VALUES = re.compile(r"""'[^'\n]*'|"[^"\n]*"|\b\w*\d\w*\b""")
"""What differs between two occurrences of one problem: quoted values, and every word with a digit (ids, numbers, uuids)."""
_PLACE = re.compile(r'File "([^"]+)", line \d+, in (\S+)')


def fingerprint(outcome: Outcome) -> str:
    """12 hex digits: equal for failures that are the same problem, whatever record they happened to."""
    wording = _VALUES.sub("#", outcome.reason)
    found = _PLACE.findall(outcome.detail) if outcome.kind is Kind.ERROR else []
    place = f"{PurePath(found[-1][0]).name}:{found[-1][1]}" if found else ""
    text = "\n".join((outcome.kind, outcome.code, str(outcome.status), place, wording))
    return sha256(text.encode()).hexdigest()[:12]
