"""
The power goes: whatever was acknowledged is there, nothing is there by halves.

200 cuts at random writes and syncs of a write load. The same load with synchronous off must lose something, or the test
itself is blind.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import apsw
import pytest

from landbridge.storage import Tx, Unit
from tests.support.crashes import Counted
from tests.support.power import Disk, ForgetfulVFS
from tests.support.storage import open_database

CUTS = 200
CLIENTS = 8
_vfs_names = (f"forgetful-{n}" for n in count())


class Load:
    """Clients that write pairs of rows, a pair a unit, and note what was acknowledged when a cut is taken."""

    def __init__(self, folder: Path, cuts: int, seed: int) -> None:
        self._folder = folder
        self._random = random.Random(seed)
        self._left = cuts
        self._next_cut = self._random.randint(1, 20)
        self.acknowledged: list[int] = []
        self.cuts: list[tuple[Path, int]] = []
        self.disk = Disk(self._watch)

    def _watch(self, operation: int) -> None:
        if operation >= self._next_cut and self._left:
            self._left -= 1
            self._next_cut = operation + self._random.randint(1, 8)
            folder = self._folder / f"cut-{len(self.cuts)}"
            self.disk.cut(folder)
            self.cuts.append((folder, len(self.acknowledged)))

    async def run(self, durability: str) -> None:
        (self._folder / "live").mkdir()
        name = next(_vfs_names)
        vfs = ForgetfulVFS(name, self.disk)
        db = open_database(self._folder / "live" / "org.sqlite", durability=durability, vfs=name)
        numbers = count()

        def pair(number: int) -> object:
            def work(tx: Tx) -> None:
                tx.run("INSERT INTO item VALUES (?, ?)", (f"a{number}", number))
                tx.run("INSERT INTO item VALUES (?, ?)", (f"b{number}", number))

            return work

        async def client() -> None:
            while self._left:
                number = next(numbers)
                await db.write(pair(number), Unit("load"))  # type: ignore[arg-type]
                self.acknowledged.append(number)

        await asyncio.gather(*(client() for _ in range(CLIENTS)))
        await db.close()
        vfs.unregister()

    def losses(self) -> Iterator[str]:
        """What each cut lost of what was acknowledged before it, and what it left by halves."""
        for folder, acknowledged in self.cuts:
            found = _numbers(folder)
            missing = set(self.acknowledged[:acknowledged]) - found["a"]
            if missing:
                yield f"{folder.name}: {len(missing)} of {acknowledged} acknowledged units lost"
            if found["a"] != found["b"]:
                yield f"{folder.name}: units by halves: {sorted(found['a'] ^ found['b'])[:5]}"


def _numbers(folder: Path) -> dict[str, set[int]]:
    """The pairs that a restart finds; none in a file that was not yet a database."""
    path = folder / "org.sqlite"
    if not path.exists():
        return {"a": set(), "b": set()}
    connection = apsw.Connection(str(path))
    try:
        rows = connection.execute("SELECT substr(name, 1, 1), n FROM item").fetchall()
    except apsw.SQLError:
        rows = []  # cut before the first migration was durable
    finally:
        connection.close()
    return {side: {int(n) for found, n in rows if found == side} for side in ("a", "b")}  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.ledger("storage.power-cut", "documented", "our promise: full durability")
async def test_every_acknowledged_unit_survives_200_power_cuts(tmp_path: Path, counted: Counted) -> None:
    load = Load(tmp_path, CUTS, seed=7)
    await load.run("full")

    losses = list(load.losses())

    counted(
        f"storage: power cuts: {len(load.cuts)}, units acknowledged: {len(load.acknowledged)}, losses: {len(losses)}"
    )
    assert len(load.cuts) == CUTS
    assert losses == []


@pytest.mark.slow
async def test_the_same_cuts_lose_units_without_synchronous_writes(tmp_path: Path) -> None:
    load = Load(tmp_path, CUTS, seed=7)
    await load.run("off")

    assert len(load.cuts) == CUTS
    assert any("acknowledged units lost" in loss for loss in load.losses())
