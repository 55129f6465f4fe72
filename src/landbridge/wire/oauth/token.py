"""
The token endpoint and its kin.

Source: `auth.md` sections 2 to 5.
"""

from __future__ import annotations

import base64
import binascii
from urllib.parse import parse_qsl, unquote_plus

import msgspec

from landbridge.auth import users
from landbridge.auth.grants import TokenRequest
from landbridge.errors import OAuthError
from landbridge.wire.http.message import JSON, Call, Needs, Reply, Request, Route

_NO_STORE = (b"Cache-Control", b"no-store")


async def token(call: Call) -> Reply:
    """`POST /services/oauth2/token`."""
    reply = await call.server.grants.token(_request(call.request))
    return Reply(200, msgspec.json.encode(reply), JSON, [_NO_STORE])


async def revoke(call: Call) -> Reply:
    """`POST /services/oauth2/revoke` with `token=`: 200 without a body."""
    form = _form(call.request)
    if not form.get("token"):
        raise OAuthError("invalid_request", "missing required parameter: token")
    if not await call.server.grants.revoke(form["token"]):
        raise OAuthError("unsupported_token_type", "this token type is not supported")
    return Reply(200, b"", b"text/plain", [_NO_STORE])


async def introspect(call: Call) -> Reply:
    """`POST /services/oauth2/introspect`: what a token is, for the app that holds it."""
    asked = _request(call.request)
    app = await call.server.grants.app(asked)
    session = call.server.sessions.find(asked.need("token"))
    if session is None or session.client_id != app.client_id:
        return Reply(200, b'{"active":false}', JSON, [_NO_STORE])
    issued = int(min(session.last_used, call.server.clock.epoch()))
    user = await call.server.db.read(lambda reader: users.find(reader, session.access.user_id))
    body = {
        "active": True, "scope": "full", "client_id": app.client_id, "username": user.username,
        "sub": f"{call.request.base_url}/id/{call.server.org.org_id}/{session.access.user_id}",
        "token_type": "access_token", "exp": issued + int(call.server.settings.session_timeout), "iat": issued,
        "nbf": issued,
    }  # fmt: skip
    return Reply(200, msgspec.json.encode(body), JSON, [_NO_STORE])


def _request(request: Request) -> TokenRequest:
    form = _form(request)
    basic = _basic(request)
    client_id, secret = basic or (form.get("client_id"), form.get("client_secret"))
    return TokenRequest(form, client_id, secret, request.base_url, request.client)


def _form(request: Request) -> dict[str, str]:
    """The form of a request; parameters in the URL are not read: they would stand in logs."""
    kind = (request.header(b"content-type") or "application/x-www-form-urlencoded").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise OAuthError("invalid_request", f"send a form (application/x-www-form-urlencoded), not {kind[:60]}")
    try:
        text = request.body.decode("utf-8")
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=50, errors="strict"))
    except (UnicodeDecodeError, ValueError):
        raise OAuthError("invalid_request", "the form can't be read") from None


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


ROUTES = (
    Route("POST", "/services/oauth2/token", token, Needs.OUTSIDE, authenticated=False, metered=False),
    Route("POST", "/services/oauth2/revoke", revoke, Needs.OUTSIDE, authenticated=False, metered=False),
    Route("POST", "/services/oauth2/introspect", introspect, Needs.OUTSIDE, authenticated=False, metered=False),
)
