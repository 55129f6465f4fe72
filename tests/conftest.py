"""
What every test shares: orgs to talk to, the facts beside the project, and two rules of the run.

A skipped client test fails the run (LANDBRIDGE_ALLOW_SKIP=1 lets it pass): a protocol nobody checked is not checked. The ledger
(docs/fidelity.md) is written from the `ledger` marks by `--write-ledger`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support import ledger
from tests.support.running import RunningOrg

ROOT = Path(__file__).parents[1]
settings.register_profile("ours", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ours")

_skipped_clients: list[str] = []


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-ledger", action="store_true", help="write docs/fidelity.md from the tests' ledger marks")


@pytest.hookimpl(tryfirst=True)  # before -k and -m take tests away: the ledger is of all
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    found = config.stash[ledger.ROWS] = ledger.rows(items)
    whole = config.stash[ledger.WHOLE] = ledger.is_whole(session)
    if config.getoption("--write-ledger"):
        if not whole:
            raise pytest.UsageError("--write-ledger needs every test, collected without an error")
        ledger.FILE.write_text(ledger.document(found), "utf-8")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    if report.skipped and item.get_closest_marker("client") is not None:
        _skipped_clients.append(item.nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if _skipped_clients and os.environ.get("LANDBRIDGE_ALLOW_SKIP") != "1":
        print(f"\n{len(_skipped_clients)} client tests were skipped; LANDBRIDGE_ALLOW_SKIP=1 lets that pass.")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def shared() -> Path:
    """The facts and recordings beside the project; a clone elsewhere has none."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip("../shared is not here: facts and recordings are kept beside the project, not in it")
    return folder


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the test run's certificates are, instead of the user's own folder."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def org(home: Path) -> Iterator[RunningOrg]:
    """An org with the sample shop, in memory, answering on a port of its own; one per module."""
    shop = ROOT / "examples" / "shop"
    with RunningOrg(
        home=home, source=(shop,), seed=(shop / "data" / "plan.json",), daily_api_requests=1_000_000
    ) as running:
        yield running
