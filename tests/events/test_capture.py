"""Change data capture: what is announced of a record's changes."""

from __future__ import annotations

from typing import Any

import pytest

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
