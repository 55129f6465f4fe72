"""
SOQL text to tokens: one regular expression, one pass. Pure.

Source: `soql.md` section 1.
"""

from __future__ import annotations

import re

import msgspec

from landbridge.errors import MalformedQuery

LONGEST = 100_000
"""Characters of a statement; longer ones are MALFORMED_QUERY."""

# One match per token, blanks before it included; the most frequent kinds first. `wrong` takes what is no token.
_KINDS = ("", "name", "mark", "string", "op", "datetime", "date", "time", "number", "end", "wrong")
_NAME, _END = 1, 9
_TOKEN = re.compile(
    r"""
    [ \t\n\r\f\v]*
    (?: ([A-Za-z_]\w*(?:[ \t\n\r\f\v]*\.[ \t\n\r\f\v]*[A-Za-z_]\w*)*)
      | ([(),:])
      | ('[^'\\]*(?:\\.[^'\\]*)*')
      | (<>|!=|<=|>=|=|<|>)
      | (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:?\d\d))
      | (\d{4}-\d\d-\d\d)
      | (\d\d:\d\d:\d\d(?:\.\d+)?Z?)
      | ([+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)
      | (\Z)
      | (.)
    )
    """,
    re.VERBOSE | re.ASCII | re.DOTALL,
)


class Token(msgspec.Struct, frozen=True, gc=False):
    """`kind`: name, string, number, date, datetime, time, op, mark or end; `at` is its place in the text."""

    kind: str
    text: str
    at: int
    word: str
    """The text in upper case, as keywords are compared; of a name only, elsewhere as it is."""


def tokens(text: str) -> list[Token]:
    """The tokens of a statement, ended by one of kind `end`. Raises MalformedQuery for what is no token."""
    if len(text) > LONGEST:
        raise MalformedQuery(f"SOQL statements cannot be longer than {LONGEST} characters.")
    found: list[Token] = []
    add = found.append
    for match in _TOKEN.finditer(text):
        kind = match.lastindex
        assert kind is not None
        token = match[kind]
        if kind == _NAME:
            add(Token("name", token, match.start(kind), token.upper()))
        elif kind < _END:
            add(Token(_KINDS[kind], token, match.start(kind), token))
        elif kind == _END:
            add(Token("end", "<EOF>", len(text), "<EOF>"))
            break
        else:
            at = match.start(kind)
            # The parser counts from 0 and puts its caret one to the left of the character (soql.md section 5).
            raise MalformedQuery(f"line 1:{at} no viable alternative at character '{token}'", max(at - 1, 0))
    return found


_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", '"': '"', "'": "'", "\\": "\\"}
_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|.)", re.DOTALL)


def unquote(text: str, at: int, *, like: bool = False) -> str:
    r"""
    The value of a string literal that stands at `at`. `like` keeps `\_` and `\%` as they are.

    Raises MalformedQuery for other escapes.
    """

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

    body = text[1:-1]
    return _ESCAPE.sub(value, body) if "\\" in body else body
