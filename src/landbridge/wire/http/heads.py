"""
Heads of requests that a connection's client sends again and again, read once. Pure.

A client sends the same header lines with every request, all but the length. What the parser made of them is kept under their
own bytes, so that the next request with the same lines costs a look-up instead of a parse; and one to the same address as the
one before it (a poll, one of many creates) is compared with that alone. Nothing is believed that the parser has not read:
lines are compared byte for byte, the length is digits, the request line is of the plain form, the body is there whole. Whatever
is not so goes to the parser, and so do requests whose lines ask for more than an answer (`SPECIAL`).

Heads belong to their connection and go with it: they hold its access token, as every request does.
"""

from __future__ import annotations

import re
from typing import Any

LONGEST = 4_096
"""Bytes of a head that is kept; longer ones are parsed each time."""
MOST = 8
"""Heads kept of one connection."""
SPECIAL = frozenset({b"transfer-encoding", b"content-encoding", b"expect", b"upgrade"})
"""Headers that have the parser or the connection do something: never a known head."""

_LINE = re.compile(rb"(GET|POST|PATCH|PUT|DELETE|HEAD) (/[A-Za-z0-9/_.~%?&=+,:;@!$'()*-]*) HTTP/1\.1\r\n")
_METHODS = {name.encode(): name for name in ("GET", "POST", "PATCH", "PUT", "DELETE", "HEAD")}
_LENGTH = b"ength: "
_NAMES = frozenset({b"\nContent-L", b"\ncontent-l"})


class Head:
    """
    The header lines of requests. Shared by all that have the same: `headers` (names in lower case, in a kept head without the
    length) are read, never changed. `digest` is the hash of its access token, once somebody has looked for that.
    """

    __slots__ = ("digest", "headers")

    def __init__(self, headers: dict[bytes, bytes]) -> None:
        self.headers = headers
        self.digest: bytes | None = None


class Line:
    """A request line with its head; `match` is the route it leads to, once that was looked for."""

    __slots__ = ("head", "match", "method", "target")

    def __init__(self, method: str, target: bytes, head: Head) -> None:
        self.method = method
        self.target = target
        self.head = head
        self.match: Any = None


class Lines:
    """
    The parts of exactly one whole request that came in one piece.

    `key` are its header lines but for the length. `before` is everything up to the digits of the length, `after` what is
    between them and the body; a request without a length is all `before`.
    """

    __slots__ = ("after", "before", "body", "key", "stop")

    def __init__(self, key: bytes, before: bytes, after: bytes, stop: int, body: int) -> None:
        self.key = key
        self.before = before
        self.after = after
        self.stop = stop
        self.body = body

    def body_in(self, data: bytes) -> bytes | None:
        """The body of another request, if that has the same line and header lines, and a length of as many digits."""
        if not data.startswith(self.before):
            return None
        if not self.after:
            return b"" if len(data) == self.body else None
        if not data.startswith(self.after, self.stop):
            return None
        digits = data[len(self.before) : self.stop]
        body = data[self.body :]
        return body if digits.isdigit() and len(body) == int(digits) else None


def lines_of(data: bytes) -> Lines | None:
    """The lines of exactly one whole request with a head of at most LONGEST bytes; None for anything else."""
    end = data.find(b"\r\n\r\n", 0, LONGEST)
    if end < 0:
        return None
    start = data.find(b"\r\n")
    body = end + 4
    at = data.find(_LENGTH, start, end)
    if at < 0:
        return Lines(data[start:end], data, b"", body, body) if len(data) == body else None
    at += 7
    stop = data.find(b"\r\n", at)
    digits = data[at:stop]
    if data[at - 17 : at - 7] not in _NAMES or not digits.isdigit() or stop - at > 9 or len(data) - body != int(digits):
        return None
    return Lines(data[start:at] + data[stop:end], data[:at], data[stop:body], stop, body)


def request_line(data: bytes) -> tuple[str, bytes] | None:
    """Method and target of a request line in its plain form; None for any other."""
    match = _LINE.match(data)
    return None if match is None else (_METHODS[match[1]], match[2])
