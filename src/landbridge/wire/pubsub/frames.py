"""
Responses written from bytes that are made once an event and shared by all its subscribers.

A FetchResponse is the concatenation of its fields, and each ConsumerEvent in it is the same for everybody: it is encoded when
the first subscriber needs it and kept for the others. What differs between subscribers is a few bytes at the end. That is 4 to 6
times as fast as building messages per stream (PERFORMANCE section 7).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Protocol

from landbridge.wire.pubsub import replay

KEPT = 32 * 1024 * 1024
"""Bytes of encoded events kept for other subscribers."""
RESPONSE = 3 * 1024 * 1024
"""Bytes of events in one response at most (a single event may be larger): clients take 4 MB unless they say otherwise."""


class Encodable(Protocol):
    """What is read of an event."""

    @property
    def replay_id(self) -> int: ...
    @property
    def uuid(self) -> str: ...
    @property
    def schema_id(self) -> str: ...


def varint(number: int) -> bytes:
    """A protobuf varint of a number that is not negative."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def field(number: int, content: bytes) -> bytes:
    """A length-delimited field (bytes, text, message)."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def consumer_event(event: Encodable, payload: bytes) -> bytes:
    """One event as an element of FetchResponse.events, tag and length in front."""
    produced = field(1, event.uuid.encode()) + field(2, event.schema_id.encode()) + field(3, payload)
    return field(1, field(1, produced) + field(2, replay.encode(event.replay_id)))


def tail(latest: int, rpc_id: str, pending: int) -> bytes:
    """What follows the events of a FetchResponse, or of a ManagedFetchResponse without a commit."""
    count = b"\x20" + varint(pending) if pending else b""
    return b"\x12\x08" + replay.encode(latest) + field(3, rpc_id.encode()) + count


class Frames:
    """The encoded events of one org, by replay id; the oldest go when `kept` bytes are reached."""

    def __init__(self, payload: Callable[[Encodable], bytes], kept: int = KEPT) -> None:
        self._payload = payload
        self._kept = kept
        self._size = 0
        self._frames: OrderedDict[int, bytes] = OrderedDict()

    def of(self, event: Encodable) -> bytes:
        """See `consumer_event`."""
        frame = self._frames.get(event.replay_id)
        if frame is None:
            frame = self._frames[event.replay_id] = consumer_event(event, self._payload(event))
            self._size += len(frame)
            while self._size > self._kept:
                _, gone = self._frames.popitem(last=False)
                self._size -= len(gone)
        return frame

    def some(self, events: Iterable[Encodable]) -> list[bytes]:
        """The frames of the first events that fit into one response; at least one."""
        frames: list[bytes] = []
        size = 0
        for event in events:
            frame = self.of(event)
            size += len(frame)
            if frames and size > RESPONSE:
                break
            frames.append(frame)
        return frames
