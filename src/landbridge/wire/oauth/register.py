"""
Dynamic client registration, for whoever holds an administrator's session.

Source: `auth.md` section 5, recording auth-register; RFC 7591 for the errors.
"""

from __future__ import annotations

from typing import Any

from landbridge.auth import callbacks
from landbridge.auth.apps import Draft
from landbridge.errors import InsufficientAccess, OAuthError
from landbridge.wire.http.body import decode_object
from landbridge.wire.http.message import Call, Needs, Reply, Route, json_reply

SCOPES = ["openid", "refresh_token", "id", "api"]


def register(call: Call) -> Reply:
    """`POST /services/oauth2/register`: 201 with a new app; the initial access token is an administrator's session."""
    if call.access.read_only:
        raise InsufficientAccess
    asked = decode_object(call.request)
    urls = _texts(asked, "redirect_uris")
    for url in urls:
        if (problem := callbacks.problem(url)) is not None:
            raise OAuthError("invalid_redirect_uri", f"{url[:200]}: {problem}")
    grants, kinds, contacts = (_texts(asked, name) for name in ("grant_types", "response_types", "contacts"))
    name = asked.get("client_name")
    if not isinstance(name, str | None):
        raise OAuthError("invalid_client_metadata", "client_name is text")
    chance, now = call.server.chance, int(call.server.clock.epoch())
    client_id, secret = f"3MVG9{chance.letters(80)}", chance.hex_token(32)
    rules = {"implicit"} if "implicit" in grants else set()
    call.server.apps.keep(
        call.writer,
        Draft(
            client_id=client_id,
            secret=secret,
            name=name,
            callbacks=urls,
            scope=" ".join(SCOPES),
            rules=frozenset(rules),
        ),
    )
    return json_reply(
        {
            "client_id": client_id, "client_secret": secret, "registration_access_token": chance.letters(64),
            "registration_client_uri": f"{call.request.base_url}/services/oauth2/register/{client_id}",
            "client_id_issued_at": now, "client_secret_expires_at": 0, "token_endpoint_auth_method": "client_secret_post",
            "redirect_uris": urls, "response_types": kinds or ("code",), "grant_types": _with_hybrid(grants),
            "contacts": tuple(dict.fromkeys(contacts)), "client_name": name or client_id, "scopes": SCOPES,
        },
        201,
    )  # fmt: skip


def _texts(asked: dict[str, Any], name: str) -> tuple[str, ...]:
    value = asked.get(name, [])
    if not isinstance(value, list) or len(value) > 50 or not all(isinstance(one, str) for one in value):
        raise OAuthError("invalid_client_metadata", f"{name} is a list of texts")
    return tuple(value)


def _with_hybrid(grants: tuple[str, ...]) -> list[str]:
    """The platform adds `hybrid_auth_code` behind `authorization_code` (recorded)."""
    found: list[str] = []
    for grant in grants or ("authorization_code",):
        found += [grant, "hybrid_auth_code"] if grant == "authorization_code" else [grant]
    return found


ROUTES = (Route("POST", "/services/oauth2/register", register, Needs.WRITE, metered=False),)
