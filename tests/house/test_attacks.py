"""docs/reference/attacks.md is the list of what the tests try."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.support import attacks, ledger

GUARDS = [
    path for room in ("auth", "proxy", "wire/oauth", "wire/soap", "wire/control")
    for path in sorted((ROOT / "src" / "landbridge" / room).glob("*.py"))
]  # fmt: skip
_SECRET = re.compile(r"secret|password|token|verifier|challenge|credential|digest|hash", re.IGNORECASE)


def test_the_page_is_what_the_tests_try(request: pytest.FixtureRequest) -> None:
    if not request.config.stash[ledger.WHOLE]:
        pytest.skip("a part of the tests was collected: the list is compared when all are")

    assert attacks.FILE.read_text("utf-8") == attacks.document(request.config.stash[attacks.ATTACKS]), (
        "docs/reference/attacks.md is stale: run `make ledger`"
    )


@pytest.mark.attack(
    "timing: how far a guessed secret is right",
    "secrets are compared by hmac.compare_digest or looked up by their hash",
)
@pytest.mark.parametrize("path", GUARDS, ids=lambda path: path.relative_to(ROOT / "src" / "landbridge").as_posix())
def test_no_secret_is_compared_byte_by_byte(path: Path) -> None:
    found = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Compare) and any(isinstance(op, ast.Eq | ast.NotEq) for op in node.ops):
            names = [
                part.id if isinstance(part, ast.Name) else part.attr
                for side in (node.left, *node.comparators) for part in [side] if isinstance(part, ast.Name | ast.Attribute)
            ]  # fmt: skip
            found += [f"line {node.lineno}: {name}" for name in names if _SECRET.search(name)]

    assert found == []
