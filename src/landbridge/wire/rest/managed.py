"""
ManagedEventSubscription over the Tooling API: create, read, change, delete, and the query that Pub/Sub clients begin with.

`Metadata` and `FullName` are fields that SOQL over tables does not know, so the query is answered here: these fields, WHERE by Id
or DeveloperName, LIMIT. Anything else is refused by name.

Source: `events.md` section 4; the query as salesforce-pubsub-api-client sends it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec

from landbridge import soql
from landbridge.errors import InsufficientAccess, InvalidField, JsonParserError, NotFound, Unsupported
from landbridge.events.managed import Managed
from landbridge.soql.tree import Compare, Condition, Item, Path, Query
from landbridge.wire.http.message import Call, Needs, Reply, Route, json_reply

NAME = "ManagedEventSubscription"
_PATH = "/services/data/{version}/tooling"
_FROM = re.compile(rf"\bFROM\s+{NAME}\b", re.IGNORECASE)
_FIELDS: dict[str, tuple[str, Callable[[Managed], Any]]] = {
    "id": ("Id", lambda one: one.id), "developername": ("DeveloperName", lambda one: one.developer_name),
    "fullname": ("FullName", lambda one: one.developer_name), "masterlabel": ("MasterLabel", lambda one: one.label),
    "topicname": ("TopicName", lambda one: one.topic), "defaultreplay": ("DefaultReplay", lambda one: one.default_replay),
    "errorrecoveryreplay": ("ErrorRecoveryReplay", lambda one: one.recovery_replay),
    "state": ("State", lambda one: one.state), "metadata": ("Metadata", lambda one: one.metadata()),
}  # fmt: skip


def asks(text: str) -> bool:
    """Whether a statement of the Tooling API is about managed subscriptions."""
    return _FROM.search(text) is not None


def query(call: Call) -> Reply:
    """`GET /tooling/query?q=SELECT ... FROM ManagedEventSubscription`."""
    asked = soql.parse(call.request.query()["q"])
    if asked.source.path.text.lower() != NAME.lower():
        raise Unsupported(f"the Tooling API: {NAME} beside other objects in one query")
    found = [one for one in call.server.managed.all(call.reader) if _holds(asked.where, one)]
    rows = [_row(call, one, asked) for one in found[: asked.limit]]
    return json_reply({"size": len(rows), "totalSize": len(rows), "done": True, "queryLocator": None,
                       "entityTypeName": NAME, "records": rows})  # fmt: skip


def _holds(condition: Condition | None, one: Managed) -> bool:
    if condition is None:
        return True
    if not isinstance(condition, Compare) or condition.op != "=" or not isinstance(condition.operand, Path):
        raise Unsupported(f"the Tooling API: {NAME} by anything but one field = value")
    _, read = _field(condition.operand.text, condition.operand.at)
    wanted, value = str(condition.value.value), read(one)
    if condition.operand.text.lower() == "id":
        return str(value)[:15] == wanted[:15]
    return str(value).lower() == wanted.lower()


def _row(call: Call, one: Managed, asked: Query) -> dict[str, Any]:
    row: dict[str, Any] = {
        "attributes": {"type": NAME, "url": f"{call.data_path}/tooling/sobjects/{NAME}/{one.id}"},
    }
    for item in asked.select:
        if not isinstance(item, Item) or not isinstance(item.what, Path):
            raise Unsupported(f"the Tooling API: functions and subqueries over {NAME}")
        name, read = _field(item.what.text, item.what.at)
        row[name] = read(one)
    return row


def _field(name: str, at: int) -> tuple[str, Callable[[Managed], Any]]:
    found = _FIELDS.get(name.lower())
    if found is None:
        raise InvalidField(f"No such column '{name}' on entity '{NAME}'.", at)
    return found


class _Given(msgspec.Struct):
    FullName: str = ""
    DeveloperName: str = ""
    Metadata: dict[str, Any] = msgspec.field(default_factory=dict)


def _given(call: Call) -> _Given:
    if call.access.read_only:
        raise InsufficientAccess
    try:
        return msgspec.json.decode(call.request.body, type=_Given)
    except msgspec.DecodeError as error:
        raise JsonParserError(str(error)) from error


def _find(call: Call) -> Managed:
    found = call.server.managed.find(call.tx, id=call.params["id"])
    if found is None:
        raise NotFound
    return found


def create(call: Call) -> Reply:
    """`POST /tooling/sobjects/ManagedEventSubscription` with FullName and Metadata."""
    given = _given(call)
    made = call.server.managed.create(call.writer, given.FullName or given.DeveloperName, given.Metadata)
    return json_reply({"id": made.id, "success": True, "errors": [], "warnings": [], "infos": []}, 201)


def read(call: Call) -> Reply:
    """`GET /tooling/sobjects/ManagedEventSubscription/{id}`."""
    one = _find(call)
    row: dict[str, Any] = {
        "attributes": {"type": NAME, "url": f"{call.data_path}/tooling/sobjects/{NAME}/{one.id}"},
    }
    return json_reply(row | {name: value(one) for name, value in _FIELDS.values()})


def change(call: Call) -> Reply:
    """`PATCH .../{id}` with Metadata; settings not given stay."""
    given = _given(call)
    call.server.managed.change(call.writer, _find(call), given.Metadata)
    return Reply(204)


def delete(call: Call) -> Reply:
    """`DELETE .../{id}`: the subscription and its position."""
    if call.access.read_only:
        raise InsufficientAccess
    known = _find(call)
    call.server.managed.remove(call.writer, known)
    call.server.subscriptions.remove(call.writer, known.developer_name)
    return Reply(204)


ROUTES = (
    Route("POST", f"{_PATH}/sobjects/{NAME}", create, Needs.WRITE),
    Route("GET", f"{_PATH}/sobjects/{NAME}/{{id}}", read, Needs.READ),
    Route("PATCH", f"{_PATH}/sobjects/{NAME}/{{id}}", change, Needs.WRITE),
    Route("DELETE", f"{_PATH}/sobjects/{NAME}/{{id}}", delete, Needs.WRITE),
)
