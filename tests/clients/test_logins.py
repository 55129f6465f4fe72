"""Published clients log in, each in the ways it knows; those fixed to Salesforce's hosts under `landbridge exec`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.support.browser import Browser
from tests.support.running import RunningOrg

pytestmark = pytest.mark.client
ledger = pytest.mark.ledger
USERNAME, CALLBACK = "ops@acme.example.com", "http://localhost/callback"


@pytest.fixture(scope="module")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A private key; the public one stands beside it as `.pub`."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    file = tmp_path_factory.mktemp("key") / "server.key"
    pem, none = serialization.Encoding.PEM, serialization.NoEncryption()
    file.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, none))
    file.with_suffix(".pub").write_bytes(
        key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return file


@pytest.fixture(scope="module")
def acme(home: Path, key_file: Path) -> Iterator[RunningOrg]:
    with RunningOrg(
        home=home, username=USERNAME, password="pa55", security_token="T0k", connected_app=("shop:hush",),
        jwt_certificate=key_file.with_suffix(".pub"),
    ) as running:  # fmt: skip
        yield running


# --- simple-salesforce, whose logins know *.salesforce.com alone ---------------------------------------------------

WAYS = {
    "soap": 'Salesforce(username=USER, password="pa55", security_token="T0k")',
    "soap-sandbox": 'Salesforce(username=USER, password="pa55", security_token="T0k", domain="test")',
    "password": 'Salesforce(username=USER, password="pa55", consumer_key="shop", consumer_secret="hush")',
    "client-credentials": 'Salesforce(consumer_key="shop", consumer_secret="hush", domain="acme.my")',
    "jwt": 'Salesforce(username=USER, consumer_key="shop", privatekey_file=KEY)',
}


@ledger("auth.simple-salesforce", "observed", "simple-salesforce 1.12: its login flows")
@pytest.mark.parametrize("way", WAYS)
def test_simple_salesforce_logs_in(acme: RunningOrg, home: Path, key_file: Path, way: str) -> None:
    script = (
        f"from simple_salesforce import Salesforce\nUSER, KEY = {USERNAME!r}, {str(key_file)!r}\nsf = {WAYS[way]}\n"
        "print(sf.query('SELECT Id FROM Organization')['records'][0]['Id'], sf.sf_instance)"
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LANDBRIDGE_")}

    done = subprocess.run(
        [sys.executable, "-m", "landbridge", "exec", "--org", acme.ready["url"], "--only-org", "--",
         sys.executable, "-c", script],
        env={**kept, "LANDBRIDGE_HOME": str(home)}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split()[0] == acme.ready["org_id"]
    assert done.stdout.split()[1].endswith(".salesforce.com")


# --- jsforce -------------------------------------------------------------------------------------------------------


@ledger("auth.code-pkce", "documented", "auth.md section 2; RFC 7636")
@ledger("auth.code-pkce-jsforce", "observed", "jsforce 3: code_challenge without a method")
def test_jsforce_exchanges_a_code_with_pkce_and_refreshes(
    acme: RunningOrg, jsforce_of: Callable[[Any, str], Any]
) -> None:
    oauth2 = (
        f"{{loginUrl: org.url, clientId: 'shop', clientSecret: 'hush', redirectUri: {CALLBACK!r}, useVerifier: true}}"
    )
    asked = jsforce_of(
        acme, f"const o = new jsforce.OAuth2({oauth2}); return {{url: o.getAuthorizationUrl({{}}), v: o.codeVerifier}};"
    )
    browser = Browser(acme)
    browser.get(urlsplit(asked["url"]).path + "?" + urlsplit(asked["url"]).query)
    browser.log_in(USERNAME, "pa55")
    location = browser.allow().headers["location"]
    code = location.partition("code=")[2].partition("&")[0]

    found = jsforce_of(
        acme,
        f"const o = new jsforce.OAuth2({oauth2}); o.codeVerifier = {asked['v']!r};"
        "const c = new jsforce.Connection({oauth2: o, version: '66.0'});"
        f"const u = await c.authorize({code!r});"
        "const first = (await c.query('SELECT Id FROM Organization')).totalSize;"
        "c.accessToken = '00Dxx0000000000!gone';"
        "return {user: u.id, first, again: (await c.query('SELECT Id FROM Organization')).totalSize};",
    )

    assert "code_challenge_method" not in asked["url"]
    assert found == {"user": acme.ready["user_id"], "first": 1, "again": 1}


@ledger("auth.revoke-error-form", "observed", "auth.md section 5: jsforce reads a form")
def test_jsforce_hears_why_a_token_is_not_revoked(acme: RunningOrg, jsforce_of: Callable[[Any, str], Any]) -> None:
    found = jsforce_of(
        acme,
        "const o = new jsforce.OAuth2({loginUrl: org.url, clientId: 'shop', clientSecret: 'hush'});"
        "const e = await failed(() => o.revokeToken('nothing')); return {name: e.name, text: e.message};",
    )

    assert found == {"name": "invalid_token", "text": "this token is invalid, expired or revoked"}


# --- OpenID Connect ------------------------------------------------------------------------------------------------


@ledger("auth.openid-client", "documented", "OpenID Connect Core and Discovery, checked by Authlib")
def test_authlib_discovers_logs_in_and_verifies_the_id_token(acme: RunningOrg) -> None:
    from authlib.integrations.requests_client import OAuth2Session
    from authlib.oidc.core import CodeIDToken
    from joserfc import jwk, jwt

    base = f"http://127.0.0.1:{acme.port}"
    found = requests.get(f"{base}/.well-known/openid-configuration", timeout=30).json()
    client = OAuth2Session(
        "shop", "hush", scope="openid profile api refresh_token", redirect_uri=CALLBACK, code_challenge_method="S256",
        token_endpoint_auth_method="client_secret_basic",
    )  # fmt: skip
    verifier = "v" * 60
    url, state = client.create_authorization_url(found["authorization_endpoint"], code_verifier=verifier, nonce="n-42")
    browser = Browser(acme)
    browser.get(urlsplit(url).path + "?" + urlsplit(url).query)
    browser.log_in(USERNAME, "pa55")
    location = browser.allow().headers["location"]

    os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"
    try:
        token = client.fetch_token(
            found["token_endpoint"], authorization_response=location, state=state, code_verifier=verifier
        )
    finally:
        del os.environ["AUTHLIB_INSECURE_TRANSPORT"]
    keys = jwk.KeySet.import_key_set(requests.get(found["jwks_uri"], timeout=30).json())
    signed = jwt.decode(token["id_token"], keys, algorithms=["RS256"])
    claims = CodeIDToken(
        signed.claims, signed.header,
        {"iss": {"essential": True, "value": found["issuer"]}, "aud": {"essential": True, "value": "shop"}},
        {"nonce": "n-42", "client_id": "shop", "access_token": token["access_token"]},
    )  # fmt: skip
    claims.validate()
    person = requests.get(
        found["userinfo_endpoint"], headers={"Authorization": f"Bearer {token['access_token']}"}, timeout=30
    ).json()

    assert claims["sub"] == person["sub"]
    assert person["preferred_username"] == USERNAME
