"""Figures of a run by name, and the ratios of their medians: what every section of the benchmark fills and prints."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROUNDS = 3
SECONDS = 3.0


class Table:
    """Figures by name, a value a round; ratios of medians."""

    def __init__(self) -> None:
        self._values: dict[str, list[float]] = {}

    def add(self, name: str, value: float) -> float:
        self._values.setdefault(name, []).append(value)
        return value

    def median(self, name: str) -> float | None:
        values = self._values.get(name)
        return statistics.median(values) if values else None

    def figure(self, name: str, unit: str) -> None:
        values = self._values.get(name)
        if values:
            print(
                f"  {name:44} {min(values):>10,.4g} / {statistics.median(values):>10,.4g} / {max(values):>10,.4g}  {unit}"
            )

    def ratio(self, label: str, over: str, under: str, goal: str) -> None:
        a, b = self.median(over), self.median(under)
        if a is None or not b:
            print(f"  {label:52} {'-':>8}   goal {goal}   (left out)")
        else:
            print(f"  {label:52} {a / b:>8.2f}   goal {goal}")


@dataclass(frozen=True)
class Section:
    """
    One part of `make bench`.

    `run(table, folder)` fills the table; `figures` are (name, unit), `ratios` (label, over, under, goal) of what it added.
    """

    name: str
    run: Callable[[Table, Path], None]
    figures: tuple[tuple[str, str], ...]
    ratios: tuple[tuple[str, str, str, str], ...]


def rounds(work: Callable[[int], None]) -> None:
    """Interleaved rounds (A B C A B C): `work` runs everything that is compared once."""
    for number in range(ROUNDS):
        work(number)
