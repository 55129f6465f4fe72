"""Which proxy leads outside, without a socket."""

from __future__ import annotations

import pytest

from landbridge.proxy.head import Asked, Refused
from landbridge.proxy.outside import Outside, _through

TUNNEL, PLAIN = (
    Asked("example.com", 443, None),
    Asked("example.com", 80, b"GET /a?b HTTP/1.1\r\nHost: example.com\r\n\r\n"),
)


def test_tunnels_and_plain_requests_have_their_own_proxies() -> None:
    found = Outside.of({"HTTPS_PROXY": "http://a:1", "http_proxy": "b:2", "HTTP_PROXY": "http://c:3"})
    https, http = found.proxy(TUNNEL), found.proxy(PLAIN)

    assert https is not None
    assert http is not None
    assert (https.netloc, http.netloc) == ("a:1", "b:2")
    assert Outside.of({}).proxy(TUNNEL) is None
    assert (
        Outside.of({"ALL_PROXY": "http://a:1", "NO_PROXY": "other.com,.example.com,example.com"}).proxy(TUNNEL) is None
    )
    assert "secret" not in repr(Outside("http://u:secret@a:1"))


def test_another_kind_of_proxy_is_told() -> None:
    with pytest.raises(Refused, match="socks5 proxy"):
        Outside.of({"ALL_PROXY": "socks5://a:1"}).proxy(TUNNEL)


def test_the_proxy_outside_is_asked_as_it_expects() -> None:
    proxy = Outside("http://me:s%40y@p:8080", "http://p:8080").proxy(TUNNEL)
    plain = Outside("http://x:1", "http://p:8080").proxy(PLAIN)

    assert proxy is not None
    assert plain is not None
    assert _through(TUNNEL, proxy) == (
        b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\nProxy-Authorization: Basic bWU6c0B5\r\n\r\n"
    )
    assert _through(PLAIN, plain) == b"GET http://example.com:80/a?b HTTP/1.1\r\nHost: example.com\r\n\r\n"
