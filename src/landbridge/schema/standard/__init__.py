"""
The standard objects, one JSON file each; made by `scripts/make_standard.py` from facts, then ours to edit.

A new standard field is one line in its object's file.
"""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from pathlib import Path

import msgspec

from landbridge.schema.model import Field, PicklistValue, SObject

_FOLDER = Path(__file__).parent
_OBJECT = msgspec.json.Decoder(SObject)
_VALUE_SETS = msgspec.json.Decoder(dict[str, tuple[PicklistValue, ...]])


@cache
def load() -> tuple[SObject, ...]:
    """Every standard object. Takes a few milliseconds; immutable, so that all orgs of a process share them."""
    sets = _VALUE_SETS.decode((_FOLDER / "_valuesets.json").read_bytes())
    return tuple(_with_values(_OBJECT.decode(path.read_bytes()), sets) for path in _paths())


@cache
def digest() -> str:
    """Changes when any file does: tables made from another digest are brought up to this one."""
    found = sha256()
    for path in _paths():
        found.update(path.read_bytes())
    return found.hexdigest()


def _paths() -> list[Path]:
    return sorted(path for path in _FOLDER.glob("*.json") if not path.name.startswith("_"))


def _with_values(sobject: SObject, sets: dict[str, tuple[PicklistValue, ...]]) -> SObject:
    if not any(field.value_set for field in sobject.fields):
        return sobject

    def laid(field: Field) -> Field:
        if field.value_set is None:
            return field
        return msgspec.structs.replace(field, picklist_values=sets[field.value_set])

    return msgspec.structs.replace(sobject, fields=tuple(laid(field) for field in sobject.fields))
