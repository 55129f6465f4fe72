"""
The engine: claims deliveries, runs the handlers it was given, settles what became of them. It never polls.

The states of a delivery
    enqueued -> due -> in flight -> settled (gone)
                 ^         |  \\--> parked: a dead letter; its key held or released
                 \\-retry--/

What keeps order. A lane (one key of one subscription) has one head, and only heads are claimed; the next one becomes the
head in the unit that removes the one before it. A failed head that will be tried again stays the head. So for one key there
is never more than one attempt under way, whatever the number of workers.

One unit does all the bookkeeping there is at a moment: it settles what has finished since the last one and claims the
next, so that a batch of deliveries costs one commit. It is handed over at the first news and looks at what there is when
it runs, so it shares its commit with whatever else is being written. What a handler wants written to the org is the
exception: it commits with its own settle in a unit of its own, because it can fail alone.

Who runs alone. All that is in flight at a crash is interrupted, the one that caused it and the innocent. What was interrupted
several times in a row runs with nothing beside it (`policy.SUSPECTED_AFTER`): nothing else is claimed until it has ended, so
that a process which ends then, again and again, tells on it, and on it alone. The least suspected goes first, so the innocent
clear themselves before one is accused twice; a process that ends while others run clears them all.

What a crash leaves (`kill -9`, power cut), by the crash points named in POINTS:
    read, enqueue       neither the deliveries nor the watermark moved: the events are read again
    enqueued            deliveries wait; the watermark is behind them
    claim               nothing was claimed
    claimed, attempt    in flight with a lease: due again at the next start (an interrupted attempt, not a failed one)
    answer              the target has done its part, nobody knows here: the attempt is repeated with the same idempotency key;
                        what the handler wanted to write to the org has not been written
    settle, park        neither settled nor written: as answer
    settled, parked     done; the next head waits
Hence attempts happen at least once, effects once: at the target by the idempotency key, in the org because they commit
with the settle.

A result outlives cancellation: once a handler has returned, stopping the engine waits for its settle.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

from landbridge.chance import Chance
from landbridge.clock import Clock
from landbridge.delivery.causes import fingerprint, outcome_of
from landbridge.delivery.model import Delivery, Failure, LeaseLost, Parked, Settled
from landbridge.delivery.policy import DONE, DeadLetter, Done, Kind, Outcome, Retry, RetryAt, Tries, decide
from landbridge.delivery.queue import Queue
from landbridge.faults import Switchboard
from landbridge.storage import Database, Tx, Unit
from landbridge.values import format_datetime

log = logging.getLogger(__name__)

POINTS = ("read", "enqueue", "enqueued", "claim", "claimed", "attempt", "answer", "settle", "settled", "park", "parked")
"""The named crash points: `switchboard.strike("delivery.<point>", ...)` is asked at each."""
WORKERS = 128
"""Attempts under way at once, over all subscriptions: as many as one unit claims at most."""
LEASE_MARGIN = 60.0
"""Seconds a lease lasts beyond the longest time its handler may take."""
PAUSE = 1.0
"""Seconds before bookkeeping that the database refused (a full disk) is tried again."""
GRACE = 5.0
"""Seconds that attempts under way have to end when the engine stops."""


@dataclass(slots=True)
class Work:
    """
    What a handler's run came to, beside its outcome.

    `effects` is written in one unit with the settle of a success; `journal` whatever the outcome. Both may be run twice
    (a unit may be).
    """

    effects: Callable[[Tx], None] | None = None
    journal: Callable[[Tx], None] | None = None


Handler = Callable[[Delivery, Work], Coroutine[Any, Any, None]]
"""Handles one delivery; fills in `Work` as it goes. Raises for a failure."""


@dataclass(frozen=True, kw_only=True)
class Subscription:
    """
    A named reader as the engine knows it.

    `timeout`: seconds one attempt may take. `hold`: a key waits behind a delivery that was given up on. `version` stands in
    dead letters, as does `topic`.
    """

    name: str
    handler: Handler
    retry: Retry = field(default_factory=Retry)
    hold: bool = True
    timeout: float = 120.0
    topic: str = ""
    version: str = ""


@dataclass(slots=True)
class _Booking:
    """One unit of bookkeeping: what it settles and wants, once it has looked (`settled` is no longer None); what it found."""

    settled: list[Settled] | None = None
    wanted: dict[str, int] = field(default_factory=dict)
    news: dict[str, int] = field(default_factory=dict)
    alone: bool = False
    claimed: list[Delivery] = field(default_factory=list)
    due: dict[str, float | None] = field(default_factory=dict)
    suspects: list[tuple[str, bool]] = field(default_factory=list)


class Engine:
    """Runs the deliveries of the subscriptions added to it, from `start` to `stop`."""

    def __init__(
        self,
        db: Database,
        queue: Queue,
        clock: Clock,
        chance: Chance,
        switchboard: Switchboard,
        *,
        workers: int = WORKERS,
        settled: Callable[[Tx, list[Settled]], None] | None = None,
    ) -> None:
        """`settled` is run in each settling unit with what it settled (watermarks, the last good event)."""
        self._db = db
        self._queue = queue
        self._clock = clock
        self._chance = chance
        self._switchboard = switchboard
        self._on_settled = settled
        self._workers = workers
        self._subscriptions: dict[str, Subscription] = {}
        self._due: dict[str, float | None] = {}
        # How often something new was heard of each: what a unit read before the news must not overwrite it.
        self._news: dict[str, int] = {}
        self._ready: deque[Delivery] = deque()
        self._busy: set[asyncio.Task[None]] = set()
        self._idle: deque[asyncio.Future[None]] = deque()
        self._finished: list[Settled] = []
        self._given_back: list[Delivery] = []
        self._booking: _Booking | None = None
        self._pausing = False
        self._suspects: list[tuple[str, bool]] = []
        self._alone = False
        self._timer: asyncio.TimerHandle | None = None
        self._stopping = False
        self._tasks: list[asyncio.Task[None]] = []
        self.attempts = 0
        """Attempts begun since the start."""

    # --- what runs -----------------------------------------------------------------------------------------------

    def add(self, subscription: Subscription) -> None:
        """Run the deliveries of a subscription from now on, in place of an earlier one of its name."""
        self._subscriptions[subscription.name] = subscription
        self.enqueued(subscription.name)

    def remove(self, name: str) -> None:
        """Claim no more of its deliveries; attempts under way end as they began."""
        self._due.pop(name, None)

    def get(self, name: str) -> Subscription | None:
        return self._subscriptions.get(name) if name in self._due else None

    def enqueued(self, name: str) -> None:
        """Something of this subscription may be due: look now."""
        if name in self._subscriptions:
            self._hear(name, 0.0)

    def _hear(self, name: str, at: float) -> None:
        before = self._due.get(name)
        self._due[name] = at if before is None else min(at, before)
        self._news[name] = self._news.get(name, 0) + 1
        self._look()

    def wake(self) -> None:
        """Look at every subscription again (the clock was moved)."""
        for name in list(self._due):
            self._hear(name, 0.0)

    @property
    def idle(self) -> bool:
        """Whether nothing is under way and nothing is due now."""
        now = self._clock.epoch()
        nothing_due = all(due is None or due > now for due in self._due.values())
        at_rest = not (self._busy or self._ready or self._finished or self._booking)
        return nothing_due and at_rest and self._suspect is None

    async def start(self) -> None:
        """Make due what a dead process left in flight, then begin."""

        def begin(tx: Tx) -> list[tuple[str, bool]]:
            # The folder has one owner: whatever is in flight at our start belongs to a process that is gone.
            self._queue.expire(tx, float("inf"))
            return self._queue.suspects(tx)

        self._suspects = await self._db.write(begin, Unit("delivery-start"))
        self._stopping = False
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._worker()) for _ in range(self._workers)]
        self._look()

    async def stop(self) -> None:
        """Claim no more, let what runs end (GRACE seconds), settle it, give the rest back. A second call does nothing."""
        if not self._tasks:
            return
        self._stopping = True
        workers, self._tasks = self._tasks, []
        self._given_back.extend(self._ready)
        self._ready.clear()
        if self._busy:
            await asyncio.wait(list(self._busy), timeout=GRACE)
        for task in workers:
            task.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        if self._timer is not None:
            self._timer.cancel()
        if self._given_back or self._finished or self._booking is not None:
            # Units run in order: a bookkeeping one that still waits has run before this.
            await self._db.write(self._last_unit, Unit("delivery-stop"))
        self._finished, self._given_back, self._pausing = [], [], False

    def _last_unit(self, tx: Tx) -> None:
        self._settle_all(tx, self._finished)
        self._queue.release(tx, self._given_back)

    # --- bookkeeping: one unit at a time ---------------------------------------------------------------------------

    def _look(self) -> None:
        """Hand over a unit of bookkeeping if there is something to settle or to claim, and none is under way."""
        if self._booking is not None or self._pausing or not self._tasks:
            return
        if self._finished or self._wanted(self._clock.epoch()):
            booking = self._booking = _Booking()
            self._db.submit(partial(self._unit, booking), Unit("delivery"), partial(self._booked, booking))
        else:
            self._set_timer()

    def _unit(self, booking: _Booking, tx: Tx) -> None:
        """Settle what has finished by now, claim what is due. It may be run twice, and then does the same."""
        if booking.settled is None:
            booking.settled, self._finished = self._finished, []
            booking.wanted = self._wanted(tx.now.timestamp())
            booking.alone = bool(booking.wanted) and self._suspect is not None
            names = {one.delivery.subscription for one in booking.settled}.union(booking.wanted)
            booking.news = {name: self._news.get(name, 0) for name in names}
        self._settle_all(tx, booking.settled)
        if booking.wanted:
            self._point("claim", names=booking.wanted)
        now = tx.now.timestamp()
        booking.claimed, booking.due = [], {}
        for name in booking.news:
            n = booking.wanted.get(name, 0)
            if n and booking.alone:
                lease = self._subscriptions[name].timeout + LEASE_MARGIN
                booking.claimed = self._queue.claim_suspect(tx, name, now, lease)
            elif n:
                lease = self._subscriptions[name].timeout + LEASE_MARGIN
                found = self._queue.claim(tx, name, now, n, lease)
                booking.claimed += found
                if len(found) == n:
                    booking.due[name] = 0.0  # there may be more
                    continue
            booking.due[name] = self._queue.next_due(tx, name)
        if self._suspects:
            booking.suspects = self._queue.suspects(tx)

    def _booked(self, booking: _Booking, _: None, error: BaseException | None) -> None:
        settled = booking.settled or []
        self._booking = None
        self._suspects = booking.suspects if error is None else self._suspects
        if error is not None:
            self._finished = settled + self._finished
            log.error("the bookkeeping of deliveries was refused; trying again in %g s", PAUSE, exc_info=error)
            self._pausing = True
            self._set_timer(PAUSE)
            return
        for name, at in booking.due.items():
            if name in self._due and self._news.get(name, 0) == booking.news[name]:
                self._due[name] = at
        if settled:
            self._point("settled", names=booking.news)
            if any(isinstance(one.decision, Parked) for one in settled):
                self._point("parked", names=booking.news)
        if booking.claimed:
            self._point("claimed", names=booking.news)
            self._alone = booking.alone
            self._ready.extend(booking.claimed)
            self._call_workers(1)  # handlers that wait for nothing are done by one worker in one turn
        elif booking.alone:
            # Something is still in flight that no worker has: not to be asked about in a circle.
            self._pausing = True
            self._set_timer(PAUSE)
        self._look()

    @property
    def _free(self) -> int:
        return self._workers - len(self._busy) - len(self._ready)

    @property
    def _suspect(self) -> str | None:
        """The subscription of a delivery that waits to be run alone."""
        return next((name for name, is_head in self._suspects if is_head and name in self._due), None)

    def _wanted(self, now: float) -> dict[str, int]:
        """How many to claim of which subscription: free workers, shared by those with something due."""
        free = self._free
        if free <= 0 or self._stopping or self._alone:
            return {}
        suspect = self._suspect
        if suspect is not None:
            # Nothing else is claimed, and this one when the last attempt under way has ended.
            return {suspect: 1} if free == self._workers else {}
        due = [name for name, at in self._due.items() if at is not None and at <= now]
        if not due:
            return {}
        share = max(1, free // len(due))
        return dict.fromkeys(due[:free], share)

    def _settle_all(self, tx: Tx, settled: list[Settled]) -> None:
        if not settled:
            return
        self._point("settle", names=())
        if any(isinstance(one.decision, Parked) for one in settled):
            self._point("park", names=())
        for one in self._queue.settle_many(tx, settled):
            _warn_of_lost(one.delivery)
        for one in settled:
            if one.also is not None:
                one.also(tx)
        if self._on_settled is not None:
            self._on_settled(tx, settled)

    def _set_timer(self, wait: float | None = None) -> None:
        """Look again after so many seconds, or when the next delivery is due."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        moments = [at for at in self._due.values() if at is not None]
        if wait is None and moments and self._free > 0 and not self._alone and self._suspect is None:
            # An org's day at most: a timer of weeks overflows some loops, and waking once a day costs nothing.
            wait = min(max(0.0, min(moments) - self._clock.epoch()), 86_400.0)
        if wait is not None and not self._stopping:
            self._timer = asyncio.get_running_loop().call_later(wait, self._look_again)

    def _look_again(self) -> None:
        self._pausing = False
        self._look()

    # --- workers -------------------------------------------------------------------------------------------------

    def _call_workers(self, most: int) -> None:
        while self._idle and most > 0:
            waiting = self._idle.popleft()
            if not waiting.done():
                waiting.set_result(None)
                most -= 1

    async def _worker(self) -> None:
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        assert task is not None
        while not self._stopping:
            self._busy.add(task)
            try:
                while self._ready:
                    await self._attempt(self._ready.popleft())
            finally:
                self._busy.discard(task)
            self._alone = self._alone and bool(self._busy)
            waiting: asyncio.Future[None] = loop.create_future()
            self._idle.append(waiting)
            self._look()
            await waiting

    async def _attempt(self, delivery: Delivery) -> None:
        subscription = self._subscriptions[delivery.subscription]
        work = Work()
        started = self._clock.epoch()
        self.attempts += 1
        try:
            outcome = await self._run(subscription, delivery, work)
        except asyncio.CancelledError:
            self._given_back.append(delivery)
            raise
        if outcome.kind is not Kind.DONE or work.effects is None:
            self._end(subscription, delivery, work, outcome, started)
            return
        committed = asyncio.ensure_future(self._commit(delivery, work, work.effects))
        self._call_workers(len(self._ready))
        try:
            await asyncio.shield(committed)
        finally:
            if not committed.done():
                await asyncio.wait([committed])  # a result outlives cancellation
            outcome = committed.result()
            if outcome.kind is not Kind.DONE:
                self._end(subscription, delivery, work, outcome, started)

    async def _run(self, subscription: Subscription, delivery: Delivery, work: Work) -> Outcome:
        """One attempt, as a value."""
        if delivery.interrupted:
            tries = Tries(_moment(delivery.first_at), delivery.failures, delivery.interrupted, delivery.alone)
            interrupted = Outcome(Kind.INTERRUPTED, reason="the process ended during the attempt")
            if isinstance(decide(tries, interrupted, subscription.retry, self._clock.now(), 0.0), DeadLetter):
                return interrupted
        try:
            self._point("attempt", delivery=delivery)
            running = subscription.handler(delivery, work)
            try:
                first = running.send(None)
            except StopIteration:
                pass  # it waited for nothing: no timer was needed
            else:
                self._call_workers(len(self._ready))  # this one waits: others go on
                async with asyncio.timeout(subscription.timeout):
                    await _Rest(running, first)
            self._point("answer", delivery=delivery)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            return outcome_of(RuntimeError(f"something the handler waited for was cancelled: {error}"))
        except Exception as error:
            return outcome_of(error)
        return DONE

    def _end(
        self, subscription: Subscription, delivery: Delivery, work: Work, outcome: Outcome, started: float
    ) -> None:
        """Settled with the next batch."""
        if outcome.kind is Kind.DONE:
            self._finished.append(Settled(delivery, _DONE, None, work.journal))
        else:
            self._finished.append(self._failed(subscription, delivery, work, outcome, started))
        if self._booking is None:
            self._look()

    async def _commit(self, delivery: Delivery, work: Work, effects: Callable[[Tx], None]) -> Outcome:
        """The handler's effects and the settle in one unit; what the effects failed by, where they did."""
        settled = Settled(delivery, Done(), also=work.journal)

        def write(tx: Tx) -> float | None:
            self._point("settle", delivery=delivery)
            effects(tx)
            self._queue.settle(tx, settled)
            if work.journal is not None:
                work.journal(tx)
            if self._on_settled is not None:
                self._on_settled(tx, [settled])
            return self._queue.next_due(tx, delivery.subscription)

        try:
            due = await self._db.write(write, Unit(delivery.correlation, origin=f"flow/{delivery.subscription}"))
        except LeaseLost:
            _warn_of_lost(delivery)
            return DONE  # undone as a whole; the other attempt decides
        except Exception as error:
            return outcome_of(error)
        self._point("settled", delivery=delivery)
        if due is not None and delivery.subscription in self._due:
            self._hear(delivery.subscription, due)
        return DONE

    def _failed(
        self, subscription: Subscription, delivery: Delivery, work: Work, outcome: Outcome, started: float
    ) -> Settled:
        now = self._clock.now()
        tries = Tries(_moment(delivery.first_at), delivery.failures, delivery.interrupted, delivery.alone)
        decision = decide(tries, outcome, subscription.retry, now, self._chance.fraction())
        assert not isinstance(decision, Done)
        failure = Failure(
            delivery.attempt, format_datetime(_moment(started)), round(now.timestamp() - started, 3), outcome.kind,
            outcome.code, outcome.status, outcome.reason, outcome.detail,
        )  # fmt: skip
        if isinstance(decision, RetryAt):
            return Settled(delivery, decision, failure, work.journal)
        log.warning(
            "a delivery was given up on",
            extra={
                "subscription": subscription.name,
                "uuid": delivery.uuid,
                "why": decision.why,
                "reason": outcome.reason,
            },
        )
        parked = Parked(decision.why, fingerprint(outcome), subscription.hold, subscription.topic, subscription.version)
        return Settled(delivery, parked, failure, work.journal)

    def _point(self, name: str, **context: Any) -> None:
        """A named crash point. A staged error is raised where the step can still fail; see POINTS."""
        strike = self._switchboard.strike(f"delivery.{name}", context)
        if strike is not None and strike.error is not None and name in _CAN_FAIL:
            raise strike.error


class _Rest:
    """What is left of a coroutine after its first step: awaiting it goes on where that step began to wait."""

    __slots__ = ("_first", "_running")

    def __init__(self, running: Coroutine[Any, Any, None], first: Any) -> None:
        self._running = running
        self._first = first

    def __await__(self) -> Generator[Any, Any, None]:
        wanted = self._first
        while True:
            try:
                given = yield wanted
            except BaseException as error:
                step = partial(self._running.throw, error)
            else:
                step = partial(self._running.send, given)
            try:
                wanted = step()
            except StopIteration:
                return


_DONE = Done()
_CAN_FAIL = frozenset({"claim", "attempt", "answer", "settle", "park"})


def _warn_of_lost(delivery: Delivery) -> None:
    log.warning("an attempt outlived its lease; another one decides", extra={"delivery": delivery.id})


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
