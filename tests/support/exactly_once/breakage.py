"""
Five runtimes with a mistake that people make: what the harness is for is to see that it catches each of them.

Each function breaks the delivery room of this process, and this process alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from landbridge.delivery import deadletters, engine, queue, reader
from landbridge.delivery.model import Settled
from landbridge.delivery.policy import Done
from landbridge.storage import Unit


def settle_before_effect() -> None:
    """A delivery counts as done as soon as its handler is called."""
    run = engine.Engine._run

    async def broken(self: Any, subscription: Any, delivery: Any, work: Any) -> Any:
        await self._db.write(lambda tx: self._queue.settle(tx, Settled(delivery, Done())), Unit("broken"))
        self.enqueued(delivery.subscription)
        return await run(self, subscription, delivery, work)

    def effects_alone(self: Any, delivery: Any, work: Any, effects: Any) -> Any:
        async def write() -> Any:
            await self._db.write(effects, Unit("broken"))
            return engine.DONE

        return write()

    engine.Engine._run = broken  # type: ignore[method-assign]
    engine.Engine._commit = effects_alone  # type: ignore[method-assign]


def dedupe_by_record() -> None:
    """A second event of a record counts as the first one once more."""
    enqueue = queue.SqlQueue.enqueue

    def broken(self: Any, tx: Any, drafts: Any, now: float, *, once: bool = False) -> int:
        if once:
            fresh = [d for d in drafts if tx.run(queue.DELIVERED, (d.subscription, d.key, now))]
            return enqueue(self, tx, fresh, now)
        return enqueue(self, tx, drafts, now)

    queue.SqlQueue.enqueue = broken  # type: ignore[method-assign]


def no_lock_on_order() -> None:
    """Every delivery may be claimed, whoever is before it."""
    enqueue = queue.SqlQueue.enqueue

    def broken(self: Any, tx: Any, drafts: Any, now: float, *, once: bool = False) -> int:
        count = enqueue(self, tx, drafts, now, once=once)
        tx.run("UPDATE lb_delivery SET is_head = 1 WHERE is_head = 0")
        return count

    queue.SqlQueue.enqueue = broken  # type: ignore[method-assign]


def lost_watermark() -> None:
    """The watermark moves in a unit of its own, before the deliveries are there."""
    step = reader.Reader._step

    async def broken(self: Any, reading: Any) -> bool:
        after = self._read_to[reading.name]
        _, upto = self._log.scan(reading.topic, after, reader.BATCH)
        if upto != after:
            await self._db.write(lambda tx: self._subscriptions.move(tx, reading.name, read_to=upto), Unit("broken"))
        return await step(self, reading)

    reader.Reader._step = broken  # type: ignore[method-assign]


def replay_twice() -> None:
    """A dead letter that is under way again, or done, can be sent once more."""
    deadletters._open = deadletters.get


BREAKAGES: dict[str, Callable[[], None]] = {
    "settle before effect": settle_before_effect,
    "dedupe by record id": dedupe_by_record,
    "no lock on order": no_lock_on_order,
    "lost watermark": lost_watermark,
    "replay twice": replay_twice,
}
