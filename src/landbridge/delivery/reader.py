"""
From the log to the queue: each subscription reads after its `read_to`, enqueues, and moves it, in one unit.

Woken by the log after a commit that appended; never by a clock. What is enqueued in one unit is bounded, and so is memory:
the queue's length is the disk's business. Every subscription reads for itself, so a slow one holds up nobody.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from landbridge.clock import Clock
from landbridge.delivery.model import Draft
from landbridge.delivery.queue import Queue
from landbridge.events import Event, EventLog, ReplayIdInvalid, Subscriptions, Topic
from landbridge.faults import Switchboard
from landbridge.storage import Database, Tx, Unit

log = logging.getLogger(__name__)

BATCH = 256
"""Events taken from the log into the queue by one unit."""
PAUSE = 1.0
"""Seconds before a read or an enqueue that was refused (a full disk) is tried again."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One subscription as the reader knows it; `key` says what order of an event is kept by."""

    name: str
    topic: Topic
    key: Callable[[Event], str]


class Reader:
    """Reads for the subscriptions added to it, from `start` to `stop`. `enqueued(name)` is called after each enqueue."""

    def __init__(
        self, db: Database, log: EventLog, subscriptions: Subscriptions, queue: Queue, clock: Clock,
        switchboard: Switchboard, enqueued: Callable[[str], None],
    ) -> None:  # fmt: skip
        self._db = db
        self._log = log
        self._subscriptions = subscriptions
        self._queue = queue
        self._clock = clock
        self._switchboard = switchboard
        self._enqueued = enqueued
        self._readings: dict[str, Reading] = {}
        self._read_to: dict[str, int] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._end_listening: Callable[[], None] | None = None

    async def add(self, reading: Reading, start: int) -> None:
        """Read for a subscription, from where it stopped; a new one begins after the replay id `start`."""

        def ensure(tx: Tx) -> int:
            return self._subscriptions.ensure(tx, reading.name, "flow", reading.topic.name, start).read_to

        self._read_to[reading.name] = await self._db.write(ensure, Unit("subscribe"))
        self._readings[reading.name] = reading
        self._wake.set()

    def remove(self, name: str) -> None:
        """Read no more for it; where it stopped is kept."""
        self._readings.pop(name, None)

    def start(self) -> None:
        self._end_listening = self._log.listen(self._wake.set)
        self._task = asyncio.get_running_loop().create_task(self._run())
        self._wake.set()

    async def stop(self) -> None:
        """End reading; a unit that is under way commits or does not, either way as a whole."""
        if self._end_listening is not None:
            self._end_listening()
            self._end_listening = None
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    @property
    def idle(self) -> bool:
        """Whether every subscription has read what there is."""
        tip = self._log.tip()
        return all(self._read_to[name] >= tip for name in self._readings)

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            for reading in list(self._readings.values()):
                try:
                    if await self._step(reading):
                        self._wake.set()
                except Exception:
                    log.exception("reading for %s failed; trying again in %g s", reading.name, PAUSE)
                    self._wake.set()
                    await self._clock.sleep(PAUSE)

    async def _step(self, reading: Reading) -> bool:
        """Take one batch. Whether there may be more."""
        name, after = reading.name, self._read_to[reading.name]
        try:
            events, upto = self._log.scan(reading.topic, after, BATCH)
        except ReplayIdInvalid:
            return await self._go_on_after_the_gap(reading, after)
        if upto == after:
            return False
        if not events:
            # Nobody's events but others': the position moves in memory, and on disk with the next enqueue.
            self._read_to[name] = upto
            return upto < self._log.tip()
        self._point("read", name)
        drafts = [
            Draft(
                name, reading.key(event), event.uuid, event.replay_id, event.transaction_key, msgspec.json.encode(event)
            )
            for event in events
        ]
        # The log numbers a change once, and the watermark reads it once; a platform event may have been published twice
        # with the uuid its publisher gave it.
        once = any(event.header is None for event in events)

        def enqueue(tx: Tx) -> int:
            self._point("enqueue", name)
            count = self._queue.enqueue(tx, drafts, tx.now.timestamp(), once=once)
            self._subscriptions.move(tx, name, read_to=upto)
            return count

        await self._db.write(enqueue, Unit("enqueue", origin="delivery"))
        self._point("enqueued", name)
        if self._readings.get(name) is reading:
            self._read_to[name] = upto
        self._enqueued(name)
        return upto < self._log.tip()

    async def _go_on_after_the_gap(self, reading: Reading, after: int) -> bool:
        """
        What this subscription had not read is gone by retention: it was away for longer than events are kept.

        Standing still would lose more, so it goes on with what there is; that it has missed something stays visible.
        """
        earliest = self._log.start(reading.topic, replay=-2)
        text = (
            f"events of {reading.topic.name} after replay id {after} up to {earliest} were no longer kept when this flow came "
            "back: compare what they were about with the target"
        )
        log.error("%s: %s", reading.name, text)

        def move(tx: Tx) -> None:
            self._subscriptions.move(tx, reading.name, read_to=earliest)
            self._subscriptions.set_state(tx, reading.name, "Running", error=text)

        await self._db.write(move, Unit("gap", origin="delivery"))
        self._read_to[reading.name] = earliest
        return True

    def _point(self, point: str, subscription: str) -> None:
        strike = self._switchboard.strike(f"delivery.{point}", {"subscription": subscription})
        if strike is not None and strike.error is not None and point != "enqueued":
            raise strike.error
