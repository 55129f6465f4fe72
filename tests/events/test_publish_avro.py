"""Publishing as Pub/Sub does: a payload under a schema."""

from __future__ import annotations

import io
from typing import Any

import fastavro
import pytest

from landbridge.access import Access
from landbridge.errors import SalesforceError
from landbridge.storage import Unit
from tests.support.running import RunningOrg


def payload(bus: RunningOrg, schema_id: str, values: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    whole = {"CreatedDate": 0, "CreatedById": "", **values}
    fastavro.schemaless_writer(out, fastavro.parse_schema(bus.door.server.events.form(schema_id).schema.tree()), whole)
    return out.getvalue()


def publish(bus: RunningOrg, name: str, schema_id: str, data: bytes) -> Any:
    server = bus.door.server

    async def work() -> Any:
        topic = server.events.topic(name)
        assert topic is not None
        access = Access(server.org.admin_id)
        return await server.db.write(
            lambda tx: server.publisher.publish_avro(tx, access, topic, schema_id, data), Unit("test")
        )

    return bus.do(work)


def schema_of(bus: RunningOrg, name: str) -> str:
    topic = bus.door.server.events.topic(name)
    assert topic is not None
    return topic.schema_id


@pytest.mark.parametrize("name", ["/event/Later__e", "/event/Now__e"])
def test_a_payload_becomes_an_event_with_a_replay_id(bus: RunningOrg, tail: Any, name: str) -> None:
    events, schema_id = tail(name), schema_of(bus, name)
    values = {"Needed__c": "é", "Amount__c": 1.5, "Flag__c": True, "Day__c": 86_400_000, "Moment__c": 1_700_000_000_123}

    found = publish(bus, name, schema_id, payload(bus, schema_id, values))

    (event,) = events.events()
    assert (found.uuid, found.replay_id) == (event.uuid, event.replay_id)
    assert event.values == {
        "Needed__c": "é",
        "Amount__c": 1.5,
        "Flag__c": True,
        "Day__c": "1970-01-02",
        "Moment__c": "2023-11-14T22:13:20.123+0000",
    }
    schema = bus.door.server.events.form(schema_id).schema.tree()
    again: Any = fastavro.schemaless_reader(io.BytesIO(events.avro(event)), fastavro.parse_schema(schema), None)
    assert {key: again[key] for key in values} == values


@pytest.mark.ledger("events.publish.payload", "guessed", "the code is guessed; that it is refused is documented")
def test_a_payload_that_is_none_is_refused_by_name(bus: RunningOrg, tail: Any) -> None:
    events, schema_id = tail("/event/Later__e"), schema_of(bus, "/event/Later__e")
    good = payload(bus, schema_id, {"Needed__c": "a"})
    bad = [
        (schema_id, b"", "ends inside"),
        (schema_id, good[:-1], "ends inside|no boolean"),
        (schema_id, good + b"x", "behind the event"),
        (schema_of(bus, "/event/Now__e"), good, "none of /event/Later__e"),
        ("AAAAAAAAAAAAAAAAAAAAAA", good, "none of"),
        (schema_id, payload(bus, schema_id, {"Needed__c": "a", "Moment__c": 2**62}), "is no datetime"),
        (schema_id, payload(bus, schema_id, {"Needed__c": "a" * 81}), "too large"),
        (schema_id, payload(bus, schema_id, {"Needed__c": ""}), "Required fields"),
        (schema_id, payload(bus, schema_id, {"Needed__c": "a", "Amount__c": float("nan")}), "double"),
    ]

    for wanted, data, text in bad:
        with pytest.raises(SalesforceError, match=text):
            publish(bus, "/event/Later__e", wanted, data)

    assert events.events() == []
