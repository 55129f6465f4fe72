"""What every implementation of `storage.Database` promises."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import apsw
import pytest

from landbridge.errors import LandbridgeError
from landbridge.storage import (
    ConstraintViolated,
    Database,
    DatabaseLost,
    Migration,
    SQLiteDatabase,
    TransactionExpired,
    Tx,
    Unit,
)
from landbridge.storage import sqlite as implementation
from tests.support.storage import open_database

UNIT = Unit("test")
INSERT = "INSERT INTO item VALUES (?, ?)"


def add(name: str, n: int = 1) -> Any:
    return lambda tx: tx.run(INSERT, (name, n))


def names(db: Database) -> list[str]:
    return [row[0] for row in db.read_now(lambda reader: reader.all("SELECT name FROM item ORDER BY name"))]


async def test_a_unit_returns_its_result_after_the_commit(db: SQLiteDatabase) -> None:
    assert await db.write(add("a"), UNIT) == 1

    assert names(db) == ["a"]


async def test_units_of_one_turn_commit_as_one_group(db: SQLiteDatabase) -> None:
    groups = []
    db.listen(lambda: groups.append(1))

    await asyncio.gather(*(db.write(add(f"n{i}"), UNIT) for i in range(50)))

    assert len(groups) == 1
    assert len(names(db)) == 50


async def test_a_unit_whose_only_write_fails_fails_alone(db: SQLiteDatabase) -> None:
    await db.write(add("taken"), UNIT)

    outcomes = await asyncio.gather(
        db.write(add("a"), UNIT), db.write(add("taken"), UNIT), db.write(add("b"), UNIT), return_exceptions=True
    )

    assert isinstance(outcomes[1], ConstraintViolated)
    assert outcomes[1].index == "item.name"
    assert names(db) == ["a", "b", "taken"]


async def test_a_unit_that_fails_after_it_has_written_is_undone_alone(db: SQLiteDatabase) -> None:
    def fails_late(tx: Tx) -> None:
        tx.run(INSERT, ("half", 1))
        raise ValueError("late")

    outcomes = await asyncio.gather(
        db.write(add("a"), UNIT), db.write(fails_late, UNIT), db.write(add("b"), UNIT), return_exceptions=True
    )

    assert isinstance(outcomes[1], ValueError)
    assert names(db) == ["a", "b"]


async def test_a_nested_part_is_undone_with_its_changes_and_hooks(db: SQLiteDatabase) -> None:
    heard: list[str] = []

    def work(tx: Tx) -> None:
        tx.run(INSERT, ("kept", 1))
        tx.changes.append("kept")
        tx.after_commit(lambda: heard.append("kept committed"))
        with pytest.raises(ValueError, match="inner"), tx.nested():
            tx.run(INSERT, ("undone", 1))
            tx.changes.append("undone")
            tx.after_commit(lambda: heard.append("undone committed"))
            tx.on_rollback(lambda: heard.append("undone rolled back"))
            raise ValueError("inner")
        assert tx.changes == ["kept"]

    await db.write(work, UNIT)

    assert names(db) == ["kept"]
    assert heard == ["undone rolled back", "kept committed"]


async def test_hooks_run_after_the_commit_and_before_the_caller_hears(db: SQLiteDatabase) -> None:
    order: list[str] = []

    def work(tx: Tx) -> None:
        tx.run(INSERT, ("a", 1))
        tx.after_commit(lambda: order.append(f"hook sees {names(db)}"))

    await db.write(work, UNIT)
    order.append("caller")

    assert order == ["hook sees ['a']", "caller"]


async def test_a_unit_of_a_group_sees_what_earlier_ones_wrote(db: SQLiteDatabase) -> None:
    def count(tx: Tx) -> int:
        row = tx.one("SELECT count(*) FROM item")
        assert row is not None
        return int(row[0])

    _, seen = await asyncio.gather(db.write(add("a"), UNIT), db.write(count, UNIT))

    assert seen == 1


async def test_a_unit_has_one_moment_and_one_key(db: SQLiteDatabase) -> None:
    def work(tx: Tx) -> tuple[object, ...]:
        return tx.now, tx.now, tx.stamp, tx.key, tx.key, tx.unit.correlation_id

    first, again, stamp, key, same_key, correlation = await db.write(work, UNIT)
    other_key = (await db.write(work, UNIT))[3]

    assert first == again
    assert stamp.endswith(".000+0000")
    assert key == same_key != other_key
    assert correlation == "test"


async def test_a_cancelled_caller_does_not_cancel_the_write(db: SQLiteDatabase) -> None:
    task = asyncio.ensure_future(db.write(add("a"), UNIT))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await db.write(add("b"), UNIT)

    assert names(db) == ["a", "b"]


async def test_reads_beside_the_loop_see_what_is_committed(db: SQLiteDatabase) -> None:
    await db.write(lambda tx: tx.insert("item", ("name", "n"), [(f"n{i}", i) for i in range(1000)]), UNIT)

    counts = await asyncio.gather(
        *(db.read(lambda reader: reader.all("SELECT name FROM item"), heavy=True) for _ in range(5))
    )

    assert [len(rows) for rows in counts] == [1000] * 5


async def test_a_reader_cannot_write(db: SQLiteDatabase) -> None:
    with pytest.raises(apsw.ReadOnlyError):
        db.read_now(lambda reader: reader.all("INSERT INTO item VALUES ('x', 1)"))


# --- transactions across awaits ------------------------------------------------------------------------------------


async def test_a_transaction_commits_its_units_together(db: SQLiteDatabase) -> None:
    async with db.transaction(UNIT) as transaction:
        await transaction.write(add("a"))
        await asyncio.sleep(0)
        assert names(db) == []
        await transaction.write(add("b"))

    assert names(db) == ["a", "b"]


async def test_a_transaction_left_by_an_exception_leaves_nothing(db: SQLiteDatabase) -> None:
    async def leave() -> None:
        async with db.transaction(UNIT) as transaction:
            await transaction.write(add("a"))
            raise ValueError("left")

    with pytest.raises(ValueError, match="left"):
        await leave()

    assert names(db) == []


async def test_units_wait_while_a_transaction_holds_the_writer(db: SQLiteDatabase) -> None:
    async with db.transaction(UNIT) as transaction:
        await transaction.write(add("first"))
        waiting = asyncio.ensure_future(db.write(add("second"), UNIT))
        await asyncio.sleep(0.01)
        assert not waiting.done()
    await waiting

    assert names(db) == ["first", "second"]


async def test_a_transaction_that_holds_the_writer_too_long_is_undone(
    db: SQLiteDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(implementation, "LEASE_SECONDS", 0.01)

    async def dawdle() -> None:
        async with db.transaction(UNIT) as transaction:
            await transaction.write(add("a"))
            await asyncio.sleep(0.05)

    with pytest.raises(TransactionExpired):
        await dawdle()

    await db.write(add("b"), UNIT)
    assert names(db) == ["b"]


async def test_a_transaction_that_only_reads_holds_nobody_up(db: SQLiteDatabase) -> None:
    async with db.transaction(UNIT) as transaction:
        assert await transaction.read(lambda reader: reader.all("SELECT * FROM item")) == []
        await db.write(add("a"), UNIT)

    assert names(db) == ["a"]


# --- files ---------------------------------------------------------------------------------------------------------


async def test_what_was_written_is_there_after_a_restart(tmp_path: Path) -> None:
    first = open_database(tmp_path / "org.sqlite")
    await first.write(add("a"), UNIT)
    await first.close()

    second = open_database(tmp_path / "org.sqlite")
    assert names(second) == ["a"]
    await second.close()


async def test_closing_runs_what_waits(tmp_path: Path) -> None:
    db = open_database(tmp_path / "org.sqlite")
    waiting = asyncio.ensure_future(db.write(add("a"), UNIT))
    await asyncio.sleep(0)
    await db.close()

    assert await waiting == 1
    with pytest.raises(DatabaseLost):
        await db.write(add("b"), UNIT)


async def test_a_migration_brings_an_older_file_up(tmp_path: Path) -> None:
    old = open_database(tmp_path / "org.sqlite")
    await old.close()
    migrations = (Migration(1, ("CREATE TABLE item (name TEXT)",)), Migration(2, ("CREATE TABLE more (name TEXT)",)))

    new = open_database(tmp_path / "org.sqlite", migrations=migrations)

    assert new.read_now(lambda reader: reader.all("SELECT * FROM more")) == []
    await new.close()


async def test_a_newer_file_is_refused_with_what_to_do(tmp_path: Path) -> None:
    newer = open_database(tmp_path / "org.sqlite", migrations=(Migration(7, ()),))
    await newer.close()

    with pytest.raises(LandbridgeError, match="newer Landbridge .format 7; this one knows 1.. Upgrade"):
        open_database(tmp_path / "org.sqlite")


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"not a database at all, just text" * 100, "damaged or not a database"), (None, "not one of Landbridge")],
)
async def test_a_file_that_is_not_ours_is_refused(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "org.sqlite"
    if content is not None:
        path.write_bytes(content)
    else:
        foreign = apsw.Connection(str(path))
        foreign.execute("CREATE TABLE theirs (x)")
        foreign.close()
    before = path.read_bytes()

    with pytest.raises(LandbridgeError, match=message):
        open_database(path)

    assert path.read_bytes()[:100].startswith(before[:16])


async def test_the_write_ahead_log_does_not_grow_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("landbridge.storage.checkpoint.PAGES", 50)
    db = open_database(tmp_path / "org.sqlite", durability="normal")
    sizes = []
    for round_ in range(60):
        rows = [(f"{round_}-{i}" + "x" * 200, i) for i in range(200)]
        await db.write(lambda tx, rows=rows: tx.insert("item", ("name", "n"), rows), UNIT)  # type: ignore[misc]
        await asyncio.sleep(0.005)
        sizes.append((tmp_path / "org.sqlite-wal").stat().st_size)
    await db.close()

    # 60 rounds of some 60 pages would be 15 MB without a checkpoint.
    assert max(sizes) < 10_000_000


async def test_a_file_that_another_program_has_locked_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(implementation, "BUSY_MS", 10)
    db = open_database(tmp_path / "org.sqlite")
    await db.close()
    other = apsw.Connection(str(tmp_path / "org.sqlite"))
    other.execute("PRAGMA locking_mode = EXCLUSIVE").fetchall()
    other.execute("BEGIN EXCLUSIVE")

    with pytest.raises(LandbridgeError, match="is locked by another program"):
        open_database(tmp_path / "org.sqlite")

    other.close()


LATER = "INSERT INTO item VALUES (?, ?)"


def later(*rows: tuple[str, int]) -> Any:
    return lambda tx: tx.later(LATER, rows)


async def test_rows_for_later_are_there_after_the_commit_whatever_their_number(
    db: SQLiteDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(implementation, "PUT_OFF", 3)

    await asyncio.gather(*(db.write(later(*((f"{unit} {n}", n) for n in range(unit))), UNIT) for unit in range(6)))
    await db.write(later(("alone", 1)), UNIT)

    assert names(db) == sorted([*(f"{unit} {n}" for unit in range(6) for n in range(unit)), "alone"])


async def test_rows_for_later_may_be_of_two_statements(db: SQLiteDatabase) -> None:
    def other(tx: Tx) -> None:
        tx.later("INSERT INTO item (n, name) VALUES (?, ?)", [(2, "other")])

    await asyncio.gather(db.write(later(("a", 1)), UNIT), db.write(other, UNIT), db.write(later(("b", 1)), UNIT))

    assert names(db) == ["a", "b", "other"]


async def test_a_row_for_later_that_is_violated_fails_its_unit_alone(db: SQLiteDatabase) -> None:
    outcomes = await asyncio.gather(
        db.write(later(("a", 1)), UNIT), db.write(later(("b", 1), ("a", 2)), UNIT), db.write(later(("c", 1)), UNIT),
        return_exceptions=True,
    )  # fmt: skip

    assert [type(one) for one in outcomes] == [type(None), ConstraintViolated, type(None)]
    assert names(db) == ["a", "c"]


async def test_rows_for_later_go_with_the_part_that_is_undone(db: SQLiteDatabase) -> None:
    def nested(tx: Tx) -> None:
        tx.later(LATER, [("before", 1)])
        with pytest.raises(ValueError, match="inner"), tx.nested():
            tx.later(LATER, [("inside", 1)])
            raise ValueError("inner")
        with tx.nested():
            tx.later(LATER, [("nested", 1)])
        tx.later(LATER, [("behind", 1)])

    await asyncio.gather(db.write(nested, UNIT), db.write(later(("last", 1)), UNIT))

    assert names(db) == ["before", "behind", "last", "nested"]


@pytest.mark.parametrize("part", [False, True])
async def test_rows_for_later_go_with_what_fails(db: SQLiteDatabase, part: bool) -> None:
    def fails(tx: Tx) -> None:
        tx.later(LATER, [("lost", 1)])
        raise ValueError("late")

    def alone(tx: Tx) -> None:
        with pytest.raises(ValueError, match="late"):
            tx.alone(lambda: fails(tx))
        tx.later(LATER, [("behind", 1)])

    outcomes = await asyncio.gather(
        db.write(later(("first", 1)), UNIT), db.write(alone if part else fails, UNIT), return_exceptions=True
    )

    assert [type(one) for one in outcomes] == [type(None), type(None) if part else ValueError]
    assert names(db) == (["behind", "first"] if part else ["first"])


async def test_rows_for_later_of_a_transaction_across_awaits(db: SQLiteDatabase) -> None:
    async with db.transaction(UNIT) as transaction:
        await transaction.write(later(("a", 1)))
        assert await transaction.read(lambda reader: reader.one("SELECT count(*) FROM item")) == (1,)
    with pytest.raises(ValueError, match="gone"):
        async with db.transaction(UNIT) as transaction:
            await transaction.write(later(("b", 1)))
            raise ValueError("gone")

    assert names(db) == ["a"]


async def test_units_are_captured_together_and_fail_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five units a block: in the run that counts everything is captured after its own unit, and once."""
    monkeypatch.setattr(implementation, "TOGETHER", 5)
    order: list[str] = []

    def capture(tx: Tx) -> None:
        (name,) = tx.changes
        if name == "refused":
            raise ValueError("capture")
        tx.later(LATER, [(f"captured {name}", 1)])
        tx.after_commit(lambda: order.append(f"captured {name}"))

    def change(name: str) -> Any:
        def work(tx: Tx) -> None:
            tx.run(INSERT, (name, 1))
            tx.changes.append(name)  # type: ignore[arg-type]
            tx.after_commit(lambda: order.append(name))

        return work

    db = open_database(tmp_path / "org.sqlite", capture=capture)
    groups: list[int] = []
    db.listen(lambda: groups.append(1))
    given = [f"n{n:02}" for n in range(12)]
    await asyncio.gather(*(db.write(change(name), UNIT) for name in given))
    assert names(db) == sorted([*given, *(f"captured {name}" for name in given)])
    assert order == [one for name in given for one in (name, f"captured {name}")]

    more = ["a", "refused", "b"]
    outcomes = await asyncio.gather(*(db.write(change(name), UNIT) for name in more), return_exceptions=True)
    assert [type(one) for one in outcomes] == [type(None), ValueError, type(None)]
    assert [name for name in names(db) if not name.endswith(tuple(given))] == ["a", "b", "captured a", "captured b"]
    assert groups == [1, 1]
    await db.close()


async def test_listeners_hear_before_the_units(db: SQLiteDatabase) -> None:
    heard: list[str] = []
    end = db.listen(lambda: heard.append("first"))
    db.submit(add("a"), UNIT, lambda result, error: heard.append(f"told {result}"))
    await db.write(add("b"), UNIT)
    assert heard == ["first", "told 1"]

    async with db.transaction(UNIT) as transaction:
        await transaction.write(add("c"))
    assert heard[2:] == ["first"]
    end()
    await db.write(add("d"), UNIT)
    assert heard[3:] == []


async def test_a_listener_that_fails_holds_up_nobody(db: SQLiteDatabase) -> None:
    heard: list[str] = []

    def fails() -> None:
        raise RuntimeError("a listener that fails")

    db.listen(fails)
    db.listen(lambda: heard.append("next"))

    assert await asyncio.wait_for(db.write(add("a"), UNIT), 5) == 1
    async with asyncio.timeout(5), db.transaction(UNIT) as transaction:
        await transaction.write(add("b"))
    assert await asyncio.wait_for(db.write(add("c"), UNIT), 5) == 1
    assert heard == ["next"] * 3
    assert names(db) == ["a", "b", "c"]
