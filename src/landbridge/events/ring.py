"""The newest events in memory, so that a reader who keeps up never touches the database."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from landbridge.events.model import Event

EVENTS = 16_384
BYTES = 32 * 1024 * 1024


def _id(event: Event) -> int:
    return event.replay_id


class Ring:
    """
    Every committed event after `floor`, in order, at most EVENTS of them and BYTES of their payloads.

    Kept whole and by topic: a reader of a quiet topic does not walk through the others' events.
    """

    def __init__(self, floor: int, events: int = EVENTS, size: int = BYTES) -> None:
        self.floor = floor
        self.tip = floor
        self._events, self._size = events, size
        self._all: list[Event] = []
        self._sizes: list[int] = []
        self._held = 0
        self._topics: dict[str, list[Event]] = {}

    def push(self, event: Event, size: int) -> None:
        """Add the newest event; `size` is that of its payload in bytes."""
        self.tip = event.replay_id
        self._all.append(event)
        self._sizes.append(size)
        self._held += size
        mine = self._topics.get(event.topic)
        if mine is None:
            mine = self._topics[event.topic] = []
        mine.append(event)
        if len(self._all) > self._events or self._held > self._size:
            self._drop()

    def _drop(self) -> None:
        """Let the older half go: seldom and much, so that it costs nothing per event."""
        cut = len(self._all) // 2 or 1
        while cut < len(self._all) and sum(self._sizes[cut:]) > self._size // 2:
            cut += max(1, (len(self._all) - cut) // 2)
        self.floor = self._all[cut - 1].replay_id
        del self._all[:cut], self._sizes[:cut]
        self._held = sum(self._sizes)
        for topic, mine in list(self._topics.items()):
            gone = bisect_right(mine, self.floor, key=_id)
            if gone == len(mine):
                del self._topics[topic]
            elif gone:
                del mine[:gone]

    def of(self, topic: str) -> Sequence[Event]:
        """The held events of one entity topic."""
        return self._topics.get(topic, ())

    @property
    def all(self) -> Sequence[Event]:
        """The held events of all topics."""
        return self._all


def after(events: Sequence[Event], replay_id: int) -> int:
    """The index of the first event after this replay id."""
    if not events or events[-1].replay_id <= replay_id:
        return len(events)
    # Ids of one topic mostly follow each other: the place is where counting says, and the search of 3 us is saved.
    guess = replay_id - events[0].replay_id + 1
    if 0 < guess < len(events) and events[guess - 1].replay_id <= replay_id < events[guess].replay_id:
        return guess
    return bisect_right(events, replay_id, key=_id)
