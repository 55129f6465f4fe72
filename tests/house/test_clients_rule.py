"""A run that skipped a published client is not green."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

CASES = """
import pytest

@pytest.mark.client
def test_of_a_client(): {body}

def test_of_something_else(): pytest.skip("no matter")
"""


def run(folder: Path, body: str, allow: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_it.py").write_text(CASES.format(body=body))
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.support.clients", "-p", "no:cacheprovider", "test_it.py"],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT), "LANDBRIDGE_ALLOW_SKIP": allow},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("body", "allow", "code", "line"),
    [
        ("pass", "", 0, "published clients: 1 tests ran, 0 were skipped"),
        ("pytest.skip()", "", 1, "a skipped client test fails the run"),
        ("pytest.skip()", "1", 0, "published clients: 0 tests ran, 1 were skipped"),
        ("assert False", "1", 1, "published clients: 1 tests ran, 0 were skipped"),
    ],
)
def test_a_skipped_client_test_fails_the_run_unless_it_may(
    tmp_path: Path, body: str, allow: str, code: int, line: str
) -> None:
    done = run(tmp_path, body, allow)

    assert done.returncode == code
    assert line in done.stdout
