"""What an org is made of: the catalogue of its sObjects, their tables, where they come from, how they are described."""

from landbridge.schema import numbers as _numbers
from landbridge.schema import store as _store
from landbridge.schema.catalog import Catalog, Child, Entity
from landbridge.schema.model import Field, Kind, OnDelete, PicklistValue, RecordType, SObject
from landbridge.schema.numbers import Numbers

TABLES = (*_numbers.TABLES, *_store.TABLES)

__all__ = [
    "TABLES",
    "Catalog",
    "Child",
    "Entity",
    "Field",
    "Kind",
    "Numbers",
    "OnDelete",
    "PicklistValue",
    "RecordType",
    "SObject",
]
