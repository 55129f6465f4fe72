"""
SOQL text to tokens: one regular expression, one pass. Pure.

A token is its text; what kind it is its first character says. Places in the text are found only when an error needs one
(`places`): until then a place is the number of a token.

Source: `soql.md` section 1.
"""

from __future__ import annotations

import re
from typing import Final

from landbridge.errors import MalformedQuery

LONGEST: Final = 100_000
"""Characters of a statement; longer ones are MALFORMED_QUERY."""
END: Final = "<EOF>"
"""Stands behind the last token; twice, so that a parser may look one ahead of it."""
INITIALS: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ_")
"""What a name begins with, in upper case."""
OPERATORS: Final = frozenset({"=", "!=", "<>", "<", "<=", ">", ">="})

# The most frequent kinds first. The last alternative takes what is no token; blanks match nothing and are skipped.
_TOKEN: Final = re.compile(
    r"""
        [A-Za-z_]\w*+(?:[ \t\n\r\f\v]*+\.[ \t\n\r\f\v]*+[A-Za-z_]\w*+)*+
      | [(),:]
      | '[^'\\]*+(?:\\.[^'\\]*+)*+'
      | <>|!=|<=|>=|=|<|>
      | (?=[\d+.-]) (?:
          \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:?\d\d)
        | \d{4}-\d\d-\d\d
        | \d\d:\d\d:\d\d(?:\.\d+)?Z?
        | [+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?
        )
      | [^ \t\n\r\f\v]
    """,
    re.VERBOSE | re.ASCII | re.DOTALL,
)
_ALONE: Final = re.compile(r"[A-Za-z_0-9(),:=<>]", re.ASCII)
"""Tokens of one character."""
_LITERAL: Final = re.compile(
    r"(?P<datetime>\d{4}-\d\d-\d\dT.+)|(?P<date>\d{4}-\d\d-\d\d)|(?P<time>\d\d:.+)|(?P<number>[+-]?\.?\d.*)", re.ASCII
)


def tokens(text: str) -> list[str]:
    """
    The tokens of a statement, then END twice. A character that is no token is among them: no rule takes it, and `places`
    names it. Raises MalformedQuery for a statement that is too long.
    """
    if len(text) > LONGEST:
        raise MalformedQuery(f"SOQL statements cannot be longer than {LONGEST} characters.")
    found: list[str] = _TOKEN.findall(text)
    found += (END, END)
    return found


def literal_kind(token: str) -> str | None:
    """`number`, `date`, `datetime` or `time`, told from a token's text; None for other tokens."""
    match = _LITERAL.fullmatch(token)
    return None if match is None else match.lastgroup


def places(text: str) -> list[int]:
    """Where each token stands in the text, END too. Raises MalformedQuery for the first character that is no token."""
    found: list[int] = []
    for match in _TOKEN.finditer(text):
        token, at = match[0], match.start()
        if len(token) == 1 and not _ALONE.fullmatch(token):
            # The parser counts from 0 and puts its caret one to the left of the character (soql.md section 5).
            raise MalformedQuery(f"line 1:{at} no viable alternative at character '{token}'", max(at - 1, 0))
        found.append(at)
    return [*found, len(text), len(text)]


_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", '"': '"', "'": "'", "\\": "\\"}
_ESCAPE: Final = re.compile(r"\\(u[0-9A-Fa-f]{4}|.)", re.DOTALL)


def unquote(text: str, at: int, *, like: bool = False) -> str:
    r"""
    The value of a string literal that stands at `at`. `like` keeps `\_` and `\%` as they are.

    Raises MalformedQuery for other escapes.
    """
    body = text[1:-1]
    if "\\" not in body:
        return body

    def value(match: re.Match[str]) -> str:
        code = match[1]
        if len(code) == 5:
            return chr(int(code[1:], 16))
        if like and code in "_%":
            return match[0]
        if code == "\\" and like:
            return "\\\\"  # stays escaped: LIKE itself reads it again
        known = _ESCAPES.get(code if code in "\"'\\" else code.lower())
        if known is None:
            raise MalformedQuery(f"Illegal escape sequence: {match[0]}", at)
        return known

    return _ESCAPE.sub(value, body)
