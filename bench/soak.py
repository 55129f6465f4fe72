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


def exactly_once(folder: Path) -> list[str]:
    """The whole harness: 5,000 events over 200 keys, 25 kills; then that it catches five broken runtimes."""
    from tests.support.exactly_once import harness
    from tests.support.exactly_once.breakage import BREAKAGES

    seed = int(os.environ.get("SOAK_SEED", "7"))
    events = int(os.environ.get("SOAK_EVENTS", "5000"))
    problems = []
    whole = folder / "whole"
    whole.mkdir()
    verdict = harness.run(whole, folder / "home", seed=seed, events=events, keys=200, kills=25)
    print(f"  {verdict}")
    if not verdict.clean:
        problems.append("the exactly-once harness found something")
    if missing := [point for point in harness.POINTS if not verdict.killed[point]]:
        problems.append(f"crash points at which nothing was killed: {', '.join(missing)}")
    for number, name in enumerate(BREAKAGES):
        place = folder / f"broken-{number}"
        place.mkdir()
        verdict = harness.run(
            place, folder / "home", seed=seed, events=400, keys=20, kills=6, breakage=name,
            points=("enqueue", "claimed", "answer"),
        )  # fmt: skip
        print(f"  broken on purpose: {name}\n  {verdict}")
        if verdict.clean:
            problems.append(f"the broken runtime was not caught: {name}")
    return problems


def waiting(folder: Path) -> list[str]:
    """Deliveries that wait: what a claim takes and how much memory there is must not depend on how many."""
    from bench import delivery

    figures = delivery.waiting(folder, int(os.environ.get("SOAK_WAITING", "1000000")))
    for count, milliseconds, megabytes in figures:
        print(f"  {count:>9,} wait: claim and settle of 128 {milliseconds:6.2f} ms, resident {megabytes:6.1f} MB")
    (_, first, small), (_, last, large) = figures[0], figures[-1]
    problems = []
    if last > 3 * first + 1:
        problems.append(f"a claim takes {last:.1f} ms with all waiting, {first:.1f} ms with few")
    if large > small + 100:
        problems.append(f"memory grew from {small:.0f} to {large:.0f} MB with what waits")
    return problems


def main() -> int:
    problems: list[str] = []
    chosen = set(sys.argv[1:])
    parts = (
        ("creates", f"{CREATES:,} creates", creates),
        ("kills", f"{KILLS} kills under load", kills),
        ("exactly-once", "exactly once: a flow killed at every crash point, and five broken runtimes", exactly_once),
        ("waiting", "deliveries that wait", waiting),
    )
    for part, name, work in parts:
        if chosen and part not in chosen:
            continue
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
