"""
`landbridge query` without a statement: a prompt with history, and completion of objects and fields on a terminal.

A statement may go over several lines and ends with a semicolon or an empty line. When the input is no terminal it is read whole,
one statement after the other, so that `landbridge query < questions.soql` works.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from landbridge.cli.completion import completions
from landbridge.client import OrgError, RestClient

PROMPT, MORE = "soql> ", "  ... "
HISTORY = 2000
HELP = """\
A statement ends with ; or an empty line. TAB completes objects, fields and words.
  .format table|json|csv   how rows are printed
  .objects [TEXT]          objects whose name contains TEXT
  .fields OBJECT           fields of an object
  .help  .quit"""

Ask = Callable[[str, str], None]
"""Runs a statement and prints its rows in a format."""


class Names:
    """The org's names, asked for once each. Errors of the org complete nothing."""

    def __init__(self, client: RestClient) -> None:
        self._client = client
        self._objects: list[str] | None = None
        self._described: dict[str, dict[str, Any]] = {}

    def objects(self) -> list[str]:
        if self._objects is None:
            listed = self._client.describe()["sobjects"]
            self._objects = [one["name"] for one in listed if one["queryable"]]
        return self._objects

    def describe(self, sobject: str) -> dict[str, Any]:
        """An object's describe, empty for one that is not there."""
        key = sobject.lower()
        if key not in self._described:
            try:
                self._described[key] = self._client.describe(sobject)
            except OrgError:
                self._described[key] = {"fields": [], "childRelationships": []}
        return self._described[key]

    def fields(self, sobject: str) -> dict[str, str | None]:
        found: dict[str, str | None] = {}
        for one in self.describe(sobject)["fields"]:
            found[one["name"]] = None
            if one["relationshipName"]:
                found[one["relationshipName"]] = one["referenceTo"][0] if one["referenceTo"] else None
        return found

    def children(self, sobject: str) -> dict[str, str]:
        related = self.describe(sobject)["childRelationships"]
        return {one["relationshipName"]: one["childSObject"] for one in related if one["relationshipName"]}


def read(client: RestClient, ask: Ask, history: Path, form: str) -> int:
    """Read statements until the input ends. Returns the exit code: of piped input 1 when one was refused."""
    terminal = sys.stdin.isatty()
    names = Names(client)
    if terminal:
        _prepare(names, history)
        print("SOQL. .help lists what else there is, Ctrl-D ends.")
    failed = False
    for statement in _statements(_lines(terminal=terminal)):
        if statement.startswith("."):
            form = _command(statement, names, form)
            if not form:
                break
            continue
        try:
            ask(statement, form)
        except OrgError as error:
            failed = True
            print(f"{error.code}: {error.message.strip(chr(10))}", file=sys.stderr)
    if terminal:
        _keep(history)
        return 0
    return int(failed)


def _lines(*, terminal: bool) -> Iterator[str]:
    """Lines of input, an empty one where Ctrl-C took back what was typed."""
    if not terminal:
        yield from sys.stdin
        return
    begun = False
    while True:
        try:
            line = input(MORE if begun else PROMPT)
        except EOFError:
            print()
            return
        except KeyboardInterrupt:
            print()
            begun = False
            yield "\0"
            continue
        begun = bool(line.strip()) and not line.rstrip().endswith(";") and (begun or not line.startswith("."))
        yield line


def _statements(lines: Iterator[str]) -> Iterator[str]:
    """Lines put together: up to a semicolon or an empty line."""
    held: list[str] = []
    for line in lines:
        text = line.rstrip("\n")
        if text == "\0":
            held.clear()
        elif not held and text.startswith("."):
            yield text.strip()
        elif text.rstrip().endswith(";") or not text.strip():
            held.append(text.rstrip().rstrip(";"))
            whole = "\n".join(held).strip()
            held.clear()
            if whole:
                yield whole
        else:
            held.append(text)
    if whole := "\n".join(held).strip():
        yield whole


def _command(line: str, names: Names, form: str) -> str:
    """A line that begins with a dot. Returns the format to go on with, empty to end."""
    word, _, rest = line.partition(" ")
    rest = rest.strip()
    if word in (".quit", ".exit"):
        return ""
    if word == ".format" and rest in ("table", "json", "csv"):
        return rest
    if word == ".objects":
        print("\n".join(name for name in names.objects() if rest.lower() in name.lower()))
    elif word == ".fields" and rest:
        for one in names.describe(rest)["fields"]:
            print(f"{one['name']:40} {one['type']:14} {one['label']}")
    else:
        print(HELP)
    return form


def _prepare(names: Names, history: Path) -> None:
    """Line editing with history and completion, where Python has it."""
    try:
        import readline
    except ImportError:  # Windows: a plain prompt
        return
    try:
        readline.read_history_file(history)
    except OSError:
        readline.clear_history()
    readline.set_history_length(HISTORY)
    readline.set_completer_delims(" \t\n(),;=<>!")
    found: list[str] = []

    def complete(text: str, state: int) -> str | None:
        if state == 0:
            line, end = readline.get_line_buffer(), readline.get_endidx()
            before = line[: readline.get_begidx()] + text
            found[:] = completions(before, line[end:], names)
        return found[state] if state < len(found) else None

    readline.set_completer(complete)
    libedit = "libedit" in (readline.__doc__ or "")
    readline.parse_and_bind("bind ^I rl_complete" if libedit else "tab: complete")


def _keep(history: Path) -> None:
    try:
        import readline
    except ImportError:
        return
    try:
        history.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        readline.write_history_file(history)
        history.chmod(0o600)  # statements hold values
    except OSError as error:
        print(f"the history can't be kept in {history}: {error.strerror}", file=sys.stderr)
