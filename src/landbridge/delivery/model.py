"""The values of this room: what is put into the queue, what is taken out, what became of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from landbridge.delivery.policy import Done, RetryAt
from landbridge.storage import Tx


class Draft(NamedTuple):
    """
    A delivery to be: one event for one subscription.

    `key` is what order is kept by; `uuid` names the event; `replay_id` is its place in the log (0: it comes from elsewhere,
    e.g. a schedule); `correlation` travels into what the handler causes; `body` is JSON that the handler's side understands.
    """

    subscription: str
    key: str
    uuid: str
    replay_id: int
    correlation: str
    body: bytes


class Delivery(NamedTuple):
    """
    A claimed delivery. `attempt` numbers this try, from 1, and is what settling it must name: a later claim makes an
    earlier one's settle void. `first_at`: when it was enqueued, seconds since the epoch. `replays`: how often a person has
    sent it again from the dead letters. `interrupted` and `alone`: see `policy.Tries`.
    """

    id: int
    subscription: str
    key: str
    uuid: str
    replay_id: int
    correlation: str
    attempt: int
    failures: int
    interrupted: int
    alone: int
    replays: int
    first_at: float
    body: bytes


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed attempt as it is kept: moments in wire form, `duration` in seconds."""

    number: int
    started: str
    duration: float
    kind: str
    code: str
    status: int
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Parked:
    """A delivery given up on. `hold`: its key waits behind it; else the key goes on."""

    why: str
    fingerprint: str
    hold: bool
    topic: str
    version: str


class Settled(NamedTuple):
    """
    What became of one attempt: the decision carried out, and the failure that led to it. `also` is written in the same
    unit (the journal of the attempt's callouts).
    """

    delivery: Delivery
    decision: Done | RetryAt | Parked
    failure: Failure | None = None
    also: Callable[[Tx], None] | None = None


class LeaseLost(Exception):
    """Somebody else has this delivery by now, or it is gone: what this attempt wanted to write must not be written."""
