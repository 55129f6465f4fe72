"""The event bus for our own commands: topics, what is captured, live changes of the selection."""

from __future__ import annotations

from typing import Any

from landbridge.errors import BadRequest, InsufficientAccess
from landbridge.events.channels import DEFAULT
from landbridge.wire.control.status import ROOT
from landbridge.wire.http.body import decode_object
from landbridge.wire.http.message import Call, Needs, Reply, Route, json_reply


def topics(call: Call) -> Reply:
    """`GET .../events/topics`: every topic that can show something, with its kind, schema and entities."""
    log = call.server.events
    found = []
    for name in log.topics.names():
        topic = log.topic(name)
        if topic is not None:
            found.append({
                "topic": topic.name, "kind": topic.kind, "schema_id": topic.schema_id or None,
                "entities": [entity.rpartition("/")[2] for entity in topic.entities],
            })  # fmt: skip
    return json_reply({"topics": found, "tip": log.tip(), "trimmed": log.trimmed})


def members(call: Call) -> Reply:
    """`GET .../events/capture`: which entities which channels carry."""
    return _members(call)


def capture(call: Call) -> Reply:
    """
    `POST .../events/capture`: `{"add": ["Account"]}` or `{"remove": ["Account"]}`, with `channel` and `filter` if wanted.

    All of it or, where one name is wrong, nothing; it is kept, and in effect with the reply.
    """
    if call.access.read_only:
        raise InsufficientAccess
    given = decode_object(call.request)
    channel = str(given.get("channel") or DEFAULT)
    condition = given.get("filter")
    selection = call.server.selection
    for name in _names(given, "add"):
        selection.add(call.writer, name, channel=channel, condition=None if condition is None else str(condition))
    for name in _names(given, "remove"):
        selection.remove(call.writer, name, channel=channel)
    return json_reply({"members": [_member(m) for m in selection.members(call.reader)]})


def _names(given: dict[str, Any], key: str) -> list[str]:
    names = given.get(key, [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise BadRequest(f"{key} is a list of names")
    return names


def _members(call: Call) -> Reply:
    return json_reply({"members": [_member(m) for m in call.server.selection.members(call.reader)]})


def _member(member: Any) -> dict[str, Any]:
    return {"channel": member.channel, "entity": member.entity, "filter": member.filter}


ROUTES = (
    Route("GET", f"{ROOT}/events/topics", topics, Needs.READ, metered=False),
    Route("GET", f"{ROOT}/events/capture", members, Needs.READ, metered=False),
    Route("POST", f"{ROOT}/events/capture", capture, Needs.WRITE, metered=False),
)
