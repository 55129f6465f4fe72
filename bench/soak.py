"""
`make soak`: the long runs, outside CI.

1,000,000 creates over HTTP with memory watched, then kills under load: after each, everything acknowledged must be there. Ends
with a non-zero code when something was lost or memory kept growing.
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from bench import servers
from bench.load import Job
from bench.rows import BODY, DATA, source

CREATES = int(os.environ.get("SOAK_CREATES", "1000000"))
KILLS = int(os.environ.get("SOAK_KILLS", "50"))
STEP = 10.0


def creates(folder: Path) -> list[str]:
    """Resident memory while records pour in: flat, once caches are full (the last half against the middle)."""
    resident: list[float] = []
    done = 0
    with servers.ours(folder, source=source(folder)) as org:
        bearer = {"Authorization": f"Bearer {org.ready['access_token']}"}
        while done < CREATES:
            job = Job(0, "POST", f"{DATA}/sobjects/Account", bearer, BODY, 128, STEP, start=done * 10)
            result = org.load(job)
            done += result.done
            resident.append(org.resident())
            wal = (folder / "org" / "org.sqlite-wal").stat().st_size / 1e6
            print(
                f"  {done:>9,} creates  {result.rate:>8,.0f}/s  p99 {result.p99:5.1f} ms  {resident[-1]:6.1f} MB  log {wal:5.1f} MB"
            )
    middle, end = resident[len(resident) // 2], resident[-1]
    return [f"memory grew from {middle:.0f} to {end:.0f} MB over the second half"] if end > middle * 1.25 + 20 else []


class Writer(threading.Thread):
    """Creates contacts one after the other and notes each that was acknowledged."""

    def __init__(self, org: servers.Running, name: str) -> None:
        super().__init__()
        self._org = org
        self._prefix = name
        self.acknowledged: list[str] = []

    def run(self) -> None:
        connection = HTTPConnection("127.0.0.1", self._org.port, timeout=10)
        headers = {"Authorization": f"Bearer {self._org.ready['access_token']}", "Content-Type": "application/json"}
        for number in range(10**9):
            name = f"{self._prefix}-{number}"
            try:
                connection.request("POST", f"{DATA}/sobjects/Contact", f'{{"LastName": "{name}"}}', headers)
                reply = connection.getresponse()
                reply.read()
            except (OSError, HTTPException):
                return
            if reply.status == 201:
                self.acknowledged.append(name)


def kills(folder: Path) -> list[str]:
    """`kill -9` at random moments under eight writers, again and again on one data folder."""
    acknowledged: set[str] = set()
    chance = random.Random(11)
    for number in range(KILLS):
        (folder / "ready.json").unlink(missing_ok=True)
        with servers.ours(folder) as org:
            writers = [Writer(org, f"k{number}-{n}") for n in range(8)]
            for writer in writers:
                writer.start()
            time.sleep(chance.uniform(0.05, 0.6))
            org.process.send_signal(signal.SIGKILL)
            for writer in writers:
                writer.join()
                acknowledged.update(writer.acknowledged)
        connection = sqlite3.connect(folder / "org" / "org.sqlite")
        found = {row[0] for row in connection.execute('SELECT "LastName" FROM "Contact"')}
        connection.close()
        lost = acknowledged - found
        print(f"  kill {number + 1:>3}: {len(acknowledged):>7,} acknowledged, {len(lost)} lost")
        if lost:
            return [f"{len(lost)} acknowledged records were lost at kill {number + 1}"]
    return []


def main() -> int:
    problems: list[str] = []
    for name, work in ((f"{CREATES:,} creates", creates), (f"{KILLS} kills under load", kills)):
        print(name)
        with tempfile.TemporaryDirectory(prefix="landbridge-soak-") as place:
            problems += work(Path(place))
    for problem in problems:
        print(f"PROBLEM: {problem}")
    return 1 if problems else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.SubprocessError as error:
        sys.exit(str(error))
