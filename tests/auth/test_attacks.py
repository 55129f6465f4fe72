"""
The attack list: each test tries one thing, and shows how it is refused. See docs/reference/attacks.md.

An attack is only tried where its innocent twin works: most tests first, or at the end, do the same thing properly.
"""

from __future__ import annotations

import base64
import json
import logging
import stat
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from landbridge.auth import passwords as passwords_module
from landbridge.auth.grants import JWT_BEARER
from landbridge.clock import Clock
from landbridge.wire.http.message import Request
from tests.support.browser import CALLBACK, VERIFIER, Browser, post, sent_back, token
from tests.support.running import Reply, RunningOrg

attack = pytest.mark.attack
PASSWORD = "right-pa55"


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="module")
def public(key: rsa.RSAPrivateKey) -> bytes:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form)


@pytest.fixture
def acme(home: Path, tmp_path: Path, public: bytes) -> Iterator[RunningOrg]:
    """An org of its own for each attack, whose waits are noted instead of slept."""
    (tmp_path / "shop.pem").write_bytes(public)
    with RunningOrg(
        home=home, password=PASSWORD, connected_app=("shop:hush-hush", "other:quiet"), jwt_certificate=tmp_path / "shop.pem"
    ) as running:  # fmt: skip
        yield running


@pytest.fixture
def waits(acme: RunningOrg, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that answers would have waited."""
    noted: list[float] = []
    clock = acme.door.server.clock

    class Noting(Clock):
        """The org's clock, which notes instead of sleeping."""

        def epoch(self) -> float:
            return clock.epoch()

        async def sleep(self, seconds: float) -> None:
            noted.append(seconds)

    monkeypatch.setattr(acme.door.server.failures, "_clock", Noting())
    return noted


@pytest.fixture
def browser(acme: RunningOrg) -> Browser:
    return Browser(acme)


def log_in(org: RunningOrg, **changed: str) -> Reply:
    form = {"grant_type": "password", "client_id": "shop", "client_secret": "hush-hush", "username": org.ready["username"],
            "password": PASSWORD}  # fmt: skip
    return token(org, **{**form, **changed})


def exchange(org: RunningOrg, code: str, **changed: str) -> Reply:
    form = {"grant_type": "authorization_code", "code": code, "client_id": "shop", "client_secret": "hush-hush",
            "redirect_uri": CALLBACK, "code_verifier": VERIFIER}  # fmt: skip
    return token(org, **{name: value for name, value in {**form, **changed}.items() if value})


def code_of(browser: Browser, **query: str) -> str:
    return browser.code("shop", browser.org.ready["username"], PASSWORD, **query)


def refresh(org: RunningOrg, refresh_token: str, client_id: str = "shop") -> Reply:
    return token(org, grant_type="refresh_token", refresh_token=refresh_token, client_id=client_id)


def works(org: RunningOrg, access_token: str) -> bool:
    return org.data("GET", "/limits", token=access_token).status == 200


def at_once(count: int, work: Callable[[], Any]) -> list[Any]:
    """The results of the same work from many threads."""
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(work())) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


# --- guessing ------------------------------------------------------------------------------------------------------


@attack("guessing one user's password", "each failure doubles the wait; ten lock the name, also for the right password")
def test_guesses_at_one_name(acme: RunningOrg, waits: list[float]) -> None:
    assert {log_in(acme, password=f"guess-{n}").status for n in range(10)} == {400}

    assert log_in(acme).json == {"error": "invalid_grant", "error_description": "authentication failure"}
    assert waits == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 8.0]


@attack("guessing one user's password by every door", "SOAP, OAuth and the login page count together")
def test_guesses_by_every_door_count_together(acme: RunningOrg, browser: Browser, waits: list[float]) -> None:
    username = acme.ready["username"]
    envelope = (
        '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body xmlns="urn:partner.soap.sforce.com">'
        f"<login><username>{username}</username><password>%s</password></login></e:Body></e:Envelope>"
    )
    browser.authorize("shop")
    for number in range(4):
        acme.request("POST", "/services/Soap/u/64.0", (envelope % number).encode(), token=None)
        browser.log_in(username.upper(), str(number))
        log_in(acme, password=str(number))

    assert acme.request("POST", "/services/Soap/u/64.0", (envelope % PASSWORD).encode(), token=None).status == 500
    assert b"Please check your username" in browser.log_in(username, PASSWORD).raw


@attack("trying one password at many names", "the failures of a peer count as well: its answers wait after twenty")
def test_one_password_at_many_names(acme: RunningOrg, waits: list[float]) -> None:
    for number in range(23):
        log_in(acme, username=f"user{number}@example.com")

    assert waits == [0.25, 0.5, 1.0]


@attack("guessing sent side by side", "an attempt counts before its wait: none gets around it")
def test_guesses_side_by_side(acme: RunningOrg, waits: list[float]) -> None:
    replies = at_once(16, lambda: log_in(acme, password="guess"))

    assert {reply.status for reply in replies} == {400}
    assert log_in(acme).status == 400


@attack("guessing an app's secret", "slowed down and locked like a password")
def test_guesses_at_a_client_secret(acme: RunningOrg, waits: list[float]) -> None:
    for number in range(10):
        assert log_in(acme, client_secret=f"guess-{number}").json["error"] == "invalid_client"

    assert log_in(acme).json["error"] == "invalid_client"
    assert len(waits) == 7


@attack("finding out which users exist", "the same answer after the same work")
def test_unknown_names_cost_and_answer_the_same(
    acme: RunningOrg, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    log_in(acme)  # from now on the administrator's hash is kept
    work: list[str] = []
    for name in ("_hash", "_verify"):
        original = getattr(passwords_module, name)
        monkeypatch.setattr(passwords_module, name, lambda *a, f=original: (work.append("argon2"), f(*a))[1])

    known, unknown = log_in(acme, password="x"), log_in(acme, username="nobody@example.com", password="x")

    assert (known.status, known.raw) == (unknown.status, unknown.raw)
    assert work == ["argon2", "argon2"]


@attack("guessing the code that a device shows", "eight characters of 36, ten minutes, and slowed down like a password")
def test_guesses_at_a_user_code(acme: RunningOrg, browser: Browser, waits: list[float]) -> None:
    device = token(acme, response_type="device_code", client_id="PlatformCLI").json
    for _ in range(10):
        assert b"No device waits" in browser.submit("/setup/connect", user_code="AAAAAAAA").raw

    assert b"No device waits" in browser.submit("/setup/connect", user_code=device["user_code"]).raw
    assert len(waits) >= 7


# --- tokens --------------------------------------------------------------------------------------------------------


@attack("guessing a token by how long the answer takes", "sessions are found by the hash of the token, in one look-up")
def test_tokens_are_found_by_their_hash(acme: RunningOrg) -> None:
    session = log_in(acme).json["access_token"]
    held = acme.door.server.sessions._live

    assert sha256(session.encode()).digest() in held
    assert all(len(found) == 32 for found in held)
    assert not any(session in repr(found) for found in held.values())
    assert len(session.partition("!")[2]) == 88


@attack("a malformed token", "401, the same answer as for any other")
@pytest.mark.parametrize(
    "value",
    ["", "Bearer", "Bearer ", "Bearer !", "Bearer x y", "Basic abc", "Bearer " + "A" * 8000, "bearer\t00D!x", "OAuth null",
     "Bearer 00D000000000001!\xff\xfe", "Token abc", "Bearer undefined", "Bearer ' OR 1=1 --"],
)  # fmt: skip
def test_malformed_tokens(acme: RunningOrg, value: str) -> None:
    reply = acme.request("GET", "/services/data/v67.0/limits", token=None, headers={"Authorization": value})

    assert (reply.status, reply.json) == (
        401,
        [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}],
    )
    assert reply.headers["www-authenticate"] == "Token"


@attack("an expired token", "401 after two hours without use, whatever was asked before")
def test_expired_tokens(acme: RunningOrg) -> None:
    session = log_in(acme).json["access_token"]
    acme.door.server.clock.jump(timedelta(hours=2, seconds=1))

    assert [works(acme, session) for _ in range(2)] == [False, False]


@attack("a revoked token", "401 from the commit on, also for requests on an open connection")
def test_revoked_tokens(acme: RunningOrg) -> None:
    session = log_in(acme).json["access_token"]
    assert works(acme, session)
    assert post(acme, "/services/oauth2/revoke", token=session).status == 200

    assert not works(acme, session)


@attack("a token of another org", "401: it is nobody's here")
def test_foreign_tokens(acme: RunningOrg, home: Path) -> None:
    with RunningOrg(home=home) as other:
        foreign = other.ready["access_token"]
        same_form = f"{acme.ready['org_id'][:15]}!{foreign.partition('!')[2]}"

        assert works(other, foreign)
        assert [works(acme, one) for one in (foreign, same_form)] == [False, False]
        assert refresh(acme, other.ready["refresh_token"]).json["error"] == "invalid_grant"


@attack("looking into another app's token", "introspection answers `active: false`")
def test_introspecting_another_apps_token(acme: RunningOrg) -> None:
    session = log_in(acme).json["access_token"]

    mine = post(acme, "/services/oauth2/introspect", token=session, client_id="shop", client_secret="hush-hush").json
    theirs = post(acme, "/services/oauth2/introspect", token=session, client_id="other", client_secret="quiet").json

    assert (mine["active"], theirs) == (True, {"active": False})


# --- JWT -----------------------------------------------------------------------------------------------------------


def assertion(org: RunningOrg, signing: Any, algorithm: str = "RS256", **changed: Any) -> str:
    claims = {"iss": "shop", "sub": org.ready["username"], "aud": "https://login.salesforce.com",
              "exp": int(org.door.server.clock.epoch()) + 180, **changed}  # fmt: skip
    return jwt.encode(
        {name: value for name, value in claims.items() if value is not None}, signing, algorithm=algorithm
    )


def bear(org: RunningOrg, text: str) -> str:
    """The error of a JWT login, or "" for one that was let in."""
    reply = token(org, grant_type=JWT_BEARER, assertion=text).json
    return f"{reply['error']}: {reply['error_description']}" if "error" in reply else ""


def unsigned(claims: dict[str, Any], header: dict[str, Any]) -> str:
    def part(value: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return f"{part(header)}.{part(claims)}."


@pytest.mark.ledger("auth.jwt-texts", "guessed", "auth.md has the code, invalid_grant; what is said beside it is ours")
@attack("a JWT with `alg: none`", "the algorithm is ours to name: anything but RS256 is refused unread")
@pytest.mark.parametrize("alg", ["none", "None", "NONE", "", None, "RS512", ["RS256"]])
def test_jwt_none(acme: RunningOrg, key: rsa.RSAPrivateKey, alg: Any) -> None:
    good = assertion(acme, key)
    claims = jwt.decode(good, options={"verify_signature": False})

    assert bear(acme, good) == ""
    assert bear(acme, unsigned(claims, {"alg": alg, "typ": "JWT"})) == "invalid_grant: invalid assertion"
    assert bear(acme, unsigned(claims, {"alg": "RS256", "typ": "JWT"})) == "invalid_grant: invalid assertion"


@attack("a JWT signed by HMAC with the public key", "RS256 alone: the public key is never a secret")
def test_jwt_hmac_with_the_public_key(acme: RunningOrg, public: bytes) -> None:
    import hmac

    header = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').rstrip(b"=").decode()
    claims = unsigned(
        {"iss": "shop", "sub": acme.ready["username"], "aud": "https://login.salesforce.com", "exp": 9e9}, {}
    )
    signed = f"{header}.{claims.split('.')[1]}"
    signature = base64.urlsafe_b64encode(hmac.digest(public, signed.encode(), "sha256")).rstrip(b"=").decode()

    assert bear(acme, f"{signed}.{signature}") == "invalid_grant: invalid assertion"


@attack("a JWT signed with another key", "the signature must be of the app's registered certificate")
def test_jwt_of_another_key(acme: RunningOrg) -> None:
    another = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    assert bear(acme, assertion(acme, another)) == "invalid_grant: invalid assertion"


@attack("a JWT whose claims were changed", "the signature does not fit")
def test_jwt_changed(acme: RunningOrg, key: rsa.RSAPrivateKey) -> None:
    header, claims, signature = assertion(acme, key).split(".")
    other = assertion(acme, key, sub="integration@landbridge.localhost").split(".")[1]

    assert bear(acme, f"{header}.{other}.{signature}") == "invalid_grant: invalid assertion"
    assert bear(acme, f"{header}.{claims}.{signature}=") == "invalid_grant: invalid assertion"
    assert bear(acme, f"{header}.{claims}.{signature}.x") == "invalid_grant: invalid assertion"


@attack("a JWT for another audience", "`Audience validation failed`")
@pytest.mark.parametrize(
    "aud", ["https://evil.example.com", "https://login.salesforce.com.evil.example.com", "", None, 7, []]
)
def test_jwt_of_another_audience(acme: RunningOrg, key: rsa.RSAPrivateKey, aud: Any) -> None:
    text = assertion(acme, key, aud=aud) if not isinstance(aud, int) else _raw(acme, key, aud=aud)

    assert bear(acme, text) == "invalid_grant: Audience validation failed"


def _raw(org: RunningOrg, key: rsa.RSAPrivateKey, **changed: Any) -> str:
    """Signed as it is: PyJWT would refuse to sign such claims."""
    claims = {"iss": "shop", "sub": org.ready["username"], "aud": "https://login.salesforce.com",
              "exp": int(org.door.server.clock.epoch()) + 180, **changed}  # fmt: skip
    return jwt.api_jws.encode(json.dumps(claims).encode(), key, algorithm="RS256")


@attack("a JWT that has expired, or never would", "an `exp` in the future is required, a number of seconds")
@pytest.mark.parametrize("exp", [1, 0, -5, None, "", "soon", "NaN", "Infinity", True, [9e9], 1e300])
def test_jwt_expired(acme: RunningOrg, key: rsa.RSAPrivateKey, exp: Any) -> None:
    assert bear(acme, _raw(acme, key, exp=exp)) == "invalid_grant: expired authorization code"


@attack("a JWT that is not valid yet", "an `nbf` in the future is refused")
def test_jwt_not_yet(acme: RunningOrg, key: rsa.RSAPrivateKey) -> None:
    later = int(acme.door.server.clock.epoch()) + 3600

    assert bear(acme, assertion(acme, key, nbf=later, exp=later + 60)) == "invalid_grant: invalid assertion"


@attack("a JWT of one app in the name of another", "an app without a certificate has no JWTs; each has its own key")
def test_jwt_of_another_app(acme: RunningOrg, key: rsa.RSAPrivateKey) -> None:
    assert bear(acme, assertion(acme, key, iss="other")) == "invalid_grant: invalid assertion"
    assert bear(acme, assertion(acme, key, iss="nobody")) == "invalid_client_id: client identifier invalid"


@attack("a JWT for a user who is not there, or not active", "the same answer for both")
def test_jwt_for_nobody(acme: RunningOrg, key: rsa.RSAPrivateKey) -> None:
    users = acme.rows("SELECT Id, Username FROM User WHERE Username LIKE 'integration%'")
    acme.data("PATCH", f"/sobjects/User/{users[0]['Id']}", {"IsActive": False})

    for sub in ("nobody@example.com", users[0]["Username"], None):
        assert bear(acme, assertion(acme, key, sub=sub)) == "invalid_grant: user hasn't approved this consumer"


@attack(
    "a JWT for a user who never approved the app",
    "an app that has to ask is refused until the user has allowed it once",
)
def test_jwt_without_approval(acme: RunningOrg, browser: Browser, key: rsa.RSAPrivateKey, public: bytes) -> None:
    asked = {
        "name": "Asks",
        "client_id": "asks",
        "callbacks": [CALLBACK],
        "rules": ["asks"],
        "certificate": public.decode(),
    }
    acme.request("POST", "/services/landbridge/v1/apps", asked)

    before = bear(acme, assertion(acme, key, iss="asks"))
    browser.code("asks", acme.ready["username"], PASSWORD)

    assert before == "invalid_grant: user hasn't approved this consumer"
    assert bear(acme, assertion(acme, key, iss="asks")) == ""


# --- codes ---------------------------------------------------------------------------------------------------------


@attack("an authorization code brought twice", "refused, and what the first exchange gave ends")
def test_code_replay(acme: RunningOrg, browser: Browser) -> None:
    code = code_of(browser)
    first = exchange(acme, code).json
    assert works(acme, first["access_token"])

    assert exchange(acme, code).json == {"error": "invalid_grant", "error_description": "invalid authorization code"}

    assert not works(acme, first["access_token"])
    assert refresh(acme, first["refresh_token"]).json["error"] == "invalid_grant"


@attack("one code from many places at once", "one exchange at most, and it ends with the others' replay")
def test_code_race(acme: RunningOrg, browser: Browser) -> None:
    code = code_of(browser)

    replies = at_once(8, lambda: exchange(acme, code))

    given = [reply.json["access_token"] for reply in replies if reply.status == 200]
    assert len(given) <= 1
    assert not any(works(acme, one) for one in given)


@attack("a code after its time", "two minutes, then refused")
def test_code_expired(acme: RunningOrg, browser: Browser) -> None:
    code = code_of(browser)
    acme.door.server.clock.jump(timedelta(minutes=2, seconds=1))

    assert exchange(acme, code).json["error_description"] == "expired authorization code"


@attack("another app's code", "refused, and still good for its own app")
def test_code_of_another_app(acme: RunningOrg, browser: Browser) -> None:
    code = code_of(browser)

    assert exchange(acme, code, client_id="other", client_secret="quiet").json["error"] == "invalid_grant"
    assert exchange(acme, code).status == 200


@attack("a code with another callback, or without the app's secret", "refused")
def test_code_with_another_callback(acme: RunningOrg, browser: Browser) -> None:
    assert exchange(acme, code_of(browser), redirect_uri="http://localhost/OauthRedirect").json["error"] == (
        "redirect_uri_mismatch"
    )
    assert exchange(acme, code_of(browser), client_secret="").json["error"] == "invalid_client"
    assert exchange(acme, code_of(browser), client_secret="guess").json["error"] == "invalid_client"


@attack(
    "PKCE taken out, or turned back to `plain`",
    "a code asked for with a challenge needs its verifier, one without takes none",
)
def test_pkce_downgrade(acme: RunningOrg, browser: Browser) -> None:
    wrong = {"error": "invalid_grant", "error_description": "invalid code verifier"}
    plain = browser.authorize("shop", code_challenge=VERIFIER[:43], code_challenge_method="plain")
    nothing = browser.authorize("PlatformCLI", redirect_uri="http://localhost:1717/OauthRedirect", code_challenge="")

    assert exchange(acme, code_of(browser), code_verifier="").json == wrong
    assert (
        exchange(acme, code_of(browser), code_verifier="another-verifier-of-enough-characters-0123456789").json == wrong
    )
    assert exchange(acme, code_of(browser, code_challenge="")).json == wrong  # stripped on the way: the verifier tells
    assert sent_back(plain)["error"] == "invalid_request"
    assert sent_back(nothing)["error_description"] == "missing required code challenge"
    assert exchange(acme, code_of(browser, code_challenge=""), code_verifier="").status == 200


@attack("a wrong verifier, then the right one", "the first try has spent the code")
def test_pkce_guess(acme: RunningOrg, browser: Browser) -> None:
    code = code_of(browser)
    exchange(acme, code, code_verifier="x" * 43)

    assert exchange(acme, code).json["error"] == "invalid_grant"


@attack("another app's device code", "refused")
def test_device_code_of_another_app(acme: RunningOrg) -> None:
    device = token(acme, response_type="device_code", client_id="PlatformCLI").json

    stolen = token(acme, grant_type="device", client_id="shop", code=device["device_code"])

    assert stolen.json["error"] == "invalid_grant"


# --- refresh -------------------------------------------------------------------------------------------------------


@pytest.fixture
def rotating(acme: RunningOrg, browser: Browser) -> dict[str, Any]:
    """The tokens of an app whose refresh tokens are for one use each."""
    asked = {"name": "Rotates", "client_id": "rotates", "callbacks": [CALLBACK], "rules": ["rotates", "public"]}
    acme.request("POST", "/services/landbridge/v1/apps", asked)
    code = browser.code("rotates", acme.ready["username"], PASSWORD)
    found: dict[str, Any] = exchange(acme, code, client_id="rotates", client_secret="").json
    return found


@attack("a refresh token used again after its rotation", "refused, and every token of that login ends")
def test_refresh_reuse(acme: RunningOrg, rotating: dict[str, Any]) -> None:
    second = refresh(acme, rotating["refresh_token"], "rotates").json
    assert second["refresh_token"] != rotating["refresh_token"]
    assert works(acme, second["access_token"])

    assert refresh(acme, rotating["refresh_token"], "rotates").json["error"] == "invalid_grant"

    assert refresh(acme, second["refresh_token"], "rotates").json["error"] == "invalid_grant"
    assert not any(works(acme, one["access_token"]) for one in (rotating, second))


@attack(
    "one rotating refresh token from many places at once",
    "one of them at most, and its tokens end with the others' replay",
)
def test_refresh_race(acme: RunningOrg, rotating: dict[str, Any]) -> None:
    replies = at_once(8, lambda: refresh(acme, rotating["refresh_token"], "rotates"))

    given = [reply.json["access_token"] for reply in replies if reply.status == 200]
    assert len(given) <= 1
    assert not any(works(acme, one) for one in given)


@attack("another app's refresh token", "refused, and still good for its own app")
def test_refresh_of_another_app(acme: RunningOrg, rotating: dict[str, Any]) -> None:
    assert refresh(acme, rotating["refresh_token"], "shop").json["error"] == "invalid_grant"
    assert refresh(acme, rotating["refresh_token"], "rotates").status == 200


@attack("more scope than the app or the login has", "`invalid_scope`; a refresh gives what was given, never more")
def test_scope_escalation(acme: RunningOrg, browser: Browser) -> None:
    cli = browser.authorize("PlatformCLI", redirect_uri="http://localhost:1717/OauthRedirect", scope="full")
    small = exchange(acme, code_of(browser, scope="id refresh_token")).json
    more = token(
        acme, grant_type="refresh_token", refresh_token=small["refresh_token"], client_id="shop", scope="full"
    ).json

    assert sent_back(cli)["error"] == "invalid_scope"
    assert more["scope"] == "id refresh_token"
    assert not works(acme, more["access_token"])


# --- the login page ------------------------------------------------------------------------------------------------


@attack(
    "an open redirect through `redirect_uri`",
    "the app's own callbacks, character by character, or a page with status 400",
)
@pytest.mark.parametrize(
    "callback",
    ["https://evil.example.com/", "http://localhost@evil.example.com/callback", "http://localhost:80@evil.example.com/callback",
     "http://localhost.evil.example.com/callback", "http://localhost%2eevil.example.com/callback", "//evil.example.com/callback",
     "http://localhost/callback/../x", "http://localhost/callback?next=//evil.example.com", "http://localhost/callback#",
     "http://localhost\\.evil.example.com/callback", "http://[::1]/callback", "http://LOCALHOST/callback", "javascript:alert(1)",
     "data:text/html,x", "http://localhost/callback\r\nSet-Cookie: a=b", "http://localhost/callback%0d%0a", " http://localhost/callback"],
)  # fmt: skip
def test_open_redirect(browser: Browser, callback: str) -> None:
    reply = browser.authorize("shop", redirect_uri=callback)

    assert (reply.status, "location" in reply.headers) == (400, False)


@attack("two values for one parameter", "refused: each reader could believe another one")
def test_parameter_pollution(browser: Browser) -> None:
    path = "/services/oauth2/authorize?response_type=code&client_id=shop&redirect_uri=http%3A%2F%2Flocalhost%2Fcallback"

    assert browser.get(path).status == 200
    assert browser.get(f"{path}&redirect_uri=https%3A%2F%2Fevil.example.com%2F").status == 400
    assert browser.get(f"{path}&client_id=other").status == 400
    assert browser.get(f"{path}&state=a&state=b").status == 400


@attack(
    "a login or consent form sent by another site (CSRF)",
    "403: the browser's cookie, the form's secret and the Origin go together",
)
def test_csrf(acme: RunningOrg, browser: Browser) -> None:
    def refused(reply: Reply) -> bool:
        return reply.status == 403 and "location" not in reply.headers and b"Start again from the app" in reply.raw

    browser.authorize("shop")
    victim = Browser(acme, flow=browser.flow)  # has the form's secret, not the cookie
    other = Browser(acme, flow=browser.flow)
    other.authorize("shop")
    other.flow = browser.flow  # has a cookie, of another flow

    assert refused(victim.log_in(acme.ready["username"], PASSWORD))
    assert refused(other.log_in(acme.ready["username"], PASSWORD))
    for origin in ("https://evil.example.com", "null", f"http://localhost:{acme.port + 1}"):
        assert refused(browser.submit(origin=origin, username=acme.ready["username"], password=PASSWORD))
    browser.log_in(acme.ready["username"], PASSWORD)
    for origin in ("https://evil.example.com", "null"):
        assert refused(browser.submit(origin=origin, decision="allow"))
    assert refused(Browser(acme, flow=browser.flow).allow())
    assert browser.allow().status == 302
    assert refused(browser.allow())


@attack(
    "session fixation: a login begun by the attacker",
    "the secrets are drawn anew at the login; the planted ones are dead",
)
def test_session_fixation(acme: RunningOrg) -> None:
    attacker = Browser(acme)
    attacker.authorize("shop")
    victim = Browser(acme, cookies=dict(attacker.cookies), flow=attacker.flow)  # both secrets planted
    planted = dict(victim.cookies)

    victim.log_in(acme.ready["username"], PASSWORD)

    assert victim.cookies != planted
    assert attacker.allow().status == 403
    assert victim.allow().status == 302


@attack("a consent given without a login", "a flow before its login knows no consent")
def test_consent_before_login(browser: Browser) -> None:
    browser.authorize("shop")

    reply = browser.allow()

    assert (reply.status, "location" in reply.headers) == (200, False)
    assert b"Please check your username and password" in reply.raw


@attack("script in what a page shows", "every text is escaped, and the page's policy allows no script")
def test_script_in_pages(acme: RunningOrg, browser: Browser) -> None:
    script = '"><script>alert(1)</script>'
    asked = {"name": script, "client_id": "evil", "callbacks": [CALLBACK], "rules": []}
    acme.request("POST", "/services/landbridge/v1/apps", asked)

    pages = [
        browser.authorize("evil", login_hint=script),
        browser.log_in(script, "x"),
        browser.log_in(acme.ready["username"], PASSWORD),
        browser.get("/setup/connect", user_code=script),
        browser.get("/services/oauth2/authorize", client_id=script),
    ]

    assert not any(b"<script>" in page.raw for page in pages)
    assert all(page.headers["content-security-policy"].startswith("default-src 'none'") for page in pages)


@attack("the login page in a frame (clickjacking)", "X-Frame-Options and frame-ancestors refuse every frame")
def test_clickjacking(browser: Browser) -> None:
    headers = browser.authorize("shop").headers

    assert (headers["x-frame-options"], "frame-ancestors 'none'" in headers["content-security-policy"]) == (
        "DENY",
        True,
    )


@attack("line breaks in what goes into headers", "encoded, or refused: no header of the attacker's")
def test_header_injection(acme: RunningOrg, browser: Browser) -> None:
    evil = "x\r\nSet-Cookie: evil=1\r\n\r\n<p>"
    browser.authorize("shop", state=evil)
    browser.log_in(acme.ready["username"], PASSWORD)
    back = browser.allow()
    error = browser.authorize("shop", state=evil, response_type="x")
    hosts = [
        acme.request("GET", "/.well-known/openid-configuration", token=None, headers={"X-Forwarded-Host": host})
        for host in ("a\tb", 'a"b', "a b", "<x>")
    ]

    assert sent_back(back)["state"] == evil
    assert "evil" not in back.headers.get("set-cookie", "")
    assert b"evil" not in back.raw
    assert sent_back(error)["state"] == evil
    assert all(json.loads(reply.raw)["issuer"].startswith("http://") for reply in hosts)


@attack("another host's name through X-Forwarded-Host", "believed from loopback alone")
def test_forwarded_host() -> None:
    headers = {b"host": b"org.example.com", b"x-forwarded-host": b"evil.example.com", b"x-forwarded-proto": b"https"}

    assert Request("GET", b"/", headers, b"", client="192.0.2.7").base_url == "http://org.example.com"
    assert Request("GET", b"/", headers, b"", client="127.0.0.1").base_url == "https://evil.example.com"


# --- SOAP ----------------------------------------------------------------------------------------------------------


def soap(org: RunningOrg, body: bytes) -> Reply:
    return org.request("POST", "/services/Soap/u/64.0", body, token=None, headers={"Content-Type": "text/xml"})


@attack(
    "SOAP with entities: files read, text blown up (XXE, billion laughs)",
    "a DOCTYPE is refused before anything is expanded",
)
@pytest.mark.parametrize(
    "doctype",
    ['<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>', '<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd">',
     '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY e "&a;&a;&a;&a;">]>', '<!DOCTYPE x [<!ENTITY % p SYSTEM "file:///etc/passwd"> %p;]>'],
)  # fmt: skip
def test_xxe(acme: RunningOrg, doctype: str) -> None:
    reply = soap(
        acme,
        f'<?xml version="1.0"?>{doctype}<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><login>'
        "<username>&e;</username><password>x</password></login></e:Body></e:Envelope>".encode(),
    )

    assert reply.status == 500
    assert b"a DOCTYPE is refused" in reply.raw
    assert b"root:" not in reply.raw


@attack("SOAP too large, too deep, or none", "a fault in XML, after a bounded read")
def test_oversized_xml(acme: RunningOrg) -> None:
    large = soap(acme, b"<a>" + b"x" * 200_000 + b"</a>")
    deep = soap(acme, b"<a>" * 5000 + b"</a>" * 5000)

    for reply in (large, deep, soap(acme, b"\xff\xfe\x00"), soap(acme, b"")):
        assert (reply.status, reply.headers["content-type"]) == (500, "text/xml; charset=utf-8")
        assert b"INVALID_SOAP_ENVELOPE" in reply.raw


@attack("SOAP with markup in the username", "it is text: escaped where it is shown, bound where it is looked for")
def test_markup_in_soap(acme: RunningOrg) -> None:
    for username in ("&lt;/username&gt;&lt;x&gt;", "' OR '1'='1", "<![CDATA[</login>]]>"):
        reply = soap(
            acme,
            '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><login>'
            f"<username>{username}</username><password>x</password></login></e:Body></e:Envelope>".encode(),
        )
        assert b"INVALID_LOGIN" in reply.raw


# --- rights --------------------------------------------------------------------------------------------------------


@attack("a read-only user who registers apps or makes users", "403, INSUFFICIENT_ACCESS_OR_READONLY")
def test_read_only_users_stay_read_only(acme: RunningOrg) -> None:
    session = acme.integration_token()
    tries = [
        acme.request("POST", "/services/oauth2/register", {"redirect_uris": []}, token=session),
        acme.request("POST", "/services/landbridge/v1/users", {"username": "x@example.com"}, token=session),
        acme.data("POST", "/sobjects/User", {"Username": "x@example.com", "LastName": "X"}, token=session),
        acme.data("PATCH", f"/sobjects/User/{acme.door.server.org.integration_id}", {"LastName": "X"}, token=session),
    ]

    assert {reply.error for reply in tries} == {"INSUFFICIENT_ACCESS_OR_READONLY"}


# --- secrets -------------------------------------------------------------------------------------------------------


def everything(org: RunningOrg, browser: Browser, key: rsa.RSAPrivateKey) -> tuple[dict[str, str], list[Reply]]:
    """Use every door once, well and badly: the secrets that were in play, and the answers that were errors."""
    code = code_of(browser)
    tokens = exchange(org, code).json
    device = token(org, response_type="device_code", client_id="PlatformCLI").json
    bearer = assertion(org, key)
    jwt_tokens = token(org, grant_type=JWT_BEARER, assertion=bearer).json
    made = org.request("POST", "/services/landbridge/v1/users", {"username": "bo@example.com"}).json
    app = org.request("POST", "/services/landbridge/v1/apps", {"name": "Garden"}).json
    abandoned = Browser(org)
    abandoned.authorize("shop")
    errors = [
        exchange(org, code), exchange(org, "aPrx-guess", code_verifier=VERIFIER), log_in(org, password="wrong-9f8e7d"),
        log_in(org, client_secret="wrong-1a2b3c"), refresh(org, "5Aep-wrong-4d5e6f"), token(org, grant_type=JWT_BEARER, assertion=bearer + "x"),
        abandoned.log_in("ada@example.com", "wrong-7g8h9i"), org.data("GET", "/limits", token="00D!wrong-0j1k2l"),
        soap(org, b"<e><Body><login><username>a</username><password>wrong-3m4n5o</password></login></Body></e>"),
        post(org, "/services/oauth2/revoke", token="wrong-6p7q8r"), token(org, grant_type="device", client_id="PlatformCLI", code="wrong-9s0t1u"),
    ]  # fmt: skip
    secrets = {
        "password": PASSWORD, "client secret": "hush-hush", "code": code, "verifier": VERIFIER, "refresh token": tokens["refresh_token"],
        "access token": tokens["access_token"], "ID token": tokens["id_token"], "device code": device["device_code"],
        "user code": device["user_code"], "assertion": bearer, "JWT session": jwt_tokens["access_token"],
        "new password": made["password"], "new security token": made["security_token"], "new client secret": app["client_secret"],
        "flow": abandoned.flow, "browser": next(iter(abandoned.cookies.values())), "first session": org.ready["access_token"],
        "first refresh token": org.ready["refresh_token"], "first security token": org.ready["security_token"],
        **{f"guess {n}": f"wrong-{text}" for n, text in enumerate(("9f8e7d", "1a2b3c", "4d5e6f", "7g8h9i", "0j1k2l", "3m4n5o", "6p7q8r", "9s0t1u"))},
    }  # fmt: skip
    return secrets, errors


@attack("secrets in the log", "every door used, well and badly, at debug level: none is there")
def test_secrets_in_the_log(
    acme: RunningOrg, browser: Browser, key: rsa.RSAPrivateKey, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    secrets, _ = everything(acme, browser, key)

    text = "\n".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records)
    assert [name for name, secret in secrets.items() if secret in text] == []


@attack("secrets in error answers", "an error never says what was given, or what was right")
def test_secrets_in_errors(acme: RunningOrg, browser: Browser, key: rsa.RSAPrivateKey) -> None:
    secrets, errors = everything(acme, browser, key)
    secrets.pop("flow")  # a login page that is shown again holds the form it is for

    assert [
        (name, reply.raw) for reply in errors for name, secret in secrets.items()
        if secret.encode() in reply.raw + repr(reply.headers).encode()
    ] == []  # fmt: skip


@attack(
    "secrets in the data folder",
    "hashed or sealed, in every file but `credentials` and (while it runs) `server.json`, mode 600",
)
def test_secrets_in_the_data_folder(home: Path, tmp_path: Path, key: rsa.RSAPrivateKey, public: bytes) -> None:
    data, ready = tmp_path / "org", tmp_path / "ready.json"
    (tmp_path / "shop.pem").write_bytes(public)
    settings: dict[str, Any] = {
        "home": home, "data": data, "ready_file": ready, "password": PASSWORD, "connected_app": ("shop:hush-hush", "other:quiet"),
        "jwt_certificate": tmp_path / "shop.pem",
    }  # fmt: skip

    def search(secrets: dict[str, str]) -> list[tuple[str, str]]:
        files = [path for path in data.rglob("*") if path.is_file() and path.name not in ("credentials", "server.json")]
        assert any(path.name == "org.sqlite" for path in files)
        return [
            (path.name, name)
            for path in files
            for name, secret in secrets.items()
            if secret.encode() in path.read_bytes()
        ]

    with RunningOrg(**settings) as org:
        secrets, _ = everything(org, Browser(org), key)
        running = search(secrets)
        open_to_others = [path.name for path in data.rglob("*") if path.is_file() and path.stat().st_mode & 0o077]
        ready_mode, folder_mode = stat.S_IMODE(ready.stat().st_mode), stat.S_IMODE(data.stat().st_mode)
    assert (running, search(secrets)) == ([], [])
    assert (ready_mode, folder_mode) == (0o600, 0o700)
    assert open_to_others == []
    assert (ready.exists(), (data / "server.json").exists()) == (False, False)
    stored = b"".join(path.read_bytes() for path in data.glob("org.sqlite*"))
    assert b"$argon2id$" in stored
    assert b"BEGIN PRIVATE KEY" not in stored
