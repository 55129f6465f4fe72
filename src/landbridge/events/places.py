"""
Where the columns of an object stand in its change events. Pure.

Compounds are nested: a contact's `FirstName` stands in `Name`. Stored booleans are numbers.

Source: `events.md` section 5.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any


class Places:
    """
    The places of one object. `entity` is the name of its change events; `places` says for every column that an event carries
    (top-level field, part or None, whether it is a boolean); `others` are the columns that none carries.
    """

    __slots__ = ("_booleans", "_nested", "_others", "_places", "entity", "longest")

    def __init__(
        self, entity: str, places: dict[str, tuple[str, str | None, bool]], others: Iterable[str], longest: int
    ) -> None:
        self.entity = entity
        self.longest = longest
        """Bytes that no event's values can exceed."""
        self._places = places
        self._others = tuple(others)
        self._booleans = tuple(column for column, place in places.items() if place[2] and place[1] is None)
        self._nested = frozenset(column for column, place in places.items() if place[1] is not None)

    def populated(self, stored: dict[str, Any]) -> dict[str, Any]:
        """The values of a whole record, nulls left out."""
        for value in stored.values():  # `in` would compare, which costs more than a step
            if value is None:
                return self._one_by_one(stored)
        if not self._nested.isdisjoint(stored):
            return self._one_by_one(stored)
        # Nearly every field stands under its column's name: a copy is made in one step.
        values = stored.copy()
        for column in self._others:
            if column in values:
                del values[column]
        for column in self._booleans:
            if column in values:
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
