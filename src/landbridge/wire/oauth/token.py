"""
The token endpoint and its kin.

Source: `auth.md` sections 2 to 5.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import msgspec

from landbridge.auth import refresh, users
from landbridge.errors import OAuthError
from landbridge.wire.http.message import JSON, Call, Needs, Reply, Route
from landbridge.wire.oauth.form import form, token_request

NO_STORE = (b"Cache-Control", b"no-store")


async def token(call: Call) -> Reply:
    """`POST /services/oauth2/token`."""
    reply = await call.server.grants.token(token_request(call.request))
    return Reply(200, msgspec.json.encode(reply), JSON, [NO_STORE])


async def revoke(call: Call) -> Reply:
    """200 without a body; `token=` in the form, or in the query of a GET. Errors are a form, as jsforce reads them."""
    try:
        given = call.request.query() if call.request.method in ("GET", "HEAD") else form(call.request)
        if not given.get("token"):
            raise OAuthError("invalid_request", "missing required parameter: token")
        if not await call.server.grants.revoke(given["token"]):
            raise OAuthError("invalid_token", "this token is invalid, expired or revoked")
    except OAuthError as error:
        body = urlencode({"error": error.error, "error_description": error.description})
        return Reply(error.status, body.encode(), b"application/x-www-form-urlencoded", [NO_STORE])
    return Reply(200, b"", b"text/plain", [NO_STORE])


async def introspect(call: Call) -> Reply:
    """`POST /services/oauth2/introspect`: what a token is, for the app that holds it."""
    asked = token_request(call.request)
    app = await call.server.grants.app(asked)
    text = asked.need("token")
    found = _access_token(call, text) or await _refresh_token(call, text)
    if found is None or found["client_id"] != app.client_id:
        return Reply(200, b'{"active":false}', JSON, [NO_STORE])
    user_id = found.pop("user_id")
    user = await call.server.db.read(lambda reader: users.find(reader, user_id))
    sub = f"{call.request.base_url}/id/{call.server.org.org_id}/{user_id}"
    body = {
        "active": True, "scope": found["scope"], "client_id": app.client_id, "username": user.username, "sub": sub,
        "token_type": found["token_type"], **found["times"],
    }  # fmt: skip
    return Reply(200, msgspec.json.encode(body), JSON, [NO_STORE])


def _access_token(call: Call, text: str) -> dict[str, Any] | None:
    session = call.server.sessions.find(text)
    if session is None:
        return None
    used = int(min(session.last_used, call.server.clock.epoch()))
    times = {
        "exp": used + int(call.server.settings.session_timeout),
        "iat": int(session.created),
        "nbf": int(session.created),
    }
    return {"client_id": session.client_id, "user_id": session.access.user_id, "scope": session.scope,
            "token_type": "access_token", "times": times}  # fmt: skip


async def _refresh_token(call: Call, text: str) -> dict[str, Any] | None:
    found = await call.server.db.read(lambda reader: refresh.find(reader, text))
    if found is None or found.state != refresh.LIVE:
        return None
    return {"client_id": found.client_id, "user_id": found.user_id, "scope": found.scope, "token_type": "refresh_token",
            "times": {}}  # fmt: skip


def _open(method: str, path: str, handler: Any) -> Route:
    return Route(method, f"/services/oauth2/{path}", handler, Needs.OUTSIDE, authenticated=False, metered=False)


ROUTES = (
    _open("POST", "token", token),
    _open("POST", "revoke", revoke),
    _open("GET", "revoke", revoke),
    _open("POST", "introspect", introspect),
)
