"""Platform events over REST: what is answered, what lands in the log, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.events.conftest import FIELD, event_object
from tests.support.running import RunningOrg

ledger = pytest.mark.ledger


@ledger("events.publish", "observed", "the publish reply of events.md section 4 (Postman collection)")
def test_publishing_answers_operation_enqueued_and_lands_in_the_log(bus: RunningOrg, tail: Any) -> None:
    events = tail("/event/Later__e")

    reply = bus.data(
        "POST", "/sobjects/Later__e", {"Needed__c": "a", "Amount__c": 2, "Moment__c": "2026-01-02T03:04:05Z"}
    )

    assert reply.status == 201
    assert list(reply.json) == ["id", "success", "errors"]
    assert reply.json["success"] is True
    prefix = bus.data("GET", "/sobjects/Later__e/describe").json["keyPrefix"]
    assert reply.json["id"] == f"{prefix}xx0000000001AAA"
    assert reply.headers["location"] == f"/services/data/v67.0/sobjects/Later__e/{reply.json['id']}"
    (event,) = events.events()
    assert reply.json["errors"] == [{"statusCode": "OPERATION_ENQUEUED", "message": event.uuid, "fields": []}]
    assert event.topic == "/event/Later__e"
    assert event.values == {
        "Needed__c": "a",
        "Amount__c": 2.0,
        "Flag__c": False,
        "Moment__c": "2026-01-02T03:04:05.000+0000",
    }
    assert event.created_by == bus.ready["user_id"]
    assert event.key == event.uuid


@ledger("events.json", "documented", "events.md section 3: payload with every field, replayId, EventUuid, EventApiName")
def test_an_event_as_json_has_every_field(bus: RunningOrg, tail: Any) -> None:
    events = tail("/event/Later__e")
    bus.create("Later__e", Needed__c="a", Moment__c="2026-01-02T03:04:05Z")

    (event,) = events.events()
    data = events.json(event)

    assert data["schema"] == event.schema_id
    assert data["event"] == {"replayId": event.replay_id, "EventUuid": event.uuid, "EventApiName": "Later__e"}
    payload = data["payload"]
    assert list(payload)[:2] == ["CreatedDate", "CreatedById"]
    assert payload["CreatedDate"].endswith("Z")
    assert payload["Moment__c"] == "2026-01-02T03:04:05.000Z"
    assert payload["Text__c"] is None


@ledger("events.checks", "documented", "events.md section 2: field types allowed; errors as for records")
@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({}, "REQUIRED_FIELD_MISSING"),
        ({"Needed__c": "a", "Nothing__c": 1}, "INVALID_FIELD"),
        ({"Needed__c": "a", "Amount__c": "x"}, "JSON_PARSER_ERROR"),
        ({"Needed__c": "a" * 81}, "STRING_TOO_LONG"),
        ({"Needed__c": "a", "ReplayId": "1"}, "INVALID_FIELD_FOR_INSERT_UPDATE"),
    ],
)
def test_what_breaks_the_schema_is_refused_and_leaves_nothing(
    bus: RunningOrg, tail: Any, values: dict[str, Any], code: str
) -> None:
    events = tail("/event/Later__e")

    reply = bus.data("POST", "/sobjects/Later__e", values)

    assert (reply.status, reply.error) == (400, code)
    assert events.events() == []


@ledger("error.InvalidEventInput", "guessed", "1 MB documented (events.md section 2), the code chosen from the WSDL's")
def test_an_event_over_one_megabyte_is_refused(home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "objects" / "Big__e"
    folder.mkdir(parents=True)
    long = "<type>LongTextArea</type><length>131072</length><visibleLines>3</visibleLines>"
    fields = [FIELD.format(f"Long{n}__c", long) for n in range(9)]
    (folder / "Big__e.object-meta.xml").write_text(event_object("PublishAfterCommit", *fields))
    with RunningOrg(home=home, source=(tmp_path,)) as org:
        fits = org.data("POST", "/sobjects/Big__e", {f"Long{n}__c": "x" * 130_000 for n in range(8)})
        reply = org.data("POST", "/sobjects/Big__e", {f"Long{n}__c": "x" * 130_000 for n in range(9)})
        tip = org.door.server.events.tip()

    assert fits.status == 201
    assert (reply.status, reply.error) == (400, "INVALID_EVENT_INPUT")
    assert tip == 1


@ledger("error.LimitExceeded", "documented", "events.md section 2: LIMIT_EXCEEDED when the hourly allocation is spent")
def test_the_hourly_allocation_is_counted_enforced_and_reported(home: Path, source: Path) -> None:
    with RunningOrg(home=home, source=(source,), hourly_published_events=3) as org:
        statuses = [org.data("POST", "/sobjects/Later__e", {"Needed__c": "a"}).status for _ in range(3)]
        refused = org.data("POST", "/sobjects/Later__e", {"Needed__c": "a"})
        org.data("POST", "/sobjects/Later__e", {})
        limits = org.data("GET", "/limits").json

    assert statuses == [201, 201, 201]
    assert (refused.status, refused.error) == (400, "LIMIT_EXCEEDED")
    assert limits["HourlyPublishedPlatformEvents"] == {"Max": 3, "Remaining": 0}


@ledger("events.behavior.after", "documented", "PublishAfterCommit: lost on rollback (events.md section 2)")
@ledger("events.behavior.immediately", "documented", "PublishImmediately: published even if the transaction rolls back")
def test_only_immediate_events_survive_a_rollback(bus: RunningOrg, tail: Any) -> None:
    later, now = tail("/event/Later__e"), tail("/event/Now__e")
    before = bus.data("GET", "/limits").json["HourlyPublishedPlatformEvents"]["Remaining"]

    def request(name: str) -> dict[str, Any]:
        return {"method": "POST", "url": f"/services/data/v67.0/sobjects/{name}", "referenceId": name,
                "body": {"Needed__c": "a"}}  # fmt: skip

    failing = {"method": "POST", "url": "/services/data/v67.0/sobjects/Contact", "referenceId": "c", "body": {}}
    reply = bus.data("POST", "/composite", {"allOrNone": True, "compositeRequest": [
        request("Later__e"), request("Now__e"), failing,
    ]})  # fmt: skip

    assert [one["httpStatusCode"] for one in reply.json["compositeResponse"]] == [400, 400, 400]
    assert later.events() == []
    assert [event.values["Needed__c"] for event in now.events()] == ["a"]
    after = bus.data("GET", "/limits").json["HourlyPublishedPlatformEvents"]["Remaining"]
    assert before - after == 1


@ledger("events.publish.lists", "documented", "also Collections (events.md section 2)")
def test_collections_trees_and_composites_publish(bus: RunningOrg, tail: Any) -> None:
    events = tail("/event/Later__e")

    many = bus.data("POST", "/composite/sobjects", {"records": [
        {"attributes": {"type": "Later__e"}, "Needed__c": "one"}, {"attributes": {"type": "Later__e"}},
        {"attributes": {"type": "Later__e"}, "Needed__c": "two"},
    ]}).json  # fmt: skip
    single = bus.data("POST", "/composite", {"compositeRequest": [
        {"method": "POST", "url": "/services/data/v67.0/sobjects/Later__e", "referenceId": "e", "body": {"Needed__c": "three"}},
    ]}).json["compositeResponse"][0]  # fmt: skip

    assert [one["success"] for one in many] == [True, False, True]
    found = events.events()
    assert [event.values["Needed__c"] for event in found] == ["one", "two", "three"]
    assert [one["errors"][0]["statusCode"] for one in (many[0], many[2], single["body"])] == ["OPERATION_ENQUEUED"] * 3
    assert single["body"]["errors"][0]["message"] == found[2].uuid
    assert many[1]["errors"][0]["statusCode"] == "REQUIRED_FIELD_MISSING"


@ledger("events.soql", "guessed", "no SOQL on events is documented; the words are those for objects that are not there")
def test_events_can_not_be_queried_changed_or_read(bus: RunningOrg) -> None:
    query = bus.query("SELECT Id FROM Later__e")
    found = [
        bus.data(method, "/sobjects/Later__e/e00xx0000000001AAA", {"Needed__c": "a"} if method == "PATCH" else None)
        for method in ("GET", "PATCH", "DELETE")
    ]

    assert (query.status, query.error) == (400, "INVALID_TYPE")
    assert "sObject type 'Later__e' is not supported." in query.json[0]["message"]
    assert [reply.status for reply in found] == [404, 400, 400]


@ledger("events.soap", "differs", "SOAP create is refused aloud")
def test_soap_create_is_refused_aloud(bus: RunningOrg) -> None:
    body = (
        '<?xml version="1.0"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>'
        '<create xmlns="urn:partner.soap.sforce.com"><sObjects><type>Later__e</type></sObjects></create>'
        "</soapenv:Body></soapenv:Envelope>"
    )
    reply = bus.request(
        "POST", "/services/Soap/u/67.0", body.encode(), headers={"Content-Type": "text/xml", "SOAPAction": "create"}
    )

    assert reply.status == 500
    assert b"create" in reply.raw


def test_a_user_who_may_only_read_publishes_nothing(bus: RunningOrg, tail: Any) -> None:
    events = tail("/event/Later__e")

    reply = bus.data("POST", "/sobjects/Later__e", {"Needed__c": "a"}, token=bus.integration_token())

    assert (reply.status, reply.error) == (403, "INSUFFICIENT_ACCESS_OR_READONLY")
    assert events.events() == []
