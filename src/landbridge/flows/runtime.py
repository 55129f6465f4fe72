"""
Flows at work: from what files declare to subscriptions of the engine, schedules and the outbox.

A handler runs with its `Org`, its callouts' budget and its outbox, all made for the one attempt; what it promised is handed
to the engine, which commits it with the settle. A file that changes is loaded beside the old one and takes its place between
two attempts; one that does not load leaves the old one running.

Schedules are deliveries like any other: a due run is enqueued under a uuid made of its name and moment, with the next
moment, in one unit; so a run is made once, is tried again, and can become a dead letter. Of runs that were missed the last one
is made.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from landbridge import callouts
from landbridge.callouts import CalloutFailed, Callouts, Request
from landbridge.chance import Chance
from landbridge.delivery import (
    Delivery,
    Draft,
    Engine,
    Progress,
    Reader,
    Reading,
    Retry,
    SqlQueue,
    Subscription,
    Work,
    outcome_of,
)
from landbridge.delivery.deadletters import Letter
from landbridge.errors import LandbridgeError
from landbridge.events import Event, Subscriptions
from landbridge.events.log import SQLEventLog
from landbridge.faults import Switchboard
from landbridge.flows import credential
from landbridge.flows.checking import Declared, Finding, check, declared
from landbridge.flows.flow import Every, On
from landbridge.flows.loading import FlowError, Handler, Loaded, load
from landbridge.flows.local import DryOrg, LocalOrg, Parts
from landbridge.storage import Reader as SqlReader
from landbridge.storage import Tx, Unit

log = logging.getLogger(__name__)

TABLES = ("CREATE TABLE lb_schedule (name TEXT PRIMARY KEY NOT NULL, next_at REAL NOT NULL) WITHOUT ROWID",)

NEXT_RUN = "SELECT next_at FROM lb_schedule WHERE name = ?"
SET_RUN = "INSERT INTO lb_schedule (name, next_at) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET next_at = ?2"
RUN_OPEN = "SELECT 1 FROM lb_delivery WHERE subscription = ? LIMIT 1"

_EVENT = msgspec.json.Decoder(Event)
_REQUEST = msgspec.json.Decoder(Request)

LATER_RETRY = Retry(attempts=12, first=1.0, longest=600.0)
"""How the outbox tries: longer than a handler, for nobody waits for it."""
KNOWN_FOR = 72 * 3600.0
"""Seconds that a subscription remembers the uuids of platform events: as long as the log keeps events."""
RELOAD_LOOK = 0.5
"""Seconds between looks at a flow file with --reload."""


class RunningAttempt:
    """See `flows.Attempt`."""

    __slots__ = ("correlation_id", "idempotency_key", "key", "number", "subscription", "uuid")

    def __init__(self, delivery: Delivery, idempotency_key: str) -> None:
        self.subscription = delivery.subscription
        self.key = delivery.key
        self.uuid = delivery.uuid
        self.number = delivery.attempt
        self.correlation_id = delivery.correlation
        self.idempotency_key = idempotency_key


class Crossing:
    """The flows of one server. `open` loads them, `start` lets them run, `stop` ends them."""

    def __init__(
        self, parts: Parts, events: SQLEventLog, subscriptions: Subscriptions, queue: SqlQueue, callouts: Callouts,
        switchboard: Switchboard, chance: Chance,
    ) -> None:  # fmt: skip
        self._parts = parts
        self._events = events
        self._subscriptions = subscriptions
        self._queue = queue
        self._callouts = callouts
        self.progress = Progress(queue, subscriptions)
        self.engine = Engine(parts.db, queue, parts.clock, chance, switchboard, settled=self.progress.note)
        self.reader = Reader(parts.db, events, subscriptions, queue, parts.clock, switchboard, self.engine.enqueued)
        self.loaded: dict[Path, Loaded] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopped = False

    # --- loading ---------------------------------------------------------------------------------------------------

    def open(self, path: Path) -> Loaded:
        """Load a file and check it against the org. Raises FlowError, LandbridgeError; nothing runs yet."""
        loaded = load(path)
        names = {name for other in self.loaded.values() if other.path != path for name in other.handlers}
        for name, handler in loaded.handlers.items():
            if name in names:
                raise FlowError(
                    handler.declared.place, f"another file already has a handler {name}: rename the flow or it"
                )
        for finding in self.check(declared(loaded)):
            if finding.fatal:
                raise LandbridgeError(f"{finding.place}: {finding.text}")
            log.warning("%s", finding)
        return loaded

    def check(self, found: Declared) -> list[Finding]:
        """What of a file's declarations will not work in this org."""
        catalog = self._parts.catalog()
        return check(found, catalog, self._events.topic, self._events.captured, self._callouts.names())

    async def run(self, loaded: Loaded) -> None:
        """Let a file's flows run, in place of what the same file declared before."""
        before = self.loaded.get(loaded.path)
        if before is not None:
            for name in before.handlers.keys() - loaded.handlers.keys():
                self._drop(name)
        self.loaded[loaded.path] = loaded
        for name, handler in loaded.handlers.items():
            declared = handler.declared
            if isinstance(declared, On):
                await self._subscribe(name, declared, handler, loaded.version)
            else:
                self.engine.add(Subscription(
                    name=name, handler=self._caller(handler), retry=declared.retry, hold=False, timeout=declared.timeout,
                    topic="", version=loaded.version,
                ))  # fmt: skip
                await self._schedule(declared)
        for flow in loaded.flows:
            for name in flow.credentials:
                self.engine.add(Subscription(
                    name=f"{flow.name}/later-{name}", handler=self._send_later, retry=LATER_RETRY, hold=True,
                    timeout=130.0, topic="", version=loaded.version,
                ))  # fmt: skip

    def _drop(self, name: str) -> None:
        self.engine.remove(name)
        self.reader.remove(name)
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()

    async def _subscribe(self, name: str, on: On, handler: Handler, version: str) -> None:
        topic = self._events.topic(on.topic)
        assert topic is not None
        self.engine.add(Subscription(
            name=name, handler=self._caller(handler), retry=on.retry, hold=on.on_failure == "hold", timeout=on.timeout,
            topic=topic.name, version=version,
        ))  # fmt: skip
        start = self._events.start(topic, replay=-1 if on.start == "latest" else -2)
        await self.reader.add(Reading(name=name, topic=topic, key=key_of(on.key)), start)

    async def start(self) -> None:
        """Begin: what was open at the last stop goes on."""
        await self.engine.start()
        self.reader.start()
        self._start(self._forget())

    async def _forget(self) -> None:
        """Once an hour: let go of the uuids that no event in the log can have any more."""

        def work(tx: Tx) -> int:
            return self._queue.forget_delivered(tx, tx.now.timestamp() - KNOWN_FOR)

        while True:
            try:
                await self._parts.db.write(work, self.unit)
            except Exception:
                log.warning("old uuids could not be forgotten; in an hour again", exc_info=True)
            await self._parts.clock.sleep(3600.0)

    async def stop(self) -> None:
        """End reading, schedules and attempts; what has ended is settled. A second call does nothing."""
        if self._stopped:
            return
        self._stopped = True
        for timer in self._timers.values():
            timer.cancel()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.reader.stop()
        await self.engine.stop()
        if self.progress.unwritten:
            await self._parts.db.write(self.progress.write, Unit("progress"))

    unit = Unit("landbridge", origin="landbridge")
    """Who is behind what a person does to deliveries."""

    def shown(self, reader: SqlReader, name: str) -> dict[str, Any]:
        """How far a handler is: its subscription's watermarks, what waits, what is dead."""
        _, handler = self._handler(name)
        found: dict[str, Any] = {"name": name, "waiting": self._queue.waiting(reader, name)}
        declared = handler.declared
        if isinstance(declared, On):
            known = self._subscriptions.get(reader, name)
            found |= {"topic": declared.topic, "on_failure": declared.on_failure}
            if known is not None:
                found |= {"read_to": known.read_to, "done_to": known.done_to, "oldest_open": known.oldest_open}
        else:
            row = reader.one(NEXT_RUN, (name,))
            found |= {"every": declared.seconds, "next_run": None if row is None else row[0]}
        return found

    @property
    def idle(self) -> bool:
        """Whether everything in the log has been handled, or waits for a moment to come."""
        return self.reader.idle and self.engine.idle

    # --- handlers --------------------------------------------------------------------------------------------------

    def _caller(self, handler: Handler) -> Callable[[Delivery, Work], Any]:
        async def call(delivery: Delivery, work: Work) -> None:
            await self._call(handler, delivery, work, LocalOrg(self._parts, delivery, self._enqueue_later))

        return call

    async def _call(self, handler: Handler, delivery: Delivery, work: Work, org: LocalOrg) -> None:
        """Run an author's function for one delivery."""
        given: dict[str, Any] = {"org": org}
        idempotency_key = delivery.uuid
        if handler.convert is not None:
            event = _EVENT.decode(delivery.body)
            idempotency_key = event.uuid
            given["event"] = handler.convert(event)
        given["attempt"] = RunningAttempt(delivery, idempotency_key)
        run = self._callouts.run(
            flow=delivery.subscription.partition("/")[0], subscription=delivery.subscription, attempt=delivery.attempt,
            correlation_id=delivery.correlation, uncommitted=lambda: org.holds_writer,
        )  # fmt: skip
        token = credential.active.set(org)
        try:
            with run.active():
                await handler.declared.function(**{name: given[what] for name, what in handler.parameters})
        finally:
            credential.active.reset(token)
            if run.calls:
                work.journal = run.settle
        work.effects = org.effects

    async def dry_run(self, letter: Letter) -> dict[str, Any]:
        """
        Run a dead letter's handler as a replay would, and undo it: nothing is written, nothing is sent.

        It ends at the first callout (nobody can know the answer): `outcome` is "done", "callout" or what it failed by.
        """
        loaded, handler = self._handler(letter.subscription)
        delivery = Delivery(
            letter.delivery, letter.subscription, letter.key, letter.uuid, letter.replay_id, letter.correlation,
            letter.attempts + 1, 0, 0, 0, letter.replays, self._parts.clock.epoch(), letter.body,
        )  # fmt: skip
        org = DryOrg(self._parts, delivery)
        found: dict[str, Any] = {
            "letter": letter.id,
            "flow_version": loaded.version,
            "edited": letter.edited is not None,
        }
        try:
            await self._call(handler, delivery, Work(), org)
            writes = await org.undone()
        except CalloutFailed as error:
            if error.outcome.kind is callouts.Kind.UNCOMMITTED:
                sent = f"{error.outcome.method} {error.outcome.url}"
                return {**found, "outcome": "callout", "text": f"it comes as far as its first callout: {sent}"}
            return {**found, **_failed(error)}
        except Exception as error:
            return {**found, **_failed(error)}
        return {**found, "outcome": "done", "text": f"it ends well; {writes} writes to the org would be made"}

    def _handler(self, name: str) -> tuple[Loaded, Handler]:
        for loaded in self.loaded.values():
            if name in loaded.handlers:
                return loaded, loaded.handlers[name]
        raise LandbridgeError(f"no flow with the handler {name} runs here. Serve its file with --flow.")

    def _enqueue_later(self, tx: Tx, drafts: list[Draft]) -> None:
        now = tx.now.timestamp()
        for name in dict.fromkeys(draft.subscription for draft in drafts):
            self._queue.enqueue(tx, [draft for draft in drafts if draft.subscription == name], now)
            tx.after_commit(partial(self.engine.enqueued, name))

    async def _send_later(self, delivery: Delivery, work: Work) -> None:
        """An outbox request: one callout."""
        request = _REQUEST.decode(delivery.body)
        run = self._callouts.run(
            flow=delivery.subscription.partition("/")[0], subscription=delivery.subscription, attempt=delivery.attempt,
            correlation_id=delivery.correlation,
        )  # fmt: skip
        try:
            outcome = await self._callouts.send(request, run)
        finally:
            work.journal = run.settle
        if not outcome.ok:
            raise CalloutFailed(outcome)

    # --- schedules -------------------------------------------------------------------------------------------------

    async def _schedule(self, every: Every) -> None:
        def first(tx: Tx) -> float:
            row = tx.one(NEXT_RUN, (every.name,))
            if row is not None:
                # A shorter period than the file had before: do not wait for the old one to pass.
                return min(float(row[0]), tx.now.timestamp() + every.seconds)
            tx.run(SET_RUN, (every.name, tx.now.timestamp()))
            return tx.now.timestamp()

        self._arm(every, await self._parts.db.write(first, Unit("schedule")))

    def _arm(self, every: Every, at: float) -> None:
        timer = self._timers.pop(every.name, None)
        if timer is not None:
            timer.cancel()
        wait = max(0.0, min(at - self._parts.clock.epoch(), 86_400.0))
        loop = asyncio.get_running_loop()
        self._timers[every.name] = loop.call_later(wait, lambda: self._start(self._due(every)))

    async def _due(self, every: Every) -> None:
        def enqueue(tx: Tx) -> float:
            row = tx.one(NEXT_RUN, (every.name,))
            now = tx.now.timestamp()
            at = now if row is None else float(row[0])
            if at > now:
                return at
            missed = int((now - at) // every.seconds)
            due = at + missed * every.seconds
            tx.run(SET_RUN, (every.name, due + every.seconds))
            if (
                tx.one(RUN_OPEN, (every.name,)) is None
            ):  # runs of one schedule never overlap: the open one does for this
                uuid = f"{every.name}@{due:.3f}"
                body = msgspec.json.encode({"schedule": every.name, "due": due})
                self._queue.enqueue(tx, [Draft(every.name, every.name, uuid, 0, uuid, body)], now)
            return due + every.seconds

        try:
            following = await self._parts.db.write(enqueue, Unit("schedule"))
        except Exception:
            log.exception("a run of %s could not be enqueued", every.name)
            following = self._parts.clock.epoch() + min(every.seconds, 5.0)
        self.engine.enqueued(every.name)
        if every.name in self._timers:
            self._arm(every, following)

    def wake(self) -> None:
        """Look at every moment again: the org's clock was moved."""
        self.engine.wake()
        for loaded in self.loaded.values():
            for handler in loaded.handlers.values():
                if isinstance(handler.declared, Every):
                    self._arm(handler.declared, self._parts.clock.epoch())

    # --- reload ----------------------------------------------------------------------------------------------------

    def watch(self) -> None:
        """Load files anew when they change (`--reload`)."""
        self._start(self._watch())

    async def _watch(self) -> None:
        seen = {path: _stamp(path) for path in self.loaded}
        while True:
            await self._parts.clock.sleep(RELOAD_LOOK)
            for path, before in list(seen.items()):
                now = _stamp(path)
                if now == before or now is None:
                    continue
                seen[path] = now
                try:
                    loaded = self.open(path)
                    if loaded.version != self.loaded[path].version:
                        await self.run(loaded)
                        log.info("reloaded %s (version %s)", path, loaded.version)
                except LandbridgeError as error:
                    log.error("%s\nThe flow goes on as it was.", error)  # the author's mistake, not ours

    def _start(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _failed(error: Exception) -> dict[str, Any]:
    outcome = outcome_of(error)
    return {"outcome": outcome.kind.value, "text": outcome.reason, "detail": outcome.detail}


def key_of(key: str | None) -> Callable[[Event], str]:
    """What order of an event is kept by, from what the author wrote."""
    if key is None:
        return lambda event: event.key
    lower = key.lower()
    if lower == "uuid":
        return lambda event: event.uuid
    if lower == "recordid":
        return lambda event: event.header.record_ids[0] if event.header and event.header.record_ids else event.key

    def find(event: Event) -> str:
        value = event.values.get(key)
        return "" if value is None else str(value)

    return find


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
