"""The ladder of ARCHITECTURE: imports point down, or sideways inside one package, never up."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGE = ROOT / "src" / "landbridge"

# Room -> rung. A new room is one line here, after a look at ../shared/ARCHITECTURE.md.
LADDER = {
    "errors": 0, "ids": 0, "values": 0, "clock": 0, "chance": 0, "config": 0.1, "xml": 0, "client": 0.5,
    "storage": 1,
    "schema": 2, "faults": 2, "limits": 2,
    "access": 3,
    "soql": 4, "records": 4, "auth": 4,
    "server": 8, "wire": 8.5,
    "cli": 9,
    "__init__": 10, "__main__": 11,
}  # fmt: skip
FILES = sorted(PACKAGE.rglob("*.py"))


def room(parts: tuple[str, ...]) -> str:
    return parts[0] if parts else "__init__"


def imports(path: Path) -> list[tuple[str, ...]]:
    """What a file imports of us, as parts behind `landbridge`; imports for type checkers alone are left out."""
    tree = ast.parse(path.read_text("utf-8"))
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    found: list[tuple[str, ...]] = []
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.ImportFrom) and node.level == 0 and (node.module or "").split(".")[0] == "landbridge":
            behind = tuple((node.module or "").split(".")[1:])
            found += [(*behind, alias.name) if not behind or len(behind) < 2 else behind for alias in node.names]
        elif isinstance(node, ast.Import):
            found += [tuple(a.name.split(".")[1:]) for a in node.names if a.name.split(".")[0] == "landbridge"]
    return found


def test_every_room_stands_on_the_ladder() -> None:
    rooms = {path.stem if path.parent == PACKAGE else path.relative_to(PACKAGE).parts[0] for path in FILES}

    assert rooms == set(LADDER), "put a new room on its rung in LADDER, or take a removed one off"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down(path: Path) -> None:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    mine = room(parts)
    for target in imports(path):
        theirs = room(target) if room(target) in LADDER else "__init__"
        if theirs == mine:
            continue
        lazily_for_version = mine == "cli" and target == ("__version__",)
        assert LADDER[theirs] < LADDER[mine] or lazily_for_version, (
            f"{'.'.join(parts)} imports {'.'.join(target)}: that is up"
        )


@pytest.mark.parametrize(
    "path", [path for path in FILES if "wire" in path.parts], ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_no_wire_room_imports_another(path: Path) -> None:
    parts = path.relative_to(PACKAGE / "wire").parts
    if len(parts) == 1:
        return  # app and door put the rooms together
    for target in imports(path):
        if target[0] == "wire" and len(target) > 1:
            assert target[1] in (parts[0], "http"), f"wire/{parts[0]} imports wire/{target[1]}"


def test_the_client_uses_nothing_of_the_server() -> None:
    for path in FILES:
        if "client" in path.relative_to(PACKAGE).parts:
            assert all(room(target) in ("client", "errors") for target in imports(path)), path
