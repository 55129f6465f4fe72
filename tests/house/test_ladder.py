"""
The ladder of docs/architecture.md: imports point down, or sideways inside one package, never up.

Every import counts, also one inside a function and one for type checkers alone: both are ways to hide a step up.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import landbridge
from tests.conftest import ROOT

PACKAGE = ROOT / "src" / "landbridge"

# The rooms of each rung, lowest first. Rooms of one rung know nothing of each other. A rung above another's half step
# (config reads errors, __main__ starts the command line) is a rung of its own here.
RUNGS = (
    ("errors", "ids", "values", "clock", "chance", "threads", "xml"),
    ("config", "client"),
    ("storage",),
    ("schema", "faults", "limits"),
    ("access",),
    ("events",),
    ("soql", "records", "auth"),
    ("callouts",),
    ("delivery",),
    ("flows",),
    ("server",),
    ("wire",),
    ("proxy",),
    ("cli",),
    ("__init__",),
    ("__main__",),
)
RUNG = {room: number for number, rooms in enumerate(RUNGS) for room in rooms}
# `landbridge --version` asks the package's front for its number, and for nothing else.
ALLOWED = {("cli/main.py", "__init__")}
FILES = sorted(PACKAGE.rglob("*.py"))

each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())


def room(path: Path) -> str:
    """The room a file belongs to: its folder in the package, or its own name."""
    inside = path.relative_to(PACKAGE)
    return inside.stem if len(inside.parts) == 1 else inside.parts[0]


def modules(path: Path) -> Iterator[str]:
    """What a file imports of us, as dotted names behind `landbridge.`; the package's front is "__init__"."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, (
                f"{path.name}:{node.lineno}: say `from landbridge...`, so that a reader sees the room"
            )
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            top, _, inner = name.partition(".")
            if top == "landbridge":
                yield inner if inner.split(".")[0] in RUNG else "__init__"


def test_every_room_stands_on_the_ladder() -> None:
    rooms = {room(path) for path in FILES}

    assert sorted(rooms - set(RUNG)) == [], (
        "a new room: read docs/architecture.md, put it on its rung in RUNGS and there"
    )
    assert sorted(set(RUNG) - rooms) == [], "a room that is gone: take it off RUNGS and docs/architecture.md"


def test_the_map_names_every_room() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")

    assert [name for name in RUNG if not name.startswith("__") and f"`{name}" not in page] == []


@each_file
def test_imports_point_down(path: Path) -> None:
    mine = room(path)
    for name in modules(path):
        theirs = name.split(".")[0]
        if theirs != mine and (path.relative_to(PACKAGE).as_posix(), theirs) not in ALLOWED:
            assert RUNG[theirs] < RUNG[mine], (
                f"{mine} (rung {RUNG[mine]}) imports {name} (rung {RUNG[theirs]}): hand it a function instead, or move the code"
            )


@each_file
def test_no_wire_room_imports_another(path: Path) -> None:
    parts = path.relative_to(PACKAGE).parts
    if parts[0] != "wire" or len(parts) < 3:
        return  # wire/app.py and wire/door.py put the rooms together
    others = {name.split(".")[1] for name in modules(path) if name.startswith("wire.")} - {"http", parts[1]}

    assert others == set(), (
        f"wire/{parts[1]} imports wire/{others}: what they share belongs below wire/, or in wire/http"
    )


def test_the_front_of_the_package_is_a_list_looked_up_when_used() -> None:
    tree = ast.parse((PACKAGE / "__init__.py").read_text("utf-8"))
    for node in tree.body:
        if isinstance(node, ast.If):
            assert all(isinstance(inner, ast.ImportFrom) for inner in node.body)
        else:
            named = isinstance(node, ast.FunctionDef) and node.name == "__getattr__"
            assert named or isinstance(node, ast.Expr | ast.ImportFrom | ast.Assign)

    said = subprocess.run(
        [sys.executable, "-c", "import sys, landbridge; print(*(n for n in sys.modules if n.startswith('landbridge.')))"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert said.split() == []
    assert all(getattr(landbridge, name) is not None for name in landbridge.__all__)


def test_the_client_uses_nothing_of_the_server() -> None:
    used = {name.split(".")[0] for path in FILES if room(path) == "client" for name in modules(path)}

    assert used <= {"client", *RUNGS[0]}
