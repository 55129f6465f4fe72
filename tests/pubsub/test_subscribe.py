"""Subscribe over a real socket: flow control, presets, keep-alives, ends."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from types import ModuleType
from typing import Any

import grpc
import pytest

from landbridge.wire.pubsub import replay
from landbridge.wire.pubsub.session import IDLE, KEEPALIVE
from tests.pubsub.client import PubSub, number_of
from tests.support.running import RunningOrg

TOPIC = "/event/Later__e"


@pytest.fixture(scope="module")
def published(stubs: tuple[ModuleType, ModuleType], channel: grpc.Channel, bus: RunningOrg) -> list[int]:
    """The replay ids of 250 events, `0` to `249`."""
    client = PubSub(stubs, channel, bus.ready)
    return [number_of(result.replay_id) for result in client.publish_many(TOPIC, [str(n) for n in range(250)])]


@pytest.fixture
def texts(pubsub: PubSub) -> Callable[[list[Any]], list[str]]:
    return lambda events: [pubsub.decode(event)["Needed__c"] for event in events]


def wait_for(condition: Callable[[], bool]) -> None:
    for _ in range(2000):
        if condition():
            return
        time.sleep(0.005)
    raise AssertionError("it never came")


def open_streams(bus: RunningOrg) -> int:
    return len(bus.door.pubsub._service._open_streams)


def subscribed(bus: RunningOrg, number: int = 1) -> None:
    """Wait until so many streams have a place in the log: what is published from now on is theirs."""
    streams = bus.door.pubsub._service._open_streams
    wait_for(lambda: sum(stream._topic is not None for stream in tuple(streams)) == number)


@pytest.fixture(autouse=True)
def nothing_left_open(bus: RunningOrg) -> Iterator[None]:
    yield
    wait_for(lambda: open_streams(bus) == 0)


@pytest.mark.ledger("pubsub.Subscribe", "documented", "events.md section 4: never more than asked for, requests add up")
def test_never_more_than_asked_and_requests_add_up(pubsub: PubSub, published: list[int], texts: Any) -> None:
    with pubsub.subscribe(
        TOPIC, 3, replay_preset=pubsub.pb.CUSTOM, replay_id=replay.encode(published[0] - 1)
    ) as stream:
        first = stream.next()
        assert texts(first.events) == ["0", "1", "2"]
        assert first.pending_num_requested == 0
        assert number_of(first.latest_replay_id) == published[2]

        stream.ask(2)
        stream.ask(5)

        assert texts(stream.events(7)) == [str(n) for n in range(3, 10)]
        stream.finish()
        assert stream.ends() == []


@pytest.mark.parametrize("asked", [100, 101, 1_000_000, 2**31 - 1])
def test_a_hundred_at_a_time(pubsub: PubSub, published: list[int], asked: int) -> None:
    with pubsub.subscribe(TOPIC, asked, replay_preset=pubsub.pb.EARLIEST) as stream:
        stream.finish()

        assert sum(len(response.events) for response in stream.ends()) == 100


@pytest.mark.parametrize("asked", [0, -1, -(2**31)])
def test_a_request_for_nothing(pubsub: PubSub, asked: int) -> None:
    with pubsub.subscribe(TOPIC, asked) as stream:
        failure = stream.fails()

    assert (failure.code, failure.status) == ("subscription.fetch.requested.events.invalid", "INVALID_ARGUMENT")


def test_new_events_alone_without_a_preset(pubsub: PubSub, bus: RunningOrg, published: list[int], texts: Any) -> None:
    with pubsub.subscribe(TOPIC, 10) as stream:
        subscribed(bus)
        pubsub.publish_many(TOPIC, ["new"])

        assert texts(stream.events(1)) == ["new"]


def test_everything_kept_from_the_earliest(pubsub: PubSub, published: list[int], texts: Any) -> None:
    with pubsub.subscribe(TOPIC, 100, replay_preset=pubsub.pb.EARLIEST) as stream:
        found: list[Any] = []
        while len(found) < 250:
            found += stream.next().events
            stream.ask(min(100, max(1, 250 - len(found))))

        assert texts(found[:250]) == [str(n) for n in range(250)]
        numbers = [number_of(event.replay_id) for event in found]
        assert numbers == sorted(set(numbers))


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"replay_id": replay.encode(2**40)}, "replayid.corrupted"),  # of another org, or not yet given out
        ({"replay_id": b"\xff" * 8}, "replayid.corrupted"),
        ({"replay_id": b"1234"}, "replayid.corrupted"),
        ({}, "replayid.validation.failed"),
    ],
)
@pytest.mark.ledger("pubsub.replay_id_errors", "documented", "events.md section 4: an error, never another place")
def test_replay_ids_that_are_none(pubsub: PubSub, published: list[int], given: dict[str, bytes], code: str) -> None:
    with pubsub.subscribe(TOPIC, 1, replay_preset=pubsub.pb.CUSTOM, **given) as stream:
        failure = stream.fails()

    assert (failure.code, failure.status) == (f"subscription.fetch.{code}", "INVALID_ARGUMENT")


@pytest.mark.parametrize(
    ("topic", "code"),
    [
        ("", "topic.validation.empty"),
        ("/event/None__e", "topic.not.found"),
        ("/data/CaseChangeEvent", "topic.not.found"),
    ],
)
def test_topics_that_are_none(pubsub: PubSub, topic: str, code: str) -> None:
    with pubsub.subscribe(topic) as stream:
        assert stream.fails().code == code


def test_a_second_request_for_another_topic_ends_the_stream(pubsub: PubSub) -> None:
    with pubsub.subscribe(TOPIC) as stream:
        stream.ask(1, topic_name="/event/Now__e")

        failure = stream.fails()

    assert (failure.code, failure.status) == ("subscription.fetch.topic.mismatch", "INVALID_ARGUMENT")


def test_who_asks_and_asks_overflows(pubsub: PubSub) -> None:
    with pubsub.subscribe("/event/Now__e", 100) as stream:
        for _ in range(150):
            stream.ask(100)

        assert stream.fails().code == "subscription.fetch.overflow"


@pytest.mark.ledger(
    "pubsub.keepalive", "observed", "forcedotcom/pub-sub-api, pull 31: after about 60 s; promised within 270 s"
)
def test_a_quiet_topic_sends_keepalives_with_the_latest_replay_id(
    pubsub: PubSub, bus: RunningOrg, published: list[int]
) -> None:
    with pubsub.subscribe("/event/Now__e", 7) as stream:
        subscribed(bus)
        (last,) = pubsub.publish_many(TOPIC, ["of another topic"])
        for _ in range(3):
            bus.jump(timedelta(seconds=KEEPALIVE + 1))

            response = stream.next()

            assert (len(response.events), response.pending_num_requested) == (0, 7)
            assert response.latest_replay_id == last.replay_id
            assert response.rpc_id
        # what a keep-alive said is a place to start from
        with pubsub.subscribe(TOPIC, 1, replay_preset=pubsub.pb.CUSTOM, replay_id=response.latest_replay_id) as second:
            subscribed(bus, 2)
            pubsub.publish_many(TOPIC, ["after"])
            assert pubsub.decode(second.events(1)[0])["Needed__c"] == "after"


@pytest.mark.ledger(
    "pubsub.idle", "documented", "Pub/Sub API guide, Subscribe: 60 s to ask again; how it ends is guessed"
)
def test_who_has_everything_and_asks_no_more_is_let_go(pubsub: PubSub, bus: RunningOrg, published: list[int]) -> None:
    with pubsub.subscribe(TOPIC, 2, replay_preset=pubsub.pb.EARLIEST) as stream:
        stream.events(2)
        bus.jump(timedelta(seconds=IDLE - 5))
        stream.ask(1)
        stream.events(1)
        bus.jump(timedelta(seconds=IDLE + 1))

        assert stream.ends() == []


def test_a_stream_without_a_request_is_let_go(pubsub: PubSub, bus: RunningOrg) -> None:
    with pubsub.stream("Subscribe") as stream:
        wait_for(lambda: open_streams(bus) == 1)
        bus.jump(timedelta(seconds=IDLE + 1))

        assert stream.ends() == []


# --- sessions that end ------------------------------------------------------------------------------------------------


@pytest.fixture
def guest(stubs: tuple[ModuleType, ModuleType], channel: grpc.Channel, bus: RunningOrg) -> PubSub:
    return PubSub(stubs, channel, bus.ready, accesstoken=bus.integration_token())


@pytest.mark.ledger("pubsub.session_ends", "documented", "events.md section 4: service.auth.error")
def test_a_token_revoked_in_mid_stream_ends_it(guest: PubSub, bus: RunningOrg) -> None:
    with guest.subscribe(TOPIC) as stream:
        wait_for(lambda: open_streams(bus) == 1)
        token = dict(guest.metadata)["accesstoken"]
        assert bus.request("POST", "/services/oauth2/revoke", f"token={token}".encode(), token=None, headers={
            "Content-Type": "application/x-www-form-urlencoded"}).status == 200  # fmt: skip

        failure = stream.fails()

    assert (failure.code, failure.status) == ("service.auth.error", "UNAUTHENTICATED")


def test_a_session_that_expires_in_mid_stream_ends_it(guest: PubSub, bus: RunningOrg) -> None:
    with guest.subscribe(TOPIC) as stream:
        wait_for(lambda: open_streams(bus) == 1)
        bus.jump(timedelta(seconds=bus.settings.session_timeout + 1))

        assert stream.fails().code == "service.auth.error"


def test_a_request_that_comes_after_the_end_of_its_session_does_not_revive_it(guest: PubSub, bus: RunningOrg) -> None:
    async def late() -> tuple[list[bytes], str]:
        """The session's end and the next request in one turn of the loop: the stream has had no look at the clock between."""
        (subscriber,) = bus.door.pubsub._service._open_streams
        bus.door.server.clock.jump(timedelta(seconds=bus.settings.session_timeout + 1))
        taken: list[bytes] = []

        async def requests() -> AsyncIterator[bytes]:
            yield b""

        async def take(raw: bytes) -> None:
            taken.append(raw)

        await subscriber._read(requests(), take)
        return taken, str(subscriber.failed)

    with guest.subscribe(TOPIC) as stream:
        wait_for(lambda: open_streams(bus) == 1)
        taken, failed = bus.do(late)

        assert taken == []
        assert "session is invalid or has expired" in failed
        assert stream.fails().code == "service.auth.error"


def test_a_new_token_keeps_a_stream_alive_and_a_wrong_one_ends_it(
    guest: PubSub, bus: RunningOrg, published: list[int]
) -> None:
    with guest.subscribe(TOPIC, 1, replay_preset=guest.pb.EARLIEST) as stream:
        stream.events(1)
        stream.ask(0, auth_refresh=bus.integration_token())
        stream.ask(1)
        stream.events(1)
        stream.ask(1, auth_refresh="nobody's")

        failure = stream.fails()

    assert (failure.code, failure.status) == ("service.auth.refresh.invalid", "UNAUTHENTICATED")


# --- clients that misbehave --------------------------------------------------------------------------------------------


def test_a_subscriber_that_stops_reading_holds_up_nobody(pubsub: PubSub, bus: RunningOrg, published: list[int]) -> None:
    large = pubsub.produce(TOPIC, {"Needed__c": "large", "Long__c": "x" * 100_000})
    with pubsub.subscribe(TOPIC, 100) as idle, pubsub.subscribe(TOPIC, 100) as brisk:
        subscribed(bus, 2)
        for _ in range(4):  # 12 MB for one that takes none of it
            pubsub.publish(TOPIC, *[large] * 30)
            found = 0
            while found < 30:
                found += len(brisk.next().events)
            brisk.ask(30)

        service = bus.door.pubsub._service
        assert service._frames._size <= 40 * 1024 * 1024
        assert bus.data("GET", "/limits").status == 200
        assert len(idle.next().events) > 0  # and it may go on where it was


def test_a_subscriber_that_vanishes_is_forgotten(
    stubs: tuple[ModuleType, ModuleType], bus: RunningOrg, pubsub: PubSub
) -> None:
    channel = grpc.insecure_channel(bus.ready["pubsub"], options=(("grpc.use_local_subchannel_pool", 1),))
    stream = PubSub(stubs, channel, bus.ready).subscribe(TOPIC)
    wait_for(lambda: open_streams(bus) == 1)

    channel.close()

    wait_for(lambda: open_streams(bus) == 0)
    assert stream.client is not pubsub
    pubsub.publish_many(TOPIC, ["for nobody"])


def test_one_event_at_a_time_in_order_while_others_run_ahead(pubsub: PubSub, bus: RunningOrg) -> None:
    start = replay.encode(bus.do(lambda: tip(bus)))
    seen: dict[str, list[int]] = {"slow": [], "fast": []}

    def follow(name: str, step: int) -> None:
        with pubsub.subscribe(TOPIC, step, replay_preset=pubsub.pb.CUSTOM, replay_id=start) as stream:
            while len(seen[name]) < 60:
                found = stream.next().events
                seen[name] += [number_of(event.replay_id) for event in found]
                if found:
                    stream.ask(len(found))

    followers = [threading.Thread(target=follow, args=args) for args in (("slow", 1), ("fast", 60))]
    for follower in followers:
        follower.start()
    made = [number_of(result.replay_id) for n in range(6) for result in pubsub.publish_many(TOPIC, [str(n)] * 10)]
    for follower in followers:
        follower.join(30)

    assert seen["slow"][:60] == seen["fast"][:60] == made


async def tip(bus: RunningOrg) -> int:
    return bus.door.server.events.tip()


# --- change events -----------------------------------------------------------------------------------------------------


def named(schema: dict[str, Any], bitmaps: list[str]) -> list[str]:
    """The fields that bitmaps name, read as Salesforce's own sample does: nested ones behind their parent."""
    if not bitmaps:
        return []

    def bits(text: str) -> Iterator[int]:
        value = int(text, 16)
        return (index for index in range(value.bit_length()) if value >> index & 1)

    inline = [kind for field in schema["fields"] for kind in field["type"] if isinstance(kind, dict)]
    records = {kind["name"]: kind for kind in inline if kind["type"] == "record"}
    found = [schema["fields"][i]["name"] for i in bits(bitmaps[0])] if bitmaps[0].startswith("0x") else []
    if "-" in bitmaps[-1]:
        for text in (text for text in bitmaps if "-" in text):
            parent, _, inner = text.partition("-")
            outer = schema["fields"][int(parent)]
            # a record is written out where it comes first, and named from then on
            kind = outer["type"][-1]
            record = kind if isinstance(kind, dict) else records[kind]
            found += [f"{outer['name']}.{record['fields'][i]['name']}" for i in bits(inner)]
    return found


def test_the_channel_of_all_changes(pubsub: PubSub, bus: RunningOrg) -> None:
    with pubsub.subscribe("/data/ChangeEvents", 10) as stream:
        subscribed(bus)
        made = [
            bus.create("Account", Name="A"),
            bus.create("Contact", LastName="C"),
            bus.create("Case", Subject="none"),
        ]
        made.append(bus.create("Account", Name="B"))

        found = [(pubsub.decode(event)["ChangeEventHeader"], event.event.schema_id) for event in stream.events(3)]

    assert [header["recordIds"][0] for header, _ in found] == [made[0], made[1], made[3]]  # nobody selected Case
    assert [header["entityName"] for header, _ in found] == ["Account", "Contact", "Account"]
    assert found[0][1] == found[2][1] != found[1][1]


def test_a_change_with_its_bitmaps(pubsub: PubSub, bus: RunningOrg) -> None:
    contact = bus.create("Contact", LastName="Before", Phone="1")
    with pubsub.subscribe("/data/ContactChangeEvent", 10) as stream:
        subscribed(bus)
        bus.data("PATCH", f"/sobjects/Contact/{contact}", {"LastName": "After", "Phone": None, "MailingCity": "Ulm"})

        (event,) = stream.events(1)

    schema_id = event.event.schema_id
    schema = json.loads(pubsub.call("GetSchema", pubsub.pb.SchemaRequest(schema_id=schema_id)).schema_json)
    found = pubsub.decode(event)
    header = found["ChangeEventHeader"]
    assert (header["changeType"], header["recordIds"]) == ("UPDATE", [contact])
    assert {"Phone", "Name.LastName", "MailingAddress.City"} <= set(named(schema, header["changedFields"]))
    assert named(schema, header["nulledFields"]) == ["Phone"]
    assert found["Name"]["LastName"] == "After"
    assert found["MailingAddress"]["City"] == "Ulm"
