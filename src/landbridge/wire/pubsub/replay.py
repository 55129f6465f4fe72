"""Replay ids on the wire: opaque to clients, here 8 bytes, the highest first, as published clients read them. Pure."""

from __future__ import annotations

from landbridge.wire.pubsub.refusal import Refused

SIZE = 8
GREATEST = 2**63 - 1
"""The greatest number a log can give out (an SQLite integer)."""


def encode(number: int) -> bytes:
    """The 8 bytes of a replay id."""
    return number.to_bytes(SIZE, "big")


def decode(given: bytes) -> int:
    """The number of a replay id; 0 is the place before the first event. Raises Refused for what we never gave out."""
    if len(given) != SIZE:
        raise Refused("subscription.fetch.replayid.corrupted")
    number = int.from_bytes(given, "big")
    if number > GREATEST:
        raise Refused("subscription.fetch.replayid.corrupted")
    return number
