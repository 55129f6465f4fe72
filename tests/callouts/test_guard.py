"""Where a callout may go: hosts and addresses, against the ways around."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landbridge.callouts import Kind, Outcome, Sent, request
from landbridge.callouts.credential import InvalidCredential, make
from landbridge.callouts.guard import NotAllowed, check_addresses, check_host, is_public, redirected
from tests.callouts.conftest import Org, Tls
from tests.support.outside import outside

PRIVATE = [
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",
    "10.1.2.3",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "192.0.0.1",
    "192.0.2.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.9",
    "224.0.0.1",
    "239.1.1.1",
    "240.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fd12:3456::1",
    "ff02::1",
    "2001:db8::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a00:1",
    "2002:7f00:1::",
    "2002:a00:1::",
    "::7f00:1",
    "2001:0:53aa:64c:0:0:80ff:fffe",
]
PUBLIC = [
    "8.8.8.8",
    "1.1.1.1",
    "93.184.216.34",
    "2606:4700:4700::1111",
    "64:ff9b::808:808",
    "::ffff:8.8.8.8",
    "2002:808:808::",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_inside_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_an_address_outside_is_public(address: str) -> None:
    assert is_public(address)


@given(st.ip_addresses())
def test_no_address_breaks_the_check(address: Any) -> None:
    assert is_public(str(address)) in (True, False)


@given(st.text(max_size=40))
def test_what_is_no_address_is_not_public(text: str) -> None:
    assert is_public(text) in (True, False)


def test_a_name_with_a_private_address_among_its_public_ones_is_not_trusted() -> None:
    check_addresses("x", ["8.8.8.8", "1.1.1.1"])
    for addresses in (["8.8.8.8", "127.0.0.1"], ["10.0.0.1"], []):
        with pytest.raises(NotAllowed):
            check_addresses("x", addresses)


ERP = make(
    {
        "name": "ERP",
        "url": "https://erp.example.com/api",
        "allowed_hosts": ["*.cdn.example.com", "old.example.com:8443"],
    }
)


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://erp.example.com/x", True),
        ("https://ERP.EXAMPLE.COM./x", True),
        ("https://erp.example.com:443/x", True),
        ("https://erp.example.com:444/x", False),
        ("http://erp.example.com/x", False),
        ("http://erp.example.com:443/x", False),
        ("https://a.cdn.example.com/x", True),
        ("https://a.b.cdn.example.com/x", True),
        ("https://cdn.example.com/x", False),
        ("https://evilcdn.example.com/x", False),
        ("https://old.example.com:8443/", True),
        ("https://old.example.com/", False),
        ("https://erp.example.com.evil.com/", False),
        ("https://erp.example.com@evil.com/", False),
        ("https://user:pw@erp.example.com/", False),
        ("https://evil.com/erp.example.com", False),
        ("ftp://erp.example.com/", False),
        ("https:///x", False),
        ("https://[::1/x", False),
    ],
)
def test_hosts_of_a_credential(url: str, allowed: bool) -> None:
    try:
        check_host(ERP, url)
        found = True
    except NotAllowed:
        found = False

    assert found == allowed


_ODD = st.sampled_from(["https:", "http:", "/", "//", "\\", "@", ":", "443", "erp.example.com", "evil.com", ".cdn.example.com", "a",
                        ".", "#", "?", "%2f", "%2e", "%00", "[", "]", "\u3002", "\uff0f", "::1", "127.0.0.1"])  # fmt: skip


@given(st.lists(_ODD, min_size=1, max_size=8).map("".join))
def test_two_readers_of_a_url_never_disagree_about_an_allowed_host(rest: str) -> None:
    """What the check lets through leads, in the client's own reading, to a host that is allowed."""
    from pyreqwest.http import Url

    url = f"https://{rest}"
    try:
        check_host(ERP, url)
    except NotAllowed:
        return
    try:
        parsed = Url(url)
    except ValueError:
        return  # the client sends nothing
    host = (parsed.host_str or "").rstrip(".")
    assert host in ("erp.example.com", "old.example.com") or host.endswith(".cdn.example.com"), url


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("/new", "https://erp.example.com/new"),
        ("../new?a=1#part", "https://erp.example.com/new?a=1"),
        ("https://erp.example.com/new", "https://erp.example.com/new"),
        ("//a.cdn.example.com/x", "https://a.cdn.example.com/x"),
        ("https://evil.com/", None),
        ("//evil.com/", None),
        ("http://erp.example.com/", None),
        ("javascript:alert(1)", None),
    ],
)
def test_redirects_of_a_credential(location: str, target: str | None) -> None:
    try:
        found: str | None = redirected(ERP, "https://erp.example.com/api/old", location)
    except NotAllowed:
        found = None

    assert found == target


@pytest.mark.parametrize(
    "url",
    [
        "ftp://x",
        "https://",
        "http://u:p@x",
        "http://x?q=1",
        "http://x#f",
        "http://x:0",
        "http://x y",
        "http://[::1",
        "x",
        "http://ä",
    ],
)
def test_a_credential_has_a_plain_url(url: str) -> None:
    with pytest.raises(InvalidCredential, match="named credential ERP"):
        make({"name": "ERP", "url": url})


async def send(org: Org, path: str = "/x") -> Outcome:
    return await org.callouts.send(request("ERP", "GET", path), org.callouts.run(limits=False))


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "0177.0.0.1", "127.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"],
)
async def test_a_way_to_loopback_is_refused_where_only_public_addresses_are_allowed(org: Org, host: str) -> None:
    async with outside() as inside:
        await org.credential("ERP", f"http://{host}:{inside.port}", public_only=True)
        outcome = await send(org)

    assert (outcome.kind, outcome.sent) == (Kind.REFUSED, Sent.NO)
    assert "only public addresses are allowed" in outcome.error
    assert inside.connections == 0


async def test_a_name_that_leads_inside_is_refused(org: Org) -> None:
    async def lies(host: str, port: int) -> Sequence[str]:
        return ["127.0.0.1"]

    org.callouts._resolver = lies
    async with outside() as inside:
        await org.credential("ERP", f"http://erp.test:{inside.port}", public_only=True)
        outcome = await send(org)

    assert (outcome.kind, inside.connections) == (Kind.REFUSED, 0)


async def test_a_name_that_answers_differently_the_second_time_gains_nothing(
    org: Org, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection goes to the address that was checked: 127.0.0.2, which this test alone calls public."""
    answers = iter([["127.0.0.2"], ["127.0.0.1"]])
    asked: list[str] = []

    async def rebinding(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return next(answers)

    org.callouts._resolver = rebinding
    monkeypatch.setattr("landbridge.callouts.guard.is_public", lambda address: address == "127.0.0.2")
    async with outside(host="127.0.0.2") as checked:
        await org.credential("ERP", f"http://rebind.test:{checked.port}", public_only=True)
        first = await send(org)
        second = await send(org)
        org.server.clock.monotonic = lambda: 1e9  # type: ignore[method-assign]  # the answer is no longer believed
        third = await send(org)

    assert (first.kind, second.kind, third.kind) == (Kind.ANSWERED, Kind.ANSWERED, Kind.REFUSED)
    assert asked == ["rebind.test"] * 2, "nobody asks the name service behind our back"
    assert len(checked.got) == 2
    assert checked.got[0].headers["host"] == f"rebind.test:{checked.port}"


async def test_a_name_with_several_addresses_is_tried_at_the_next_one(
    org: Org, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def two(host: str, port: int) -> Sequence[str]:
        return ["127.0.0.2", "127.0.0.1"]

    org.callouts._resolver = two
    monkeypatch.setattr("landbridge.callouts.guard.is_public", lambda address: True)
    async with outside() as erp:
        await org.credential("ERP", f"http://erp.test:{erp.port}", public_only=True)
        kinds = [(await send(org)).kind for _ in range(3)]

    assert kinds == [Kind.CONNECT, Kind.ANSWERED, Kind.ANSWERED]


async def test_a_name_that_takes_too_long_is_a_timeout_and_certainly_not_sent(org: Org) -> None:
    async def never(host: str, port: int) -> Sequence[str]:
        await asyncio.sleep(60)
        return []

    org.callouts._resolver = never
    await org.credential("ERP", "http://erp.test", public_only=True, timeout=0.1)
    outcome = await send(org)

    assert (outcome.kind, outcome.sent) == (Kind.TIMEOUT, Sent.NO)


async def test_tls_checks_the_name_not_the_pinned_address(org: Org, tls: Tls, monkeypatch: pytest.MonkeyPatch) -> None:
    async def known(host: str, port: int) -> Sequence[str]:
        return ["127.0.0.1"]

    org.callouts._resolver = known
    monkeypatch.setattr("landbridge.callouts.guard.is_public", lambda address: True)
    async with outside(context=tls.server()) as erp:
        await org.credential("ERP", f"https://erp.test:{erp.port}", public_only=True, ca=tls.ca_pem)
        right = await send(org)
        await org.credential("ERP", f"https://crm.test:{erp.port}", public_only=True, ca=tls.ca_pem)
        wrong = await send(org)

    assert (right.kind, wrong.kind) == (Kind.ANSWERED, Kind.CONNECT)


async def test_a_redirect_inside_is_refused_where_only_public_addresses_are_allowed(
    org: Org, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.support.outside import answer

    async def known(host: str, port: int) -> Sequence[str]:
        return ["127.0.0.2"] if host == "erp.test" else ["127.0.0.1"]

    org.callouts._resolver = known
    monkeypatch.setattr("landbridge.callouts.guard.is_public", lambda address: address == "127.0.0.2")
    async with outside() as inside:
        location = f"http://inside.test:{inside.port}/"
        async with outside(lambda got: answer({}, 302, Location=location), host="127.0.0.2") as erp:
            await org.credential("ERP", f"http://erp.test:{erp.port}", public_only=True,
                                 allowed_hosts=[f"inside.test:{inside.port}"])  # fmt: skip
            outcome = await send(org)

    assert (outcome.kind, len(erp.got), inside.connections) == (Kind.REFUSED, 1, 0)


async def test_a_proxy_of_the_environment_is_not_used(org: Org, monkeypatch: pytest.MonkeyPatch) -> None:
    async with outside() as proxy, outside() as erp:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("http_proxy", proxy.url)
        await org.credential("ERP", erp.url)
        outcome = await send(org)

    assert (outcome.kind, proxy.connections, len(erp.got)) == (Kind.ANSWERED, 0, 1)
