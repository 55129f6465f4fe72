"""
Guessing, slowed down: each failure of a name doubles the wait before its next answer, ten lock it for fifteen minutes.

The failures of one peer count as well, with more of them free: on loopback all programs of a machine are one peer. Counted in
memory, bounded; a restart forgets (an attacker who can restart the server needs no password).
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from landbridge.clock import Clock

FREE, FREE_OF_PEER = 3, 20
LOCK_AFTER = 10
LOCK_SECONDS = 900.0
LONGEST_WAIT = 8.0
REMEMBERED = 10_000


@dataclass(slots=True)
class _Count:
    failures: int
    last: float


class Failures:
    """What failed lately, by name (`user:ada`, `app:3MVG9...`) and by peer."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._counts: OrderedDict[str, _Count] = OrderedDict()

    def locked(self, name: str) -> bool:
        """Whether a name is locked out: its answer is a refusal, right or wrong."""
        return self._count(name) >= LOCK_AFTER

    async def attempt(self, name: str, peer: str) -> None:
        """Count an attempt as failed, then wait as long as it has to; `succeeded` takes it back."""
        key = _peer(peer)
        over = max(self._count(name) - FREE, self._count(key) - FREE_OF_PEER)
        # Counted before the wait: guesses sent side by side do not get around it.
        self._fail(name)
        self._fail(key)
        if over >= 0:
            await self._clock.sleep(min(LONGEST_WAIT, 0.25 * 2**over))

    def succeeded(self, name: str, peer: str) -> None:
        self._counts.pop(name, None)
        self._counts.pop(_peer(peer), None)

    def _count(self, key: str) -> int:
        found = self._counts.get(key)
        if found is None or self._clock.epoch() - found.last > LOCK_SECONDS:
            return 0
        return found.failures

    def _fail(self, key: str) -> None:
        self._counts[key] = _Count(self._count(key) + 1, self._clock.epoch())
        self._counts.move_to_end(key)
        while len(self._counts) > REMEMBERED:
            self._counts.popitem(last=False)


def _peer(address: str) -> str:
    return f"peer:{address}"
