"""
How far each subscription is, for people: its watermarks, and the event it delivered last.

Noted in memory while deliveries settle, written by whoever keeps house about once a second: what decides where reading goes
on (`read_to`) moves with the enqueue and not here, so nothing depends on these being current.
"""

from __future__ import annotations

from landbridge.delivery.deadletters import KEEP_GOOD
from landbridge.delivery.model import Delivery, Settled
from landbridge.delivery.policy import Done
from landbridge.delivery.queue import Queue
from landbridge.events import Subscriptions
from landbridge.storage import Tx


class Progress:
    """Notes what was settled (`note`, inside settling units) and writes it down (`write`)."""

    def __init__(self, queue: Queue, subscriptions: Subscriptions) -> None:
        self._queue = queue
        self._subscriptions = subscriptions
        self._good: dict[str, Delivery] = {}
        self._touched: set[str] = set()
        self._floor: dict[str, int] = {}

    @property
    def unwritten(self) -> bool:
        return bool(self._touched)

    def note(self, tx: Tx, settled: list[Settled]) -> None:
        """Remember what has settled. May be undone with its unit: then it is a moment early, no more."""
        del tx
        for one in settled:
            name = one.delivery.subscription
            self._touched.add(name)
            if isinstance(one.decision, Done):
                self._good[name] = one.delivery

    def write(self, tx: Tx) -> None:
        """Write down what was noted."""
        touched, good = self._touched, self._good
        self._touched, self._good = set(), {}
        tx.on_rollback(lambda: self._take_back(touched, good))
        for name, delivery in good.items():
            tx.run(KEEP_GOOD, (name, delivery.uuid, delivery.key, tx.stamp, delivery.body))
        for name in touched:
            known = self._subscriptions.get(tx, name)
            if known is None:
                continue
            oldest = self._queue.oldest(tx, name, self._floor.get(name, 0))
            if oldest is not None:
                # Ids only rise: the next look begins where this one ended.
                self._floor[name] = oldest[0]
            done_to = known.read_to if oldest is None else min(known.read_to, oldest[1] - 1)
            self._subscriptions.move(
                tx, name, done_to=max(done_to, known.done_to), oldest_open=None if oldest is None else oldest[1]
            )

    def _take_back(self, touched: set[str], good: dict[str, Delivery]) -> None:
        """What could not be written is noted still, unless something newer was noted since."""
        self._touched |= touched
        self._good = {**good, **self._good}
