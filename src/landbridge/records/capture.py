"""
The one step every change passes at its unit's end. Pure.

What it yields is what Change Data Capture announces: the changes of selected objects, in order, numbered within
their transaction. *Events* turns them into entries of the log; until then the server's sink counts them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from landbridge.records.change import Change, ChangeKind


@dataclass(frozen=True, slots=True)
class Captured:
    """One change event to be: `sequence` counts from 1 within the unit; `changed` names the columns that differ."""

    sequence: int
    change: Change
    changed: tuple[str, ...]


def capture(changes: Iterable[Change], selected: Collection[str]) -> Iterator[Captured]:
    """The changes of the selected objects (lower-case names), numbered; an update that changed nothing is dropped."""
    sequence = 0
    for change in changes:
        if change.sobject.lower() not in selected:
            continue
        changed = tuple(name for name, value in change.values.items() if _differs(change, name, value))
        if change.kind is ChangeKind.UPDATE and not changed:
            continue
        sequence += 1
        yield Captured(sequence, change, changed)


def _differs(change: Change, name: str, value: object) -> bool:
    return change.before is None or change.before.get(name) != value
