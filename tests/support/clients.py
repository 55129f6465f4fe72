"""
A skipped client test fails the run: a protocol that nobody spoke is not checked. LANDBRIDGE_ALLOW_SKIP=1 lets it pass.

The end of every run says how many tests of published clients ran, so that a green line can't hide that none did.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Generator

import pytest

OUTCOMES = pytest.StashKey[Counter[str]]()
ALLOW = "LANDBRIDGE_ALLOW_SKIP"


def pytest_configure(config: pytest.Config) -> None:
    config.stash[OUTCOMES] = Counter()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if item.get_closest_marker("client") is not None and (report.when == "call" or report.skipped):
        item.config.stash[OUTCOMES]["skipped" if report.skipped else "ran"] += 1
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    skipped = session.config.stash[OUTCOMES]["skipped"]
    if skipped and os.environ.get(ALLOW) != "1" and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    outcomes = config.stash[OUTCOMES]
    if not outcomes:
        return
    terminalreporter.write_line(f"published clients: {outcomes['ran']} tests ran, {outcomes['skipped']} were skipped")
    if outcomes["skipped"] and os.environ.get(ALLOW) != "1":
        terminalreporter.write_line(f"a skipped client test fails the run; {ALLOW}=1 lets it pass", red=True)
