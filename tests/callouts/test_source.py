"""Named credentials from sfdx source: both forms, what is understood of them and what is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from landbridge import Settings
from landbridge.callouts import InvalidCredential, request
from landbridge.errors import LandbridgeError
from landbridge.schema import Catalog, standard
from landbridge.schema.source import Severity, read
from landbridge.server import Server
from landbridge.storage import Unit
from tests.callouts.conftest import Org
from tests.support.outside import outside

ledger = pytest.mark.ledger
NS = 'xmlns="http://soap.sforce.com/2006/04/metadata"'


def parameter(kind: str, name: str = "", value: str = "", **more: str) -> str:
    inner = {"parameterType": kind, "parameterName": name, "parameterValue": value, **more}
    return "".join(f"<{key}>{text}</{key}>" for key, text in inner.items() if text)


def named(*parameters: str, extra: str = "") -> str:
    body = "".join(f"<namedCredentialParameters>{one}</namedCredentialParameters>" for one in parameters)
    return f"<NamedCredential {NS}><label>L</label><namedCredentialType>SecuredEndpoint</namedCredentialType>{extra}{body}</NamedCredential>"


def external(protocol: str, *parameters: str) -> str:
    body = "".join(f"<externalCredentialParameters>{one}</externalCredentialParameters>" for one in parameters)
    return f"<ExternalCredential {NS}><authenticationProtocol>{protocol}</authenticationProtocol><label>E</label>{body}</ExternalCredential>"


def legacy(**fields: str) -> str:
    inner = "".join(f"<{name}>{value}</{name}>" for name, value in fields.items())
    return f"<NamedCredential {NS}><label>L</label>{inner}</NamedCredential>"


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        kind = "namedCredential" if "<NamedCredential" in text else "externalCredential"
        (folder / f"{kind}s").mkdir(parents=True, exist_ok=True)
        (folder / f"{kind}s" / f"{name}.{kind}-meta.xml").write_text(text)
    return folder


URL, USES = (
    parameter("Url", "Url", "https://x.example.com/v1"),
    parameter("Authentication", "A", externalCredential="Ext"),
)
X = "https://x.example.com/v1"
CASES: list[tuple[str, dict[str, str], dict[str, Any]]] = [
    ("no authentication", {"N": legacy(endpoint=X, principalType="Anonymous", protocol="NoAuthentication")}, {}),
    ("switched off", {"N": legacy(endpoint=X, calloutStatus="Disabled")}, {"enabled": False}),
    ("password", {"N": legacy(endpoint=X, principalType="NamedUser", protocol="Password", username="joe")},
     {"auth": "basic", "username": "joe"}),
    ("jwt", {"N": legacy(endpoint=X, protocol="Jwt", jwtIssuer="i", jwtAudience="a", jwtTextSubject="s",
                         jwtValidityPeriodSeconds="60")},
     {"auth": "jwt", "issuer": "i", "audience": "a", "subject": "s", "token_lifetime": 60.0}),
    ("jwt exchange", {"N": legacy(endpoint=X, protocol="JwtExchange", jwtIssuer="i", authTokenEndpointUrl="https://t/t")},
     {"auth": "jwt", "issuer": "i", "token_url": "https://t/t"}),
    ("secured", {"N": named(URL, parameter("HttpHeader", "X-Tenant", "42"), parameter("HttpHeader", "Accept", "{!'text/plain'}"))},
     {"headers": [["Accept", "text/plain"], ["X-Tenant", "42"]]}),
    ("custom", {"N": named(URL, USES), "Ext": external("Custom", parameter("NamedPrincipal", "P"), parameter(
        "AuthHeader", "Authorization", "{!'Bearer ' &amp; $Credential.Ext.ApiKey}", sequenceNumber="1"))},
     {"auth": "custom", "headers": [["Authorization", "Bearer {!ApiKey}"]]}),
    ("custom, mixed text", {"N": named(URL, USES), "Ext": external("Custom", parameter(
        "AuthHeader", "Authorization", "Token {!$Credential.Ext.Key}; v=1"))},
     {"auth": "custom", "headers": [["Authorization", "Token {!Key}; v=1"]]}),
    ("client credentials", {"N": named(URL, USES), "Ext": external("Oauth", parameter(
        "AuthProtocolVariant", "Oauth", "ClientCredentialsClientSecretBasic"), parameter("AuthProviderUrl", "T", "https://t/t"),
        parameter("AuthParameter", "Scope", "a b"))},
     {"auth": "oauth", "token_url": "https://t/t", "scope": "a b"}),
    ("client credentials in the body", {"N": named(URL, USES), "Ext": external("Oauth", parameter(
        "AuthProtocolVariant", "Oauth", "ClientCredentialsClientSecret"), parameter("AuthProviderUrl", "T", "https://t/t"))},
     {"auth": "oauth", "token_url": "https://t/t", "client_in_body": True}),
    ("jwt bearer", {"N": named(URL, USES), "Ext": external("Oauth", parameter("AuthProtocolVariant", "Oauth", "JwtBearer"),
        parameter("AuthProviderUrl", "T", "https://t/t"), parameter("JwtBodyClaim", "iss", "'me'"),
        parameter("JwtBodyClaim", "sub", "{!'you'}"), parameter("JwtBodyClaim", "aud", "them"))},
     {"auth": "jwt", "token_url": "https://t/t", "issuer": "me", "subject": "you", "audience": "them"}),
    ("basic", {"N": named(URL, USES), "Ext": external("Basic", parameter("NamedPrincipal", "P"))}, {"auth": "basic"}),
    ("its author writes the header", {"N": named(URL, USES, extra="<generateAuthorizationHeader>false</generateAuthorizationHeader>"),
                                      "Ext": external("Basic")}, {}),
]  # fmt: skip


@ledger("callouts.source", "documented", "Metadata API Developer Guide, NamedCredential and ExternalCredential")
@pytest.mark.parametrize(("files", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_named_credential_of_source(tmp_path: Path, files: dict[str, str], expected: dict[str, Any]) -> None:
    source = read([write(tmp_path, files)], Catalog(standard.load()))

    [found] = source.credentials
    assert {k: v for k, v in found.items() if v not in ("", None)} == {"name": "N", "url": X, "label": "L", **expected}
    assert [endpoint.url for endpoint in source.endpoints] == [X]
    assert not [one for one in source.findings if one.severity in (Severity.REFUSED, Severity.ERROR)]


REFUSED = [
    ({"N": legacy(endpoint=X, protocol="AwsSv4")}, "protocol AwsSv4 is not supported"),
    ({"N": legacy(protocol="NoAuthentication")}, "it has no URL"),
    ({"N": named(URL, USES)}, "external credential Ext is not in this source"),
    ({"N": named(URL, USES), "Ext": external("AwsSv4")}, "authentication AwsSv4 is not supported"),
    (
        {
            "N": named(URL, USES),
            "Ext": external("Oauth", parameter("AuthProtocolVariant", "O", "ClientCredentialsJwtAssertion")),
        },
        "ClientCredentialsJwtAssertion is not supported",
    ),
    (
        {"N": named(URL, parameter("HttpHeader", "X", "{!BASE64ENCODE(BLOB($Credential.A.B))}"))},
        "the formula BASE64ENCODE(BLOB($Credential.A.B)) is not supported",
    ),
    ({"N": named(URL, parameter("OutboundNetworkConnection", "P"))}, "a private connection is not supported"),
]


@pytest.mark.parametrize(("files", "why"), REFUSED, ids=[case[1][:30] for case in REFUSED])
def test_what_is_not_supported_is_said_and_left_out(tmp_path: Path, files: dict[str, str], why: str) -> None:
    source = read([write(tmp_path, files)], Catalog(standard.load()))

    assert source.credentials == ()
    [finding] = [one for one in source.findings if one.severity is Severity.REFUSED]
    assert why in finding.what


async def test_a_credential_of_source_with_a_secret_set_by_hand_survives_a_deploy(tmp_path: Path, home: Path) -> None:
    async with outside() as erp:
        files = {
            "Shop": named(parameter("Url", "Url", f"{erp.url}/v1"), USES),
            "Ext": external(
                "Custom", parameter("AuthHeader", "Authorization", "{!'Bearer ' &amp; $Credential.Ext.ApiKey}")
            ),
            "Pay": named(
                parameter("Url", "Url", f"{erp.url}/pay"), parameter("Authentication", "A", externalCredential="Ext2")
            ),
            "Ext2": external("Basic"),
        }
        settings: dict[str, Any] = {
            "data": tmp_path / "org",
            "home": home,
            "source": (write(tmp_path / "source", files),),
        }
        server = await Server.open(Settings(**settings))
        org = Org(server)
        with pytest.raises(LandbridgeError, match="--secret ApiKey"):
            await org.callouts.send(request("Shop", "GET", "/"), org.callouts.run())
        with pytest.raises(
            InvalidCredential, match="basic needs username. Mend it with `landbridge credential set Pay`"
        ):
            org.callouts.need("pay")
        store, admin = org.callouts.store, server.org.admin_id
        await server.db.write(
            lambda tx: store.set(tx, "shop", {"timeout": 3}, {"ApiKey": "abc-key-1"}, admin), Unit("test")
        )
        first = await org.callouts.send(request("Shop", "GET", "/x"), org.callouts.run())
        named_rows = server.db.read_now(
            lambda reader: reader.all('SELECT DeveloperName FROM "NamedCredential" ORDER BY 1')
        )
        await server.close()

        files["Shop"] = named(parameter("Url", "Url", f"{erp.url}/v2"), USES)
        write(tmp_path / "source", files)
        server = await Server.open(Settings(**settings))
        second = await server.callouts.send(request("Shop", "GET", "/x"), server.callouts.run())
        credential = server.callouts.need("Shop")
        await server.close()

    assert first.ok
    assert second.ok
    assert [got.target for got in erp.got] == ["/v1/x", "/v2/x"]
    assert [got.headers["authorization"] for got in erp.got] == ["Bearer abc-key-1"] * 2
    assert (credential.timeout, credential.label) == (3.0, "L")
    assert [row[0] for row in named_rows] == ["Pay", "Shop"]
