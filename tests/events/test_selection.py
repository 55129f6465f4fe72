"""What is captured: from source, from the command line, live; custom channels and their filters; what SOQL sees."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from landbridge.errors import LandbridgeError, MalformedQuery, QueryError
from landbridge.soql import predicate
from landbridge.storage import Unit
from tests.events.conftest import Tail
from tests.support.running import RunningOrg

ledger = pytest.mark.ledger
ROOT = "/services/landbridge/v1/events"


def meta(tag: str, **inner: str) -> str:
    body = "".join(f"<{key}>{value}</{key}>" for key, value in inner.items())
    return f'<{tag} xmlns="http://soap.sforce.com/2006/04/metadata">{body}</{tag}>'


@pytest.fixture
def channelled(source: Path, tmp_path: Path) -> Path:
    """Beside the session's package: a channel with filters, a member of the default channel, a partition key."""
    files = {
        "platformEventChannels/Big__chn.platformEventChannel-meta.xml": meta(
            "PlatformEventChannel", channelType="event", label="Big ones"
        ),
        "platformEventChannels/Some__chn.platformEventChannel-meta.xml": meta(
            "PlatformEventChannel", channelType="data", label="Some changes"
        ),
        "platformEventChannelMembers/Big_chn_Later_e.platformEventChannelMember-meta.xml": meta(
            "PlatformEventChannelMember", eventChannel="Big__chn", filterExpression="Amount__c &gt; 10",
            selectedEntity="Later__e",
        ),
        "platformEventChannelMembers/Some_chn_Contact.platformEventChannelMember-meta.xml": meta(
            "PlatformEventChannelMember", eventChannel="Some__chn", filterExpression="Name.LastName LIKE 'A%'",
            selectedEntity="ContactChangeEvent",
        ),
        "platformEventChannelMembers/ChangeEvents_Thing.platformEventChannelMember-meta.xml": meta(
            "PlatformEventChannelMember", eventChannel="ChangeEvents", selectedEntity="Thing__ChangeEvent"
        ),
        "platformEventChannelMembers/ChangeEvents_No.platformEventChannelMember-meta.xml": meta(
            "PlatformEventChannelMember", eventChannel="ChangeEvents", selectedEntity="Nothing__ChangeEvent"
        ),
        "PlatformEventSubscriberConfigs/Later.platformEventSubscriberConfig-meta.xml": meta(
            "PlatformEventSubscriberConfig", platformEventConsumer="T", masterLabel="T", numPartitions="3",
            partitionKey="Later__e.Needed__c",
        ),
    }  # fmt: skip
    for name, text in files.items():
        path = tmp_path / "channels" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "channels"


@ledger(
    "events.channel.source", "documented", "metadata.md section 3: channels, members, filterExpression, partitionKey"
)
def test_channels_members_filters_and_keys_come_from_source(home: Path, source: Path, channelled: Path) -> None:
    with RunningOrg(home=home, source=(source, channelled)) as org:
        assert org.door.server.events.captured == {"contact", "thing__c"}
        assert any("Nothing__ChangeEvent" in note for note in org.door.server.notes)
        big, some, every = Tail(org, "/event/Big__chn"), Tail(org, "/data/Some__chn"), Tail(org, "/data/ChangeEvents")

        for amount in (5, 15, None):
            org.create("Later__e", Needed__c=f"n{amount}", Amount__c=amount)
        org.create("Contact", LastName="Abel")
        org.create("Contact", LastName="Zoe")
        thing = org.create("Thing__c", Name="x")

        (event,) = big.events()
        assert (event.values["Amount__c"], event.key) == (15.0, "n15")
        assert [event.values["Name"]["LastName"] for event in some.events()] == ["Abel"]
        assert [event.header.record_ids for event in every.events() if event.header] == [(thing,)]
        assert org.rows("SELECT DeveloperName, ChannelType FROM PlatformEventChannel ORDER BY DeveloperName")[0][
            "DeveloperName"
        ] == "Big"  # fmt: skip
        rows = org.rows(
            "SELECT EventChannel, SelectedEntity, FilterExpression FROM PlatformEventChannelMember WHERE EventChannel = 'Big__chn'"
        )
        assert [(row["SelectedEntity"], row["FilterExpression"]) for row in rows] == [("Later__e", "Amount__c > 10")]


@ledger("route.GET /services/landbridge/v1/events/capture", "differs", "Landbridge's own")
@ledger(
    "route.POST /services/landbridge/v1/events/capture", "differs", "Landbridge's own; a deploy or Tooling call there"
)
@ledger(
    "events.capture.live", "differs", "no restart; the platform's limit of 5 entities without add-on is not enforced"
)
def test_capture_is_changed_live_and_kept(home: Path, source: Path, tmp_path: Path) -> None:
    with RunningOrg(home=home, source=(source,), data=tmp_path / "org") as org:
        events = Tail(org, "/data/ChangeEvents")
        org.create("Account", Name="before")
        reply = org.request("POST", f"{ROOT}/capture", {"add": ["account", "Thing__c"]})
        assert [m["entity"] for m in reply.json["members"]] == ["AccountChangeEvent", "Thing__ChangeEvent"]
        org.create("Account", Name="captured")
        org.request("POST", f"{ROOT}/capture", {"add": ["Contact"], "filter": "Phone != null"})
        for phone in (None, "1"):
            org.create("Contact", LastName="x", Phone=phone)
        org.request("POST", f"{ROOT}/capture", {"remove": ["Thing__ChangeEvent"]})
        org.create("Thing__c", Name="after")

        assert [event.entity for event in events.events()] == ["AccountChangeEvent", "ContactChangeEvent"]

    with RunningOrg(home=home, data=tmp_path / "org") as again:
        assert again.door.server.events.captured == {"account", "contact"}
        members = again.request("GET", f"{ROOT}/capture").json["members"]
    assert members == [
        {"channel": "ChangeEvents", "entity": "AccountChangeEvent", "filter": None},
        {"channel": "ChangeEvents", "entity": "ContactChangeEvent", "filter": "Phone != null"},
    ]


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ({"add": ["Account", "Nothing"]}, 400, "no change events"),
        ({"add": ["Later__e"]}, 400, "carries no Later__e"),
        ({"add": ["Account"], "filter": "Nothing__c = 1"}, 400, "No such field"),
        ({"add": ["Account"], "filter": "Name ="}, 400, "unexpected token"),
        ({"add": ["Account"], "channel": "No__chn"}, 404, "no channel"),
        ({"remove": ["Lead"]}, 404, "not on the channel"),
        ({"add": "Account"}, 400, "list of names"),
    ],
)
def test_a_selection_that_is_wrong_changes_nothing(bus: RunningOrg, body: Any, status: int, text: str) -> None:
    before = bus.request("GET", f"{ROOT}/capture").json

    reply = bus.request("POST", f"{ROOT}/capture", body)

    assert reply.status == status
    assert text in reply.json[0]["message"]
    assert bus.request("GET", f"{ROOT}/capture").json == before


def test_a_reader_may_not_select(bus: RunningOrg) -> None:
    reply = bus.request("POST", f"{ROOT}/capture", {"add": ["Lead"]}, token=bus.integration_token())

    assert (reply.status, reply.error) == (403, "INSUFFICIENT_ACCESS_OR_READONLY")


def test_an_object_that_is_not_there_can_not_be_captured(home: Path) -> None:
    with pytest.raises(LandbridgeError, match="--capture Nothing"), RunningOrg(home=home, capture=("Nothing",)):
        pass


@ledger("route.GET /services/landbridge/v1/events/topics", "differs", "Landbridge's own")
def test_topics_are_listed(bus: RunningOrg) -> None:
    found = {one["topic"]: one for one in bus.request("GET", f"{ROOT}/topics").json["topics"]}

    assert found["/event/Later__e"]["kind"] == "event"
    assert len(found["/data/AccountChangeEvent"]["schema_id"]) == 22
    assert "AccountChangeEvent" in found["/data/ChangeEvents"]["entities"]
    assert "/data/LeadChangeEvent" not in found


@ledger(
    "events.subscriber", "documented", "EventBusSubscriber: Position, Tip, Status (events.md section 6); lag is ours"
)
def test_subscriptions_are_seen_with_their_lag(bus: RunningOrg) -> None:
    server = bus.door.server

    def write(work: Callable[[Any], Any]) -> Any:
        async def go() -> Any:
            return await server.db.write(work, Unit("test"))

        return bus.do(go)

    start = server.events.tip()
    write(lambda tx: server.subscriptions.ensure(tx, "mine", "flow", "/event/Later__e", start))
    write(lambda tx: server.subscriptions.ensure(tx, "all", "flow", "/data/ChangeEvents", start))
    for name in "abc":
        bus.create("Later__e", Needed__c=name)
    bus.create("Account", Name="x")
    write(lambda tx: server.subscriptions.move(tx, "mine", read_to=start + 2, done_to=start + 1, oldest_open=start + 2))

    mine, every = (
        bus.rows(f"SELECT FIELDS(ALL) FROM EventBusSubscriber WHERE Name = '{name}' LIMIT 1")[0]
        for name in ("mine", "all")
    )
    assert mine["Topic"] == "Later__e"
    assert mine["Id"].startswith("0Cd")
    assert (mine["Position"], mine["Tip"], mine["Status"]) == (start + 1, start + 3, "Running")
    assert (mine["ReadTo"], mine["DoneTo"], mine["OldestOpen"]) == (start + 2, start + 1, start + 2)
    assert mine["LagEvents"] == 2
    assert 0 <= mine["LagSeconds"] < 60
    assert (every["Topic"], every["Tip"], every["LagEvents"]) == ("ChangeEvents", start + 4, 1)
    write(lambda tx: server.subscriptions.set_state(tx, "mine", "Error", error="boom", retries=3))
    rows = bus.rows("SELECT Status, Retries, LastError FROM EventBusSubscriber WHERE Status = 'Error'")
    assert [(row["Status"], row["Retries"], row["LastError"]) for row in rows] == [("Error", 3, "boom")]
    refused = bus.data("POST", "/sobjects/EventBusSubscriber", {"Name": "x"})
    assert refused.status == 400
    for name in ("mine", "all"):
        write(lambda tx, name=name: server.subscriptions.remove(tx, name))


# --- filters -------------------------------------------------------------------------------------------------------

VALUES = {
    "Text__c": "Abc", "Number__c": 5, "Flag__c": True, "Day__c": "2026-01-02", "Moment__c": "2026-01-02T03:04:05.000+0000",
    "Zulu__c": "2026-01-02T03:04:05.000Z", "Many__c": "red;green", "Name": {"LastName": "Lee"},
}  # fmt: skip


@ledger("events.filter", "documented", "filterExpression is SOQL-like (events.md section 5)")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Text__c = 'aBC'", True),
        ("Text__c != 'x'", True),
        ("Text__c LIKE 'a_c'", True),
        ("Text__c LIKE '%b'", False),
        ("Text__c LIKE 'ab\\%'", False),
        ("Text__c IN ('x', 'ABC')", True),
        ("Text__c NOT IN ('x')", True),
        ("Number__c > 4 AND Number__c <= 5", True),
        ("Number__c < 5 OR Flag__c = true", True),
        ("NOT (Number__c = 5)", False),
        ("Flag__c = false", False),
        ("Flag__c = null", False),
        ("Nothing__c = null", True),
        ("Nothing__c > 3", False),
        ("Text__c > 3", False),
        ("Day__c = 2026-01-02", True),
        ("Day__c < 2026-01-01", False),
        ("Moment__c = 2026-01-02T04:04:05+01:00", True),
        ("Zulu__c >= 2026-01-02T03:04:05Z", True),
        ("Many__c INCLUDES ('green;red', 'blue')", True),
        ("Many__c EXCLUDES ('blue')", True),
        ("Name.LastName = 'lee'", True),
        ("Name.FirstName = null", True),
    ],
)
def test_filters(text: str, expected: bool) -> None:
    assert predicate(text)(VALUES) is expected


@pytest.mark.parametrize(
    "text", ["", "Text__c", "Text__c = 'x' LIMIT 1", "Text__c = 'x' ORDER BY Id", "Moment__c = 2026-13-45T00:00:00Z",
             "Day__c = TODAY", "DAY_ONLY(Moment__c) = 2026-01-01", "Id IN (SELECT Id FROM Account)"],
)  # fmt: skip
def test_filters_that_are_none_or_need_more_than_the_event_are_refused(text: str) -> None:
    with pytest.raises((MalformedQuery, QueryError)):
        predicate(text)
