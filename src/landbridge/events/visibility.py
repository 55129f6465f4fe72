"""
A change event for the eyes of a user who does not see every field: neither hidden values nor their names in the header. Pure.

Platform events have no field rights: every subscriber sees them whole. Source: `events.md` section 2.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from landbridge.access import Access
from landbridge.events.model import Event


def visible(event: Event, access: Access, columns: Mapping[str, tuple[str, str | None]]) -> Event:
    """
    The event without what `access` hides; the same one where it hides nothing of it.

    `columns` are those of the object's `ChangeShape`: a part of a compound is hidden by the name of its column.
    """
    header = event.header
    if header is None or not access.hidden:
        return event
    sobject = header.entity_name
    hidden = {
        (field, part)
        for column, (field, part) in columns.items()
        if not access.readable(sobject, column) or not access.readable(sobject, field)
    }
    if not hidden:
        return event
    values: dict[str, Any] = {}
    for name, value in event.values.items():
        if isinstance(value, Mapping):
            left = {part: one for part, one in value.items() if (name, part) not in hidden}
            if left:
                values[name] = left
        elif (name, None) not in hidden:
            values[name] = value

    def seen(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(name for name in names if _place(name) not in hidden)

    shown = msgspec.structs.replace(
        header, nulled_fields=seen(header.nulled_fields), diff_fields=seen(header.diff_fields),
        changed_fields=seen(header.changed_fields),
    )  # fmt: skip
    return msgspec.structs.replace(event, values=values, header=shown)


def _place(name: str) -> tuple[str, str | None]:
    field, dot, part = name.partition(".")
    return field, part if dot else None
