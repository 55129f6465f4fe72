"""The contract of `delivery.Queue`: every implementation inherits these tests and says how to make one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from landbridge.delivery import Delivery, Done, Draft, Failure, LeaseLost, Parked, Queue, RetryAt, Settled
from landbridge.delivery.policy import SUSPECTED_AFTER
from landbridge.storage import Database, Unit

SUB = "shop/order_to_erp"
FAILURE = Failure(1, "2026-11-24T12:00:00.000+0000", 0.1, "status", "HTTP 503", 503, "PUT: status 503", "trace")
PARKED_HOLD = Parked("failed 8 times", "f" * 12, hold=True, topic="/data/X", version="v1")
PARKED_SKIP = Parked("failed 8 times", "f" * 12, hold=False, topic="/data/X", version="v1")


def draft(uuid: str, key: str, subscription: str = SUB) -> Draft:
    return Draft(subscription, key, uuid, int(uuid.strip("u") or 0), "c", b'{"uuid":"' + uuid.encode() + b'"}')


@dataclass
class Bench:
    """A queue with its database, driven one unit at a time."""

    db: Database
    queue: Queue

    async def do(self, work: Callable[[Any], Any]) -> Any:
        return await self.db.write(work, Unit("test"))

    async def put(self, *drafts: Draft, now: float = 0.0, once: bool = False) -> int:
        return int(await self.do(lambda tx: self.queue.enqueue(tx, drafts, now, once=once)))

    async def take(
        self, n: int = 100, now: float = 1.0, lease: float = 60.0, subscription: str = SUB
    ) -> list[Delivery]:
        found: list[Delivery] = await self.do(lambda tx: self.queue.claim(tx, subscription, now, n, lease))
        return found

    async def settle(self, delivery: Delivery, decision: Any, failure: Failure | None = None) -> None:
        await self.do(lambda tx: self.queue.settle(tx, Settled(delivery, decision, failure)))


def uuids(deliveries: list[Delivery]) -> list[str]:
    return [delivery.uuid for delivery in deliveries]


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


class QueueContract:
    """What every queue promises. A subclass provides the `bench` fixture."""

    async def test_only_the_first_of_each_key_is_claimed(self, bench: Bench) -> None:
        await bench.put(draft("u1", "a"), draft("u2", "a"), draft("u3", "b"))

        assert uuids(await bench.take()) == ["u1", "u3"]
        assert await bench.take() == []

    async def test_the_next_one_follows_when_the_one_before_it_is_settled(self, bench: Bench) -> None:
        await bench.put(draft("u1", "a"), draft("u2", "a"))
        await bench.put(draft("u3", "a"))
        seen = []
        while found := await bench.take():
            (one,) = found
            seen.append(one.uuid)
            await bench.settle(one, Done())

        assert seen == ["u1", "u2", "u3"]

    async def test_a_retry_keeps_its_key_waiting_and_comes_at_its_time(self, bench: Bench) -> None:
        await bench.put(draft("u1", "a"), draft("u2", "a"), draft("u3", "b"))
        first, other = await bench.take()
        await bench.settle(first, RetryAt(at(50.0)), FAILURE)
        await bench.settle(other, Done())

        assert await bench.take(now=49.0) == []
        assert bench.db.read_now(lambda reader: bench.queue.next_due(reader, SUB)) == 50.0
        (again,) = await bench.take(now=50.0)
        assert (again.uuid, again.attempt, again.failures) == ("u1", 2, 1)

    async def test_an_uncounted_retry_is_no_failure(self, bench: Bench) -> None:
        await bench.put(draft("u1", "a"))
        (first,) = await bench.take()
        await bench.settle(first, RetryAt(at(1.0), counted=False), FAILURE)

        (again,) = await bench.take()
        assert (again.attempt, again.failures) == (2, 0)

    async def test_a_held_key_waits_and_others_go_on(self, bench: Bench) -> None:
        await bench.put(draft("u1", "a"), draft("u2", "a"), draft("u3", "b"), draft("u4", "b"))
        first, other = await bench.take()
        await bench.settle(first, PARKED_HOLD, FAILURE)
        await bench.settle(other, Done())

        assert uuids(await bench.take(now=10**9)) == ["u4"]
        await bench.put(draft("u5", "a"))
        assert await bench.take(now=10**9) == []

    async def test_a_skipped_one_lets_its_key_go_on(self, bench: Bench) -> None:
        await bench.put(draft("u1", "a"), draft("u2", "a"))
        (first,) = await bench.take()
        await bench.settle(first, PARKED_SKIP, FAILURE)

        assert uuids(await bench.take()) == ["u2"]

    @pytest.mark.parametrize(
        "decision", [Done(), RetryAt(at(5.0)), PARKED_HOLD, PARKED_SKIP], ids=["done", "retry", "hold", "skip"]
    )
    async def test_an_attempt_that_lost_its_lease_can_settle_nothing(self, bench: Bench, decision: Any) -> None:
        await bench.put(draft("u1", "a"))
        (stale,) = await bench.take(lease=5.0)
        assert await bench.do(lambda tx: bench.queue.expire(tx, 5.9)) == 0  # claimed at 1 for 5 s
        assert await bench.do(lambda tx: bench.queue.expire(tx, 6.0)) == 1
        (fresh,) = await bench.take(now=100.0)

        with pytest.raises(LeaseLost):
            await bench.settle(stale, decision, FAILURE)
        assert (fresh.uuid, fresh.attempt, fresh.interrupted) == ("u1", 2, 1)
        await bench.settle(fresh, Done())
        assert await bench.take(now=200.0) == []

    async def test_what_was_interrupted_several_times_is_taken_alone_and_only_then_suspected_more(
        self, bench: Bench
    ) -> None:
        await bench.put(draft("u1", "a"), draft("u2", "b"))

        async def crash() -> None:
            await bench.do(lambda tx: bench.queue.expire(tx, 10.0**12))

        async def take_suspect() -> list[Delivery]:
            found: list[Delivery] = await bench.do(lambda tx: bench.queue.claim_suspect(tx, SUB, 1.0, 60.0))
            return found

        for _ in range(SUSPECTED_AFTER):
            assert await take_suspect() == []
            assert uuids(await bench.take()) == ["u1", "u2"]
            await crash()
        assert await bench.take() == [], "a suspect is not taken with others"
        assert bench.db.read_now(bench.queue.suspects) == [(SUB, True), (SUB, True)]
        assert bench.db.read_now(lambda reader: bench.queue.next_due(reader, SUB)) is None
        (first,) = await take_suspect()
        assert await take_suspect() == [], "something is in flight"
        await crash()
        (other,) = await take_suspect()
        assert [(one.uuid, one.interrupted, one.alone) for one in (first, other)] == [("u1", 3, 0), ("u2", 3, 0)]
        await crash()
        (again,) = await take_suspect()
        assert (again.uuid, again.interrupted, again.alone) == ("u1", 4, 1), "the least suspected first"

        await bench.put(draft("u3", "c"))
        assert uuids(await bench.take()) == ["u3"]
        await crash()  # others were in flight: the process ends without suspects too
        (beside,) = await bench.take()
        await bench.settle(beside, Done())
        (last,) = await take_suspect()
        assert (last.uuid, last.interrupted, last.alone) == ("u1", 5, 0)

        await bench.settle(last, RetryAt(at(5.0)), FAILURE)  # it has ended, and the process has not
        (innocent,) = await bench.take(now=5.0)
        assert (innocent.uuid, innocent.interrupted, innocent.alone) == ("u1", 0, 0)
        await bench.settle(innocent, Done())
        (other,) = await take_suspect()
        assert (other.uuid, other.interrupted, other.alone) == ("u2", 4, 0)

    async def test_a_settle_cannot_be_done_twice(self, bench: Bench) -> None:
        await bench.put(draft("u1", "a"), draft("u2", "a"))
        (first,) = await bench.take()
        await bench.settle(first, Done())

        with pytest.raises(LeaseLost):
            await bench.settle(first, Done())

    async def test_what_is_given_back_was_not_tried(self, bench: Bench) -> None:
        await bench.put(draft("u1", "a"))
        taken = await bench.take()
        await bench.do(lambda tx: bench.queue.release(tx, taken))

        (again,) = await bench.take()
        assert (again.failures, again.interrupted) == (0, 0)

    async def test_a_unit_that_fails_enqueues_nothing(self, bench: Bench) -> None:
        def work(tx: Any) -> None:
            bench.queue.enqueue(tx, [draft("u1", "a")], 0.0)
            raise RuntimeError("undone")

        with pytest.raises(RuntimeError, match="undone"):
            await bench.do(work)

        assert await bench.take() == []

    async def test_once_leaves_out_what_was_had_before_and_only_for_its_subscription(self, bench: Bench) -> None:
        assert await bench.put(draft("u1", "a"), draft("u1", "a"), once=True) == 1
        (first,) = await bench.take()
        await bench.settle(first, Done())

        assert await bench.put(draft("u1", "a"), once=True) == 0
        assert await bench.put(draft("u1", "a", "shop/other"), once=True) == 1

    async def test_subscriptions_do_not_see_each_other(self, bench: Bench) -> None:
        await bench.put(draft("u1", "a"))
        await bench.put(draft("u2", "a", "shop/other"))

        assert uuids(await bench.take(subscription="shop/other")) == ["u2"]
        assert uuids(await bench.take()) == ["u1"]

    async def test_what_has_waited_longest_is_taken_first_and_no_more_than_asked(self, bench: Bench) -> None:
        await bench.put(draft("u1", "a"), now=30.0)
        await bench.put(draft("u2", "b"), now=10.0)
        await bench.put(draft("u3", "c"), now=20.0)

        assert sorted(uuids(await bench.take(n=2, now=100.0))) == ["u2", "u3"]
        assert bench.db.read_now(lambda reader: bench.queue.waiting(reader, SUB)) == {"due": 1, "in_flight": 2}

    async def test_the_oldest_open_one_is_known(self, bench: Bench) -> None:
        await bench.put(draft("u7", "a"), draft("u8", "b"))
        first, other = await bench.take()
        await bench.settle(first, Done())

        oldest = bench.db.read_now(lambda reader: bench.queue.oldest(reader, SUB))
        assert oldest is not None
        assert oldest[1] == 8
        await bench.settle(other, Done())
        assert bench.db.read_now(lambda reader: bench.queue.oldest(reader, SUB)) is None
