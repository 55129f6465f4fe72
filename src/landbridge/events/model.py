"""
What an event is: one entry of the log, as read back.

The collector of cycles does not look at them (`gc=False`): JSON has none, and the ring holds thousands.

Source: `events.md` sections 2, 3 and 5.
"""

from __future__ import annotations

from typing import Any

import msgspec


class ChangeHeader(msgspec.Struct, frozen=True, gc=False):
    """
    What a change event says beside the values. Fields in the order of the Avro record.

    `nulled_fields`, `diff_fields` and `changed_fields` are plain names, parts of compounds dotted: `Name.FirstName`.
    `commit_timestamp` is epoch milliseconds; `commit_number` rises from unit of work to unit of work.
    """

    entity_name: str
    record_ids: tuple[str, ...]
    change_type: str
    change_origin: str
    transaction_key: str
    sequence_number: int
    commit_timestamp: int
    commit_number: int
    commit_user: str
    nulled_fields: tuple[str, ...] = ()
    diff_fields: tuple[str, ...] = ()
    changed_fields: tuple[str, ...] = ()


class Event(msgspec.Struct, frozen=True, gc=False):
    """
    One entry of the log.

    `replay_id` rises in commit order and is never given twice (gaps are allowed). `topic` is the entity's own
    (`/event/Order__e`, `/data/Order__ChangeEvent`), `entity` its last part. `key` is what order is kept by. `created` is a
    wire datetime in UTC. `values` holds JSON values by field name, datetimes in wire form; of a change event the populated or
    changed fields alone, compounds nested.
    """

    replay_id: int
    topic: str
    entity: str
    uuid: str
    key: str
    schema_id: str
    created: str
    created_by: str
    transaction_key: str
    values: dict[str, Any]
    header: ChangeHeader | None = None


class Enqueued(str):
    """The id a publish answers with, and what it was about: `uuid`, `replay_id` (None until an immediate one is kept)."""

    __slots__ = ("replay_id", "uuid")
    uuid: str
    replay_id: int | None


EVENT, CHANGE = "/event/", "/data/"
DEAD = "/dead/"
"""Our extension: the dead letters of one subscription, `/dead/<flow>/<handler>`."""
DEAD_LETTER = "Dead_Letter__e"
"""The event behind those topics. Nobody publishes it but delivery, and retention lets none of it go."""
CHANGE_SUFFIX = "ChangeEvent"


def change_entity(sobject: str) -> str:
    """`Account` -> `AccountChangeEvent`, `Order__c` -> `Order__ChangeEvent`."""
    if sobject.endswith("__c"):
        return sobject[:-1] + CHANGE_SUFFIX
    return sobject + CHANGE_SUFFIX


def captured_object(entity: str) -> str | None:
    """The object behind a change event's name, the way back of `change_entity`; None for any other name."""
    lower = entity.lower()
    if not lower.endswith("changeevent") or lower == "changeevent":
        return None
    stem = entity[: -len(CHANGE_SUFFIX)]
    return stem + "c" if stem.endswith("__") else stem


def topic_of(entity: str) -> str:
    """The topic an entity's events are appended to."""
    return (CHANGE if entity.endswith(CHANGE_SUFFIX) else EVENT) + entity
