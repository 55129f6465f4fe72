"""Parts of a unit that fail alone: against a model, in the first run, in the careful one and across awaits."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landbridge.storage import ConstraintViolated, DatabaseLost, SQLiteDatabase, Tx, Unit
from tests.support.storage import open_database

UNIT = Unit("test")
INSERT = "INSERT INTO item VALUES (?, 1)"


class Refused(Exception):
    """What a part may fail with."""


NAMES = st.lists(st.sampled_from("abcdef"), max_size=3)
# A part: names to insert, in order; whether it then refuses; parts inside it; whether these are kept all or none.
PARTS = st.recursive(
    st.tuples(NAMES, st.booleans(), st.just([]), st.just(False)),
    lambda inner: st.tuples(NAMES, st.booleans(), st.lists(inner, max_size=3), st.booleans()),
    max_leaves=8,
)


class AllOrNone(Exception):
    """Leaves the savepoint of parts of which one refused."""


def run(tx: Tx, part: Any, heard: list[str]) -> None:
    names, refuses, inner, whole = part
    for name in names:
        try:
            tx.run(INSERT, (name,))
        except ConstraintViolated:
            raise Refused(name) from None
        tx.changes.append(name)
        tx.after_commit(lambda name=name: heard.append(name))  # type: ignore[misc]
    if whole:
        with suppress(AllOrNone), tx.nested():
            became = tx.alone_each(lambda one: run(tx, one, heard), inner, Refused)
            if any(isinstance(one, Refused) for one in became):
                raise AllOrNone
    else:
        tx.alone_each(lambda one: run(tx, one, heard), inner, Refused)
    if refuses:
        raise Refused


def expect(part: Any, there: list[str]) -> list[str]:
    """What a part leaves: nothing new if it fails. Raises Refused."""
    names, refuses, inner, whole = part
    after = list(there)
    for name in names:
        if name in after:
            raise Refused(name)
        after.append(name)
    before_inner, failed = after, False
    for one in inner:
        try:
            after = expect(one, after)
        except Refused:
            failed = True
    if whole and failed:
        after = before_inner
    if refuses:
        raise Refused
    return after


@settings(max_examples=150)
@given(parts=st.lists(PARTS, max_size=6), across=st.booleans())
def test_a_part_leaves_all_or_nothing_and_its_neighbours_their_own(
    tmp_path_factory: pytest.TempPathFactory, parts: list[Any], across: bool
) -> None:
    there: list[str] = []
    outcomes = []
    for part in parts:
        try:
            there = expect(part, there)
            outcomes.append(True)
        except Refused:
            outcomes.append(False)

    async def check() -> None:
        path: Path = tmp_path_factory.mktemp("alone") / "org.sqlite"
        captured: list[str] = []
        heard: list[str] = []
        db = open_database(path, durability="off", capture=lambda tx: captured.extend(tx.changes))

        def work(tx: Tx) -> list[bool]:
            captured.clear()
            heard.clear()  # the unit may run twice
            became = tx.alone_each(lambda part: run(tx, part, heard), parts, Refused)
            return [not isinstance(one, Refused) for one in became]

        if across:
            async with db.transaction(UNIT) as transaction:
                found = await transaction.write(work)
        else:
            found = await db.write(work, UNIT)

        assert found == outcomes
        assert [
            row[0] for row in db.read_now(lambda reader: reader.all("SELECT name FROM item ORDER BY rowid"))
        ] == there
        assert captured == there
        assert heard == there
        await db.close()

    asyncio.run(check())


async def test_one_part_that_fails_late_does_not_disturb_the_units_of_its_group(db: SQLiteDatabase) -> None:
    runs = []

    def work(tx: Tx) -> str:
        runs.append(1)

        def late() -> None:
            tx.run(INSERT, ("half",))
            raise Refused

        tx.run(INSERT, ("before",))
        with pytest.raises(Refused):
            tx.alone(late)
        tx.run(INSERT, ("after",))
        return "kept"

    outcomes = await asyncio.gather(
        db.write(lambda tx: tx.run(INSERT, ("first",)), UNIT), db.write(work, UNIT), db.write(lambda tx: tx.run(INSERT, ("last",)), UNIT)
    )  # fmt: skip

    assert outcomes == [1, "kept", 1]
    assert len(runs) == 2
    found = {row[0] for row in db.read_now(lambda reader: reader.all("SELECT name FROM item"))}
    assert found == {"first", "before", "after", "last"}


async def test_a_part_that_fails_before_its_first_write_costs_no_second_run(db: SQLiteDatabase) -> None:
    runs = []

    def work(tx: Tx) -> None:
        runs.append(1)
        tx.run(INSERT, ("a",))
        for _ in range(3):
            with pytest.raises(ConstraintViolated):
                tx.alone(lambda: tx.run(INSERT, ("a",)))

    await db.write(work, UNIT)

    assert len(runs) == 1


async def test_a_part_that_meets_a_broken_database_ends_the_unit(db: SQLiteDatabase) -> None:
    def work(tx: Any) -> None:
        def full() -> None:
            raise apsw.FullError("database or disk is full")

        tx.run(INSERT, ("a",))
        tx.alone_each(lambda _: full(), [1, 2], Exception)

    with pytest.raises(DatabaseLost):
        await db.write(work, UNIT)
    assert db.read_now(lambda reader: reader.all("SELECT name FROM item")) == []


@given(names=st.lists(st.sampled_from("abcdefgh"), max_size=12))
def test_a_statement_for_many_rows_tells_which_of_them_failed(
    tmp_path_factory: pytest.TempPathFactory, names: list[str]
) -> None:
    async def check() -> None:
        db = open_database(tmp_path_factory.mktemp("each") / "org.sqlite", durability="off")
        became = await db.write(lambda tx: tx.run_each(INSERT, [(name,) for name in names]), UNIT)

        assert [one is None for one in became] == [name not in names[:index] for index, name in enumerate(names)]
        assert all(one is None or one.index == "item.name" for one in became)
        found = [row[0] for row in db.read_now(lambda reader: reader.all("SELECT name FROM item ORDER BY rowid"))]
        assert found == list(dict.fromkeys(names))
        await db.close()

    asyncio.run(check())
