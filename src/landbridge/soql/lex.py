"""
SOQL text to tokens: one regular expression, one pass. Pure.

Source: `soql.md` section 1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from landbridge.errors import MalformedQuery

LONGEST = 100_000
"""Characters of a statement; longer ones are MALFORMED_QUERY."""

_TOKEN = re.compile(
    r"""
      (?P<space>\s+)
    | (?P<datetime>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|z|[+-]\d\d:?\d\d))
    | (?P<date>\d{4}-\d\d-\d\d)
    | (?P<time>\d\d:\d\d:\d\d(?:\.\d+)?Z?)
    | (?P<number>[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)
    | (?P<name>[A-Za-z_]\w*(?:\s*\.\s*[A-Za-z_]\w*)*)
    | (?P<string>'(?:[^'\\]|\\.)*')
    | (?P<op><>|!=|<=|>=|=|<|>)
    | (?P<mark>[(),:])
    """,
    re.VERBOSE | re.ASCII | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Token:
    """`kind`: name, string, number, date, datetime, time, op, mark or end; `at` is its place in the text."""

    kind: str
    text: str
    at: int

    @property
    def word(self) -> str:
        """The text in upper case, as keywords are compared."""
        return self.text.upper()


def tokens(text: str) -> list[Token]:
    """The tokens of a statement, ended by one of kind `end`. Raises MalformedQuery for what is no token."""
    if len(text) > LONGEST:
        raise MalformedQuery(f"SOQL statements cannot be longer than {LONGEST} characters.")
    found: list[Token] = []
    at, length, match = 0, len(text), _TOKEN.match
    while at < length:
        token = match(text, at)
        if token is None:
            # The parser counts from 0 and puts its caret one to the left of the character (soql.md section 5).
            raise MalformedQuery(f"line 1:{at} no viable alternative at character '{text[at]}'", max(at - 1, 0))
        kind = token.lastgroup or ""
        if kind != "space":
            found.append(Token(kind, token.group(), at))
        at = token.end()
    found.append(Token("end", "<EOF>", length))
    return found


_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", '"': '"', "'": "'", "\\": "\\"}
_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|.)", re.DOTALL)


def unquote(token: Token, *, like: bool = False) -> str:
    r"""The value of a string token. `like` keeps `\_` and `\%` as they are. Raises MalformedQuery for other escapes."""

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
            raise MalformedQuery(f"Illegal escape sequence: {match[0]}", token.at)
        return known

    body = token.text[1:-1]
    return _ESCAPE.sub(value, body) if "\\" in body else body
