"""
From an sObject to its table: real columns with real types, and the indexes that queries and uniqueness need. Pure.

Indexed are Id, unique and external-id fields, lookups and SystemModstamp. Not indexed: OwnerId, CreatedById and
LastModifiedById, which in a test org have one or two values. Indexes of nullable columns leave nulls out, so that an
unused field costs nothing on insert; uniqueness does not see deleted records.
"""

from __future__ import annotations

from collections.abc import Iterator

from landbridge.schema.catalog import Entity
from landbridge.schema.model import Field
from landbridge.storage.dialect import Dialect, quote
from landbridge.values import column_type

_UNINDEXED = frozenset({"OwnerId", "CreatedById", "LastModifiedById", "MasterRecordId"})


def stored_fields(entity: Entity) -> tuple[Field, ...]:
    """The fields that have a column, in describe order."""
    return tuple(field for field in entity.fields if field.stored)


def create(entity: Entity, dialect: Dialect) -> list[str]:
    """The statements that make the entity's table and its indexes."""
    columns = ", ".join(column(field, dialect) for field in stored_fields(entity))
    return [f"CREATE TABLE {quote(entity.name)} ({columns})", *indexes(entity)]


def column(field: Field, dialect: Dialect) -> str:
    """One column's definition. Booleans are never null: a missing one is false on the platform."""
    name = quote(field.name)
    if field.type == "id":
        return f"{name} {dialect.exact} PRIMARY KEY NOT NULL"
    kind = column_type(field.type)
    if field.type == "boolean":
        return f"{name} {dialect.integer} NOT NULL DEFAULT {int(field.default_value is True)}"
    if kind == "INTEGER":
        return f"{name} {dialect.integer}"
    if kind == "REAL":
        return f"{name} {dialect.real}"
    return f"{name} {dialect.exact if is_exact(field) else dialect.text}"


def is_exact(field: Field) -> bool:
    """Whether a text field is compared case by case: ids, dates and case-sensitive fields are."""
    return field.type in ("id", "reference", "date", "datetime", "time", "base64") or field.case_sensitive


def indexes(entity: Entity, only: frozenset[str] | None = None) -> Iterator[str]:
    """The indexes of the entity, or of some of its fields alone."""
    table = quote(entity.name)
    live = ' AND "IsDeleted" = 0' if entity.field("IsDeleted") is not None else ""
    for field in stored_fields(entity):
        if only is not None and field.name not in only:
            continue
        name, index = quote(field.name), quote(index_name(entity, field))
        if field.unique:
            yield f"CREATE UNIQUE INDEX {index} ON {table} ({name}) WHERE {name} IS NOT NULL{live}"
        elif field.name == "SystemModstamp":
            yield f"CREATE INDEX {index} ON {table} ({name})"
        elif field.external_id or (field.is_reference and field.name not in _UNINDEXED):
            yield f"CREATE INDEX {index} ON {table} ({name}) WHERE {name} IS NOT NULL"


def index_name(entity: Entity, field: Field) -> str:
    """`ix_Account_ParentId`."""
    return f"ix_{entity.name}_{field.name}"
