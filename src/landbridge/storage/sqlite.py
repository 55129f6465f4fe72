"""
SQLite as an org's database: one writer that commits waiting units in groups, readers beside it.

How a group runs. Units that were submitted in one turn of the loop run one after the other inside one transaction on
the loop's own thread, then one COMMIT (one fsync) makes all of them durable, then each caller hears. Committing on the loop
beats a writer thread by 1.24x to 2.7x here (PERFORMANCE section 2).

How a unit fails alone. A unit whose first write fails has changed nothing (SQLite undoes a failed statement), so the
group just goes on. A unit that fails later has left rows behind, and undoing them alone needs a savepoint; a savepoint for
every unit costs 16 %. So the group first runs without; in the rare case it is rolled back whole and run again, this time
with a savepoint each. **A unit may therefore run twice**: its effects belong in `tx`, `after_commit` and `on_rollback`.
The parts of a unit that fail alone (`SQLiteTx.alone`: records of a list, subrequests) go the same way.

What waits for the others. In the run without savepoints the changes of several units are captured one after the other, and
what `SQLiteTx.later` was given is written in one go: a processor that does one thing many times has it in its caches. With
savepoints each unit captures and writes for itself.

What a crash leaves. Before COMMIT returns: nothing of the group. After: all of it. Callers hear only after. If COMMIT
fails, or SQLite ends the transaction by itself (disk full, I/O error), every unit of the group gets DatabaseLost.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import apsw

from landbridge.clock import Clock
from landbridge.errors import LandbridgeError, SalesforceError
from landbridge.storage.change import Change
from landbridge.storage.checkpoint import Checkpointer
from landbridge.storage.database import (
    ConstraintViolated,
    DatabaseLost,
    Done,
    Params,
    Row,
    StatementTooComplex,
    TransactionExpired,
    Unit,
    Value,
)
from landbridge.storage.dialect import SQLITE
from landbridge.storage.migrations import Migration, migrate
from landbridge.values import format_second, local_datetime

log = logging.getLogger(__name__)

A = TypeVar("A")
E = TypeVar("E", bound=Exception)
T = TypeVar("T")

GROUP_UNITS = 256
"""A group takes at most so many units ..."""
GROUP_SECONDS = 0.008
"""... or runs for so long before it commits, so that the first one does not wait for the last."""
TOGETHER = 32
"""So many units run before their changes are captured: more would gain nothing, and the time counts for GROUP_SECONDS."""
PUT_OFF = 512
"""Rows that wait for the end of a group at most, so that a large unit does not hold all of its own twice."""
LEASE_SECONDS = 5.0
"""How long a transaction across awaits may hold the writer (ARCHITECTURE, decision 3)."""
READERS = 2
STATEMENTS = 192
"""Prepared statements that a connection keeps. apsw goes through half of them to find one: 512 cost a microsecond a statement."""
BUSY_MS = 5000
"""How long to wait for another program that has the file locked (a backup, a database browser)."""

_SYNCHRONOUS = {"full": "FULL", "normal": "NORMAL", "off": "OFF"}
_SECOND = timedelta(seconds=1)
_VIOLATED = re.compile(r"constraint failed: (?:index ')?([^'\n]+)'?")


class _Reader:
    """One connection as a Reader."""

    __slots__ = ("_connection",)

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def all(self, sql: str, params: Params = ()) -> list[Row]:
        return self._connection.execute(sql, params).fetchall()

    def one(self, sql: str, params: Params = ()) -> Row | None:
        try:
            return self._connection.execute(sql, params).fetchone()
        except apsw.SQLError as error:
            raise _too_complex(error) from error

    def each(self, sql: str, params: Params = ()) -> Iterator[Row]:
        try:
            yield from self._connection.execute(sql, params)
        except apsw.SQLError as error:
            raise _too_complex(error) from error


def _local(*given: Any) -> str | None:
    """The dialect's function of local time."""
    return local_datetime(*given)


def _too_complex(error: apsw.SQLError) -> Exception:
    """SQLite's own limits on a statement, told apart from a statement that is wrong."""
    text = str(error)
    if any(limit in text for limit in ("too large", "too many", "at most", "overflow")):
        return StatementTooComplex(text)
    return error


class SQLiteTx:
    """One unit of work on the writer's connection. See `storage.Tx`."""

    __slots__ = ("_at_once", "_careful", "_commit", "_connection", "_database", "_key", "_rollback", "behind", "changes", "dirty",
                 "follower", "now", "stamp", "unit")  # fmt: skip

    def __init__(
        self, database: SQLiteDatabase, unit: Unit, now: datetime, stamp: str, *, careful: bool = True
    ) -> None:
        self._database = database
        self._careful = careful
        self._at_once = careful  # a row that is put off belongs to no savepoint
        self._connection = database.writer
        self._commit: list[Callable[[], None]] | None = None
        self._rollback: list[Callable[[], None]] | None = None
        self._key: str | None = None
        self.unit = unit
        self.now = now
        self.stamp = stamp
        self.changes: list[Change] = []
        self.behind: list[Callable[[SQLiteTx], object]] | None = None
        self.follower: SQLiteTx | None = None
        self.dirty = False

    @property
    def key(self) -> str:
        """The transaction key of this unit's change events."""
        if self._key is None:
            self._key = self._database.new_key()
        return self._key

    def all(self, sql: str, params: Params = ()) -> list[Row]:
        return self._connection.execute(sql, params).fetchall()

    def one(self, sql: str, params: Params = ()) -> Row | None:
        try:
            return self._connection.execute(sql, params).fetchone()
        except apsw.SQLError as error:
            raise _too_complex(error) from error

    def each(self, sql: str, params: Params = ()) -> Iterator[Row]:
        try:
            yield from self._connection.execute(sql, params)
        except apsw.SQLError as error:
            raise _too_complex(error) from error

    def run(self, sql: str, params: Params = ()) -> int:
        try:
            # No rows to fetch: apsw steps a statement without a result to its end in `execute` itself.
            self._database.cursor.execute(sql, params)
        except apsw.ConstraintError as error:
            raise _violation(error) from None
        self.dirty = True
        return self._connection.changes()

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Value]]) -> None:
        names = ", ".join(f'"{column}"' for column in columns)
        marks = ", ".join("?" * len(columns))
        try:
            self._connection.executemany(f'INSERT INTO "{table}" ({names}) VALUES ({marks})', rows)
        except apsw.ConstraintError as error:
            self.dirty = True  # executemany is many statements: those before the failing one stand
            raise _violation(error) from None
        self.dirty = True

    def run_each(self, sql: str, rows: Sequence[Params]) -> list[ConstraintViolated | None]:
        connection = self._connection
        became: list[ConstraintViolated | None] = [None] * len(rows)
        at = 0
        self.dirty = True
        while at < len(rows):
            before = connection.total_changes()
            try:
                connection.executemany(sql, rows[at:] if at else rows)
            except apsw.ConstraintError as error:
                # A failed statement has changed nothing, and those before it stand: how many they are, SQLite counts.
                at += connection.total_changes() - before
                became[at] = _violation(error)
                at += 1
            else:
                break
        return became

    def later(self, sql: str, rows: Sequence[Params]) -> None:
        self.dirty = True
        if not self._at_once:
            self._database.put_off(sql, rows)
            return
        try:
            self._connection.executemany(sql, rows)
        except apsw.ConstraintError as error:
            raise _violation(error) from None

    @contextmanager
    def nested(self) -> Iterator[None]:
        connection, mark, dirty, at_once = self._connection, len(self.changes), self.dirty, self._at_once
        hooks = self._marks()
        connection.execute("SAVEPOINT nested")
        self._at_once = True
        try:
            yield
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK TO nested")
                connection.execute("RELEASE nested")
                self.dirty = dirty
            del self.changes[mark:]
            self._undo(hooks)
            raise
        finally:
            self._at_once = at_once
        connection.execute("RELEASE nested")

    def alone(self, work: Callable[[], T]) -> T:
        (became,) = self.alone_each(lambda _: work(), (None,), Exception)
        if isinstance(became, Exception):
            raise became
        return became

    def alone_each(self, work: Callable[[A], T], items: Sequence[A], caught: type[E]) -> list[T | E]:
        became: list[T | E] = []
        careful, connection, changes = self._careful, self._connection, self.changes
        before = self.dirty
        try:
            for item in items:
                mark, hooks = len(changes), self._marks()
                if careful:
                    connection.execute("SAVEPOINT alone")
                else:
                    self.dirty = False
                try:
                    became.append(work(item))
                except Exception as error:
                    self._part_failed(error, mark, hooks)
                    if not isinstance(error, caught):
                        raise
                    became.append(error)
                else:
                    if careful:
                        connection.execute("RELEASE alone")
                    before = before or self.dirty
        finally:
            self.dirty = self.dirty or before
        return became

    def _part_failed(self, error: Exception, mark: int, hooks: tuple[int, int]) -> None:
        """Undo what a part did before it failed; raises where that can't be done here."""
        connection = self._connection
        if not connection.in_transaction or _loses(error):
            # Whoever goes on after this part's failure must not go on without a transaction, or on a full disk.
            raise DatabaseLost(_lost(error)) from error
        if self._careful:
            connection.execute("ROLLBACK TO alone")
            connection.execute("RELEASE alone")
        elif self.dirty:
            # What fails before its first write has nothing to undo; anything else has the group run again.
            raise _NeedsSavepoints from error
        del self.changes[mark:]
        self._undo(hooks)

    def immediately(self, work: Callable[[SQLiteTx], object]) -> None:
        if self.behind is None:
            self.behind = []
        self.behind.append(work)

    def after_commit(self, call: Callable[[], None]) -> None:
        if self._commit is None:
            self._commit = []
        self._commit.append(call)

    def on_rollback(self, call: Callable[[], None]) -> None:
        if self._rollback is None:
            self._rollback = []
        self._rollback.append(call)

    def _marks(self) -> tuple[int, int]:
        return len(self._commit or ()), len(self._rollback or ())

    def _undo(self, marks: tuple[int, int] = (0, 0)) -> None:
        """Forget what was to happen after the commit since `marks`, and tell those who wanted to know."""
        if self._commit is not None:
            del self._commit[marks[0] :]
        if self._rollback is not None:
            undone = self._rollback[marks[1] :]
            del self._rollback[marks[1] :]
            for call in reversed(undone):
                call()

    def undone(self) -> None:
        """The whole unit was rolled back; `group_undone` if what stood behind it went too."""
        self.changes.clear()
        self._undo()

    def group_undone(self) -> None:
        """The group was rolled back, with what stood behind the unit."""
        if self.follower is not None:
            self.follower.undone()
            self.follower = None
        self.undone()

    def committed(self) -> None:
        """The unit is durable: let caches, rings and waiters change."""
        for call in self._commit or ():
            try:
                call()
            except Exception:
                # The data is safe and the caller must hear so; a hook that fails is our bug, never theirs.
                log.exception("a hook after the commit failed", extra={"correlation_id": self.unit.correlation_id})


class _Waiting:
    """A unit in the queue, and who hears of it."""

    __slots__ = ("done", "unit", "work")

    def __init__(
        self, work: Callable[[Any], Any], unit: Unit, done: Callable[[Any, BaseException | None], None]
    ) -> None:
        self.work = work
        self.unit = unit
        self.done = done


class _NeedsSavepoints(BaseException):
    """
    Something failed alone after it had changed something: the group has to run again, carefully. No error of the unit's, so
    that no `except Exception` on its way takes it for one.
    """


class SQLiteDatabase:
    """See `storage.Database`; made by `open`. `capture` is run after each unit while that still can fail."""

    def __init__(
        self,
        path: Path,
        clock: Clock,
        new_key: Callable[[], str],
        durability: str,
        vfs: str | None,
        capture: Callable[[SQLiteTx], None] | None,
    ) -> None:
        self.path = path
        self.clock = clock
        self.new_key = new_key
        self.capture = capture
        self._durability = durability
        self._vfs = vfs
        self._loop = asyncio.get_running_loop()
        self._queue: deque[_Waiting] = deque()
        self._put_off: list[Params] = []
        self._put_off_sql = ""
        self._scheduled = False
        self._leased = False
        self._lease_free: deque[asyncio.Future[None]] = deque()
        self._listeners: list[Callable[[], None]] = []
        self._closed = False
        self._snapshot = False
        self._last_stamp: tuple[datetime, datetime, str] | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._pool_connections: list[apsw.Connection] = []
        self._idle_readers: deque[_Reader] = deque()
        self.writer = self._connect(write=True)
        self.cursor = self.writer.cursor()  # for statements without rows: apsw makes one for each call of a connection
        self._reader: _Reader | None = None
        self._checkpointer: Checkpointer | None = None

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        clock: Clock,
        new_key: Callable[[], str],
        migrations: Sequence[Migration] = (),
        durability: str = "full",
        vfs: str | None = None,
        capture: Callable[[SQLiteTx], None] | None = None,
    ) -> SQLiteDatabase:
        """
        Open or make the database file at `path`.

        `durability`: `full` (a commit is on disk before it is answered), `normal` (a power cut may take the last commits,
        never halves of them), `off` (for orgs that are thrown away). Raises LandbridgeError with what to do next.
        """
        database: SQLiteDatabase | None = None
        try:
            database = cls(path, clock, new_key, durability, vfs, capture)
            migrate(database.writer, migrations, str(path))
            database._begin()
        except apsw.Error as error:
            if database is not None:
                database._close_connections()
            raise LandbridgeError(_cannot_open(path, error)) from error
        except LandbridgeError:
            if database is not None:
                database._close_connections()
            raise
        return database

    def _begin(self) -> None:
        self._reader = _Reader(self._connect())
        if self._durability != "off":
            self._checkpointer = Checkpointer(lambda: self._connect(write=True), self._close_gap_soon)
            self._checkpointer.start()
            checkpointer = self._checkpointer

            def committed(_connection: apsw.Connection, _name: str, pages: int) -> int:
                checkpointer.noticed(pages)
                return apsw.SQLITE_OK

            self.writer.set_wal_hook(committed)

    def _connect(self, *, write: bool = False) -> apsw.Connection:
        flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
        connection = apsw.Connection(str(self.path), flags=flags, vfs=self._vfs, statementcachesize=STATEMENTS)
        connection.set_busy_timeout(BUSY_MS)
        # `execute` of several pragmas stops at the first that returns a row until it is read: one call each.
        for pragma in (
            "journal_mode = WAL",
            f"synchronous = {_SYNCHRONOUS[self._durability]}",
            # Without a checkpointer (throw-away orgs) SQLite checkpoints by itself: there is no fsync to wait for.
            f"wal_autocheckpoint = {1000 if self._durability == 'off' else 0}",
            "cache_size = -65536",
            "temp_store = MEMORY",
            "foreign_keys = OFF",
            "trusted_schema = OFF",
            *(() if write else ("query_only = ON", "mmap_size = 268435456")),
        ):
            connection.execute(f"PRAGMA {pragma}").fetchall()
        connection.create_scalar_function(SQLITE.local, _local, 2, deterministic=True)
        # The org's moment for views; innocuous, or a view may not call it while schemas are not trusted.
        connection.create_scalar_function(SQLITE.now, self._whole_second, 0, flags=apsw.SQLITE_INNOCUOUS)
        return connection

    def _whole_second(self, *_: Any) -> int:
        return int(self.clock.epoch())

    # --- reading -----------------------------------------------------------------------------------------------

    def read_now(self, work: Callable[[_Reader], T]) -> T:
        assert self._reader is not None
        if not self._snapshot:
            # One snapshot for all reads until the next write: taking and giving back SQLite's read lock costs four system
            # calls, half of what reading a record takes. It ends before a write begins, so the log can start anew.
            self._reader.all("BEGIN")
            self._snapshot = True
        return work(self._reader)

    def _end_snapshot(self) -> None:
        if self._snapshot and self._reader is not None:
            self._snapshot = False
            self._reader.all("COMMIT")

    def read_later(self, work: Callable[[_Reader], T], done: Done[T]) -> None:
        if self._closed:
            done(None, DatabaseLost("the database is closed"))
            return
        if self._pool is None:
            self._pool = ThreadPoolExecutor(READERS, thread_name_prefix="landbridge-read")
        future = self._pool.submit(self._read_in_thread, work)

        def finished(finished: Future[T]) -> None:
            error = finished.exception()
            result = None if error is not None else finished.result()
            try:
                self._loop.call_soon_threadsafe(done, result, error)
            except RuntimeError:
                log.debug("a read ended after its loop")

        future.add_done_callback(finished)

    def _read_in_thread(self, work: Callable[[_Reader], T]) -> T:
        try:
            reader = self._idle_readers.pop()
        except IndexError:
            connection = self._connect()
            self._pool_connections.append(connection)
            reader = _Reader(connection)
        try:
            reader.all("BEGIN")  # one snapshot, however many statements: the loop commits beside us
            try:
                return work(reader)
            finally:
                reader.all("COMMIT")
        finally:
            self._idle_readers.append(reader)

    async def read(self, work: Callable[[_Reader], T], *, heavy: bool = False) -> T:
        if not heavy:
            return self.read_now(work)
        future: asyncio.Future[Any] = self._loop.create_future()
        self.read_later(work, _settle(future))
        result: T = await future
        return result

    # --- writing -----------------------------------------------------------------------------------------------

    async def write(self, work: Callable[[SQLiteTx], T], unit: Unit) -> T:
        future: asyncio.Future[Any] = self._loop.create_future()
        self.submit(work, unit, _settle(future))
        result: T = await future
        return result

    def submit(self, work: Callable[[SQLiteTx], T], unit: Unit, done: Done[T]) -> None:
        if self._closed:
            done(None, DatabaseLost("the database is closed"))
            return
        self._queue.append(_Waiting(work, unit, done))
        self._schedule()

    def _schedule(self) -> None:
        if not self._scheduled and not self._leased and self._queue:
            self._scheduled = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        """Run what waits as one group, commit once, tell everyone."""
        self._scheduled = False
        if self._leased or not self._queue:
            return
        # Taken one by one while there is time, so that a group ends after GROUP_SECONDS, at least one unit each.
        group: list[_Waiting] = []
        try:
            outcomes = self._run_group(group)
        except BaseException as error:
            self._lose(group, error)
        else:
            for tx, _, failure in outcomes:
                if failure is None:
                    tx.committed()
                if tx.follower is not None:
                    tx.follower.committed()
            self._announce()
            for waiting, (_, result, failure) in zip(group, outcomes, strict=True):
                _tell(waiting, result, failure)
        self._grant_lease()
        self._schedule()

    def _run_group(self, group: list[_Waiting]) -> list[_Outcome]:
        cursor = self.cursor
        self._end_snapshot()
        cursor.execute("BEGIN IMMEDIATE")
        now = self.clock.now()
        stamp = self._stamp(now)
        outcomes: list[_Outcome] = []
        # The clock is asked by groups alone; what a lone unit has put behind itself makes a group of its own.
        deadline = self.clock.monotonic() + GROUP_SECONDS if len(self._queue) > 1 else 0.0
        captured = 0
        try:
            try:
                while self._queue and len(group) < GROUP_UNITS:
                    waiting = self._queue.popleft()
                    group.append(waiting)
                    tx = SQLiteTx(self, waiting.unit, now, stamp, careful=False)
                    outcomes.append(self._run_unit(tx, waiting.work))
                    if tx.behind is not None:
                        self.run_behind(tx)
                    if len(outcomes) - captured == TOGETHER:
                        captured = self._capture_since(outcomes, captured)
                    if self._queue and self.clock.monotonic() > deadline:
                        break
                self._capture_since(outcomes, captured)
                if self._put_off:
                    self._write_put_off()
            except _NeedsSavepoints:
                self._put_off.clear()
                _undo(outcomes)
                cursor.execute("ROLLBACK")
                cursor.execute("BEGIN IMMEDIATE")
                for waiting in group:
                    # One by one, not `extend`: what ran must be known when the next one ends the transaction.
                    tx = SQLiteTx(self, waiting.unit, now, stamp)
                    outcomes.append(self._run_carefully(tx, waiting.work))
                    if tx.behind is not None:
                        self.run_behind(tx)
            cursor.execute("COMMIT")
        except BaseException:
            self._put_off.clear()
            _undo(outcomes)
            raise
        return outcomes

    def _capture_since(self, outcomes: list[_Outcome], start: int) -> int:
        """Capture what units changed; how many outcomes that makes in all. One that fails has the group run again."""
        capture = self.capture
        if capture is not None:
            for index in range(start, len(outcomes)):
                tx = outcomes[index][0]
                if not tx.changes:
                    continue
                try:
                    capture(tx)
                except Exception as error:
                    if not self.writer.in_transaction:
                        raise
                    raise _NeedsSavepoints from error
        return len(outcomes)

    def put_off(self, sql: str, rows: Sequence[Params]) -> None:
        """Keep rows of a running group for its end."""
        if sql is not self._put_off_sql:
            self._write_put_off()
            self._put_off_sql = sql
        self._put_off += rows
        if len(self._put_off) >= PUT_OFF:
            self._write_put_off()

    def _write_put_off(self) -> None:
        rows, self._put_off = self._put_off, []
        try:
            if len(rows) == 1:
                self.cursor.execute(self._put_off_sql, rows[0])
            elif rows:
                self.cursor.executemany(self._put_off_sql, rows)
        except apsw.Error as error:
            if not self.writer.in_transaction:
                raise
            raise _NeedsSavepoints from error  # each unit writes its own then

    def _run_unit(self, tx: SQLiteTx, work: Callable[[SQLiteTx], Any]) -> _Outcome:
        try:
            result = work(tx)
        except _NeedsSavepoints:
            tx.undone()
            raise
        except Exception as error:
            if not self.writer.in_transaction:
                tx.undone()
                raise
            if tx.dirty:
                tx.undone()
                raise _NeedsSavepoints from error
            tx.undone()
            return tx, None, _hide_internal(error)
        return tx, result, None

    def _run_carefully(self, tx: SQLiteTx, work: Callable[[SQLiteTx], Any]) -> _Outcome:
        connection = self.writer
        connection.execute("SAVEPOINT unit")
        try:
            result = work(tx)
            if tx.changes and self.capture is not None:
                self.capture(tx)
        except Exception as error:
            tx.undone()
            if not connection.in_transaction:
                raise
            connection.execute("ROLLBACK TO unit")
            connection.execute("RELEASE unit")
            return tx, None, _hide_internal(error)
        connection.execute("RELEASE unit")
        return tx, result, None

    def run_behind(self, tx: SQLiteTx) -> None:
        """Run what a unit left behind (`immediately`), as a unit of its own in the same group."""
        connection, behind = self.writer, tx.behind or ()
        follower = tx.follower = SQLiteTx(self, tx.unit, tx.now, tx.stamp)
        connection.execute("SAVEPOINT behind")
        try:
            for work in behind:
                work(follower)
        except Exception:
            follower.undone()
            tx.follower = None
            if not connection.in_transaction:
                raise
            connection.execute("ROLLBACK TO behind")
            log.exception("what was to survive a unit failed", extra={"correlation_id": tx.unit.correlation_id})
        connection.execute("RELEASE behind")

    def _lose(self, group: list[_Waiting], error: BaseException) -> None:
        """Nothing of the group was kept: roll back what may still be open, and tell every unit."""
        if self.writer.in_transaction:
            try:
                self.writer.execute("ROLLBACK")
            except apsw.Error:
                log.exception("rolling back a failed group failed too")
        lost = DatabaseLost(_lost(error))
        log.error("a group of units was lost", extra={"units": len(group), "error": str(error)}, exc_info=error)
        if not group and self._queue:
            group.append(self._queue.popleft())  # BEGIN itself failed: one hears now, the others try again
        for waiting in group:
            _tell(waiting, None, lost)
        if not isinstance(error, Exception):
            raise error

    def _stamp(self, now: datetime) -> str:
        last = self._last_stamp
        if last is None or not last[0] <= now < last[1]:
            start = now.replace(microsecond=0)
            last = self._last_stamp = (start, start + _SECOND, format_second(now))
        return last[2]

    # --- a transaction across awaits ---------------------------------------------------------------------------

    def transaction(self, unit: Unit) -> SQLiteTransaction:
        return SQLiteTransaction(self, unit)

    async def take_lease(self) -> None:
        """Wait until the writer is free and hold it: groups wait meanwhile."""
        while self._leased:
            free: asyncio.Future[None] = self._loop.create_future()
            self._lease_free.append(free)
            await free
        self._leased = True

    def give_lease_back(self) -> None:
        self._leased = False
        self._grant_lease()
        self._schedule()

    def _grant_lease(self) -> None:
        while self._lease_free and not self._leased:
            free = self._lease_free.popleft()
            if not free.done():
                free.set_result(None)
                return

    def begin_unit(self, unit: Unit) -> SQLiteTx:
        """A Tx for a lease holder."""
        now = self.clock.now()
        return SQLiteTx(self, unit, now, self._stamp(now))

    def after_lease_commit(self) -> None:
        self._end_snapshot()
        self._announce()

    def submit_behind(self, tx: SQLiteTx) -> None:
        """What a transaction left behind that was undone: a unit of the next group."""
        behind = tx.behind
        if behind is None:
            return

        def work(own: SQLiteTx) -> None:
            for one in behind:
                one(own)

        def done(_: None, error: BaseException | None) -> None:
            if error is not None:
                log.error("what was to survive a transaction failed", exc_info=error)

        self.submit(work, tx.unit, done)

    def call_later(self, seconds: float, call: Callable[[], None]) -> asyncio.TimerHandle:
        return self._loop.call_later(seconds, call)

    def copy_to(self, path: Path) -> None:
        """Write a compact copy of what is committed to a new file. Raises OSError."""
        self._end_snapshot()
        try:
            self.writer.execute("VACUUM INTO ?", (str(path),))
        except apsw.Error as error:
            raise OSError(str(error)) from error

    # --- the rest ----------------------------------------------------------------------------------------------

    def listen(self, call: Callable[[], None]) -> Callable[[], None]:
        self._listeners.append(call)
        return lambda: self._listeners.remove(call)

    def _announce(self) -> None:
        """A commit: who listens hears of it. The data is safe and its units must be told, whatever fails in a listener."""
        for call in tuple(self._listeners):
            try:
                call()
            except Exception:
                log.exception("a listener of commits failed")

    def _close_gap_soon(self) -> None:
        """From the checkpointer's thread: it has moved nearly everything, the loop moves the last frames."""
        try:
            self._loop.call_soon_threadsafe(self._close_gap)
        except RuntimeError:
            log.debug("a checkpoint ended after its loop")

    def _close_gap(self) -> None:
        if self._closed or self._checkpointer is None:
            return
        self._end_snapshot()
        try:
            if not self._leased:
                self.writer.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        except apsw.Error as error:
            log.warning("closing the checkpoint's gap failed (%s)", type(error).__name__)
        self._checkpointer.gap_closed()

    async def close(self) -> None:
        """Run what waits, checkpoint, close every connection. A second call does nothing."""
        if self._closed:
            return
        while self._leased:
            free: asyncio.Future[None] = self._loop.create_future()
            self._lease_free.append(free)
            await free
        while self._queue:
            self._flush()
        self._closed = True
        if self._pool is not None:
            await self._loop.run_in_executor(None, self._pool.shutdown)
        if self._checkpointer is not None:
            await self._loop.run_in_executor(None, self._checkpointer.stop)
        self._end_snapshot()
        if self._durability != "off":
            try:
                self.writer.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
            except apsw.Error as error:
                log.warning("the last checkpoint failed; the log is kept and read at the next start",
                            extra={"error": str(error)})  # fmt: skip
        self._close_connections()

    def _close_connections(self) -> None:
        self._end_snapshot()
        if self._reader is not None:
            self._reader._connection.close()
        for connection in self._pool_connections:
            connection.close()
        self.writer.close()


class SQLiteTransaction:
    """See `storage.Transaction`. The writer is taken at the first write and held for LEASE_SECONDS at most."""

    def __init__(self, database: SQLiteDatabase, unit: Unit) -> None:
        self._database = database
        self._unit = unit
        self._tx: SQLiteTx | None = None
        self._expiry: asyncio.TimerHandle | None = None
        self._expired = False

    async def __aenter__(self) -> SQLiteTransaction:
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self.finish(commit=error is None)

    @property
    def holds_writer(self) -> bool:
        """Whether something uncommitted is pending: a callout is refused then, as on the platform."""
        return self._tx is not None

    async def read(self, work: Callable[[Any], T]) -> T:
        self._check()
        return self._database.read_now(work) if self._tx is None else work(self._tx)

    async def write(self, work: Callable[[Any], T]) -> T:
        self._check()
        if self._tx is None:
            await self._database.take_lease()
            try:
                self._database.writer.execute("BEGIN IMMEDIATE")
            except BaseException:
                self._database.give_lease_back()
                raise
            self._tx = self._database.begin_unit(self._unit)
            self._expiry = self._database.call_later(LEASE_SECONDS, self._expire)
        with self._tx.nested():
            return work(self._tx)

    def finish(self, *, commit: bool) -> None:
        """End the transaction: commit or undo. Raises TransactionExpired, DatabaseLost."""
        if self._expired and commit:
            self._check()
        if self._tx is None:
            return
        tx, self._tx = self._tx, None
        if self._expiry is not None:
            self._expiry.cancel()
        connection = self._database.writer
        try:
            if commit:
                if tx.changes and self._database.capture is not None:
                    self._database.capture(tx)
                if tx.behind is not None:
                    self._database.run_behind(tx)
                connection.execute("COMMIT")
        except BaseException as error:
            _rollback(connection)
            tx.group_undone()
            if isinstance(error, apsw.Error):
                raise DatabaseLost(_lost(error)) from error
            raise
        else:
            if commit:
                tx.committed()
                if tx.follower is not None:
                    tx.follower.committed()
                self._database.after_lease_commit()
            else:
                _rollback(connection)
                tx.undone()
                self._database.submit_behind(tx)
        finally:
            self._database.give_lease_back()

    def _expire(self) -> None:
        self._expired = True
        self.finish(commit=False)

    def _check(self) -> None:
        if self._expired:
            raise TransactionExpired(
                f"the transaction held the writer for more than {LEASE_SECONDS:g} s and was undone"
            )


_Outcome = tuple[SQLiteTx, Any, BaseException | None]


def _undo(outcomes: list[_Outcome]) -> None:
    for tx, _, _ in reversed(outcomes):
        tx.group_undone()
    outcomes.clear()


def _rollback(connection: apsw.Connection) -> None:
    if connection.in_transaction:
        connection.execute("ROLLBACK")


def _tell(waiting: _Waiting, result: Any, failure: BaseException | None) -> None:
    try:
        waiting.done(result, failure)
    except Exception:
        # One caller's broken callback must not keep the others of its group waiting.
        log.exception("a caller failed to take its result", extra={"correlation_id": waiting.unit.correlation_id})


def _loses(error: Exception) -> bool:
    """Whether an error is the database's own and not one of a statement's text."""
    return isinstance(error, (apsw.Error, DatabaseLost)) and not isinstance(error, apsw.SQLError)


def _settle(future: asyncio.Future[Any]) -> Callable[[Any, BaseException | None], None]:
    def done(result: Any, error: BaseException | None) -> None:
        if future.done():  # cancelled: the caller has gone, the commit stands
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)

    return done


def _hide_internal(error: Exception) -> Exception:
    """What a unit's caller hears: its own errors as they are, SQLite's as a loss of this unit alone."""
    if isinstance(error, apsw.Error) and not isinstance(error, SalesforceError):
        return DatabaseLost(_lost(error))
    return error


def _violation(error: apsw.ConstraintError) -> ConstraintViolated:
    match = _VIOLATED.search(str(error))
    return ConstraintViolated(match.group(1).split(",")[0] if match else None, str(error))


def _lost(error: BaseException) -> str:
    if isinstance(error, apsw.FullError):
        return "the disk is full"
    return f"{type(error).__name__}: {error}"


def _cannot_open(path: Path, error: apsw.Error) -> str:
    if isinstance(error, (apsw.NotADBError, apsw.CorruptError)):
        return (
            f"{path} is damaged or not a database ({error}). Move it away to start a new org, or restore a copy; "
            "`sqlite3 FILE .recover` may save its rows."
        )
    if isinstance(error, (apsw.BusyError, apsw.LockedError)):
        return f"{path} is locked by another program. Close it and start again."
    if isinstance(error, (apsw.CantOpenError, apsw.ReadOnlyError, apsw.PermissionsError)):
        return f"{path} can't be opened for writing ({error}). Check the folder and its permissions."
    return f"{path} can't be opened: {error}"
