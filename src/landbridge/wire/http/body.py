"""
Request bodies: bounded, inflated, JSON objects. Pure.

Texts of the errors as the service's parser words them: `rest.md` section 9.
"""

from __future__ import annotations

import json
import re
import zlib
from functools import lru_cache
from typing import Any

import msgspec

from landbridge.errors import BodyTooLarge, JsonParserError, UnsupportedMediaType
from landbridge.wire.http.message import Request

_BYTE = re.compile(r"\(byte (\d+)\)")
_DECODE = msgspec.json.Decoder().decode
_JSON_TYPES = ("application/json", "text/json", "application/octet-stream")
DEEPEST = 100
"""Nested objects and arrays; Salesforce's own bound is not known."""


def decode_object(request: Request) -> dict[str, Any]:
    """
    The body as a JSON object.

    Raises UnsupportedMediaType, JsonParserError (empty, malformed, no object, duplicate keys, too deep).
    """
    return _object(decode(request))


def object_of(body: bytes) -> dict[str, Any]:
    """A JSON object from its text: a part of a form."""
    return _object(_value(body))


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise JsonParserError(f"Cannot deserialize instance of object from {_token(value)} at [line:1, column:1]")
    return value


def decode(request: Request) -> Any:
    """The body as any JSON value."""
    if request.content is not None:
        return request.content
    kind = request.header(b"content-type")
    if kind is not None and media_type(kind) not in _JSON_TYPES:
        raise UnsupportedMediaType(kind)
    return _value(request.body)


@lru_cache(maxsize=64)
def media_type(content_type: str) -> str:
    """The type in a Content-Type, in lower case, without its parameters."""
    return content_type.partition(";")[0].strip().lower()


def _value(body: bytes) -> Any:
    if not body or body.isspace():
        raise JsonParserError("The HTTP entity body is required, but this request has no entity body.")
    try:
        value = _DECODE(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _malformed(body, error) from None
    if type(value) in (dict, list) and _may_repeat(body, _members(value, DEEPEST)):
        _refuse_duplicates(body)
    return value


def _may_repeat(body: bytes, members: int) -> bool:
    """
    Whether a key may have been given twice: `members` is how many are left of them.

    With the blanks away every member has a colon right behind the quote of its key, so there are at most as many members as
    such pairs in the text (strings can only add to them). With no more pairs than members are left, none was lost.
    """
    return body.translate(None, b" \t\r\n").count(b'":') > members


def _members(value: Any, depth: int) -> int:
    """How many members all objects of a JSON value have together. Raises JsonParserError for one nested too deep."""
    if depth == 0:
        raise JsonParserError(f"The JSON is nested more than {DEEPEST} deep")
    count = 0
    if type(value) is dict:
        count = len(value)
        value = value.values()
    for inner in value:
        if type(inner) is dict or type(inner) is list:
            count += _members(inner, depth - 1)
    return count


def _refuse_duplicates(body: bytes) -> None:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        seen = dict(pairs)
        if len(seen) != len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise JsonParserError(f"Duplicate field: {twice}")
        return seen

    json.loads(body, object_pairs_hook=once)


def _malformed(body: bytes, error: Exception) -> JsonParserError:
    """The parser's complaint with line and column (from 1)."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as bad:
        return JsonParserError(f"Invalid UTF-8 byte 0x{body[bad.start]:02x} at {_position(body, bad.start)}")
    if isinstance(error, RecursionError):
        return JsonParserError(f"The JSON is nested more than {DEEPEST} deep")
    try:
        json.loads(text)
    except json.JSONDecodeError as bad:
        at, message = bad.pos, bad.msg
        if at >= len(text.rstrip()):
            return JsonParserError(f"Unexpected end-of-input at [line:{bad.lineno}, column:{bad.colno}]")
        char = text[at]
        expected = _EXPECTED.get(message, "a valid value")
        return JsonParserError(
            f"Unexpected character ('{char}' (code {ord(char)})): was expecting {expected} "
            f"at [line:{bad.lineno}, column:{bad.colno}]"
        )
    except RecursionError:
        return JsonParserError(f"The JSON is nested more than {DEEPEST} deep")
    found = _BYTE.search(str(error))
    if found is not None and "malformed" in str(error):
        place = int(found[1])
        return JsonParserError(
            f"Unexpected character ('{chr(body[place])}' (code {body[place]})): was expecting a valid value "
            f"at {_position(body, place)}"
        )
    return JsonParserError(f"Numeric value out of range: {str(error)[:100]}")


_EXPECTED = {
    "Expecting ':' delimiter": "a colon to separate field name and value",
    "Expecting ',' delimiter": "comma to separate entries",
    "Expecting property name enclosed in double quotes": "double-quote to start field name",
    "Illegal trailing comma before end of object": "double-quote to start field name",
}


def _position(body: bytes, at: int) -> str:
    line, newline = body.count(b"\n", 0, at) + 1, body.rfind(b"\n", 0, at)
    return f"[line:{line}, column:{at - newline}]"


def _token(value: Any) -> str:
    if isinstance(value, list):
        return "START_ARRAY value ["
    if isinstance(value, str):
        return f'VALUE_STRING value "{value[:100]}"'
    if value is None:
        return "VALUE_NULL value null"
    return f"VALUE_{'BOOLEAN' if isinstance(value, bool) else 'NUMBER'} value {value}"


def inflate(data: bytes, coding: str, limit: int) -> bytes:
    """
    A body as it was before its Content-Encoding (gzip or deflate), at most `limit` bytes.

    Raises BodyTooLarge for one that grows beyond it (a zip bomb), UnsupportedMediaType for another coding, ValueError for
    damaged data.
    """
    if coding == "identity":
        return data
    if coding not in ("gzip", "x-gzip", "deflate"):
        raise UnsupportedMediaType(f"encoded with {coding}")
    inflater = zlib.decompressobj(47)  # 47: gzip or zlib, told from the header
    try:
        inflated = inflater.decompress(data, limit + 1)
    except zlib.error as error:
        raise ValueError(f"the body is no valid {coding} data") from error
    if len(inflated) > limit:
        raise BodyTooLarge(limit)
    if not inflater.eof:
        raise ValueError(f"the {coding} data ends too early")
    return inflated
