"""Flows that call out: retries by what the target says, the outbox, no callout while a transaction is open, the journal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support.flows import beside, flow_org
from tests.support.outside import Answer, Got

PUT = """
    erp = flow.credential("ERP")

    @flow.on("/data/AccountChangeEvent", key="recordId", retry=FAST)
    async def on_account(change: ChangeEvent, org: Org) -> None:
        answer = await erp.put(f"/accounts/{change.record_id}", json={"name": change.get("Name")}, idempotency_key=change.uuid)
        SEEN.append(answer.json())
"""


def test_a_failed_callout_is_tried_again_with_the_same_idempotency_key(tmp_path: Path, home: Path) -> None:
    statuses = iter((503, 429, 200))
    with flow_org(tmp_path, home, PUT) as org, beside(org, lambda _got: Answer(next(statuses), b'{"ok": true}')) as erp:
        account = org.create("Account", Name="Rosehill")
        org.finished()

        assert [got.path for got in erp.got] == [f"/accounts/{account}"] * 3
        keys = {got.headers["idempotency-key"] for got in erp.got}
        traces = {got.headers["traceparent"].split("-")[1] for got in erp.got}
        assert (len(keys), len(traces)) == (1, 1), "one delivery, one key, one trace"
        assert org.seen == [{"ok": True}]
        rows = org.rows(
            "SELECT StatusCode__c, Attempt__c, Subscription__c, Flow__c FROM Callout_Log__c ORDER BY Attempt__c"
        )
        assert [(row["StatusCode__c"], row["Attempt__c"]) for row in rows] == [(503, 1), (429, 2), (200, 3)]
        assert {(row["Flow__c"], row["Subscription__c"]) for row in rows} == {("test", "test/on_account")}


def test_what_the_target_refuses_is_a_dead_letter_with_its_answer(tmp_path: Path, home: Path) -> None:
    with (
        flow_org(tmp_path, home, PUT) as org,
        beside(org, lambda _got: Answer(422, b'{"why": "no such depot"}')) as erp,
    ):
        org.create("Account", Name="Rosehill")
        org.finished()

        assert len(erp.got) == 1
        (letter,) = org.letters()
        assert (letter["Kind__c"], letter["Code__c"]) == ("status", "HTTP 422")
        assert "no such depot" in letter["Error__c"]


def test_an_open_breaker_costs_no_attempt(tmp_path: Path, home: Path) -> None:
    broken = [True]

    def handler(_got: Got) -> Answer:
        return Answer(500 if broken[0] else 200)

    body = PUT.replace("retry=FAST", "retry=Retry(attempts=4, first=0.01, longest=0.01)")
    with (
        flow_org(tmp_path, home, body) as org,
        beside(org, handler, breaker={"failures": 2, "wait": 0.3}) as erp,
    ):
        org.create("Account", Name="Rosehill")
        while len(erp.got) < 2:
            org.request("GET", "/services/landbridge/v1/health")
        broken[0] = False
        org.finished()

        assert org.letters() == []
        assert len(org.seen) == 1
        outcomes = [row["Outcome__c"] for row in org.rows("SELECT Outcome__c FROM Callout_Log__c")]
        assert "breaker" in outcomes


LATER = """
    erp = flow.credential("ERP")

    @flow.on("/data/AccountChangeEvent", retry=FAST, on_failure="skip")
    async def on_account(change: ChangeEvent, org: Org, attempt: Attempt) -> None:
        name = change.get("Name")
        await erp.later.post("/log", json={"name": name, "try": attempt.number}, key="log")
        if name == "in a transaction":
            async with org.transaction() as tx:
                await tx.insert("Contact", {"LastName": "with it"})
                await erp.later.put("/kept", json={"try": attempt.number})
            try:
                async with org.transaction() as tx:
                    await tx.insert("Contact", {"LastName": "undone"})
                    await erp.later.put("/undone", json={})
                    raise KeyError("rolled back")
            except KeyError:
                pass
        if name != "good":
            raise ConnectionError("not this time")
"""


def test_the_outbox_sends_after_the_commit_or_never(tmp_path: Path, home: Path) -> None:
    with flow_org(tmp_path, home, LATER) as org, beside(org, lambda _got: Answer()) as erp:
        org.create("Account", Name="good")
        org.finished()
        org.create("Account", Name="bad")
        org.create("Account", Name="in a transaction")
        org.finished()

        assert [(got.path, got.body) for got in erp.got] == [
            ("/log", b'{"name":"good","try":1}'),
            ("/kept", b'{"try":1}'),
        ]
        assert len({got.headers["idempotency-key"] for got in erp.got}) == 2
        assert [row["LastName"] for row in org.rows("SELECT LastName FROM Contact")] == ["with it"]


def test_the_outbox_keeps_its_own_order_and_tries_again(tmp_path: Path, home: Path) -> None:
    statuses = iter((503, 200, 200, 200))
    body = """
        erp = flow.credential("ERP")

        @flow.on("/data/AccountChangeEvent")
        async def on_account(change: ChangeEvent) -> None:
            for number in range(3):
                await erp.later.put(f"/{number}", json={})
    """
    with flow_org(tmp_path, home, body) as org, beside(org, lambda _got: Answer(next(statuses))) as erp:
        org.create("Account", Name="x")
        while len(erp.got) < 4:
            org.request("GET", "/services/landbridge/v1/health")
        org.finished()

        assert [got.path for got in erp.got] == ["/0", "/0", "/1", "/2"]


def test_no_callout_while_a_transaction_has_written(tmp_path: Path, home: Path) -> None:
    body = """
        erp = flow.credential("ERP")

        @flow.on("/data/AccountChangeEvent", on_failure="skip")
        async def on_account(change: ChangeEvent, org: Org) -> None:
            async with org.transaction() as tx:
                await tx.insert("Contact", {"LastName": "x"})
                await erp.put("/", json={})
    """
    with flow_org(tmp_path, home, body) as org, beside(org, lambda _got: Answer()) as erp:
        org.create("Account", Name="x")
        org.finished()

        assert erp.got == []
        assert org.rows("SELECT Id FROM Contact") == []
        (letter,) = org.letters()
        assert (letter["Kind__c"], letter["Code__c"]) == ("invalid", "uncommitted")


def test_an_edited_payload_goes_out_under_a_key_of_its_own(tmp_path: Path, home: Path) -> None:
    def handler(got: Got) -> Answer:
        return Answer(200 if b"mended" in got.body else 422)

    with flow_org(tmp_path, home, PUT) as org, beside(org, handler) as erp:
        org.create("Account", Name="broken")
        org.finished()
        (letter,) = org.letters()
        root = f"/services/landbridge/v1/deadletters/{letter['Id']}"
        payload = letter["Payload__c"].replace('"Name":"broken"', '"Name":"mended"')
        assert org.request("POST", f"{root}/dry-run", {}).json["outcome"] == "callout"
        assert org.request("PUT", f"{root}/payload", {"payload": payload}).status == 200
        replayed: Any = org.request("POST", "/services/landbridge/v1/deadletters/replay", {"ids": [letter["Id"]]})
        assert replayed.status == 200
        org.finished()

        first, second = (got.headers["idempotency-key"] for got in erp.got)
        assert second == f"{first}~1"
        assert [found["Status__c"] for found in org.letters()] == ["Resolved"]


def test_what_waits_for_a_credential_goes_out_once_it_is_set(tmp_path: Path, home: Path) -> None:
    body = PUT.replace("retry=FAST", "retry=Retry(attempts=2, first=0.01, longest=0.02)")
    with flow_org(tmp_path, home, body) as org:
        org.create("Account", Name="early")
        while org.door.server.crossing.engine.attempts < 4:
            org.request("GET", "/services/landbridge/v1/health")
        with beside(org, lambda _got: Answer()) as erp:
            org.finished()

            assert len(erp.got) == 1
            assert org.letters() == []
