"""What a write did (`Change`) and what its caller hears (`SaveResult`)."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from landbridge.errors import AllOrNoneRolledBack, SalesforceError
from landbridge.ids import RecordId


class ChangeKind(StrEnum):
    """The four change types of Change Data Capture."""

    CREATE = "CREATE"
    UPDATE = "UPDATE"
    DELETE = "DELETE"
    UNDELETE = "UNDELETE"


class Change(msgspec.Struct, frozen=True):
    """
    One record changed by a unit of work, in the order it happened.

    `values` holds the stored values of the columns that were written; `before` those columns' earlier values
    (updates only, of captured objects only).
    """

    kind: ChangeKind
    sobject: str
    record_id: RecordId
    values: dict[str, Any] = {}
    before: dict[str, Any] | None = None


class SaveResult(msgspec.Struct, frozen=True):
    """The outcome for one record: its id when it was saved, the errors when it was not; `created` after an upsert."""

    id: RecordId | None
    errors: tuple[SalesforceError, ...] = ()
    created: bool | None = None

    @property
    def success(self) -> bool:
        return not self.errors

    @property
    def enqueued(self) -> str | None:
        """Of a published platform event its uuid: the reply is a success with an OPERATION_ENQUEUED entry in `errors`."""
        return getattr(self.id, "uuid", None)

    @property
    def rolled_back(self) -> bool:
        """Whether nothing was wrong with this record itself, but with another one of its list."""
        return bool(self.errors) and isinstance(self.errors[0], AllOrNoneRolledBack)
