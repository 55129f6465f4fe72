"""A remote failure is a value that says what happened, whether the target can have seen it, and when to come again."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from landbridge.callouts import CalloutFailed, Kind, Outcome, Request, Sent, UnknownCredential, request
from landbridge.callouts.run import MOST_CALLS
from landbridge.errors import LandbridgeError
from landbridge.faults import StagedReply, Strike
from landbridge.faults.switchboard import Switch
from landbridge.storage import Unit
from tests.callouts.conftest import Org
from tests.support.outside import Answer, answer, outside


async def send(org: Org, path: str = "/x", method: str = "POST", **given: Any) -> Outcome:
    return await org.callouts.send(request("ERP", method, path, **given), org.callouts.run(limits=False))


async def test_no_answer_in_time_may_have_been_done(org: Org) -> None:
    async with outside(lambda got: Answer(delay=30)) as erp:
        await org.credential("ERP", erp.url)
        outcome = await send(org, timeout=0.2)

    assert (outcome.kind, outcome.sent, outcome.status) == (Kind.TIMEOUT, Sent.MAYBE, 0)
    assert len(erp.got) == 1
    [row] = await org.log()
    assert (row["Outcome__c"], row["StatusCode__c"], row["Error__c"]) == ("timeout", None, "no answer in time")


async def test_half_an_answer_was_sent_for_certain(org: Org) -> None:
    async with outside(lambda got: Answer(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")) as erp:
        await org.credential("ERP", erp.url)
        outcome = await send(org)

    assert (outcome.kind, outcome.sent) == (Kind.LOST, Sent.YES)


async def test_a_server_that_takes_the_connection_and_says_nothing_may_have_done_it(org: Org) -> None:
    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(mute, "127.0.0.1", 0)
    async with server:
        await org.credential("ERP", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", timeout=0.3)
        plain = await send(org)
        await org.credential("ERP", f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}", timeout=0.3)
        secure = await send(org)
        await org.callouts.disconnect()

    assert (plain.kind, plain.sent) == (Kind.TIMEOUT, Sent.MAYBE)
    assert (secure.kind, secure.sent) == (Kind.TIMEOUT, Sent.NO), "TLS never stood, so nothing was sent"


async def test_nobody_there_is_certainly_not_sent(org: Org) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        await org.credential("ERP", f"http://127.0.0.1:{taken.getsockname()[1]}")
        outcome = await send(org)

    assert (outcome.kind, outcome.sent) == (Kind.CONNECT, Sent.NO)
    assert "refused" in outcome.error.lower()


async def test_a_name_that_nobody_knows_is_certainly_not_sent(org: Org) -> None:
    await org.credential("ERP", "http://nobody.invalid")
    outcome = await send(org)

    assert (outcome.kind, outcome.sent) == (Kind.CONNECT, Sent.NO)


async def test_a_server_that_is_not_trusted_is_certainly_not_sent(org: Org, tls: Any) -> None:
    async with outside(context=tls.server()) as erp:
        await org.credential("ERP", erp.url)
        outcome = await send(org)

    assert (outcome.kind, outcome.sent) == (Kind.CONNECT, Sent.NO)
    assert erp.got == []


async def test_a_connection_that_breaks_may_have_been_done(org: Org) -> None:
    async with outside(lambda got: Answer(raw=b"")) as erp:
        await org.credential("ERP", erp.url)
        outcome = await send(org)

    assert (outcome.kind, outcome.sent) == (Kind.LOST, Sent.MAYBE)
    assert len(erp.got) == 1, "a request that may have been done is not sent again"


async def test_what_is_no_http_is_lost(org: Org) -> None:
    async with outside(lambda got: Answer(raw=b"SSH-2.0-OpenSSH\r\n")) as erp:
        await org.credential("ERP", erp.url)
        outcome = await send(org)

    assert (outcome.kind, outcome.sent) == (Kind.LOST, Sent.MAYBE)


async def test_an_answer_is_bounded_whatever_length_it_announces_or_not(org: Org) -> None:
    async with outside(lambda got: Answer(body=b"x" * 1000, chunks=300)) as erp:
        await org.credential("ERP", erp.url, max_body=200_000)
        outcome = await send(org)

    assert (outcome.kind, outcome.sent, outcome.status) == (Kind.TOO_LARGE, Sent.YES, 200)
    assert outcome.body == b""


async def test_an_answer_of_just_the_bound_is_taken(org: Org) -> None:
    async with outside(lambda got: Answer(body=b"x" * 1000, chunks=200)) as erp:
        await org.credential("ERP", erp.url, max_body=200_000)
        outcome = await send(org)

    assert (outcome.kind, len(outcome.body)) == (Kind.ANSWERED, 200_000)


async def test_a_packed_answer_is_bounded_by_what_it_unpacks_to(org: Org) -> None:
    import gzip

    bomb = gzip.compress(b"\0" * 5_000_000)
    async with outside(lambda got: Answer(body=bomb, headers={"Content-Encoding": "gzip"})) as erp:
        await org.credential("ERP", erp.url, max_body=100_000)
        outcome = await send(org)

    assert len(bomb) < 100_000
    assert outcome.kind is Kind.TOO_LARGE


async def test_retry_after_as_seconds_or_as_a_date_by_the_answers_own_clock(org: Org) -> None:
    replies = iter(
        (
            answer({}, 429, Retry_After="12"),
            answer({}, 503, Retry_After="Tue, 24 Nov 2026 10:00:30 GMT", Date="Tue, 24 Nov 2026 10:00:00 GMT"),
            answer({}, 503, Retry_After="soon"),
            answer({}, 500),
            answer({}, 503, Retry_After="9" * 400),
        )
    )
    async with outside(lambda got: next(replies)) as erp:
        await org.credential("ERP", erp.url)
        outcomes = [await send(org) for _ in range(5)]

    assert [outcome.retry_after for outcome in outcomes] == [12.0, 30.0, None, None, 30 * 86400.0]


@pytest.mark.ledger(
    "callouts.uncommitted", "documented", "Apex Developer Guide, CalloutException: You have uncommitted work pending"
)
async def test_uncommitted_work_refuses_a_callout_as_on_the_platform(org: Org) -> None:
    async with outside() as erp:
        await org.credential("ERP", erp.url)
        async with org.server.db.transaction(Unit("test")) as transaction:
            run = org.callouts.run(uncommitted=lambda: transaction.holds_writer)
            before = await org.callouts.send(request("ERP", "GET", "/"), run)
            await transaction.write(lambda tx: tx.run("DELETE FROM lb_number WHERE name = 'none'"))
            during = await org.callouts.send(request("ERP", "GET", "/"), run)
        after = await org.callouts.send(request("ERP", "GET", "/"), run)

    assert (before.kind, during.kind, after.kind) == (Kind.ANSWERED, Kind.UNCOMMITTED, Kind.ANSWERED)
    assert during.error.startswith("You have uncommitted work pending")
    assert (during.sent, len(erp.got)) == (Sent.NO, 2)
    assert [row["Outcome__c"] for row in await org.log()] == ["answered", "uncommitted", "answered"]


@pytest.mark.ledger(
    "callouts.budget", "documented", "Apex Developer Guide, Execution Governors and Limits: 100 callouts"
)
async def test_a_run_has_a_hundred_callouts(org: Org) -> None:
    async with outside() as erp:
        await org.credential("ERP", erp.url)
        run = org.callouts.run()
        outcomes = [await org.callouts.send(request("ERP", "GET", "/"), run) for _ in range(MOST_CALLS + 1)]

    assert [outcome.kind for outcome in outcomes[-2:]] == [Kind.ANSWERED, Kind.BUDGET]
    assert outcomes[-1].error == "Too many callouts: 101"
    assert len(erp.got) == MOST_CALLS
    assert len(await org.log()) == MOST_CALLS + 1


@pytest.mark.ledger(
    "callouts.seconds", "documented", "Apex Developer Guide, Callout Limits and Limitations: 120 seconds"
)
async def test_a_run_has_120_seconds_of_callouts(org: Org) -> None:
    async with outside() as erp:
        await org.credential("ERP", erp.url)
        run = org.callouts.run()
        run.seconds = 120.0
        spent = await org.callouts.send(request("ERP", "GET", "/"), run)
        unlimited = await send(org)

    assert (spent.kind, unlimited.kind) == (Kind.BUDGET, Kind.ANSWERED)


async def test_a_credential_that_is_switched_off_sends_nothing(org: Org) -> None:
    async with outside() as erp:
        await org.credential("ERP", erp.url, enabled=False)
        outcome = await send(org)

    assert (outcome.kind, outcome.sent, erp.got) == (Kind.REFUSED, Sent.NO, [])


async def test_mistakes_of_an_author_are_errors_not_outcomes(org: Org) -> None:
    await org.credential("ERP", "http://127.0.0.1:9")
    run = org.callouts.run()

    with pytest.raises(UnknownCredential, match="credential set CRM"):
        await org.callouts.send(request("CRM", "GET", "/"), run)
    with pytest.raises(ValueError, match="one body"):
        request("ERP", "POST", "/", json={}, data=b"")
    for path in ("/a b", "/a\r\nX: y", "/../admin", "/a/%2e%2E/b", "/.", "/a\\..\\b"):
        with pytest.raises(ValueError, match="path"):
            await org.callouts.send(request("ERP", "GET", path), run)
    for method in ("get", "CONNECT", "G T"):
        with pytest.raises(ValueError, match="method"):
            await org.callouts.send(request("ERP", method, "/"), run)
    with pytest.raises(ValueError, match="HTTP"):
        await org.callouts.send(request("ERP", "GET", "/", headers={"X": "a\r\nb"}), run)


async def test_a_credential_without_its_secret_says_how_to_set_it(org: Org) -> None:
    await org.credential("ERP", "http://127.0.0.1:9", auth="bearer")

    with pytest.raises(LandbridgeError, match="credential set ERP --secret token"):
        await send(org)


async def test_a_callout_that_is_cancelled_is_journalled_as_one_that_may_have_been_done(org: Org) -> None:
    async with outside(lambda got: Answer(delay=30)) as erp:
        await org.credential("ERP", erp.url)
        task = asyncio.create_task(send(org))
        while not erp.got:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    [row] = await org.log()
    assert (row["Outcome__c"], row["Sent__c"]) == ("lost", "maybe")


async def test_closing_ends_what_is_under_way_and_journals_it(org: Org) -> None:
    async with outside(lambda got: Answer(delay=30)) as erp:
        await org.credential("ERP", erp.url)
        task = asyncio.create_task(send(org))
        while not erp.got:
            await asyncio.sleep(0.01)
        await org.callouts.close()
        outcome = await task
        with pytest.raises(LandbridgeError, match="closing"):
            await send(org)

    assert (outcome.kind, outcome.sent) == (Kind.LOST, Sent.MAYBE)
    assert [row["Outcome__c"] for row in await org.log()] == ["lost"]


# --- staged failures -----------------------------------------------------------------------------------------------


STAGED = [
    ("before", TimeoutError(), Kind.TIMEOUT, Sent.MAYBE, 0, 0),
    ("before", ConnectionRefusedError(), Kind.CONNECT, Sent.NO, 0, 0),
    ("before", ConnectionResetError(), Kind.LOST, Sent.MAYBE, 0, 0),
    ("before", StagedReply(503, (("retry-after", "3"),), b"busy"), Kind.ANSWERED, Sent.YES, 503, 0),
    ("after", TimeoutError(), Kind.TIMEOUT, Sent.MAYBE, 0, 1),
    ("after", ConnectionResetError(), Kind.LOST, Sent.MAYBE, 0, 1),
    ("after", StagedReply(500), Kind.ANSWERED, Sent.YES, 500, 1),
]


@pytest.mark.parametrize(
    ("when", "error", "kind", "sent", "status", "effects"), STAGED, ids=lambda v: getattr(v, "value", type(v).__name__)
)
async def test_a_failure_can_be_staged_before_and_after_the_effect(
    org: Org, when: str, error: Exception, kind: Kind, sent: Sent, status: int, effects: int
) -> None:
    async with outside() as erp:
        await org.credential("ERP", erp.url)
        off = org.server.switchboard.on(
            Switch("callout.send", Strike(error), matches=lambda c: c["when"] == when and c["credential"] == "ERP")
        )
        outcome = await send(org)
        off()
        again = await send(org)

    assert (outcome.kind, outcome.sent, outcome.status) == (kind, sent, status)
    assert (again.kind, len(erp.got)) == (Kind.ANSWERED, effects + 1)
    assert [row["Outcome__c"] for row in await org.log()] == [kind.value, "answered"], "staged or not: journalled alike"


async def test_a_staged_delay_beyond_the_timeout_is_a_timeout(org: Org) -> None:
    async with outside() as erp:
        await org.credential("ERP", erp.url)
        org.server.switchboard.on(Switch("callout.send", Strike(delay=5.0), matches=lambda c: c["when"] == "after"))
        outcome = await send(org, timeout=0.1)

    assert (outcome.kind, outcome.sent, len(erp.got)) == (Kind.TIMEOUT, Sent.MAYBE, 1)


# --- redirects and hosts -------------------------------------------------------------------------------------------


async def test_a_redirect_on_the_same_host_is_followed_for_what_is_safe(org: Org) -> None:
    def moved(got: Any) -> Answer:
        return answer({"at": got.path}) if got.path == "/new" else answer({}, 302, Location="/new")

    async with outside(moved) as erp:
        await org.credential("ERP", erp.url, auth="bearer", secrets={"token": "t0ken-value"})
        read = await send(org, "/old", "GET")
        written = await send(org, "/old", "POST", json={})

    assert (read.status, read.json()) == (200, {"at": "/new"})
    assert erp.got[1].headers["authorization"] == "Bearer t0ken-value"
    assert written.status == 302, "a POST never becomes a GET"
    assert [row["StatusCode__c"] for row in await org.log()] == [302, 200, 302], "each request is a callout"


async def test_a_redirect_of_307_sends_the_body_again_on_the_same_host(org: Org) -> None:
    def moved(got: Any) -> Answer:
        return answer({}, 200) if got.path == "/new" else answer({}, 307, Location="/new")

    async with outside(moved) as erp:
        await org.credential("ERP", erp.url)
        outcome = await send(org, "/old", "POST", data=b"body", idempotency_key="k")

    assert (outcome.status, erp.got[1].body, erp.got[1].headers["idempotency-key"]) == (200, b"body", "k")


async def test_a_redirect_to_another_host_is_refused_and_never_called(org: Org) -> None:
    async with outside() as other, outside(lambda got: answer({}, 302, Location=f"{other.url}/steal")) as erp:
        await org.credential("ERP", erp.url, auth="bearer", secrets={"token": "t0ken-value"})
        outcome = await send(org, "/", "GET")

    assert (outcome.kind, outcome.sent, outcome.status) == (Kind.REFUSED, Sent.YES, 302)
    assert "another host" in outcome.error
    assert other.got == []


@pytest.mark.parametrize(
    "location",
    [
        "//127.0.0.1:{other}/",
        "http://user@127.0.0.1:{erp}/",
        "http://127.0.0.1:{erp}@127.0.0.1:{other}/",
        "gopher://127.0.0.1/",
    ],
)
async def test_a_redirect_that_only_looks_alike_is_refused(org: Org, location: str) -> None:
    def away(got: Any) -> Answer:
        return answer({}, 307, Location=location.format(erp=erp.port, other=other.port))

    async with outside() as other, outside(away) as erp:
        await org.credential("ERP", erp.url)
        outcome = await send(org)

    assert (outcome.kind, other.got, len(erp.got)) == (Kind.REFUSED, [], 1)


async def test_a_redirect_from_https_to_http_is_refused(org: Org, tls: Any) -> None:
    def down(got: Any) -> Answer:
        return answer({}, 302, Location=f"http://127.0.0.1:{erp.port}/")

    async with outside(down, tls.server()) as erp:
        await org.credential("ERP", erp.url, ca=tls.ca_pem)
        outcome = await send(org, "/", "GET")

    assert (outcome.kind, len(erp.got)) == (Kind.REFUSED, 1)
    assert "https to http" in outcome.error


async def test_redirects_in_a_circle_end(org: Org) -> None:
    async with outside(lambda got: answer({}, 302, Location="/again")) as erp:
        await org.credential("ERP", erp.url)
        outcome = await send(org, "/", "GET")

    assert (outcome.kind, len(erp.got)) == (Kind.REFUSED, 6)


async def test_another_host_is_called_only_when_the_credential_allows_it(org: Org) -> None:
    async with outside() as other, outside() as erp:
        await org.credential("ERP", erp.url)
        refused = await send(org, f"{other.url}/x")
        await org.credential("ERP", erp.url, allowed_hosts=[f"127.0.0.1:{other.port}"])
        allowed = await send(org, f"{other.url}/x")

    assert (refused.kind, refused.sent) == (Kind.REFUSED, Sent.NO)
    assert "--allow-host" in refused.error
    assert (allowed.kind, len(other.got)) == (Kind.ANSWERED, 1)


async def test_a_path_can_not_change_the_host(org: Org) -> None:
    async with outside() as other, outside() as erp:
        await org.credential("ERP", erp.url)
        for path in (f"//127.0.0.1:{other.port}/x", f"@127.0.0.1:{other.port}/x", f"\\\\127.0.0.1:{other.port}/x"):
            await send(org, path)

    assert (len(erp.got), other.got) == (3, [])


async def test_an_authors_verb_carries_the_outcome(org: Org) -> None:
    async with outside(lambda got: Answer(delay=30)) as erp:
        await org.credential("ERP", erp.url)
        with pytest.raises(CalloutFailed) as failed:
            await org.callouts.run().credential("ERP").put("/x", json=1, timeout=0.1)

    assert failed.value.outcome.kind is Kind.TIMEOUT
    assert str(failed.value) == f"ERP PUT {erp.url}/x timeout: no answer in time"


def test_a_request_is_plain_data() -> None:
    import msgspec

    made = request("ERP", "PUT", "/x", json={"a": [1]}, query={"n": True}, idempotency_key="k", timeout=3)

    assert msgspec.json.decode(msgspec.json.encode(made), type=Request) == made
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(made), type=Request) == made
