"""
Publish and PublishStream: events in, one result each, after the commit that keeps them.

Events of one request fail and succeed one by one, as on the platform. A long request is published in several units, so that its
thousands of events hold up nobody. A stream publishes one request after the other: what a client sends ahead waits in gRPC, and
responses come in the order of requests.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from landbridge.errors import SalesforceError
from landbridge.storage import DatabaseLost, Tx, Unit
from landbridge.wire.pubsub import caller, replay
from landbridge.wire.pubsub.eventbus_pb2 import (
    PUBLISH,
    Error,
    ProducerEvent,
    PublishRequest,
    PublishResponse,
    PublishResult,
)
from landbridge.wire.pubsub.refusal import Refused
from landbridge.wire.pubsub.session import PUBLISH_IDLE, Publishing
from landbridge.wire.pubsub.stream import Wake

if TYPE_CHECKING:
    from landbridge.auth.sessions import Session
    from landbridge.events import Topic
    from landbridge.server import Server

UNIT = 200
"""Events published in one unit of work: what the platform recommends for one request."""
LONGEST_ID = 36
"""Characters of an id that the publisher gives an event (documented)."""

FindTopic = Callable[[str], "Topic"]


async def publish(
    server: Server, session: Session, topic: Topic, events: Sequence[ProducerEvent], rpc_id: str
) -> PublishResponse:
    """Publish events and say what became of each. Raises Refused when nothing can be published at all."""
    if not topic.can_publish or session.access.read_only:
        raise Refused("topic.meta.permission", topic=topic.name)
    response = PublishResponse(schema_id=topic.schema_id, rpc_id=rpc_id)

    def work(tx: Tx, some: Sequence[ProducerEvent]) -> list[PublishResult]:
        return [_publish(server, tx, session, topic, event) for event in some]

    unit = Unit(rpc_id, session.access.user_id, "pubsub")
    for start in range(0, len(events), UNIT):
        some = events[start : start + UNIT]
        try:
            response.results.extend(await server.db.write(lambda tx, some=some: work(tx, some), unit))  # type: ignore[misc]
        except DatabaseLost as error:
            if not response.results:
                raise Refused("service.unavailable") from error
            response.results.extend(_failed(event, f"STORAGE_LIMIT_EXCEEDED: {error}") for event in some)
    return response


def _publish(server: Server, tx: Tx, session: Session, topic: Topic, event: ProducerEvent) -> PublishResult:
    if len(event.id) > LONGEST_ID:
        return _failed(event, f"INVALID_EVENT_INPUT: an event's id has at most {LONGEST_ID} characters")
    if event.headers:
        return _failed(event, "FUNCTIONALITY_NOT_ENABLED: Landbridge does not support headers of published events")
    try:
        made = server.publisher.publish_avro(tx, session.access, topic, event.schema_id, event.payload)
    except SalesforceError as error:
        return _failed(event, f"{error.code}: {error.message}")
    assert made.replay_id is not None, "a direct publish knows its replay id"
    return PublishResult(replay_id=replay.encode(made.replay_id), correlation_key=event.id or made.uuid)


def _failed(event: ProducerEvent, message: str) -> PublishResult:
    """A result without a replay id; an id that the publisher gave comes back, one of ours does not exist (documented)."""
    return PublishResult(error=Error(code=PUBLISH, msg=message), correlation_key=event.id)


class PublishStream:
    """One PublishStream."""

    def __init__(self, server: Server, session: Session, rpc_id: str, find: FindTopic) -> None:
        self._server = server
        self._session = session
        self._rpc_id = rpc_id
        self._find = find
        self._state = Publishing(server.clock.epoch())
        self._wake = Wake(server)
        self._failed: Exception | None = None

    def fail(self, error: Exception) -> None:
        """End the stream with an error."""
        self._failed = error
        self._wake.set()

    async def converse(self, requests: AsyncIterator[bytes], write: Callable[[bytes], Awaitable[None]]) -> None:
        """Publish what comes until the client has no more. Raises Refused."""
        try:
            while (request := await self._next(requests)) is not None:
                topic = self._find(self._state.request(request, self._server.clock.epoch()))
                if request.auth_refresh:
                    self._session = caller.refresh(self._server, request.auth_refresh)
                self._server.sessions.touch(self._session)
                response = await publish(self._server, self._session, topic, request.events, self._rpc_id)
                await write(response.SerializeToString())
        finally:
            self._wake.close()

    async def _next(self, requests: AsyncIterator[bytes]) -> PublishRequest | None:
        """The next request; None when there are no more.

        Raises Refused when it takes too long or the session has ended, and DecodeError.
        """
        reading = asyncio.ensure_future(anext(requests, None))
        reading.add_done_callback(lambda _: self._wake.set())
        try:
            while True:
                self._wake.clear()
                if self._failed is not None:
                    raise self._failed
                now, ends = self._server.clock.epoch(), self._server.sessions.ends(self._session)
                if ends <= now:
                    raise Refused("service.auth.error")
                if reading.done():
                    raw = reading.result()
                    return None if raw is None else PublishRequest.FromString(raw)
                due = self._state.due()
                if due <= now:
                    raise Refused("publish.stream.sweeper.timeout", seconds=int(PUBLISH_IDLE))
                await self._wake.wait(min(due, ends) - now)
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
