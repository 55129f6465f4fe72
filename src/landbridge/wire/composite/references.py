"""
`@{ref.path}`: what a subrequest takes from the answer of an earlier one. Pure.

A reference names an earlier subrequest by its referenceId, then a way into its response body: `.Field` for a member, `[0]`
for an element, as often as it makes sense (`@{q.records[0].Owner.Name}`). It may stand in the url, in headers and in any
string of the body, whole or as part of a longer text. A string that is nothing but one reference takes the value with its
JSON type; inside a longer text it takes the text of it. Only plain values can be referred to: no objects, no lists.

Source: composite.md section 1 "References"; REST guide, "Composite Subrequest Result" (null fields, referenceIds).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, unquote

import msgspec

from landbridge.errors import BodyTooLarge, ProcessingHalted, TooManyInRequest

_REFERENCE = re.compile(r"@\{([^{}]*)\}")
_ENCODED = re.compile(r"%40%7B((?:[^{}%]|%(?!7D))*)%7D", re.IGNORECASE)
_WAY = re.compile(r"(\w+)((?:\.[^.\[\]{}]+|\[\d{1,9}\])*)\Z", re.ASCII)
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")

MOST = 100_000
"""How many references one request may hold: far more than any real one has, few enough to be resolved in half a second."""

Scalar = str | int | float | bool | None


class _NoValue(Exception):
    """A way that leads nowhere."""


class Answers:
    """
    What earlier subrequests answered, by referenceId.

    `nulls`: whether a null is a value that can be referred to, as since version 52.0. `budget` is how many characters all
    references together may bring in: without a bound a small request could ask for gigabytes. Every method that replaces
    references raises BodyTooLarge beyond it, and TooManyInRequest beyond MOST of them.
    """

    def __init__(self, *, nulls: bool, budget: int) -> None:
        self._bodies: dict[str, bytes | None] = {}
        self._read: dict[str, Any] = {}
        self._nulls = nulls
        self._limit = self._left = budget
        self._count = 0

    def keep(self, reference_id: str, body: bytes | None) -> None:
        """Keep the response body of a subrequest that succeeded; None for one without a body."""
        self._bodies[reference_id] = body

    def value(self, text: str) -> Scalar:
        """The value behind `ref.path` (what stands between the braces). Raises ProcessingHalted."""
        self._count += 1
        if self._count > MOST:
            raise TooManyInRequest(f"The request has more than {MOST} references")
        try:
            return self._find(text)
        except _NoValue:
            name = _name(text)
            raise ProcessingHalted(f"Invalid reference specified. No value for {text} found in {name}") from None

    def _find(self, text: str) -> Scalar:
        way = _WAY.match(text)
        if way is None or self._bodies.get(way[1]) is None:
            raise _NoValue
        found = self._body(way[1])
        for member, index in _STEP.findall(way[2]):
            found = _member(found, member) if member else _element(found, int(index))
        if isinstance(found, (dict, list)) or (found is None and not self._nulls):
            raise _NoValue
        if isinstance(found, str):
            self._left -= len(found)
            if self._left < 0:
                raise BodyTooLarge(self._limit)
        return found  # type: ignore[no-any-return]  # JSON has no other values

    def _body(self, name: str) -> Any:
        if name not in self._read:
            self._read[name] = msgspec.json.decode(self._bodies[name] or b"null")
        return self._read[name]

    def in_body(self, value: Any) -> Any:
        """A JSON value with every reference in its strings replaced; keys are left alone. Raises ProcessingHalted."""
        if isinstance(value, str):
            return self._in_string(value)
        if isinstance(value, dict):
            return {key: self.in_body(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.in_body(inner) for inner in value]
        return value

    def _in_string(self, text: str) -> Scalar:
        if "@{" not in text:
            return text
        whole = _REFERENCE.fullmatch(text)
        if whole is not None:
            return self.value(whole[1])
        return self.in_text(text)

    def in_text(self, text: str, spell: Callable[[str, int], str] = lambda found, _: found) -> str:
        """A text with every reference replaced by the text of its value; a null has none. Raises ProcessingHalted."""

        def put(match: re.Match[str]) -> str:
            found = self.value(match[1])
            if found is None:
                name = _name(match[1])
                raise ProcessingHalted(f"Invalid reference specified. No value for {match[1]} found in {name}")
            return spell(_text(found), match.start())

        return _REFERENCE.sub(put, text)

    def in_url(self, url: str) -> str:
        """A url with every reference replaced, percent-encoded, so that no value ends a segment or a parameter."""

        def spell(found: str, start: int) -> str:
            # A url that begins with a reference is a url that was answered: `@{q.nextRecordsUrl}`, `@{x.attributes.url}`.
            return found if start == 0 else quote(found, safe="")

        url = spelled(url)
        return self.in_text(url, spell) if "@{" in url else url


def spelled(url: str) -> str:
    """A url whose references are spelled plainly: clients that encode a url whole (aiosalesforce) encode them as well."""
    return _ENCODED.sub(lambda match: f"@{{{unquote(match[1])}}}", url) if "%40" in url else url


def _name(text: str) -> str:
    """The referenceId that a reference begins with."""
    return re.split(r"[.\[]", text, maxsplit=1)[0]


def _member(found: Any, name: str) -> Any:
    if not isinstance(found, dict) or name not in found:
        raise _NoValue
    return found[name]


def _element(found: Any, index: int) -> Any:
    if not isinstance(found, list) or index >= len(found):
        raise _NoValue
    return found[index]


def _text(value: Scalar) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def may_refer(body: bytes) -> bool:
    """Whether there can be a reference in a request with this body; most have none, and are not looked through."""
    return b"@{" in body or b"\\u00" in body or b"%40%7" in body  # an escaped one: \u0040; one of an encoded url


def names(value: Any) -> Iterator[str]:
    """The referenceIds that the strings of a JSON value refer to, as far as they can be told before anything ran."""
    if isinstance(value, str):
        for match in _REFERENCE.finditer(value):
            yield _name(match[1])
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from names(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from names(inner)
