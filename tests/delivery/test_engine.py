"""The engine: order under any script of failures, results that outlive cancellation, nothing lost at a stop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landbridge import ids
from landbridge.chance import Chance
from landbridge.clock import Clock
from landbridge.delivery import (
    PREFIX,
    Delivery,
    Draft,
    Engine,
    GiveUp,
    Retry,
    RetryLater,
    SqlQueue,
    Subscription,
    Work,
)  # fmt: skip
from landbridge.delivery.policy import PROVEN_AFTER, SUSPECTED_AFTER
from landbridge.errors import DuplicateValue
from landbridge.faults import Strike, Switchboard
from landbridge.faults.switchboard import Switch
from landbridge.storage import Migration, SQLiteDatabase, Unit
from tests.delivery.conftest import TABLES
from tests.support.storage import open_database

SUB = "test/sub"
FAST = Retry(attempts=4, first=0.0, longest=0.0)


class Rig:
    """An engine on a bare database, and what its handler saw."""

    def __init__(self, db: SQLiteDatabase, clock: Clock) -> None:
        numbers = count(1)
        chance = Chance(1)
        self.db = db
        self.switchboard = Switchboard(clock, chance)
        self.queue = SqlQueue(lambda _tx: ids.make(PREFIX, next(numbers)))
        self._engine = lambda: Engine(db, self.queue, clock, chance, self.switchboard, workers=8)
        self.engine = self._engine()
        self.seen: list[tuple[str, int]] = []
        self.done: list[str] = []

    def new_process(self) -> None:
        """The engine's process is gone, as by `kill -9`; another one begins."""
        for task in self.engine._tasks:
            task.cancel()
        self.engine._tasks = []
        self.engine = self._engine()

    def add(self, handler: Any, **more: Any) -> None:
        self.engine.add(Subscription(name=SUB, handler=handler, **{"retry": FAST, "hold": False, **more}))

    async def put(self, *pairs: tuple[str, str]) -> None:
        drafts = [Draft(SUB, key, uuid, 1, "c", b"{}") for key, uuid in pairs]
        await self.db.write(lambda tx: self.queue.enqueue(tx, drafts, tx.now.timestamp()), Unit("put"))
        self.engine.enqueued(SUB)

    async def finished(self) -> None:
        sql = "SELECT count(*) FROM lb_delivery WHERE state <> 'held' AND is_head = 1"
        async with asyncio.timeout(20):
            while self.db.read_now(lambda reader: reader.one(sql)) != (0,):
                await asyncio.sleep(0.001)

    def states(self) -> dict[str, tuple[str, int, int]]:
        """uuid -> (state, failures, interrupted) of what is open."""
        sql = "SELECT uuid, state, failures, interrupted FROM lb_delivery"
        return {row[0]: row[1:] for row in self.db.read_now(lambda reader: reader.all(sql))}  # type: ignore[misc]


@asynccontextmanager
async def rig(folder: Path) -> AsyncIterator[Rig]:
    clock = Clock()
    db = open_database(folder / "engine.sqlite", migrations=(Migration(1, TABLES),), durability="off", clock=clock)
    found = Rig(db, clock)
    try:
        yield found
    finally:
        await found.engine.stop()
        await db.close()


FAILURES: dict[str, Any] = {
    "error": lambda: ValueError("no"), "timeout": TimeoutError, "later": lambda: RetryLater(0.0),
    "give up": lambda: GiveUp("no"), "refused": lambda: DuplicateValue("Name", None),
}  # fmt: skip
scripts = st.lists(
    st.tuples(st.sampled_from("abc"), st.lists(st.sampled_from([*FAILURES, "wait"]), max_size=5)),
    min_size=1,
    max_size=14,
)


@settings(max_examples=30)
@given(scripts, st.booleans(), st.data())
def test_each_key_is_handled_in_order_whatever_fails(
    tmp_path_factory: pytest.TempPathFactory, script: list[tuple[str, list[str]]], hold: bool, data: st.DataObject
) -> None:
    """Every delivery has a list of what its attempts do; the rest succeed. `wait` lets others run."""
    cut = data.draw(st.integers(0, len(script)))
    plan = {f"u{number:02}": (key, list(steps)) for number, (key, steps) in enumerate(script)}

    async def play() -> None:
        folder = tmp_path_factory.mktemp("engine")
        async with rig(folder) as bench:
            running: set[str] = set()

            async def handler(delivery: Delivery, work: Work) -> None:
                del work
                key, steps = plan[delivery.uuid]
                assert key not in running, "two attempts of one key at once"
                running.add(key)
                try:
                    bench.seen.append((delivery.uuid, delivery.attempt))
                    while steps:
                        step = steps.pop(0)
                        if step != "wait":
                            raise FAILURES[step]()
                        await asyncio.sleep(0)
                    bench.done.append(delivery.uuid)
                finally:
                    running.discard(key)

            bench.add(handler, hold=hold)
            await bench.engine.start()
            items = [(key, uuid) for uuid, (key, _) in plan.items()]
            await bench.put(*items[:cut]) if cut else None
            await asyncio.sleep(0)
            await bench.put(*items[cut:]) if cut < len(items) else None
            await bench.finished()
            judge(bench, plan, hold=hold)

    asyncio.run(play())


def judge(bench: Rig, plan: dict[str, tuple[str, list[str]]], *, hold: bool) -> None:
    parked = {row[0] for row in bench.db.read_now(lambda r: r.all('SELECT "Event_Uuid__c" FROM "Failed_Payload__c"'))}
    assert len(bench.done) == len(set(bench.done)), "an effect happened twice"
    for key in {key for key, _ in plan.values()}:
        mine = [uuid for uuid, (its, _) in plan.items() if its == key]
        first_seen = list(dict.fromkeys(uuid for uuid, _ in bench.seen if uuid in mine))
        assert first_seen == sorted(first_seen), "out of order"
        dead = [uuid for uuid in mine if uuid in parked]
        if hold and dead:
            assert len(dead) == 1
            reached = mine.index(dead[0])
            assert [uuid for uuid in bench.done if uuid in mine] == mine[:reached]
            assert set(mine[reached:]) <= set(bench.states()), "what waits behind a held one is still there"
        else:
            assert sorted([*dead, *(uuid for uuid in bench.done if uuid in mine)]) == mine, "missed"


async def test_a_result_outlives_cancellation(tmp_path: Path) -> None:
    async with rig(tmp_path) as bench:
        committing, go_on = asyncio.Event(), asyncio.Event()

        async def handler(delivery: Delivery, work: Work) -> None:
            del delivery
            work.effects = lambda tx: tx.insert(
                "lb_effect", ("subscription", "uuid", "n", "results"), [("x", "y", 0, b"")]
            )

        write = bench.db.write

        async def slow(work: Any, unit: Unit) -> Any:
            if unit.origin.startswith("flow/"):
                committing.set()
                await go_on.wait()
            return await write(work, unit)

        bench.db.write = slow  # type: ignore[method-assign]
        bench.add(handler)
        await bench.engine.start()
        await bench.put(("a", "u1"))
        await committing.wait()
        workers = list(bench.engine._busy)
        for worker in workers:
            worker.cancel()
        await asyncio.sleep(0)
        go_on.set()
        await asyncio.gather(*workers, return_exceptions=True)

        assert bench.states() == {}
        assert bench.db.read_now(lambda reader: reader.one("SELECT count(*) FROM lb_effect")) == (1,)


async def test_a_stop_gives_back_what_it_cuts_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("landbridge.delivery.engine.GRACE", 0.05)
    async with rig(tmp_path) as bench:
        begun = asyncio.Event()

        async def handler(delivery: Delivery, work: Work) -> None:
            del work
            if delivery.uuid == "u1":
                begun.set()
                await asyncio.Event().wait()

        bench.add(handler)
        await bench.engine.start()
        await bench.put(("a", "u1"), ("b", "u2"), ("a", "u3"))
        await begun.wait()
        while "u2" in bench.states():
            await asyncio.sleep(0.001)
        await bench.engine.stop()

        assert bench.states() == {"u1": ("due", 0, 0), "u3": ("due", 0, 0)}


async def test_what_a_dead_process_left_is_due_again_and_counted_as_interrupted(tmp_path: Path) -> None:
    async with rig(tmp_path) as bench:
        await bench.put(("a", "u1"))
        await bench.db.write(lambda tx: bench.queue.claim(tx, SUB, 10.0**12, 10, 10.0**12), Unit("dead"))

        async def handler(delivery: Delivery, work: Work) -> None:
            del work
            bench.seen.append((delivery.uuid, delivery.interrupted))

        bench.add(handler)
        await bench.engine.start()
        await bench.finished()

        assert bench.seen == [("u1", 1)]


@pytest.mark.ledger("delivery.interrupted", "differs", "our promise; an org runs no process of ours")
async def test_the_event_that_ends_the_process_is_found_and_no_innocent_one_is_given_up_on(tmp_path: Path) -> None:
    """A process dies whenever it handles `bad`, beside others that take their time; each time a new engine takes over."""
    innocent = [f"u{number}" for number in range(6)]
    crashes = 0
    async with rig(tmp_path) as bench:
        while True:
            crashed = asyncio.Event()
            beside: list[int] = []

            async def handler(
                delivery: Delivery, work: Work, crashed: asyncio.Event = crashed, beside: list[int] = beside
            ) -> None:
                del work
                if delivery.uuid == "bad":
                    await asyncio.sleep(0)
                    if delivery.interrupted >= SUSPECTED_AFTER:
                        bench.engine.enqueued(SUB)
                        await asyncio.sleep(0.01)
                        beside.append(len(bench.engine._busy) - 1)
                        assert not {uuid for uuid in bench.done if uuid.startswith("late")}, "it ran beside a suspect"
                    crashed.set()
                    await asyncio.Event().wait()
                elif delivery.uuid in innocent and delivery.interrupted < SUSPECTED_AFTER:
                    await asyncio.Event().wait()  # in flight at every crash
                bench.done.append(delivery.uuid)

            bench.add(handler)
            if crashes >= SUSPECTED_AFTER:
                # Work that nobody suspects, due as soon as it is there: it must wait until the suspect has ended.
                await bench.put((f"late{crashes}", f"late{crashes}"))
            if not crashes:
                await bench.put(*((uuid, uuid) for uuid in innocent), ("b", "bad"), ("b", "behind"))
            await bench.engine.start()
            ended = asyncio.ensure_future(bench.finished())
            crash = asyncio.ensure_future(crashed.wait())
            await asyncio.wait([ended, crash], return_when=asyncio.FIRST_COMPLETED)
            if ended.done():
                crash.cancel()
                break
            ended.cancel()
            crashes += 1
            assert beside in ([], [0]), "something ran beside a suspect"
            bench.new_process()

        parked = bench.db.read_now(lambda r: r.all('SELECT "Event_Uuid__c", "Kind__c" FROM "Failed_Payload__c"'))

    assert parked == [("bad", "interrupted")]
    late = [f"late{number}" for number in range(SUSPECTED_AFTER, crashes + 1)]
    assert sorted(bench.done) == sorted([*innocent, "behind", *late])
    assert crashes == SUSPECTED_AFTER + PROVEN_AFTER


async def test_an_attempt_that_takes_too_long_has_failed_by_timeout(tmp_path: Path) -> None:
    async with rig(tmp_path) as bench:

        async def handler(delivery: Delivery, work: Work) -> None:
            del work
            if delivery.attempt == 1:
                await asyncio.Event().wait()

        bench.add(handler, timeout=0.02)
        await bench.engine.start()
        await bench.put(("a", "u1"))
        await bench.finished()

        assert bench.states() == {}
        assert bench.engine.attempts == 2


async def test_a_handler_whose_own_child_was_cancelled_has_failed_and_the_worker_goes_on(tmp_path: Path) -> None:
    async with rig(tmp_path) as bench:

        async def handler(delivery: Delivery, work: Work) -> None:
            del work
            if delivery.attempt == 1:
                child: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                child.cancel()
                await child

        bench.add(handler)
        await bench.engine.start()
        await bench.put(("a", "u1"))
        await bench.finished()

        assert bench.engine.attempts == 2


async def test_bookkeeping_that_is_refused_is_done_later_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("landbridge.delivery.engine.PAUSE", 0.01)
    async with rig(tmp_path) as bench:
        refusals = count()

        async def handler(delivery: Delivery, work: Work) -> None:
            del work
            bench.done.append(delivery.uuid)

        off = bench.switchboard.on(
            Switch("delivery.settle", Strike(OSError("the disk is full")), lambda _context: next(refusals) < 3)
        )
        bench.add(handler)
        await bench.engine.start()
        await bench.put(("a", "u1"), ("a", "u2"))
        await bench.finished()
        off()

        assert bench.done == ["u1", "u2"]


async def test_bookkeeping_whose_group_is_run_again_settles_and_claims_the_same(tmp_path: Path) -> None:
    """Another unit of the group that fails after it wrote has the whole group run a second time."""
    async with rig(tmp_path) as bench:
        runs: list[int] = []
        told: list[BaseException | None] = []

        async def handler(delivery: Delivery, work: Work) -> None:
            del work
            bench.seen.append((delivery.uuid, delivery.attempt))
            bench.db.submit(spoil, Unit("spoil"), lambda _, error: told.append(error))

        def spoil(tx: Any) -> None:
            runs.append(1)
            tx.run("INSERT INTO lb_delivered (subscription, uuid, at) VALUES ('spoiled', 'u', 0)")
            raise ValueError("spoiled")

        bench.add(handler)
        await bench.engine.start()
        await bench.put(*((f"k{number % 3}", f"u{number:02}") for number in range(20)))
        await bench.finished()

        assert sorted(bench.seen) == [(f"u{number:02}", 1) for number in range(20)]
        assert len(runs) > len(told) == 20, "no group was run again: this test shows nothing"
        assert all(isinstance(error, ValueError) for error in told)
        assert bench.db.read_now(lambda reader: reader.one("SELECT count(*) FROM lb_delivered")) == (0,)


async def test_a_slow_key_holds_up_no_other(tmp_path: Path) -> None:
    async with rig(tmp_path) as bench:
        release = asyncio.Event()

        async def handler(delivery: Delivery, work: Work) -> None:
            del work
            if delivery.key == "slow":
                await release.wait()
            bench.done.append(delivery.uuid)

        bench.add(handler)
        await bench.engine.start()
        await bench.put(("slow", "s1"), *((f"k{number}", f"u{number}") for number in range(50)))
        async with asyncio.timeout(10):
            while len(bench.done) < 50:
                await asyncio.sleep(0.001)
        assert "s1" not in bench.done
        release.set()
        await bench.finished()


async def test_a_claim_costs_the_same_whatever_waits(tmp_path: Path) -> None:
    """By its plan: an index search for heads, no scan of what waits and no sort of it."""
    from landbridge.delivery import queue

    async with rig(tmp_path) as bench:

        def plan(sql: str, params: Any) -> str:
            rows = bench.db.read_now(lambda reader: reader.all(f"EXPLAIN QUERY PLAN {sql}", params))
            return " / ".join(str(row[3]) for row in rows)

        claim = plan(queue.READY, (SUB, 1.0, 10))
        assert "USING INDEX lb_delivery_due (subscription=? AND due_at<?)" in claim, claim
        assert "SCAN lb_delivery" not in claim, claim
        assert "TEMP B-TREE" not in claim, claim
        for sql, params in (
            (queue.NEXT_DUE, (SUB,)), (queue.PROMOTE, (SUB, "a")), (queue.PROMOTE_MANY, (SUB, "[]")),
            (queue.ENQUEUE, (1, SUB, "a", "u", 1, "c", b"", 1.0)), (queue.REMOVE_MANY, ("[]",)), (queue.EXPIRE, (0, 1.0)),
            (queue.UNCLAIM_MANY, ("[]",)), (queue.IN_FLIGHT, (SUB,)),
        ):  # fmt: skip
            found = plan(sql, params)
            assert "SCAN lb_delivery" not in found, (sql, found)
            assert "USE TEMP B-TREE FOR ORDER BY" not in found, (sql, found)
        for sql, given in ((queue.SUSPECT, (SUB,)), (queue.ALL_SUSPECTS, ())):
            found = plan(sql, given)
            assert "lb_delivery USING INDEX lb_delivery_suspect" in found, (
                "what waits and is not suspected is not looked at"
            )
