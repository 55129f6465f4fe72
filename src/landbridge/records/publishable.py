"""What a publisher gave for a platform event, checked as a record's values are: the fields of the event to be. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from landbridge.access import Access
from landbridge.records.shape import Shape
from landbridge.records.validate import prepare
from landbridge.values import json_value


def event_values(shape: Shape, access: Access, given: Mapping[str, Any]) -> dict[str, Any]:
    """
    JSON values by API name, defaults laid under, nulls left out.

    Raises the SalesforceError of the first rule broken: an unknown field, a wrong type, a required one left out.
    """
    found = {**shape.defaults, **prepare(shape, access, given, creating=True).columns}
    if None in found.values():
        found = {name: value for name, value in found.items() if value is not None}
    for name in shape.booleans:
        if name in found:
            found[name] = json_value("boolean", found[name])
    return found
