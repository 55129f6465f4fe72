"""
What units do to records, as it is handed on: `records` writes it into `Tx.changes`, `events` announces it, and neither knows
the other.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from landbridge.ids import RecordId


class ChangeKind(StrEnum):
    """The four change types of Change Data Capture."""

    CREATE = "CREATE"
    UPDATE = "UPDATE"
    DELETE = "DELETE"
    UNDELETE = "UNDELETE"


class Change:
    """
    One record changed by a unit of work, in the order it happened.

    `values` holds the stored values of the columns that were written; `before` those columns' earlier values
    (updates only, of captured objects only). Changes that were `written` by the same INSERT have values of the same columns.
    """

    __slots__ = ("before", "kind", "record_id", "sobject", "values", "written")

    def __init__(
        self, kind: ChangeKind, sobject: str, record_id: RecordId, values: dict[str, Any], before: dict[str, Any] | None = None,
        written: str = "",
    ) -> None:  # fmt: skip
        self.kind = kind
        self.sobject = sobject
        self.record_id = record_id
        self.values = values
        self.before = before
        self.written = written


class Captured:
    """One change event to be: `sequence` counts from 1 within the unit; `changed` names the columns that differ."""

    __slots__ = ("change", "changed", "sequence")

    def __init__(self, sequence: int, change: Change, changed: tuple[str, ...]) -> None:
        self.sequence = sequence
        self.change = change
        self.changed = changed
