"""Change data capture: what is announced of a record's changes."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import fastavro
import pytest

from landbridge.access import Access
from landbridge.events import changes
from landbridge.storage import Unit
from tests.events.conftest import Tail
from tests.support.running import RunningOrg

ledger = pytest.mark.ledger


@ledger("events.change.create", "documented", "events.md section 5: every populated field, empty changedFields")
def test_a_create_announces_every_populated_field(bus: RunningOrg, tail: Any) -> None:
    events = tail("/data/AccountChangeEvent")

    account = bus.create("Account", Name="Acme", BillingCity="Bern", NumberOfEmployees=7)

    (event,) = events.events()
    assert event.header is not None
    assert event.header.change_type == "CREATE"
    assert event.header.record_ids == (account,)
    assert event.header.changed_fields == ()
    assert event.header.change_origin == "com/salesforce/api/rest/67.0"
    assert event.values["Name"] == "Acme"
    assert event.values["BillingAddress"] == {"City": "Bern"}
    assert event.values["NumberOfEmployees"] == 7
    assert "Industry" not in event.values
    assert event.key == account


@ledger("events.change.update", "observed", "recording events-cdc-update-contact")
def test_an_update_announces_what_changed(bus: RunningOrg, tail: Any) -> None:
    contact = bus.create("Contact", FirstName="Ann", LastName="Old", Department="x", Phone="1")
    events = tail("/data/ContactChangeEvent")

    bus.data("PATCH", f"/sobjects/Contact/{contact}", {"LastName": "New", "Department": None, "Phone": "1"})

    (event,) = events.events()
    assert event.header is not None
    assert event.header.changed_fields == ("Department", "LastModifiedDate", "Name.LastName")
    assert event.header.nulled_fields == ("Department",)
    assert event.values["Name"] == {"LastName": "New"}
    assert event.values["Department"] is None
    assert set(event.values) == {"Name", "Department", "LastModifiedDate"}


def headers(events: list[Any]) -> list[tuple[str, str, int]]:
    return [(event.header.change_type, event.header.entity_name, event.header.sequence_number) for event in events]


@ledger("events.change.recording", "observed", "recording events-cdc-update-contact: keys and their order")
def test_an_update_in_json_has_the_recorded_form(bus: RunningOrg, tail: Any, shared: Path) -> None:
    recorded = json.loads((shared / "recordings/events/events-cdc-update-contact.json").read_text())["response"]["body"]
    contact = bus.create("Contact", LastName="Older")
    events = tail("/data/ContactChangeEvent")

    bus.data("PATCH", f"/sobjects/Contact/{contact}", {"LastName": "Youngest"})

    (event,) = events.events()
    payload = events.json(event)["payload"]
    assert list(payload["ChangeEventHeader"]) == list(recorded["ChangeEventHeader"])
    assert {key: type(value) for key, value in payload["ChangeEventHeader"].items()} == {
        key: type(value) for key, value in recorded["ChangeEventHeader"].items()
    }
    assert payload["ChangeEventHeader"]["changedFields"] == recorded["ChangeEventHeader"]["changedFields"]
    assert set(payload) == set(recorded)
    assert payload["Name"] == recorded["Name"]
    assert len(payload["LastModifiedDate"]) == len(recorded["LastModifiedDate"])


@ledger("events.change.delete", "documented", "events.md section 5: header only; cascades announced")
@ledger("events.change.undelete", "documented", "events.md section 5: all populated fields; what came back with it too")
def test_deletes_and_undeletes_announce_what_went_and_came_along(bus: RunningOrg, tail: Any) -> None:
    account = bus.create("Account", Name="Parent", BillingCity="Bern")
    contact = bus.create("Contact", LastName="Child", AccountId=account)
    thing = bus.create("Thing__c", Name="linked", Parent__c=account)
    events = tail("/data/ChangeEvents")
    server = bus.door.server

    assert bus.data("DELETE", f"/sobjects/Account/{account}").status == 204

    gone = events.events()
    assert headers(gone) == [("DELETE", "Account", 1), ("DELETE", "Contact", 2), ("UPDATE", "Thing__c", 3)] or (
        headers(gone) == [("DELETE", "Account", 1), ("UPDATE", "Thing__c", 2), ("DELETE", "Contact", 3)]
    )
    assert len({event.transaction_key for event in gone}) == len({event.header.commit_number for event in gone}) == 1
    assert {event.key for event in gone} == {account, contact, thing}
    deleted = next(event for event in gone if event.key == account)
    assert deleted.values == {}
    unlinked = next(event for event in gone if event.key == thing)
    assert unlinked.header.nulled_fields == ("Parent__c",)
    assert unlinked.values["Parent__c"] is None

    async def undelete() -> None:
        entity = server.catalog.get("Account")
        assert entity is not None
        access = Access(server.org.admin_id)
        await server.db.write(lambda tx: server.bin.undelete(tx, server.catalog, access, entity, account), Unit("test"))

    bus.do(undelete)

    back = {event.key: event for event in events.events()}
    assert {key: event.header.change_type for key, event in back.items()} == {
        account: "UNDELETE", contact: "UNDELETE", thing: "UPDATE",
    }  # fmt: skip
    assert back[account].values["Name"] == "Parent"
    assert back[account].values["BillingAddress"] == {"City": "Bern"}
    assert back[contact].values["Name"]["LastName"] == "Child"
    assert back[thing].values["Parent__c"] == account


@ledger(
    "events.change.transaction", "documented", "one transactionKey and rising sequence numbers (events.md section 5)"
)
def test_a_unit_of_work_has_one_key_and_rising_numbers(bus: RunningOrg, tail: Any) -> None:
    events = tail("/data/ChangeEvents")

    reply = bus.data("POST", "/composite", {"allOrNone": True, "compositeRequest": [
        {"method": "POST", "url": "/services/data/v67.0/sobjects/Account", "referenceId": "a", "body": {"Name": "One"}},
        {"method": "POST", "url": "/services/data/v67.0/sobjects/Contact", "referenceId": "b",
         "body": {"LastName": "Two", "AccountId": "@{a.id}"}},
        {"method": "PATCH", "url": "/services/data/v67.0/sobjects/Account/@{a.id}", "referenceId": "c", "body": {"Phone": "1"}},
    ]}, headers={"Sforce-Call-Options": "client=SfdcTest/1.0"})  # fmt: skip

    assert [one["httpStatusCode"] for one in reply.json["compositeResponse"]] == [201, 201, 204]
    found = events.events()
    assert headers(found) == [("CREATE", "Account", 1), ("CREATE", "Contact", 2), ("UPDATE", "Account", 3)]
    assert len({event.transaction_key for event in found}) == 1
    assert {event.header.change_origin for event in found} == {"com/salesforce/api/rest/67.0;client=SfdcTest/1.0"}
    bus.create("Account", Name="Other")
    (other,) = events.events()
    assert other.transaction_key != found[0].transaction_key
    assert other.header.commit_number > found[0].header.commit_number


def test_what_is_rolled_back_is_not_announced(bus: RunningOrg, tail: Any) -> None:
    events = tail("/data/ChangeEvents")

    bus.data("POST", "/composite", {"allOrNone": True, "compositeRequest": [
        {"method": "POST", "url": "/services/data/v67.0/sobjects/Account", "referenceId": "a", "body": {"Name": "One"}},
        {"method": "POST", "url": "/services/data/v67.0/sobjects/Contact", "referenceId": "b", "body": {}},
    ]})  # fmt: skip
    some = bus.data("POST", "/composite/sobjects", {"records": [
        {"attributes": {"type": "Account"}, "Name": "kept"}, {"attributes": {"type": "Account"}},
        {"attributes": {"type": "Contact"}, "LastName": "kept"},
    ]})  # fmt: skip

    assert [one["success"] for one in some.json] == [True, False, True]
    assert [event.values["Name"] for event in events.events()] == ["kept", {"LastName": "kept"}]


@ledger("events.change.same", "guessed", "an update with the same values is announced with LastModifiedDate alone")
def test_an_update_that_changes_nothing_is_announced_as_touched(bus: RunningOrg, tail: Any) -> None:
    account = bus.create("Account", Name="Same", Phone="1")
    events = tail("/data/AccountChangeEvent")

    bus.data("PATCH", f"/sobjects/Account/{account}", {"Name": "Same", "Phone": "1"})

    (event,) = events.events()
    assert event.header.changed_fields == ("LastModifiedDate",)


def test_a_location_is_nested(bus: RunningOrg, tail: Any) -> None:
    events = tail("/data/Thing__ChangeEvent")
    thing = bus.create("Thing__c", Name="x", Place__Latitude__s=46.9, Place__Longitude__s=7.4)
    bus.data("PATCH", f"/sobjects/Thing__c/{thing}", {"Place__Latitude__s": 47})

    created, updated = events.events()
    assert created.values["Place__c"] == {"Latitude": 46.9, "Longitude": 7.4}
    assert updated.values["Place__c"] == {"Latitude": 47.0}
    assert updated.header.changed_fields == ("LastModifiedDate", "Place__c.Latitude")


@ledger(
    "events.gap.overflow", "documented", "above 100,000 changes in a transaction (events.md section 5); ids unverified"
)
def test_very_many_changes_end_in_one_overflow_an_object(
    bus: RunningOrg, tail: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "OVERFLOW", 3)
    events = tail("/data/ChangeEvents")

    records = [{"attributes": {"type": "Account"}, "Name": f"n{n}"} for n in range(5)]
    records += [{"attributes": {"type": "Contact"}, "LastName": "x"} for n in range(2)]
    bus.data("POST", "/composite/sobjects", {"records": records})

    found = events.events()
    assert headers(found) == [
        ("CREATE", "Account", 1), ("CREATE", "Account", 2), ("CREATE", "Account", 3), ("GAP_OVERFLOW", "Account", 4),
        ("GAP_OVERFLOW", "Contact", 5),
    ]  # fmt: skip
    assert found[3].header.record_ids == ("000000000000000AAA",)
    assert found[3].values == {}
    fastavro_decodes(bus, events, found[3])


@ledger("events.gap", "documented", "an event that can't be built is announced as GAP_ (events.md section 5)")
def test_an_event_that_is_too_large_is_announced_without_values(
    bus: RunningOrg, tail: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "LARGEST", 2000)
    events = tail("/data/AccountChangeEvent")

    account = bus.create("Account", Name="x", Description="y" * 3000)
    bus.data("PATCH", f"/sobjects/Account/{account}", {"Description": "z" * 3000})
    bus.data("PATCH", f"/sobjects/Account/{account}", {"Name": "small"})

    found = events.events()
    assert [event.header.change_type for event in found] == ["GAP_CREATE", "GAP_UPDATE", "UPDATE"]
    assert found[0].values == found[1].values == {}
    assert found[0].header.record_ids == (account,)


def fastavro_decodes(bus: RunningOrg, events: Any, event: Any) -> None:
    schema = bus.door.server.events.form(event.schema_id).schema.tree()
    fastavro.schemaless_reader(io.BytesIO(events.avro(event)), fastavro.parse_schema(schema), None)


@ledger("events.capture.off", "documented", "no entry without a selection (ARCHITECTURE, decided already)")
def test_objects_that_are_not_selected_leave_nothing(bus: RunningOrg, tail: Any) -> None:
    tip = bus.door.server.events.tip()

    bus.create("Lead", LastName="x", Company="y")

    assert bus.door.server.events.tip() == tip


def test_the_real_project_announces_and_publishes(home: Path, shared: Path) -> None:
    folder = shared / "realinput" / "ebikes"
    with RunningOrg(home=home, source=(folder,), capture=("Order__c",)) as org:
        orders, made = Tail(org, "/data/Order__ChangeEvent"), Tail(org, "/event/Manufacturing_Event__e")
        account = org.create("Account", Name="Wheelworks")
        order = org.create("Order__c", Account__c=account)
        org.data("PATCH", f"/sobjects/Order__c/{order}", {"Status__c": "Submitted to Manufacturing"})
        event = org.create("Manufacturing_Event__e", Order_Id__c=order, Status__c="Approved by Manufacturing")

        created, updated = orders.events()
        assert created.values["Account__c"] == account
        assert updated.header.changed_fields == ("LastModifiedDate", "Status__c")
        assert updated.values["Status__c"] == "Submitted to Manufacturing"
        assert event.endswith("xx0000000001AAA")
        assert made.events()[0].values["Order_Id__c"] == order
