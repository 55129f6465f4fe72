"""
An sObject prepared for writing: what a create or an update needs to know, worked out once per catalogue version. Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

from landbridge.schema.catalog import Entity
from landbridge.schema.model import Field
from landbridge.storage.dialect import quote

ON_CREATE = ("CreatedDate", "CreatedById", "LastModifiedDate", "LastModifiedById", "SystemModstamp")
ON_UPDATE = ("LastModifiedDate", "LastModifiedById", "SystemModstamp")
# A record made over the API counts as viewed by its maker (recorded: rest-get-account-row, rest-get-lead-row).
_SEEN = ("LastViewedDate", "LastReferencedDate")

ASSIGNMENT = "PermissionSetAssignment"
"""The object that takes a pair of references once."""
# Not nillable and createable, but made where a create leaves it out.
_MADE = frozenset({("ContentVersion", "ContentDocumentId")})

# The parts of a person's name in the order in which the platform puts them together (guessed for the middle ones).
_NAME_PARTS = ("FirstName", "MiddleName", "LastName", "Suffix")


class Shape:
    """One entity's writing rules. `sql` texts are kept per set of columns, so that prepared statements are found again."""

    def __init__(self, entity: Entity, writer: Callable[[Field], Callable[[Any], Any]]) -> None:
        self.entity = entity
        self._writer = writer
        self.name = entity.name
        self.table = quote(entity.name)
        self._inserts: dict[tuple[str, ...], str] = {}
        self._updates: dict[tuple[str, ...], str] = {}
        self._reads: dict[tuple[str, ...], str] = {}
        self.recipes: dict[bool, dict[tuple[str, ...], Any]] = {True: {}, False: {}}
        """What `validate` remembers of sets of keys, for creates and for updates."""
        self._stamped: tuple[str, str, dict[str, Any]] = ("", "", {})

    @cached_property
    def fields(self) -> dict[str, Field]:
        """Field by its exact and by its lower-case name."""
        found = {field.name.lower(): field for field in self.entity.fields}
        found.update({field.name: field for field in self.entity.fields})
        return found

    @cached_property
    def writers(self) -> dict[str, Callable[[Any], Any]]:
        """By field name: from a checked JSON value to the stored one."""
        return {field.name: self._writer(field) for field in self.entity.fields}

    @cached_property
    def parents(self) -> dict[str, Field]:
        """Reference field by the lower-case name of its relationship."""
        return {f.relationship_name.lower(): f for f in self.entity.fields if f.relationship_name is not None}

    @cached_property
    def required(self) -> tuple[Field, ...]:
        """What a create must give: not nillable, createable, and nothing fills it in."""
        return tuple(
            f
            for f in self.entity.fields
            if not f.nillable and f.createable and not f.defaulted_on_create and f.type != "boolean"
            and f.name not in self.defaults and not f.auto_number and f.stored and f.name != "OwnerId"
            and (self.name, f.name) not in _MADE
        )  # fmt: skip

    @cached_property
    def defaults(self) -> dict[str, Any]:
        """Column -> stored default, for what a create leaves out."""
        found: dict[str, Any] = {}
        for field in self.entity.fields:
            if not field.stored or field.auto_number or field.type == "id":
                continue
            value = _default(field)
            if value is not None:
                found[field.name] = value
        return found

    @cached_property
    def auto_numbers(self) -> tuple[Field, ...]:
        return tuple(field for field in self.entity.fields if field.auto_number)

    @cached_property
    def references(self) -> frozenset[str]:
        return frozenset(field.name for field in self.entity.fields if field.is_reference)

    @cached_property
    def created_stamps(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The date columns and the user columns that a create fills in, as far as the object has them."""
        dates = tuple(n for n in (*ON_CREATE, *_SEEN) if n in self.fields and n.endswith(("Date", "Modstamp")))
        users = tuple(n for n in ON_CREATE if n in self.fields and n.endswith("ById"))
        return dates, users

    def stamped(self, stamp: str, user_id: str) -> dict[str, Any]:
        """The columns of `created_stamps` for this moment and this user, to be read only; the last ones are kept."""
        if self._stamped[0] != stamp or self._stamped[1] != user_id:
            dates, users = self.created_stamps
            self._stamped = (stamp, user_id, {**dict.fromkeys(dates, stamp), **dict.fromkeys(users, user_id)})
        return self._stamped[2]

    @cached_property
    def updated_stamps(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        dates = tuple(n for n in ON_UPDATE if n in self.fields and n.endswith(("Date", "Modstamp")))
        users = tuple(n for n in ON_UPDATE if n in self.fields and n.endswith("ById"))
        return dates, users

    @cached_property
    def booleans(self) -> tuple[str, ...]:
        """The fields whose stored form is not their JSON form."""
        return tuple(field.name for field in self.entity.fields if field.type == "boolean")

    @cached_property
    def blobs(self) -> tuple[str, ...]:
        """The fields whose bytes are kept beside the row."""
        return tuple(field.name for field in self.entity.fields if field.type == "base64")

    @cached_property
    def one_statement(self) -> bool:
        """Whether an INSERT is all that a create writes: no bytes beside the row, no number drawn for it, no look before."""
        return not self.auto_numbers and not self.blobs and self.name != ASSIGNMENT

    @cached_property
    def has_owner(self) -> bool:
        return "OwnerId" in self.fields

    @cached_property
    def soft_delete(self) -> bool:
        """Whether a deleted record stays in the recycle bin; objects without IsDeleted lose it at once."""
        return "IsDeleted" in self.fields

    @cached_property
    def name_parts(self) -> tuple[str, ...]:
        """Of a person: the fields `Name` is put together from; empty for all other objects."""
        if "LastName" not in self.fields or "Name" not in self.fields:
            return ()
        return tuple(part for part in _NAME_PARTS if part in self.fields)

    @cached_property
    def locks(self) -> tuple[str, ...]:
        """The checkboxes that close a record to updates once they are set: a converted lead is read-only."""
        return ("IsConverted",) if self.name == "Lead" and "IsConverted" in self.fields else ()

    @cached_property
    def names_itself(self) -> bool:
        """A custom object whose Text name is left out is named by its own 15-character id."""
        name = self.fields.get("Name")
        return (
            name is not None and self.entity.sobject.custom and not name.auto_number and bool(name.defaulted_on_create)
        )

    def insert(self, columns: tuple[str, ...]) -> str:
        sql = self._inserts.get(columns)
        if sql is None:
            names = ", ".join(map(quote, columns))
            sql = f"INSERT INTO {self.table} ({names}) VALUES ({', '.join('?' * len(columns))})"
            self._inserts[columns] = sql
        return sql

    def update(self, columns: tuple[str, ...]) -> str:
        """The last parameter is the Id."""
        sql = self._updates.get(columns)
        if sql is None:
            sets = ", ".join(f"{quote(column)} = ?" for column in columns)
            sql = f'UPDATE {self.table} SET {sets} WHERE "Id" = ?'
            self._updates[columns] = sql
        return sql

    def read(self, columns: tuple[str, ...]) -> str:
        """IsDeleted (0 where there is none) and these columns of the record with the Id given."""
        sql = self._reads.get(columns)
        if sql is None:
            deleted = '"IsDeleted"' if self.soft_delete else "0"
            sql = f'SELECT {", ".join((deleted, *map(quote, columns)))} FROM {self.table} WHERE "Id" = ?'
            self._reads[columns] = sql
        return sql


def _default(field: Field) -> Any:
    if field.type == "boolean":
        return int(field.default_value is True)
    if field.default_value is not None:
        return field.default_value
    chosen = next((v.value for v in field.picklist_values if v.default and v.active), None)
    return chosen if field.type in ("picklist", "combobox") else None


def person_name(parts: dict[str, Any]) -> str | None:
    """The Name of a person from its parts (a blank between those that are there)."""
    name = " ".join(parts[part] for part in _NAME_PARTS if parts.get(part))
    return name or None
