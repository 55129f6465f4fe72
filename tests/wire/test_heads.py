"""Header lines that a connection has seen before: a request with them is what the parser would have made of it, or goes to it."""

from __future__ import annotations

import json
import socket
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landbridge.clock import Clock
from landbridge.wire.http.core import Respond
from landbridge.wire.http.heads import MOST, lines_of
from landbridge.wire.http.message import Reply, Request
from landbridge.wire.http.protocol import HIGH_WATER, Bounds, Connections, HttpProtocol
from tests.support.running import RunningOrg

Seen = tuple[str, bytes, dict[bytes, bytes], bytes]


class Recorder:
    """A core that notes what it is asked and answers each with 204."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.kept: list[bool] = []
        self._heads: set[int] = set()
        self._alive: list[Any] = []

    def handle(self, request: Request, respond: Respond) -> None:
        headers = {name: value for name, value in request.headers.items() if name != b"content-length"}
        self.seen.append((request.method, request.target, headers, request.body))
        self.kept.append(id(request.line.head) in self._heads)
        self._heads.add(id(request.line.head))
        self._alive.append(request.line.head)  # or an id might come again
        respond(Reply(204))


class Wire:
    """The transport of a connection that nobody is at the other end of."""

    def __init__(self) -> None:
        self.sent = b""
        self.closed = False
        self.unread = 0
        self.limits: tuple[int, ...] = ()
        self.tls: object = None

    def write(self, data: bytes) -> None:
        if not self.closed:
            self.sent += data

    def close(self) -> None:
        self.closed = True

    abort = close

    def get_write_buffer_size(self) -> int:
        return self.unread

    def set_write_buffer_limits(self, *limits: int) -> None:
        self.limits = limits

    def get_extra_info(self, name: str) -> object:
        return self.tls if name == "sslcontext" else ("127.0.0.1", 1)


class Connection:
    def __init__(self, tls: object = None) -> None:
        self.core, self.wire = Recorder(), Wire()
        self.wire.tls = tls
        connections = Connections(self.core, Clock(), Bounds(1_000, 10, 20, 10))  # type: ignore[arg-type]
        connections._date = b""
        self.protocol = HttpProtocol(connections, secure=False)
        self.protocol.connection_made(self.wire)  # type: ignore[arg-type]

    def feed(self, *parts: bytes) -> None:
        for part in parts:
            if not self.wire.closed:
                self.protocol.data_received(part)

    @property
    def outcome(self) -> tuple[list[Seen], bytes, bool]:
        return self.core.seen, self.wire.sent, self.wire.closed


def post(body: bytes, *lines: str, line: str = "POST /a HTTP/1.1") -> bytes:
    return "\r\n".join([line, *lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


def test_the_same_lines_are_parsed_once_whatever_the_target_and_the_length() -> None:
    connection = Connection()
    lines = ("Host: a", "X: 1")

    connection.feed(
        post(b"one", *lines), post(b"twenty-two", *lines, line="PATCH /b/%20?c=d HTTP/1.1"), post(b"", *lines)
    )

    assert connection.core.kept == [False, True, True]
    assert [(one[0], one[1], one[3]) for one in connection.core.seen] == [
        ("POST", b"/a", b"one"), ("PATCH", b"/b/%20?c=d", b"twenty-two"), ("POST", b"/a", b""),
    ]  # fmt: skip


def test_the_next_request_to_the_same_address_is_compared_with_the_last_one_alone() -> None:
    connection = Connection()
    lines = ("Host: a", "X: 1")
    connection.feed(post(b"one", *lines), post(b"two", *lines))
    connection.protocol._heads.clear()  # what is found from here on was not looked up

    connection.feed(post(b"333", *lines), post(b"fifteen", *lines))

    assert connection.core.kept == [False, True, True, True]
    assert [one[3] for one in connection.core.seen] == [b"one", b"two", b"333", b"fifteen"]


@pytest.mark.parametrize(
    "other",
    [
        post(b"abc", "X: 1", line="POST /b HTTP/1.1"),
        post(b"abc", "X: 2"),
        post(b"abc", "X: 1") + b"GET ",
        post(b"abc", "X: 1").replace(b": 3", b": x"),
        post(b"abc", "X: 1").replace(b": 3", b": 4"),
        post(b"a" * 12, "X: 1"),
        b"",
    ],
)
def test_what_differs_from_the_last_request_in_more_than_its_body_is_not_taken_for_it(other: bytes) -> None:
    lines = lines_of(post(b"one", "X: 1"))
    assert lines is not None

    assert lines.body_in(post(b"two", "X: 1")) == b"two"
    assert lines.body_in(other) is None


def test_the_last_request_without_a_body_is_only_itself() -> None:
    request = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n"
    lines = lines_of(request)
    assert lines is not None

    assert lines.body_in(request) == b""
    assert lines.body_in(request + b"GET") is None


def test_a_request_without_a_body_has_lines_too() -> None:
    connection = Connection()

    connection.feed(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n", b"GET /b HTTP/1.1\r\nHost: a\r\n\r\n")

    assert connection.core.kept == [False, True]
    assert [one[1] for one in connection.core.seen] == [b"/a", b"/b"]


@pytest.mark.parametrize(
    "line", ["Expect: 100-continue", "Connection: close", "Upgrade: h2c", "Content-Encoding: identity"]
)
def test_lines_that_ask_for_more_than_an_answer_are_parsed_each_time(line: str) -> None:
    connection = Connection()

    connection.feed(post(b"one", line), post(b"two", line))

    assert connection.core.kept in ([False], [False, False])


def test_only_so_many_heads_are_kept() -> None:
    connection = Connection()

    for number in range(MOST * 5):
        connection.feed(post(b"x", f"X: {number}"))

    assert len(connection.protocol._heads) <= MOST


def test_a_body_over_the_bound_is_refused_although_its_lines_are_known() -> None:
    connection = Connection()

    connection.feed(post(b"small"), post(b"x" * 1_001))

    assert b"413 Content Too Large" in connection.wire.sent
    assert connection.wire.closed


def test_a_request_in_the_middle_of_another_is_its_body() -> None:
    connection = Connection()
    inner = post(b"")
    connection.feed(inner)

    connection.feed(post(b"x" * len(inner))[: -len(inner)], inner)

    assert [one[3] for one in connection.core.seen] == [b"", inner]


@pytest.mark.parametrize(
    "data",
    [
        b"POST /a HTTP/1.1\r\nContent-Length: 1\r\n\r\n",
        b"POST /a HTTP/1.1\r\nContent-Length: 1\r\n\r\nab",
        b"POST /a HTTP/1.1\r\nContent-Length: +1\r\n\r\na",
        b"POST /a HTTP/1.1\r\nContent-Length: 1 \r\n\r\na",
        b"POST /a HTTP/1.1\r\nX-Content-Length: 1\r\n\r\na",
        b"POST /a HTTP/1.1\r\ncontent-length:1\r\n\r\na",
        b"POST /a HTTP/1.1\r\nX: y\r\n",
        b"\r\n\r\n" + post(b"a"),
        post(b"a", "X: " + "y" * 5_000),
    ],
)
def test_what_is_not_one_whole_request_has_no_lines(data: bytes) -> None:
    assert lines_of(data) is None


HEADERS = st.sampled_from(
    ["Host: a", "host: b", "X: 1", "X: 2", "Accept-Encoding: gzip", "Connection: keep-alive", "Connection: close",
     "Content-Length: 3", "content-length: 3", "CONTENT-LENGTH: 3", "Content-Length:3", "Content-Length: 03",
     "Transfer-Encoding: chunked", "Expect: 100-continue", "X-Length: 3", "Strength: 3", "Content-Encoding: gzip", "A:", " b",
     "Authorization: Bearer one", "Authorization: Bearer two"]
)  # fmt: skip
LINES = st.sampled_from(
    ["POST /a HTTP/1.1", "GET /b?c HTTP/1.1", "HEAD /c HTTP/1.1", "POST /a HTTP/1.0", "POST /a\nX: 3 HTTP/1.1", "POST  /a HTTP/1.1",
     "post /a HTTP/1.1", "DELETE * HTTP/1.1", "PATCH /a#b HTTP/1.1", "POST /ä HTTP/1.1", "POST /a HTTP/1.1\nX: 4"]
)  # fmt: skip
BODIES = st.sampled_from([b"", b"abc", b"abcd", b"3\r\nabc\r\n0\r\n\r\n", b"\r\n", b"GET /x HTTP/1.1\r\n\r\n"])
REQUESTS = st.builds(
    lambda line, headers, body: "\r\n".join([line, *headers, "", ""]).encode() + body,
    LINES, st.lists(HEADERS, max_size=4), BODIES,
)  # fmt: skip


@given(st.lists(REQUESTS, min_size=1, max_size=6).map(lambda found: [one for one in found for _ in range(3)]))
def test_bytes_mean_the_same_whole_and_in_pieces(requests: list[bytes]) -> None:
    whole, pieces = Connection(), Connection()

    whole.feed(*requests)
    pieces.feed(*(part for one in requests for part in (one[:1], one[1:])))

    assert whole.outcome == pieces.outcome


@pytest.mark.parametrize(("unread", "after"), [(1_000, 20.0), (2 << 20, 10.0)])
def test_who_leaves_an_answer_unread_is_let_go_sooner_when_it_is_a_large_one(unread: int, after: float) -> None:
    connection = Connection()
    connection.wire.unread = unread
    connection.protocol.pause_writing()
    connection.feed(post(b"x"))
    start = connection.protocol._stalled
    assert start is not None

    connection.protocol.expire(start + after)
    assert not connection.wire.closed

    connection.protocol.expire(start + after + 0.1)
    assert connection.wire.closed


def test_who_sends_half_a_request_and_reads_nothing_has_the_time_of_a_request() -> None:
    connection = Connection()
    connection.protocol.pause_writing()
    connection.feed(b"POST /a HTTP/1.1\r\nHost")
    start = connection.protocol._since
    assert start is not None

    connection.protocol.expire(start + 10)
    assert not connection.wire.closed

    connection.protocol.expire(start + 10.1)
    assert connection.wire.closed


def test_an_answer_leaves_at_once_where_no_tls_stands_between() -> None:
    """asyncio's TLS takes a limit of 0 for one that is passed already."""
    assert Connection().wire.limits == (0,)
    assert Connection(tls=object()).wire.limits == (HIGH_WATER,)


def test_a_token_that_is_revoked_opens_nothing_though_its_head_is_known(org: RunningOrg) -> None:
    token = org.integration_token()
    request = (
        f"GET /services/data/v66.0/limits HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    )
    with socket.create_connection(("127.0.0.1", org.port), timeout=10) as connection:
        found = [answer(connection, request) for _ in range(3)]
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        revoked = org.request(
            "POST", "/services/oauth2/revoke", urlencode({"token": token}).encode(), token=None, headers=form
        )
        after = answer(connection, request)

    assert revoked.status == 200
    assert found == [200, 200, 200]
    assert after == 401


def answer(connection: socket.socket, request: bytes) -> int:
    connection.sendall(request)
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].split()[0])
    while len(body) < length:
        body += connection.recv(65536)
    json.loads(body)
    return int(head[9:12])
