"""`landbridge query` at a terminal and in a pipe: statements over lines, completion, history."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from landbridge.cli.completion import completions
from tests.conftest import ROOT
from tests.support.running import RunningOrg


class Names:
    def objects(self) -> list[str]:
        return ["Account", "Asset", "Contact"]

    def fields(self, sobject: str) -> dict[str, str | None]:
        known: dict[str, dict[str, str | None]] = {
            "contact": {"Id": None, "LastName": None, "AccountId": None, "Account": "Account"},
            "account": {"Id": None, "Name": None, "Owner": "User", "NumberOfEmployees": None},
        }
        return known.get(sobject.lower(), {})

    def children(self, sobject: str) -> dict[str, str]:
        return {"Contacts": "Contact"} if sobject == "Account" else {}


@pytest.mark.parametrize(
    ("before", "after", "some"),
    [
        ("SELECT Id FROM a", "", ["Account", "Asset"]),
        ("SELECT ", " FROM Contact", ["Account", "AccountId", "Id", "LastName"]),
        ("SELECT Account.n", " FROM Contact", ["Account.Name", "Account.NumberOfEmployees"]),
        ("SELECT Id FROM Contact WHERE last", "", ["LastName", "LAST_MONTH", "LAST_N_DAYS:"]),
        ("SELECT (SELECT Id FROM c", ") FROM Account", ["Contacts"]),
        ("SELECT (SELECT Id FROM Contacts), nu", " FROM Account", ["NumberOfEmployees"]),
        ("SELECT COUNT_D", " FROM Account", ["COUNT_DISTINCT("]),
        ("", "", ["SELECT"]),
    ],
)
def test_completion_knows_what_may_stand_there(before: str, after: str, some: list[str]) -> None:
    found = completions(before, after, Names())

    assert set(some) <= set(found)
    assert all(name.lower().startswith(before.split(" ")[-1].split("(")[-1].lower()) for name in found)


def test_no_text_breaks_completion() -> None:
    for text in ("FROM ", ")))", "SELECT Nope.X", "a.b.c.d", "(((SELECT", "SELECT x FROM Nope WHERE "):
        assert isinstance(completions(text, "", Names()), list)


@pytest.fixture(scope="module")
def data(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shell") / "org"
    with RunningOrg(home=home, data=folder) as org:
        org.create("Account", Name="Alpha")
    return folder


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LANDBRIDGE_")}
    return {**kept, "LANDBRIDGE_HOME": str(tmp_path / "home"), "TERM": "dumb", "COLUMNS": "200"}


def test_a_pipe_holds_several_statements(data: Path, environment: dict[str, str]) -> None:
    text = "SELECT Name\nFROM Account;\nSELECT Nope FROM Account\n\nSELECT COUNT() FROM Account"

    done = subprocess.run(
        [sys.executable, "-m", "landbridge", "query", "--data", data, "--format", "csv"], input=text, capture_output=True,
        text=True, env=environment, cwd=ROOT, timeout=60, check=False,
    )  # fmt: skip

    assert done.stdout.split() == ["Name", "Alpha", "1"]
    assert "INVALID_FIELD" in done.stderr
    assert done.returncode == 1


@pytest.fixture
def terminal(data: Path, environment: dict[str, str]) -> Iterator[Terminal]:
    found = Terminal([sys.executable, "-m", "landbridge", "query", "--data", str(data)], environment)
    yield found
    found.close()


class Terminal:
    """A command at a pseudo-terminal."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self.seen = ""
        self._pid, self._master = pty.fork()
        if self._pid == 0:
            os.chdir(ROOT)
            os.execvpe(command[0], command, environment)

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def until(self, text: str) -> None:
        """Read until `text` is seen, at most half a minute."""
        end = time.monotonic() + 30
        # What was read together with the last text is still to be looked for: a busy machine hands out more at once.
        while text not in self.seen:
            ready, _, _ = select.select([self._master], [], [], max(0.0, end - time.monotonic()))
            assert ready, f"{text!r} was not seen in {self.seen!r}"
            self.seen += os.read(self._master, 4096).decode(errors="replace")
        self.seen = self.seen.partition(text)[2]

    def close(self) -> None:
        os.close(self._master)
        os.waitpid(self._pid, 0)


def test_a_terminal_completes_and_remembers(terminal: Terminal, environment: dict[str, str]) -> None:
    terminal.until("soql> ")
    terminal.type("SELECT Name FROM Acco\t")
    terminal.until("Account")
    terminal.type(" WHERE NumberOfE\t")
    terminal.until("NumberOfEmployees")
    terminal.type(" = null;\n")
    terminal.until("Alpha")
    terminal.until("soql> ")
    terminal.type("SELECT Nope FROM Account;\n")
    terminal.until("INVALID_FIELD")
    terminal.type(".fields Account\n")
    terminal.until("BillingCity")
    terminal.type(".quit\n")
    history = Path(environment["LANDBRIDGE_HOME"]) / "query_history"
    end = time.monotonic() + 30
    while not history.exists() and time.monotonic() < end:
        time.sleep(0.02)

    assert "SELECT Name FROM Account WHERE NumberOfEmployees = null;" in history.read_text()
    assert history.stat().st_mode & 0o777 == 0o600
