"""
What every change passes after its unit. Pure.

What `capture` yields is what Change Data Capture announces: the changes of selected objects, in order, numbered within
their transaction. `step` has `events/changes.py` make entries of the log of them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from landbridge.storage.change import Captured, Change, ChangeKind

_UPDATE = ChangeKind.UPDATE
"""Looked up once: members of an enum are slow to find in Python 3.11."""
_UNKNOWN = object()


def capture(changes: Sequence[Change], selected: Collection[str]) -> list[Captured]:
    """
    The changes of the selected objects (lower-case names), numbered.

    A column that `before` does not have counts as changed (LastModifiedDate is always written anew). An update of an object
    without stamps that changed nothing is dropped.
    """
    found: list[Captured] = []
    for change in changes:
        if change.sobject.lower() not in selected:
            continue
        changed: tuple[str, ...] = ()
        if change.kind is _UPDATE:
            before = change.before or {}
            changed = tuple(name for name, value in change.values.items() if before.get(name, _UNKNOWN) != value)
            if not changed:
                continue
        found.append(Captured(len(found) + 1, change, changed))
    return found


def touched(changes: Sequence[Change], sobject: str) -> set[str]:
    """The ids of the records of one object among the changes."""
    return {change.record_id for change in changes if change.sobject == sobject}
