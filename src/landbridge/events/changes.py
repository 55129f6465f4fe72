"""
From a record's change to its change event. Pure.

A CREATE or UNDELETE carries every populated field, an UPDATE the changed ones and LastModifiedDate, a DELETE none. Compounds
are nested (`Name.FirstName`); what became null is null in the values and named in `nulled_fields`.

Source: `events.md` section 5; a CREATE's empty changedFields as documented there.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from landbridge.chance import Chance
from landbridge.events import headers
from landbridge.events.draft import Draft
from landbridge.events.log import SQLEventLog
from landbridge.events.model import change_entity
from landbridge.events.places import Places
from landbridge.storage import Tx
from landbridge.storage.change import Captured, Change

OVERFLOW = 100_000
"""Changes of one transaction above which the rest is announced by entity alone (GAP_OVERFLOW)."""
LARGEST = 1024 * 1024
"""Bytes of an event's values above which it is announced without them (GAP_*)."""
NO_RECORD = "000000000000000AAA"
ALWAYS_CHANGED = "LastModifiedDate"


class Frame:
    """What the change events of one unit have in common. `timestamp` in epoch milliseconds."""

    __slots__ = ("number", "origin", "timestamp", "transaction_key", "user")

    def __init__(self, transaction_key: str, timestamp: int, number: int, user: str, origin: str) -> None:
        self.transaction_key = transaction_key
        self.timestamp = timestamp
        self.number = number
        self.user = user
        self.origin = origin


def drafts(captured: Sequence[Captured], tx: Tx, user: str, log: SQLEventLog, chance: Chance) -> list[Draft]:
    """The change events of one unit, in order."""
    frame = Frame(tx.key, log.milliseconds(tx), log.next_id, user, tx.unit.origin)
    found: list[Draft] = []
    overflowed: set[str] = set()
    name = ""
    for one in captured:
        change, sequence = one.change, one.sequence
        if sequence > OVERFLOW:
            if change.sobject not in overflowed:
                overflowed.add(change.sobject)
                found.append(overflow(frame, change.sobject, OVERFLOW + len(overflowed), chance.key()))
            continue
        if change.sobject != name:
            name = change.sobject
            places = log.places(name)
        made = draft(frame, places, change, one.changed, sequence, chance.key())
        # Most objects have no room for so much text, whatever is written into it.
        fits = places.longest <= LARGEST or len(msgspec.json.encode(made.values)) <= LARGEST
        found.append(made if fits else gap(frame, change, sequence, made.uuid))
    return found


def draft(
    frame: Frame, places: Places, change: Change, changed: Collection[str], sequence: int, uuid: str
) -> Draft:  # fmt: skip
    """The event of one change; `changed` names the columns of an UPDATE that differ."""
    kind = str.__str__(change.kind)  # a member of an enum becomes plain text, without the enum's own way to it
    values: dict[str, Any] = {}
    names: tuple[str, ...] = ()
    nulled: tuple[str, ...] = ()
    if kind == "UPDATE":
        values, names, nulled = places.updated(change.values, changed)
    elif kind != "DELETE":
        values = places.populated(change.values, change.written)
    return _draft(frame, places.entity, change.sobject, change.record_id, kind, sequence, uuid, values, names, nulled)


def _draft(
    frame: Frame, entity: str, sobject: str, record_id: str, kind: str, sequence: int, uuid: str, values: dict[str, Any],
    names: tuple[str, ...] = (), nulled: tuple[str, ...] = (),
) -> Draft:  # fmt: skip
    header = headers.new(
        sobject, record_id, kind, frame.origin, frame.transaction_key, sequence, frame.timestamp, frame.number, frame.user,
        nulled, names,
    )  # fmt: skip
    return Draft(entity, uuid, record_id, frame.user, values, header)


def gap(frame: Frame, change: Change, sequence: int, uuid: str) -> Draft:
    """What is announced when an event would be too large: the header alone, as GAP_CREATE and so on."""
    sobject = change.sobject
    return _draft(frame, change_entity(sobject), sobject, change.record_id, f"GAP_{change.kind}", sequence, uuid, {})


def overflow(frame: Frame, sobject: str, sequence: int, uuid: str) -> Draft:
    """One event for all further changes of an object in a transaction of more than OVERFLOW changes."""
    return _draft(frame, change_entity(sobject), sobject, NO_RECORD, "GAP_OVERFLOW", sequence, uuid, {})
