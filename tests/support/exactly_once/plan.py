"""What a run publishes, from its seed: the same in every process that is told the seed."""

from __future__ import annotations

import random
from dataclasses import dataclass
from uuid import UUID

POISON = "poison"


@dataclass(frozen=True)
class Item:
    """One event: `seq` counts within its key; a poison one is refused by the outside system for ever."""

    uuid: str
    key: str
    seq: int
    poison: bool

    @property
    def status(self) -> str:
        return f"{self.seq} {POISON}" if self.poison else str(self.seq)


@dataclass(frozen=True)
class Plan:
    """`items` in order; `published` names them by index, some of them twice: a publisher that sends again."""

    items: list[Item]
    published: list[int]

    @classmethod
    def make(cls, seed: int, events: int, keys: int) -> Plan:
        """One event in 25 is poison, one in fifty is published twice with its uuid."""
        chance = random.Random(f"plan {seed}")
        counts: dict[str, int] = {}
        items, published = [], []
        for index in range(events):
            key = f"key-{chance.randrange(keys)}"
            counts[key] = counts.get(key, 0) + 1
            uuid = str(UUID(int=chance.getrandbits(128), version=4))
            items.append(Item(uuid, key, counts[key], poison=index % 25 == 12))
            published.append(index)
            if chance.random() < 0.02:
                published.append(published[max(0, len(published) - 1 - chance.randrange(5))])
        return cls(items, published)
