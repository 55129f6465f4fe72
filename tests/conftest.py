"""
What every test shares: orgs to talk to, the facts beside the project, and the ledger.

docs/fidelity.md is written from the `ledger` marks by `--write-ledger`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support import ledger
from tests.support.running import RunningOrg

pytest_plugins = ["tests.support.clients", "tests.support.recordings", "tests.support.attacks", "tests.support.crashes"]

ROOT = Path(__file__).parents[1]
settings.register_profile("ours", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ours")


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
