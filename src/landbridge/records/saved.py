"""What the caller of a write hears."""

from __future__ import annotations

import msgspec

from landbridge.errors import AllOrNoneRolledBack, SalesforceError
from landbridge.ids import RecordId


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
