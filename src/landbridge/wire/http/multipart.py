"""
`multipart/form-data`: a body to its parts. Pure, bounded, strict: what is cut off or has no name is refused.

Source: RFC 7578, RFC 2046 section 5.1. Parts are views of the body, not copies.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from landbridge.errors import InvalidMultipart
from landbridge.wire.http.body import media_type

MOST_PARTS = 25
MAX_HEADERS = 8192
_BOUNDARY = re.compile(r';\s*boundary=(?:"([^"\\]{1,200})"|([^\s;"]{1,200}))', re.IGNORECASE)
_PARAMETER = re.compile(r';\s*(name|filename)=(?:"((?:[^"\\]|\\.)*)"|([^\s;"]*))', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Part:
    """One part. `filename` None: it is no file. `content_type` is lower case, without parameters, "" where none is said."""

    name: str
    filename: str | None
    content_type: str
    data: memoryview


def is_multipart(content_type: str | None) -> bool:
    """Whether a Content-Type is that of a form with parts."""
    return content_type is not None and media_type(content_type) == "multipart/form-data"


def parse(content_type: str, body: bytes, most: int = MOST_PARTS) -> list[Part]:
    """The parts of a body, in order, at most `most`. Raises InvalidMultipart."""
    match = _BOUNDARY.search(content_type)
    if match is None:
        raise InvalidMultipart("The Content-Type names no boundary")
    boundary = b"--" + (match[1] or match[2]).encode("latin-1", "replace")
    at = 0 if body.startswith(boundary) else body.find(b"\r\n" + boundary) + 2
    if at == 1:
        raise InvalidMultipart("The body has no part: its boundary was not found")
    at += len(boundary)
    parts: list[Part] = []
    view = memoryview(body)
    while True:
        tail = body[at : at + 2]
        if tail == b"--":
            return parts
        # Blanks may stand behind a boundary (RFC 2046: transport padding).
        line_end = body.find(b"\r\n", at, at + 80)
        if line_end < 0 or body[at:line_end].strip(b" \t"):
            raise InvalidMultipart("A boundary is followed by something else than a line break")
        if len(parts) == most:
            raise InvalidMultipart(f"The body has more than {most} parts")
        # A part without headers starts with the empty line itself.
        head_end = body.find(b"\r\n\r\n", line_end, line_end + MAX_HEADERS)
        if head_end < 0:
            raise InvalidMultipart("A part has no end of its headers")
        end = body.find(b"\r\n" + boundary, head_end + 2)
        if end < 0:
            raise InvalidMultipart("The body ends within a part: its last boundary is missing")
        parts.append(_part(body[line_end + 2 : head_end], view[min(head_end + 4, end) : end]))
        at = end + 2 + len(boundary)


def _part(head: bytes, data: memoryview) -> Part:
    headers: dict[str, str] = {}
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidMultipart("The headers of a part are not UTF-8") from None
    for line in text.split("\r\n"):
        name, colon, value = line.partition(":")
        if line and not colon:
            raise InvalidMultipart("A part has a header without a colon")
        headers[name.strip().lower()] = value.strip()
    disposition = headers.get("content-disposition", "")
    found = {m[1].lower(): _unquoted(m[2]) if m[2] is not None else m[3] for m in _PARAMETER.finditer(disposition)}
    if not disposition.lower().startswith("form-data") or not found.get("name"):
        raise InvalidMultipart("A part has no Content-Disposition: form-data with a name")
    if headers.get("content-transfer-encoding", "binary").lower() not in ("binary", "8bit", "7bit"):
        raise InvalidMultipart("A part is encoded: send its bytes as they are")
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    return Part(found["name"], found.get("filename"), kind, data)


def _unquoted(text: str) -> str:
    return re.sub(r'\\(["\\])', r"\1", text)
