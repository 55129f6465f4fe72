"""`landbridge schema check`: the findings as lines of text. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from landbridge.schema.source.finding import Severity
from landbridge.schema.source.project import Source


def report(source: Source, root: Path) -> Iterator[str]:
    """A line per finding (`path:line: severity: what`), what needs attention last, and a count."""
    order = [Severity.UNDERSTOOD, Severity.IGNORED, Severity.LATER, Severity.REFUSED, Severity.ERROR]
    for finding in sorted(source.findings, key=lambda f: (order.index(f.severity), str(f.path), f.line)):
        yield f"{_shown(finding.path, root)}:{finding.line}: {finding.severity}: {finding.what}"
    counts = Counter(finding.severity for finding in source.findings)
    yield ", ".join(f"{counts[severity]} {severity}" for severity in order)


def _shown(path: Path, root: Path) -> str:
    try:
        return str(path.relative_to(root))
    except ValueError:
        return str(path)
