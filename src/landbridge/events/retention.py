"""
Retention: events older than their time go, in the background, in units so small that no writer waits for them.

High-volume events and change events are kept 72 hours, standard-volume events 24, by the org's clock. What went is
remembered by topic (`lb_event_mark`): a reader who asks for it gets ReplayIdInvalid. Times rise with the replay ids, for the
clock never falls.

Source: `events.md` section 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice, takewhile

from landbridge.clock import Clock
from landbridge.events.log import IN_SPAN, SQLEventLog
from landbridge.events.model import DEAD_LETTER, topic_of
from landbridge.storage import Database, Reader, Row, Tx, Unit
from landbridge.values import format_datetime

KEPT = timedelta(hours=72)
KEPT_STANDARD_VOLUME = timedelta(hours=24)
CHUNK = 500
"""Events that one unit removes: some milliseconds of the writer's time."""
PAUSE = 0.005
"""Seconds between two such units."""

# Both are read until the first event that is young enough: a whole log is never walked. Dead letters stay: they are read
# when somebody has the time.
OLDEST = f"SELECT id, topic, created FROM lb_event WHERE id > ? AND topic <> '{topic_of(DEAD_LETTER)}' ORDER BY id"
OLDEST_OF_TOPIC = f"""
    SELECT e.id, e.topic, e.created FROM lb_event_span s CROSS JOIN lb_event e ON {IN_SPAN}
    WHERE s.topic = ? ORDER BY s.span, e.id
"""


class Retention:
    """Removes what is too old of one log."""

    def __init__(self, db: Database, log: SQLEventLog, clock: Clock) -> None:
        self._db = db
        self._log = log
        self._clock = clock
        self._passed = 0  # the replay id up to which nothing but dead letters is left

    async def sweep(self) -> int:
        """Remove everything that is too old now; how many events went. Never holds the writer for more than CHUNK."""
        now, total = self._clock.now(), 0
        while rows := self._old(now):
            await self._db.write(self._removal(rows), Unit("retention"))
            total += len(rows)
            await self._clock.sleep(PAUSE)
        return total

    def _old(self, now: datetime) -> list[tuple[int, str]]:
        log = self._log

        def work(reader: Reader) -> list[tuple[int, str]]:
            oldest = reader.one(OLDEST, (self._passed,))
            self._passed = log.tip() if oldest is None else oldest[0] - 1
            found = _older(reader.each(OLDEST, (self._passed,)), format_datetime(now - KEPT))
            for topic in () if found else log.standard_volume:
                found = _older(reader.each(OLDEST_OF_TOPIC, (topic,)), format_datetime(now - KEPT_STANDARD_VOLUME))
                if found:
                    break
            return found

        return self._db.read_now(work)

    def _removal(self, rows: Sequence[tuple[int, str]]) -> Callable[[Tx], None]:
        return lambda tx: self._log.trim(tx, rows)


def _older(rows: Iterator[Row], moment: str) -> list[tuple[int, str]]:
    """What comes before the first event that is not older, at most CHUNK of it; times rise with the ids."""
    return [(row[0], row[1]) for row in takewhile(lambda row: row[2] < moment, islice(rows, CHUNK))]
