"""A disk that is full: everyone who waits hears of it, nothing is acknowledged, and the database goes on."""

from __future__ import annotations

import asyncio
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from landbridge.storage import DatabaseLost, SQLiteDatabase, Unit, sqlite

UNIT = Unit("test")


def fill(name: str, size: int) -> object:
    return lambda tx: tx.run("INSERT INTO item VALUES (?, ?)", (name + "x" * size, 1))


async def outcomes(db: SQLiteDatabase, prefix: str) -> list[object]:
    works = [db.write(fill(f"{prefix}{i}", 50_000), UNIT) for i in range(40)]  # type: ignore[arg-type]
    return await asyncio.gather(*works, return_exceptions=True)


def kept(db: SQLiteDatabase) -> int:
    row = db.read_now(lambda reader: reader.one("SELECT count(*) FROM item"))
    assert row is not None
    return int(row[0])


async def test_a_full_database_fails_every_unit_of_the_group_and_goes_on(
    db: SQLiteDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "GROUP_SECONDS", 60.0)  # one group, however busy the machine is
    pages = db.writer.execute("PRAGMA page_count").fetchall()[0][0]
    db.writer.execute(f"PRAGMA max_page_count = {pages + 100}").fetchall()

    found = await outcomes(db, "full")

    assert all(isinstance(one, DatabaseLost) for one in found)
    assert kept(db) == 0
    await db.write(fill("small", 1), UNIT)  # type: ignore[arg-type]
    db.writer.execute("PRAGMA max_page_count = 1000000").fetchall()
    assert all(one == 1 for one in await outcomes(db, "room"))
    assert kept(db) == 41


@pytest.fixture
def small_files() -> Iterator[int]:
    """No file of this process may grow beyond 1 MB; writing more fails with EFBIG, as a full disk does with ENOSPC."""
    limit = 1_000_000
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    yield limit
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


async def test_a_write_ahead_log_that_cannot_grow_fails_the_group(db: SQLiteDatabase, small_files: int) -> None:
    found = await outcomes(db, "big")

    assert all(isinstance(one, DatabaseLost) for one in found)
    assert kept(db) == 0
    await db.write(fill("small", 1), UNIT)  # type: ignore[arg-type]
    assert kept(db) == 1
    assert Path(f"{db.path}-wal").stat().st_size <= small_files
