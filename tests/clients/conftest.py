"""
The org that published clients drive: `landbridge serve` as a process of its own, known only by its ready file.

It holds the sample shop and so many contacts that a query has several pages. The JavaScript clients are installed by
`make test`; without them their tests are skipped with the reason.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.conftest import ROOT

HERE = Path(__file__).parent
SHOP = ROOT / "examples" / "shop"
ROWS = 4_321
"""Contacts called `Row 0000` and so on: two full pages of 2,000 and a third that is not."""


@dataclass(frozen=True)
class Served:
    """A server in another process. `ready` is what its ready file says."""

    ready: dict[str, Any]

    @property
    def port(self) -> int:
        found = urlsplit(self.ready["url"]).port
        assert found is not None
        return found


@contextmanager
def serve(folder: Path, home: Path, *options: object) -> Iterator[Served]:
    """`landbridge serve` in memory on a free port, until the block ends. It must stop cleanly."""
    ready = folder / "ready.json"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LANDBRIDGE_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "landbridge", "serve", "--memory", "--port", "0", "--ready-file", ready, *map(str, options)],
        env={**kept, "LANDBRIDGE_HOME": str(home), "LANDBRIDGE_DAILY_API_REQUESTS": "1000000"},
        stdout=subprocess.PIPE, stderr=(folder / "stderr").open("wb"), text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        process.stdout.readline()  # printed once the ready file is there; the end of the stream when it can't start
        assert ready.exists(), (folder / "stderr").read_text()
        yield Served(json.loads(ready.read_text()))
    finally:
        process.terminate()
        process.communicate(timeout=30)
    assert process.returncode == 0, (folder / "stderr").read_text()


@pytest.fixture(scope="session")
def org(tmp_path_factory: pytest.TempPathFactory, home: Path) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    rows = [{"attributes": {"type": "Contact"}, "LastName": f"Row {number:04}"} for number in range(ROWS)]
    (folder / "rows.json").write_text(json.dumps({"records": rows}))
    seeds = ("--seed", SHOP / "data" / "plan.json", "--seed", folder / "rows.json")
    with serve(folder, home, "--source", SHOP, *seeds) as served:
        yield served


@pytest.fixture(scope="session")
def jsforce_of() -> Callable[[Served, str], Any]:
    """Runs a piece of JavaScript with `jsforce` and `org` (the ready file) in scope; its `result` comes back as JSON."""
    node = HERE / "node_modules" / ".bin" / "node"
    if not node.exists():
        pytest.skip("the JavaScript clients are not installed: run `make test`, which needs npm")

    def run(org: Served, body: str) -> Any:
        script = f"""
            const jsforce = require('jsforce');
            const org = {json.dumps(org.ready)};
            const failed = async (work) => {{ try {{ await work(); return null; }} catch (e) {{ return e; }} }};
            (async () => {{ {body} }})().then(
                (result) => process.stdout.write(JSON.stringify(result ?? null)),
                (error) => {{ console.error(error); process.exit(1); }});
        """
        done = subprocess.run([node, "-e", script], cwd=HERE, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


@pytest.fixture(scope="session")
def jsforce(org: Served, jsforce_of: Callable[[Served, str], Any]) -> Callable[[str], Any]:
    """As `jsforce_of`, against the session's own org."""
    return lambda body: jsforce_of(org, body)
