"""
Where the columns of an object stand in its change events. Pure.

Compounds are nested: a contact's `FirstName` stands in `Name`. Stored booleans are numbers.

Source: `events.md` section 5.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

KNOWN = 100
"""So many combinations of an object's columns are remembered."""


class _Columns:
    """Of records of the same columns: those that no event carries, the booleans, and whether any stands in a compound."""

    __slots__ = ("booleans", "nested", "others")

    def __init__(self, places: dict[str, tuple[str, str | None, bool]], stored: dict[str, Any]) -> None:
        self.others = [column for column in stored if column not in places]
        self.booleans = [column for column in stored if column in places and places[column][2]]
        self.nested = any(column in places and places[column][1] is not None for column in stored)


class Places:
    """
    The places of one object. `entity` is the name of its change events; `places` says for every column that an event carries
    (top-level field, part or None, whether it is a boolean).
    """

    __slots__ = ("_known", "_places", "entity", "longest")

    def __init__(self, entity: str, places: dict[str, tuple[str, str | None, bool]], longest: int) -> None:
        self.entity = entity
        self.longest = longest
        """Bytes that no event's values can exceed."""
        self._places = places
        self._known: dict[str, _Columns] = {}

    def populated(self, stored: dict[str, Any], written: str) -> dict[str, Any]:
        """The values of a whole record, nulls left out; records with the same text as `written` have the same columns."""
        columns = self._known.get(written)
        if columns is None:
            columns = _Columns(self._places, stored)
            if written:
                if len(self._known) == KNOWN:
                    self._known.clear()
                self._known[written] = columns
        if columns.nested:
            return self._one_by_one(stored)
        for value in stored.values():  # `in` would compare, which costs more than a step
            if value is None:
                return self._one_by_one(stored)
        # Every field stands under its column's name: a copy is made in one step.
        values = stored.copy()
        for column in columns.others:
            del values[column]
        for column in columns.booleans:
            values[column] = bool(values[column])
        return values

    def _one_by_one(self, stored: dict[str, Any]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        places = self._places
        for column, value in stored.items():
            if value is None or (place := places.get(column)) is None:
                continue
            field, part, boolean = place
            if boolean:
                value = bool(value)
            if part is None:
                values[field] = value
            elif field in values:
                values[field][part] = value
            else:
                values[field] = {part: value}
        return values

    def updated(
        self, stored: dict[str, Any], changed: Collection[str]
    ) -> tuple[dict[str, Any], tuple[str, ...], tuple[str, ...]]:
        """The values of the columns that changed; the names of those fields, and of those that became null, sorted."""
        values: dict[str, Any] = {}
        names: list[str] = []
        nulled: list[str] = []
        places = self._places
        for column in changed:
            place = places.get(column)
            if place is None:
                continue
            field, part, boolean = place
            name = field if part is None else f"{field}.{part}"
            names.append(name)
            value = stored[column]
            if value is None:
                nulled.append(name)
            elif boolean:
                value = bool(value)
            if part is None:
                values[field] = value
            elif field in values:
                values[field][part] = value
            else:
                values[field] = {part: value}
        return values, tuple(sorted(names)), tuple(sorted(nulled))
