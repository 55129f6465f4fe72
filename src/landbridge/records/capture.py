"""
The one step every change passes at its unit's end. Pure.

What it yields is what Change Data Capture announces: the changes of selected objects, in order, numbered within
their transaction. `events/changes.py` turns them into entries of the log.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from landbridge.records.change import Change, ChangeKind


class Captured(NamedTuple):
    """One change event to be: `sequence` counts from 1 within the unit; `changed` names the columns that differ."""

    sequence: int
    change: Change
    changed: tuple[str, ...]


def capture(changes: Iterable[Change], selected: Collection[str]) -> Iterator[Captured]:
    """
    The changes of the selected objects (lower-case names), numbered.

    A column that `before` does not have counts as changed (LastModifiedDate is always written anew). An update of an object
    without stamps that changed nothing is dropped.
    """
    sequence = 0
    for change in changes:
        if change.sobject.lower() not in selected:
            continue
        changed: tuple[str, ...] = ()
        if change.kind is ChangeKind.UPDATE:
            before = change.before or {}
            changed = tuple(name for name, value in change.values.items() if before.get(name, _UNKNOWN) != value)
            if not changed:
                continue
        sequence += 1
        yield Captured(sequence, change, changed)


_UNKNOWN = object()
