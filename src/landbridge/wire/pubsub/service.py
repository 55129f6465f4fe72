"""
The rpcs of `eventbus.v1.PubSub`: who calls, what is asked, the answer as bytes.

Every call ends one way: with an answer, or with a status whose trailers name Salesforce's error code and the call's `rpc-id`,
which the text ends with too. Our own failures are logged under that id and answered without their text.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf.message import DecodeError, Message

from landbridge.errors import Unsupported
from landbridge.events.model import captured_object
from landbridge.wire.pubsub import caller, eventbus_pb2
from landbridge.wire.pubsub.frames import Frames
from landbridge.wire.pubsub.managed import Managing
from landbridge.wire.pubsub.managed_stream import ManagedStream
from landbridge.wire.pubsub.publishing import PublishStream, publish
from landbridge.wire.pubsub.refusal import Refused
from landbridge.wire.pubsub.session import Flow, Publishing, Subscribing
from landbridge.wire.pubsub.stream import Subscriber

if TYPE_CHECKING:
    from landbridge.auth.sessions import Session
    from landbridge.events import Topic
    from landbridge.server import Server

log = logging.getLogger(__name__)

SERVICE = "eventbus.v1.PubSub"
MOST_STREAMS = 2_000
"""Open streams of one org. The platform's number is not published; ours bounds memory."""

Context = Any  # grpc.aio.ServicerContext, generic in types that bytes in and bytes out make void
Requests = AsyncIterator[bytes]


class Call:
    """One rpc: its id and, once known, whose it is."""

    __slots__ = ("rpc_id", "session")

    def __init__(self, rpc_id: str, session: Session) -> None:
        self.rpc_id = rpc_id
        self.session = session


class Service:
    """The rpcs over one org."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._log = server.events
        # Not the log's own cache: frames hold the same bytes, bounded by their size.
        self._frames = Frames(lambda event: self._log.form(event.schema_id).avro(event))
        self._frames_of: dict[str, Frames] = {}
        self._streams = 0
        self._managed_now: set[str] = set()
        self._open_streams: set[Subscriber | PublishStream] = set()

    def stop(self) -> None:
        """End the streams: the org is closing."""
        for stream in self._open_streams:
            stream.fail(Refused("service.unavailable"))

    def handlers(self) -> grpc.GenericRpcHandler:
        """What gRPC calls: bytes in, bytes out."""
        unary, stream = grpc.unary_unary_rpc_method_handler, grpc.stream_stream_rpc_method_handler
        pb = eventbus_pb2
        # Parsed here, not by gRPC: it would answer and log bytes that are no message as a failure of ours.
        return grpc.method_handlers_generic_handler(SERVICE, {
            "GetTopic": unary(self._unary(self._get_topic, pb.TopicRequest)),
            "GetSchema": unary(self._unary(self._get_schema, pb.SchemaRequest)),
            "ManagedSubscribe": stream(self._streaming(self._managed)),
            "Publish": unary(self._unary(self._publish, pb.PublishRequest)),
            "PublishStream": stream(self._streaming(self._publish_stream)),
            "Subscribe": stream(self._streaming(self._subscribe)),
        })  # fmt: skip

    # --- how every call begins and ends --------------------------------------------------------------------------

    def _unary(
        self, answer: Callable[[Call, Any], Awaitable[bytes]], kind: type[Message]
    ) -> Callable[[bytes, Context], Awaitable[bytes]]:
        async def run(request: bytes, context: Context) -> bytes:
            rpc_id = self._server.chance.uuid()
            try:
                call = await self._open(rpc_id, context)
                return await answer(call, kind.FromString(request))
            except Exception as error:
                await self._abort(context, error, rpc_id)
                raise AssertionError("abort raises") from error

        return run

    def _streaming(
        self, work: Callable[[Call, Requests, Context], Awaitable[None]]
    ) -> Callable[[Requests, Context], Awaitable[None]]:
        async def run(requests: Requests, context: Context) -> None:
            rpc_id = self._server.chance.uuid()
            self._streams += 1
            try:
                if self._streams > MOST_STREAMS:
                    raise Refused("concurrent.client.limit.exceeded", limit=MOST_STREAMS)
                await work(await self._open(rpc_id, context), requests, context)
            except Exception as error:
                await self._abort(context, error, rpc_id)
            finally:
                self._streams -= 1

        return run

    async def _open(self, rpc_id: str, context: Context) -> Call:
        call = Call(rpc_id, caller.identify(self._server, context.invocation_metadata()))
        strike = self._server.switchboard.strike("pubsub.call", {"call": call})
        if strike is not None:
            if strike.delay:
                await self._server.clock.sleep(strike.delay)
            if strike.error is not None:
                raise strike.error
        return call

    async def _abort(self, context: Context, error: Exception, rpc_id: str) -> None:
        if isinstance(error, grpc.aio.AbortError):
            raise error
        if isinstance(error, DecodeError):
            text = f"The request is not the message that this method takes. rpcId: {rpc_id}"
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, text, (("rpc-id", rpc_id),))
        if not isinstance(error, Refused):
            log.error("a Pub/Sub call failed", extra={"rpc_id": rpc_id}, exc_info=error)
            error = Refused("subscription.internal.error")
        await context.abort(
            grpc.StatusCode[error.status],
            f"{error} rpcId: {rpc_id}",
            (("error-code", error.code), ("rpc-id", rpc_id)),
        )

    # --- topics and schemas --------------------------------------------------------------------------------------

    def _topic(self, name: str) -> Topic:
        """The topic of that name. Raises Refused, also for kinds of topics that CometD alone has."""
        if not name.strip():
            raise Refused("topic.validation.empty")
        try:
            topic = self._log.topic(name)
        except Unsupported:
            topic = None
        if topic is None or not self._announced(topic):
            raise Refused("topic.not.found", org=self._tenant(), topic=name)
        return topic

    def _announced(self, topic: Topic) -> bool:
        """Change events of an object that nobody selected have no topic (observed); platform events and channels have one."""
        return topic.kind != "change" or (captured_object(topic.entity) or "").lower() in self._log.captured

    def _tenant(self) -> str:
        return f"CORE/prod/{self._server.org.org_id}"

    async def _get_topic(self, call: Call, request: eventbus_pb2.TopicRequest) -> bytes:
        topic = self._topic(request.topic_name)
        return eventbus_pb2.TopicInfo(
            topic_name=topic.name,
            tenant_guid=self._tenant(),
            can_publish=topic.can_publish and not call.session.access.read_only,
            can_subscribe=topic.can_subscribe,
            schema_id=topic.schema_id,
            rpc_id=call.rpc_id,
        ).SerializeToString()

    async def _get_schema(self, call: Call, request: eventbus_pb2.SchemaRequest) -> bytes:
        if not request.schema_id.strip():
            raise Refused("schema.validation.failed")
        found = self._log.schema(request.schema_id)
        if found is None:
            raise Refused("schema.meta.permission", schema=request.schema_id)
        return eventbus_pb2.SchemaInfo(
            schema_json=found.decode(), schema_id=request.schema_id, rpc_id=call.rpc_id
        ).SerializeToString()

    def _frames_for(self, session: Session) -> Frames:
        """Everybody's bytes, or those of all who have the same fields hidden from them."""
        access = session.access
        if not access.hidden:
            return self._frames
        frames = self._frames_of.get(access.fingerprint)
        if frames is None:
            log = self._log
            frames = self._frames_of[access.fingerprint] = Frames(
                lambda event: log.form(event.schema_id).avro(log.visible(event, access))
            )
        return frames

    # --- subscribing ---------------------------------------------------------------------------------------------

    def _subscriber(self, call: Call, flow: Flow, context: Context) -> Subscriber:
        """The sending side of a stream of this caller."""
        frames = self._frames_for(call.session)
        return Subscriber(self._server, self._log, frames, flow, call.session, call.rpc_id, context.write)

    async def _subscribe(self, call: Call, requests: Requests, context: Context) -> None:
        clock = self._server.clock
        state = Subscribing(clock.epoch())
        subscriber = self._subscriber(call, state.flow, context)

        async def take(raw: bytes) -> None:
            request = eventbus_pb2.FetchRequest.FromString(raw)
            start = state.request(request, clock.epoch())
            if start is not None:
                subscriber.begin(self._topic(start.topic), start.replay)
            elif request.auth_refresh:
                subscriber.session = caller.refresh(self._server, request.auth_refresh)
                subscriber.wake.set()
            self._server.sessions.touch(subscriber.session)

        with self._listed(subscriber):
            await subscriber.converse(requests, take)

    async def _managed(self, call: Call, requests: Requests, context: Context) -> None:
        state = Managing(self._server.clock.epoch())
        subscriber = self._subscriber(call, state.flow, context)
        stream = ManagedStream(self._server, state, subscriber, self._topic, self._managed_now, call.rpc_id)
        with self._listed(subscriber), closing(stream):
            await subscriber.converse(requests, stream.take)

    # --- publishing ----------------------------------------------------------------------------------------------

    async def _publish(self, call: Call, request: eventbus_pb2.PublishRequest) -> bytes:
        topic = self._topic(Publishing(self._server.clock.epoch()).request(request, self._server.clock.epoch()))
        response = await publish(self._server, call.session, topic, request.events, call.rpc_id)
        return response.SerializeToString()

    async def _publish_stream(self, call: Call, requests: Requests, context: Context) -> None:
        stream = PublishStream(self._server, call.session, call.rpc_id, self._topic)
        with self._listed(stream):
            await stream.converse(requests, context.write)

    @contextmanager
    def _listed(self, stream: Subscriber | PublishStream) -> Iterator[None]:
        self._open_streams.add(stream)
        try:
            yield
        finally:
            self._open_streams.discard(stream)
