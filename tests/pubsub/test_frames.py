"""Responses written by hand, read by protobuf."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from landbridge.wire.pubsub import frames, replay
from landbridge.wire.pubsub.eventbus_pb2 import ConsumerEvent, FetchResponse, ProducerEvent
from landbridge.wire.pubsub.frames import Frames


@dataclass(frozen=True)
class Entry:
    replay_id: int
    uuid: str
    schema_id: str
    payload: bytes


@dataclass(frozen=True)
class Topic:
    plain: bool
    name: str = "/event/Order__e"


entries = st.builds(
    Entry, st.integers(1, 2**63 - 1), st.text(max_size=40), st.text(max_size=25), st.binary(max_size=300)
)
numbers = st.integers(0, 2**31 - 1)


@given(st.lists(entries, max_size=5), st.integers(0, 2**63 - 1), st.text(max_size=40), numbers)
def test_a_response_reads_as_what_went_in(given: list[Entry], latest: int, rpc_id: str, pending: int) -> None:
    parts = [frames.consumer_event(entry, entry.payload) for entry in given]

    read = FetchResponse.FromString(b"".join(parts) + frames.tail(latest, frames.field(3, rpc_id.encode()), pending))

    assert read == FetchResponse(
        events=[
            ConsumerEvent(
                event=ProducerEvent(id=entry.uuid, schema_id=entry.schema_id, payload=entry.payload),
                replay_id=replay.encode(entry.replay_id),
            )
            for entry in given
        ],
        latest_replay_id=replay.encode(latest),
        rpc_id=rpc_id,
        pending_num_requested=pending,
    )


def entry(number: int, size: int = 10) -> Entry:
    return Entry(number, f"uuid-{number}", "schema", bytes(size))


def test_an_event_is_encoded_once() -> None:
    made: list[int] = []

    def payload(given: Entry) -> bytes:
        made.append(given.replay_id)
        return given.payload

    kept = Frames(payload)
    for topic in (Topic(plain=True), Topic(plain=True), Topic(plain=False)):
        kept.body(topic, [entry(1), entry(2)])

    assert made == [1, 2]


def test_the_bytes_kept_are_bounded() -> None:
    kept = Frames(lambda given: given.payload, kept=10_000)
    for number in range(1, 1_000):
        kept.of(entry(number, 500))

    assert len(kept._frames) < 20
    assert kept._size <= 10_000


def test_an_event_larger_than_what_is_kept_goes_out_all_the_same() -> None:
    kept = Frames(lambda given: given.payload, kept=100)

    assert len(kept.of(entry(1, 5_000))) > 5_000
    assert kept._size == 0


def test_a_response_stays_below_what_clients_take() -> None:
    kept = Frames(lambda given: given.payload)
    large = [entry(number, 900_000) for number in range(1, 6)]

    assert kept.body(Topic(plain=True), large)[1] == 3
    assert kept.body(Topic(plain=True), [entry(9, 4_000_000)])[1] == 1


def test_bodies_of_one_topic_are_shared_and_those_of_filtered_views_are_not() -> None:
    kept = Frames(lambda given: given.payload)
    plain, filtered = Topic(plain=True), Topic(plain=False)

    assert kept.body(plain, [entry(1), entry(2)])[0] is kept.body(plain, [entry(1), entry(2)])[0]
    assert kept.body(filtered, [entry(1), entry(3)])[0] != kept.body(filtered, [entry(1), entry(2)])[0]
    for number in range(1, 100):
        kept.body(plain, [entry(number, 1_000_000)])
    assert kept._bodies_size == sum(len(body) for body, _ in kept._bodies.values()) <= frames.BODIES
