"""A Pub/Sub client as a user writes one: grpcio with stubs made from our .proto, fastavro for payloads."""

from __future__ import annotations

import io
import json
import queue
from types import ModuleType
from typing import Any

import fastavro
import grpc

TIMEOUT = 30.0
"""Seconds after which a test fails instead of hanging."""


class Failure(Exception):
    """The status of a call that was refused."""

    def __init__(self, error: grpc.RpcError) -> None:
        super().__init__(error.details())  # type: ignore[attr-defined]
        self.status: str = error.code().name  # type: ignore[attr-defined]
        self.details: str = error.details()  # type: ignore[attr-defined]
        trailers = dict(error.trailing_metadata() or ())  # type: ignore[attr-defined]
        self.code = str(trailers.get("error-code", "")).removeprefix("sfdc.platform.eventbus.grpc.")
        self.rpc_id = trailers.get("rpc-id")


class PubSub:
    """The calls of one client on one channel. `pb` are its own messages."""

    def __init__(
        self, stubs: tuple[ModuleType, ModuleType], channel: grpc.Channel, ready: dict[str, Any], **metadata: str
    ) -> None:
        self.pb, service = stubs
        self.stub = service.PubSubStub(channel)
        given = {"accesstoken": ready["access_token"], "instanceurl": ready["url"], "tenantid": ready["org_id"]}
        self.metadata = tuple({**given, **metadata}.items())
        self._schemas: dict[str, Any] = {}

    def call(self, method: str, request: Any) -> Any:
        try:
            return getattr(self.stub, method)(request, metadata=self.metadata, timeout=TIMEOUT)
        except grpc.RpcError as error:
            raise Failure(error) from None

    def topic(self, name: str) -> Any:
        return self.call("GetTopic", self.pb.TopicRequest(topic_name=name))

    def schema(self, schema_id: str) -> Any:
        if schema_id not in self._schemas:
            found = self.call("GetSchema", self.pb.SchemaRequest(schema_id=schema_id))
            assert found.schema_id == schema_id
            self._schemas[schema_id] = fastavro.parse_schema(json.loads(found.schema_json))
        return self._schemas[schema_id]

    def decode(self, event: Any) -> dict[str, Any]:
        found: dict[str, Any] = fastavro.schemaless_reader(
            io.BytesIO(event.event.payload), self.schema(event.event.schema_id), None
        )
        return found

    def produce(self, topic: str, values: dict[str, Any], event_id: str = "") -> Any:
        """A ProducerEvent of a topic's newest schema."""
        schema_id = self.topic(topic).schema_id
        out = io.BytesIO()
        whole = {"CreatedDate": 0, "CreatedById": "005000000000000AAA", **values}
        fastavro.schemaless_writer(out, self.schema(schema_id), whole)
        return self.pb.ProducerEvent(id=event_id, schema_id=schema_id, payload=out.getvalue())

    def publish(self, topic: str, *events: Any) -> Any:
        return self.call("Publish", self.pb.PublishRequest(topic_name=topic, events=events))

    def publish_many(self, topic: str, texts: list[str]) -> list[Any]:
        """Publish events with only `Needed__c`; their results."""
        one = self.produce(topic, {"Needed__c": "x"})
        schema = self.schema(one.schema_id)
        events = []
        for text in texts:
            out = io.BytesIO()
            fastavro.schemaless_writer(
                out, schema, {"CreatedDate": 0, "CreatedById": "005000000000000AAA", "Needed__c": text}
            )
            events.append(self.pb.ProducerEvent(schema_id=one.schema_id, payload=out.getvalue()))
        return list(self.publish(topic, *events).results)

    def stream(self, method: str, *first: Any) -> Stream:
        return Stream(self, method, first)

    def subscribe(self, topic: str, number: int = 100, **start: Any) -> Stream:
        return self.stream("Subscribe", self.pb.FetchRequest(topic_name=topic, num_requested=number, **start))


class Stream:
    """A stream in both directions; `next` waits for a response."""

    def __init__(self, client: PubSub, method: str, first: tuple[Any, ...]) -> None:
        self.client = client
        self._requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for request in first:
            self._requests.put(request)
        self._call = getattr(client.stub, method)(
            iter(self._requests.get, None), metadata=client.metadata, timeout=TIMEOUT
        )

    def send(self, request: Any) -> None:
        self._requests.put(request)

    def ask(self, number: int, **more: Any) -> None:
        self.send(self.client.pb.FetchRequest(num_requested=number, **more))

    def finish(self) -> None:
        """No more requests."""
        self._requests.put(None)

    def next(self) -> Any:
        """The next response. Raises Failure, and StopIteration when the stream has ended well."""
        try:
            return next(self._call)
        except grpc.RpcError as error:
            raise Failure(error) from None

    def events(self, number: int) -> list[Any]:
        """So many events, from as many responses as it takes; empty ones are passed over."""
        found: list[Any] = []
        while len(found) < number:
            found += self.next().events
        assert len(found) == number
        return found

    def fails(self) -> Failure:
        """The status that the stream must end with, whatever comes before."""
        try:
            while True:
                self.next()
        except Failure as failure:
            return failure
        except StopIteration:
            raise AssertionError("the stream ended well") from None

    def ends(self) -> list[Any]:
        """The responses until the stream ends well."""
        found = []
        try:
            while True:
                found.append(self.next())
        except StopIteration:
            return found

    def close(self) -> None:
        self._call.cancel()
        self._requests.put(None)

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def number_of(replay_id: bytes) -> int:
    assert len(replay_id) == 8
    return int.from_bytes(replay_id, "big")
