"""How a callout shows who it is: against servers that check it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from landbridge.callouts import Kind, Outcome, Sent, request
from tests.callouts.conftest import Org, Tls
from tests.support.outside import Answer, answer, outside
from tests.support.running import RunningOrg
from tests.support.tokens import TokenServer, key_pair, verify

SECRET = "s3cret/with+odd=chars&more"


async def send(org: Org, path: str = "/x", name: str = "ERP", **given: Any) -> Outcome:
    return await org.callouts.send(request(name, "GET", path, **given), org.callouts.run())


async def test_basic(org: Org) -> None:
    async with outside() as erp:
        await org.credential("ERP", erp.url, {"password": "pä:ss"}, auth="basic", username="joe")
        await send(org)

    import base64

    assert base64.b64decode(erp.got[0].headers["authorization"][6:]).decode() == "joe:pä:ss"


async def test_bearer_and_headers_of_its_own(org: Org) -> None:
    async with outside() as erp:
        await org.credential("ERP", erp.url, {"token": SECRET}, auth="bearer", headers=[["X-Tenant", "42"]])
        await send(org)

    assert erp.got[0].headers["authorization"] == f"Bearer {SECRET}"
    assert erp.got[0].headers["x-tenant"] == "42"


async def test_an_api_key_in_a_header_or_in_the_query(org: Org) -> None:
    async with outside() as erp:
        await org.credential("ERP", erp.url, {"key": SECRET}, auth="api-key-header", key_name="X-Shop")
        await send(org)
        await org.credential("Other", erp.url, {"key": SECRET}, auth="api-key-query", key_name="shop")
        await send(org, "/x?a=1", "Other")

    assert erp.got[0].headers["x-shop"] == SECRET
    assert erp.got[1].query == {"a": "1", "shop": SECRET}
    assert [row["Url__c"] for row in await org.log()] == [f"{erp.url}/x", f"{erp.url}/x?a=1&shop=*****"]


async def test_headers_made_of_secrets(org: Org) -> None:
    async with outside() as erp:
        await org.credential("ERP", erp.url, {"Key": "abc-123", "Zone": "eu-zone"}, auth="custom",
                             headers=[["Authorization", "Shop {!Key}; zone={!Zone}"]])  # fmt: skip
        await send(org)

    assert erp.got[0].headers["authorization"] == "Shop abc-123; zone=eu-zone"


# --- OAuth 2 -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("in_body", [False, True])
async def test_client_credentials_get_a_token_once_and_use_it(org: Org, in_body: bool) -> None:
    server = TokenServer("my:client", SECRET, org.server.clock.epoch)
    async with outside(server) as erp:
        await org.credential("ERP", erp.url, {"client_secret": SECRET}, auth="oauth", token_url=f"{erp.url}/token",
                             client_id="my:client", scope="a b", client_in_body=in_body,
                             headers=[["X-Greeting", "hi"]])  # fmt: skip
        outcomes = await asyncio.gather(*(send(org) for _ in range(5)))

    assert [outcome.status for outcome in outcomes] == [200] * 5
    assert len(server.requests) == 1, "callers that come together wait for one token"
    assert server.requests[0]["scope"] == "a b"
    assert "x-greeting" not in erp.got[0].headers, "the credential's own headers are not for the token server"
    rows = await org.log()
    assert sorted(row["Url__c"] for row in rows) == [f"{erp.url}/token"] + [f"{erp.url}/x"] * 5


async def test_a_token_that_was_refused_is_replaced_once(org: Org) -> None:
    server = TokenServer("c", SECRET, org.server.clock.epoch)
    async with outside(server) as erp:
        await org.credential("ERP", erp.url, {"client_secret": SECRET}, auth="oauth", token_url=f"{erp.url}/token",
                             client_id="c")  # fmt: skip
        first = await send(org)
        server.revoke()
        second = await send(org)

    assert (first.status, second.status) == (200, 200)
    assert [got.path for got in erp.got] == ["/token", "/x", "/x", "/token", "/x"]
    assert [row["StatusCode__c"] for row in await org.log()] == [200, 200, 401, 200, 200]


async def test_a_new_token_that_is_refused_is_not_asked_for_again(org: Org) -> None:
    server = TokenServer("c", SECRET, org.server.clock.epoch)

    def never(got: Any) -> Answer:
        return server(got) if got.path == "/token" else answer({}, 401)

    async with outside(never) as erp:
        await org.credential("ERP", erp.url, {"client_secret": SECRET}, auth="oauth", token_url=f"{erp.url}/token",
                             client_id="c")  # fmt: skip
        first = await send(org)
        second = await send(org)

    assert (first.status, second.status) == (401, 401)
    assert [got.path for got in erp.got] == ["/token", "/x", "/x", "/token", "/x"]


async def test_a_token_is_renewed_before_it_ends_by_the_orgs_clock(org: Org) -> None:
    server = TokenServer("c", SECRET, org.server.clock.epoch)
    server.lasts = 300.0
    async with outside(server) as erp:
        await org.credential("ERP", erp.url, {"client_secret": SECRET}, auth="oauth", token_url=f"{erp.url}/token",
                             client_id="c")  # fmt: skip
        await send(org)
        org.server.clock.jump(timedelta(seconds=260))
        await send(org)
        org.server.clock.jump(timedelta(seconds=20))
        last = await send(org)

    assert [got.path for got in erp.got] == ["/token", "/x", "/x", "/token", "/x"]
    assert last.status == 200


@pytest.mark.parametrize(
    ("broken", "error"),
    [
        (answer({"error": "invalid_client", "error_description": f"{SECRET}"}, 401), "401 (invalid_client)"),
        (answer({"error": f"<b>{SECRET}"}, 400), "400"),
        (Answer(200, b"<html>"), "200"),
        (answer({"access_token": "a\r\nb"}), "200"),
        (Answer(raw=b""), "the connection was lost: connection closed before message completed"),
    ],
)
async def test_without_a_token_nothing_is_sent_and_the_error_tells_no_secret(
    org: Org, broken: Answer, error: str
) -> None:
    server = TokenServer("c", SECRET, org.server.clock.epoch)
    server.broken = broken
    async with outside(server) as erp:
        await org.credential("ERP", erp.url, {"client_secret": SECRET}, auth="oauth", token_url=f"{erp.url}/token",
                             client_id="c")  # fmt: skip
        outcome = await send(org)

    assert (outcome.kind, outcome.sent, outcome.status) == (Kind.AUTH, Sent.NO, 0)
    assert outcome.error in (f"the token server answered {error}", f"the token server: {error}")
    assert [got.path for got in erp.got] == ["/token"]


async def test_a_callout_to_another_org_of_ours_by_its_own_oauth(org: Org, home: Path) -> None:
    with RunningOrg(home=home) as other:
        url = f"http://127.0.0.1:{other.port}"
        await org.credential("Other", f"{url}/services/data/v67.0", {"client_secret": other.ready["client_secret"]},
                             auth="oauth", token_url=f"{url}/services/oauth2/token",
                             client_id=other.ready["client_id"], client_in_body=True)  # fmt: skip
        outcome = await send(org, "/query", "Other", query={"q": "SELECT Id, Name FROM Organization"})

    assert outcome.json()["totalSize"] == 1


# --- JWT -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
async def test_a_jwt_is_exchanged_for_a_token(org: Org, algorithm: str) -> None:
    pem, public = key_pair(algorithm)
    server = TokenServer("issuer", "", org.server.clock.epoch, public)
    async with outside(server) as erp:
        await org.credential("ERP", erp.url, {"private_key": pem}, auth="jwt", token_url=f"{erp.url}/token",
                             issuer="issuer", subject="user@x", audience="https://erp", algorithm=algorithm)  # fmt: skip
        outcome = await send(org)

    assert outcome.status == 200
    [claims] = server.assertions
    assert (claims["sub"], claims["aud"]) == ("user@x", "https://erp")
    assert claims["exp"] - claims["iat"] == 300


async def test_a_jwt_of_its_own_is_the_bearer_token(org: Org) -> None:
    pem, public = key_pair("ES256")
    async with outside() as erp:
        await org.credential("ERP", erp.url, {"private_key": pem}, auth="jwt", issuer="me", algorithm="ES256")
        await send(org)
        await send(org)

    tokens = [got.headers["authorization"].removeprefix("Bearer ") for got in erp.got]
    claims = verify(tokens[0], public)
    assert claims is not None
    assert claims["iss"] == claims["sub"] == "me"
    assert tokens[0] == tokens[1]


@pytest.mark.parametrize(
    ("pem", "problem"), [("no key", "no PEM private key"), (key_pair("ES256")[0], "does not fit RS256")]
)
async def test_a_key_that_does_not_fit_is_told_without_showing_it(org: Org, pem: str, problem: str) -> None:
    async with outside() as erp:
        await org.credential("ERP", erp.url, {"private_key": pem}, auth="jwt", issuer="me")
        outcome = await send(org)

    assert (outcome.kind, erp.got) == (Kind.AUTH, [])
    assert problem in outcome.error


# --- TLS -----------------------------------------------------------------------------------------------------------


async def test_mutual_tls_shows_the_client_certificate(org: Org, tls: Tls) -> None:
    certificate, key = tls.pair("landbridge-client")
    async with outside(context=tls.server(clients=True)) as erp:
        await org.credential("ERP", erp.url, {"client_key": key}, auth="mutual-tls", client_certificate=certificate,
                             ca=tls.ca_pem)  # fmt: skip
        outcome = await send(org)

    assert outcome.status == 200
    assert erp.got[0].certificate is not None
    assert erp.got[0].certificate["subject"] == ((("commonName", "landbridge-client"),),)


async def test_without_a_client_certificate_such_a_server_takes_nothing(org: Org, tls: Tls, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    stranger = Tls(other)
    certificate, key = stranger.pair("landbridge-client")
    async with outside(context=tls.server(clients=True)) as erp:
        await org.credential("ERP", erp.url, ca=tls.ca_pem)
        without = await send(org)
        await org.credential("ERP", erp.url, {"client_key": key}, auth="mutual-tls", client_certificate=certificate,
                             ca=tls.ca_pem)  # fmt: skip
        strange = await send(org)

    assert without.kind in (Kind.CONNECT, Kind.LOST)
    assert strange.kind in (Kind.CONNECT, Kind.LOST)
    assert erp.got == []


async def test_a_certificate_for_another_name_is_not_trusted(org: Org, tls: Tls) -> None:
    async with outside(context=tls.server()) as erp:
        await org.credential("ERP", erp.url.replace("127.0.0.1", "127.0.0.2"), ca=tls.ca_pem)
        outcome = await send(org)

    assert (outcome.kind, erp.got) == (Kind.CONNECT, [])
