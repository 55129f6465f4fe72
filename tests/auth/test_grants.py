"""Every way to a token, and what comes with it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from landbridge.storage import Unit
from tests.support.browser import CALLBACK, VERIFIER, Browser, sent_back, token
from tests.support.running import Reply, RunningOrg

ledger = pytest.mark.ledger
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
MODERN = [
    "access_token",
    "refresh_token",
    "signature",
    "scope",
    "id_token",
    "instance_url",
    "id",
    "token_type",
    "issued_at",
]


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def public(key: rsa.RSAPrivateKey) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


@pytest.fixture
def shop(home: Path, tmp_path: Path, key: rsa.RSAPrivateKey) -> Iterator[RunningOrg]:
    """An org with an app `shop` whose certificate is known."""
    (tmp_path / "shop.pem").write_bytes(public(key))
    with RunningOrg(
        home=home, password="right", connected_app=("shop:hush", "other:quiet"), jwt_certificate=tmp_path / "shop.pem"
    ) as running:
        yield running


@pytest.fixture
def browser(shop: RunningOrg) -> Browser:
    return Browser(shop)


def exchange(org: RunningOrg, code: str, **changed: str) -> Reply:
    form = {"grant_type": "authorization_code", "code": code, "client_id": "shop", "client_secret": "hush",
            "redirect_uri": CALLBACK, "code_verifier": VERIFIER}  # fmt: skip
    return token(org, **{**form, **changed})


def works(org: RunningOrg, access_token: str) -> bool:
    return org.data("GET", "/limits", token=access_token).status == 200


# --- JWT bearer ----------------------------------------------------------------------------------------------------


def assertion(org: RunningOrg, key: Any, **changed: Any) -> str:
    claims = {"iss": "shop", "sub": org.ready["username"], "aud": "https://login.salesforce.com",
              "exp": org.door.server.clock.epoch() + 180}  # fmt: skip
    return jwt.encode({**claims, **changed}, key, algorithm="RS256")


@ledger("auth.jwt-bearer", "documented", "auth.md section 2")
@pytest.mark.parametrize("aud", ["https://login.salesforce.com", "https://test.salesforce.com/", "own", ["x", "own"]])
def test_a_jwt_of_the_apps_key_is_a_login(shop: RunningOrg, key: rsa.RSAPrivateKey, aud: Any) -> None:
    own = f"http://127.0.0.1:{shop.port}"
    named = [own if one == "own" else one for one in aud] if isinstance(aud, list) else own if aud == "own" else aud

    reply = token(shop, grant_type=JWT_BEARER, assertion=assertion(shop, key, aud=named)).json

    assert reply["id"].endswith(shop.ready["user_id"])
    assert "refresh_token" not in reply
    assert works(shop, reply["access_token"])


@ledger("auth.jwt-exp-text", "observed", "clients.md: simple-salesforce sends exp as text")
def test_the_expiry_may_be_text(shop: RunningOrg, key: rsa.RSAPrivateKey) -> None:
    expires = str(int(shop.door.server.clock.epoch()) + 180)

    # PyJWT refuses to sign such a claim, so it is signed as simple-salesforce does it: as plain bytes.
    text = jwt.api_jws.encode(
        json.dumps({"iss": "shop", "sub": shop.ready["username"], "aud": "https://login.salesforce.com", "exp": expires}).encode(),
        key, algorithm="RS256",
    )  # fmt: skip

    assert token(shop, grant_type=JWT_BEARER, assertion=text).status == 200


@ledger("auth.private-key-jwt", "documented", "auth.md section 5, token_endpoint_auth_methods_supported")
def test_an_app_proves_itself_with_its_key(shop: RunningOrg, key: rsa.RSAPrivateKey) -> None:
    here = f"http://127.0.0.1:{shop.port}/services/oauth2/token"

    def ask(**changed: Any) -> Reply:
        claims = {"iss": "shop", "sub": "shop", "aud": here, "exp": shop.door.server.clock.epoch() + 60, **changed}
        return token(
            shop, grant_type="client_credentials", client_assertion=jwt.encode(claims, key, algorithm="RS256"),
            client_assertion_type="urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        )  # fmt: skip

    assert works(shop, ask().json["access_token"])
    for changed in ({"sub": "other"}, {"aud": "https://evil.example.com"}, {"exp": 1}, {"iss": "other"}):
        assert ask(**changed).json["error"] == "invalid_client"


# --- authorization code --------------------------------------------------------------------------------------------


@ledger("auth.code-pkce", "documented", "auth.md section 2; RFC 7636")
@ledger("auth.code-reply-order", "guessed", "the recorded order of a refresh reply, with refresh_token and id_token")
@ledger("route.GET /services/oauth2/authorize", "documented", "auth.md section 2")
@ledger("route.POST /services/oauth2/authorize", "guessed", "the login page's own form")
def test_a_person_logs_in_allows_and_the_app_has_its_tokens(shop: RunningOrg, browser: Browser) -> None:
    page = browser.authorize("shop", login_hint='ad"a<@example.com')
    consent = browser.log_in(shop.ready["username"], "right")
    back = browser.allow()
    reply = exchange(shop, sent_back(back)["code"])

    assert (page.status, page.headers["content-type"]) == (200, "text/html;charset=UTF-8")
    assert b'value="ad&quot;a&lt;@example.com"' in page.raw
    assert b"<b>shop</b> asks to:" in consent.raw
    assert shop.ready["username"].encode() in consent.raw
    assert back.headers["location"].startswith(f"{CALLBACK}?code=aPrx")
    assert sent_back(back)["state"] == "s-1"
    assert list(reply.json) == MODERN
    assert reply.json["scope"] == "full refresh_token openid"
    assert works(shop, reply.json["access_token"])


@ledger("auth.login-page-headers", "guessed", "no frame, no script, no cache")
def test_the_login_page_loads_nothing_and_is_framed_by_nobody(browser: Browser) -> None:
    headers = browser.authorize("shop").headers

    assert headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha256-")
    assert "form-action 'self' http://localhost;" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert (headers["x-frame-options"], headers["cache-control"]) == ("DENY", "no-store")
    assert "HttpOnly; SameSite=Strict" in headers["set-cookie"]


@ledger("auth.code-denied", "documented", "auth.md section 4, authorize errors go to redirect_uri")
def test_a_person_denies_and_the_app_is_told(shop: RunningOrg, browser: Browser) -> None:
    browser.authorize("shop")
    browser.log_in(shop.ready["username"], "right")

    back = sent_back(browser.submit(decision="deny"))

    assert back == {"error": "access_denied", "error_description": "end-user denied authorization", "state": "s-1"}


def test_a_wrong_password_shows_the_page_again(shop: RunningOrg, browser: Browser) -> None:
    browser.authorize("shop")

    again = browser.log_in("ada@example.com", "wrong")

    assert again.status == 200
    assert b"Please check your username and password" in again.raw
    assert b"Allow access?" in browser.log_in(shop.ready["username"], "right").raw


@ledger("auth.authorize-errors", "documented", "auth.md section 4")
@pytest.mark.parametrize(
    ("query", "error"),
    [
        ({"response_type": "id_token"}, "unsupported_response_type"), ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "api teapot"}, "invalid_scope"), ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"), ({"prompt": "none"}, "login_required"),
    ],
)  # fmt: skip
def test_what_an_app_asks_wrongly_is_told_to_its_callback(browser: Browser, query: dict[str, str], error: str) -> None:
    back = sent_back(browser.authorize("shop", **query))

    assert (back["error"], back["state"]) == (error, "s-1")


@ledger("auth.callback-match", "documented", "RFC 8252 section 7.3: any port on loopback")
@pytest.mark.parametrize(
    ("callback", "shown"),
    [
        ("http://localhost/callback", True), ("http://localhost:54321/callback", True),
        ("http://localhost/callback?", False), ("http://localhost:54321/callback?", False),
        ("http://localhost:54321/callback/", False), ("http://localhost:54321/callback?x=1", False),
        ("http://127.0.0.1/callback", False), ("https://localhost/callback", False), ("http://evil.example.com/callback", False),
        ("http://localhost.evil.example.com/callback", False), ("http://localhost@evil.example.com/callback", False),
        ("http://localhost:1@evil.example.com/callback", False), ("//localhost/callback", False), ("", False),
        ("http://localhost/callback#x", False), ("javascript:alert(1)", False), ("http://localhost\\@evil.example.com/callback", False),
    ],
)  # fmt: skip
def test_an_app_is_answered_at_its_own_callback_alone(browser: Browser, callback: str, shown: bool) -> None:
    reply = browser.authorize("shop", redirect_uri=callback)

    assert reply.status == (200 if shown else 400)
    assert "location" not in reply.headers


# --- refresh -------------------------------------------------------------------------------------------------------


@ledger("auth.scope", "documented", "auth.md section 3: scope of the reply; full makes no refresh token")
def test_a_token_has_the_scope_it_was_given(shop: RunningOrg, browser: Browser) -> None:
    code = browser.code("shop", shop.ready["username"], "right", scope="api id")

    reply = exchange(shop, code).json

    assert reply["scope"] == "api id"
    assert not {"refresh_token", "id_token"} & set(reply)


@ledger("auth.rest-scope", "documented", "auth.md section 7: the text that clients look for")
def test_a_session_without_the_api_scope_opens_no_rest(shop: RunningOrg, browser: Browser) -> None:
    reply = exchange(shop, browser.code("shop", shop.ready["username"], "right", scope="openid")).json

    refused = shop.data("GET", "/limits", token=reply["access_token"])

    assert (refused.status, refused.error) == (401, "INVALID_SESSION_ID")
    assert refused.json[0]["message"] == "This session is not valid for use with the REST API"
    assert shop.request("GET", "/services/oauth2/userinfo", token=reply["access_token"]).status == 200
    handshake = [{"channel": "/meta/handshake", "version": "1.0", "supportedConnectionTypes": ["long-polling"]}]
    stream = shop.request("POST", "/cometd/67.0", handshake, token=reply["access_token"]).json[0]
    assert (stream["successful"], "401" in str(stream)) == (False, True)


def test_a_refresh_keeps_the_scope_and_the_token(shop: RunningOrg, browser: Browser) -> None:
    first = exchange(shop, browser.code("shop", shop.ready["username"], "right", scope="api refresh_token")).json

    for _ in range(2):
        again = token(shop, grant_type="refresh_token", refresh_token=first["refresh_token"], client_id="shop").json
        assert (again["scope"], "refresh_token" in again) == ("api refresh_token", False)
        assert works(shop, again["access_token"])


@pytest.mark.ledger("route.GET /services/oauth2/revoke", "documented", "auth.md section 5")
def test_a_refresh_token_survives_a_restart_and_stays_ended_once_revoked(home: Path, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"home": home, "data": tmp_path / "org", "connected_app": ("shop:hush",)}
    form = {"grant_type": "refresh_token", "client_id": "shop"}
    with RunningOrg(**settings) as org:
        given = org.ready["refresh_token"]
    with RunningOrg(**settings) as org:
        assert token(org, refresh_token=given, **form).status == 200
        assert org.request("GET", f"/services/oauth2/revoke?{urlencode({'token': given})}", token=None).status == 200
    with RunningOrg(**settings) as org:
        assert token(org, refresh_token=given, **form).json["error"] == "invalid_grant"


# --- devices -------------------------------------------------------------------------------------------------------


def begin_device(org: RunningOrg, client_id: str = "PlatformCLI") -> dict[str, Any]:
    found: dict[str, Any] = token(
        org, response_type="device_code", client_id=client_id, scope="refresh_token api web"
    ).json
    return found


def poll(org: RunningOrg, device_code: str) -> Any:
    return token(org, grant_type="device", client_id="PlatformCLI", code=device_code).json


@ledger("auth.device", "documented", "auth.md section 2")
@ledger("auth.device-texts", "guessed", "auth.md section 3: only authorization_pending is known")
@ledger("route.GET /setup/connect", "documented", "auth.md section 3, verification_uri")
@ledger("route.POST /setup/connect", "guessed", "the page's own form")
def test_a_device_waits_for_a_person_at_another_screen(shop: RunningOrg, browser: Browser) -> None:
    device = begin_device(shop)
    assert poll(shop, device["device_code"])["error"] == "authorization_pending"
    assert poll(shop, device["device_code"])["error"] == "slow_down"

    shown = browser.get("/setup/connect", user_code=device["user_code"])
    assert device["user_code"].encode() in shown.raw
    typed = f"{device['user_code'][:4].lower()}-{device['user_code'][4:]} "
    browser.submit("/setup/connect", user_code=typed)
    browser.log_in(shop.ready["username"], "right")
    assert b"go back to the device" in browser.allow().raw

    reply = poll(shop, device["device_code"])
    assert reply["scope"] == "refresh_token api web"
    assert works(shop, reply["access_token"])
    assert poll(shop, device["device_code"])["error_description"] == "invalid device code"


def test_a_device_is_denied_or_too_late(shop: RunningOrg, browser: Browser) -> None:
    denied, late = begin_device(shop), begin_device(shop)
    browser.submit("/setup/connect", user_code=denied["user_code"])
    browser.log_in(shop.ready["username"], "right")
    browser.submit(decision="deny")

    assert poll(shop, denied["device_code"])["error"] == "access_denied"
    shop.door.server.clock.jump(timedelta(minutes=11))
    assert poll(shop, late["device_code"])["error_description"] == "expired device code"
    assert b"No device waits" in browser.submit("/setup/connect", user_code=late["user_code"]).raw


def test_the_form_of_a_device_may_be_multipart_as_the_cli_posts_it(shop: RunningOrg) -> None:
    fields = {"response_type": "device_code", "client_id": "PlatformCLI", "scope": "api"}
    body = "".join(
        f'--XX\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()
    )
    headers = {"Content-Type": "multipart/form-data; boundary=XX"}

    reply = shop.request("POST", "/services/oauth2/token", f"{body}--XX--\r\n".encode(), token=None, headers=headers)
    broken = shop.request("POST", "/services/oauth2/token", b"--YY", token=None, headers=headers)

    assert list(reply.json) == ["device_code", "user_code", "verification_uri", "interval"]
    assert reply.json["verification_uri"].endswith("/setup/connect")
    assert (broken.status, broken.json["error"]) == (400, "invalid_request")


# --- user-agent ----------------------------------------------------------------------------------------------------


@ledger("auth.user-agent", "documented", "auth.md section 2: the fragment's parameters")
@ledger("route.POST /services/oauth2/register", "observed", "recording auth-register")
def test_an_app_that_may_gets_its_token_in_the_fragment(shop: RunningOrg, browser: Browser) -> None:
    made = shop.request(
        "POST", "/services/oauth2/register",
        {"redirect_uris": ["https://page.example.com/"], "grant_types": ["implicit"], "client_name": "Page"},
    ).json  # fmt: skip
    browser.authorize(
        made["client_id"], response_type="token", redirect_uri="https://page.example.com/", code_challenge=""
    )
    browser.log_in(shop.ready["username"], "right")

    back = browser.allow()

    assert back.headers["location"].startswith("https://page.example.com/#access_token=")
    assert sent_back(back)["token_type"] == "Bearer"
    assert works(shop, sent_back(back)["access_token"])


# --- OpenID --------------------------------------------------------------------------------------------------------


@ledger("auth.id-token", "documented", "OpenID Connect Core sections 2 and 3.1.3; auth.md section 5")
@ledger("route.GET /id/keys", "documented", "auth.md section 5")
def test_an_id_token_is_signed_by_a_published_key(shop: RunningOrg, browser: Browser) -> None:
    code = browser.code("shop", shop.ready["username"], "right", nonce="n-1")
    reply = exchange(shop, code).json
    keys = shop.request("GET", "/id/keys", token=None)
    entry = keys.json["keys"][0]

    claims = jwt.decode(reply["id_token"], jwt.PyJWK(entry).key, algorithms=["RS256"], audience="shop")

    assert list(entry) == ["kty", "n", "e", "alg", "use", "kid"]
    assert keys.headers["access-control-allow-origin"] == "*"
    assert (claims["iss"], claims["nonce"]) == (f"http://127.0.0.1:{shop.port}", "n-1")
    assert claims["sub"] == reply["id"]
    assert jwt.get_unverified_header(reply["id_token"])["kid"] == entry["kid"]


@ledger("route.GET /services/auth/idp/oidc/logout", "documented", "auth.md section 5, end_session_endpoint")
@ledger("route.POST /services/auth/idp/oidc/logout", "documented", "auth.md section 5, end_session_endpoint")
def test_a_logout_with_an_id_token_ends_the_apps_sessions(shop: RunningOrg, browser: Browser) -> None:
    reply = exchange(shop, browser.code("shop", shop.ready["username"], "right")).json
    path = "/services/auth/idp/oidc/logout"

    forged = browser.get(
        path, id_token_hint=jwt.encode({"sub": reply["id"], "aud": "shop"}, "x" * 32, algorithm="HS256")
    )
    still = works(shop, reply["access_token"])
    elsewhere = browser.get(path, id_token_hint=reply["id_token"], post_logout_redirect_uri="https://evil.example.com/")
    home = browser.submit(path, id_token_hint=reply["id_token"], post_logout_redirect_uri=CALLBACK)

    assert (forged.status, still) == (400, True)
    assert (elsewhere.status, b"You are logged out" in elsewhere.raw) == (200, True)
    assert (home.status, home.headers["location"]) == (302, CALLBACK)
    assert not works(shop, reply["access_token"])


def test_the_signing_key_is_one_and_sealed(home: Path, tmp_path: Path) -> None:
    with RunningOrg(home=home, data=tmp_path / "org") as org:
        first = org.request("GET", "/id/keys", token=None).json
    with RunningOrg(home=home, data=tmp_path / "org") as org:
        assert org.request("GET", "/id/keys", token=None).json == first

    assert not any(b"PRIVATE KEY" in path.read_bytes() for path in (tmp_path / "org").glob("org.sqlite*"))


# --- recordings ----------------------------------------------------------------------------------------------------


def recorded(shared: Path, group: str, name: str) -> Any:
    return json.loads((shared / "recordings" / group / f"{name}.json").read_text())["response"]


def through(org: RunningOrg, host: str, path: str) -> Reply:
    """What `landbridge exec` makes of a host: the request with its name."""
    return org.request("GET", path, token=None, headers={"Host": host, "X-Forwarded-Proto": "https"})


@ledger("route.GET /.well-known/openid-configuration", "observed", "recordings wellknown-openid-*")
@ledger("auth.discovery", "observed", "recordings wellknown-openid-login-2026, wellknown-openid-my-domain-2023")
def test_discovery_is_what_was_recorded(org: RunningOrg, shared: Path) -> None:
    login = through(org, "login.salesforce.com", "/.well-known/openid-configuration")
    mine = through(org, "example.my.salesforce.com", "/.well-known/openid-configuration")
    old = recorded(shared, "wellknown", "wellknown-openid-my-domain-2023")

    assert login.json == recorded(shared, "wellknown", "wellknown-openid-login-2026")["body"]
    assert list(login.json) == list(recorded(shared, "wellknown", "wellknown-openid-login-2026")["body"])
    assert list(mine.json) == list(old["body"])
    # Scopes that were added since 2023 are there on every host.
    assert set(old["body"]["scopes_supported"]) <= set(mine.json["scopes_supported"])
    assert {**mine.json, "scopes_supported": 0} == {**old["body"], "scopes_supported": 0}
    assert mine.headers["access-control-allow-origin"] == old["headers"]["Access-Control-Allow-Origin"]


@ledger("route.GET /.well-known/oauth-authorization-server", "observed", "recording wellknown-oauth-as-api-2026")
@ledger("route.GET /.well-known/oauth-protected-resource", "observed", "recording wellknown-oauth-resource-api-2026")
@pytest.mark.parametrize(
    ("path", "name"),
    [("oauth-authorization-server", "oauth-as"), ("oauth-protected-resource", "oauth-resource")],
)
def test_oauth_documents_are_of_the_api_host_alone(org: RunningOrg, shared: Path, path: str, name: str) -> None:
    api = through(org, "api.salesforce.com", f"/.well-known/{path}")
    login = through(org, "login.salesforce.com", f"/.well-known/{path}")

    assert api.json == recorded(shared, "wellknown", f"wellknown-{name}-api-2026")["body"]
    assert list(api.json) == list(recorded(shared, "wellknown", f"wellknown-{name}-api-2026")["body"])
    assert login.status == recorded(shared, "wellknown", f"wellknown-login-404-{path}")["status"]


@ledger("route.GET /.well-known/auth-configuration", "documented", "auth.md section 5 (saved reply)")
def test_the_mobile_sdk_is_told_how_to_log_in(org: RunningOrg) -> None:
    found = org.request("GET", "/.well-known/auth-configuration", token=None)

    assert found.json["OrgId"] == org.ready["org_id"][:15]
    assert list(found.json)[:3] == ["OrgId", "Url", "MobileSDK"]
    assert found.json["LoginPageType"] == "standard"


@ledger("auth.register", "observed", "recording auth-register")
def test_a_registration_is_answered_as_recorded(org: RunningOrg, shared: Path) -> None:
    import re

    kept = json.loads((shared / "recordings" / "auth" / "auth-register.json").read_text())
    keys = re.findall(r'^    "(\w+)":', kept["response"]["body"], re.MULTILINE)

    reply = org.request("POST", "/services/oauth2/register", kept["request"]["body"])

    assert (reply.status, list(reply.json)) == (201, keys)
    assert reply.json["grant_types"] == ["authorization_code", "hybrid_auth_code", "implicit", "refresh_token"]
    assert reply.json["contacts"] == ["user@example.com"]


@ledger("error.InvalidSessionId", "observed", "recording auth-expired-session")
def test_an_expired_session_is_answered_as_recorded(org: RunningOrg, shared: Path) -> None:
    kept = recorded(shared, "auth", "auth-expired-session")

    reply = org.request("GET", "/services/data/v50.0/sobjects/User/describe", token="00D000000000001!SESSION")

    assert (reply.status, reply.json) == (kept["status"], kept["body"])
    assert (reply.headers["www-authenticate"], reply.headers["content-type"]) == tuple(kept["headers"].values())
    assert "sforce-limit-info" not in reply.headers


@ledger("auth.instance-url", "documented", "auth.md section 1: login hosts answer with the My Domain")
def test_a_login_host_answers_with_the_orgs_own_url(shop: RunningOrg) -> None:
    who = {"username": shop.ready["username"], "password": "right", "client_id": "shop", "client_secret": "hush"}
    form = urlencode({"grant_type": "password", **who}).encode()
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Host": "login.salesforce.com",
        "X-Forwarded-Proto": "https",
    }

    reply = shop.request("POST", "/services/oauth2/token", form, token=None, headers=headers).json

    assert reply["instance_url"] == "https://landbridge.my.salesforce.com"
    assert reply["id"].startswith("https://login.salesforce.com/id/00D")
    identity = through(
        shop, "login.salesforce.com", reply["id"].partition(".com")[2] + f"?oauth_token={reply['access_token']}"
    )
    assert identity.json["id"] == reply["id"]
    assert identity.json["urls"]["custom_domain"] == reply["instance_url"]


@ledger("auth.client-credentials-host", "documented", "auth.md section 1")
@ledger("auth.client-credentials-host-text", "guessed", "the text for a login host is not known")
def test_client_credentials_need_the_orgs_own_host(shop: RunningOrg) -> None:
    def ask(host: str) -> Reply:
        form = urlencode({"grant_type": "client_credentials", "client_id": "shop", "client_secret": "hush"}).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Host": host, "X-Forwarded-Proto": "https"}
        return shop.request("POST", "/services/oauth2/token", form, token=None, headers=headers)

    assert ask("login.salesforce.com").json["error_description"] == "request not supported on this domain"
    assert ask("acme.my.salesforce.com").json["instance_url"] == "https://acme.my.salesforce.com"


def test_expired_sessions_take_no_memory(shop: RunningOrg) -> None:
    sessions = shop.door.server.sessions
    for _ in range(3):
        token(shop, grant_type="client_credentials", client_id="shop", client_secret="hush")
    held = len(sessions.live())
    shop.door.server.clock.jump(timedelta(hours=3))

    async def flush() -> None:
        await shop.door.server.db.write(sessions.flush, Unit("test"))

    assert sessions.unflushed
    shop.do(flush)

    assert (held > 3, len(sessions._live)) == (True, 0)
    assert not sessions.unflushed
