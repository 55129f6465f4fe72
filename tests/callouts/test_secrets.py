"""No secret in the journal, an outcome, an error, a log line or the database file."""

from __future__ import annotations

import base64
import logging
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landbridge import Settings
from landbridge.auth.seal import Seal
from landbridge.callouts import mask, request
from landbridge.chance import Chance
from landbridge.errors import LandbridgeError
from landbridge.server import Server
from landbridge.storage import Unit
from tests.callouts.conftest import Org
from tests.support.outside import Answer, Got, answer, outside
from tests.support.tokens import TokenServer, key_pair

PASSWORD, TOKEN, KEY, CLIENT = "pa55/w0rd+x&y=z", "t0ken~abcdef123456", "k3y with spaces!", "cl1ent-s3cret/++=="
SECRETS = [PASSWORD, TOKEN, KEY, CLIENT]
FORMS = [form for s in SECRETS for form in (s, quote(s, safe=""), quote_plus(s), base64.b64encode(s.encode()).decode())] + [
    base64.b64encode(f"joe:{PASSWORD}".encode()).decode(), "issued-token-1", "issued-token-2",
]  # fmt: skip


def echo(got: Got) -> Answer:
    """Answers everything it was sent, in every place."""
    everything = {"headers": got.headers, "target": got.target, "body": got.body.decode(), "password": "other-pass"}
    return answer(everything, 500, X_Echo=got.headers.get("authorization", ""), Set_Cookie="sid=c00kie-value")


async def test_no_secret_is_written_down_anywhere(tmp_path: Path, home: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    server = await Server.open(Settings(data=tmp_path / "org", home=home))
    org = Org(server)
    tokens = TokenServer("client", CLIENT, server.clock.epoch)
    pem, _ = key_pair("ES256")
    told: list[str] = []
    own = {"Basic": PASSWORD, "Bearer": TOKEN, "Query": KEY, "Header": KEY, "Custom": TOKEN, "Jwt": pem.splitlines()[1]}
    async with outside(echo) as erp, outside(lambda got: tokens(got) if got.path == "/token" else echo(got)) as oauth:
        await org.credential("Basic", erp.url, {"password": PASSWORD}, auth="basic", username="joe")
        await org.credential("Bearer", erp.url, {"token": TOKEN}, auth="bearer")
        await org.credential("Query", erp.url, {"key": KEY}, auth="api-key-query", key_name="shop")
        await org.credential("Header", erp.url, {"key": KEY}, auth="api-key-header", key_name="X-Shop")
        await org.credential("Custom", erp.url, {"Part": TOKEN}, auth="custom", headers=[["X-Odd", "v1 {!Part}"]])
        await org.credential("Jwt", erp.url, {"private_key": pem}, auth="jwt", issuer="me", algorithm="ES256")
        for in_body in (False, True):
            await org.credential("OAuth", oauth.url, {"client_secret": CLIENT}, auth="oauth", client_id="client",
                                 token_url=f"{oauth.url}/token", client_in_body=in_body)  # fmt: skip
            await org.callouts.send(request("OAuth", "POST", "/x", json={"n": 1}), org.callouts.run())
        for name in ("Basic", "Bearer", "Query", "Header", "Custom", "Jwt"):
            outcome = await org.callouts.send(
                request(
                    name,
                    "POST",
                    "/x",
                    json={"password": PASSWORD, "note": f"token {own[name]}"},
                    query={"token": TOKEN},
                ),
                org.callouts.run(),
            )
            told += [outcome.url, outcome.error, str(outcome), repr(outcome), outcome.shown]
        await org.credential("Gone", "http://127.0.0.1:9", {"key": KEY}, auth="api-key-query", key_name="shop")
        outcome = await org.callouts.send(request("Gone", "GET", "/"), org.callouts.run())
        told += [outcome.url, outcome.error, str(outcome), repr(org.callouts.store.all()), repr(server.settings)]
        rows = await org.log()
    named = server.db.read_now(lambda reader: reader.all('SELECT * FROM "NamedCredential"'))
    await server.close()

    assert len(rows) >= 9
    jwt = next(got.headers["authorization"] for got in erp.got if " eyJ" in got.headers.get("authorization", ""))[7:]
    places = {
        "journal": repr(rows), "told": "\n".join(told), "log": caplog.text, "NamedCredential": repr(named),
        "database": "".join(
            file.read_bytes().decode("latin-1") for file in (tmp_path / "org").glob("org.sqlite*")
        ),
    }  # fmt: skip
    for place, text in places.items():
        for form in [*FORMS, jwt, jwt[:100], "c00kie-value", "other-pass", pem.splitlines()[1]]:
            assert form not in text, f"{form!r} stands in the {place}"
    assert "*****" in places["journal"]
    assert "joe" not in places["NamedCredential"]


# --- masks, pure ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "masked"),
    [
        ('{"password":"x y","n":1}', '{"password":"*****","n":1}'),
        ('{"a":{"access_token" : "a\\"b"}}', '{"a":{"access_token" : "*****"}}'),
        ('{"client_secret":"cut off', '{"client_secret":"*****"'),
        ('{"api_key":12345}', '{"api_key":"*****"}'),
        ("grant_type=x&client_secret=a%20b&scope=c", "grant_type=x&client_secret=*****&scope=c"),
        ("password=p", "password=*****"),
        ('{"text":"{\\"password\\":\\"x\\"}"}', '{"text":"{\\"password\\":\\"*****\\"}"}'),
        ('{"url":"/x?a=1&token=t"}', '{"url":"/x?a=1&token=*****"}'),
        ("<a><password>p</password></a>", "<a><password>*****</password></a>"),
        ('<urn:sessionId xsi:type="x">s</urn:sessionId>', '<urn:sessionId xsi:type="x">*****</urn:sessionId>'),
        ('{"token_type":"Bearer","expires_in":1}', '{"token_type":"Bearer","expires_in":1}'),
        ('{"keyboard":"us","author":"me","tokenless":0}', None),
        ('{"monkey":"x","compass":"north"}', '{"monkey":"x","compass":"north"}'),
    ],
)
def test_bodies_lose_the_values_of_secret_members(body: str, masked: str | None) -> None:
    if masked is not None:
        assert mask.body(body) == masked
    else:
        assert "us" in mask.body(body)


@pytest.mark.parametrize(
    "piece", ["\\", '"', "<key ", '"key', "key", '\\"key\\"', "&key=", "<key>", '"key"  ', ":", "a"]
)
def test_no_body_keeps_the_masks_busy(piece: str) -> None:
    """Each of these took a second or more with patterns that look back without bound; the run's own time would tell."""
    assert mask.body("key" + piece * (60_000 // len(piece)))


@pytest.mark.parametrize(
    "name", ["Authorization", "X-API-Key", "Cookie", "Set-Cookie", "apikey", "X-Auth-Token", "sig", "code"]
)
def test_names_of_secrets(name: str) -> None:
    assert mask.is_secret(name)


@pytest.mark.parametrize(
    "name", ["Content-Type", "Idempotency-Key", "X-Monkey", "WWW-Authenticate", "keyboard", "token_type"]
)
def test_names_of_none(name: str) -> None:
    assert not mask.is_secret(name)


@given(st.text(min_size=4, max_size=30), st.text(max_size=20), st.text(max_size=20))
def test_a_secret_never_stands_in_what_was_hidden(secret: str, before: str, after: str) -> None:
    hidden = mask.Secrets([secret]).hide(before + secret + after)

    if secret not in before + mask.HIDDEN + after and secret not in mask.HIDDEN:
        assert secret not in hidden or secret in (before + mask.HIDDEN + after)


async def test_secrets_in_the_urls_of_headers_are_hidden_by_name(org: Org) -> None:
    async with outside(lambda got: answer({}, 201, Location="https://x/cb?access_token=fresh-one&a=1")) as erp:
        await org.credential("ERP", erp.url)
        await org.callouts.send(
            request("ERP", "POST", "/", headers={"Referer": "https://y/?token=old-one"}), org.callouts.run()
        )

    [row] = await org.log()
    assert "access_token=*****&a=1" in row["ResponseHeaders__c"]
    assert "token=*****" in row["RequestHeaders__c"]


@pytest.mark.parametrize(
    "word",
    ["passw", "passphrase", "pwd", "secret", "token", "api_key", "apikey", "access-key", "private_key", "authorization", "credential",
     "cookie", "sessionId", "signature", "assertion", "otp", "x-amz-security-token"],
)  # fmt: skip
def test_the_quick_look_at_a_body_overlooks_no_secret_name(word: str) -> None:
    """Every word of `mask._WORDS`, alone: nothing else in the body makes the masks look closer."""
    assert mask.body(f'{{"{word.upper()}":"hide me"}}') == f'{{"{word.upper()}":"*****"}}'


async def test_a_secret_is_found_in_whichever_part_of_a_callout_it_stands(org: Org) -> None:
    """The parts are searched together: each place alone, with nothing else to find."""
    secret = "s3cr3t-v4lue"
    async with outside(
        lambda got: answer({"echo": got.body.decode()}, 201, X_Plain=got.headers.get("x-back", "none"))
    ) as erp:
        await org.credential("ERP", erp.url, {"token": secret}, auth="bearer")
        run = org.callouts.run()
        for given in (
            {"data": secret}, {"data": b"\xff" + secret.encode()}, {"headers": {"X-Back": secret}}, {"data": "x" * 5000 + secret},
            {"data": "x" * 4090 + secret}, {"headers": {"X-Long": "y" * 9000, "X-Back": secret}},
        ):  # fmt: skip
            await org.callouts.send(request("ERP", "POST", f"/in/{secret}", **given), run)

    rows = await org.log()
    assert len(rows) == 6
    assert secret[:8] not in str(rows)
    assert all(row["Url__c"].endswith("/in/*****") for row in rows)


def test_a_secret_across_the_edge_of_what_is_kept_is_hidden() -> None:
    from landbridge.callouts.entry import kept_body

    hide = mask.Secrets(["the-secret-value"]).hide
    for edge in range(10, 40):
        kept = kept_body(b"x" * 20 + b"the-secret-value" + b"y" * 20, edge, hide)
        assert kept is not None
        assert "the-sec" not in kept


@pytest.mark.parametrize(
    ("data", "kept"),
    [
        (None, None),
        (b"", None),
        (b"abc", "abc"),
        ("ä".encode() * 3, "äää"),
        (b"\x00\x01", "(2 bytes that are no text)"),
        (b"\xff\xfe\xfd" * 10, "(30 bytes that are no text)"),
        (b"abcdefghij" * 2, "abcdefghij… (20 bytes in all)"),
    ],
)
def test_what_is_kept_of_a_body(data: bytes | None, kept: str | None) -> None:
    from landbridge.callouts.entry import kept_body

    assert kept_body(data, 10, lambda text: text) == kept


# --- the seal ------------------------------------------------------------------------------------------------------


def test_a_key_from_the_settings_leaves_no_file(tmp_path: Path) -> None:
    key = base64.b64encode(b"k" * 32).decode()
    sealed = Seal(tmp_path, Chance(), key).close("secret")

    assert Seal(tmp_path, Chance(), key).open(sealed) == "secret"
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(LandbridgeError, match="seal_key"):
        Seal(tmp_path, Chance(), base64.b64encode(b"x" * 32).decode()).open(sealed)
    for bad in ("", "short", "!" * 44):
        with pytest.raises(LandbridgeError, match="no key of Landbridge"):
            Seal(tmp_path, Chance(), bad).close("secret")


async def test_a_secret_written_into_a_header_is_sealed_all_the_same(tmp_path: Path, home: Path) -> None:
    server = await Server.open(Settings(data=tmp_path / "org", home=home))
    org = Org(server)
    source: dict[str, Any] = {"name": "FromSource", "headers": [["X-Api-Key", "literal-of-source"]]}
    async with outside() as erp:
        await org.credential(
            "ERP", erp.url, headers=[["Authorization", "Bearer literal-by-hand"], ["X-Plain", "shown"]]
        )
        await server.db.write(
            lambda tx: org.callouts.store.take_source(tx, [{**source, "url": erp.url}], server.org.admin_id),
            Unit("test"),
        )
        for name in ("ERP", "FromSource"):
            await org.callouts.send(request(name, "GET", "/"), org.callouts.run())
        rows = await org.log()
    shown = repr(org.callouts.store.all())
    await server.close()

    assert erp.got[0].headers["authorization"] == "Bearer literal-by-hand"
    assert erp.got[1].headers["x-api-key"] == "literal-of-source"
    database = b"".join(file.read_bytes() for file in (tmp_path / "org").glob("org.sqlite*"))
    for literal in ("literal-by-hand", "literal-of-source"):
        assert literal not in shown + repr(rows)
        assert literal.encode() not in database
    assert "shown" in shown


async def test_with_another_key_the_secrets_stay_closed_and_the_error_says_so(tmp_path: Path, home: Path) -> None:
    settings: dict[str, Any] = {"data": tmp_path / "org", "home": home}
    server = await Server.open(Settings(**settings))
    await Org(server).credential("ERP", "http://127.0.0.1:9", {"token": TOKEN}, auth="bearer")
    await server.close()
    (tmp_path / "org" / "key").write_bytes(base64.b64encode(b"x" * 32))

    server = await Server.open(Settings(**settings))
    try:
        with pytest.raises(LandbridgeError, match="restore the key"):
            await server.callouts.send(request("ERP", "GET", "/"), server.callouts.run())
    finally:
        await server.close()


async def test_credentials_survive_a_restart_and_their_key_is_private(tmp_path: Path, home: Path) -> None:
    settings: dict[str, Any] = {"data": tmp_path / "org", "home": home}
    server = await Server.open(Settings(**settings))
    async with outside() as erp:
        await Org(server).credential("ERP", erp.url, {"token": TOKEN}, auth="bearer")
        await server.close()
        server = await Server.open(Settings(**settings))
        outcome = await server.callouts.send(request("erp", "GET", "/"), server.callouts.run())
        await server.close()

    assert outcome.ok
    assert erp.got[0].headers["authorization"] == f"Bearer {TOKEN}"
    assert (tmp_path / "org" / "key").stat().st_mode & 0o777 == 0o600
