"""What comes in broken, too large, too slow or hostile: a documented error or a closed connection, nothing lost."""

from __future__ import annotations

import gzip
import json
import socket
import zlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landbridge.errors import JsonParserError
from landbridge.wire.http.body import decode
from landbridge.wire.http.message import Request
from tests.support.running import RunningOrg

ledger = pytest.mark.ledger


@pytest.fixture(scope="module")
def small(home: Any) -> Iterator[RunningOrg]:
    """An org with tight bounds."""
    with RunningOrg(home=home, max_body=20_000, request_timeout=1.0, idle_timeout=1.0, max_connections=8) as running:
        yield running


def raw(org: RunningOrg, data: bytes, *, wait: float = 10) -> bytes:
    """Everything a connection answers to these bytes until it is closed (or `Connection: close` was asked for)."""
    with socket.create_connection(("127.0.0.1", org.port), timeout=wait) as connection:
        connection.sendall(data)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
        return answer


def head(org: RunningOrg, method: str, path: str, *headers: str) -> bytes:
    lines = [
        f"{method} {path} HTTP/1.1",
        "Host: localhost",
        f"Authorization: Bearer {org.ready['access_token']}",
        *headers,
    ]
    return ("\r\n".join([*lines, "Connection: close", "", ""])).encode("latin-1")


# --- bodies --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "The HTTP entity body is required, but this request has no entity body."),
        (b"  ", "The HTTP entity body is required, but this request has no entity body."),
        (b'{"Name" j}', "Unexpected character ('j' (code 106)): was expecting a colon to separate field name and value "
         "at [line:1, column:9]"),
        (b'{"Name": "x"', "Unexpected end-of-input at [line:1, column:13]"),
        (b'["Name"]', "Cannot deserialize instance of object from START_ARRAY value [ at [line:1, column:1]"),
        (b'{"Name": "\xff"}', "Invalid UTF-8 byte 0xff at [line:1, column:11]"),
        (b'{"Name": "x", "Name": "y"}', "Duplicate field: Name"),
        (b'{"Name": "http://a:1", "Name": "y"}', "Duplicate field: Name"),
        (b'{"Name": ' + b"[" * 5000 + b"]" * 5000 + b"}", "The JSON is nested more than 100 deep"),
        (b'{"Name": NaN}', "Unexpected character ('N' (code 78)): was expecting a valid value at [line:1, column:10]"),
    ],
)  # fmt: skip
def test_a_body_that_is_no_json_object_is_named_with_its_place(org: RunningOrg, body: bytes, message: str) -> None:
    reply = org.data("POST", "/sobjects/Account", body, headers={"Content-Type": "application/json"})

    assert reply.status == 400
    assert reply.json == [{"message": message, "errorCode": "JSON_PARSER_ERROR"}]


def test_equal_keys_in_different_objects_are_no_duplicates(org: RunningOrg) -> None:
    body = {"Name": "a:b", "attributes": {"type": "Account", "url": "x:y:z"}}

    assert org.data("POST", "/sobjects/Account", body).status == 201


@ledger("error.UnsupportedMediaType", "guessed", "status documented, text unverified (rest.md section 9)")
@pytest.mark.parametrize("kind", ["text/xml", "application/x-www-form-urlencoded", "text/plain"])
def test_a_body_of_another_type_is_refused(org: RunningOrg, kind: str) -> None:
    reply = org.data("POST", "/sobjects/Account", b'{"Name":"x"}', headers={"Content-Type": kind})

    assert (reply.status, reply.error) == (415, "UNSUPPORTED_MEDIA_TYPE")


@ledger("rest.nul-bytes-are-dropped", "guessed", "control characters can't be stored on the platform")
def test_nul_bytes_and_control_characters_do_not_reach_the_database(org: RunningOrg) -> None:
    record_id = org.create("Account", Name="a\x00b\x07c")

    assert org.get("Account", record_id)["Name"] == "abc"


@pytest.mark.parametrize("number", ["1e400", "9" * 400, "-1e999", "123456789012345678901234567890"])
def test_huge_numbers_are_refused(org: RunningOrg, number: str) -> None:
    body = b'{"Name": "x", "AnnualRevenue": ' + number.encode() + b"}"

    reply = org.data("POST", "/sobjects/Account", body, headers={"Content-Type": "application/json"})

    assert reply.status == 400
    assert reply.error in ("JSON_PARSER_ERROR", "NUMBER_OUTSIDE_VALID_RANGE")


@ledger("rest.gzip", "observed", "rest.md section 1")
def test_bodies_and_replies_are_compressed_both_ways(org: RunningOrg) -> None:
    body = gzip.compress(json.dumps({"Name": "Zipped"}).encode())
    reply = org.data(
        "POST", "/sobjects/Account", body, headers={"Content-Type": "application/json", "Content-Encoding": "gzip"}
    )
    described = org.data("GET", "/sobjects/Account/describe", headers={"Accept-Encoding": "gzip"})

    assert reply.status == 201
    assert described.headers["content-encoding"] == "gzip"
    assert described.headers["etag"].endswith('--gzip"')
    assert json.loads(gzip.decompress(described.raw))["name"] == "Account"


@ledger("error.BodyTooLarge", "guessed", "status documented (rest.md section 9), text ours")
def test_bodies_beyond_the_bound_are_refused_also_when_they_inflate_to_it(small: RunningOrg) -> None:
    large = head(small, "POST", "/services/data/v67.0/sobjects/Account", "Content-Length: 20001")
    bomb = zlib.compress(b" " * 10_000_000)
    packed = head(small, "POST", "/services/data/v67.0/sobjects/Account", "Content-Encoding: deflate",
                  f"Content-Length: {len(bomb)}") + bomb  # fmt: skip

    for request in (large, packed):
        answer = raw(small, request)
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b"REQUEST_ENTITY_TOO_LARGE" in answer


def test_chunked_bodies_are_read_and_bounded(small: RunningOrg) -> None:
    start = head(small, "POST", "/services/data/v67.0/sobjects/Account", "Transfer-Encoding: chunked",
                 "Content-Type: application/json")  # fmt: skip

    good = raw(small, start + b'8\r\n{"Name":\r\n4\r\n"x"}\r\n0\r\n\r\n')
    large = raw(small, start + b"4000\r\n" + b" " * 0x4000 + b"\r\n4000\r\n" + b" " * 0x4000 + b"\r\n0\r\n\r\n")

    assert good.startswith(b"HTTP/1.1 201 ")
    assert large.startswith(b"HTTP/1.1 413 ")


# --- heads ---------------------------------------------------------------------------------------------------------


@ledger("error.UriTooLong", "documented", "rest.md section 1")
def test_a_uri_over_16384_bytes_is_refused(org: RunningOrg) -> None:
    answer = raw(org, head(org, "GET", "/services/data/v67.0/query?q=" + "x" * 16_384))

    assert answer.startswith(b"HTTP/1.1 414 ")


@ledger("error.HeadersTooLarge", "documented", "rest.md section 1")
def test_uri_and_headers_over_16384_bytes_are_refused(org: RunningOrg) -> None:
    answer = raw(org, head(org, "GET", "/services/data", "X-Filler: " + "x" * 16_384))

    assert answer.startswith(b"HTTP/1.1 431 ")


@ledger("error.BadRequest", "guessed", "RFC 9112")
@pytest.mark.parametrize(
    "data",
    [
        b"this is no http\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /services/data HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /services/data HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"POST /services/data HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_what_is_no_request_is_answered_400_and_closed(org: RunningOrg, data: bytes) -> None:
    assert raw(org, data).startswith(b"HTTP/1.1 400 ")


def test_an_offer_to_upgrade_is_passed_over(org: RunningOrg) -> None:
    offer = b"GET /services/data HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\n\r\n"

    answer = raw(org, offer + head(org, "GET", "/services/data/v67.0/limits"))

    assert answer.count(b"HTTP/1.1 200 ") == 2


def test_a_negative_or_worded_length_is_refused(org: RunningOrg) -> None:
    answer = raw(org, b"POST /services/data HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 4")


def test_pipelined_requests_are_answered_in_order(org: RunningOrg) -> None:
    one = head(org, "GET", "/services/data/v67.0/limits").replace(b"Connection: close\r\n", b"")
    names = [b"Pipe-%d" % i for i in range(40)]
    many = b"".join(
        head(org, "POST", "/services/data/v67.0/sobjects/Account", f"Content-Length: {len(body)}",
             "Content-Type: application/json").replace(b"Connection: close\r\n", b"") + body
        for body in (b'{"Name":"' + name + b'"}' for name in names)
    )  # fmt: skip

    answer = raw(org, one + many + head(org, "GET", "/services/data"))
    found = org.rows("SELECT Name FROM Account WHERE Name LIKE 'Pipe-%' ORDER BY Id")

    assert answer.count(b"HTTP/1.1 201 ") == 40
    assert answer.index(b"DailyApiRequests") < answer.index(b"HTTP/1.1 201 ") < answer.index(b"Summer '14")
    assert [row["Name"].encode() for row in found] == names


@settings(max_examples=30)
@given(cuts=st.lists(st.integers(1, 600), max_size=12))
def test_a_request_split_anywhere_is_the_same_request(org: RunningOrg, cuts: list[int]) -> None:
    body = b'{"Name":"Split \\u00e9"}'
    data = head(org, "POST", "/services/data/v67.0/sobjects/Account", f"Content-Length: {len(body)}",
                "Content-Type: application/json; charset=utf-8") + body  # fmt: skip
    places = sorted({min(cut, len(data)) for cut in cuts})
    with socket.create_connection(("127.0.0.1", org.port), timeout=10) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start, end in zip([0, *places], [*places, len(data)], strict=True):
            connection.sendall(data[start:end])
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk

    assert answer.startswith(b"HTTP/1.1 201 ")


@settings(max_examples=60)
@given(noise=st.binary(max_size=300))
def test_noise_never_stops_the_server(org: RunningOrg, noise: bytes) -> None:
    with socket.create_connection(("127.0.0.1", org.port), timeout=10) as connection:
        connection.sendall(noise)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass

    assert org.request("GET", "/services/data", token=None).status == 200


# --- slow and vanished clients -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"POST /services/data HTTP/1.1\r\nHost: x\r\nContent-Le",
        b"POST /services/oauth2/token HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf a bo",
    ],
)
def test_a_client_that_says_nothing_more_is_cut_off(small: RunningOrg, data: bytes) -> None:
    if not data:
        data = head(small, "GET", "/services/data").replace(b"Connection: close\r\n", b"")
    with socket.create_connection(("127.0.0.1", small.port), timeout=10) as connection:
        connection.sendall(data)
        try:
            while connection.recv(65536):
                pass
        except ConnectionResetError:
            pass  # cut off is what we wait for
    assert small.request("GET", "/services/data", token=None).status == 200


def test_a_write_commits_though_its_client_has_gone(org: RunningOrg) -> None:
    body = b'{"Name":"Orphan"}'
    request = head(org, "POST", "/services/data/v67.0/sobjects/Account", f"Content-Length: {len(body)}",
                   "Content-Type: application/json") + body  # fmt: skip
    with socket.create_connection(("127.0.0.1", org.port), timeout=10) as connection:
        connection.sendall(request)
        connection.recv(1)

    assert len(org.rows("SELECT Id FROM Account WHERE Name = 'Orphan'")) == 1


@ledger("error.ServerUnavailable", "guessed", "status documented (rest.md section 9), text ours")
def test_connections_over_the_bound_are_turned_away(small: RunningOrg) -> None:
    held = [socket.create_connection(("127.0.0.1", small.port), timeout=10) for _ in range(8)]
    try:
        for connection in held:
            connection.sendall(b"GET /services")
        answer = raw(small, b"")
    finally:
        for connection in held:
            connection.close()

    assert answer.startswith(b"HTTP/1.1 503 ")


# --- hostile values ------------------------------------------------------------------------------------------------

HOSTILE = ["'; DROP TABLE Lead--", "x' OR '1'='1", '"', "\\", "%", "{{}}", "\u2028", "0x27", "1; SELECT 1"]


@pytest.mark.parametrize("value", HOSTILE)
def test_hostile_text_is_only_text_in_every_parameter(org: RunningOrg, value: str) -> None:
    record_id = org.create("Seed_Packet__c", Name=value, Sku__c=value)
    literal = value.replace("\\", "\\\\").replace("'", "\\'")

    assert org.get("Seed_Packet__c", record_id)["Name"] == value
    assert [row["Id"] for row in org.rows(f"SELECT Id FROM Seed_Packet__c WHERE Name = '{literal}'")] == [record_id]
    assert org.data("GET", f"/sobjects/Seed_Packet__c/Sku__c/{quote(value, safe='')}").json["Id"] == record_id
    assert org.data("GET", f"/sobjects/{quote(value, safe='')}").status == 404
    assert org.data("GET", f"/sobjects/Account/{quote(value, safe='')}").status == 404
    assert org.data("GET", f"/sobjects/Account/{record_id}?fields={quote(value, safe='')}").status in (400, 404)
    assert org.query(f"SELECT {value} FROM Account").status == 400
    assert org.query(f"SELECT Id FROM {value}").status == 400
    assert org.query(f"SELECT Id FROM Account ORDER BY {value}").status in (400, 501)
    assert org.data("GET", f"/limits/recordCount?sObjects={quote(value, safe='')}").json == {"sObjects": []}
    assert org.data("GET", f"/query/{quote(value, safe='')}").status == 400
    assert len(org.rows("SELECT Id FROM Account LIMIT 1")) == 1


def test_no_header_is_made_of_a_line_break(org: RunningOrg) -> None:
    created = org.data("PATCH", "/sobjects/Seed_Packet__c/Sku__c/a%0d%0aSet-Cookie:%20x", {"Name": "x"})

    assert created.status == 201
    assert "set-cookie" not in created.headers


@ledger("error.UnknownException", "documented", "rest.md section 9")
def test_an_error_of_ours_is_answered_without_its_text(org: RunningOrg, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(org.door.server.limits, "report", broken)
    reply = org.data("GET", "/limits")

    assert (reply.status, reply.error) == (500, "UNKNOWN_EXCEPTION")
    assert b"secret detail" not in reply.raw
    assert reply.json[0]["message"].endswith(reply.headers["x-request-id"])


@ledger("error.StorageFailed", "guessed", "code from the partner WSDL")
def test_a_full_disk_answers_every_waiting_request_and_the_server_goes_on(home: Any, tmp_path: Any) -> None:
    with RunningOrg(home=home, data=tmp_path / "org") as full:

        async def shrink() -> None:
            pages = full.door.server.db.writer.execute("PRAGMA page_count").fetchall()[0][0]
            full.door.server.db.writer.execute(f"PRAGMA max_page_count = {int(pages)}").fetchall()

        full.do(shrink)
        replies = [full.data("POST", "/sobjects/Account", {"Name": "x", "Description": "y" * 30_000}) for _ in range(3)]
        still = full.data("GET", "/limits")

    assert [reply.status for reply in replies] == [500] * 3
    assert {reply.error for reply in replies} == {"STORAGE_LIMIT_EXCEEDED"}
    assert still.status == 200


@ledger("rest.broken-authorization", "guessed", "INVALID_AUTH_HEADER is unverified (rest.md section 9)")
@pytest.mark.parametrize("value", ["", "Bearer", "Basic abc", "Bearer  ", "Negotiate x", "Bearer 00D!\xff"])
def test_a_missing_or_broken_authorization_answers_401(org: RunningOrg, value: str) -> None:
    reply = org.request(
        "GET", "/services/data/v67.0/limits", token=None, headers={"Authorization": value} if value else {}
    )

    assert (reply.status, reply.error) == (401, "INVALID_SESSION_ID")
    assert reply.headers["www-authenticate"] == "Token"
    assert "sforce-limit-info" not in reply.headers


JSON_VALUES = st.recursive(
    st.one_of(st.none(), st.integers(), st.text(st.sampled_from('a:"\\ \n{}[],é'), max_size=6)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.lists(st.tuples(st.sampled_from(["a", "b", 'c":', "d :"]), inner), max_size=4)),
    max_leaves=12,
)  # fmt: skip


@given(value=JSON_VALUES, blank=st.sampled_from(["", " ", "\n\t", "  \r\n"]))
def test_a_key_given_twice_is_refused_however_it_is_spaced(value: Any, blank: str) -> None:
    """Lists of pairs stand for objects, so that keys can repeat."""
    repeated = False

    def spell(one: Any) -> str:
        nonlocal repeated
        if isinstance(one, list) and one and all(isinstance(pair, tuple) for pair in one):
            repeated |= len({key for key, _ in one}) < len(one)
            members = ",".join(f"{json.dumps(key)}{blank}:{blank}{spell(inner)}" for key, inner in one)
            return "{" + blank + members + "}"
        if isinstance(one, list):
            return "[" + ",".join(map(spell, one)) + "]"
        return json.dumps(one, ensure_ascii=False)

    body = spell(value).encode()
    request = Request("POST", b"/", {b"content-type": b"application/json"}, body)

    if repeated:
        with pytest.raises(JsonParserError, match="Duplicate field"):
            decode(request)
    else:
        assert decode(request) == json.loads(body)
