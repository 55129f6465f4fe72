"""ManagedSubscribe: positions that the server keeps, across streams and restarts; the configuration over the Tooling API."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import quote

import grpc
import pytest

from landbridge.wire.pubsub import replay
from landbridge.wire.pubsub.session import IDLE
from tests.pubsub.client import PubSub, Stream, number_of
from tests.support.running import RunningOrg

TOPIC = "/event/Later__e"
OBJECT = "/tooling/sobjects/ManagedEventSubscription"


@pytest.fixture
def configure(bus: RunningOrg) -> Callable[..., str]:
    def make(name: str, **settings: str) -> str:
        metadata = {"label": name, "topicName": TOPIC, "defaultReplay": "EARLIEST", "state": "RUN", **settings}
        reply = bus.data("POST", OBJECT, {"FullName": name, "Metadata": metadata})
        assert reply.status == 201, reply.raw
        made: str = reply.json["id"]
        return made

    return make


def managed(client: PubSub, number: int = 10, **named: str) -> Stream:
    return client.stream("ManagedSubscribe", client.pb.ManagedFetchRequest(num_requested=number, **named))


def commit(stream: Stream, replay_id: bytes, request_id: str = "c", number: int = 0) -> None:
    pb = stream.client.pb
    stream.send(
        pb.ManagedFetchRequest(
            num_requested=number,
            commit_replay_id_request=pb.CommitReplayRequest(commit_request_id=request_id, replay_id=replay_id),
        )
    )


def answer(stream: Stream) -> Any:
    while True:
        response = stream.next()
        if response.HasField("commit_response"):
            return response.commit_response


def texts(client: PubSub, events: list[Any]) -> list[str]:
    return [client.decode(event)["Needed__c"] for event in events]


@pytest.fixture(autouse=True)
def nothing_left_open(bus: RunningOrg) -> Iterator[None]:
    yield
    service = bus.door.pubsub._service
    for _ in range(2000):
        if not service._open_streams and not service._managed_now:
            return
        time.sleep(0.005)
    raise AssertionError("a stream stayed open")


@pytest.mark.ledger("pubsub.ManagedSubscribe", "documented", "Pub/Sub API guide, managed event subscriptions")
def test_a_subscription_goes_on_after_what_was_committed(pubsub: PubSub, configure: Any) -> None:
    subscription_id = configure("Goes_On")
    made = pubsub.publish_many(TOPIC, [str(n) for n in range(5)])
    first = texts(pubsub, [])
    with managed(pubsub, 100, developer_name="Goes_On") as stream:
        found: list[Any] = []
        while not found or found[-1].replay_id != made[-1].replay_id:
            found += stream.next().events
        commit(stream, made[2].replay_id, "mine")

        said = answer(stream)

        assert (said.commit_request_id, said.replay_id, said.HasField("error")) == ("mine", made[2].replay_id, False)
        assert said.process_time > 1_700_000_000_000
        stream.finish()
    assert first == []
    time.sleep(0.1)
    with managed(pubsub, 2, subscription_id=subscription_id[:15]) as stream:
        assert texts(pubsub, stream.events(2)) == ["3", "4"]


def test_who_commits_nothing_begins_where_it_began(pubsub: PubSub, configure: Any, bus: RunningOrg) -> None:
    configure("Uncommitted", defaultReplay="LATEST")
    seen = []
    with managed(pubsub, 5, developer_name="Uncommitted") as stream:
        while "Uncommitted" not in str(bus.do(lambda: positions(bus))):
            time.sleep(0.01)
        pubsub.publish_many(TOPIC, ["a", "b"])
        seen.append(texts(pubsub, stream.events(2)))
    wait_closed(bus)
    with managed(pubsub, 2, developer_name="Uncommitted") as stream:
        seen.append(texts(pubsub, stream.events(2)))

    assert seen == [["a", "b"]] * 2


async def positions(bus: RunningOrg) -> Any:
    server = bus.door.server
    return server.db.read_now(server.subscriptions.all)


def wait_closed(bus: RunningOrg) -> None:
    while bus.door.pubsub._service._managed_now:
        time.sleep(0.005)


@pytest.mark.ledger(
    "pubsub.managed_commits_compressed", "documented", "events.md section 4: N requests, 1 response with the last id"
)
def test_commits_in_a_row_are_kept_and_the_last_one_is_answered(
    pubsub: PubSub, configure: Any, bus: RunningOrg
) -> None:
    configure("Many_Commits", defaultReplay="LATEST")
    with managed(pubsub, 50, developer_name="Many_Commits") as stream:
        while "Many_Commits" not in str(bus.do(lambda: positions(bus))):
            time.sleep(0.01)
        made = pubsub.publish_many(TOPIC, [str(n) for n in range(50)])
        stream.events(50)
        for number, result in enumerate(made):
            commit(stream, result.replay_id, str(number))
        answers = []
        while not answers or answers[-1].commit_request_id != "49":
            answers.append(answer(stream))

    assert 1 <= len(answers) <= 50
    numbers = [number_of(one.replay_id) for one in answers]
    assert numbers == sorted(numbers)
    assert not any(one.HasField("error") for one in answers)
    (kept,) = [one for one in bus.do(lambda: positions(bus)) if one.name == "Many_Commits"]
    assert (kept.kind, kept.topic, kept.done_to) == ("managed", TOPIC, number_of(made[-1].replay_id))


def test_wrong_commits_are_answered_and_end_nothing(pubsub: PubSub, configure: Any) -> None:
    configure("Wrong_Commits")
    (last,) = pubsub.publish_many(TOPIC, ["last"])
    with managed(pubsub, 1, developer_name="Wrong_Commits") as stream:
        (event,) = stream.events(1)
        for replay_id in (b"", b"abc", last.replay_id, replay.encode(2**40)):
            commit(stream, replay_id)
            said = answer(stream)
            assert said.error.code == pubsub.pb.COMMIT
            assert said.error.msg
            assert said.replay_id == replay_id
        commit(stream, event.replay_id, number=1)
        assert not answer(stream).HasField("error")
        commit(stream, replay.encode(number_of(event.replay_id) - 1))
        assert "older" in answer(stream).error.msg


def test_a_keepalives_replay_id_may_be_committed(pubsub: PubSub, configure: Any, bus: RunningOrg) -> None:
    configure("Quiet", topicName="/event/Now__e", defaultReplay="LATEST")
    with managed(pubsub, 1, developer_name="Quiet") as stream:
        while "Quiet" not in str(bus.do(lambda: positions(bus))):
            time.sleep(0.01)
        (last,) = pubsub.publish_many(TOPIC, ["of another topic"])
        bus.jump(timedelta(seconds=IDLE + 1))
        response = stream.next()
        assert response.latest_replay_id == last.replay_id
        commit(stream, response.latest_replay_id)

        assert not answer(stream).HasField("error")


def test_one_consumer_at_a_time(pubsub: PubSub, configure: Any, bus: RunningOrg) -> None:
    configure("Only_One")
    with managed(pubsub, 1, developer_name="Only_One") as stream:
        stream.events(1)
        with managed(pubsub, 1, developer_name="Only_One") as second:
            assert second.fails().code == "managed.subscription.already.active"
    wait_closed(bus)
    with managed(pubsub, 1, developer_name="Only_One") as third:
        third.events(1)


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"developer_name": "Nobody"}, "developer.name.not.found"),
        ({"subscription_id": "18xLb0000000ZZZ"}, "subscription.id.not.found"),
        ({"subscription_id": "18x"}, "subscription.id.invalid"),
        ({}, "id.or.developer.name.empty"),
    ],
)
def test_subscriptions_that_are_none(pubsub: PubSub, asked: dict[str, str], code: str) -> None:
    with managed(pubsub, 1, **asked) as stream:
        assert stream.fails().code == f"managed.subscription.{code}"


@pytest.mark.ledger("pubsub.managed_config", "documented", "events.md section 4, table of error codes")
def test_a_subscription_that_is_stopped_or_deleted(pubsub: PubSub, configure: Any, bus: RunningOrg) -> None:
    subscription_id = configure("Comes_And_Goes")
    with managed(pubsub, 100, developer_name="Comes_And_Goes") as stream:
        stream.next()
        assert bus.data("PATCH", f"{OBJECT}/{subscription_id}", {"Metadata": {"state": "STOP"}}).status == 204
        assert stream.fails().code == "managed.subscription.config.stopped"
    with managed(pubsub, 1, developer_name="Comes_And_Goes") as stream:
        assert stream.fails().code == "managed.subscription.config.stopped"
    bus.data("PATCH", f"{OBJECT}/{subscription_id}", {"Metadata": {"state": "RUN"}})
    with managed(pubsub, 100, developer_name="Comes_And_Goes") as stream:
        stream.next()
        assert bus.data("DELETE", f"{OBJECT}/{subscription_id}").status == 204
        assert stream.fails().code == "managed.subscription.config.deleted"
    assert "Comes_And_Goes" not in str(bus.do(lambda: positions(bus)))


@pytest.mark.ledger(
    "route.POST /services/data/{version}/tooling/sobjects/ManagedEventSubscription",
    "documented",
    "metadata.md sections 3 and 4",
)
@pytest.mark.ledger(
    "route.GET /services/data/{version}/tooling/sobjects/ManagedEventSubscription/{id}",
    "documented",
    "metadata.md sections 3 and 4",
)
@pytest.mark.ledger(
    "route.PATCH /services/data/{version}/tooling/sobjects/ManagedEventSubscription/{id}",
    "documented",
    "metadata.md sections 3 and 4",
)
@pytest.mark.ledger(
    "route.DELETE /services/data/{version}/tooling/sobjects/ManagedEventSubscription/{id}",
    "documented",
    "metadata.md sections 3 and 4",
)
@pytest.mark.ledger(
    "tooling.managed", "documented", "Tooling API, ManagedEventSubscription; salesforce-pubsub-api-client's query"
)
def test_the_configuration_over_the_tooling_api(bus: RunningOrg, configure: Any) -> None:
    made = configure("Configured", errorRecoveryReplay="EARLIEST")

    where = quote(
        "SELECT Id, DeveloperName, Metadata FROM ManagedEventSubscription WHERE DeveloperName='Configured' LIMIT 1"
    )
    found = bus.data("GET", f"/tooling/query/?q={where}").json
    read = bus.data("GET", f"{OBJECT}/{made}").json

    metadata = {
        "label": "Configured",
        "topicName": TOPIC,
        "defaultReplay": "EARLIEST",
        "errorRecoveryReplay": "EARLIEST",
        "state": "RUN",
    }
    assert (found["size"], found["records"][0]["Id"], found["records"][0]["Metadata"]) == (1, made, metadata)
    assert (read["FullName"], read["Metadata"]) == ("Configured", metadata)
    assert made.startswith("18x")


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"Metadata": {"topicName": TOPIC}}, "REQUIRED_FIELD_MISSING"),
        ({"FullName": "X", "Metadata": {}}, "REQUIRED_FIELD_MISSING"),
        ({"FullName": "9 lives", "Metadata": {"topicName": TOPIC}}, "FIELD_INTEGRITY_EXCEPTION"),
        ({"FullName": "X", "Metadata": {"topicName": TOPIC, "state": "GO"}}, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"),
        ({"FullName": "X", "Metadata": {"topicName": TOPIC, "other": "x"}}, "FIELD_INTEGRITY_EXCEPTION"),
        ({"FullName": "X", "Metadata": {"topicName": 7}}, "REQUIRED_FIELD_MISSING"),
        ({"FullName": "X", "Metadata": []}, "JSON_PARSER_ERROR"),
    ],
)
def test_configurations_that_are_refused(bus: RunningOrg, given: dict[str, Any], code: str) -> None:
    reply = bus.data("POST", OBJECT, given)

    assert (reply.status, reply.error) == (400, code)


def test_a_name_is_taken_once_and_readers_configure_nothing(bus: RunningOrg, configure: Any) -> None:
    configure("Taken")

    again = bus.data("POST", OBJECT, {"FullName": "taken", "Metadata": {"topicName": TOPIC}})
    denied = bus.data(
        "POST", OBJECT, {"FullName": "Other", "Metadata": {"topicName": TOPIC}}, token=bus.integration_token()
    )
    unknown = bus.data("GET", f"{OBJECT}/18xLb0000000ZZZ")

    assert (again.error, denied.error, unknown.error) == (
        "DUPLICATE_VALUE",
        "INSUFFICIENT_ACCESS_OR_READONLY",
        "NOT_FOUND",
    )


SUBSCRIPTION = """<?xml version="1.0" encoding="UTF-8"?>
<ManagedEventSubscription xmlns="http://soap.sforce.com/2006/04/metadata">
    <defaultReplay>EARLIEST</defaultReplay><errorRecoveryReplay>LATEST</errorRecoveryReplay>
    <label>From source</label><state>RUN</state><topicName>/event/Later__e</topicName><version>67.0</version>
</ManagedEventSubscription>"""


def test_a_subscription_from_source_keeps_its_position_across_restarts(
    stubs: tuple[ModuleType, ModuleType], home: Path, source: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "more" / "managedEventSubscriptions"
    folder.mkdir(parents=True)
    (folder / "From_Source.managedEventSubscription-meta.xml").write_text(SUBSCRIPTION)
    settings: dict[str, Any] = {"home": home, "data": tmp_path / "org", "source": (source, tmp_path / "more")}
    seen: list[str] = []
    for run in range(3):
        with RunningOrg(**settings) as org, grpc.insecure_channel(org.ready["pubsub"]) as channel:
            client = PubSub(stubs, channel, org.ready)
            client.publish_many(TOPIC, [f"{run}-{n}" for n in range(4)])
            with managed(client, 4, developer_name="From_Source") as stream:
                events = stream.events(4)
                seen += texts(client, events)
                commit(stream, events[-1].replay_id)
                assert not answer(stream).HasField("error")

    assert seen == [f"{run}-{n}" for run in range(3) for n in range(4)]
