"""
Publishing platform events: checks, then an entry of the log.

Checks are the caller's (a function of the records room, handed in): field types, required fields, unknown names. Here are
size, allocation, the key, and when the entry is made: with the unit's commit (PublishAfterCommit) or whatever becomes of the
unit (PublishImmediately).

Source: `events.md` sections 2 and 7; `rest.md` for the reply.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Protocol

import msgspec

from landbridge.access import Access
from landbridge.errors import InvalidEventInput, LimitExceeded, SalesforceError
from landbridge.events.avro import AvroError
from landbridge.events.draft import Draft
from landbridge.events.log import SQLEventLog
from landbridge.events.model import Enqueued
from landbridge.events.topics import Topic
from landbridge.ids import RecordId, checksum
from landbridge.schema.catalog import Entity
from landbridge.storage import Tx
from landbridge.values import format_datetime

_ENCODE = msgspec.json.Encoder().encode
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LARGEST = 1024 * 1024
"""Bytes of one event message (documented: 1 MB)."""
IMMEDIATELY = "PublishImmediately"
_NO_RECORD = "xx0000000001"
"""What stands behind the key prefix in the id of a publish reply (recorded): no record has it."""


class Allocation(Protocol):
    """Counts what is published in an hour."""

    def take_published(self, tx: Tx, count: int) -> bool:
        """Whether so many more may be published now; counted if so, given back if `tx` is undone."""
        ...


Check = Callable[[Entity, Access, Mapping[str, Any]], dict[str, Any]]
"""Field values as a caller gave them -> JSON values by API name, nulls left out. Raises SalesforceErrors."""


class Publisher:
    """Publishes into one log."""

    def __init__(
        self,
        log: SQLEventLog,
        check: Check,
        allocation: Allocation,
        new_uuid: Callable[[], str],
        partition_key: Callable[[str], str | None] = lambda entity: None,
    ) -> None:
        self._log = log
        self._check = check
        self._allocation = allocation
        self._new_uuid = new_uuid
        self._partition_key = partition_key

    def publish(
        self, tx: Tx, access: Access, entity: Entity, values: Mapping[str, Any], *, direct: bool = False
    ) -> Enqueued:
        """
        Publish one event of a platform event entity.

        `direct`: the unit does nothing else, so an immediate event needs no way around its savepoint and its replay id is
        known. Raises the SalesforceError of the first rule broken; nothing is kept then.
        """
        draft = self.draft(access, entity, self._check(entity, access, values))
        return self.enqueue(tx, entity, draft, direct=direct)

    def publish_each(
        self, tx: Tx, access: Access, entity: Entity, rows: Sequence[Mapping[str, Any]]
    ) -> list[Enqueued | SalesforceError]:
        """As `publish` for each of several, which fail alone; they go into the log together."""
        became: list[Enqueued | SalesforceError] = []
        drafts: list[Draft] = []
        immediately = entity.sobject.publish_behavior == IMMEDIATELY
        for values in rows:
            try:
                draft = self.draft(access, entity, self._check(entity, access, values))
                self._take_one(tx)
            except SalesforceError as error:
                became.append(error)
                continue
            if immediately:
                self._behind(tx, draft)
            else:
                drafts.append(draft)
            became.append(_enqueued(entity, draft, None))
        self._log.append(tx, drafts)
        return became

    def publish_avro(self, tx: Tx, access: Access, topic: Topic, schema_id: str, payload: bytes) -> Enqueued:
        """
        Publish what a Pub/Sub client sent: a payload under a schema of the topic's entity, an older one too.

        The unit publishes and does nothing else, so the replay id is known. What the payload says of CreatedDate and
        CreatedById is checked for its type and not believed. Raises InvalidEventInput for a schema that is not the topic's
        and for bytes that it does not read, and whatever `publish` raises.
        """
        entity = self._log.entity(topic.entity)
        if not topic.can_publish or entity is None:
            raise InvalidEventInput(f"{topic.name} takes no events")
        try:
            form = self._log.form(schema_id)
            if form.schema.entity != entity.name:
                raise KeyError(schema_id)
            found = form.codec.decode(payload)
        except KeyError:
            raise InvalidEventInput(f"schema {schema_id!r} is none of {topic.name}") from None
        except AvroError as error:
            raise InvalidEventInput(f"the payload is no {entity.name} under schema {schema_id}: {error}") from error
        given = {}
        for name in form.codec.fields[2:]:
            field, value = entity.field(name), found[name]
            if field is not None and value is not None:
                given[name] = _from_avro(field.type, value)
        return self.publish(tx, access, entity, given, direct=True)

    def draft(self, access: Access, entity: Entity, checked: dict[str, Any]) -> Draft:
        """The event of checked values. Raises InvalidEventInput for one over 1 MB."""
        payload = _ENCODE(checked)
        if len(payload) > LARGEST:
            raise InvalidEventInput(f"an event of {entity.name} is larger than {LARGEST} bytes")
        uuid = self._new_uuid()
        return Draft(entity.name, uuid, self._key(entity, checked, uuid), access.user_id, checked, payload=payload)

    def enqueue(self, tx: Tx, entity: Entity, draft: Draft, *, direct: bool = False) -> Enqueued:
        """Count it and put it into the log, or behind the unit."""
        self._take_one(tx)
        replay_id: int | None = None
        if entity.sobject.publish_behavior == IMMEDIATELY and not direct:
            self._behind(tx, draft)
        else:
            replay_id = self._log.append_one(tx, draft)
        return _enqueued(entity, draft, replay_id)

    def _take_one(self, tx: Tx) -> None:
        if not self._allocation.take_published(tx, 1):
            raise LimitExceeded("platform events published in an hour")

    def _behind(self, tx: Tx, draft: Draft) -> None:
        """Keep it whatever becomes of the unit; what the unit's end gives back of the allocation is taken again."""
        given_back: list[bool] = []
        tx.on_rollback(lambda: given_back.append(True))

        def work(own: Tx) -> None:
            if given_back:
                self._allocation.take_published(own, 1)
            self._log.append_one(own, draft)

        tx.immediately(work)

    def _key(self, entity: Entity, values: Mapping[str, Any], uuid: str) -> str:
        """The value of the configured partition key (null is the empty text, as documented), else the uuid."""
        field = self._partition_key(entity.name)
        if field is None or field == "EventUuid":
            return uuid
        value = values.get(field)
        return "" if value is None else str(value)


def _from_avro(type_: str, value: Any) -> Any:
    """A decoded value in JSON form: milliseconds become moments. Raises InvalidEventInput for one beyond the calendar."""
    if type_ not in ("date", "datetime", "time"):
        return value
    try:
        moment = _EPOCH + timedelta(milliseconds=value)
    except OverflowError:
        raise InvalidEventInput(f"{value} is no {type_}") from None
    if type_ == "date":
        return moment.date().isoformat()
    wire = format_datetime(moment)
    return wire if type_ == "datetime" else f"{wire[11:23]}Z"


def _enqueued(entity: Entity, draft: Draft, replay_id: int | None) -> Enqueued:
    found = Enqueued(_dummy_id(entity.key_prefix or "e00"))
    found.uuid, found.replay_id = draft.uuid, replay_id
    return found


@lru_cache(maxsize=1024)
def _dummy_id(prefix: str) -> RecordId:
    id15 = prefix + _NO_RECORD
    return RecordId(id15 + checksum(id15))
