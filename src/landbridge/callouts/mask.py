"""
What of a callout may be written down: headers, URL, bodies and errors without their secrets. Pure.

Two nets. By name: headers, query parameters and members of JSON, form and XML bodies that are called like a secret lose
their value. By value: whatever equals a secret of the credential (or its base64 or URL-encoded form, or a token got with
it) is replaced wherever it stands, an error's text or an echoing answer included.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections import deque
from collections.abc import Iterable
from functools import cache, lru_cache
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
# Every repetition before a value is bounded: bodies come from outside, and a pattern that looks back over a long run for each of
# its places would take a second for some kilobytes of backslashes.
_NAME = r"[\w.\-:]{0,80}(?:" + _WORDS + r")[\w.\-]{0,80}"
# Endpoints and types are no secrets, though they are called `token_...`.
_HARMLESS = r"(?i)\A(token_(type|url|endpoint)|.*_expires_in|idempotency-key|www-authenticate|.*credentialtype)\Z"


@cache
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str], tuple[re.Pattern[str], ...]]:
    """Secret names, harmless ones, and members of bodies; compiled at first use, not on the way of a start."""
    members = (
        rf'(?i)("({_NAME})"\s{{0,40}}:\s{{0,40}})("(?:[^"\\]|\\.)*"?|[^\s,}}\]"]+)',  # JSON
        # JSON as text inside JSON
        rf'(?is)(\\{{1,8}}"({_NAME})\\{{1,8}}"\s{{0,40}}:\s{{0,40}})'
        r'(\\{1,8}".*?(?:\\{1,8}"|\Z)|[^\s,}\]"]+)',
        rf"""(?i)((?:\A|[?&])({_NAME})=)([^&\s"'<>]*)""",  # form, URL
        rf"(?i)(<({_NAME})(?:\s[^>]{{0,400}})?>)([^<]*)",  # XML
    )
    names = rf"(?i){_WORDS}|\Asid\Z|\Asig\Z|\Akey\Z|\Acode\Z|-auth\Z|\Aauth"
    return re.compile(names), re.compile(_HARMLESS), tuple(re.compile(member) for member in members)


@lru_cache(maxsize=1024)
def is_secret(name: str) -> bool:
    """Whether a header, parameter or member of that name is masked."""
    secret, harmless, _ = _patterns()
    return secret.search(name) is not None and harmless.match(name) is None


def query(text: str) -> str:
    """A query string with the values of secret names hidden."""
    return "&".join(_parameter(part) for part in text.split("&"))


def _parameter(part: str) -> str:
    name, equals, _ = part.partition("=")
    return f"{name}={HIDDEN}" if equals and is_secret(name) else part


def body(text: str) -> str:
    """A body, perhaps cut off, with the values of secret names hidden: JSON (also as text inside JSON), form, URL, XML."""
    if not may_hold_one(text):
        return text
    for pattern in _patterns()[2]:
        text = pattern.sub(_hide_member, text)
    return text


def may_hold_one(text: str) -> bool:
    """
    A quick look that lets nothing of `_WORDS` pass: plain searches, for it is done to every body.

    Words that share a part are looked for by that part first.
    """
    low = text.lower()
    return (
        "key" in low or "auth" in low or "cred" in low or "sign" in low or "pwd" in low or "otp" in low
        or ("ss" in low and ("pass" in low or "sess" in low or "assert" in low))
        or ("ok" in low and ("token" in low or "cookie" in low))
        or ("sec" in low and ("secret" in low or "amz-security" in low))
    )  # fmt: skip


def _hide_member(match: re.Match[str]) -> str:
    if _patterns()[1].match(match[2]):
        return match[0]
    quote = match[1][: match[1].find('"') + 1] if match[1].lstrip("\\").startswith('"') else ""
    return f"{match[1]}{quote}{HIDDEN}{quote}"


class Secrets:
    """
    The secrets of one credential as what is hidden by value; `add` takes tokens as they come.

    A text is searched for each form by itself: a few plain searches are ten times as fast as one pattern of alternatives.
    """

    def __init__(self, values: Iterable[str]) -> None:
        self._fixed = [form for value in values for form in _forms(value)]
        self._tokens: deque[list[str]] = deque(maxlen=_TOKENS)
        self._all: tuple[str, ...] = ()
        self._collect()

    def __repr__(self) -> str:
        return f"Secrets({len(self._all)})"

    def add(self, token: str) -> None:
        """Hide this from now on, with the last few before it: an old token is worth nothing."""
        self._tokens.append(_forms(token))
        self._collect()

    def _collect(self) -> None:
        # The longest first: one secret may be a part of another.
        known = {*self._fixed, *(form for forms in self._tokens for form in forms)}
        self._all = tuple(sorted(known, key=lambda form: (-len(form), form)))

    def found_in(self, text: str) -> bool:
        """Whether any of them is in the text."""
        for form in self._all:  # noqa: SIM110, a generator costs more than what it looks for
            if form in text:
                return True
        return False

    def hide(self, text: str) -> str:
        """The text without any of them."""
        for form in self._all:
            if form in text:
                text = text.replace(form, HIDDEN)
        return text


_TOKENS = 8


def _forms(value: str) -> list[str]:
    """A secret as it may stand in a text: itself, in a URL or form, in base64, JSON, XML; a key line by line."""
    if len(value) < _SHORTEST:
        return []
    forms = [value, quote(value, safe=""), quote_plus(value), b64encode(value.encode()).decode()]
    forms += [msgspec.json.encode(value)[1:-1].decode(), escape(value)]
    lines = value.splitlines()
    if len(lines) > 1:
        forms += [line for line in lines if len(line) >= 16 and not line.startswith("-----")]
    return forms
