"""What a stream's requests mean: table tests, and a machine that knows only sums."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landbridge.wire.pubsub import replay
from landbridge.wire.pubsub.eventbus_pb2 import CUSTOM, EARLIEST, LATEST, FetchRequest, ProducerEvent, PublishRequest
from landbridge.wire.pubsub.refusal import PREFIX, TABLE, Refused
from landbridge.wire.pubsub.session import (
    BEFORE_ALL,
    FUTILE,
    IDLE,
    KEEPALIVE,
    MOST,
    PUBLISH_IDLE,
    TIP,
    Publishing,
    Start,
    Subscribing,
)

TOPIC = "/event/Order__e"


def first(**changes: Any) -> FetchRequest:
    return FetchRequest(**{"topic_name": TOPIC, "num_requested": 1, **changes})


@pytest.mark.parametrize(
    ("asked", "start"),
    [
        ({}, TIP),
        ({"replay_preset": LATEST}, TIP),
        ({"replay_preset": EARLIEST}, BEFORE_ALL),
        ({"replay_preset": CUSTOM, "replay_id": replay.encode(7)}, 7),
        ({"replay_preset": CUSTOM, "replay_id": replay.encode(0)}, 0),
        ({"replay_preset": LATEST, "replay_id": replay.encode(7)}, TIP),
    ],
)
@pytest.mark.ledger("pubsub.replay_preset", "documented", "events.md section 4")
def test_the_first_request_says_where_to_start(asked: dict[str, Any], start: int) -> None:
    session = Subscribing(0.0)

    assert session.request(first(**asked), 0.0) == Start(TOPIC, start)
    assert session.request(first(replay_preset=EARLIEST), 0.0) is None


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"topic_name": ""}, "topic.validation.empty"),
        ({"topic_name": "  "}, "topic.validation.empty"),
        ({"num_requested": 0}, "subscription.fetch.requested.events.invalid"),
        ({"num_requested": -1}, "subscription.fetch.requested.events.invalid"),
        ({"num_requested": 0, "auth_refresh": "token"}, "subscription.fetch.requested.events.invalid"),
        ({"replay_preset": CUSTOM}, "subscription.fetch.replayid.validation.failed"),
        ({"replay_preset": CUSTOM, "replay_id": b"\1"}, "subscription.fetch.replayid.corrupted"),
        ({"replay_preset": CUSTOM, "replay_id": b"\xff" * 8}, "subscription.fetch.replayid.corrupted"),
        ({"replay_preset": CUSTOM, "replay_id": b"\0" * 9}, "subscription.fetch.replayid.corrupted"),
        ({"replay_preset": 7}, "subscription.fetch.request.invalid"),
    ],
)
def test_a_first_request_that_is_refused(asked: dict[str, Any], code: str) -> None:
    with pytest.raises(Refused) as refused:
        Subscribing(0.0).request(first(**asked), 0.0)

    assert refused.value.code == PREFIX + code


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"topic_name": "/event/Other__e"}, "subscription.fetch.topic.mismatch"),
        ({"num_requested": 0}, "subscription.fetch.requested.events.invalid"),
        ({"num_requested": -5}, "subscription.fetch.requested.events.invalid"),
        ({"topic_name": "", "num_requested": 1}, None),
        ({"topic_name": TOPIC.upper()}, None),
        ({"num_requested": 0, "auth_refresh": "token"}, None),
        ({"replay_preset": CUSTOM}, None),
    ],
)
@pytest.mark.ledger("pubsub.later_requests", "documented", "events.md section 4")
def test_a_later_request(asked: dict[str, Any], code: str | None) -> None:
    session = Subscribing(0.0)
    session.request(first(), 0.0)

    if code is None:
        assert session.request(first(**asked), 1.0) is None
    else:
        with pytest.raises(Refused) as refused:
            session.request(first(**asked), 1.0)
        assert refused.value.code == PREFIX + code


@pytest.mark.ledger("pubsub.at_most_100", "documented", "Pub/Sub API guide, allocations: more counts as 100")
def test_requests_add_up_to_a_hundred() -> None:
    session = Subscribing(0.0)
    session.request(first(num_requested=30), 0.0)
    session.request(first(num_requested=30), 0.0)
    assert session.flow.pending == 60

    session.request(first(num_requested=1_000_000), 0.0)

    assert session.flow.pending == MOST


@pytest.mark.ledger("pubsub.overflow", "guessed", "a hundred requests that add nothing within ten seconds")
def test_a_client_that_asks_and_does_not_drain_overflows() -> None:
    session = Subscribing(0.0)
    session.request(first(num_requested=100), 0.0)
    for _ in range(FUTILE - 1):
        session.request(first(num_requested=100), 0.0)

    with pytest.raises(Refused) as refused:
        session.request(first(num_requested=100), 0.0)

    assert refused.value.suffix == "subscription.fetch.overflow"


def test_asking_again_each_five_seconds_is_no_overflow() -> None:
    session = Subscribing(0.0)
    for number in range(FUTILE * 3):  # as aiosfpubsub does on a quiet topic
        session.request(first(num_requested=100), number * 5.0)

    assert session.flow.pending == MOST


def test_draining_forgives_futile_requests() -> None:
    session = Subscribing(0.0)
    for _ in range(FUTILE * 3):
        session.request(first(num_requested=100), 0.0)
        session.request(first(num_requested=100), 0.0)
        session.flow.sent(1, 0.0)


def test_what_is_due_when() -> None:
    session = Subscribing(100.0)
    assert session.flow.due() == 100.0 + IDLE  # no request at all

    session.request(first(num_requested=2), 110.0)
    assert session.flow.due() == 110.0 + KEEPALIVE
    session.flow.sent(1, 120.0)
    assert session.flow.due() == 120.0 + KEEPALIVE
    session.flow.sent(1, 130.0)
    assert session.flow.due() == 130.0 + IDLE
    session.request(first(num_requested=1), 150.0)
    assert session.flow.due() == 150.0 + KEEPALIVE
    assert KEEPALIVE <= 270


@given(st.lists(st.tuples(st.integers(1, 250), st.integers(0, 120))))
def test_never_more_than_asked(steps: list[tuple[int, int]]) -> None:
    session = Subscribing(0.0)
    asked = sent = 0
    for number, wish in steps:
        before = session.flow.pending
        try:
            session.request(first(num_requested=number), 0.0)
        except Refused:
            assert before == MOST
            return
        asked += number
        assert before <= session.flow.pending <= min(MOST, before + number)
        give = min(wish, session.flow.pending)
        session.flow.sent(give, 0.0)
        sent += give
        assert sent + session.flow.pending <= asked


# --- publishing -------------------------------------------------------------------------------------------------------


def publish(**changes: Any) -> PublishRequest:
    return PublishRequest(**{"topic_name": TOPIC, "events": [ProducerEvent()], **changes})


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"topic_name": ""}, "publish.topic.validation.empty"),
        ({"events": []}, "publish.event.count.invalid"),
        ({"auth_refresh": "token"}, "publish.auth.refresh.invalid"),
    ],
)
@pytest.mark.ledger("pubsub.publish_requests", "documented", "events.md section 4, table of error codes")
def test_a_first_publish_request_that_is_refused(asked: dict[str, Any], code: str) -> None:
    with pytest.raises(Refused) as refused:
        Publishing(0.0).request(publish(**asked), 0.0)

    assert refused.value.suffix == code


def test_later_publish_requests() -> None:
    session = Publishing(0.0)
    assert session.request(publish(), 1.0) == TOPIC
    assert session.request(publish(topic_name=""), 2.0) == TOPIC
    assert session.request(publish(events=[], auth_refresh="token"), 3.0) == TOPIC
    assert session.due() == 3.0 + PUBLISH_IDLE

    for asked, code in (
        (publish(topic_name="/event/Other__e"), "publish.topic.mismatch"),
        (publish(events=[]), "publish.event.count.invalid"),
    ):
        with pytest.raises(Refused) as refused:
            session.request(asked, 4.0)
        assert refused.value.suffix == code


# --- the table of errors ----------------------------------------------------------------------------------------------


@pytest.mark.ledger("pubsub.error_codes", "documented", "Pub/Sub API guide, Handle Errors; events.md section 4")
def test_every_documented_code_is_in_the_table(shared: Path) -> None:
    text = (shared / "wire" / "events.md").read_text("utf-8")
    table = text.partition("| suffix | meaning | retry |")[2].partition("\n\n")[0]
    codes: set[str] = set()
    for row in table.splitlines()[2:]:
        prefix = ""
        for word in re.findall(r"(?<![\w.])(\.?[a-z]+(?:\.[a-z]+)+)", row.split("|")[1]):
            # `.fetch.topic.mismatch` goes on where the code before it began
            if word.startswith("."):
                codes.add(prefix + word)
            else:
                prefix = "subscription" if word.startswith("subscription") else "managed.subscription"
                codes.add(word)
    codes.discard("managed.subscription.id.or.developer.name.empty")  # written as a continuation, checked below

    missing = {code for code in codes if code not in TABLE and not any(known.endswith(code) for known in TABLE)}
    assert len(codes) > 30
    assert missing == set()
    assert "managed.subscription.id.or.developer.name.empty" in TABLE


def test_the_observed_text_of_an_unknown_topic() -> None:
    refused = Refused("topic.not.found", org="CORE/prod/00D000000000001EAA", topic=TOPIC)

    assert str(refused) == (
        f"The topic information for org CORE/prod/00D000000000001EAA and topic {TOPIC} not found. Ensure the topic name is "
        "correct and that the topic exists."
    )
    assert refused.status == "NOT_FOUND"


def test_statuses_are_grpc_statuses() -> None:
    import grpc

    assert {status for status, _ in TABLE.values()} <= set(grpc.StatusCode.__members__)
