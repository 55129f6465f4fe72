"""The rights of one user, decided once and handed down; pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256

from landbridge.ids import RecordId

ADMINISTRATOR = "System Administrator"
READ_ONLY = "Read Only Integration"
"""The two profiles there are; permission sets, field security and sharing come with their issue."""

# Fields no profile can hide: a row without them is no row.
_ALWAYS_READABLE = frozenset({"id", "isdeleted", "createddate", "createdbyid", "lastmodifieddate", "lastmodifiedbyid",
                              "systemmodstamp"})  # fmt: skip


@dataclass(frozen=True)
class Access:
    """
    Who asks and what they may do.

    `hidden` holds lower-case (sobject, field) pairs the user can't see; `read_only` forbids every write. Equal rights have
    equal `fingerprint`s, which key the caches of SOQL and describe: two users with the same rights share entries.
    """

    user_id: RecordId
    profile: str = ADMINISTRATOR
    read_only: bool = False
    hidden: frozenset[tuple[str, str]] = field(default_factory=frozenset)

    @cached_property
    def fingerprint(self) -> str:
        rights = repr((self.read_only, sorted(self.hidden)))
        return sha256(rights.encode()).hexdigest()[:16]

    def readable(self, sobject: str, name: str) -> bool:
        """Whether the user sees this field; hidden ones do not exist for them."""
        if not self.hidden:
            return True
        return name.lower() in _ALWAYS_READABLE or (sobject.lower(), name.lower()) not in self.hidden
