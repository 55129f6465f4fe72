"""
Events as the messages of one channel, for the eyes of one reader. Bytes are made once per event and shared.

Change events show a user the fields they may see (platform events have no field rights): who has hidden fields gets bytes of
their own, without them. Source: `events.md` sections 2 and 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from landbridge.access import Access
from landbridge.events import Event, EventLog, Topic
from landbridge.wire.cometd.messages import event_message

MAX_BYTES = 1 << 20
"""Of one channel's events in one answer; a single event that is larger goes alone."""
_NAMES = ("changedFields", "nulledFields", "diffFields")


class Render:
    """The messages of a log's events."""

    def __init__(self, log: EventLog) -> None:
        self._log = log

    def eyes(self, topic: Topic, access: Access) -> str:
        """Readers with equal eyes get the same bytes; "" sees all there is."""
        return access.fingerprint if access.hidden and topic.kind != "event" else ""

    def messages(self, channel: str, events: Sequence[Event], access: Access, eyes: str) -> tuple[bytes, int]:
        """The first events, as many as MAX_BYTES takes, joined by commas; and the replay id of the last of them."""
        name = msgspec.json.encode(channel)
        found: list[bytes] = []
        size = 0
        last = 0
        for event in events:
            data = self._log.json(event)
            if eyes:
                data = msgspec.json.encode(visible(msgspec.json.decode(data), access))
            size += len(data)
            if found and size > MAX_BYTES:
                break
            found.append(event_message(data, name))
            last = event.replay_id
        return b",".join(found), last


def visible(data: dict[str, Any], access: Access) -> dict[str, Any]:
    """A `data` object without what `access` hides: of a change event neither values nor their names in its header."""
    payload = data["payload"]
    header = payload.get("ChangeEventHeader")
    if header is None:
        return data
    sobject = header["entityName"]
    kept: dict[str, Any] = {}
    for name, value in payload.items():
        if name == "ChangeEventHeader":
            lists = {key: [n for n in header[key] if _readable(access, sobject, n)] for key in _NAMES if key in header}
            kept[name] = header | lists
        elif _readable(access, sobject, name):
            if isinstance(value, dict):
                value = {part: v for part, v in value.items() if _readable(access, sobject, f"{name}.{part}")}
            kept[name] = value
    return data | {"payload": kept}


def _readable(access: Access, sobject: str, name: str) -> bool:
    """Whether a field may be seen; a part of a compound is a field of its own: Name.FirstName, BillingAddress.City."""
    compound, dot, part = name.partition(".")
    if not access.readable(sobject, compound):
        return False
    if not dot:
        return True
    if compound.endswith("Address"):
        part = compound.removesuffix("Address") + part
    elif compound.endswith("__c"):
        part = f"{compound[:-1]}{part}__s"
    return access.readable(sobject, part)
