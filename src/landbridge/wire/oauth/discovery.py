"""
What a client can find out by itself: OpenID discovery, the keys of ID tokens, logout.

Source: `auth.md` section 5, recordings wellknown-*.
"""

from __future__ import annotations

from typing import Any

import msgspec

from landbridge.auth import callbacks, jwt, scopes
from landbridge.errors import NotFound, OAuthError
from landbridge.ids import normalize
from landbridge.storage import Unit
from landbridge.wire.http.message import JSON, Call, Needs, Reply, Request, Route, json_reply
from landbridge.wire.oauth import pages
from landbridge.wire.oauth.form import form

_ANYBODY = (b"Access-Control-Allow-Origin", b"*")
_LOGIN_HOSTS = ("login.salesforce.com", "test.salesforce.com")
_API_HOST = "api.salesforce.com"
_API_SCOPES = ["api", "sfap_api", "refresh_token", "einstein_gpt_api"]
_CLAIMS = [
    "active", "address", "email", "email_verified", "family_name", "given_name", "is_app_installed", "language", "locale",
    "name", "nickname", "organization_id", "phone_number", "phone_number_verified", "photos", "picture",
    "preferred_username", "profile", "sub", "updated_at", "urls", "user_id", "user_type", "zoneinfo",
]  # fmt: skip


def openid_configuration(call: Call) -> Reply:
    """`GET /.well-known/openid-configuration`. The logout keys are a My Domain's alone."""
    base = call.request.base_url
    oauth = f"{base}/services/oauth2"
    logout = {
        "end_session_endpoint": f"{base}/services/auth/idp/oidc/logout", "frontchannel_logout_supported": True,
        "frontchannel_logout_session_supported": False,
    }  # fmt: skip
    found: dict[str, Any] = {
        "issuer": base, "authorization_endpoint": f"{oauth}/authorize", "token_endpoint": f"{oauth}/token",
        "revocation_endpoint": f"{oauth}/revoke", "userinfo_endpoint": f"{oauth}/userinfo", "jwks_uri": f"{base}/id/keys",
        "registration_endpoint": f"{oauth}/register", "introspection_endpoint": f"{oauth}/introspect",
        "scopes_supported": list(scopes.KNOWN), "response_types_supported": ["code", "token", "token id_token"],
        "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["RS256"],
        "display_values_supported": ["page", "popup", "touch"],
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic", "private_key_jwt"],
        "claims_supported": _CLAIMS,
    }  # fmt: skip
    return json_reply(found if _host(call.request) in _LOGIN_HOSTS else {**logout, **found}, headers=[_ANYBODY])


def auth_configuration(call: Call) -> Reply:
    """`GET /.well-known/auth-configuration`: what the Mobile SDK asks before it shows a login page."""
    mobile = dict.fromkeys(
        ("UseiOSNativeBrowserForAuthentication", "UseAndroidNativeBrowserForAuthentication", "shareBrowserSessionIOS",
         "shareBrowserSessionAndroid"),
        False,
    )  # fmt: skip
    found: dict[str, Any] = {
        "OrgId": call.server.org.org_id[:15], "Url": call.request.instance_url, "MobileSDK": mobile, "LoginPage": None,
        "SamlProviders": [], "AuthProviders": [], "CertificateLogin": None, "LoginPageType": "standard",
        "LoginPageTypeConfigs": {},
    }  # fmt: skip
    return json_reply(found, headers=[_ANYBODY])


def authorization_server(call: Call) -> Reply:
    """`GET /.well-known/oauth-authorization-server`: on api.salesforce.com alone, as on the platform."""
    if _host(call.request) != _API_HOST:
        raise NotFound
    login = "https://login.salesforce.com"
    return json_reply({
        "issuer": login, "authorization_endpoint": f"{login}/services/oauth2/authorize?prompt=select_account",
        "token_endpoint": f"{login}/services/oauth2/token", "jwks_uri": f"{login}/id/keys", "scopes_supported": _API_SCOPES,
        "response_types_supported": ["code"], "token_endpoint_auth_methods_supported": ["client_secret_post"],
        "code_challenge_methods_supported": ["S256"], "grant_types_supported": ["authorization_code", "refresh_token"],
    })  # fmt: skip


def protected_resource(call: Call) -> Reply:
    """`GET /.well-known/oauth-protected-resource`: on api.salesforce.com alone, as on the platform."""
    if _host(call.request) != _API_HOST:
        raise NotFound
    here = f"https://{_API_HOST}:443"
    return json_reply({"resource": here, "authorization_servers": [here], "scopes_supported": _API_SCOPES})


async def keys(call: Call) -> Reply:
    """`GET /id/keys`: the public keys of ID tokens."""
    return Reply(200, msgspec.json.encode(await call.server.keys.published()), JSON, [_ANYBODY])


async def logout(call: Call) -> Reply:
    """`GET /services/auth/idp/oidc/logout?id_token_hint=`: ends what the app holds for the user of that ID token."""
    server = call.server
    try:
        given = call.request.query() if call.request.method in ("GET", "HEAD") else form(call.request)
        token = jwt.read(given.get("id_token_hint", ""))
        _, key = await server.keys.signer()
        claims = token.signed_by(key.public_key())  # expired or not: it says whose login ends
    except (jwt.BadToken, OAuthError):
        return pages.message("You are not logged out", "The app did not send an ID token of this org.", 400)
    user_id, client_id = normalize(str(claims.get("sub")).rpartition("/")[2]), str(claims.get("aud"))
    if user_id is not None:
        await server.db.write(
            lambda tx: server.sessions.revoke_app(tx, user_id, client_id), Unit("logout", user_id, "login")
        )
    app = await server.db.read(lambda reader: server.apps.find(reader, client_id))
    back = given.get("post_logout_redirect_uri")
    if app is not None and back is not None and callbacks.allowed(app.callbacks, back):
        return Reply(302, b"", pages.HTML, [(b"Location", back.encode()), (b"Cache-Control", b"no-store")])
    return pages.message("You are logged out", "You can close this page.")


def _host(request: Request) -> str:
    return request.base_url.partition("://")[2].partition(":")[0].lower()


def _open(method: str, path: str, handler: object, needs: Needs) -> Route:
    return Route(method, path, handler, needs, authenticated=False, metered=False)  # type: ignore[arg-type]


ROUTES = (
    _open("GET", "/.well-known/openid-configuration", openid_configuration, Needs.NOTHING),
    _open("GET", "/.well-known/auth-configuration", auth_configuration, Needs.NOTHING),
    _open("GET", "/.well-known/oauth-authorization-server", authorization_server, Needs.NOTHING),
    _open("GET", "/.well-known/oauth-protected-resource", protected_resource, Needs.NOTHING),
    _open("GET", "/id/keys", keys, Needs.OUTSIDE),
    _open("GET", "/services/auth/idp/oidc/logout", logout, Needs.OUTSIDE),
    _open("POST", "/services/auth/idp/oidc/logout", logout, Needs.OUTSIDE),
)
