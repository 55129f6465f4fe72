"""
The one step every change passes after its unit.

What `capture` yields is what Change Data Capture announces: the changes of selected objects, in order, numbered within
their transaction. `events/changes.py` turns them into entries of the log.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from landbridge.chance import Chance
from landbridge.events.changes import drafts
from landbridge.events.log import SQLEventLog
from landbridge.storage import Tx
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


class Step:
    """
    The step of one org: changes of selected objects become entries of the log, in the same unit.

    `review` hears which users changed; `somebody` is whose changes those of units without a user are.
    """

    def __init__(
        self, log: SQLEventLog, chance: Chance, review: Callable[[Tx, set[str]], None], somebody: Callable[[], str]
    ) -> None:
        self._log = log
        self._chance = chance
        self._review = review
        self._somebody = somebody

    def take(self, tx: Tx) -> None:
        """What the database calls for each unit that changed records."""
        if users := touched(tx.changes, "User"):
            self._review(tx, users)
        log = self._log
        selected = log.captured
        if selected and (captured := capture(tx.changes, selected)):
            log.append(tx, drafts(captured, tx, tx.unit.user_id or self._somebody(), log, self._chance))
