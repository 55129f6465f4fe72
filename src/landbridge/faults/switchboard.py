"""
The switchboard: asked at every door, silent until a failure is switched on.

A door asks `strike(point, context)` and does what it is told; nothing else in the code knows that a failure was staged.
While no switch is on, asking costs one look at an empty dict. The catalogue of named failures and the switches that
people turn come with their own issue; what they register here is a `Switch`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from landbridge.chance import Chance
from landbridge.clock import Clock

Context = Mapping[str, Any]


class StagedReply(Exception):
    """As a strike's error: the far side answers this. Header names are lower case."""

    def __init__(self, status: int, headers: tuple[tuple[str, str], ...] = (), body: bytes = b"") -> None:
        super().__init__(f"a staged answer of {status}")
        self.status = status
        self.headers = headers
        self.body = body


@dataclass(frozen=True, slots=True)
class Strike:
    """What a door is told to do: an error to raise, or seconds to wait before it goes on."""

    error: Exception | None = None
    delay: float = 0.0


@dataclass(slots=True)
class Switch:
    """One staged failure: where (`point`), when (`matches`), how often (`rate` from 0 to 1), until when, what."""

    point: str
    strike: Strike
    matches: Callable[[Context], bool] = field(default=lambda _context: True)
    rate: float = 1.0
    until: float | None = None
    """Seconds since the epoch on the org's clock; None: until it is switched off."""


class Switchboard:
    """Holds the switches of one org."""

    def __init__(self, clock: Clock, chance: Chance) -> None:
        self._clock = clock
        self._chance = chance
        self._on: dict[str, list[Switch]] = {}

    def on(self, switch: Switch) -> Callable[[], None]:
        """Switch a failure on; returns what switches it off."""
        self._on.setdefault(switch.point, []).append(switch)
        return lambda: self._off(switch)

    def _off(self, switch: Switch) -> None:
        switches = self._on.get(switch.point, [])
        if switch in switches:
            switches.remove(switch)
        if not switches:
            self._on.pop(switch.point, None)

    def armed(self, point: str) -> bool:
        """Whether any failure is switched on here: for doors whose context costs something to make."""
        return point in self._on

    def strike(self, point: str, context: Context) -> Strike | None:
        """What this door must suffer now; None nearly always. The first matching switch decides."""
        switches = self._on.get(point)
        if not switches:
            return None
        now = self._clock.epoch()
        for switch in list(switches):
            if switch.until is not None and now >= switch.until:
                self._off(switch)
            elif switch.matches(context) and (switch.rate >= 1.0 or self._chance.fraction() < switch.rate):
                return switch.strike
        return None
