"""
`make bench`: ratios against floors and a peer, all in one run, durable writes, authentication and validation on.

Rounds are interleaved (A B C A B C), medians are quoted with their spread. Nothing here passes or fails: the goals stand beside
the ratios. A section is a module of this folder with a SECTION; `make bench SECTIONS="rows language"` runs some of them.
"""

from __future__ import annotations

import platform
import sqlite3
import sys
import tempfile
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import apsw

from bench.table import ROUNDS, SECONDS, Section, Table

SECTIONS = (
    "starts",
    "rows",
    "composite",
    "language",
    "events",
    "callouts",
    "delivery",
    "streaming",
    "pubsub",
)  # a line each: several are added at a time
"""Modules of this folder, in the order in which they run."""


def main(chosen: list[str]) -> None:
    unknown = set(chosen) - set(SECTIONS)
    if unknown:
        sys.exit(f"no section {', '.join(sorted(unknown))}; there are: {', '.join(SECTIONS)}")
    print(f"Landbridge {version('landbridge')}, Python {platform.python_version()}, {platform.machine()}, "
          f"apsw {apsw.apsw_version()} with SQLite {apsw.sqlite_lib_version()}, the system's SQLite {sqlite3.sqlite_version}, "
          f"uvicorn {version('uvicorn')}, FastAPI {version('fastapi')}, {ROUNDS} rounds of {SECONDS:g} s")  # fmt: skip
    table = Table()
    sections: list[Section] = [import_module(f"bench.{name}").SECTION for name in chosen or SECTIONS]
    for section in sections:
        print(f"running {section.name} ...", flush=True)
        with tempfile.TemporaryDirectory(prefix="landbridge-bench-") as place:
            section.run(table, Path(place))
    print("\nfigures: min / median / max")
    for section in sections:
        for name, unit in section.figures:
            table.figure(name, unit)
    print("\nratios of medians")
    for section in sections:
        for label, over, under, goal in section.ratios:
            table.ratio(label, over, under, goal)


if __name__ == "__main__":
    main(sys.argv[1:])
