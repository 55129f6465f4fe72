"""
What a stream's requests mean and what is due when. Pure: requests and moments in, sends and refusals out.

A client asks for events by number; the server sends at most what is outstanding. Requests add up, to at most 100 outstanding.
With events outstanding and nothing to send, an empty response goes out each KEEPALIVE seconds, so that a client notices a dead
connection (270 s are promised, 60 s observed). With nothing outstanding the client has IDLE seconds to ask again.

All moments are seconds since 1970 on the org's clock. Source: `events.md` section 4, the Pub/Sub API guide on flow control.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from landbridge.wire.pubsub import replay
from landbridge.wire.pubsub.refusal import Refused

if TYPE_CHECKING:
    from landbridge.wire.pubsub.eventbus_pb2 import FetchRequest, PublishRequest

MOST = 100
"""Events outstanding at most; more asked for counts as 100 (documented)."""
KEEPALIVE = 60.0
IDLE = 60.0
PUBLISH_IDLE = 70.0
"""Seconds a publish stream may be silent. The table of errors speaks of 1,800, the method's page of 70."""
FUTILE, FUTILE_SPAN = 100, 10.0
"""So many requests that add nothing, in so many seconds, are an overflow: the client asks and does not drain (our reading).
aiosfpubsub asks each 5 seconds whatever it has, so the mere repetition is none."""
LATEST, EARLIEST, CUSTOM = 0, 1, 2
TIP, BEFORE_ALL = -1, -2
"""Where to begin, as the event log says it: after the newest, or before the earliest kept."""


@dataclass(frozen=True, slots=True)
class Start:
    """What a stream's first request asks for: a topic, and after which replay id (TIP and BEFORE_ALL too)."""

    topic: str
    replay: int


class Flow:
    """How many events are outstanding on a stream, and when something is due on it."""

    __slots__ = ("_futile", "_futile_since", "_last", "pending")

    def __init__(self, now: float) -> None:
        self.pending = 0
        self._futile = 0
        self._futile_since = now
        self._last = now

    def ask(self, number: int, now: float) -> None:
        """`number` more events. Raises Refused when a client keeps asking without draining."""
        if number and self.pending == MOST:
            if now - self._futile_since > FUTILE_SPAN:
                self._futile, self._futile_since = 0, now
            self._futile += 1
            if self._futile >= FUTILE:
                raise Refused("subscription.fetch.overflow")
            return
        if not self.pending:
            self._last = now  # the keepalive counts from the request that woke the stream
        self.pending = min(self.pending + number, MOST)

    def sent(self, events: int, now: float) -> None:
        """A response with so many events went out."""
        assert events <= self.pending
        self.pending -= events
        self._last = now
        if events:
            self._futile = 0

    def due(self) -> float:
        """When the next keepalive goes out or, with nothing outstanding, when the stream ends."""
        return self._last + (KEEPALIVE if self.pending else IDLE)


class Subscribing:
    """The requests of one Subscribe stream."""

    def __init__(self, now: float) -> None:
        self.flow = Flow(now)
        self.start: Start | None = None

    def request(self, request: FetchRequest, now: float) -> Start | None:
        """Take a request; the first one says where to start. Raises Refused."""
        start = None
        if self.start is None:
            start = self.start = _start(request)
        elif request.topic_name and request.topic_name.lower() != self.start.topic.lower():
            raise Refused("subscription.fetch.topic.mismatch", topic=request.topic_name, first=self.start.topic)
        # A later request may carry a new token and nothing else.
        refreshes = start is None and bool(request.auth_refresh)
        if request.num_requested < 0 or (request.num_requested == 0 and not refreshes):
            raise Refused("subscription.fetch.requested.events.invalid", number=request.num_requested)
        self.flow.ask(request.num_requested, now)
        return start


def _start(request: FetchRequest) -> Start:
    if not request.topic_name.strip():
        raise Refused("topic.validation.empty")
    if request.replay_preset == LATEST:
        return Start(request.topic_name, TIP)
    if request.replay_preset == EARLIEST:
        return Start(request.topic_name, BEFORE_ALL)
    if request.replay_preset != CUSTOM:
        raise Refused("subscription.fetch.request.invalid")
    if not request.replay_id:
        raise Refused("subscription.fetch.replayid.validation.failed")
    return Start(request.topic_name, replay.decode(request.replay_id))


class Publishing:
    """The requests of one PublishStream; a Publish is a stream of one."""

    def __init__(self, now: float) -> None:
        self.topic = ""
        self._last = now

    def request(self, request: PublishRequest, now: float) -> str:
        """The topic to publish on. Raises Refused."""
        if not self.topic:
            if request.auth_refresh:
                raise Refused("publish.auth.refresh.invalid")
            if not request.topic_name.strip():
                raise Refused("publish.topic.validation.empty")
            self.topic = request.topic_name
        elif request.topic_name and request.topic_name.lower() != self.topic.lower():
            raise Refused("publish.topic.mismatch", topic=request.topic_name, first=self.topic)
        if not request.events and not request.auth_refresh:
            raise Refused("publish.event.count.invalid")
        self._last = now
        return self.topic

    def due(self) -> float:
        """When the stream ends unless a request comes."""
        return self._last + PUBLISH_IDLE
