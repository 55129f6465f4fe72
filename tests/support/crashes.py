"""
What the tests that kill and cut have counted, at the end of every run: how often, what was acknowledged, what was lost.

A test takes `counted` and hands it a line; captured output would show it only when the test fails.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

Counted = Callable[[str], None]
LINES = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[LINES] = []


@pytest.fixture
def counted(request: pytest.FixtureRequest) -> Counted:
    return request.config.stash[LINES].append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    lines = config.stash[LINES]
    if lines:
        terminalreporter.section("kills and cuts")
    for line in lines:
        terminalreporter.write_line(line)
