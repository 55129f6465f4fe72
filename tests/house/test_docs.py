"""Every option, route and error code is in the docs, and no page carries a path of somebody's machine."""

from __future__ import annotations

import argparse
import re
import subprocess

import pytest

from landbridge import errors
from landbridge.cli import parser
from landbridge.wire.app import routes
from tests.conftest import ROOT
from tests.house.test_ledger import classes

DOCS = ROOT / "docs"


def options(found: argparse.ArgumentParser) -> set[str]:
    names = {name for action in found._actions for name in action.option_strings if name.startswith("--")}
    for action in found._actions:
        if isinstance(action, argparse._SubParsersAction):
            for sub in action.choices.values():
                names |= options(sub)
    return names - {"--help"}


def test_every_option_is_in_the_reference() -> None:
    page = (DOCS / "reference" / "cli.md").read_text("utf-8")

    assert [name for name in sorted(options(parser())) if f"`{name}" not in page] == []


def test_every_route_is_in_the_reference() -> None:
    page = (DOCS / "reference" / "routes.md").read_text("utf-8")
    public = {
        f"`{route.method} {route.pattern}`" for route in routes() if not route.handler.__module__.endswith("elsewhere")
    }

    assert sorted(name for name in public if name not in page) == []


def test_every_error_code_is_in_the_reference() -> None:
    page = (DOCS / "reference" / "errors.md").read_text("utf-8")
    codes = {found.code for found in classes(errors.SalesforceError) if hasattr(found, "code")}

    assert sorted(code for code in codes if f"`{code}`" not in page) == []


def test_every_dependency_has_its_line() -> None:
    page = (DOCS / "dependencies.md").read_text("utf-8")
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    names = re.findall(r'^    "([a-z0-9-]+)>=', text, re.MULTILINE)

    assert names
    assert [name for name in names if f"**{name}**" not in page] == []


def test_links_between_pages_lead_somewhere() -> None:
    broken = []
    for page in [*DOCS.rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]:
        targets = re.findall(r"\]\(([^)#:]+)\)", page.read_text("utf-8"))
        broken += [f"{page.name}: {target}" for target in targets if not (page.parent / target).exists()]

    assert broken == []


def test_no_committed_file_names_a_machine() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    for name in listed.stdout.split():
        path = ROOT / name
        if path.suffix in {".py", ".md", ".toml", ".json", ""} and path.is_file():
            text = path.read_text("utf-8", "replace")
            assert not re.search(r"(?<![\w./])/(?:work|root|home/\w+)/\w", text), name
