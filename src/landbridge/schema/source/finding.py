"""What the reader made of a piece of source: one line of `landbridge schema check`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Severity(StrEnum):
    """From taken in to broken."""

    UNDERSTOOD = "understood"
    LATER = "not evaluated yet"  # kept in mind, has no effect: formulas, roll-ups, validation rules
    IGNORED = "ignored"  # nothing an org of ours has: layouts, list views
    REFUSED = "refused"  # would change data or behaviour, and we can't: external lookups
    ERROR = "error"  # the file is not what it should be


@dataclass(frozen=True, slots=True)
class Finding:
    """`what` was found at `line` of `path`."""

    path: Path
    line: int
    severity: Severity
    what: str


class Findings:
    """Collects what the reader says while it reads one project."""

    def __init__(self) -> None:
        self.all: list[Finding] = []

    def add(self, path: Path, line: int, severity: Severity, what: str) -> None:
        self.all.append(Finding(path, line, severity, what))
