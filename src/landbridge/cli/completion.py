"""
What could stand where the cursor is in a query: objects behind FROM, fields and parents elsewhere, words of the language. Pure.

`Schema` is asked for names; the shell answers from the org's describes.
"""

from __future__ import annotations

import re
from typing import Protocol

from landbridge.soql.moments import NAMES, WITHOUT_NUMBER
from landbridge.soql.parse import FUNCTIONS

WORDS = ("SELECT", "FROM", "WHERE", "AND", "OR", "NOT", "IN", "LIKE", "INCLUDES", "EXCLUDES", "ORDER BY", "GROUP BY", "HAVING",
         "LIMIT", "OFFSET", "ASC", "DESC", "NULLS FIRST", "NULLS LAST", "TYPEOF", "WHEN", "THEN", "ELSE", "END", "USING SCOPE",
         "FOR VIEW", "FOR REFERENCE", "true", "false", "null", "COUNT()", "FIELDS(ALL)", "FIELDS(STANDARD)",
         "FIELDS(CUSTOM)")  # fmt: skip
_FROM = re.compile(r"\bFROM\s+([A-Za-z]\w*)(?:\s+(?:AS\s+)?(\w+))?", re.IGNORECASE)
_BEHIND_FROM = re.compile(r"\bFROM\s+\w*$", re.IGNORECASE)


class Schema(Protocol):
    """Names of an org."""

    def objects(self) -> list[str]:
        """Every object that can be queried."""
        ...

    def fields(self, sobject: str) -> dict[str, str | None]:
        """An object's fields and parent relationships; a relationship has the object it leads to."""
        ...

    def children(self, sobject: str) -> dict[str, str]:
        """Child relationships by name, with their object."""
        ...


def completions(before: str, after: str, schema: Schema) -> list[str]:
    """What may replace the word that `before` ends with. `after` is the text behind the cursor, where FROM often stands."""
    word = re.search(r"[\w.]*$", before)
    assert word is not None
    prefix = word.group()
    depth = before.count("(") - before.count(")")
    if _BEHIND_FROM.search(before):
        outer = _FROM.search(after) if depth > 0 else None
        names = schema.children(outer[1]) if outer is not None else schema.objects()
        return _starting(prefix, names)
    source = _source(before, after, depth)
    if "." in prefix:
        return _path(prefix, source, schema)
    names = [*WORDS, *(f"{name}(" for name in FUNCTIONS), *(n if n in WITHOUT_NUMBER else f"{n}:" for n in NAMES)]
    fields = [] if source is None else [*schema.fields(source)]
    return [*_starting(prefix, fields), *_starting(prefix, names)] if prefix or fields else list(WORDS[:1])


def _source(before: str, after: str, depth: int) -> str | None:
    """The object whose fields are meant: that of the FROM that belongs to the SELECT at hand."""
    start = before.rfind("(") if depth > 0 and re.search(r"\(\s*SELECT\b[^()]*$", before, re.IGNORECASE) else 0
    closed = re.compile(r"\([^()]*\)")
    for text in (closed.sub("", before[start:]), after):
        found = _FROM.search(text)
        if found is not None:
            return found[1]
    return None


def _path(prefix: str, source: str | None, schema: Schema) -> list[str]:
    *parents, last = prefix.split(".")
    for name in parents:
        known = {} if source is None else schema.fields(source)
        source = next((target for field, target in known.items() if field.lower() == name.lower()), None)
    if source is None:
        return []
    lead = ".".join(parents)
    return [f"{lead}.{name}" for name in _starting(last, schema.fields(source))]


def _starting(prefix: str, names: object) -> list[str]:
    return sorted(name for name in names if name.lower().startswith(prefix.lower()))  # type: ignore[attr-defined]
