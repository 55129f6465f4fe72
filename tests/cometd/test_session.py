"""The Bayeux session and the clients around it, without a socket: moments are numbers, the log is a list."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from landbridge.access import Access
from landbridge.events import ReplayIdInvalid
from landbridge.ids import RecordId
from landbridge.wire.cometd import clients as room
from landbridge.wire.cometd.clients import Bounds, Caller, Clients
from landbridge.wire.cometd.refusals import TABLE
from landbridge.wire.cometd.session import ABSENCE, HOLD
from tests.conftest import ROOT

AT_ONCE = room.AT_ONCE
TOPICS = ("/event/A__e", "/event/B__e", "/data/ChangeEvents")
ANN, BOB = Access(RecordId("005000000000001AAA")), Access(RecordId("005000000000002AAA"))


class ListTopic:
    can_subscribe = True
    kind = "event"

    def __init__(self, name: str) -> None:
        self.name = name


class ListEvent:
    def __init__(self, replay_id: int, topic: str) -> None:
        self.replay_id = replay_id
        self.topic = topic


class ListLog:
    """What `Clients` asks of a log, over a list. `stingy` looks stop early, as those into a large database do."""

    def __init__(self) -> None:
        self.events: list[ListEvent] = []
        self.kept_after = 0
        self.stingy = 1_000
        self.looks = 0

    def topic(self, name: str) -> Any:
        return next((ListTopic(one) for one in TOPICS if one.lower() == name.lower()), None)

    def append(self, topic: str) -> int:
        self.events.append(ListEvent(len(self.events) + 1, topic))
        return len(self.events)

    def tip(self) -> int:
        return len(self.events)

    def start(self, topic: Any, *, replay: int) -> int:
        if replay == -1:
            return self.tip()
        if replay == -2:
            return self.kept_after
        if not self.kept_after <= replay <= self.tip():
            raise ReplayIdInvalid(replay)
        return replay

    def scan(self, topic: Any, after: int, limit: int) -> tuple[list[ListEvent], int]:
        self.looks += 1
        found = []
        for event in self.events[after : after + self.stingy]:
            if event.topic == topic.name:
                found.append(event)
                if len(found) == limit:
                    return found, event.replay_id
        return found, min(after + self.stingy, self.tip())


class ListRender:
    """Messages that carry the replay id alone; `most` is how many go into one answer."""

    most = 3
    broken: str | None = None

    def eyes(self, topic: Any, access: Access) -> str:
        del topic, access
        return ""

    def messages(self, channel: str, events: list[ListEvent], access: Access, eyes: str) -> tuple[bytes, int]:
        del access, eyes
        if channel == self.broken:
            raise RuntimeError("an event that can't be shown")
        shown = events[: self.most]
        texts = (json.dumps({"channel": channel, "data": {"event": {"replayId": e.replay_id}}}) for e in shown)
        return ",".join(texts).encode(), shown[-1].replay_id


class World:
    """Clients over a list, and what a test does with them. Answers are parsed; None while a connect is held."""

    def __init__(self, **bounds: int) -> None:
        self.log = ListLog()
        self.now = 1000.0
        self.dead: set[object] = set()
        self.touched: list[object] = []
        numbers = iter(range(1_000_000))
        self.render = ListRender()
        self.clients = Clients(
            self.log, self.render, lambda: f"client{next(numbers)}", Bounds(**bounds),  # type: ignore[arg-type]
            is_live=lambda login: login not in self.dead, touch=self.touched.append,
        )  # fmt: skip

    def send(self, *messages: dict[str, Any], caller: Caller | None = None) -> Box:
        box = Box()
        box.held = self.clients.receive(messages, caller or by(ANN), self.now, box.take)
        return box

    def handshake(self, caller: Caller | None = None) -> str:
        (reply,) = self.send({"channel": "/meta/handshake", "id": "1"}, caller=caller).messages
        assert reply["successful"], reply
        return str(reply["clientId"])

    def connect(self, client: str, caller: Caller | None = None, **more: Any) -> Box:
        message = {"channel": "/meta/connect", "clientId": client, "connectionType": "long-polling", "id": "9", **more}
        return self.send(message, caller=caller)

    def subscribe(self, client: str, channel: Any, replay: Any = None, caller: Caller | None = None) -> dict[str, Any]:
        message: dict[str, Any] = {"channel": "/meta/subscribe", "clientId": client, "subscription": channel, "id": 3}
        if replay is not None:
            message["ext"] = {"replay": {channel: replay} if isinstance(channel, str) else replay}
        (reply,) = self.send(message, caller=caller).messages
        return dict(reply)

    def open(self, *channels: str, replay: Any = None) -> str:
        """A client that has connected once and is subscribed."""
        client = self.handshake()
        for channel in channels:
            assert self.subscribe(client, channel, replay)["successful"]
        assert self.connect(client).messages[-1]["successful"]
        return client


class Box:
    """Where an answer arrives."""

    def __init__(self) -> None:
        self.answers: list[list[dict[str, Any]]] = []
        self.held: Any = None

    def take(self, messages: list[bytes]) -> None:
        self.answers.append(json.loads(b"[%b]" % b",".join(messages)))

    @property
    def waits(self) -> bool:
        assert len(self.answers) < 2, "one request has one answer"
        return not self.answers

    @property
    def messages(self) -> list[dict[str, Any]]:
        assert not self.waits, "no answer came"
        return self.answers[0]

    @property
    def ids(self) -> list[int]:
        """Replay ids of the events in the answer, which stand before the reply to the connect."""
        assert all("data" not in message for message in self.messages[-1:])
        return [message["data"]["event"]["replayId"] for message in self.messages[:-1]]


def by(access: Access, login: object = "login", browser: str | None = "b") -> Caller:
    return Caller(access, login, browser=browser)


def test_a_handshake_answers_as_the_platform_does() -> None:
    (reply,) = World().send({"channel": "/meta/handshake", "version": "1.0", "id": "7"}).messages

    assert list(reply) == ["ext", "minimumVersion", "clientId", "supportedConnectionTypes", "channel", "id", "version",
                           "successful"]  # fmt: skip
    assert reply["ext"] == {"replay": True, "payload.format": True}
    assert reply["supportedConnectionTypes"] == ["long-polling"]


def test_the_first_connect_is_answered_at_once_with_advice_and_the_next_is_held() -> None:
    world = World()
    client = world.handshake()

    first, second = world.connect(client), world.connect(client)

    assert first.messages == [
        {"clientId": client, "advice": {"interval": 0, "timeout": 110000, "reconnect": "retry"},
         "channel": "/meta/connect", "id": "9", "successful": True}
    ]  # fmt: skip
    assert second.waits


def test_a_held_connect_is_answered_after_110_seconds() -> None:
    world = World()
    held = world.connect(world.open("/event/A__e"))

    world.now += HOLD - 1
    world.clients.sweep(world.now)
    early = held.waits
    world.now += 1
    world.clients.sweep(world.now)

    assert early
    assert held.messages == [
        {"clientId": held.messages[0]["clientId"], "channel": "/meta/connect", "id": "9", "successful": True}
    ]


def test_events_stand_before_the_answer_to_the_connect() -> None:
    world = World()
    held = world.connect(world.open("/event/A__e"))

    world.log.append("/event/A__e")
    world.clients.deliver(world.now)

    assert [message["channel"] for message in held.messages] == ["/event/A__e", "/meta/connect"]
    assert held.ids == [1]


def test_a_round_looks_once_at_a_channel_however_many_wait() -> None:
    world = World()
    for _ in range(50):
        world.connect(world.open("/event/A__e"))
    world.connect(world.open("/event/B__e"))
    world.log.append("/event/A__e")
    world.log.looks = 0

    answered, _ = world.clients.deliver(world.now)

    assert answered == 50
    assert world.log.looks == 2  # one a channel


def test_a_round_answers_so_many_and_leaves_the_rest_for_the_next() -> None:
    world = World()
    held = [world.connect(world.open("/event/A__e")) for _ in range(AT_ONCE + 50)]
    world.log.append("/event/A__e")

    first, _ = world.clients.deliver(world.now)
    early = [not box.waits for box in held]
    more = world.clients.more
    second, _ = world.clients.deliver(world.now)

    assert (first, second, more, world.clients.more) == (AT_ONCE, 50, True, False)
    assert early == [True] * AT_ONCE + [False] * 50
    assert all(box.ids == [1] for box in held)


def test_events_that_cannot_be_shown_stop_nobody_elses() -> None:
    world = World()
    unlucky, lucky = world.open("/event/B__e"), world.open("/event/A__e")
    first, second = world.connect(unlucky), world.connect(lucky)
    world.render.broken = "/event/B__e"
    world.log.append("/event/B__e")
    world.log.append("/event/A__e")

    world.clients.deliver(world.now)
    with pytest.raises(RuntimeError):
        world.connect(unlucky)
    world.render.broken = None
    again = world.connect(unlucky)

    assert first.messages[0]["error"] == "503::Server is too busy. Please try your request again later."
    assert second.ids == [2]
    assert again.ids == [1]


def test_an_absent_client_is_unknown_after_40_seconds() -> None:
    world = World()
    client = world.open("/event/A__e")

    world.now += ABSENCE
    world.clients.sweep(world.now)
    still = world.connect(client, advice={"timeout": 0}).messages[-1]
    world.now += ABSENCE + 1
    world.clients.sweep(world.now)
    (gone,) = world.connect(client).messages

    assert still["successful"]
    assert gone == {"advice": {"reconnect": "handshake", "interval": 0}, "channel": "/meta/connect", "id": "9",
                    "error": "403::Unknown client", "successful": False}  # fmt: skip
    assert len(world.clients) == 0


def test_a_held_client_is_never_absent_and_keeps_its_token_in_use() -> None:
    world = World()
    held = world.connect(world.open("/event/A__e"))

    for _ in range(100):
        world.now += 1
        world.clients.sweep(world.now)

    assert held.waits
    assert world.touched == ["login"] * 100


def test_what_a_broken_connection_did_not_take_comes_with_the_next_connect() -> None:
    world = World()
    client = world.open("/event/A__e")
    broken = world.connect(client)
    world.clients.lost(broken.held, world.now)
    world.log.append("/event/A__e")
    world.clients.deliver(world.now)

    again = world.connect(client)

    assert broken.waits
    assert again.ids == [1]


def test_a_dead_token_ends_the_session_in_the_middle_of_a_poll() -> None:
    world = World()
    client = world.open("/event/A__e")
    held = world.connect(client)
    other = world.connect(world.open("/event/A__e"), caller=by(ANN, "another login"))

    world.dead.add("login")
    world.clients.sweep(world.now)
    world.log.append("/event/A__e")
    world.clients.deliver(world.now)

    assert held.messages == [
        {"clientId": client, "advice": {"reconnect": "none", "interval": 0}, "channel": "/meta/connect", "id": "9",
         "error": "401::Authentication invalid", "successful": False}
    ]  # fmt: skip
    assert other.ids == [1]
    assert len(world.clients) == 1


def test_a_second_connect_of_a_client_answers_the_first_and_slows_the_client_down() -> None:
    world = World()
    client = world.open("/event/A__e")

    first, second = world.connect(client), world.connect(client)

    assert first.messages[0]["successful"]
    assert first.messages[0]["advice"]["interval"] == 2000
    assert second.waits


def test_a_subscription_to_the_past_wakes_a_held_connect() -> None:
    world = World()
    world.log.append("/event/A__e")
    client = world.open()
    held = world.connect(client)

    world.subscribe(client, "/event/A__e", -2)
    assert world.clients.impatient
    world.clients.deliver(world.now)

    assert held.ids == [1]


def test_a_connect_that_came_with_other_messages_is_not_held() -> None:
    world = World()
    client = world.open()
    subscribe = {"channel": "/meta/subscribe", "clientId": client, "subscription": "/event/A__e"}
    connect = {"channel": "/meta/connect", "clientId": client, "connectionType": "long-polling"}

    box = world.send(subscribe, connect)

    assert [message["channel"] for message in box.messages] == ["/meta/subscribe", "/meta/connect"]


def test_a_disconnect_answers_the_held_connect_and_ends_the_session() -> None:
    world = World()
    client = world.open("/event/A__e")
    held = world.connect(client)

    (goodbye,) = world.send({"channel": "/meta/disconnect", "clientId": client, "id": "5"}).messages

    assert goodbye == {"clientId": client, "channel": "/meta/disconnect", "id": "5", "successful": True}
    assert held.messages[0]["advice"] == {"interval": 0, "reconnect": "none"}
    assert len(world.clients) == world.clients.subscribers == 0


def test_several_channels_in_one_message_are_all_subscribed_or_none() -> None:
    world = World()
    client = world.open()

    good = world.subscribe(client, ["/event/A__e", "/event/B__e"], {"/event/B__e": -2})
    bad = world.subscribe(world.open(), ["/event/A__e", "/event/Nope__e"])

    assert good["subscription"] == ["/event/A__e", "/event/B__e"]
    assert bad["error"] == "400::The channel you requested to subscribe to does not exist {/event/Nope__e}"
    assert world.clients.subscribers == 1


def test_a_storm_of_handshakes_eats_its_own() -> None:
    world = World(subscribers=10, others=10)
    mine = world.open("/event/A__e")
    held = world.connect(mine)
    bob = world.handshake(by(BOB))

    for _ in range(500):
        world.handshake()
    kept = world.connect(bob, by(BOB)).messages[-1]
    world.log.append("/event/A__e")
    world.clients.deliver(world.now)

    assert len(world.clients) == 20
    assert kept["successful"]
    assert held.ids == [1]


def test_when_everybody_is_connected_a_handshake_is_refused() -> None:
    world = World(subscribers=2, others=0)
    for _ in range(2):
        world.connect(world.open())

    (reply,) = world.send({"channel": "/meta/handshake", "id": "1"}).messages

    assert reply["error"] == "403::Handshake denied"
    assert reply["ext"]["sfdc"]["failureReason"].startswith("403::To protect all customers from excessive use")
    assert reply["advice"] == {"reconnect": "none"}


def test_more_subscribers_than_the_org_may_have_are_refused() -> None:
    world = World(subscribers=1)
    first, second = world.handshake(), world.handshake()
    world.subscribe(first, "/event/A__e")

    refused = world.subscribe(second, "/event/A__e")
    world.send({"channel": "/meta/unsubscribe", "clientId": first, "subscription": "/event/A__e"})
    taken = world.subscribe(second, "/event/A__e")

    assert refused["error"] == "403::Organization concurrent user limit exceeded"
    assert taken["successful"]


def test_connects_wait_for_the_round_while_the_org_is_busy() -> None:
    world = World()
    client = world.open("/event/A__e")
    world.log.append("/event/A__e")
    world.clients.patient = True

    held = world.connect(client)
    waited = held.waits
    world.log.append("/event/A__e")
    world.clients.deliver(world.now)

    assert waited
    assert held.ids == [1, 2]


REFUSALS: dict[str, tuple[Callable[[World, str], dict[str, Any]], str, str | None]] = {
    "no such channel": (
        lambda w, c: w.subscribe(c, "/event/Nope__e"),
        "400::The channel you requested to subscribe to does not exist {/event/Nope__e}", None),
    "a PushTopic": (
        lambda w, c: w.subscribe(c, "/topic/Accounts"),
        "400::The channel you requested to subscribe to does not exist {/topic/Accounts}", None),
    "a system topic": (
        lambda w, c: w.subscribe(c, "/systemTopic/Logging"),
        "400::The channel you requested to subscribe to does not exist {/systemTopic/Logging}", None),
    "a wildcard": (
        lambda w, c: w.subscribe(c, "/event/*"),
        "400::The channel you requested to subscribe to does not exist {/event/*}", None),
    "a generic channel": (lambda w, c: w.subscribe(c, "/u/notes"), "404::Unknown channel", None),
    "a channel of another kind": (lambda w, c: w.subscribe(c, "/s/notifications"), "403::Restricted channel", None),
    "every channel": (lambda w, c: w.subscribe(c, "/**"), "403::Restricted channel", None),
    "a meta channel": (lambda w, c: w.subscribe(c, "/meta/connect"), "403::Restricted channel", None),
    "no channel": (lambda w, c: w.subscribe(c, ""), "400::Channel name not specified", None),
    "a number": (lambda w, c: w.subscribe(c, 5), "400::Channel name not specified", None),
    "no slash": (lambda w, c: w.subscribe(c, "event/A__e"), "400::Channel subscriptions must start with a leading '/'", None),
    "a filter": (
        lambda w, c: w.subscribe(c, "/event/A__e?Type=x&Size=1"),
        "400::Query fields {Type,Size} do not exist on the topic entity", None),
    "a replay id to come": (
        lambda w, c: w.subscribe(c, "/event/A__e", 99),
        "400::The replayId {99} you provided was invalid. Please provide a valid ID, -2 to replay all events, or -1 to replay "
        "only new events.", None),
    "a replay id below all": (
        lambda w, c: w.subscribe(c, "/event/A__e", -3),
        "400::The replayId {-3} you provided was invalid. Please provide a valid ID, -2 to replay all events, or -1 to replay "
        "only new events.", None),
    "a replay id that is none": (
        lambda w, c: w.subscribe(c, "/event/A__e", "x"),
        "400::The replayId {x} you provided was invalid. Please provide a valid ID, -2 to replay all events, or -1 to replay "
        "only new events.", None),
    "a stranger": (lambda w, c: w.subscribe("nobody", "/event/A__e"), "403::Unknown client", "handshake"),
    "nobody": (
        lambda w, c: w.send({"channel": "/meta/subscribe", "subscription": "/event/A__e"}).messages[0],
        "403::Client has not completed handshake", "handshake"),
    "a stolen client id": (
        lambda w, c: w.connect(c, by(BOB)).messages[0],
        "400::Authenticated user id does not match the session's user id", "none"),
    "a lost cookie": (
        lambda w, c: w.connect(c, by(ANN, browser=None)).messages[0],
        "400::Client client0 has established a session, but no BAYEUX_BROWSER cookie present", "handshake"),
    "a bad token": (
        lambda w, c: w.connect(c, Caller(None, refused="authentication invalid")).messages[0],
        "401::Authentication invalid", "none"),
    "no token": (
        lambda w, c: w.connect(c, Caller(None, refused="authentication missing")).messages[0],
        "401::Request requires authentication", "none"),
    "another transport": (
        lambda w, c: w.connect(c, connectionType="websocket").messages[0], "400::Invalid connection type {websocket}", None),
    "a publish": (
        lambda w, c: w.send({"channel": "/event/A__e", "clientId": c, "data": {}}).messages[0],
        "403::Cannot create channel {/event/A__e}", None),
    "an unknown meta channel": (
        lambda w, c: w.send({"channel": "/meta/nope", "clientId": c}).messages[0], "403::Restricted channel", None),
    "no channel at all": (lambda w, c: w.send({"clientId": c}).messages[0], "400::Channel name not specified", None),
}  # fmt: skip


@pytest.mark.ledger("cometd.errors", "documented", "events.md section 3; values in braces as replies seen in the field")
@pytest.mark.parametrize("case", REFUSALS)
def test_what_is_refused_is_said_in_the_documented_words(case: str) -> None:
    world = World()
    client = world.handshake()
    act, error, advice = REFUSALS[case]

    reply = act(world, client)

    assert reply["error"] == error
    assert reply["successful"] is False
    assert reply.get("advice", {}).get("reconnect") == advice


class Bayeux(RuleBasedStateMachine):
    """
    Clients come, poll, break off, stay away and come back; events are appended all the while.

    Each subscription must see exactly the events of its channel after its start, in order, as far as it has been answered; a
    connect is never held while something is owed; who stayed away for more than 40 s is unknown, everybody else is known.
    """

    live = Bundle("live")

    @initialize(stingy=st.integers(1, 5), patient=st.booleans(), at_once=st.sampled_from([1, 2, 200]))
    def begin(self, stingy: int, patient: bool, at_once: int) -> None:
        """`stingy`: how many entries a look into the log goes over; `patient`: whether connects wait for rounds."""
        room.AT_ONCE = at_once
        self.world = World()
        self.world.log.stingy = stingy
        self.busy = patient
        self.expected: dict[str, dict[str, int]] = {}
        self.seen: dict[tuple[str, str], list[int]] = {}
        self.open: dict[str, Box] = {}
        self.away: dict[str, float] = {}

    def answered(self, client: str, box: Box) -> None:
        if box.waits:
            self.open[client] = box
            self.away.pop(client, None)
            return
        self.open.pop(client, None)
        self.away[client] = self.world.now
        for message in box.messages:
            if "data" in message:
                self.seen[client, message["channel"]].append(message["data"]["event"]["replayId"])

    def collect(self) -> None:
        for client, box in list(self.open.items()):
            if not box.waits:
                self.answered(client, box)

    def settle(self) -> None:
        """Rounds until nobody is to be looked at again."""
        self.world.clients.patient = False
        for _ in range(1000):
            self.world.clients.deliver(self.world.now)
            if not self.world.clients.impatient and not self.world.clients.more:
                break
        else:
            raise AssertionError("rounds without end")
        self.collect()
        self.world.clients.patient = self.busy

    @rule(target=live)
    def handshake(self) -> str:
        client = self.world.handshake()
        self.expected[client] = {}
        self.away[client] = self.world.now
        return client

    @rule(target=live, channel=st.sampled_from(TOPICS), replay=st.sampled_from([-1, -2]))
    def arrive(self, channel: str, replay: int) -> str:
        """A whole client: subscribed, its connect held."""
        client = self.handshake()
        self.subscribe(client, channel, replay)
        self.poll(client)
        return client

    @rule(client=live)
    def poll(self, client: str) -> None:
        """Connect until there is nothing to be told."""
        while client in self.expected and client not in self.open:
            self.connect(client)

    @rule(client=live, channel=st.sampled_from(TOPICS), replay=st.sampled_from([None, -1, -2, 0, 1, 3]))
    def subscribe(self, client: str, channel: str, replay: int | None) -> None:
        log = self.world.log
        reply = self.world.subscribe(client, channel, replay)
        if client not in self.expected:
            assert reply["error"] == "403::Unknown client"
            return
        assert reply["successful"] is (replay is None or replay <= log.tip())
        if reply["successful"]:
            start = {None: log.tip(), -1: log.tip(), -2: 0}.get(replay, replay)
            assert start is not None
            self.expected[client][channel] = start
            self.seen[client, channel] = []

    @rule(client=live, channel=st.sampled_from(TOPICS))
    def unsubscribe(self, client: str, channel: str) -> None:
        if client in self.expected:
            message = {"channel": "/meta/unsubscribe", "clientId": client, "subscription": channel}
            assert self.world.send(message).messages[0]["successful"]
            self.expected[client].pop(channel, None)

    @rule(client=live)
    def connect(self, client: str) -> None:
        before = self.open.pop(client, None)
        box = self.world.connect(client)
        if client not in self.expected:
            assert box.messages[0]["error"] == "403::Unknown client"
            return
        if before is not None:
            assert before.ids == []
        self.answered(client, box)

    @rule(topics=st.lists(st.sampled_from(TOPICS), min_size=1, max_size=12))
    def append(self, topics: list[str]) -> None:
        for topic in topics:
            self.world.log.append(topic)

    @rule()
    def round(self) -> None:
        self.settle()

    @rule(client=live)
    def break_off(self, client: str) -> None:
        box = self.open.pop(client, None)
        if box is not None:
            self.world.clients.lost(box.held, self.world.now)
            assert box.waits
            self.away[client] = self.world.now

    @rule(client=live)
    def release(self, client: str) -> None:
        box = self.open.get(client)
        if box is not None:
            self.world.clients.release(box.held, self.world.now)
            self.answered(client, box)

    @rule(seconds=st.sampled_from([1.0, 39.0, 41.0, 110.0]))
    def wait(self, seconds: float) -> None:
        self.world.now += seconds
        self.world.clients.sweep(self.world.now)
        for client in [c for c, since in self.away.items() if self.world.now - since > ABSENCE]:
            del self.away[client], self.expected[client]
        self.collect()

    @rule(client=consumes(live))
    def disconnect(self, client: str) -> None:
        if client in self.expected:
            box = self.open.pop(client, None)
            (reply,) = self.world.send({"channel": "/meta/disconnect", "clientId": client}).messages
            assert reply["successful"]
            assert box is None or box.messages[-1]["advice"]["reconnect"] == "none"
            del self.expected[client]
            self.away.pop(client, None)

    def teardown(self) -> None:
        room.AT_ONCE = AT_ONCE

    @invariant()
    def what_was_seen_is_what_was_to_be_seen(self) -> None:
        if not hasattr(self, "world"):
            return
        for client, starts in self.expected.items():
            for channel, start in starts.items():
                seen = self.seen[client, channel]
                due = [e.replay_id for e in self.world.log.events[start:] if e.topic == channel]
                assert seen == due[: len(seen)]

    @invariant()
    def nobody_waits_beside_what_is_owed(self) -> None:
        if not hasattr(self, "world"):
            return
        self.settle()
        for client in self.open:
            for channel, start in self.expected[client].items():
                due = [e.replay_id for e in self.world.log.events[start:] if e.topic == channel]
                assert self.seen[client, channel] == due

    @invariant()
    def the_books_are_right(self) -> None:
        if not hasattr(self, "world"):
            return
        clients = self.world.clients
        assert len(clients) == len(self.expected)
        assert clients.subscribers == sum(bool(channels) for channels in self.expected.values())
        assert clients.waiting == len(self.open)
        assert {client for watch in clients._watches.values() for client in watch.waiting} <= {
            client for client in clients._clients.values() if client.answer is not None
        }
        away = {client for clients_ in clients._away.values() for client in clients_}
        assert away == {client for client in clients._clients.values() if client.answer is None}


TestBayeux = Bayeux.TestCase
TestBayeux.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8)
    | st.sampled_from(["client0", *TOPICS, "/meta/connect", "long-polling", -1, -2]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["replay", "payload.format", *TOPICS, "timeout"]), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
CHANNELS = [
    "/meta/handshake",
    "/meta/connect",
    "/meta/subscribe",
    "/meta/unsubscribe",
    "/meta/disconnect",
    "/meta/x",
    *TOPICS,
]
MESSAGES = st.fixed_dictionaries({"channel": st.sampled_from(CHANNELS) | VALUES}, optional={
    "clientId": st.sampled_from(["client0", "client1"]) | VALUES, "id": VALUES, "ext": VALUES, "advice": VALUES, "data": VALUES,
    "subscription": st.sampled_from(TOPICS) | VALUES, "connectionType": st.just("long-polling") | VALUES,
    "supportedConnectionTypes": st.just(["long-polling"]) | VALUES, "version": VALUES,
})  # fmt: skip


@settings(max_examples=100)
@given(st.lists(st.lists(MESSAGES, min_size=1, max_size=4), max_size=8))
def test_whatever_is_sent_every_message_gets_one_reply(requests: list[list[dict[str, Any]]]) -> None:
    world = World()
    well = world.open("/event/A__e")
    held = world.connect(well, caller=by(ANN))
    for request in requests:
        box = world.send(*request, caller=by(BOB, "his login"))
        if not box.waits:
            replies = [message for message in box.messages if "data" not in message]
            assert len(replies) == len(request)
            assert all(isinstance(reply["successful"], bool) for reply in replies)
            assert all(isinstance(reply["error"], str) for reply in replies if not reply["successful"])
        world.log.append("/event/B__e")
        world.clients.deliver(world.now)
        world.clients.sweep(world.now)

    world.log.append("/event/A__e")
    world.clients.deliver(world.now)
    assert held.ids == [len(requests) + 1]


def test_the_bounds_hold_for_a_thousand_looks() -> None:
    """A channel whose events are few among many others is looked for in steps, not in one long walk."""
    world = World()
    client = world.open("/event/B__e")
    world.log.stingy = 1
    for _ in range(100):
        world.log.append("/event/A__e")
    world.log.append("/event/B__e")
    world.log.looks = 0

    held = world.connect(client)
    first = world.log.looks
    while world.clients.impatient:
        world.clients.deliver(world.now)

    assert first == room.LOOKS
    assert held.ids == [101]


def test_every_error_is_in_the_reference() -> None:
    page = (ROOT / "docs" / "reference" / "streaming.md").read_text("utf-8")
    said = {f"{code}::{text.format('…')}" for code, text, _ in TABLE.values()}

    # The longest stands there by its meaning.
    assert [text for text in sorted(said) if f"`{text}`" not in page and "Denial of Service" not in text] == []
