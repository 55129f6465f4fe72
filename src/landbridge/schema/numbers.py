"""
Rising numbers: ids by key prefix, and auto-numbers.

Ids are drawn from blocks that are reserved in the database, so that an id costs no statement and is never given twice,
also not after a crash: what was left of a block is skipped (gaps are allowed). A reservation that is rolled back is
forgotten, and the next id reserves again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from landbridge import ids
from landbridge.ids import RecordId
from landbridge.schema.model import Field
from landbridge.storage import Tx

BLOCK = 1000

TABLES = ("CREATE TABLE lb_number (name TEXT PRIMARY KEY NOT NULL, reserved INTEGER NOT NULL) WITHOUT ROWID",)

RESERVE = """
    INSERT INTO lb_number (name, reserved) VALUES (?1, ?2)
    ON CONFLICT (name) DO UPDATE SET reserved = reserved + ?2
    RETURNING reserved
"""  # a block more of one counter; what it returns is the block's last number


@dataclass(slots=True)
class _Counter:
    next: int
    last: int


class Numbers:
    """The counters of one org; one instance per server, used inside units of work."""

    def __init__(self) -> None:
        self._counters: dict[str, _Counter] = {}

    def id(self, tx: Tx, prefix: str) -> RecordId:
        """A new id under a three-character key prefix."""
        counter = self._counters.get(prefix)
        if counter is None or counter.next > counter.last:
            counter = self._reserve(tx, prefix)
        number = counter.next
        counter.next = number + 1
        return ids.make(prefix, number)

    def ids(self, tx: Tx, prefix: str, count: int) -> list[RecordId]:
        """So many new ids under a three-character key prefix, in order."""
        counter = self._counters.get(prefix)
        found: list[RecordId] = []
        while len(found) < count:
            if counter is None or counter.next > counter.last:
                counter = self._reserve(tx, prefix)
            first = counter.next
            counter.next = min(counter.last + 1, first + count - len(found))
            found += ids.make_all(prefix, first, counter.next)
        return found

    def _reserve(self, tx: Tx, prefix: str) -> _Counter:
        row = tx.one(RESERVE, (f"id:{prefix}", BLOCK))
        assert row is not None
        counter = _Counter(row[0] - BLOCK + 1, row[0])
        self._counters[prefix] = counter
        tx.on_rollback(lambda: self._forget(prefix))
        return counter

    def _forget(self, prefix: str) -> None:
        self._counters.pop(prefix, None)

    def auto_number(self, tx: Tx, sobject: str, field: Field) -> str:
        """The next auto-number of a field, in its display format."""
        row = tx.one(RESERVE, (f"auto:{sobject}.{field.name}", 1))
        assert row is not None
        return format_auto_number(field.auto_number_format or "{0}", field.starting_number + row[0] - 1, tx.stamp)


_PART = re.compile(r"\{(0+|YYYY|YY|MM|DD)\}")


def format_auto_number(display: str, number: int, stamp: str) -> str:
    """`A-{0000}` and 7 -> `A-0007`; `{YYYY}`, `{YY}`, `{MM}`, `{DD}` are parts of `stamp` (wire form, UTC)."""
    dates = {"YYYY": stamp[:4], "YY": stamp[2:4], "MM": stamp[5:7], "DD": stamp[8:10]}

    def part(match: re.Match[str]) -> str:
        return dates.get(match[1]) or str(number).zfill(len(match[1]))

    return _PART.sub(part, display)
