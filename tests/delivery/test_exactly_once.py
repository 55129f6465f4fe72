"""
Effects once, whatever dies: the harness in small. `make soak` runs it whole (5,000 events, 200 keys, 25 kills).

The seed decides what is published, what the outside system does and where the runtime is killed; a failing run prints it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from landbridge.delivery import POINTS
from tests.support.crashes import Counted
from tests.support.exactly_once import harness


@pytest.mark.slow
@pytest.mark.ledger(
    "delivery.exactly-once", "differs", "our promise; an org alone promises its subscribers at-least-once"
)
def test_nothing_is_missed_or_doubled_with_the_runtime_killed_at_every_point(
    tmp_path: Path, home: Path, counted: Counted
) -> None:
    verdict = harness.run(tmp_path, home, seed=2, events=400, keys=40, kills=len(POINTS))
    counted(f"delivery: {verdict}")

    assert verdict.clean, str(verdict)
    assert {point for point in POINTS if verdict.killed[point] == 0} == set(), str(verdict)


# What each broken runtime is caught by, and where it has to die for it.
CAUGHT = {
    "settle before effect": ("missed", ()),
    "dedupe by record id": ("missed", ()),
    "no lock on order": ("out_of_order", ()),
    "lost watermark": ("missed", ("enqueue",)),
    "replay twice": ("duplicated", ()),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CAUGHT)
def test_a_broken_runtime_is_caught(tmp_path: Path, home: Path, name: str) -> None:
    finding, points = CAUGHT[name]

    verdict = harness.run(
        tmp_path, home, seed=3, events=160, keys=8, kills=len(points), points=points or POINTS, breakage=name
    )
    print(f"{name}: {verdict}")

    assert getattr(verdict, finding), f"{name} was not caught: {verdict}"
