"""
Channels over the Tooling API: how clients switch Change Data Capture on and off.

`POST /tooling/sobjects/PlatformEventChannelMember` with FullName and Metadata puts an entity on a channel,
`PlatformEventChannel` makes a channel of one's own. It takes effect with the commit.

Source: `metadata.md` section 3 (bodies of Salesforce's Postman collection), recordings events-channel, events-channel-member,
tooling-create-sandbox (the reply of a create).
"""

from __future__ import annotations

from typing import Any

from landbridge.errors import DuplicateValue, FieldIntegrity, NotFound, RequiredFieldMissing, Unsupported
from landbridge.storage import Reader
from landbridge.wire.http.body import decode_object
from landbridge.wire.http.message import Call, Reply, json_reply

MEMBER, CHANNEL = "PlatformEventChannelMember", "PlatformEventChannel"
NAMES = (MEMBER, CHANNEL)

FIND_MEMBER = """
    SELECT "Id" FROM "PlatformEventChannelMember"
    WHERE "EventChannel" = ?1 COLLATE NOCASE AND "SelectedEntity" = ?2 COLLATE NOCASE
"""
MEMBER_OF = """SELECT "EventChannel", "SelectedEntity" FROM "PlatformEventChannelMember" WHERE "Id" = ?"""
FIND_CHANNEL = """SELECT "Id" FROM "PlatformEventChannel" WHERE "FullName" = ? COLLATE NOCASE"""


def create(call: Call, name: str) -> Reply:
    """A new member or channel: 201 with the reply of the Tooling API."""
    given = decode_object(call.request)
    metadata = _metadata(given)
    record_id = _member(call, metadata) if name == MEMBER else _channel(call, given, metadata)
    location = f"{call.data_path}/tooling/sobjects/{name}/{record_id}".encode()
    saved = {"id": record_id, "success": True, "errors": [], "warnings": [], "infos": []}
    return json_reply(saved, 201, [(b"Location", location)])


def _member(call: Call, metadata: dict[str, Any]) -> str:
    channel, entity = _text(metadata, "eventChannel"), _text(metadata, "selectedEntity")
    known = call.tx.one(FIND_MEMBER, (channel, entity))
    if known is not None:
        raise DuplicateValue("DeveloperName", known[0])
    found = call.server.selection.add(call.writer, entity, channel=channel, condition=_condition(metadata))
    return _id(call.reader, FIND_MEMBER, (found.channel, found.entity))


def _channel(call: Call, given: dict[str, Any], metadata: dict[str, Any]) -> str:
    name = _text(given, "FullName")
    known = call.tx.one(FIND_CHANNEL, (name,))
    if known is not None:
        raise DuplicateValue("DeveloperName", known[0])
    call.server.selection.add_channel(
        call.writer, name, str(metadata.get("channelType") or "data"), str(metadata.get("label") or "")
    )
    return _id(call.reader, FIND_CHANNEL, (name,))


def update(call: Call, name: str) -> Reply:
    """The filter of a member: 204."""
    if name != MEMBER:
        raise Unsupported("changes of a channel over the Tooling API")
    channel, entity = _known(call)
    metadata = _metadata(decode_object(call.request))
    for key, kept in (("eventChannel", channel), ("selectedEntity", entity)):
        if str(metadata.get(key, kept)).lower() != kept.lower():
            raise FieldIntegrity(f"{key} of a member can't be changed: delete it and make another one", fields=())
    call.server.selection.add(call.writer, entity, channel=channel, condition=_condition(metadata))
    return Reply(204)


def delete(call: Call, name: str) -> Reply:
    """Take an entity off its channel: 204."""
    if name != MEMBER:
        raise Unsupported("deletes of a channel over the Tooling API")
    channel, entity = _known(call)
    call.server.selection.remove(call.writer, entity, channel=channel)
    return Reply(204)


def _known(call: Call) -> tuple[str, str]:
    row = call.tx.one(MEMBER_OF, (call.params["id"],))
    if row is None:
        raise NotFound
    return row[0], row[1]


def _metadata(given: dict[str, Any]) -> dict[str, Any]:
    metadata = given.get("Metadata")
    if not isinstance(metadata, dict):
        raise RequiredFieldMissing(["Metadata"])
    return metadata


def _text(given: dict[str, Any], key: str) -> str:
    value = given.get(key)
    if not isinstance(value, str) or not value:
        raise RequiredFieldMissing([key])
    return value


def _condition(metadata: dict[str, Any]) -> str | None:
    if metadata.get("enrichedFields"):
        raise Unsupported("enriched fields of a channel member")
    value = metadata.get("filterExpression")
    return str(value) if value else None


def _id(reader: Reader, sql: str, params: tuple[str, ...]) -> str:
    row = reader.one(sql, params)
    assert row is not None
    return str(row[0])
