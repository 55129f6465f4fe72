"""Logins: what is answered, and what keeps others out."""

from __future__ import annotations

import base64
import hmac
import json
import logging
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from landbridge.auth import certificates
from landbridge.clock import Clock
from tests.support.running import Reply, RunningOrg

ledger = pytest.mark.ledger
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
def fresh(home: Path) -> Iterator[RunningOrg]:
    """An org of its own: failures and jumps of the clock stay with the test."""
    with RunningOrg(home=home, password="right", connected_app=("shop:hush", "other:quiet")) as running:
        yield running


def token(org: RunningOrg, **form: str) -> Reply:
    return org.request("POST", "/services/oauth2/token", urlencode(form).encode(), token=None, headers=FORM)


def password(org: RunningOrg, **changed: str) -> Reply:
    ready = org.ready
    form = {"grant_type": "password", "client_id": ready["client_id"], "client_secret": ready["client_secret"],
            "username": ready["username"], "password": ready["password"]}  # fmt: skip
    return token(org, **{**form, **changed})


def soap(org: RunningOrg, body: str, *, api: str = "u", header: str = "") -> Reply:
    envelope = (
        '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Header>'
        f'{header}</e:Header><e:Body xmlns="urn:partner.soap.sforce.com">{body}</e:Body></e:Envelope>'
    )
    return org.request(
        "POST", f"/services/Soap/{api}/64.0/", envelope.encode(), token=None, headers={"Content-Type": "text/xml"}
    )


def login(org: RunningOrg, given: str) -> Reply:
    return soap(
        org, f"<login><username>{org.ready['username']}</username><password><![CDATA[{given}]]></password></login>"
    )


# --- replies -------------------------------------------------------------------------------------------------------


@ledger("auth.token-reply", "observed", "recording auth-token-password-2015")
@ledger("route.POST /services/oauth2/token", "observed", "recording auth-token-password-2015")
def test_a_token_reply_has_the_documented_keys_and_a_true_signature(org: RunningOrg) -> None:
    reply = password(org)

    found = reply.json
    signed = hmac.digest(org.ready["client_secret"].encode(), (found["id"] + found["issued_at"]).encode(), "sha256")
    assert list(found) == ["access_token", "instance_url", "id", "token_type", "issued_at", "signature", "scope"]
    assert base64.b64decode(found["signature"]) == signed
    assert found["id"].endswith(f"/id/{org.ready['org_id']}/{org.ready['user_id']}")
    assert found["access_token"].startswith(f"{org.ready['org_id'][:15]}!")
    assert reply.headers["cache-control"] == "no-store"
    assert org.data("GET", "/limits", token=found["access_token"]).status == 200


@ledger("auth.client-credentials", "documented", "auth.md section 2")
@pytest.mark.parametrize("basic", [True, False])
def test_client_credentials_come_in_the_body_or_a_basic_header(org: RunningOrg, basic: bool) -> None:
    pair = f"{org.ready['client_id']}:{org.ready['client_secret']}"
    headers = {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"} if basic else {}
    form = {"grant_type": "client_credentials"}
    if not basic:
        form |= {"client_id": org.ready["client_id"], "client_secret": org.ready["client_secret"]}

    reply = org.request(
        "POST", "/services/oauth2/token", urlencode(form).encode(), token=None, headers={**FORM, **headers}
    )

    assert reply.json["id"].endswith(org.ready["user_id"])


@ledger("auth.refresh", "observed", "recording auth-token-refresh")
def test_a_refresh_gives_a_new_session_in_recorded_key_order(org: RunningOrg, shared: Path) -> None:
    recorded = json.loads((shared / "recordings" / "auth" / "auth-token-refresh.json").read_text())["response"]["body"]

    reply = token(
        org, grant_type="refresh_token", refresh_token=org.ready["refresh_token"], client_id=org.ready["client_id"]
    )

    assert list(reply.json) == list(recorded)


@ledger("auth.errors", "documented", "auth.md section 4")
@ledger("auth.unknown-client", "observed", "auth.md section 4 (recorded 2023)")
@pytest.mark.parametrize(
    ("changed", "error", "description"),
    [
        ({"password": "wrong"}, "invalid_grant", "authentication failure"),
        ({"username": "nobody@example.com"}, "invalid_grant", "authentication failure"),
        ({"client_id": "unknown"}, "invalid_client_id", "client identifier invalid"),
        ({"client_secret": "wrong"}, "invalid_client", "invalid client credentials"),
        (
            {"grant_type": "urn:ietf:params:oauth:grant-type:saml2-bearer"},
            "unsupported_grant_type",
            "grant type not supported",
        ),
        ({"grant_type": ""}, "invalid_request", "missing required parameter: grant_type"),
    ],
)
def test_a_login_that_fails_says_as_much_as_documented(
    fresh: RunningOrg, changed: dict[str, str], error: str, description: str
) -> None:
    reply = password(fresh, **changed)

    assert (reply.status, reply.json) == (400, {"error": error, "error_description": description})


@ledger("auth.soap-reply", "observed", "recording soap-login-partner")
@ledger("route.POST /services/Soap/{api}/{version}/{org}", "documented", "auth.md section 6")
def test_a_soap_login_answers_the_recorded_elements_in_order(org: RunningOrg, shared: Path) -> None:
    from landbridge.xml import Element, parse

    def shape(element: Element) -> list[Any]:
        return [element.tag, [shape(child) for child in element.children]]

    recorded = json.loads((shared / "recordings" / "soap" / "soap-login-partner.json").read_text())["response"]
    reply = login(org, org.ready["password"])

    assert reply.status == 200
    assert reply.headers["content-type"] == recorded["headers"]["Content-Type"]
    assert shape(parse(reply.raw)) == shape(parse(recorded["body"].encode()))


@ledger("auth.soap-fault", "documented", "auth.md section 6")
@ledger("error.InvalidSessionId", "observed", "recording auth-expired-session")
def test_soap_faults_are_xml_with_the_literal_prefix(fresh: RunningOrg) -> None:
    wrong = login(fresh, "wrong")
    stale = soap(fresh, "<getUserInfo/>", header="<SessionHeader><sessionId>gone</sessionId></SessionHeader>")
    unknown = soap(fresh, "<convertLead/>")
    broken = fresh.request("POST", "/services/Soap/c/64.0", b"<no", token=None)

    assert b"<sf:exceptionCode>INVALID_LOGIN</sf:exceptionCode>" in wrong.raw
    assert b"<faultcode>sf:INVALID_SESSION_ID</faultcode>" in stale.raw
    assert b"Landbridge does not support this over SOAP yet: convertLead" in unknown.raw
    assert {reply.status for reply in (wrong, stale, unknown, broken)} == {500}
    assert all(reply.headers["content-type"].startswith("text/xml") for reply in (wrong, stale, unknown, broken))


def test_a_soap_session_works_ends_and_tells_the_time(org: RunningOrg) -> None:
    from landbridge.xml import parse

    result = (
        parse(login(org, org.ready["password"] + org.ready["security_token"]).raw).children[0].children[0].children[0]
    )
    session = result.get("sessionId")
    header = f"<SessionHeader><sessionId>{session}</sessionId></SessionHeader>"

    assert org.data("GET", "/limits", token=session).status == 200
    assert b"<timestamp>20" in soap(org, "<getServerTimestamp/>", header=header).raw
    assert b"<userFullName>Ada Admin</userFullName>" in soap(org, "<getUserInfo/>", header=header).raw
    assert soap(org, "<logout/>", header=header).status == 200
    assert org.data("GET", "/limits", token=session).status == 401


@ledger("rest.identity-bad-token", "documented", "auth.md section 5")
@ledger("route.GET /services/oauth2/userinfo", "observed", "rest.md section 13")
@ledger("route.POST /services/oauth2/userinfo", "documented", "OpenID Connect Core 5.3.1")
def test_userinfo_and_identity_refuse_a_bad_token_in_their_own_way(org: RunningOrg) -> None:
    ready = org.ready
    paths = ["/services/oauth2/userinfo", f"/id/{ready['org_id']}/{ready['user_id']}"]

    assert [(r.status, r.raw) for r in (org.request("GET", path, token="bad") for path in paths)] == [
        (403, b"Bad_OAuth_Token")
    ] * 2
    assert org.request("POST", paths[0]).json["user_id"] == ready["user_id"]
    assert org.request("GET", f"{paths[1]}?oauth_token={ready['access_token']}", token=None).status == 200
    assert org.request("GET", f"/id/{ready['org_id']}/005000000000009AAA").status == 403


@ledger("rest.identity-keys", "observed", "recording auth-identity-2023")
def test_the_identity_has_the_recorded_keys(org: RunningOrg, shared: Path) -> None:
    recorded = json.loads((shared / "recordings" / "auth" / "auth-identity-2023.json").read_text())["response"]["body"]

    found = org.request("GET", f"/id/{org.ready['org_id']}/{org.ready['user_id']}").json

    assert set(recorded) - set(found) == set()
    assert set(recorded["urls"]) - set(found["urls"]) == set()


@ledger("auth.introspect", "observed", "recording auth-introspect")
@ledger("route.POST /services/oauth2/introspect", "observed", "recording auth-introspect")
def test_an_app_sees_its_own_tokens_only(fresh: RunningOrg, shared: Path) -> None:
    text = json.loads((shared / "recordings" / "auth" / "auth-introspect.json").read_text())["response"]["body"]
    recorded = re.findall(r'"(\w+)":', text)  # its values were masked, so it is no JSON any more
    mine = password(fresh).json["access_token"]

    def introspect(client: str, secret: str, asked: str) -> Any:
        form = urlencode({"token": asked, "client_id": client, "client_secret": secret}).encode()
        return fresh.request("POST", "/services/oauth2/introspect", form, token=None, headers=FORM).json

    assert list(introspect("shop", "hush", mine)) == recorded
    assert introspect("other", "quiet", mine) == {"active": False}
    assert introspect("shop", "hush", "no-token") == {"active": False}


# --- keeping others out --------------------------------------------------------------------------------------------


@ledger("auth.revoke", "documented", "auth.md section 5")
@ledger("route.POST /services/oauth2/revoke", "documented", "auth.md section 5")
def test_a_revoked_token_is_dead_and_a_revoked_refresh_token_takes_its_sessions(fresh: RunningOrg) -> None:
    first, second = (password(fresh).json["access_token"] for _ in range(2))

    def revoke(value: str) -> int:
        return fresh.request(
            "POST", "/services/oauth2/revoke", urlencode({"token": value}).encode(), token=None, headers=FORM
        ).status

    assert revoke(first) == 200
    assert [fresh.data("GET", "/limits", token=one).status for one in (first, second)] == [401, 200]
    assert revoke(fresh.ready["refresh_token"]) == 200
    assert fresh.data("GET", "/limits", token=second).status == 401
    again = token(fresh, grant_type="refresh_token", refresh_token=fresh.ready["refresh_token"], client_id="shop")
    assert again.json["error_description"] == "expired access/refresh token"
    assert revoke("nothing") == 400


@ledger("auth.session-timeout", "documented", "auth.md section 7 (2 h unverified)")
def test_a_session_ends_two_hours_after_its_last_use(fresh: RunningOrg) -> None:
    session = password(fresh).json["access_token"]
    clock = fresh.door.server.clock

    for hours, status in ((1.9, 200), (1.9, 200), (2.1, 401)):
        clock.jump(timedelta(hours=hours))
        assert fresh.data("GET", "/limits", token=session).status == status


@ledger("auth.slow-down", "guessed", "a real org locks out after some failures")
def test_guessing_is_slowed_down_and_then_locked_out(fresh: RunningOrg, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    clock = fresh.door.server.clock

    class Watched(Clock):
        """The org's clock, but its sleeps are noted instead of slept."""

        def epoch(self) -> float:
            return clock.epoch()

        async def sleep(self, seconds: float) -> None:
            waits.append(seconds)

    monkeypatch.setattr(fresh.door.server.failures, "_clock", Watched())
    for _ in range(12):
        assert password(fresh, password="guess").status == 400

    assert waits == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 8.0]
    assert password(fresh).json["error_description"] == "authentication failure"
    clock.jump(timedelta(minutes=16))
    assert password(fresh).status == 200


def test_a_new_password_in_the_settings_replaces_the_old_one(home: Path, tmp_path: Path) -> None:
    with RunningOrg(home=home, data=tmp_path / "org", password="first") as org:
        assert password(org).status == 200
    with RunningOrg(home=home, data=tmp_path / "org", password="second") as org:
        assert password(org, password="first").status == 400
        assert password(org).status == 200


def test_no_secret_stands_in_the_data_folder_but_in_the_credentials_file(home: Path, tmp_path: Path) -> None:
    data = tmp_path / "org"
    with RunningOrg(home=home, data=data, password="pass-1a2b", connected_app=("app:secret-3c4d",)) as org:
        session = password(org).json["access_token"]
        ready = dict(org.ready)
    content = {path.name: path.read_bytes() for path in data.rglob("*") if path.is_file()}
    credentials = content.pop("credentials")

    for secret in (ready["password"], ready["client_secret"], ready["refresh_token"], session, ready["access_token"]):
        assert not any(secret.encode() in data for data in content.values())
    assert b"pass-1a2b" in credentials
    assert "server.json" not in content
    assert {(data / name).stat().st_mode & 0o777 for name in ("credentials", "key")} == {0o600}


def test_no_secret_gets_into_the_log(fresh: RunningOrg, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    session = password(fresh).json["access_token"]
    password(fresh, password="wrong-5e6f")
    fresh.data("GET", "/limits", token=session)
    fresh.data("GET", "/limits", token="guess-7a8b")

    assert not any(secret in caplog.text for secret in (session, "right", "hush", "wrong-5e6f", "guess-7a8b"))


@pytest.mark.parametrize("host", ["evil.example.com", "a\tb"])
def test_forwarded_headers_are_believed_from_loopback(org: RunningOrg, host: str) -> None:
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": host}

    found = org.data("GET", "/", headers=headers).json["identity"]

    assert found.startswith("https://")


# --- files ---------------------------------------------------------------------------------------------------------


def test_the_ready_file_is_private_and_complete(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "ready.json"
    with RunningOrg(home=home, ready_file=file) as org:
        found = json.loads(file.read_text())
        mode = file.stat().st_mode & 0o777
        assert found == org.ready

    assert mode == 0o600
    assert set(found) == {
        "url", "pubsub", "pubsub_tls", "mcp", "username", "password", "security_token", "client_id", "client_secret", "access_token",
        "refresh_token", "org_id", "user_id", "ca_file", "pid",
    }  # fmt: skip
    assert found["mcp"] is None
    assert not file.exists()


def test_a_pre_shared_token_is_a_session(home: Path) -> None:
    with RunningOrg(home=home, access_token="00Dci!token") as org:
        assert org.ready["access_token"] == "00Dci!token"
        assert org.data("GET", "/limits").status == 200


def test_certificates_are_made_once_and_renewed_when_old(tmp_path: Path) -> None:
    import os

    clock = Clock()
    first = certificates.ensure(tmp_path / "tls", clock)
    before = first.server.read_bytes()
    assert certificates.ensure(tmp_path / "tls", clock).server.read_bytes() == before
    old = clock.epoch() - 380 * 86400
    os.utime(first.server, (old, old))

    assert certificates.ensure(tmp_path / "tls", clock).server.read_bytes() != before
    assert (tmp_path / "tls" / "ca-key.pem").stat().st_mode & 0o777 == 0o600
    assert first.server.stat().st_mode & 0o777 == 0o600
