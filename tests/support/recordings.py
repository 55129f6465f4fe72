"""The table of recordings at the end of a run: per group met, differs, not this issue."""

from __future__ import annotations

from collections import Counter, defaultdict

import pytest

OUTCOMES = ("met", "differs", "not this issue")


class Table:
    """Counts what became of each recording."""

    def __init__(self) -> None:
        self.found: dict[str, Counter[str]] = defaultdict(Counter)

    def note(self, name: str, outcome: str) -> None:
        self.found[name.partition("-")[0]][outcome] += 1

    def lines(self) -> list[str]:
        rows = [
            (group, *(str(counts[outcome]) for outcome in OUTCOMES)) for group, counts in sorted(self.found.items())
        ]
        whole = sum(self.found.values(), Counter())
        rows.append(("all", *(str(whole[outcome]) for outcome in OUTCOMES)))
        return [f"{group:<12}" + "".join(f"{count:>16}" for count in counts) for group, *counts in (
            ("recordings", *OUTCOMES), *rows)]  # fmt: skip


TABLE = pytest.StashKey[Table]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[TABLE] = Table()


@pytest.fixture
def recordings(request: pytest.FixtureRequest) -> Table:
    """Where a test notes what became of a recording."""
    return request.config.stash[TABLE]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    table = config.stash[TABLE]
    if table.found:
        for line in table.lines():
            terminalreporter.write_line(line)
