"""What has an end: retention, the hour's allocation; staged failures; bytes that are no message."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import grpc
import pytest

from landbridge.events import Retention
from landbridge.faults.switchboard import Strike, Switch
from landbridge.wire.pubsub.refusal import Refused
from tests.pubsub.client import Failure, PubSub
from tests.support.running import RunningOrg

TOPIC = "/event/Later__e"


@pytest.fixture
def org(home: Path, source: Path) -> Iterator[RunningOrg]:
    with RunningOrg(
        home=home, source=(source,), access_token="00D-preshared!for-ever", hourly_published_events=50
    ) as org:
        yield org


@pytest.fixture
def client(stubs: tuple[ModuleType, ModuleType], org: RunningOrg) -> Iterator[PubSub]:
    with grpc.insecure_channel(org.ready["pubsub"]) as channel:
        yield PubSub(stubs, channel, org.ready)


def expire(org: RunningOrg) -> None:
    """Let 73 hours go by, and retention look."""
    server = org.door.server
    server.clock.jump(timedelta(hours=73))
    org.do(Retention(server.db, server.events, server.clock).sweep)


@pytest.mark.ledger(
    "pubsub.retention", "documented", "events.md section 4: one code for invalid and expired replay ids"
)
def test_a_replay_id_outside_retention_is_refused_and_the_earliest_goes_on(client: PubSub, org: RunningOrg) -> None:
    old = client.publish_many(TOPIC, ["1", "2", "3"])
    expire(org)
    client.publish_many(TOPIC, ["4"])

    with client.subscribe(TOPIC, 1, replay_preset=client.pb.CUSTOM, replay_id=old[0].replay_id) as stream:
        failure = stream.fails()
    with client.subscribe(TOPIC, 1, replay_preset=client.pb.CUSTOM, replay_id=old[2].replay_id) as last:
        after_last = last.events(1)
    with client.subscribe(TOPIC, 1, replay_preset=client.pb.EARLIEST) as earliest:
        from_earliest = earliest.events(1)

    assert (failure.code, failure.status) == ("subscription.fetch.replayid.corrupted", "INVALID_ARGUMENT")
    assert client.decode(after_last[0])["Needed__c"] == "4"  # nothing was missed after the last that was trimmed
    assert client.decode(from_earliest[0])["Needed__c"] == "4"


@pytest.mark.parametrize(("recovery", "text"), [("EARLIEST", "kept"), ("LATEST", "new")])
@pytest.mark.ledger("pubsub.managed_recovery", "documented", "Pub/Sub API guide: errorRecoveryReplay")
def test_a_managed_subscription_whose_place_was_trimmed_recovers_as_configured(
    client: PubSub, org: RunningOrg, recovery: str, text: str
) -> None:
    metadata = {
        "label": "R",
        "topicName": TOPIC,
        "defaultReplay": "EARLIEST",
        "errorRecoveryReplay": recovery,
        "state": "RUN",
    }
    made = org.data("POST", "/tooling/sobjects/ManagedEventSubscription", {"FullName": "R", "Metadata": metadata})
    assert made.status == 201
    pb = client.pb
    client.publish_many(TOPIC, ["1", "2", "3"])
    with client.stream("ManagedSubscribe", pb.ManagedFetchRequest(developer_name="R", num_requested=1)) as stream:
        (event,) = stream.events(1)
        commit = pb.CommitReplayRequest(commit_request_id="c", replay_id=event.replay_id)
        stream.send(pb.ManagedFetchRequest(commit_replay_id_request=commit))
        while not stream.next().HasField("commit_response"):
            pass
    service = org.door.pubsub._service
    while service._managed_now:
        org.do(service_turn)
    expire(org)
    client.publish_many(TOPIC, ["kept"])

    with client.stream("ManagedSubscribe", pb.ManagedFetchRequest(developer_name="R", num_requested=1)) as stream:
        while not any(one._topic for one in tuple(service._open_streams)):
            org.do(service_turn)
        client.publish_many(TOPIC, ["new"])
        (event,) = stream.events(1)

    assert client.decode(event)["Needed__c"] == text


async def service_turn() -> None:
    """A turn of the org's loop."""


def test_what_goes_over_the_hours_allocation_fails_alone(client: PubSub) -> None:
    results = client.publish_many(TOPIC, [str(number) for number in range(60)])

    failed = [result for result in results if result.HasField("error")]
    assert len(failed) == 10
    assert all(result.error.msg.startswith("LIMIT_EXCEEDED") and not result.replay_id for result in failed)
    assert [result.HasField("error") for result in results] == [False] * 50 + [True] * 10


# --- staged failures ---------------------------------------------------------------------------------------------------


def test_a_staged_failure_strikes_a_call_and_a_response(client: PubSub, org: RunningOrg) -> None:
    switchboard = org.door.server.switchboard
    client.publish_many(TOPIC, ["1"])

    off = switchboard.on(Switch("pubsub.call", Strike(Refused("service.unavailable"))))
    with pytest.raises(Failure) as called:
        client.topic(TOPIC)
    off()
    off = switchboard.on(Switch("pubsub.response", Strike(Refused("subscription.limit.exceeded"))))
    with client.subscribe(TOPIC, 1, replay_preset=client.pb.EARLIEST) as stream:
        responded = stream.fails()
    off()

    assert (called.value.code, called.value.status) == ("service.unavailable", "UNAVAILABLE")
    assert (responded.code, responded.status) == ("subscription.limit.exceeded", "RESOURCE_EXHAUSTED")
    assert client.topic(TOPIC).topic_name == TOPIC


def test_an_org_that_stops_says_so_to_its_streams(
    stubs: tuple[ModuleType, ModuleType], home: Path, source: Path
) -> None:
    with RunningOrg(home=home, source=(source,)) as org:
        channel = grpc.insecure_channel(org.ready["pubsub"])
        client = PubSub(stubs, channel, org.ready)
        subscribing = client.subscribe(TOPIC, 1)
        event = client.produce(TOPIC, {"Needed__c": "x"})
        publishing = client.stream("PublishStream", client.pb.PublishRequest(topic_name=TOPIC, events=[event]))
        publishing.next()

    assert subscribing.fails().code == "service.unavailable"
    assert publishing.fails().code == "service.unavailable"
    channel.close()


# --- bytes that are no message -----------------------------------------------------------------------------------------


def test_bytes_that_are_no_message_are_the_callers_fault(
    client: PubSub, org: RunningOrg, caplog: pytest.LogCaptureFixture
) -> None:
    with grpc.insecure_channel(org.ready["pubsub"]) as channel, caplog.at_level(logging.ERROR):
        found: list[Any] = []
        for method in ("GetTopic", "GetSchema", "Publish"):
            with pytest.raises(grpc.RpcError) as unary:
                channel.unary_unary(f"/eventbus.v1.PubSub/{method}")(b"\xff\xff", metadata=client.metadata, timeout=30)
            found.append(unary.value)
        for method in ("Subscribe", "ManagedSubscribe", "PublishStream"):
            call = channel.stream_stream(f"/eventbus.v1.PubSub/{method}")
            with pytest.raises(grpc.RpcError) as streamed:
                list(call(iter([b"\xff\xff"]), metadata=client.metadata, timeout=30))
            found.append(streamed.value)

    assert {error.code() for error in found} == {grpc.StatusCode.INVALID_ARGUMENT}
    assert all("rpcId: " in error.details() for error in found)
    assert caplog.records == []
