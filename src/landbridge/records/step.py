"""The one step every change passes after its unit: who has to know of it hears."""

from __future__ import annotations

from collections.abc import Callable

from landbridge.chance import Chance
from landbridge.events.changes import drafts
from landbridge.events.log import SQLEventLog
from landbridge.records.capture import capture, touched
from landbridge.storage import Tx


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
