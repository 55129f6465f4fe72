"""The C floors of `../shared/bench`, built here and run in the same call as everything else."""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
from pathlib import Path

from bench.servers import ROOT, SHARED

BUILD = ROOT / "bench" / "build"


def build(name: str) -> Path | None:
    """Compile a floor; None, with what is missing said, where that can't be done."""
    target = BUILD / name
    source = SHARED / f"{name}.c"
    if not source.is_file():
        print(f"  {name}: ../shared/bench is not here, the floor is left out")
        return None
    if shutil.which("cc") is None:
        print(f"  {name}: no C compiler (Debian: apt-get install gcc), the floor is left out")
        return None
    BUILD.mkdir(exist_ok=True)
    done = subprocess.run(["cc", "-O2", source, "-o", target, "-lsqlite3"], capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"  {name}: SQLite's header is missing (Debian: apt-get install libsqlite3-dev), the floor is left out")
        return None
    return target


def inserts(program: Path, folder: Path) -> float:
    """Records per second of batches of 128 with synchronous FULL."""
    out = subprocess.run([program, "full", "128", "2"], cwd=folder, capture_output=True, text=True, check=True).stdout
    return float(re.search(r"(\d+) rec/s", out)[1])  # type: ignore[index]


def make_rows(path: Path) -> None:
    """The table that `cfloor` reads: 20,000 rows, 2,000 of them with Industry I1, an index on it."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(
        "CREATE TABLE account (Id TEXT PRIMARY KEY, Name TEXT, Ext__c TEXT, Phone TEXT, Website TEXT, Industry TEXT, AnnualRevenue "
        "REAL, NumberOfEmployees INTEGER, IsDeleted INTEGER NOT NULL, CreatedDate TEXT NOT NULL, LastModifiedDate TEXT NOT NULL, "
        "SystemModstamp TEXT NOT NULL) WITHOUT ROWID"
    )
    connection.execute("CREATE INDEX a_ind ON account (Industry)")
    stamp = "2026-11-23T18:00:00.000+0000"
    connection.executemany(
        "INSERT INTO account VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
        [(f"001{i:012d}AAA", f"Account name {i}", f"EXT-{i}", f"+1 555 {i:07d}", f"https://example{i}.com", f"I{i // 2000}",
          1234.5 + i, i % 1000, 0, stamp, stamp, stamp) for i in range(20_000)],
    )  # fmt: skip
    connection.commit()
    connection.close()


def json_rows(program: Path, path: Path) -> float:
    """Rows per second of 2,000 rows x 12 columns, stepped and written as JSON in C."""
    out = subprocess.run([program, path], capture_output=True, text=True, check=True).stdout
    return float(re.search(r"JSON in C: .* (\d+) rows/s", out)[1])  # type: ignore[index]
