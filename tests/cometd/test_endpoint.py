"""The Streaming API over sockets: addresses, cookies, bounds, and clients that behave badly."""

from __future__ import annotations

import gzip
import http.client
import json
import socket
import ssl
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from landbridge.events.retention import Retention
from landbridge.faults.switchboard import Strike, Switch
from landbridge.wire.cometd.refusals import Refused
from landbridge.wire.cometd.streams import Streams
from tests.cometd.conftest import SHOP, TOPIC, Raw
from tests.support.running import RunningOrg

Make = Callable[..., Raw]
HANDSHAKE = {"channel": "/meta/handshake", "version": "1.0", "supportedConnectionTypes": ["long-polling"], "id": "1"}
PATIENCE = 20.0


def publish(org: RunningOrg, number: str) -> None:
    org.create("Packing_Event__e", Order_Number__c=number)


def numbers(messages: list[dict[str, Any]]) -> list[str]:
    return [message["data"]["payload"]["Order_Number__c"] for message in messages if "data" in message]


def until(wanted: Callable[[], bool]) -> None:
    """Wait for something that comes about by itself; only a broken server makes it take long."""
    end = time.monotonic() + PATIENCE
    while not wanted():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.005)


def streams(org: RunningOrg) -> Streams:
    return Streams.of(org.door.server)


# --- addresses ---------------------------------------------------------------------------------------------------


@pytest.mark.ledger("route.POST /cometd/{api}", "documented", "events.md section 3")
@pytest.mark.ledger("route.POST /cometd/{api}/{operation}", "documented", "events.md section 3")
@pytest.mark.ledger("route.POST /cometd/replay/{api}", "documented", "events.md section 3")
@pytest.mark.ledger("route.POST /cometd/replay/{api}/{operation}", "documented", "events.md section 3")
@pytest.mark.parametrize(
    "path",
    ["/cometd/37.0", "/cometd/45.0", "/cometd/67.0", "/cometd/67.0/", "/cometd/67.0/handshake", "/cometd/replay/36.0",
     "/cometd/replay/36.0/handshake"],
)  # fmt: skip
def test_a_handshake_is_taken_at_every_address_a_client_has(raw: Make, path: str) -> None:
    reply = raw().ask(HANDSHAKE, path=path)

    assert reply.status == 200
    assert reply.json[0]["successful"]


@pytest.mark.ledger("route.POST /cometd", "documented", "events.md section 3")
@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/cometd", "400::API version in the URI is mandatory. URI format: '/cometd/66.0'"),
        ("/cometd/handshake", "400::API version in the URI is mandatory. URI format: '/cometd/66.0'"),
        ("/cometd/v67.0", "400::API version in the URI is mandatory. URI format: '/cometd/66.0'"),
        *(
            (
                path,
                "400::Unsupported API version. Only API versions '37.0' and later are supported. URI format: '/cometd/66.0'",
            )
            for path in ("/cometd/36.0", "/cometd/24.0", "/cometd/99.0", "/cometd/replay/67.0")
        ),
    ],
)
def test_an_address_without_a_version_that_is_served_is_refused(raw: Make, path: str, error: str) -> None:
    reply = raw().ask(HANDSHAKE, path=path)

    assert reply.status == 400
    assert reply.json == [
        {"advice": {"reconnect": "none", "interval": 0}, "channel": "/meta/handshake", "id": "1", "error": error,
         "successful": False}
    ]  # fmt: skip


@pytest.mark.ledger("cometd.websocket", "observed", "jsforce issues 270 and 582: 405")
def test_a_websocket_is_refused_so_that_clients_fall_back(org: RunningOrg) -> None:
    offer = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "x" * 24,
    }

    assert org.request("GET", "/cometd/67.0", headers=offer).status == 405


# --- when events go out ------------------------------------------------------------------------------------------


def test_who_waits_alone_has_an_event_before_its_publisher_has_the_answer(org: RunningOrg, raw: Make) -> None:
    client = raw().open()
    for number in map(str, range(5)):
        client.send(client.connection_message)
        until(lambda: streams(org).clients.waiting == 1)
        publish(org, number)

        # The first one may be a round's of those who were here before: many at a time have patience.
        assert number == "0" or client.is_answered(), "the publisher was answered first"
        assert numbers(client.receive().json) == [number]


# --- cookies and tokens ------------------------------------------------------------------------------------------


@pytest.mark.ledger("cometd.cookies", "documented", "events.md section 3")
def test_a_handshake_sets_the_browser_cookie_once(org: RunningOrg, raw: Make) -> None:
    client = raw()
    first = client.ask(HANDSHAKE)
    client.headers["Cookie"] = "x=1; " + first.headers["set-cookie"].partition(";")[0]
    second = client.ask(HANDSHAKE)

    assert first.headers["set-cookie"].startswith("BAYEUX_BROWSER=")
    assert "Secure" not in first.headers["set-cookie"]
    assert "set-cookie" not in second.headers
    client.client = second.json[0]["clientId"]
    assert client.poll()[0]["successful"]


def test_over_tls_the_cookie_is_secure_and_events_come(org: RunningOrg) -> None:
    context = ssl.create_default_context(cafile=org.ready["ca_file"])
    connection = http.client.HTTPSConnection("localhost", org.port, context=context, timeout=30)
    headers = {"Authorization": f"Bearer {org.ready['access_token']}"}

    def ask(message: dict[str, Any]) -> tuple[list[dict[str, Any]], str]:
        connection.request("POST", "/cometd/67.0", json.dumps([message]), headers)
        response = connection.getresponse()
        return json.loads(response.read()), response.getheader("Set-Cookie") or ""

    (handshake,), cookie = ask(HANDSHAKE)
    headers["Cookie"] = cookie.partition(";")[0]
    client = handshake["clientId"]
    ask({"channel": "/meta/subscribe", "clientId": client, "subscription": TOPIC})
    publish(org, "over TLS")
    messages, _ = ask({"channel": "/meta/connect", "clientId": client, "connectionType": "long-polling"})
    connection.close()

    assert cookie.endswith("; Secure")
    assert numbers(messages) == ["over TLS"]


def test_a_client_that_drops_its_cookie_is_told_which(raw: Make) -> None:
    client = raw().handshake()
    del client.headers["Cookie"]

    (reply,) = client.ask(client.connection_message).json

    assert (
        reply["error"] == f"400::Client {client.client} has established a session, but no BAYEUX_BROWSER cookie present"
    )


@pytest.mark.ledger("cometd.auth", "documented", "events.md section 3")
@pytest.mark.parametrize(
    ("header", "reason"),
    [(None, "401::Request requires authentication"), ("Bearer 00Dxx!gone", "401::Authentication invalid"),
     ("OAuth 00Dxx!gone", "401::Authentication invalid")],
)  # fmt: skip
def test_a_handshake_without_a_good_token_is_denied(raw: Make, header: str | None, reason: str) -> None:
    client = raw()
    client.headers.pop("Authorization")
    if header is not None:
        client.headers["Authorization"] = header

    reply = client.ask(HANDSHAKE)

    assert reply.status == 200
    assert reply.json == [
        {"ext": {"sfdc": {"failureReason": reason}, "replay": True}, "advice": {"reconnect": "none"},
         "channel": "/meta/handshake", "id": "1", "error": "403::Handshake denied", "successful": False}
    ]  # fmt: skip


def test_a_client_id_of_another_user_is_refused(org: RunningOrg, raw: Make) -> None:
    mine, thief = raw().open(), raw(org.integration_token())
    thief.headers["Cookie"], thief.client = mine.headers["Cookie"], mine.client

    stolen = [thief.poll()[0], thief.subscribe(),
              thief.ask({"channel": "/meta/disconnect", "clientId": mine.client}).json[0]]  # fmt: skip
    mine.send(mine.connection_message)
    publish(org, "still mine")

    assert {reply["error"] for reply in stolen} == {"400::Authenticated user id does not match the session's user id"}
    assert numbers(mine.receive().json) == ["still mine"]


def test_a_token_that_is_revoked_ends_the_poll_it_began(org: RunningOrg, raw: Make) -> None:
    server = org.door.server

    async def login() -> str:
        access = server.db.read_now(lambda reader: server.sessions.access(reader, server.org.admin_id))
        assert access is not None
        return await server.grants.open_session(access, None)

    token = str(org.do(login))
    client = raw(token).open()
    client.send(client.connection_message)
    until(lambda: streams(org).clients.waiting > 0)
    org.request("POST", "/services/oauth2/revoke", f"token={token}".encode(),
                headers={"Content-Type": "application/x-www-form-urlencoded"})  # fmt: skip
    (reply,) = client.receive().json

    assert reply["error"] == "401::Authentication invalid"
    assert reply["advice"] == {"reconnect": "none", "interval": 0}
    assert client.poll()[0]["error"] == "401::Authentication invalid"


@pytest.mark.ledger("cometd.field-rights", "guessed", "fields a user may not see are left out of change events")
def test_a_change_event_hides_the_fields_its_reader_may_not_see(org: RunningOrg, raw: Make) -> None:
    everything, little = raw().open("/data/ChangeEvents"), raw(org.integration_token()).open("/data/ChangeEvents")
    account = org.create("Account", Name="Seen", AnnualRevenue=12345, BillingCity="Hidden", BillingCountry="Shown")
    org.data("PATCH", f"/sobjects/Account/{account}", {"AnnualRevenue": 54321, "Name": "Still seen"})

    def payloads(client: Raw) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while len(found) < 2:
            found += [message["data"]["payload"] for message in client.poll() if "data" in message]
        return found

    created, updated = payloads(everything)
    less_created, less_updated = payloads(little)
    assert created["AnnualRevenue"] == 12345
    assert created["BillingAddress"] == {"City": "Hidden", "Country": "Shown"}
    assert "AnnualRevenue" not in less_created
    assert less_created["BillingAddress"] == {"Country": "Shown"}
    assert "AnnualRevenue" in updated["ChangeEventHeader"]["changedFields"]
    assert "AnnualRevenue" not in less_updated["ChangeEventHeader"]["changedFields"]
    assert less_updated["Name"] == "Still seen"


# --- channels and replay -----------------------------------------------------------------------------------------


def collection(org: RunningOrg, first: int, count: int) -> None:
    """So many packing events in requests of 200."""
    for start in range(first, first + count, 200):
        records = [{"attributes": {"type": "Packing_Event__e"}, "Order_Number__c": str(n)}
                   for n in range(start, min(start + 200, first + count))]  # fmt: skip
        reply = org.data("POST", "/composite/sobjects", {"allOrNone": True, "records": records})
        assert all(one["success"] for one in reply.json), reply.raw


@pytest.mark.ledger("cometd.replay", "documented", "events.md section 3")
def test_everything_kept_is_replayed_in_order_after_a_restart_and_so_is_what_follows_an_id(
    home: Path, tmp_path: Path, raw: Make
) -> None:
    settings: dict[str, Any] = {"home": home, "data": tmp_path / "org", "source": (SHOP,)}
    with RunningOrg(**settings) as org:
        collection(org, 0, 1_200)

    def replay(org: RunningOrg, after: int, last: str) -> list[dict[str, Any]]:
        client = raw(of=org).handshake()
        assert client.subscribe(TOPIC, after)["successful"]
        found: list[dict[str, Any]] = []
        while not found or found[-1]["data"]["payload"]["Order_Number__c"] != last:
            polled = [message for message in client.poll() if "data" in message]
            assert len(polled) <= 500
            found += polled
        return found

    with RunningOrg(**settings) as org:
        collection(org, 1_200, 100)
        everything = replay(org, -2, "1299")
        middle = everything[777]["data"]["event"]["replayId"]
        rest = replay(org, middle, "1299")
        beyond = raw(of=org).handshake().subscribe(TOPIC, everything[-1]["data"]["event"]["replayId"] + 1)

    assert numbers(everything) == [str(number) for number in range(1_300)]
    assert numbers(rest) == [str(number) for number in range(778, 1_300)]
    assert beyond["error"].startswith("400::The replayId {1301} you provided was invalid.")


@pytest.mark.ledger("cometd.retention", "documented", "events.md sections 1 and 3")
def test_a_place_that_retention_has_trimmed_is_refused_and_never_passed_over(home: Path, raw: Make) -> None:
    token = "00D-preshared!does-not-expire-when-a-test-jumps"
    with RunningOrg(home=home, source=(SHOP,), access_token=token) as org:
        collection(org, 0, 3)

        async def four_days_later() -> int:
            server = org.door.server
            server.clock.jump(timedelta(hours=96))
            return await Retention(server.db, server.events, server.clock).sweep()

        assert org.do(four_days_later) == 3
        collection(org, 3, 2)
        client = raw(of=org).handshake()
        gone = client.subscribe(TOPIC, 1)
        assert client.subscribe(TOPIC, -2)["successful"]
        kept = client.poll()

    assert gone["error"] == (
        "400::The replayId {1} you provided was invalid. Please provide a valid ID, -2 to replay all events, or -1 to replay "
        "only new events."
    )
    assert numbers(kept) == ["3", "4"]


@pytest.mark.ledger("cometd.channels", "documented", "events.md section 1")
def test_a_custom_channel_shows_what_its_filter_lets_through(home: Path, tmp_path: Path, raw: Make) -> None:
    meta = '<{0} xmlns="http://soap.sforce.com/2006/04/metadata">{1}</{0}>'
    channel = "<channelType>event</channelType><label>Packed</label>"
    member = ("<eventChannel>Packed__chn</eventChannel><filterExpression>Status__c = 'Packed'</filterExpression>"
              "<selectedEntity>Packing_Event__e</selectedEntity>")  # fmt: skip
    for name, text in (
        ("platformEventChannels/Packed__chn.platformEventChannel-meta.xml", meta.format("PlatformEventChannel", channel)),
        ("platformEventChannelMembers/Packed_chn_Packing_Event_e.platformEventChannelMember-meta.xml",
         meta.format("PlatformEventChannelMember", member)),
    ):  # fmt: skip
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(text)
    with RunningOrg(home=home, source=(SHOP, tmp_path)) as org:
        client = raw(of=org).open("/event/Packed__chn")
        client.send(client.connection_message)
        until(lambda: streams(org).clients.waiting == 1)
        for number, status in enumerate(("Picked", "Packed", "Sent", "Packed")):
            org.create("Packing_Event__e", Order_Number__c=str(number), Status__c=status)
        messages = client.receive().json
        while len(numbers(messages)) < 2:
            messages += client.poll()

    assert numbers(messages) == ["1", "3"]
    assert {message["channel"] for message in messages if "data" in message} == {"/event/Packed__chn"}
    assert messages[0]["data"]["event"]["EventApiName"] == "Packing_Event__e"


# --- bodies ------------------------------------------------------------------------------------------------------


@pytest.mark.ledger("cometd.size", "documented", "events.md section 3")
def test_a_request_of_more_than_32768_bytes_is_refused(org: RunningOrg, raw: Make) -> None:
    client = raw().handshake()
    fits = json.dumps([{"channel": "/meta/unsubscribe", "clientId": client.client, "subscription": "/x", "id": ""}])
    longest = fits[:-3] + "y" * (32_768 - len(fits)) + fits[-3:]

    at, over = (org.request("POST", "/cometd/67.0", body.encode(), headers=client.headers)
                for body in (longest, longest + " "))  # fmt: skip

    assert at.json[0]["successful"]
    assert over.status == 413
    assert over.json == [{"error": "413::Maximum Request Size Exceeded", "successful": False}]


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"5", b'"x"', b"[[]]", b"[5]", b"null", b"\xff\xfe", b"[" * 30_000, b"message=%5B%5D",
     b"[" + b"{}," * 300 + b"{}]"],
)  # fmt: skip
def test_what_is_no_bayeux_is_refused_and_hurts_nobody(org: RunningOrg, raw: Make, body: bytes) -> None:
    client = raw().open()
    reply = org.request("POST", "/cometd/67.0", body)
    client.send(client.connection_message)
    publish(org, "undisturbed")

    assert reply.status == 400
    assert reply.json[0]["error"].startswith("400::The request is no JSON array of Bayeux messages")
    assert numbers(client.receive().json) == ["undisturbed"]


@pytest.mark.parametrize(
    "message",
    [{}, {"channel": 5}, {"channel": ["/meta/handshake"]}, {"channel": "/meta/connect", "clientId": {}},
     {"channel": "/meta/subscribe", "clientId": 7, "subscription": {}}, {"channel": "/meta/handshake", "supportedConnectionTypes": 5},
     {"channel": "/meta/handshake", "ext": 5, "supportedConnectionTypes": []}, {"id": {"a": 1}, "channel": "/meta/disconnect"}],
)  # fmt: skip
def test_a_message_of_a_wrong_shape_gets_an_error_of_its_own(raw: Make, message: dict[str, Any]) -> None:
    reply = raw().ask(message, HANDSHAKE)

    assert reply.status == 200
    bad, good = reply.json
    assert bad["successful"] is False
    assert bad["error"]
    assert good["successful"]


def test_one_object_instead_of_an_array_is_taken(org: RunningOrg) -> None:
    assert org.request("POST", "/cometd/67.0", HANDSHAKE).json[0]["successful"]


def test_messages_of_one_request_are_answered_in_order(raw: Make) -> None:
    client = raw().handshake()

    replies = client.ask(
        {"channel": "/meta/subscribe", "clientId": client.client, "subscription": TOPIC, "id": "a"},
        {"channel": "/meta/subscribe", "clientId": client.client, "subscription": "/event/Nope__e", "id": "b"},
        client.connection_message,
        {"channel": "/meta/unsubscribe", "clientId": client.client, "subscription": TOPIC, "id": "c"},
        {"channel": "/meta/disconnect", "clientId": client.client, "id": "d"},
    ).json

    assert [reply["id"] for reply in replies] == ["a", "b", "9", "c", "d"]
    assert [reply["successful"] for reply in replies] == [True, False, True, True, True]


def test_an_answer_is_compressed_for_who_asks(org: RunningOrg, raw: Make) -> None:
    client = raw().open()
    client.headers["Accept-Encoding"] = "gzip"
    for number in range(20):
        publish(org, f"gzip {number}")
    reply = client.ask(client.connection_message)

    assert reply.headers["content-encoding"] == "gzip"
    assert numbers(json.loads(gzip.decompress(reply.raw))) == [f"gzip {number}" for number in range(20)]


@pytest.mark.ledger("cometd.too-busy", "documented", "Streaming API Error Codes v67: the reason is nested in ext.sfdc")
def test_a_staged_failure_is_told_as_the_platform_tells_it(org: RunningOrg, raw: Make) -> None:
    client = raw().open()
    switch = Switch(
        "cometd.request", Strike(Refused("too busy")), lambda told: told["messages"][0].get("clientId") == client.client
    )
    switch_off = org.door.server.switchboard.on(switch)
    busy, well = client.poll(), raw().open()
    switch_off()

    assert busy == [
        {"ext": {"sfdc": {"failureReason": "503::Server is too busy. Please try your request again later."}},
         "clientId": client.client, "advice": {"reconnect": "retry", "interval": 2000}, "channel": "/meta/connect", "id": "9",
         "error": "503::Server is too busy. Please try your request again later.", "successful": False}
    ]  # fmt: skip
    assert well.client

    switch_off = org.door.server.switchboard.on(Switch("cometd.request", Strike(delay=0.05)))
    late = client.ask({**client.connection_message, "advice": {"timeout": 0}}).json
    switch_off()
    assert late[0]["successful"]
    assert client.ask({**client.connection_message, "advice": {"timeout": 0}}).json[0]["successful"]


# --- clients that come to nothing --------------------------------------------------------------------------------


@pytest.mark.parametrize("politely", [True, False])
def test_a_client_that_vanishes_frees_its_connect_and_finds_its_place_again(
    org: RunningOrg, raw: Make, politely: bool
) -> None:
    client = raw().open()
    held = streams(org).clients.waiting
    client.send(client.connection_message)
    until(lambda: streams(org).clients.waiting == held + 1)
    client.vanish(politely=politely)
    until(lambda: streams(org).clients.waiting == held)
    publish(org, "missed")
    back = raw()
    back.headers, back.client = client.headers, client.client

    assert numbers(back.poll()) == ["missed"]


def test_one_who_does_not_read_is_cut_off_from_memory_and_disturbs_nobody(home: Path, raw: Make) -> None:
    with RunningOrg(home=home, source=(SHOP,), daily_api_requests=1_000_000, hourly_published_events=1_000_000) as org:
        for number in range(3_000):
            publish(org, f"{number:04}" + "x" * 50)
        deaf, well = raw(of=org).handshake(), raw(of=org).handshake()
        connect = json.dumps([deaf.connection_message]).encode()
        again = json.dumps(
            [
                {
                    "channel": "/meta/subscribe",
                    "clientId": deaf.client,
                    "subscription": TOPIC,
                    "ext": {"replay": {TOPIC: -2}},
                }
            ]
        )
        lines = "".join(f"{name}: {value}\r\n" for name, value in deaf.headers.items())

        def request(body: bytes) -> bytes:
            return (
                f"POST /cometd/67.0 HTTP/1.1\r\nHost: x\r\n{lines}Content-Length: {len(body)}\r\n\r\n".encode() + body
            )

        with socket.create_connection(("127.0.0.1", org.port)) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.setblocking(False)
            asked = 0
            # Some hundred kilobytes an answer: it asks for everything again and again, and never reads.
            for _ in range(400):
                try:
                    asked += sock.send(request(again.encode()) + request(connect))
                except BlockingIOError:
                    time.sleep(0.01)
            connections = org.door.listener._connections.open
            buffered = max(c._transport.get_write_buffer_size() for c in connections if c._transport is not None)
            assert well.subscribe()["successful"]
            well.poll()
            well.send(well.connection_message)
            publish(org, "heard")
            heard = numbers(well.receive().json)

    assert asked > 50_000
    assert heard == ["heard"]
    assert buffered < 4 << 20


def test_a_thousand_idle_clients_cost_little_and_slow_nobody(home: Path, raw: Make) -> None:
    with RunningOrg(home=home, source=(SHOP,)) as org:
        resident = memory()
        idle = [raw(of=org).open("/data/Garden_Order__ChangeEvent") for _ in range(1_000)]
        for client in idle:
            client.send(client.connection_message)
        until(lambda: streams(org).clients.waiting == 1_000)
        cost = (memory() - resident) / 1_000
        busy = raw(of=org).open()
        heard: list[str] = []
        for number in range(20):
            busy.send(busy.connection_message)
            publish(org, str(number))
            heard += numbers(busy.receive().json)
        order = org.create("Garden_Order__c", Shop_Reference__c="X-1")
        told = [client.receive().json[0]["data"]["payload"]["ChangeEventHeader"]["recordIds"] for client in idle]

    assert heard == [str(number) for number in range(20)]
    assert told == [[order]] * 1_000
    assert cost < 64 * 1024  # both ends of each connection are in this process


def memory() -> int:
    """Resident bytes of this process."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024


def test_a_storm_of_handshakes_leaves_others_alone(home: Path, raw: Make) -> None:
    with RunningOrg(home=home, source=(SHOP,), streaming_clients=50) as org:
        well = raw(of=org).open()
        well.send(well.connection_message)
        storm = raw(org.integration_token(), of=org)
        for _ in range(200):
            storm.ask(*[HANDSHAKE] * 10)
        publish(org, "heard")

        assert len(streams(org).clients) <= 50 + 1_000
        assert numbers(well.receive().json) == ["heard"]
        assert raw(of=org).open()


def test_held_connects_are_answered_when_the_server_closes(home: Path, raw: Make) -> None:
    with RunningOrg(home=home, source=(SHOP,)) as org:
        client = raw(of=org).open()
        client.send(client.connection_message)
        until(lambda: streams(org).clients.waiting == 1)
        start = time.monotonic()

    (reply,) = client.receive().json
    assert reply["successful"]
    assert time.monotonic() - start < 4  # not the five seconds after which connections are cut


@pytest.mark.ledger("cometd.times", "documented", "events.md section 3: 110 s and 40 s")
def test_the_orgs_clock_ends_a_poll_and_forgets_the_absent(org: RunningOrg, raw: Make) -> None:
    polling, absent = raw().open(), raw().open()
    polling.send(polling.connection_message)
    until(lambda: streams(org).clients.waiting > 0)

    async def jump() -> None:
        org.door.server.clock.jump(timedelta(seconds=111))

    org.do(jump)
    (reply,) = polling.receive().json
    (gone,) = absent.poll()

    assert reply["successful"]
    assert gone["error"] == "403::Unknown client"
    assert gone["advice"] == {"reconnect": "handshake", "interval": 0}


@pytest.mark.ledger(
    "cometd.session-expiry", "documented", "Handling Streaming API Errors: a session does not expire while connected"
)
def test_a_session_does_not_expire_while_its_client_is_connected(org: RunningOrg, raw: Make) -> None:
    client = raw(org.integration_token()).open()
    client.send(client.connection_message)
    until(lambda: streams(org).clients.waiting > 0)

    async def jump() -> None:
        org.door.server.clock.jump(timedelta(hours=3))

    org.do(jump)
    first = client.receive().json
    second = client.ask({**client.connection_message, "advice": {"timeout": 0}}).json

    assert first[0]["successful"]
    assert second[0]["successful"]
