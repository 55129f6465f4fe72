"""
A flow: one integration as its author writes it, in one file.

    from landbridge import ChangeEvent, Flow, Org, Retry

    flow = Flow("shop-manufacturing")
    erp = flow.credential("ERP")                  # a named credential: URL, login and limits live outside the code

    @flow.on("/data/Garden_Order__ChangeEvent", key="recordId", retry=Retry(attempts=8, first=1.0, longest=300.0))
    async def order_to_erp(change: ChangeEvent, org: Org) -> None:
        await erp.put(f"/orders/{change.record_id}", json=change.values, idempotency_key=change.uuid)

    @flow.every(minutes=15)
    async def reconcile(org: Org) -> None:
        ...

`landbridge serve --flow FILE` runs it, `landbridge flow check FILE` says what it will do. The decorators only take notes:
importing the file does nothing, and the functions can be called by a test as they are.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, Literal, TypeVar

from landbridge.delivery import Retry
from landbridge.flows.credential import Credential

Function = TypeVar("Function", bound=Callable[..., Awaitable[None]])

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}\Z")
LONGEST_ATTEMPT = 120.0
"""Seconds an attempt may take unless the flow says otherwise: the callout time of one transaction on the platform."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the author's file something stands."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, kw_only=True)
class On:
    """A handler of a topic's events, as `Flow.on` noted it."""

    name: str
    function: Callable[..., Awaitable[None]]
    place: Place
    topic: str
    key: str | None
    retry: Retry
    on_failure: Literal["hold", "skip"]
    start: Literal["latest", "earliest"]
    timeout: float


@dataclass(frozen=True, kw_only=True)
class Every:
    """A handler of the clock, as `Flow.every` noted it; `seconds` between two runs."""

    name: str
    function: Callable[..., Awaitable[None]]
    place: Place
    seconds: float
    retry: Retry
    timeout: float


@dataclass
class Flow:
    """
    One integration: subscriptions, schedules, the credentials they use. `name` stands in logs, the journal, dead letters.

    Raises ValueError for a name that is not letters, digits, `-` and `_`.
    """

    name: str
    subscriptions: list[On] = field(default_factory=list, init=False)
    schedules: list[Every] = field(default_factory=list, init=False)
    credentials: dict[str, Place] = field(default_factory=dict, init=False)

    @property
    def handlers(self) -> list[On | Every]:
        """Everything that was decorated."""
        return [*self.subscriptions, *self.schedules]

    def __post_init__(self) -> None:
        if not NAME.match(self.name):
            raise ValueError(f"a flow's name is letters, digits, - and _, beginning with a letter; not {self.name!r}")

    def credential(self, name: str) -> Credential:
        """
        The outside system behind a named credential: `await erp.put("/orders/1", json={...})`.

        Its verbs (get, post, put, patch, delete) return the answer and raise CalloutFailed for anything but 2xx; the
        retry policy takes it from there. `erp.later.put(...)` sends after the handler's success, in order, with retries of
        its own. Set the credential up with `landbridge credential set` or in the sfdx source.
        """
        self.credentials.setdefault(name, _place(sys._getframe(1)))
        return Credential(name)

    def on(
        self,
        topic: str,
        *,
        key: str | None = None,
        retry: Retry | None = None,
        on_failure: Literal["hold", "skip"] = "hold",
        start: Literal["latest", "earliest"] = "latest",
        timeout: float = LONGEST_ATTEMPT,
    ) -> Callable[[Function], Function]:
        """
        Handle every event of a topic: `/event/X__e`, `/data/X__ChangeEvent`, `/data/ChangeEvents` or a custom channel.

        `key` is what order is kept by: a field's name, `recordId`, or `uuid` for no order at all; left out, the event's own
        key (the record of a change event). Events of one key are handled one after the other, those of different keys
        side by side. `retry` says how often and how long a failed event is tried; its key waits meanwhile. An event that
        is given up on becomes a dead letter, and `on_failure` says what its key does: `hold` waits until a person has
        replayed or discarded it, `skip` goes on. `start` is where a new subscription begins: with the next event, or with
        the earliest one kept. `timeout`: seconds one attempt may take.

        The function's parameters are recognised by annotation: the event (ChangeEvent, PlatformEvent, or a dataclass,
        msgspec.Struct or pydantic model of its fields), `Org`, `Attempt`. Its name is part of the subscription's: renaming
        it makes a new subscription.
        """
        if on_failure not in ("hold", "skip"):
            raise ValueError(f"on_failure is 'hold' or 'skip', not {on_failure!r}")
        if start not in ("latest", "earliest"):
            raise ValueError(f"start is 'latest' or 'earliest', not {start!r}")
        if not topic.startswith("/"):
            raise ValueError(f"a topic begins with a slash, e.g. /event/Order__e; not {topic!r}")

        def decorate(function: Function) -> Function:
            self.subscriptions.append(On(
                name=self._named(function), function=function, place=_where(function), topic=topic, key=key,
                retry=retry or Retry(), on_failure=on_failure, start=start, timeout=timeout,
            ))  # fmt: skip
            return function

        return decorate

    def every(
        self,
        *,
        seconds: float = 0.0,
        minutes: float = 0.0,
        hours: float = 0.0,
        days: float = 0.0,
        retry: Retry | None = None,
        timeout: float = LONGEST_ATTEMPT,
    ) -> Callable[[Function], Function]:
        """
        Run a function again and again, so much time from one run's due moment to the next, the first one at once.

        Runs that were missed (the server was down, the run before took too long) are made up for by one run, not by many:
        write the function so that it looks at what is there. A run that fails is tried again by `retry`; given up on, it is
        a dead letter, and the next one comes at its time. Runs of one schedule never overlap.
        """
        period = seconds + 60.0 * minutes + 3600.0 * hours + 86_400.0 * days
        if period < 1.0:
            raise ValueError("flow.every(...) takes seconds, minutes, hours or days, together at least one second")

        def decorate(function: Function) -> Function:
            self.schedules.append(Every(
                name=self._named(function), function=function, place=_where(function), seconds=period,
                retry=retry or Retry(attempts=3, first=5.0), timeout=timeout,
            ))  # fmt: skip
            return function

        return decorate

    def _named(self, function: Callable[..., Any]) -> str:
        """The subscription's name; a topic segment of both streaming protocols, so no dots."""
        name = function.__name__
        if not inspect.iscoroutinefunction(function):
            raise TypeError(f"{name} is not `async def`: handlers wait for others, so they are async")
        found = f"{self.name}/{name}"
        if any(found == other.name for other in self.handlers):
            raise ValueError(f"two handlers of flow {self.name} are called {name}: give one another name")
        return found


def _where(function: Callable[..., Any]) -> Place:
    code = function.__code__
    return Place(code.co_filename, code.co_firstlineno)


def _place(frame: FrameType) -> Place:
    return Place(frame.f_code.co_filename, frame.f_lineno)
