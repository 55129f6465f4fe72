"""
The lines that stand before the text of a query error: a window of the query, a caret, row and column. Pure.

Source: `soql.md` section 5 (the window rule was derived there from recorded messages).
"""

from __future__ import annotations

import re

from landbridge.errors import QueryError

REACH = 30
"""How many characters the window shows on each side, before it is moved to token ends."""
_SEPARATORS = re.compile(r"[ ,\n\t\r]")


def located(error: QueryError, text: str) -> QueryError:
    """The error with its preamble, as the service answers; itself when it has no place."""
    if error.at is not None:
        error.message = preamble(text, error.at) + error.message
        error.args = (error.message,)
        error.at = None
    return error


def preamble(text: str, at: int) -> str:
    """The preamble for the 0-based place `at`: it ends right before the message."""
    start, end = _start(text, max(0, at - REACH)), _end(text, at + REACH)
    row = text.count("\n", 0, at) + 1
    column = at - (text.rfind("\n", 0, at) + 1) + 1
    return f"\n{text[start:end]}\n{' ' * (at - start)}^\nERROR at Row:{row}:Column:{column}\n"


def _start(text: str, start: int) -> int:
    """Back to the start of the token at `start`; a separator belongs to the token before it."""
    if start == 0:
        return 0
    if start < len(text) and _SEPARATORS.match(text[start]):
        start -= 1
    while start > 0 and not _SEPARATORS.match(text[start - 1]):
        start -= 1
    return start


def _end(text: str, end: int) -> int:
    """On to the end of the token at `end`."""
    while end < len(text) and not _SEPARATORS.match(text[end]):
        end += 1
    return min(end, len(text))
