"""
What of a callout may be written down: headers, URL, bodies and errors without their secrets. Pure.

Two nets. By name: headers, query parameters and members of JSON, form and XML bodies that are called like a secret lose
their value. By value: whatever equals a secret of the credential (or its base64 or URL-encoded form, or a token got with
it) is replaced wherever it stands, an error's text or an echoing answer included.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import quote, quote_plus

import msgspec

from landbridge.xml import escape

HIDDEN = "*****"
_SHORTEST = 4
"""A shorter secret is not searched for by value: it would be found everywhere."""

_WORDS = (
    "passw|passphrase|pwd|secret|token|api[-_]?key|apikey|access[-_]?key|private[-_]?key|authorization|credential|cookie"
    "|session[-_]?id|signature|assertion|otp|x-amz-security"
)
_SECRET_NAME = re.compile(rf"(?i){_WORDS}|\Asid\Z|\Asig\Z|\Akey\Z|\Acode\Z|-auth\Z|\Aauth")
# Endpoints and types are no secrets, though they are called `token_...`.
_HARMLESS = re.compile(
    r"(?i)\A(token_(type|url|endpoint)|.*_expires_in|idempotency-key|www-authenticate|.*credentialtype)\Z"
)
_SECRET_WORD = re.compile(rf"(?i){_WORDS}")
_NAME = r"[\w.\-:]*(?:" + _WORDS + r")[\w.\-]*"
_JSON = re.compile(rf'(?i)("({_NAME})"\s*:\s*)("(?:[^"\\]|\\.)*"?|[^\s,}}\]"]+)')
_JSON_INSIDE = re.compile(rf'(?i)(\\+"({_NAME})\\+"\s*:\s*)(\\+".*?(?:\\+"|\Z)|[^\s,}}\]"]+)', re.DOTALL)
_FORM = re.compile(rf"""(?i)((?:\A|[?&])({_NAME})=)([^&\s"'<>]*)""")
_XML = re.compile(rf"(?i)(<({_NAME})(?:\s[^>]*)?>)([^<]*)")


@lru_cache(maxsize=1024)
def is_secret(name: str) -> bool:
    """Whether a header, parameter or member of that name is masked."""
    return _SECRET_NAME.search(name) is not None and _HARMLESS.match(name) is None


def query(text: str) -> str:
    """A query string with the values of secret names hidden."""
    return "&".join(_parameter(part) for part in text.split("&"))


def _parameter(part: str) -> str:
    name, equals, _ = part.partition("=")
    return f"{name}={HIDDEN}" if equals and is_secret(name) else part


def body(text: str) -> str:
    """A body, perhaps cut off, with the values of secret names hidden: JSON (also as text inside JSON), form, URL, XML."""
    if _SECRET_WORD.search(text) is None:
        return text
    for pattern in (_JSON, _JSON_INSIDE, _FORM, _XML):
        text = pattern.sub(_hide_member, text)
    return text


def _hide_member(match: re.Match[str]) -> str:
    if _HARMLESS.match(match[2]):
        return match[0]
    quote = match[1][: match[1].find('"') + 1] if match[1].lstrip("\\").startswith('"') else ""
    return f"{match[1]}{quote}{HIDDEN}{quote}"


class Secrets:
    """The secrets of one credential as what is hidden by value; tokens are added as they come."""

    def __init__(self, values: Iterable[str]) -> None:
        self._values: list[str] = []
        self._pattern: re.Pattern[str] | None = None
        self.add(*values)

    def __repr__(self) -> str:
        return f"Secrets({len(self._values)})"

    def add(self, *values: str) -> None:
        """Hide these from now on. The newest hundred or so are known: an old token is worth nothing."""
        forms: list[str] = []
        for value in values:
            if len(value) >= _SHORTEST and value not in self._values:
                forms += [value, quote(value, safe=""), quote_plus(value), b64encode(value.encode()).decode()]
                forms += [msgspec.json.encode(value)[1:-1].decode(), escape(value)]
                forms += [line for line in value.splitlines() if len(line) >= 16 and not line.startswith("-----")]
        if not forms:
            return
        self._values = list(dict.fromkeys([*self._values, *forms]))[-600:]
        longest_first = sorted(self._values, key=len, reverse=True)
        self._pattern = re.compile("|".join(re.escape(value) for value in longest_first))

    def hide(self, text: str) -> str:
        """The text without any of them."""
        return text if self._pattern is None else self._pattern.sub(HIDDEN, text)
