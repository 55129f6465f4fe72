"""One run of a handler: what it may still send, what it has sent, and the target an author calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from landbridge.callouts.journal import Entry, Journal
from landbridge.callouts.model import CalloutFailed, Outcome, request
from landbridge.storage import Tx

if TYPE_CHECKING:
    from landbridge.callouts.send import Callouts

MOST_CALLS = 100
MOST_SECONDS = 120.0
"""Callouts and their seconds in one transaction (Apex Developer Guide, "Execution Governors and Limits")."""

_active: ContextVar[Run | None] = ContextVar("landbridge_run", default=None)


def _never() -> bool:
    return False


class Run:
    """
    One handler run: its budget and its entries of the journal. Made by `Callouts.run`.

    `calls` and `seconds` are what is used of the budget; `uncommitted` says whether the run holds uncommitted work now;
    what is `shown_` fits into the journal.
    """

    __slots__ = (
        "_callouts", "_entries", "_journal", "attempt", "calls", "correlation_id", "flow", "limited", "seconds",
        "shown_correlation_id", "shown_flow", "shown_subscription", "subscription", "trace_id", "uncommitted",
    )  # fmt: skip

    def __init__(
        self, callouts: Callouts, journal: Journal, flow: str, subscription: str, attempt: int, correlation_id: str,
        trace_id: str, uncommitted: Callable[[], bool], limited: bool,
    ) -> None:  # fmt: skip
        self._callouts = callouts
        self._journal = journal
        self._entries: list[Entry] = []
        self.flow = self.shown_flow = flow
        self.subscription = self.shown_subscription = subscription
        self.attempt = attempt
        self.correlation_id = self.shown_correlation_id = correlation_id
        if len(flow) > 255 or len(subscription) > 255 or len(correlation_id) > 255:
            self.shown_flow, self.shown_subscription = flow[:255], subscription[:255]
            self.shown_correlation_id = correlation_id[:255]
        self.trace_id = trace_id
        self.uncommitted = uncommitted
        self.limited = limited
        self.calls = 0
        self.seconds = 0.0

    @property
    def callouts(self) -> Callouts:
        return self._callouts

    def note(self, entry: Entry) -> None:
        """Take an entry of this run into the journal."""
        if len(self._entries) >= 2 * MOST_CALLS:
            self._entries = [kept for kept in self._entries if not kept.kept]
        self._entries.append(entry)
        self._journal.add(entry)

    def settle(self, tx: Tx) -> None:
        """Write the run's callouts that are not in the journal yet, in the unit that settles it."""
        self._journal.write(tx, self._entries)

    @contextmanager
    def active(self) -> Iterator[Run]:
        """Make this the run that `Target("NAME")` sends in, for the block and the tasks it starts."""
        token = _active.set(self)
        try:
            yield self
        finally:
            _active.reset(token)

    def credential(self, name: str) -> Target:
        """A target of this run. Raises UnknownCredential."""
        self._callouts.need(name)
        return Target(name, self)


class Target:
    """
    An outside system as an author sees it: `await erp.put("/orders/1", json=..., idempotency_key=...)`.

    The verbs return the Outcome of a 2xx answer and raise CalloutFailed for anything else; `send` raises for nothing
    remote. Without a run of its own it sends in the active one.
    """

    def __init__(self, name: str, run: Run | None = None) -> None:
        self.name = name
        self._run = run

    def __repr__(self) -> str:
        return f"Target({self.name!r})"

    async def send(self, method: str, path: str, **given: Any) -> Outcome:
        """One callout; see `request` for what may be given. Raises UnknownCredential, ValueError."""
        run = self._run if self._run is not None else _active.get()
        if run is None:
            raise RuntimeError(f"{self.name}: a callout goes out in a handler run; there is none here")
        return await run.callouts.send(request(self.name, method, path, **given), run)

    async def request(self, method: str, path: str, **given: Any) -> Outcome:
        """As `send`, but raises CalloutFailed unless the answer is 2xx."""
        outcome = await self.send(method, path, **given)
        if not outcome.ok:
            raise CalloutFailed(outcome)
        return outcome

    async def get(self, path: str, **given: Any) -> Outcome:
        return await self.request("GET", path, **given)

    async def head(self, path: str, **given: Any) -> Outcome:
        return await self.request("HEAD", path, **given)

    async def post(self, path: str, **given: Any) -> Outcome:
        return await self.request("POST", path, **given)

    async def put(self, path: str, **given: Any) -> Outcome:
        return await self.request("PUT", path, **given)

    async def patch(self, path: str, **given: Any) -> Outcome:
        return await self.request("PATCH", path, **given)

    async def delete(self, path: str, **given: Any) -> Outcome:
        return await self.request("DELETE", path, **given)
