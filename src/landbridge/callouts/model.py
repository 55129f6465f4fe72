"""
What goes out and what becomes of it, as values: a request, its outcome, the error an author meets.

A remote failure is expected, so `send` hands it back as a value. Whether the target can have seen the request (`Sent`) is
what delivery decides by: a `NO` is certain, and then trying again can repeat nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

import msgspec

from landbridge.errors import LandbridgeError


class Kind(StrEnum):
    """What became of a callout."""

    ANSWERED = "answered"  # a whole answer came, whatever its status
    TIMEOUT = "timeout"  # none, or not the whole of it, in time
    CONNECT = "connect"  # no connection: name not found, refused, TLS
    LOST = "lost"  # the connection broke after the request went out
    TOO_LARGE = "too_large"  # the answer was larger than the credential allows
    AUTH = "auth"  # no token could be got
    BUSY = "busy"  # rate or concurrency limit: no turn within the timeout
    BREAKER = "breaker"  # the credential's circuit breaker is open
    REFUSED = "refused"  # policy: host, address, redirect, a credential that is switched off
    UNCOMMITTED = "uncommitted"  # the run holds uncommitted work
    BUDGET = "budget"  # the run's callouts or seconds are used up


class Sent(StrEnum):
    """Whether the target can have seen the request."""

    NO = "no"
    MAYBE = "maybe"
    YES = "yes"


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """
    What became of one callout. `status` is 0 without an answer; header names are lower case; `error` and `url` are masked.

    `headers` and `body` are as they came, for the author's eyes: what is written down anywhere is `shown`, the body as the
    journal keeps it, masked and cut.
    `retry_after` is in seconds from now: what the target, the breaker or a limit asks for, None where nobody asks. `duration`
    counts the wait for a turn.
    """

    kind: Kind
    sent: Sent
    credential: str
    method: str
    url: str
    correlation_id: str
    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    error: str = ""
    retry_after: float | None = None
    duration: float = 0.0
    http_version: str = ""
    shown: str = ""

    def __repr__(self) -> str:
        return f"Outcome({self})"

    @property
    def ok(self) -> bool:
        """Whether the target answered with 2xx."""
        return self.kind is Kind.ANSWERED and 200 <= self.status < 300

    def header(self, name: str) -> str | None:
        """The first header of that name, whatever its case."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key == wanted), None)

    @property
    def text(self) -> str:
        """The body as UTF-8; what is not becomes replacement characters."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """The body as JSON. Raises ValueError."""
        return msgspec.json.decode(self.body)

    def __str__(self) -> str:
        what = f"answered {self.status}" if self.kind is Kind.ANSWERED else f"{self.kind}: {self.error}"
        return f"{self.credential} {self.method} {self.url} {what}"


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """
    One callout as plain data: it can be kept in a table and sent later.

    `path` is relative to the credential's URL (with or without a slash before it, it may carry a query), or a whole URL of a
    host that the credential allows. `timeout` in seconds; None is the credential's.
    """

    credential: str
    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    idempotency_key: str | None = None
    timeout: float | None = None


Query = Mapping[str, Any] | Iterable[tuple[str, Any]]
Headers = Mapping[str, str] | Iterable[tuple[str, str]]


def request(
    credential: str, method: str, path: str, *, json: Any = msgspec.UNSET, data: bytes | str | None = None,
    query: Query | None = None, headers: Headers | None = None, idempotency_key: str | None = None,
    timeout: float | None = None,
) -> Request:  # fmt: skip
    """
    A request from what an author writes. `json` is encoded and gets its Content-Type unless `headers` give one.

    Raises ValueError for json and data together, TypeError for what JSON can't hold.
    """
    given = _pairs(headers)
    body = data.encode() if isinstance(data, str) else data
    if json is not msgspec.UNSET:
        if body is not None:
            raise ValueError("a callout has one body: give json or data")
        body = msgspec.json.encode(json)
        if not given or not any(name.lower() == "content-type" for name, _ in given):
            given = (*given, ("Content-Type", "application/json"))
    return Request(
        credential=credential, method=method, path=path, query=_pairs(query), headers=given, body=body,
        idempotency_key=idempotency_key, timeout=timeout,
    )  # fmt: skip


def _pairs(given: Any) -> tuple[tuple[str, str], ...]:
    if not given:
        return ()
    items = given.items() if isinstance(given, Mapping) else given
    return tuple((str(name), _text(value)) for name, value in items)


def _text(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


class Stopped(Exception):
    """Inside this room: a callout ends here without an answer, or must not be taken for answered."""

    def __init__(self, kind: Kind, sent: Sent, text: str, retry_after: float | None = None, answer: Any = None) -> None:
        super().__init__(text)
        self.kind = kind
        self.sent = sent
        self.retry_after = retry_after
        self.answer = answer


class CalloutFailed(Exception):
    """What an author's verb raises when the outcome is not ok; delivery's policy reads `outcome`."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(str(outcome))
        self.outcome = outcome


class UnknownCredential(LandbridgeError):
    """A flow names a credential that the org does not have."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"there is no named credential {name!r}. Make it with `landbridge credential set {name} --url URL`."
        )
        self.name = name
