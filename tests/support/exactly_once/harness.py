"""
Runs a plan through the runtime and the outside system, with kills, and gives the verdict: missed, duplicated, out of order,
dead letters that are not the poison ones.
"""

from __future__ import annotations

import json
import random
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from landbridge.delivery import POINTS
from tests.conftest import ROOT
from tests.support.exactly_once.plan import Plan

LONGEST = 120.0
"""Seconds after which a runtime that does not end counts as stuck."""


@dataclass
class Verdict:
    """What was found. `texts` names each finding; `points`: how often each crash point was passed and killed at."""

    seed: int
    missed: list[str] = field(default_factory=list)
    duplicated: list[str] = field(default_factory=list)
    out_of_order: list[str] = field(default_factory=list)
    dead: list[str] = field(default_factory=list)
    passed: Counter[str] = field(default_factory=Counter)
    killed: Counter[str] = field(default_factory=Counter)
    outside: dict[str, int] = field(default_factory=dict)
    stuck: bool = False

    @property
    def clean(self) -> bool:
        return not (self.missed or self.duplicated or self.out_of_order or self.dead or self.stuck)

    def __str__(self) -> str:
        lines = [
            f"seed {self.seed}: {len(self.missed)} missed, {len(self.duplicated)} duplicated, "
            f"{len(self.out_of_order)} out of order, {len(self.dead)} wrong dead letters{', stuck' if self.stuck else ''}",
            "  crash points passed: " + ", ".join(f"{point} {self.passed[point]}" for point in POINTS),
            f"  killed ({sum(self.killed.values())}): "
            + ", ".join(f"{point} {self.killed[point]}" for point in POINTS),
            "  outside system: " + ", ".join(f"{name} {count}" for name, count in self.outside.items()),
        ]
        for name in ("missed", "duplicated", "out_of_order", "dead"):
            found = getattr(self, name)
            if found:
                lines.append(f"  {name}: {', '.join(found[:5])}{' ...' if len(found) > 5 else ''}")
        return "\n".join(lines)


@contextmanager
def outside(seed: int, folder: Path) -> Iterator[int]:
    """The outside system as a process; its port."""
    port_file = folder / "outside.port"
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.exactly_once.outside", str(seed), str(port_file)], cwd=ROOT
    )
    try:
        while not port_file.exists():
            assert process.poll() is None, "the outside system did not start"
            time.sleep(0.01)
        yield int(port_file.read_text())
    finally:
        process.kill()
        process.wait()


def run(
    folder: Path, home: Path, *, seed: int, events: int, keys: int, kills: int, breakage: str | None = None,
    points: Sequence[str] = POINTS, replay: bool = True,
) -> Verdict:  # fmt: skip
    """One whole run. Every one of the crash `points` is killed at once before any is killed at twice."""
    verdict = Verdict(seed)
    chance = random.Random(f"kills {seed}")
    plan = Plan.make(seed, events, keys)
    counted = folder / "points.jsonl"
    config = folder / "config.json"
    with outside(seed, folder) as port:
        todo: list[dict[str, Any] | None] = list(_kills(chance, kills, points))
        todo.append(None)
        for number, kill in enumerate(todo, 1):
            config.write_text(json.dumps({
                "seed": seed, "events": events, "keys": keys, "share": events * number // len(todo), "data": str(folder / "org"), "home": str(home), "port": port,
                "kill": kill, "points": str(counted), "breakage": breakage, "replay": replay and kill is None,
            }))  # fmt: skip
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.exactly_once.runtime", str(config)], cwd=ROOT,
                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            )  # fmt: skip
            try:
                _, errors = process.communicate(timeout=LONGEST)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                verdict.stuck = True
                break
            assert process.returncode in (0, -9), errors
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/report") as reply:
            report = json.load(reply)
    for line in counted.read_text().splitlines():
        found = json.loads(line)
        verdict.passed.update(found["passed"])
        if found["killed"] is not None:
            verdict.killed[found["killed"]] += 1
    verdict.outside = report["counts"]
    _judge(verdict, plan, report["effects"], folder / "org" / "org.sqlite", replayed=replay)
    return verdict


def _kills(chance: random.Random, kills: int, points: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Where to kill: rounds through all points in a drawn order, each at one of its first times."""
    rounds: list[str] = []
    while len(rounds) < kills:
        rounds += chance.sample(points, len(points))
    for point in rounds[:kills]:
        # What happens seldom is killed at soon, or the work would be done before it has happened so often.
        most = {"park": 1, "parked": 1, "read": 2, "enqueue": 2, "enqueued": 2}.get(point, 10)
        yield {"point": point, "hit": chance.randint(1, most)}


def _judge(verdict: Verdict, plan: Plan, effects: list[list[str]], database: Path, *, replayed: bool) -> None:
    wanted = {f"{item.key} {item.seq}" for item in plan.items if replayed or not item.poison}
    poison = {f"{item.key} {item.seq}" for item in plan.items if item.poison}
    at_target = Counter(f"{key} {seq}" for key, seq, _ in effects)
    connection = sqlite3.connect(database)
    in_org = Counter(row[0] for row in connection.execute('SELECT "Name" FROM "Account"'))
    letters = connection.execute('SELECT "Key__c", "Payload__c", "Status__c" FROM "Failed_Payload__c"').fetchall()
    connection.close()
    for where, found in (("outside", at_target), ("in the org", in_org)):
        verdict.missed += sorted(f"{one} {where}" for one in wanted - found.keys())
        verdict.duplicated += sorted(f"{one} {where} x{count}" for one, count in found.items() if count > 1)
    last: dict[str, int] = {}
    for key, seq, _ in effects:
        if f"{key} {seq}" in poison:
            continue  # sent again by a person, after others of its key: that is what `skip` says
        if int(seq) <= last.get(key, 0):
            verdict.out_of_order.append(f"{key} {seq} after {last[key]}")
        last[key] = max(last.get(key, 0), int(seq))
    dead = Counter(
        f"{key} {json.loads(payload)['values']['Status__c'].partition(' ')[0]}" for key, payload, _ in letters
    )
    verdict.dead += sorted(f"{one} is no poison" for one in dead.keys() - poison)
    verdict.dead += sorted(f"{one} is no dead letter" for one in poison - dead.keys())
    verdict.dead += sorted(f"{one} twice" for one, count in dead.items() if count > 1)
    if replayed:
        verdict.dead += sorted(f"{key} is {status}" for key, _, status in letters if status != "Resolved")
