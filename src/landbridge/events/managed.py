"""
Managed event subscriptions: what a ManagedSubscribe stream goes by, kept under a developer name.

The position of each stands with those of all other subscriptions (`subscriptions`); here is what a person configures: the
topic, where to begin the first time, where when the position has been trimmed, and whether it may run.

Source: `events.md` section 4 (ManagedEventSubscription of the Metadata and Tooling API).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from landbridge.errors import (
    BadPicklistValue,
    DuplicateValue,
    FieldIntegrity,
    LandbridgeError,
    RequiredFieldMissing,
    SalesforceError,
    StringTooLong,
)
from landbridge.ids import normalize
from landbridge.schema import Numbers
from landbridge.storage import Reader, Tx

TABLES = (
    "CREATE TABLE lb_managed_subscription (id TEXT PRIMARY KEY NOT NULL, developer_name TEXT NOT NULL COLLATE NOCASE UNIQUE, "
    "label TEXT NOT NULL, topic TEXT NOT NULL, default_replay TEXT NOT NULL, recovery_replay TEXT NOT NULL, "
    "state TEXT NOT NULL) WITHOUT ROWID",
)

PREFIX = "18x"
"""The key prefix of a ManagedEventSubscription (salesforce-pubsub-api-client knows it)."""
KIND = "managed"

_COLUMNS = "id, developer_name, label, topic, default_replay, recovery_replay, state"
ALL = f"SELECT {_COLUMNS} FROM lb_managed_subscription ORDER BY developer_name"
BY_ID = f"SELECT {_COLUMNS} FROM lb_managed_subscription WHERE id = ?"
BY_NAME = f"SELECT {_COLUMNS} FROM lb_managed_subscription WHERE developer_name = ?"
KEEP = f"INSERT OR REPLACE INTO lb_managed_subscription ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)"
REMOVE = "DELETE FROM lb_managed_subscription WHERE id = ?"

LATEST, EARLIEST, RUN, STOP = "LATEST", "EARLIEST", "RUN", "STOP"
_NAME = re.compile(r"[A-Za-z](?:_?[A-Za-z0-9])*\Z")


class Managed(msgspec.Struct, frozen=True):
    """One managed subscription. `default_replay`, `recovery_replay`: LATEST or EARLIEST; `state`: RUN or STOP."""

    id: str
    developer_name: str
    label: str
    topic: str
    default_replay: str = LATEST
    recovery_replay: str = LATEST
    state: str = RUN

    def metadata(self) -> dict[str, str]:
        """As the Metadata and Tooling API spell it."""
        return {
            "defaultReplay": self.default_replay,
            "errorRecoveryReplay": self.recovery_replay,
            "label": self.label,
            "state": self.state,
            "topicName": self.topic,
        }


class ManagedSubscriptions:
    """The managed subscriptions of one org; who runs one is told when it changes."""

    def __init__(self, numbers: Numbers) -> None:
        self._numbers = numbers
        self._listeners: list[Callable[[], None]] = []

    def all(self, reader: Reader) -> list[Managed]:
        """Every one, by name."""
        return [Managed(*row) for row in reader.all(ALL)]

    def find(self, reader: Reader, *, name: str = "", id: str = "") -> Managed | None:  # noqa: A002  # Salesforce's word
        """By developer name, or by an id of 15 or 18 characters; None for none."""
        row = reader.one(BY_NAME, (name,)) if name else reader.one(BY_ID, (normalize(id) or "",))
        return None if row is None else Managed(*row)

    def create(self, tx: Tx, name: str, metadata: Mapping[str, Any]) -> Managed:
        """A new one. Raises SalesforceErrors for a name that is taken or none, and for wrong settings."""
        if not name:
            raise RequiredFieldMissing(["FullName"])
        if len(name) > 80:
            raise StringTooLong("Developer Name", name, 80, "DeveloperName")
        if _NAME.match(name) is None:
            raise FieldIntegrity(
                f"The developer name {name} may hold letters, digits and single underscores, and begins with a letter.",
                fields=("DeveloperName",),
            )
        taken = self.find(tx, name=name)
        if taken is not None:
            raise DuplicateValue("DeveloperName", taken.id)
        return self._keep(tx, Managed(self._numbers.id(tx, PREFIX), name, name, ""), metadata)

    def change(self, tx: Tx, known: Managed, metadata: Mapping[str, Any]) -> Managed:
        """Other settings for one; those not given stay. Raises SalesforceErrors."""
        return self._keep(tx, known, metadata)

    def put(self, tx: Tx, name: str, metadata: Mapping[str, Any]) -> Managed:
        """Create or change: what the source says. Raises SalesforceErrors."""
        known = self.find(tx, name=name)
        return self.create(tx, name, metadata) if known is None else self.change(tx, known, metadata)

    def take(self, tx: Tx, described: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
        """What the source describes, by name. Raises LandbridgeError."""
        for name, metadata in described:
            try:
                self.put(tx, name, metadata)
            except SalesforceError as error:
                raise LandbridgeError(f"the managed event subscription {name}: {error.message}") from error

    def remove(self, tx: Tx, known: Managed) -> None:
        """Forget one; its position is the caller's to forget."""
        tx.run(REMOVE, (known.id,))
        tx.after_commit(self._tell)

    def _keep(self, tx: Tx, known: Managed, metadata: Mapping[str, Any]) -> Managed:
        made = msgspec.structs.replace(known, **_settings(metadata))
        if not made.topic:
            raise RequiredFieldMissing(["topicName"])
        tx.run(KEEP, (made.id, made.developer_name, made.label, made.topic, made.default_replay, made.recovery_replay,
                      made.state))  # fmt: skip
        tx.after_commit(self._tell)
        return made

    def listen(self, call: Callable[[], None]) -> Callable[[], None]:
        """Have `call` called after a commit that changed one; returns what ends it."""
        self._listeners.append(call)
        return lambda: self._listeners.remove(call)

    def _tell(self) -> None:
        for call in tuple(self._listeners):
            call()


_FIELDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "label": ("label", ()), "topicName": ("topic", ()), "defaultReplay": ("default_replay", (LATEST, EARLIEST)),
    "errorRecoveryReplay": ("recovery_replay", (LATEST, EARLIEST)), "state": ("state", (RUN, STOP)),
}  # fmt: skip
_INERT = frozenset({"version", "urls", "fullName"})
"""What clients and metadata files carry along without a meaning of its own."""


def _settings(metadata: Mapping[str, Any]) -> dict[str, str]:
    found = {}
    for name, value in metadata.items():
        if name in _INERT:
            continue
        if name not in _FIELDS:
            raise FieldIntegrity(f"a ManagedEventSubscription has no {name}", fields=(name,))
        field, values = _FIELDS[name]
        if not isinstance(value, str) or not value.strip():
            raise RequiredFieldMissing([name])
        if values and value not in values:
            raise BadPicklistValue(name, value, name)
        if len(value) > 255:
            raise StringTooLong(name, value, 255, name)
        found[field] = value.strip()
    return found
