"""
Channels: which entities are captured and which custom channels show which of them, as a value. `selection` keeps and changes it.

Source: `metadata.md` section 3, `events.md` sections 1 and 5.
"""

from __future__ import annotations

from dataclasses import dataclass

from landbridge.events.model import captured_object

DEFAULT = "ChangeEvents"
"""The channel of every selected object: `/data/ChangeEvents`."""
SUFFIX = "__chn"


@dataclass(frozen=True, slots=True)
class Member:
    """An entity that a channel carries, the events of it that `filter` (a SOQL condition) lets through."""

    channel: str
    entity: str
    filter: str | None = None


@dataclass(frozen=True, slots=True)
class Channels:
    """Every member of every channel, and the custom channels by name -> `data` or `event`. Immutable."""

    members: tuple[Member, ...] = ()
    custom: tuple[tuple[str, str], ...] = ()

    @property
    def captured(self) -> frozenset[str]:
        """The objects whose changes are announced, in lower case."""
        found = (captured_object(member.entity) for member in self.members)
        return frozenset(name.lower() for name in found if name is not None)
