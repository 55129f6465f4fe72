"""The journal keeps every callout: through SOQL and REST, in units, through crashes, for a set time and size."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import apsw
import pytest

from landbridge import Settings
from landbridge.callouts import Run, request
from landbridge.callouts import journal as journals
from landbridge.server import Server
from landbridge.storage import DatabaseLost, Tx, Unit
from tests.callouts.conftest import Org
from tests.conftest import ROOT
from tests.support.outside import Answer, answer, outside
from tests.support.running import RunningOrg

ledger = pytest.mark.ledger


async def some(org: Org, run: Run, url: str, calls: int) -> None:
    await org.credential("ERP", url)
    for _ in range(calls):
        await org.callouts.send(request("ERP", "POST", "/x", data=b"hello"), run)


def count(reader: Any) -> int:
    return int(reader.one('SELECT count(*) FROM "Callout_Log__c"')[0])


@ledger("callouts.log", "differs", "our own: Callout_Log__c is no object of a real org")
def test_the_journal_is_an_object_like_any_other_but_read_only(home: Path) -> None:
    with RunningOrg(home=home) as org:

        async def work() -> None:
            server = org.door.server
            async with outside(lambda got: answer({"a": 1}, 503, Retry_After="9")) as erp:
                await some(Org(server), server.callouts.run(flow="shop", subscription="orders"), erp.url, 3)
            await server.callouts.journal.flush()

        org.do(work)
        rows = org.rows(
            "SELECT Id, StatusCode__c, Flow__c, DurationMs__c FROM Callout_Log__c WHERE StatusCode__c >= 500"
        )
        one = org.get("Callout_Log__c", rows[0]["Id"])
        grouped = org.rows("SELECT Credential__c, COUNT(Id) n FROM Callout_Log__c GROUP BY Credential__c")
        described = org.data("GET", "/sobjects/Callout_Log__c/describe").json
        created = org.data("POST", "/sobjects/Callout_Log__c", {"Flow__c": "x"})
        deleted = org.data("DELETE", f"/sobjects/Callout_Log__c/{rows[0]['Id']}")
        definition = org.rows("SELECT QualifiedApiName FROM EntityDefinition WHERE QualifiedApiName = 'Callout_Log__c'")

    assert [row["Flow__c"] for row in rows] == ["shop"] * 3
    assert rows[0]["Id"].startswith("aLC")
    assert (one["Method__c"], one["RequestBody__c"], one["ResponseBody__c"]) == ("POST", "hello", '{"a":1}')
    assert "traceparent: 00-" in one["RequestHeaders__c"]
    assert "retry-after: 9" in one["ResponseHeaders__c"].lower()
    assert grouped[0]["n"] == 3
    assert (described["queryable"], described["createable"]) == (True, False)
    assert (created.status, created.error) == (400, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY")
    assert deleted.status == 400
    assert len(definition) == 1


async def test_ids_for_many_rows_go_on_where_single_ones_were(org: Org) -> None:
    numbers = org.server.numbers

    def work(tx: Tx) -> list[str]:
        return [numbers.id(tx, "aLC"), *numbers.ids(tx, "aLC", 2500), numbers.id(tx, "aLC"), *numbers.ids(tx, "aLC", 0)]

    found = await org.server.db.write(work, Unit("test"))
    assert len(set(found)) == len(found) == 2502
    assert found == sorted(found)


async def test_a_settle_unit_takes_its_callouts_with_it(org: Org) -> None:
    async with outside() as erp:
        run = org.callouts.run()
        await some(org, run, erp.url, 3)
        before = org.server.db.read_now(count)
        await org.server.db.write(run.settle, Unit("settle"))
        after = org.server.db.read_now(count)
        await org.callouts.journal.flush()

    assert (before, after, org.server.db.read_now(count)) == (0, 3, 3), "written in the unit, and once"


async def test_a_settle_unit_that_fails_leaves_them_to_the_next(org: Org) -> None:
    async with outside() as erp:
        run = org.callouts.run()
        await some(org, run, erp.url, 2)

        def failing(tx: Tx) -> None:
            run.settle(tx)
            raise ValueError

        with pytest.raises(ValueError):  # noqa: PT011  # our own
            await org.server.db.write(failing, Unit("settle"))
        nothing = org.server.db.read_now(count)
        await org.server.db.write(run.settle, Unit("settle"))

    assert (nothing, org.server.db.read_now(count)) == (0, 2)


async def test_a_transaction_across_awaits_that_is_undone_loses_no_callout(org: Org) -> None:
    async with outside() as erp:
        run = org.callouts.run()
        await some(org, run, erp.url, 2)
        with contextlib.suppress(ZeroDivisionError):
            async with org.server.db.transaction(Unit("settle")) as transaction:
                await transaction.write(run.settle)
                flushing = asyncio.create_task(org.callouts.journal.flush())
                await asyncio.sleep(0.05)
                raise ZeroDivisionError
        await flushing
        await org.callouts.journal.flush()

    assert org.server.db.read_now(count) == 2


async def test_what_nobody_settles_is_written_in_the_background(org: Org) -> None:
    async with outside() as erp:
        await some(org, org.callouts.run(), erp.url, 1)
        for _ in range(200):
            if org.server.db.read_now(count):
                break
            await asyncio.sleep(0.02)

    assert org.server.db.read_now(count) == 1


async def test_closing_the_server_writes_what_waits(tmp_path: Path, home: Path) -> None:
    server = await Server.open(Settings(data=tmp_path / "org", home=home))
    async with outside() as erp:
        await some(Org(server), server.callouts.run(), erp.url, 5)
        await server.close()

    assert rows_on_disk(tmp_path / "org")[0] == 5


async def test_while_the_database_takes_nothing_callouts_wait_and_then_stop(
    org: Org, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journals, "MOST_WAITING", 5)
    real = org.server.db.write

    async def full(*_: Any) -> Any:
        raise DatabaseLost("the disk is full")

    async with outside() as erp:
        await org.credential("ERP", erp.url)
        run = org.callouts.run()
        monkeypatch.setattr(org.server.db, "write", full)
        sent = 0
        with pytest.raises(DatabaseLost, match="no callout goes out without a record"):
            for _ in range(50):
                await org.callouts.send(request("ERP", "GET", "/"), run)
                sent += 1
        monkeypatch.setattr(org.server.db, "write", real)
        await org.callouts.send(request("ERP", "GET", "/"), run)
        await org.callouts.journal.flush()

    assert 5 <= sent <= 11
    assert org.server.db.read_now(count) == sent + 1 == len(erp.got)


async def test_an_org_of_an_older_landbridge_gets_its_journal_and_credentials(tmp_path: Path, home: Path) -> None:
    settings: dict[str, Any] = {"data": tmp_path / "org", "home": home}
    await (await Server.open(Settings(**settings))).close()
    connection = apsw.Connection(str(tmp_path / "org" / "org.sqlite"))
    for statement in ('DROP TABLE "Callout_Log__c"', "UPDATE lb_org SET value = 'older' WHERE key = 'standard'"):
        connection.execute(statement)
    connection.close()

    server = await Server.open(Settings(**settings))
    async with outside() as erp:
        await some(Org(server), server.callouts.run(), erp.url, 1)
        rows = await Org(server).log()
    await server.close()

    assert len(rows) == 1


# --- kept for a time and a size ------------------------------------------------------------------------------------


async def test_rows_are_trimmed_by_age_on_the_orgs_clock(org: Org) -> None:
    async with outside() as erp:
        await some(org, org.callouts.run(), erp.url, 4)
        await org.callouts.journal.flush()
        await org.callouts.journal.tend()
        young = org.server.db.read_now(count)
        org.server.clock.jump(timedelta(days=31))
        await some(org, org.callouts.run(), erp.url, 1)
        await org.callouts.journal.flush()
        await org.callouts.journal.tend()

    assert (young, org.server.db.read_now(count)) == (4, 1)


async def test_rows_are_trimmed_by_size_oldest_first(org: Org, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journals, "CHUNK", 7)
    async with outside(lambda got: Answer(body=b"x" * 1000)) as erp:
        run = org.callouts.run(limits=False)
        await some(org, run, erp.url, 30)
        await org.callouts.journal.flush()
        size = org.server.db.read_now(lambda reader: reader.one(journals.KEPT))
        assert size is not None
        org.callouts.journal._size = size[0] // 3
        gone = await org.callouts.journal.trim()
        rows = await org.log()
        await some(org, run, erp.url, 3)
        await org.callouts.journal.flush()
        await org.callouts.journal.tend()

    assert gone == 20
    assert len(rows) == 10
    assert org.server.db.read_now(count) == 10, "what comes pushes the oldest out"


# --- kill -9 -------------------------------------------------------------------------------------------------------


def rows_on_disk(folder: Path) -> tuple[int, set[str], set[int]]:
    """Rows, their correlation ids, settled numbers: read as after a crash."""
    connection = apsw.Connection(str(folder / "org.sqlite"))
    try:
        found = [row[0] for row in connection.execute('SELECT CorrelationId__c FROM "Callout_Log__c"')]
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_schema")}
        settled: Sequence[Any] = ()
        if "lb_test_settled" in tables:
            settled = connection.execute("SELECT number FROM lb_test_settled").fetchall()
        return len(found), set(found), {row[0] for row in settled}
    finally:
        connection.close()


async def test_after_kill_9_every_callout_of_a_settled_unit_is_in_the_journal(tmp_path: Path) -> None:
    chance = random.Random(7)
    told: set[int] = set()
    folder = tmp_path / "org"
    async with outside() as erp:
        for life in range(4):
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.support.callout_load", str(folder), erp.url, str(life * 1_000_000),
                stdout=asyncio.subprocess.PIPE, cwd=ROOT,
            )  # fmt: skip
            assert process.stdout is not None
            told.add(int(await process.stdout.readline()))
            await asyncio.sleep(chance.uniform(0.05, 0.4))
            os.kill(process.pid, signal.SIGKILL)
            rest = await process.stdout.read()
            told |= {int(line) for line in rest.split(b"\n")[:-1]}
            await process.wait()
            _, journalled, settled = rows_on_disk(folder)
            assert told <= settled, "what was acknowledged is settled"
            assert {f"delivery-{number}" for number in settled} <= journalled
    total, journalled, settled = rows_on_disk(folder)

    assert total == len(journalled), "no callout stands there twice"
    assert len(told) > 50
