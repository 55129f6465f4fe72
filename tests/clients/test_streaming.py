"""The Streaming API through published clients, unmodified: jsforce (faye), CometD's own JavaScript client, aiosfstream-ng."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from aiosfstream_ng import Client, ReplayMarker, ReplayOption
from aiosfstream_ng.auth import AuthenticatorBase
from aiosfstream_ng.exceptions import ServerError

from tests.clients.conftest import SHOP, Served, serve
from tests.clients.programs import PATIENCE, Killable, Rest, Script

pytestmark = pytest.mark.client

TOPIC = "/event/Packing_Event__e"
_numbers = count(1)


@pytest.fixture(scope="module")
def streaming(tmp_path_factory: pytest.TempPathFactory, home: Path) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("streaming")
    with serve(folder, home, "--source", SHOP, "--capture", "Account,Contact") as served:
        yield served


@pytest.fixture(scope="module")
def rest(streaming: Served) -> Rest:
    return Rest(streaming)


def publish(rest: Rest, **more: Any) -> str:
    """One packing event; the order number by which it is known again."""
    number = f"O-{next(_numbers)}"
    rest.create("Packing_Event__e", Order_Number__c=number, **more)
    return number


def is_event(message: Any) -> bool:
    return isinstance(message, dict) and "data" in message


def number_of(message: Any) -> str:
    return str((message.get("data") or message)["payload"]["Order_Number__c"])


# --- jsforce -----------------------------------------------------------------------------------------------------


@pytest.mark.ledger("cometd.delivery", "documented", "events.md section 3")
def test_jsforce_hears_of_events_as_they_happen(streaming: Served, rest: Rest) -> None:
    body = f"""
        const subscription = connection().streaming.topic('{TOPIC}').subscribe(say);
        subscription.then(() => say('subscribed'));
    """
    with Script(streaming, body) as script:
        assert script.hear() == "subscribed"
        sent = [publish(rest, Status__c="Packed") for _ in range(3)]
        heard = [script.hear() for _ in range(3)]

    assert [number_of(message) for message in heard] == sent
    first = heard[0]
    assert list(first) == ["schema", "payload", "event"]
    assert first["payload"]["Status__c"] == "Packed"
    assert first["payload"]["CreatedById"] == streaming.ready["user_id"]
    assert sorted(first["event"]) == ["EventApiName", "EventUuid", "replayId"]
    assert first["event"]["EventApiName"] == "Packing_Event__e"
    assert [message["event"]["replayId"] for message in heard] == sorted(m["event"]["replayId"] for m in heard)


@pytest.mark.ledger("cometd.replay", "documented", "events.md section 3")
def test_jsforce_replays_what_is_kept_and_what_came_after_an_id(streaming: Served, rest: Rest) -> None:
    sent = [publish(rest) for _ in range(4)]

    def replayed(replay: int) -> list[Any]:
        body = f"""
            const client = connection().streaming.createClient([new StreamingExtension.Replay('{TOPIC}', {replay})]);
            client.subscribe('{TOPIC}', say);
        """
        with Script(streaming, body) as script:
            return script.hear_until(lambda message: number_of(message) == sent[-1])

    everything = replayed(-2)
    after_second = replayed(everything[-3]["event"]["replayId"])

    assert [number_of(message) for message in everything[-4:]] == sent
    assert [number_of(message) for message in after_second] == sent[2:]


@pytest.mark.ledger("cometd.change-events", "documented", "events.md sections 3 and 5")
def test_jsforce_hears_of_changes_with_their_header(streaming: Served, rest: Rest) -> None:
    body = """
        const topics = connection().streaming;
        topics.topic('/data/AccountChangeEvent').subscribe((m) => say({topic: 'one', m})).then(() => say('one'));
        topics.topic('/data/ChangeEvents').subscribe((m) => say({topic: 'all', m})).then(() => say('all'));
    """
    with Script(streaming, body) as script:
        assert {script.hear(), script.hear()} == {"one", "all"}
        account = rest.create("Account", Name="Heard of")
        rest.data("PATCH", f"/sobjects/Account/{account}", {"Phone": "1", "Name": "Heard again"})
        rest.data("DELETE", f"/sobjects/Account/{account}")
        heard = [script.hear() for _ in range(6)]

    one = [message["m"]["payload"] for message in heard if message["topic"] == "one"]
    all_ = [message["m"]["payload"] for message in heard if message["topic"] == "all"]
    created, updated, deleted = one
    assert one == all_
    headers = [payload["ChangeEventHeader"] for payload in one]
    assert [header["changeType"] for header in headers] == ["CREATE", "UPDATE", "DELETE"]
    assert all(header["recordIds"] == [account] and header["entityName"] == "Account" for header in headers)
    assert created["Name"] == "Heard of"
    assert headers[0]["changedFields"] == []
    assert {"Name", "Phone", "LastModifiedDate"} == set(headers[1]["changedFields"])
    assert {"Name": "Heard again", "Phone": "1"}.items() <= updated.items()
    assert set(deleted) == {"ChangeEventHeader"}


@pytest.mark.ledger("cometd.auth", "documented", "events.md section 3")
def test_jsforce_hears_that_its_token_is_bad(streaming: Served) -> None:
    body = f"""
        const failed = new StreamingExtension.AuthFailure((message) => {{ say(message); }});
        const client = connection({{accessToken: '00Dxx0000000000!gone'}}).streaming.createClient([failed]);
        client.subscribe('{TOPIC}', say);
    """
    with Script(streaming, body) as script:
        heard = script.hear()

    del heard["id"]
    assert heard == {
        "ext": {"sfdc": {"failureReason": "401::Authentication invalid"}, "replay": True},
        "advice": {"reconnect": "none"}, "channel": "/meta/handshake", "error": "403::Handshake denied", "successful": False,
    }  # fmt: skip


def test_jsforce_hears_that_a_channel_does_not_exist(streaming: Served) -> None:
    body = """
        const subscription = connection().streaming.topic('/event/Nope__e').subscribe(say);
        subscription.then(() => say('subscribed'), (error) => say(error));
    """
    with Script(streaming, body) as script:
        heard = script.hear()

    # faye takes an error with braces for one text without a code, also the platform's own
    assert heard["message"] == "400::The channel you requested to subscribe to does not exist {/event/Nope__e}"


@pytest.mark.ledger("cometd.auth", "documented", "events.md section 3")
def test_jsforce_hears_in_the_middle_of_a_poll_that_its_session_was_ended(streaming: Served) -> None:
    body = f"""
        const oauth2 = {{loginUrl: org.url, clientId: org.client_id, clientSecret: org.client_secret}};
        const c = new jsforce.Connection({{oauth2}});
        await c.login(org.username, org.password);
        const failed = new StreamingExtension.AuthFailure((message) => {{ say(message); }});
        const client = c.streaming.createClient([failed]);
        client.subscribe('{TOPIC}', say).then(async () => {{ await c.logout(); }});
    """
    with Script(streaming, body) as script:
        heard = script.hear()

    assert heard["channel"] == "/meta/connect"
    assert heard["error"] == "401::Authentication invalid"
    assert heard["advice"] == {"reconnect": "none", "interval": 0}


@pytest.mark.slow
@pytest.mark.ledger("cometd.kill", "documented", "our promise: who resumes after the last replay id misses nothing")
def test_jsforce_goes_on_after_kill_9_without_a_gap_or_a_repeat(tmp_path: Path, home: Path) -> None:
    server = Killable(tmp_path, home, "--source", SHOP, "--capture", "Account")
    rest = Rest(server.start())
    body = f"""
        const client = connection().streaming.createClient([new StreamingExtension.Replay('{TOPIC}', -2)]);
        client._dispatcher.retry = 0.2;  // seconds between its attempts to reach a server that is down
        client.subscribe('{TOPIC}', say);
    """
    sent = [publish(rest) for _ in range(3)]
    heard: list[Any] = []
    try:
        with Script(rest._served, body) as script:
            for _ in range(3):
                heard += script.hear_until(lambda message, last=sent[-1]: number_of(message) == last)  # type: ignore[misc]
                sent += [publish(rest) for _ in range(20)]  # some of these are heard, some not
                server.kill()
                rest = Rest(server.start())
                sent += [publish(rest) for _ in range(5)]
            heard += script.hear_until(lambda message: number_of(message) == sent[-1])
    finally:
        server.stop()

    assert [number_of(message) for message in heard] == sent


# --- CometD's own client -----------------------------------------------------------------------------------------

COMETD = """
    (await import('cometd-nodejs-client')).adapt();
    console.debug = () => {}; console.info = () => {}; console.warn = () => {};
    const { CometD } = await import('cometd');
    const client = new CometD();
    client.unregisterTransport('websocket');
    client.configure({url: org.url + '/cometd/66.0', requestHeaders: {Authorization: 'Bearer ' + org.access_token},
                      appendMessageTypeToURL: true, logLevel: 'error'});
"""


def test_the_cometd_client_subscribes_replays_and_says_goodbye(streaming: Served, rest: Rest) -> None:
    sent = [publish(rest)]
    body = COMETD + f"""
        client.registerExtension('replay', {{outgoing: (message) => {{
            if (message.channel === '/meta/handshake') message.ext = {{...message.ext, replay: true}};
            if (message.channel === '/meta/subscribe') message.ext = {{replay: {{'{TOPIC}': -2}}}};
            return message;
        }}}});
        client.handshake((handshake) => {{
            say(handshake);
            client.subscribe('{TOPIC}', say, (subscribed) => {{
                say(subscribed);
                client.subscribe('/event/Nope__e', say, (refused) => say(refused));
            }});
        }});
        client.addListener('/meta/disconnect', (message) => {{ say(message); process.exit(0); }});
        setTimeout(() => client.disconnect(), 3000);
    """  # fmt: skip
    with Script(streaming, body) as script:
        handshake = script.hear()
        heard = script.hear_until(lambda message: message.get("error") is not None)
        sent.append(publish(rest))
        later = script.hear_until(lambda message: message.get("channel") == "/meta/disconnect")

    assert handshake["ext"] == {"replay": True, "payload.format": True}
    assert any(message.get("subscription") == TOPIC and message["successful"] for message in heard)
    assert heard[-1]["error"].startswith("400::The channel you requested to subscribe to does not exist")
    numbers = [number_of(message) for message in heard + later if "data" in message]
    assert numbers[-2:] == sent
    assert later[-1]["successful"]


def test_the_cometd_client_shakes_hands_anew_when_the_server_forgot_it(tmp_path: Path, home: Path) -> None:
    server = Killable(tmp_path, home, "--source", SHOP)
    rest = Rest(server.start())
    body = COMETD + f"""
        client.configure({{url: org.url + '/cometd/66.0', requestHeaders: {{Authorization: 'Bearer ' + org.access_token}},
                           appendMessageTypeToURL: false, logLevel: 'error', backoffIncrement: 100, maxBackoff: 200}});
        let last = -1;
        client.registerExtension('replay', {{
            outgoing: (message) => {{
                if (message.channel === '/meta/subscribe') message.ext = {{replay: {{'{TOPIC}': last}}}};
                return message;
            }},
            incoming: (message) => {{
                if (message.data && message.data.event) last = message.data.event.replayId;
                return message;
            }}}});
        client.addListener('/meta/handshake', (handshake) => {{
            if (handshake.successful) client.subscribe('{TOPIC}', say, () => say('subscribed'));
        }});
        client.handshake();
    """  # fmt: skip
    try:
        with Script(rest._served, body) as script:
            assert script.hear() == "subscribed"
            first = publish(rest)
            before = script.hear_until(is_event)
            server.kill()
            rest = Rest(server.start())
            second = publish(rest)
            after = script.hear_until(is_event)
    finally:
        server.stop()

    assert [number_of(before[-1]), number_of(after[-1])] == [first, second]
    assert "subscribed" in after  # on a busy machine the client may have shaken hands more than once


# --- aiosfstream-ng ----------------------------------------------------------------------------------------------


class Known(AuthenticatorBase):
    """Logs in with the token of a ready file: the library's own logins are fixed to the platform's hosts."""

    def __init__(self, served: Served, token: str | None = None) -> None:
        super().__init__()
        self._served = served
        self._token = token or served.ready["access_token"]

    async def _authenticate(self) -> tuple[int, dict[str, Any]]:
        return 200, {
            "instance_url": self._served.ready["url"], "access_token": self._token, "token_type": "Bearer", "id": "x",
            "signature": "x", "issued_at": "0",
        }  # fmt: skip


async def heard_by(client: Client, many: int) -> list[str]:
    async with asyncio.timeout(PATIENCE):
        return [number_of(await client.receive()) for _ in range(many)]


@pytest.mark.ledger("cometd.handshake", "documented", "events.md section 3")
async def test_aiosfstream_hears_of_events_as_they_happen(streaming: Served, rest: Rest) -> None:
    async with Client(Known(streaming)) as client:
        await client.subscribe(TOPIC)
        sent = [await asyncio.to_thread(publish, rest) for _ in range(3)]
        heard = await heard_by(client, 3)

    assert heard == sent


async def test_aiosfstream_takes_up_where_it_left_off(streaming: Served, rest: Rest) -> None:
    storage: dict[str, ReplayMarker] = {}
    async with Client(Known(streaming), replay=storage) as client:
        await client.subscribe(TOPIC)
        first = await asyncio.to_thread(publish, rest)
        heard = await heard_by(client, 1)
    missed = [await asyncio.to_thread(publish, rest) for _ in range(3)]
    async with Client(Known(streaming), replay=storage) as client:
        await client.subscribe(TOPIC)
        heard += await heard_by(client, 3)

    assert heard == [first, *missed]


async def test_aiosfstream_replays_everything_when_its_place_is_gone(streaming: Served, rest: Rest) -> None:
    sent = await asyncio.to_thread(publish, rest)
    storage = {TOPIC: ReplayMarker(date="2000-01-01", replay_id=999_999_999)}
    async with Client(Known(streaming), replay=storage, replay_fallback=ReplayOption.ALL_EVENTS) as client:
        await client.subscribe(TOPIC)
        heard: list[int] = []
        async with asyncio.timeout(PATIENCE):
            while sent not in heard:
                heard.append(number_of(await client.receive()))

    assert heard[-1] == sent


async def test_aiosfstream_hears_documented_errors(streaming: Served) -> None:
    async with Client(Known(streaming)) as client:
        with pytest.raises(ServerError) as unknown:
            await client.subscribe("/topic/Accounts")
        with pytest.raises(ServerError) as restricted:
            await client.subscribe("/s/notifications")
    with pytest.raises(ServerError) as denied:
        await Client(Known(streaming, "00Dxx0000000000!gone")).open()

    assert unknown.value.error_code == 400
    assert unknown.value.error_message == "The channel you requested to subscribe to does not exist {/topic/Accounts}"
    assert (restricted.value.error_code, restricted.value.error_message) == (403, "Restricted channel")
    assert (denied.value.error_code, denied.value.error_message) == (403, "Handshake denied")
