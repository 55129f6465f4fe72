"""What the proxy understands of a request, without a socket."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landbridge.proxy.head import Asked, Refused, read

CREDENTIAL = "landbridge:secret"
BASIC = b"Proxy-Authorization: Basic " + base64.b64encode(CREDENTIAL.encode())


def head(line: bytes, *headers: bytes) -> bytes:
    return b"\r\n".join([line, BASIC, *headers, b"", b""])


def test_a_tunnel_names_its_host() -> None:
    assert read(head(b"CONNECT Login.Salesforce.com.:443 HTTP/1.1"), CREDENTIAL) == Asked(
        "login.salesforce.com", 443, None
    )
    assert read(head(b"CONNECT [::1]:8443 HTTP/1.1"), CREDENTIAL) == Asked("::1", 8443, None)


def test_a_plain_request_is_passed_on_in_origin_form_for_one_answer() -> None:
    asked = read(
        head(b"POST http://na1.salesforce.com?x=1 HTTP/1.1", b"Host: other.example.com", b"Connection: keep-alive",
             b"Proxy-Connection: keep-alive", b"Content-Length: 2"),
        CREDENTIAL,
    )  # fmt: skip

    assert asked == Asked(
        "na1.salesforce.com", 80,
        b"POST /?x=1 HTTP/1.1\r\nHost: na1.salesforce.com\r\nContent-Length: 2\r\nConnection: close\r\n\r\n",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("host", "ours"),
    [
        ("login.salesforce.com", True), ("salesforce.com", True), ("acme--uat.sandbox.my.salesforce.com", True),
        ("acme.lightning.force.com", True), ("evilsalesforce.com", False), ("salesforce.com.example.com", False),
        ("salesforce.co", False), ("force.com.", True), ("workforce.com", False),
    ],
)  # fmt: skip
def test_the_org_stands_in_for_salesforces_hosts_alone(host: str, ours: bool) -> None:
    assert read(head(f"CONNECT {host}:443 HTTP/1.1".encode()), CREDENTIAL).of_org is ours


@pytest.mark.parametrize(
    ("host", "ours"),
    [("api.pubsub.salesforce.com", True), ("api.deu.pubsub.salesforce.com", True), ("pubsub.salesforce.com", False)],
)
def test_the_pubsub_api_is_known_by_its_host(host: str, ours: bool) -> None:
    assert read(head(f"CONNECT {host}:7443 HTTP/1.1".encode()), CREDENTIAL).of_pubsub is ours


@pytest.mark.parametrize(
    "authorization",
    [b"X: y", b"Proxy-Authorization: Basic eDp5", b"Proxy-Authorization: Basic ***", b"Proxy-Authorization: Bearer x",
     BASIC + b"\r\n" + BASIC, b"Authorization" + BASIC[len(b"Proxy-Authorization") :]],
)  # fmt: skip
def test_without_the_credential_nothing_is_done(authorization: bytes) -> None:
    with pytest.raises(Refused) as caught:
        read(b"CONNECT login.salesforce.com:443 HTTP/1.1\r\n" + authorization + b"\r\n\r\n", CREDENTIAL)

    assert caught.value.status == 407


@pytest.mark.parametrize(
    "line",
    [b"GET / HTTP/1.1", b"GET https://login.salesforce.com/ HTTP/1.1", b"CONNECT login.salesforce.com HTTP/1.1",
     b"CONNECT a@login.salesforce.com:443 HTTP/1.1", b"CONNECT login.salesforce.com:0 HTTP/1.1",
     b"CONNECT login.salesforce.com:99999 HTTP/1.1", b"CONNECT login.sales\tforce.com:443 HTTP/1.1", b"PRI * HTTP/2.0",
     b"GET http:///x HTTP/1.1", b"nonsense"],
)  # fmt: skip
def test_what_is_no_request_to_a_proxy_is_refused(line: bytes) -> None:
    with pytest.raises(Refused) as caught:
        read(head(line), CREDENTIAL)

    assert caught.value.status == 400


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        asked = read(data.replace(b"\r\n\r\n", b"") + b"\r\n" + BASIC + b"\r\n\r\n", CREDENTIAL)
    except Refused:
        return
    assert asked.head is None or asked.head.count(b"\r\n\r\n") == 1
