"""Values of whole records as change events carry them: made in one step where that is right, one by one where it is not."""

from __future__ import annotations

from typing import Any

import pytest

from landbridge.events.schemas import ChangeShape
from landbridge.schema import Catalog, standard

CATALOG = Catalog(standard.load())
SHAPES = [ChangeShape(entity) for entity in CATALOG if entity.sobject.has_table]


def expected(shape: ChangeShape, stored: dict[str, Any]) -> dict[str, Any]:
    """By the definition: a field under its name, a part of a compound inside, booleans as such, nulls left out."""
    types = {field.name: field.type for field in shape.entity.fields}
    values: dict[str, Any] = {}
    for column, value in stored.items():
        if column in shape.columns and value is not None:
            field, part = shape.columns[column]
            shown = bool(value) if types[column] == "boolean" else value
            if part is None:
                values[field] = shown
            else:
                values.setdefault(field, {})[part] = shown
    return values


@pytest.mark.parametrize("written", ["", "a statement"])
@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("nulls", [False, True])
def test_every_object_shows_its_fields(nested: bool, nulls: bool, written: str) -> None:
    assert len(SHAPES) > 50
    fast = 0
    written = f"{written} {nested} {nulls}" if written else ""
    for shape in SHAPES:
        fields = [field for field in shape.entity.fields if field.stored]
        stored: dict[str, Any] = {
            field.name: None if nulls and index % 3 == 0 else index % 2 if field.type == "boolean" else f"{index}"
            for index, field in enumerate(fields)
            if nested or shape.columns.get(field.name, ("", None))[1] is None
        }
        before = dict(stored)

        found = shape.places.populated(stored, written)
        assert shape.places.populated(stored, written) == found

        assert found == expected(shape, stored), shape.entity.name
        assert list(found) == list(expected(shape, stored))
        assert {name: type(value) for name, value in found.items()} == {
            name: type(value) for name, value in expected(shape, stored).items()
        }
        assert stored == before
        assert found is not stored
        fast += found.keys() < stored.keys()
    assert fast > 50
