"""What goes out and what comes back, against an outside system on a real socket."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from landbridge.callouts import CalloutFailed, Kind, Sent, Target, request
from tests.callouts.conftest import Org
from tests.support.outside import Answer, answer, outside


async def test_a_callout_goes_out_and_its_answer_comes_back_as_a_value(org: Org) -> None:
    async with outside(lambda got: answer({"id": 7}, 201)) as erp:
        await org.credential("ERP", f"{erp.url}/api")
        run = org.callouts.run(flow="shop", correlation_id="0af76519-16cd-43dd-8448-eb211c80319c")

        outcome = await org.callouts.send(
            request("ERP", "PUT", "/orders/7?full=1", json={"n": 1}, query={"a": "b c"}, idempotency_key="k1"), run
        )

    assert (outcome.kind, outcome.sent, outcome.status, outcome.json()) == (Kind.ANSWERED, Sent.YES, 201, {"id": 7})
    got = erp.got[0]
    assert (got.method, got.target, got.body) == ("PUT", "/api/orders/7?full=1&a=b%20c", b'{"n":1}')
    assert got.headers["idempotency-key"] == "k1"
    assert got.headers["content-type"] == "application/json"
    assert got.headers["traceparent"].startswith("00-0af7651916cd43dd8448eb211c80319c-")


async def test_every_callout_is_a_row_of_the_journal(org: Org) -> None:
    async with outside(lambda got: answer({"ok": True})) as erp:
        await org.credential("ERP", erp.url)
        run = org.callouts.run(flow="shop", subscription="orders", attempt=3)
        with run.active():
            await org.callouts.send(request("ERP", "GET", "orders"), run)

    [row] = await org.log()
    assert row["Flow__c"] == "shop"
    assert (row["Subscription__c"], row["Attempt__c"], row["Credential__c"]) == ("orders", 3, "ERP")
    assert (row["Method__c"], row["Url__c"], row["StatusCode__c"]) == ("GET", f"{erp.url}/orders", 200)
    assert (row["Outcome__c"], row["Sent__c"], row["Error__c"]) == ("answered", "yes", None)
    assert (row["ResponseSize__c"], row["ResponseBody__c"]) == (11, '{"ok":true}')
    assert row["CorrelationId__c"] == run.correlation_id


async def test_an_authors_verb_raises_what_is_not_2xx(org: Org) -> None:
    async with outside(lambda got: answer({"error": "no"}, 503, Retry_After="7")) as erp:
        await org.credential("ERP", erp.url)
        target = org.callouts.run().credential("erp")

        try:
            await target.get("/x")
        except CalloutFailed as failed:
            outcome = failed.outcome

    assert (outcome.status, outcome.retry_after, outcome.ok) == (503, 7.0, False)


async def test_a_target_sends_in_the_run_that_is_active_and_nowhere_else(org: Org) -> None:
    async with outside() as erp:
        await org.credential("ERP", erp.url)
        target, outer, inner = Target("ERP"), org.callouts.run(flow="outer"), org.callouts.run(flow="inner")
        with outer.active():
            await target.get("/1")
            with inner.active():
                await target.get("/2")
            await asyncio.create_task(target.get("/3"))
        with pytest.raises(RuntimeError, match="in a handler run"):
            await target.get("/4")

    assert [row["Flow__c"] for row in await org.log()] == ["outer", "inner", "outer"]


async def test_the_seconds_of_a_run_are_counted(org: Org) -> None:
    async with outside(lambda got: Answer(delay=0.05)) as erp:
        await org.credential("ERP", erp.url)
        run = org.callouts.run()
        outcomes = [await org.callouts.send(request("ERP", "GET", "/"), run) for _ in range(2)]

    assert run.calls == 2
    assert run.seconds == pytest.approx(sum(outcome.duration for outcome in outcomes))
    assert run.seconds >= 0.1


async def test_a_header_that_comes_twice_comes_twice(org: Org) -> None:
    raw = b"HTTP/1.1 200 OK\r\nLink: <a>\r\nX-One: 1\r\nLink: <b>\r\nContent-Length: 2\r\n\r\nok"
    async with outside(lambda got: Answer(raw=raw)) as erp:
        await org.credential("ERP", erp.url)
        outcome = await org.callouts.send(request("ERP", "GET", "/"), org.callouts.run())

    assert [value for name, value in outcome.headers if name == "link"] == ["<a>", "<b>"]
    assert outcome.header("x-one") == "1"
    [row] = await org.log()
    assert "link: <a>\n" in row["ResponseHeaders__c"]
    assert "link: <b>\n" in row["ResponseHeaders__c"]


async def test_answers_with_a_length_and_no_body_leave_the_connection_good(org: Org) -> None:
    async with outside(
        lambda got: Answer(204 if got.method == "DELETE" else 200, b"" if got.method == "DELETE" else b"four")
    ) as erp:
        await org.credential("ERP", erp.url)
        run = org.callouts.run()
        found = [await org.callouts.send(request("ERP", method, "/"), run) for method in ("HEAD", "DELETE", "GET")]

    assert [outcome.body for outcome in found] == [b"", b"", b"four"]
    assert all(outcome.ok for outcome in found)
    assert erp.connections == 1


@pytest.mark.skipif(not Path("/proc/self/task").exists() or not hasattr(os, "SCHED_BATCH"), reason="Linux's own")
async def test_the_clients_thread_is_one_of_batches_and_ours_is_not() -> None:
    """In a process of its own: whoever makes the first client in this one decides for all."""
    program = """
import os
from landbridge.callouts.transport import _started
from pyreqwest.client import ClientBuilder
_started(ClientBuilder())
policies = {open(f"/proc/self/task/{t}/comm").read().strip(): os.sched_getscheduler(int(t)) for t in os.listdir("/proc/self/task")}
print(os.sched_getscheduler(0) == os.SCHED_OTHER, [policy for name, policy in policies.items() if name.startswith("pyreqwest")])
"""
    ended = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert ended.stdout.strip() == f"True [{os.SCHED_BATCH}]"
