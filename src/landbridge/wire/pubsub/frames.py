"""
Responses written from bytes that are made once an event and shared by all its subscribers.

A FetchResponse is the concatenation of its fields, and each ConsumerEvent in it is the same for everybody: it is encoded when
the first subscriber needs it and kept for the others. What differs between subscribers is a few bytes at the end. That is 4 to 6
times as fast as building messages per stream (PERFORMANCE section 7).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from landbridge.wire.pubsub import replay

if TYPE_CHECKING:
    from landbridge.events import Event, Topic

KEPT = 32 * 1024 * 1024
"""Bytes of encoded events kept for other subscribers."""
BODIES = 16 * 1024 * 1024
"""Bytes of whole bodies of responses kept for other subscribers."""
RESPONSE = 3 * 1024 * 1024
"""Bytes of events in one response at most (a single event may be larger): clients take 4 MB unless they say otherwise."""


def varint(number: int) -> bytes:
    """A protobuf varint of a number that is not negative."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


_VARINTS = tuple(varint(number) for number in range(4096))


def size(number: int) -> bytes:
    """The varint of a length; most are small."""
    return _VARINTS[number] if number < 4096 else varint(number)


def field(number: int, content: bytes) -> bytes:
    """A length-delimited field (bytes, text, message)."""
    return size(number << 3 | 2) + size(len(content)) + content


def consumer_event(event: Event, payload: bytes) -> bytes:
    """One event as an element of FetchResponse.events, tag and length in front."""
    uuid, schema = event.uuid.encode(), event.schema_id.encode()
    produced = b"\x0a%b%b\x12%b%b\x1a%b%b" % (
        size(len(uuid)), uuid, size(len(schema)), schema, size(len(payload)), payload,
    )  # fmt: skip
    inner = size(len(produced))
    whole = size(1 + len(inner) + len(produced) + 10)  # 10: the replay id with its tag and length
    return b"\x0a%b\x0a%b%b\x12\x08%b" % (whole, inner, produced, replay.encode(event.replay_id))


def tail(latest: int, rpc_id: bytes, pending: int) -> bytes:
    """
    What follows the events of a FetchResponse, or of a ManagedFetchResponse without a commit.

    `rpc_id` is the whole field, as `field(3, ...)` makes it: it is the same in every response of a stream.
    """
    rest = b"\x12\x08%b%b" % (replay.encode(latest), rpc_id)
    return rest + b"\x20" + size(pending) if pending else rest


class Frames:
    """The encoded events of one org, by replay id; the oldest go when `kept` bytes are reached."""

    def __init__(self, payload: Callable[[Event], bytes], kept: int = KEPT) -> None:
        self._payload = payload
        self._kept = kept
        self._size = 0
        self._frames: OrderedDict[int, bytes] = OrderedDict()
        self._bodies: OrderedDict[tuple[str, int, int], tuple[bytes, int]] = OrderedDict()
        self._bodies_size = 0

    def of(self, event: Event) -> bytes:
        """See `consumer_event`."""
        frame = self._frames.get(event.replay_id)
        if frame is None:
            frame = self._frames[event.replay_id] = consumer_event(event, self._payload(event))
            self._size += len(frame)
            while self._size > self._kept:
                _, gone = self._frames.popitem(last=False)
                self._size -= len(gone)
        return frame

    def body(self, topic: Topic, events: Sequence[Event]) -> tuple[bytes, int]:
        """The first events that fit into one response, at least one, as bytes; and how many they are."""
        if not topic.plain:
            return self._join(events)
        # Subscribers of one topic walk through it in the same steps: the whole body is shared, not only the events. A filtered
        # view may hold other events between the same two, so it is joined each time.
        key = (topic.name, events[0].replay_id, len(events))
        found = self._bodies.get(key)
        if found is None:
            found = self._bodies[key] = self._join(events)
            self._bodies_size += len(found[0])
            while self._bodies_size > BODIES:
                _, (gone, _) = self._bodies.popitem(last=False)
                self._bodies_size -= len(gone)
        return found

    def _join(self, events: Sequence[Event]) -> tuple[bytes, int]:
        frames: list[bytes] = []
        total = 0
        for event in events:
            frame = self.of(event)
            total += len(frame)
            if frames and total > RESPONSE:
                break
            frames.append(frame)
        return b"".join(frames), len(frames)
