"""
What a type checker sees of our public names. `mypy --strict` reads this file; nothing runs it.

A change that breaks it breaks the code of whoever embeds an org.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, assert_type

import landbridge
from landbridge import (
    Attempt,
    CalloutFailed,
    ChangeEvent,
    Door,
    Flow,
    GiveUp,
    Org,
    Retry,
    RetryLater,
    Server,
    Settings,
    Transaction,
)  # fmt: skip
from landbridge.chance import Chance
from landbridge.client import Answer, OrgError, RestClient
from landbridge.clock import Clock
from landbridge.flows.local import LocalOrg, LocalTransaction

settings = Settings(data=Path("org"), source=(Path("force-app"),), seed=(Path("plan.json"),), port=0, durability="full")
assert_type(settings.data, Path | None)
assert_type(settings.capture, tuple[str, ...])
assert_type(settings.session_timeout, float)
assert_type(landbridge.__version__, str)


async def an_org_that_answers() -> None:
    async with Door.open(settings) as door:
        assert_type(door, Door)
        assert_type(door.server, Server)
        assert_type(door.url, str)
        assert_type(door.ready, dict[str, Any])


async def an_org_with_its_own_time_and_chance() -> None:
    async with Door.open(Settings(port=0), Clock(), Chance()) as door:
        assert_type(door.server.clock, Clock)
        assert_type(door.server.chance, Chance)


async def an_org_without_a_door() -> None:
    server = await Server.open(settings)
    try:
        assert_type(server.access_token, str)
    finally:
        await server.close()


def a_client_of_any_org() -> None:
    with RestClient("https://localhost:8080", "token", Path("ca.pem")) as client:
        try:
            answer = client.call("POST", "/services/data/v67.0/sobjects/Account", {"Name": "Rosehill Nursery"})
        except OrgError as error:
            assert_type(error.status, int)
            assert_type(error.code, str)
        else:
            assert_type(answer, Answer)
            assert_type(answer.status, int)


# --- a flow, as its author writes it -----------------------------------------------------------------------------

flow = Flow("typed")
erp = flow.credential("ERP")


@flow.on(
    "/data/AccountChangeEvent", key="recordId", retry=Retry(attempts=3, first=1.0), on_failure="skip", start="earliest"
)
async def a_handler(change: ChangeEvent, org: Org, attempt: Attempt) -> None:
    assert_type(change.record_id, str)
    assert_type(change.values, dict[str, Any])
    assert_type(attempt.idempotency_key, str)
    assert_type(await org.insert("Contact", {"LastName": "x"}), str)
    assert_type(await org.query("SELECT Id FROM Contact WHERE LastName = :name", name="x"), list[dict[str, Any]])
    async with org.transaction() as tx:
        assert_type(tx, Transaction)
        await tx.upsert("Contact", "Ext__c", "1", {"LastName": "x"})
    try:
        answer = await erp.put("/x", json={}, idempotency_key=change.uuid)
        assert_type(answer.status, int)
    except CalloutFailed as error:
        raise RetryLater(60.0) from error
    await erp.later.put("/y", json={})
    raise GiveUp("no use")


@flow.every(minutes=15)
async def a_schedule(org: Org) -> None:
    await org.publish("Order__e", {"Status__c": "x"})


def the_org_of_a_server_is_an_org(org: LocalOrg, tx: LocalTransaction) -> tuple[Org, Transaction]:
    return org, tx
