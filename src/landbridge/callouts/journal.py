"""
The journal: every callout as a row of `Callout_Log__c`, readable by SOQL, never writable.

An entry is made, masked, when its callout ends. It waits in memory for at most FLUSH seconds and is then written with
its neighbours in one unit; a delivery that settles writes its own entries in the settle unit instead, so that what is
settled has its callouts on record, whatever happens after. An entry is written once: `written` is set inside the
unit and taken back when the unit is undone; `kept` is set after the commit, and only then memory lets go of it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import partial

import msgspec

from landbridge.clock import Clock
from landbridge.schema.model import Field, Kind, SObject
from landbridge.schema.numbers import Numbers
from landbridge.storage import Database, DatabaseLost, Reader, Tx, Unit
from landbridge.values import format_datetime

log = logging.getLogger(__name__)

OBJECT = "Callout_Log__c"
PREFIX = "aLC"
FLUSH = 0.2
"""Seconds an entry waits for its neighbours."""
MOST_WAITING = 2000
"""Entries in memory at which senders wait."""
FLUSH_AT = 1000
"""Entries in memory that are written at once."""
CHUNK = 500
"""Rows that one unit writes or trims: the loop and the writer are not held for long."""
TRIM_EVERY = 60.0
"""Seconds between looks for what is too old."""
OVERHEAD = 500
"""Bytes a row takes besides its long texts."""


def _field(name: str, label: str, type_: str, length: int | None = None, **more: object) -> Field:
    return Field(name=name, label=label, type=type_, length=length, createable=False, updateable=False,
                 custom=name.endswith("__c"), **more)  # type: ignore[arg-type]  # fmt: skip


CALLOUT_LOG = SObject(
    name=OBJECT, label="Callout Log", label_plural="Callout Logs", key_prefix=PREFIX, kind=Kind.SYSTEM,
    flags={"queryable": True, "retrieveable": True, "createable": False, "updateable": False, "deletable": False,
           "undeletable": False},
    fields=(
        _field("Id", "Record ID", "id"),
        _field("CreatedDate", "Created Date", "datetime", nillable=False),
        _field("SystemModstamp", "System Modstamp", "datetime", nillable=False),
        _field("Flow__c", "Flow", "string", 255),
        _field("Subscription__c", "Subscription", "string", 255),
        _field("Credential__c", "Named Credential", "string", 80),
        _field("Method__c", "Method", "string", 20),
        _field("Url__c", "URL", "string", 2000),
        _field("Outcome__c", "Outcome", "string", 20),
        _field("Sent__c", "Sent", "string", 5),
        _field("StatusCode__c", "Status Code", "int", digits=9),
        _field("Error__c", "Error", "string", 1000),
        _field("DurationMs__c", "Duration (ms)", "double", precision=18, scale=3),
        _field("Attempt__c", "Attempt", "int", digits=9),
        _field("RequestSize__c", "Request Size", "int", digits=9),
        _field("ResponseSize__c", "Response Size", "int", digits=9),
        _field("CorrelationId__c", "Correlation ID", "string", 255),
        _field("IdempotencyKey__c", "Idempotency Key", "string", 255),
        _field("HttpVersion__c", "HTTP Version", "string", 5),
        _field("RequestHeaders__c", "Request Headers", "textarea", 32768),
        _field("ResponseHeaders__c", "Response Headers", "textarea", 32768),
        _field("RequestBody__c", "Request Body", "textarea", 131072),
        _field("ResponseBody__c", "Response Body", "textarea", 131072),
        _field("StoredSize__c", "Stored Size", "int", digits=9),
    ),
)  # fmt: skip

COLUMNS = tuple(field.name for field in CALLOUT_LOG.fields)
INSERT = f'INSERT INTO "{OBJECT}" ({", ".join(COLUMNS)}) VALUES ({", ".join("?" * len(COLUMNS))})'
TOO_OLD = f'SELECT rowid, StoredSize__c FROM "{OBJECT}" WHERE SystemModstamp < ? ORDER BY SystemModstamp LIMIT ?'
OLDEST = f'SELECT rowid, StoredSize__c FROM "{OBJECT}" ORDER BY SystemModstamp, rowid LIMIT ?'
DROP = f'DELETE FROM "{OBJECT}" WHERE rowid = ?'
KEPT = f'SELECT coalesce(sum(StoredSize__c), 0) FROM "{OBJECT}"'

_MILLISECONDS = [f"{number:03d}+0000" for number in range(1000)]

Value = str | int | float | None


class Entry(msgspec.Struct, gc=False):
    """One callout on its way into the journal: `values` are the columns after the first three, masked and bounded."""

    at: float
    values: tuple[Value, ...]
    written: bool = False
    kept: bool = False


class Journal:
    """
    The journal of one org. `age` in seconds on the org's clock, `size` in bytes: what is beyond either is trimmed.

    `add` never waits; `room` does, when the writer can't keep up.
    """

    def __init__(self, db: Database, clock: Clock, numbers: Numbers, *, age: float, size: int) -> None:
        self._db = db
        self._clock = clock
        self._numbers = numbers
        self._age = age
        self._size = size
        self._waiting: list[Entry] = []
        self._timer: asyncio.TimerHandle | None = None
        self._flushing: asyncio.Task[None] | None = None
        self._kept: int | None = None
        self._second = (-1, "")
        self._trim_at = clock.epoch() + TRIM_EVERY

    def add(self, entry: Entry) -> None:
        """Take an entry; it is written soon, unless its run writes it first."""
        self._waiting.append(entry)
        if len(self._waiting) >= FLUSH_AT:
            self._flush_soon()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(FLUSH, self._flush_soon)

    @property
    def is_full(self) -> bool:
        """Whether who adds must wait for `room` first."""
        return len(self._waiting) >= MOST_WAITING

    async def room(self) -> None:
        """Wait while too much is in memory. Raises DatabaseLost when the database takes nothing."""
        if self.is_full:
            await self.flush()
        if len(self._waiting) >= 2 * MOST_WAITING:
            raise DatabaseLost("the callout journal can't be written: no callout goes out without a record of it")

    def write(self, tx: Tx, entries: Iterable[Entry]) -> None:
        """Write those of the entries that are not written yet, in this unit. A unit that runs twice writes them once."""
        fresh = [entry for entry in entries if not entry.written]
        if not fresh:
            return
        rows = []
        for id_, entry in zip(self._numbers.ids(tx, PREFIX, len(fresh)), fresh, strict=True):
            stamp = self._wire(entry.at)
            rows.append((id_, stamp, stamp, *entry.values))
            entry.written = True
        tx.on_rollback(partial(_unwrite, fresh))
        if len(rows) == 1:  # a settle's: nearly all of them
            tx.run(INSERT, rows[0])
        else:
            tx.insert(OBJECT, COLUMNS, rows)
        tx.after_commit(partial(self._keep, fresh))

    def _keep(self, entries: Iterable[Entry]) -> None:
        size = 0
        for entry in entries:
            entry.kept = True
            size += entry.values[-1]  # type: ignore[operator, assignment]  # StoredSize__c
        self._wrote(size)

    async def flush(self) -> None:
        """Write what waits; returns after the commit, or after the database could not take it (it is tried again)."""
        if self._flushing is not None:
            await asyncio.shield(self._flushing)
        if self._waiting:
            self._flush_soon()
            assert self._flushing is not None
            await asyncio.shield(self._flushing)

    async def close(self) -> None:
        """Write what waits, for the last time."""
        await self.flush()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _flush_soon(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._flushing is None:
            self._flushing = asyncio.get_running_loop().create_task(self._flush())

    async def _flush(self) -> None:
        fresh = [entry for entry in self._waiting if not entry.written]
        try:
            for start in range(0, len(fresh), CHUNK):
                await self._db.write(partial(self.write, entries=fresh[start : start + CHUNK]), Unit("callout-journal"))
        except Exception:
            # A full disk, say: callouts go on and wait in memory; senders wait once there are too many (`room`).
            log.warning("%d callouts wait for the journal: the database could not take them", len(fresh), exc_info=True)
        finally:
            self._flushing = None
            self._waiting = [entry for entry in self._waiting if not entry.kept]
            if self._waiting and self._timer is None:
                self._timer = asyncio.get_running_loop().call_later(FLUSH, self._flush_soon)

    def _wire(self, at: float) -> str:
        """Seconds since the epoch in wire form; the calendar is looked at once a second."""
        second = int(at)
        if self._second[0] != second:
            self._second = (second, format_datetime(datetime.fromtimestamp(second, UTC))[:20])
        return self._second[1] + _MILLISECONDS[int((at - second) * 1000)]

    # --- trimming ----------------------------------------------------------------------------------------------

    def _wrote(self, size: int) -> None:
        if self._kept is not None:
            self._kept += size

    async def tend(self) -> None:
        """Called again and again by the server's housekeeping: trim when it is time, by the org's clock, or too much is kept."""
        now = self._clock.epoch()
        if now < self._trim_at and (self._kept is None or self._kept <= self._size):
            return
        self._trim_at = now + TRIM_EVERY
        try:
            await self.trim()
        except Exception:
            log.warning("the callout journal could not be trimmed", exc_info=True)

    async def trim(self) -> int:
        """Remove what is too old, then the oldest until the rest fits; how many rows went."""
        if self._kept is None:
            self._kept = (
                0  # what is written while we count is counted on top: twice at worst, and the next start knows better
            )
            counted = await self._db.read(_kept, heavy=True)
            self._kept += counted
        gone = 0
        while True:
            dropped = await self._db.write(self._trim_some, Unit("callout-journal"))
            gone += dropped
            if dropped < CHUNK:
                return gone

    def _trim_some(self, tx: Tx) -> int:
        oldest = self._wire(self._clock.epoch() - self._age)
        rows = tx.all(TOO_OLD, (oldest, CHUNK))
        over = (self._kept or 0) - sum(row[1] for row in rows) - self._size
        if over > 0 and len(rows) < CHUNK:
            old = {row[0] for row in rows}
            for row in tx.all(OLDEST, (CHUNK,)):
                if over <= 0 or len(rows) >= CHUNK:
                    break
                if row[0] not in old:
                    rows.append(row)
                    over -= row[1]
        for row in rows:
            tx.run(DROP, (row[0],))
        freed = sum(row[1] for row in rows)
        tx.after_commit(lambda: self._wrote(-freed))
        return len(rows)


def _kept(reader: Reader) -> int:
    row = reader.one(KEPT)
    return 0 if row is None else int(row[0])


def _unwrite(entries: Iterable[Entry]) -> None:
    for entry in entries:
        entry.written = False
