"""Forms as the OAuth endpoints get them: url-encoded, or multipart as the Salesforce CLI posts them for devices."""

from __future__ import annotations

import base64
import binascii
from urllib.parse import parse_qsl, unquote_plus

from landbridge.auth.grants import TokenRequest
from landbridge.errors import OAuthError
from landbridge.wire.http.message import Request

MAX_FIELDS = 50
MAX_BYTES = 200_000
_URL_ENCODED, _MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"


def token_request(request: Request) -> TokenRequest:
    """A posted form with who asks. Raises OAuthError."""
    fields = form(request)
    client_id, secret = _basic(request) or (fields.get("client_id"), fields.get("client_secret"))
    return TokenRequest(fields, client_id, secret, request.base_url, request.instance_url, request.client)


def form(request: Request) -> dict[str, str]:
    """The form of a request; parameters in the URL are not read: they would stand in logs. Raises OAuthError."""
    header = request.header(b"content-type") or _URL_ENCODED
    kind = header.partition(";")[0].strip().lower()
    if len(request.body) > MAX_BYTES:
        raise OAuthError("invalid_request", f"the form is larger than {MAX_BYTES} bytes")
    if kind == _MULTIPART:
        return _multipart(header, request.body)
    if kind != _URL_ENCODED:
        raise OAuthError("invalid_request", f"send a form ({_URL_ENCODED}), not {kind[:60]}")
    try:
        text = request.body.decode("utf-8")
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict"))
    except (UnicodeDecodeError, ValueError):
        raise OAuthError("invalid_request", "the form can't be read") from None


def _multipart(header: str, body: bytes) -> dict[str, str]:
    from email.parser import BytesParser  # 20 ms, for the few clients that post so
    from email.policy import HTTP

    message = BytesParser(policy=HTTP).parsebytes(b"Content-Type: " + header.encode("latin-1") + b"\r\n\r\n" + body)
    parts = message.get_payload()
    if not isinstance(parts, list) or len(parts) > MAX_FIELDS or any(isinstance(part, str) for part in parts):
        raise OAuthError("invalid_request", "the form can't be read")
    found: dict[str, str] = {}
    for part in parts:
        assert not isinstance(part, str)
        name, value = part.get_param("name", header="content-disposition"), part.get_payload(decode=True)
        if not isinstance(name, str) or not isinstance(value, bytes):
            raise OAuthError("invalid_request", "the form can't be read")
        found[name] = value.decode("utf-8", "replace")
    return found


def _basic(request: Request) -> tuple[str, str] | None:
    """Client id and secret of an `Authorization: Basic` header."""
    value = request.header(b"authorization")
    if value is None or not value.lower().startswith("basic "):
        return None
    try:
        name, _, secret = base64.b64decode(value[6:], validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise OAuthError("invalid_client", "invalid client credentials") from None
    return unquote_plus(name), unquote_plus(secret)
