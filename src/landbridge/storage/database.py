"""
The seam to the database: what every implementation promises.

A unit of work is a plain function that takes a `Tx` and awaits nothing. Units that are waiting commit as one group; each
succeeds or fails alone. An answer is given after the commit, so what was answered is durable. If the whole group is
lost (disk full, I/O error, a failed COMMIT), every unit of it gets the error and none is acknowledged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from datetime import datetime
from typing import Any, Protocol, TypeVar

import msgspec

from landbridge.storage.change import Change

A = TypeVar("A")
E = TypeVar("E", bound=Exception)
T = TypeVar("T")

Value = str | int | float | bytes | None
Row = tuple[Any, ...]
Params = Sequence[Value] | dict[str, Value]
Done = Callable[[T | None, BaseException | None], None]
"""Called once with a result or with the error instead of it."""


class Unit(msgspec.Struct, frozen=True, gc=False):
    """Who is behind a unit of work, known before it runs; it travels into the event log and the journal."""

    correlation_id: str
    user_id: str | None = None
    origin: str = "internal"


class Reader(Protocol):
    """A consistent view of what is committed."""

    def all(self, sql: str, params: Params = ()) -> list[Row]:
        """Every row of a statement."""
        ...

    def one(self, sql: str, params: Params = ()) -> Row | None:
        """The first row of a statement, None where there is none. Raises StatementTooComplex."""
        ...

    def each(self, sql: str, params: Params = ()) -> Iterator[Row]:
        """The rows of a statement one by one: who stops early has not read the rest. Raises StatementTooComplex."""
        ...


class Tx(Reader, Protocol):
    """
    One unit of work inside a transaction.

    `now` is the one moment of the unit (`stamp`: on the second in wire form, what CreatedDate gets); `key` names the
    unit's transaction in change events. `changes` is the change buffer: a rolled-back savepoint truncates it, and what is
    left is captured after the unit.
    """

    unit: Unit
    now: datetime
    stamp: str
    changes: list[Change]

    @property
    def key(self) -> str: ...

    def run(self, sql: str, params: Params = ()) -> int:
        """Run a statement; the number of rows it changed. Raises `ConstraintViolated`."""
        ...

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Value]]) -> None:
        """Insert many rows of one shape."""
        ...

    def run_each(self, sql: str, rows: Sequence[Params]) -> list[ConstraintViolated | None]:
        """Run a statement that changes one row for each of `rows`; what each violated, None where it was done."""
        ...

    def later(self, sql: str, rows: Sequence[Params]) -> None:
        """
        Insert rows by the time of the commit: for tables that no unit reads.

        Several units' go together. Raises `ConstraintViolated`, or has the units of the group run again.
        """
        ...

    def nested(self) -> AbstractContextManager[None]:
        """A savepoint: what is done inside is undone when an exception leaves it."""
        ...

    def alone(self, work: Callable[[], T]) -> T:
        """
        Run a part that fails alone, such as one record of a list: what it did is undone when it raises.

        Costs nothing where the part's first write is the one that fails; the whole unit may run a second time where it is not.
        """
        ...

    def alone_each(self, work: Callable[[A], T], items: Sequence[A], caught: type[E]) -> list[T | E]:
        """Run one such part for each item; what it returned, or the `caught` error it raised, in order."""
        ...

    def immediately(self, work: Callable[[Tx], object]) -> None:
        """
        Run `work` as a unit of its own right behind this one, whatever becomes of this one (savepoints included).

        It is lost only with the whole group. For what must survive a rollback: PublishImmediately events.
        """
        ...

    def after_commit(self, call: Callable[[], None]) -> None:
        """Call once the unit is durable: the only place where caches, rings and waiters change."""
        ...

    def on_rollback(self, call: Callable[[], None]) -> None:
        """Call if the savepoint, the unit or the group around this point is undone."""
        ...


class Transaction(Protocol):
    """A transaction across awaits: what several units did commits together when the `async with` block ends."""

    async def read(self, work: Callable[[Reader], T]) -> T:
        """Read what is committed and, once the writer is held, what this transaction wrote."""
        ...

    async def write(self, work: Callable[[Tx], T]) -> T:
        """Run a unit inside; the first one takes the writer. A unit that raises is undone, the rest stays."""
        ...


class TransactionExpired(Exception):
    """The writer was held for longer than allowed: everything the transaction did was undone."""


class ConstraintViolated(Exception):
    """A uniqueness or foreign-key rule of the database; `index` names what was violated, None if unknown."""

    def __init__(self, index: str | None, text: str) -> None:
        super().__init__(text)
        self.index = index


class DatabaseLost(Exception):
    """The database could not take the group: nothing of it was kept. The text says why."""


class StatementTooComplex(Exception):
    """A statement beyond the database's own limits: too many columns, too deep, too long."""


class Database(Protocol):
    """An org's database. All methods are called on the loop that opened it."""

    async def read(self, work: Callable[[Reader], T], *, heavy: bool = False) -> T:
        """Run a read; `heavy` ones (many rows) run beside the loop."""
        ...

    async def write(self, work: Callable[[Tx], T], unit: Unit) -> T:
        """Run a unit of work; returns after its commit, raises what it raised, or DatabaseLost."""
        ...

    def submit(self, work: Callable[[Tx], T], unit: Unit, done: Done[T]) -> None:
        """As `write` without a coroutine: `done(result, error)` is called on the loop after the commit."""
        ...

    def read_now(self, work: Callable[[Reader], T]) -> T:
        """Run a small read at once, on the loop."""
        ...

    def read_later(self, work: Callable[[Reader], T], done: Done[T]) -> None:
        """Run a read of many rows beside the loop; `done(result, error)` is called on the loop."""
        ...

    def transaction(self, unit: Unit) -> AbstractAsyncContextManager[Transaction]:
        """A transaction across awaits. It takes the writer at its first write and may hold it 5 s at most."""
        ...

    def listen(self, call: Callable[[], None]) -> Callable[[], None]:
        """Have `call` called after every commit, before its units are told; returns what ends it."""
        ...

    async def close(self) -> None:
        """Finish the waiting units, checkpoint, let go of the file."""
        ...
