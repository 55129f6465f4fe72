"""
From a record's change to its change event. Pure.

A CREATE or UNDELETE carries every populated field, an UPDATE the changed ones and LastModifiedDate, a DELETE none. Compounds
are nested (`Name.FirstName`); what became null is null in the values and named in `nulled_fields`.

Source: `events.md` section 5; a CREATE's empty changedFields as documented there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from landbridge.events.model import ChangeHeader, Draft, change_entity
from landbridge.events.schemas import ChangeShape
from landbridge.storage import Tx

OVERFLOW = 100_000
"""Changes of one transaction above which the rest is announced by entity alone (GAP_OVERFLOW)."""
LARGEST = 1024 * 1024
"""Bytes of an event's values above which it is announced without them (GAP_*)."""
NO_RECORD = "000000000000000AAA"
ALWAYS_CHANGED = "LastModifiedDate"


class RecordChange(Protocol):
    """What a change is made of: `records.Change` is one. `values` are stored values by column."""

    @property
    def kind(self) -> str: ...
    @property
    def sobject(self) -> str: ...
    @property
    def record_id(self) -> str: ...
    @property
    def values(self) -> dict[str, Any]: ...


class Frame:
    """What the change events of one unit have in common. `timestamp` in epoch milliseconds."""

    __slots__ = ("number", "origin", "timestamp", "transaction_key", "user")

    def __init__(self, transaction_key: str, timestamp: int, number: int, user: str, origin: str) -> None:
        self.transaction_key = transaction_key
        self.timestamp = timestamp
        self.number = number
        self.user = user
        self.origin = origin


class Captured(Protocol):
    """A change of a selected object: `records.Captured` is one. `changed` names the columns of an UPDATE that differ."""

    @property
    def sequence(self) -> int: ...
    @property
    def change(self) -> RecordChange: ...
    @property
    def changed(self) -> tuple[str, ...]: ...


class Log(Protocol):
    """What is asked of the log: how an object's changes look, and the number the next event gets."""

    @property
    def next_id(self) -> int: ...
    def change_shape(self, sobject: str) -> ChangeShape: ...


def drafts(captured: Sequence[Captured], tx: Tx, user: str, log: Log, new_uuid: Callable[[], str]) -> list[Draft]:
    """The change events of one unit, in order."""
    frame = Frame(tx.key, int(tx.now.timestamp() * 1000), log.next_id, user, tx.unit.origin)
    found: list[Draft] = []
    overflowed: set[str] = set()
    name = ""
    for one in captured:
        change, sequence = one.change, one.sequence
        if sequence > OVERFLOW:
            if change.sobject not in overflowed:
                overflowed.add(change.sobject)
                found.append(overflow(frame, change.sobject, OVERFLOW + len(overflowed), new_uuid()))
            continue
        if change.sobject != name:
            name = change.sobject
            shape = log.change_shape(name)
        made = draft(frame, shape, change, one.changed, sequence, new_uuid())
        # Most objects have no room for so much text, whatever is written into it.
        fits = shape.longest <= LARGEST or len(msgspec.json.encode(made.values)) <= LARGEST
        found.append(made if fits else gap(frame, change, sequence, made.uuid))
    return found


def draft(
    frame: Frame, shape: ChangeShape, change: RecordChange, changed: Collection[str], sequence: int, uuid: str
) -> Draft:
    """The event of one change; `changed` names the columns of an UPDATE that differ."""
    kind = str.__str__(change.kind)  # a member of an enum becomes plain text, without the enum's own way to it
    values: dict[str, Any] = {}
    names: tuple[str, ...] = ()
    nulled: tuple[str, ...] = ()
    if kind == "UPDATE":
        values, names, nulled = _updated(shape, change.values, changed)
    elif kind != "DELETE":
        values = _populated(shape, change.values)
    return _draft(frame, change, kind, sequence, uuid, values, names, nulled)


def _draft(
    frame: Frame, change: RecordChange, kind: str, sequence: int, uuid: str, values: dict[str, Any],
    names: tuple[str, ...], nulled: tuple[str, ...],
) -> Draft:  # fmt: skip
    record_id = change.record_id
    header = ChangeHeader(
        change.sobject, (record_id,), kind, frame.origin, frame.transaction_key, sequence, frame.timestamp,
        frame.number, frame.user, nulled, (), names,
    )  # fmt: skip
    return Draft(change_entity(change.sobject), uuid, record_id, frame.user, values, header)


def _populated(shape: ChangeShape, stored: dict[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    places = shape.places
    for column, value in stored.items():
        if value is None or (place := places.get(column)) is None:
            continue
        field, part, boolean = place
        if boolean:
            value = bool(value)
        if part is None:
            values[field] = value
        elif field in values:
            values[field][part] = value
        else:
            values[field] = {part: value}
    return values


def _updated(
    shape: ChangeShape, stored: Mapping[str, Any], changed: Collection[str]
) -> tuple[dict[str, Any], tuple[str, ...], tuple[str, ...]]:
    values: dict[str, Any] = {}
    names: list[str] = []
    nulled: list[str] = []
    for column in changed:
        place = shape.places.get(column)
        if place is None:
            continue
        field, part, boolean = place
        name = field if part is None else f"{field}.{part}"
        names.append(name)
        value = stored[column]
        if value is None:
            nulled.append(name)
        elif boolean:
            value = bool(value)
        if part is None:
            values[field] = value
        else:
            values.setdefault(field, {})[part] = value
    return values, tuple(sorted(names)), tuple(sorted(nulled))


def gap(frame: Frame, change: RecordChange, sequence: int, uuid: str) -> Draft:
    """What is announced when an event would be too large: the header alone, as GAP_CREATE and so on."""
    return _draft(frame, change, f"GAP_{change.kind}", sequence, uuid, {}, (), ())


def overflow(frame: Frame, sobject: str, sequence: int, uuid: str) -> Draft:
    """One event for all further changes of an object in a transaction of more than OVERFLOW changes."""
    header = ChangeHeader(
        sobject, (NO_RECORD,), "GAP_OVERFLOW", frame.origin, frame.transaction_key, sequence, frame.timestamp, frame.number,
        frame.user,
    )  # fmt: skip
    return Draft(change_entity(sobject), uuid, NO_RECORD, frame.user, {}, header)
