"""Publish and PublishStream."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from landbridge.wire.pubsub.session import PUBLISH_IDLE
from tests.pubsub.client import Failure, PubSub, number_of
from tests.support.running import RunningOrg

TOPIC = "/event/Later__e"


@pytest.mark.ledger("pubsub.Publish", "documented", "events.md section 4; Pub/Sub API guide, PublishStream")
def test_what_is_published_is_delivered(pubsub: PubSub, bus: RunningOrg) -> None:
    values = {"Text__c": "Grüße", "Needed__c": "n", "Amount__c": 12.5, "Flag__c": True, "Moment__c": 1_700_000_000_000}
    with pubsub.subscribe(TOPIC, 1) as stream:
        while not any(one._topic for one in tuple(bus.door.pubsub._service._open_streams)):
            time.sleep(0.005)
        given, made = pubsub.produce(TOPIC, values, "mine"), pubsub.produce(TOPIC, {"Needed__c": "m"})

        response = pubsub.publish(TOPIC, given, made)

        assert [result.HasField("error") for result in response.results] == [False, False]
        assert response.results[0].correlation_key == "mine"
        assert len(response.results[1].correlation_key) == 36
        assert response.schema_id == given.schema_id
        (event,) = stream.events(1)
        assert event.replay_id == response.results[0].replay_id
        found = pubsub.decode(event)
        assert {name: found[name] for name in values} == values
        assert found["CreatedDate"] > 1_700_000_000_000
        assert found["CreatedById"].startswith("005")
        assert found["Day__c"] is None


@pytest.mark.ledger("pubsub.publish_results", "documented", "Pub/Sub API guide: each event has a result of its own")
def test_events_of_one_request_fail_one_by_one(pubsub: PubSub) -> None:
    good = pubsub.produce(TOPIC, {"Needed__c": "x"})
    bad = [
        pubsub.pb.ProducerEvent(id="corrupt", schema_id=good.schema_id, payload=b"\xff" * 7),
        pubsub.pb.ProducerEvent(id="cut", schema_id=good.schema_id, payload=good.payload[:-1]),
        pubsub.pb.ProducerEvent(id="behind", schema_id=good.schema_id, payload=good.payload + b"\0"),
        pubsub.pb.ProducerEvent(id="schema", schema_id="x" * 22, payload=good.payload),
        pubsub.pb.ProducerEvent(id="foreign", schema_id=pubsub.topic("/event/Now__e").schema_id, payload=good.payload),
        pubsub.produce(TOPIC, {"Needed__c": "x" * 200}, "field"),
        pubsub.produce(TOPIC, {"Needed__c": "x"}, "i" * 37),
        pubsub.pb.ProducerEvent(
            id="head", schema_id=good.schema_id, payload=good.payload, headers=[pubsub.pb.EventHeader(key="k")]
        ),
        pubsub.pb.ProducerEvent(schema_id="", payload=b""),
    ]

    results = pubsub.publish(TOPIC, good, *bad, good).results

    assert [result.HasField("error") for result in results] == [False] + [True] * len(bad) + [False]
    assert [result.correlation_key for result in results[1:-1]] == [event.id for event in bad]
    assert all(
        result.error.code == pubsub.pb.PUBLISH and result.error.msg and not result.replay_id for result in results[1:-1]
    )
    assert "INVALID_EVENT_INPUT" in results[1].error.msg
    assert number_of(results[-1].replay_id) == number_of(results[0].replay_id) + 1


def test_an_event_over_its_size_fails_alone_and_a_request_over_4_mb_ends_the_call(
    pubsub: PubSub, bus: RunningOrg
) -> None:
    bare = pubsub.produce(TOPIC, {"Needed__c": "x"})
    large = pubsub.produce(TOPIC, {"Needed__c": "x", "Long__c": "y" * 1_100_000})

    results = pubsub.publish(TOPIC, large, bare).results
    with pytest.raises(Failure) as failure:
        pubsub.publish(TOPIC, *[large] * 4)

    assert [result.HasField("error") for result in results] == [True, False]
    assert failure.value.status == "RESOURCE_EXHAUSTED"
    assert bus.data("GET", "/limits").status == 200


@pytest.mark.parametrize(
    ("topic", "events", "code"),
    [
        ("", 1, "publish.topic.validation.empty"),
        (TOPIC, 0, "publish.event.count.invalid"),
        ("/event/None__e", 1, "topic.not.found"),
        ("/data/AccountChangeEvent", 1, "topic.meta.permission"),
    ],
)
def test_requests_that_are_refused_whole(pubsub: PubSub, topic: str, events: int, code: str) -> None:
    event = pubsub.produce(TOPIC, {"Needed__c": "x"})

    with pytest.raises(Failure) as unary:
        pubsub.publish(topic, *[event] * events)
    with pubsub.stream("PublishStream", pubsub.pb.PublishRequest(topic_name=topic, events=[event] * events)) as stream:
        streamed = stream.fails()

    assert unary.value.code == streamed.code == code


@pytest.mark.ledger("pubsub.PublishStream", "documented", "Pub/Sub API guide, PublishStream")
def test_a_stream_answers_each_request_in_order(pubsub: PubSub) -> None:
    events = [pubsub.produce(TOPIC, {"Needed__c": f"n{number}"}, f"id-{number}") for number in range(30)]
    request = pubsub.pb.PublishRequest
    with pubsub.stream("PublishStream", request(topic_name=TOPIC, events=events[:10])) as stream:
        for start in range(10, 30, 2):
            stream.send(request(events=events[start : start + 2]))
        stream.finish()

        responses = stream.ends()

    assert [len(response.results) for response in responses] == [10] + [2] * 10
    keys = [result.correlation_key for response in responses for result in response.results]
    assert keys == [f"id-{number}" for number in range(30)]
    numbers = [number_of(result.replay_id) for response in responses for result in response.results]
    assert numbers == sorted(numbers)


def test_a_stream_keeps_to_its_topic(pubsub: PubSub) -> None:
    event = pubsub.produce(TOPIC, {"Needed__c": "x"})
    with pubsub.stream("PublishStream", pubsub.pb.PublishRequest(topic_name=TOPIC, events=[event])) as stream:
        stream.next()
        stream.send(pubsub.pb.PublishRequest(topic_name="/event/Now__e", events=[event]))

        assert stream.fails().code == "publish.topic.mismatch"


@pytest.mark.ledger(
    "pubsub.publish_sweeper", "documented", "Pub/Sub API guide: a request every 70 seconds (the table of errors: 1,800)"
)
def test_a_silent_publish_stream_is_ended_by_the_orgs_clock(pubsub: PubSub, bus: RunningOrg) -> None:
    event = pubsub.produce(TOPIC, {"Needed__c": "x"})
    with pubsub.stream("PublishStream", pubsub.pb.PublishRequest(topic_name=TOPIC, events=[event])) as stream:
        stream.next()
        bus.jump(timedelta(seconds=PUBLISH_IDLE - 10))
        stream.send(pubsub.pb.PublishRequest(events=[event]))
        stream.next()  # a request in time keeps it
        bus.jump(timedelta(seconds=PUBLISH_IDLE + 1))

        assert stream.fails().code == "publish.stream.sweeper.timeout"


def test_thousands_of_events_in_one_request(pubsub: PubSub) -> None:
    results = pubsub.publish_many(TOPIC, [str(number) for number in range(2_500)])

    numbers = [number_of(result.replay_id) for result in results]
    assert numbers == list(range(numbers[0], numbers[0] + 2_500))
