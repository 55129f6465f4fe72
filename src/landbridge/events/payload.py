"""
An event's bytes under its schema: the Avro payload with bitmaps, and the JSON `data` object. Pure.

Source: `events.md` sections 3 and 5; the JSON form of a header as recorded (events-cdc-update-contact), without bitmaps.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from landbridge.events import bitmaps
from landbridge.events.avro import Codec
from landbridge.events.model import ChangeHeader, Event
from landbridge.events.schemas import Schema

_ENCODE = msgspec.json.Encoder().encode


class Form:
    """One schema with what encoding under it needs, made once."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.codec = Codec(schema.tree())
        self._nulls: dict[str, Any] = dict.fromkeys(self.codec.fields[2:])
        self._layout = bitmaps.Layout({name: i for i, name in enumerate(self.codec.fields)}, self.codec.parts)

    def avro(self, event: Event) -> bytes:
        """The payload of a Pub/Sub message."""
        if event.header is None:
            head: dict[str, Any] = {"CreatedDate": event.created, "CreatedById": event.created_by}
        else:
            head = {"ChangeEventHeader": self._header(event.header)}
        return self.codec.encode(head | event.values)

    def _header(self, found: ChangeHeader) -> dict[str, Any]:
        return {
            "entityName": found.entity_name,
            "recordIds": found.record_ids,
            "changeType": found.change_type,
            "changeOrigin": found.change_origin,
            "transactionKey": found.transaction_key,
            "sequenceNumber": found.sequence_number,
            "commitTimestamp": found.commit_timestamp,
            "commitNumber": found.commit_number,
            "commitUser": found.commit_user,
            "nulledFields": bitmaps.encode(found.nulled_fields, self._layout),
            "diffFields": bitmaps.encode(found.diff_fields, self._layout),
            "changedFields": bitmaps.encode(found.changed_fields, self._layout),
        }

    def json(self, event: Event) -> bytes:
        """The `data` object of a CometD message, as JSON text."""
        return _ENCODE(self.data(event))

    def data(self, event: Event) -> dict[str, Any]:
        """The `data` object. A platform event shows every field of its schema, null where it has none."""
        values = event.values
        moments = self.codec.moments
        if not moments.isdisjoint(values):
            values = {name: _z(value) if name in moments else value for name, value in values.items()}
        if event.header is None:
            payload = {"CreatedDate": _z(event.created), "CreatedById": event.created_by, **self._nulls, **values}
        else:
            payload = {**values, "ChangeEventHeader": header(event.header)}
        return {
            "schema": event.schema_id,
            "payload": payload,
            "event": {"replayId": event.replay_id, "EventUuid": event.uuid, "EventApiName": event.entity},
        }


def _z(moment: Any) -> Any:
    """A stored datetime as payloads spell it: `...26.000Z`. Dates, times and numbers stay."""
    return moment[:23] + "Z" if isinstance(moment, str) and len(moment) == 28 else moment


def header(found: ChangeHeader) -> Mapping[str, Any]:
    """A change event's header with plain names, keys in the recorded order."""
    return {
        "commitNumber": found.commit_number,
        "commitUser": found.commit_user,
        "sequenceNumber": found.sequence_number,
        "entityName": found.entity_name,
        "changeType": found.change_type,
        "changedFields": found.changed_fields,
        "changeOrigin": found.change_origin,
        "transactionKey": found.transaction_key,
        "commitTimestamp": found.commit_timestamp,
        "recordIds": found.record_ids,
    }
