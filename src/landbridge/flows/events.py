"""
What a handler is given: a change event, a platform event, or the author's own model of one. Pure.

A handler that annotates its event with a dataclass, a `msgspec.Struct` or a pydantic model gets one, checked: a field is
found by its API name, or by the same name in Python's spelling (`order_number` for `Order_Number__c`), or by its alias. An
event that does not fit is a dead letter at once, with the reason.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from landbridge.delivery import EventInvalid
from landbridge.events import Event


class ChangeEvent(msgspec.Struct, frozen=True, kw_only=True):
    """
    One record was created, changed, deleted or undeleted (Change Data Capture).

    `sobject` and `record_id` say which record; `change_type` is CREATE, UPDATE, DELETE or UNDELETE (or a GAP_ type, without
    values: read the record). `values` holds the new values by field API name: of a create all that are not null, of an
    update those that changed; datetimes are texts in UTC as the API gives them. `changed_fields` names what an update
    changed, those set to null (`nulled_fields`) among them.

    `uuid` names the event for ever: a repeated attempt sees the same one. `user_id` made the change through `origin`
    (`flow/<subscription>` for what a flow did), at `at`; changes of one transaction share `transaction_key`.
    """

    uuid: str
    topic: str
    replay_id: int
    sobject: str
    record_id: str
    change_type: str
    values: dict[str, Any]
    changed_fields: frozenset[str]
    nulled_fields: frozenset[str]
    user_id: str
    origin: str
    at: datetime
    transaction_key: str

    def changed(self, *names: str) -> bool:
        """Whether any of these fields has a new value: always true of a create that has one of them set."""
        if self.change_type in ("CREATE", "UNDELETE"):
            return any(self.get(name) is not None for name in names)
        lower = {field.lower() for field in self.changed_fields}
        return any(name.lower() in lower for name in names)

    def get(self, name: str, default: Any = None) -> Any:
        """The new value of a field, `default` where the event does not carry it: an update carries what changed alone."""
        value = self.values.get(name)
        if value is None and name not in self.values:
            lower = name.lower()
            value = next((v for k, v in self.values.items() if k.lower() == lower), None)
        return default if value is None and name not in self.nulled_fields else value


class PlatformEvent(msgspec.Struct, frozen=True, kw_only=True):
    """
    A published platform event: its field values by API name, and where it stands in the log.

    `uuid` names the event for ever (EventUuid); `at` is when it was published, by `user_id`.
    """

    uuid: str
    topic: str
    replay_id: int
    name: str
    values: dict[str, Any]
    user_id: str
    at: datetime

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    def get(self, name: str, default: Any = None) -> Any:
        """A field's value, `default` where it is null."""
        value = self.values.get(name)
        return default if value is None else value


def change_event(event: Event) -> ChangeEvent:
    """A change event of the log as a handler sees it. Raises EventInvalid for an event without a header."""
    header = event.header
    if header is None:
        raise EventInvalid(f"{event.topic} is not a change event: annotate the handler with PlatformEvent")
    return ChangeEvent(
        uuid=event.uuid, topic=event.topic, replay_id=event.replay_id, sobject=header.entity_name,
        record_id=header.record_ids[0] if header.record_ids else "", change_type=header.change_type, values=event.values,
        changed_fields=frozenset(header.changed_fields), nulled_fields=frozenset(header.nulled_fields),
        user_id=header.commit_user, origin=header.change_origin, at=_moment(event.created),
        transaction_key=header.transaction_key,
    )  # fmt: skip


def platform_event(event: Event) -> PlatformEvent:
    """A platform event of the log as a handler sees it."""
    return PlatformEvent(
        uuid=event.uuid, topic=event.topic, replay_id=event.replay_id, name=event.entity, values=event.values,
        user_id=event.created_by, at=_moment(event.created),
    )  # fmt: skip


def _moment(wire: str) -> datetime:
    return datetime.fromisoformat(wire.replace("Z", "+00:00"))


# --- the author's own models -------------------------------------------------------------------------------------------

Convert = Callable[[Event], Any]


def plain(name: str) -> str:
    """A field's name without case, underscores and the suffix of custom fields: what two spellings of it share."""
    return re.sub(r"__[cer]$", "", name, flags=re.IGNORECASE).replace("_", "").lower()


def converter(annotation: Any) -> Convert:
    """
    How an event becomes what the handler's annotation names. Raises TypeError for what no event can become.

    No annotation (or Any): a ChangeEvent or a PlatformEvent, as the event is.
    """
    if annotation is ChangeEvent:
        return change_event
    if annotation is PlatformEvent:
        return platform_event
    if annotation is Any or annotation is None:
        return lambda event: platform_event(event) if event.header is None else change_event(event)
    names = model_fields(annotation)
    if names is None:
        raise TypeError(
            f"{annotation!r} is no event: use ChangeEvent, PlatformEvent, a dataclass, a msgspec.Struct or a pydantic model"
        )
    if hasattr(annotation, "model_validate"):
        return _into(annotation, names, annotation.model_validate)
    return _into(annotation, names, lambda found: msgspec.convert(found, annotation, strict=False))


def model_fields(annotation: Any) -> dict[str, str] | None:
    """
    What the fields of a model look for in an event: plain spelling -> the name the model takes it by; None for no model.
    """
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return {plain(field.encode_name): field.encode_name for field in msgspec.structs.fields(annotation)}
    if dataclasses.is_dataclass(annotation):
        return {plain(field.name): field.name for field in dataclasses.fields(annotation)}
    fields = getattr(annotation, "model_fields", None)  # pydantic, without importing it
    if isinstance(fields, dict) and hasattr(annotation, "model_validate"):
        return {plain(field.alias or name): field.alias or name for name, field in fields.items()}
    return None


def _into(annotation: Any, names: Mapping[str, str], convert: Callable[[dict[str, Any]], Any]) -> Convert:
    def work(event: Event) -> Any:
        found = {names[key]: value for name, value in system_values(event).items() if (key := plain(name)) in names}
        found |= {names[key]: value for name, value in event.values.items() if (key := plain(name)) in names}
        try:
            return convert(found)
        except (ValueError, TypeError, msgspec.ValidationError) as error:
            raise EventInvalid(f"{event.topic} {event.uuid} is no {annotation.__name__}: {error}") from error

    return work


SYSTEM_FIELDS = ("EventUuid", "ReplayId", "CreatedDate", "CreatedById", "RecordId", "ChangeType")


def system_values(event: Event) -> dict[str, Any]:
    """What an event carries beside its fields, by the names a model can ask for."""
    found: dict[str, Any] = {
        "EventUuid": event.uuid, "ReplayId": event.replay_id, "CreatedDate": event.created, "CreatedById": event.created_by,
    }  # fmt: skip
    if event.header is not None:
        found["RecordId"] = event.header.record_ids[0] if event.header.record_ids else None
        found["ChangeType"] = event.header.change_type
    return found
