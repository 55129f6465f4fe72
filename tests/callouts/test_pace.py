"""How fast and how many at once: pure, under a clock of the test's own, and over real sockets."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landbridge.callouts import Kind, Sent, request
from landbridge.callouts.model import Stopped
from landbridge.callouts.pace import Bucket, Gate, take
from landbridge.clock import Clock
from tests.callouts.conftest import Org
from tests.support.outside import Answer, Got, outside


@dataclass
class Waiting:
    until: float
    done: asyncio.Future[None]


@dataclass
class TestClock(Clock):
    """Time that passes when the test says so."""

    __test__ = False
    at: float = 0.0
    waiting: list[Waiting] = field(default_factory=list)

    def monotonic(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        wait = Waiting(self.at + seconds, asyncio.get_running_loop().create_future())
        self.waiting.append(wait)
        await wait.done

    async def run_to(self, at: float) -> None:
        """Let time pass, waking sleepers in their order."""
        for _ in range(20):
            await asyncio.sleep(0)
        while True:
            self.waiting = [wait for wait in self.waiting if not wait.done.done()]
            due = sorted((wait for wait in self.waiting if wait.until <= at), key=lambda wait: wait.until)
            if not due:
                break
            self.at = max(self.at, due[0].until)
            due[0].done.set_result(None)
            for _ in range(20):
                await asyncio.sleep(0)
        self.at = at


@given(st.floats(0.1, 1000.0), st.floats(1.0, 100.0), st.lists(st.floats(0.0, 2.0), min_size=1, max_size=200))
def test_a_bucket_never_gives_more_than_its_rate_and_burst(rate: float, most: float, pauses: list[float]) -> None:
    bucket, now = Bucket(rate=rate, most=most, tokens=most, at=0.0), 0.0
    moments = []
    for pause in pauses:
        now += pause
        bucket, wait = take(bucket, now)
        moments.append(now + wait)

    for first in range(0, len(moments), 7):
        for last in range(first, len(moments)):
            spell = moments[last] - moments[first]
            assert last - first + 1 <= most + rate * spell + 1 + 1e-6 * (last + 1)
    assert moments == sorted(moments)


async def test_the_rate_spreads_calls_over_time() -> None:
    clock = TestClock()
    gate = Gate(clock, rate=2.0, burst=1, concurrency=None)
    went: list[float] = []

    async def call() -> None:
        await gate.enter(60.0)
        went.append(clock.monotonic())
        gate.leave()

    tasks = [asyncio.create_task(call()) for _ in range(6)]
    await clock.run_to(10.0)
    await asyncio.gather(*tasks)

    assert went == [0.0, 0.5, 1.0, 1.5, 2.0, 2.5]


async def test_who_has_no_time_to_wait_hears_when_to_come_again() -> None:
    gate = Gate(TestClock(), rate=0.1, burst=1, concurrency=None)
    await gate.enter(1.0)

    with pytest.raises(Stopped) as stopped:
        await gate.enter(1.0)

    assert (stopped.value.kind, stopped.value.sent) == (Kind.BUSY, Sent.NO)
    assert stopped.value.retry_after == pytest.approx(10.0)


async def test_places_go_to_who_waits_longest_and_time_out() -> None:
    clock = TestClock()
    gate = Gate(clock, rate=None, burst=None, concurrency=1)
    order: list[str] = []

    async def call(name: str, time: float, holds: float) -> None:
        try:
            await gate.enter(time)
        except Stopped:
            order.append(f"{name} gave up at {clock.monotonic():g}")
            return
        order.append(f"{name} at {clock.monotonic():g}")
        await clock.sleep(holds)
        gate.leave()

    tasks = [asyncio.create_task(call(*args)) for args in (("a", 9, 4), ("b", 2, 1), ("c", 9, 1), ("d", 9, 1))]
    await clock.run_to(20.0)
    await asyncio.gather(*tasks)

    assert order == ["a at 0", "b gave up at 2", "c at 4", "d at 5"]


async def test_a_place_is_not_lost_when_who_waits_for_it_goes_away() -> None:
    clock = TestClock()
    gate = Gate(clock, rate=1.0, burst=1, concurrency=2)
    await gate.enter(9.0)
    for _ in range(3):
        leaver = asyncio.create_task(gate.enter(9.0))  # gets a place, waits for its token
        await asyncio.sleep(0.01)
        leaver.cancel()
        await asyncio.gather(leaver, return_exceptions=True)
    gate.leave()
    second = [asyncio.create_task(gate.enter(99.0)) for _ in range(2)]
    await clock.run_to(50.0)

    assert all(task.done() for task in second)
    await asyncio.gather(*second)


async def test_a_place_given_to_someone_who_leaves_in_that_moment_goes_on_to_the_next() -> None:
    gate = Gate(TestClock(), rate=None, burst=None, concurrency=1)
    await gate.enter(9.0)
    leaver, next_one = asyncio.create_task(gate.enter(9.0)), asyncio.create_task(gate.enter(9.0))
    for _ in range(5):
        await asyncio.sleep(0)
    gate.leave()  # the leaver has the place now, and does not know it yet
    leaver.cancel()
    await asyncio.gather(leaver, return_exceptions=True)

    await asyncio.wait_for(next_one, 5)
    assert leaver.cancelled()


async def test_a_credentials_limits_hold_on_the_wire(org: Org) -> None:
    now, most = 0, 0

    async def slow(got: Got) -> Answer:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.02)
        now -= 1
        return Answer()

    async with outside(slow) as erp:
        await org.credential("ERP", erp.url, concurrency=3)
        run = org.callouts.run()
        outcomes = await asyncio.gather(*(org.callouts.send(request("ERP", "GET", "/"), run) for _ in range(12)))
        await org.credential("ERP", erp.url, concurrency=None, rate=0.001, burst=2)
        paced = [await org.callouts.send(request("ERP", "GET", "/"), run) for _ in range(3)]

    assert {outcome.kind for outcome in outcomes} == {Kind.ANSWERED}
    assert most == 3
    assert [outcome.kind for outcome in paced] == [Kind.ANSWERED, Kind.ANSWERED, Kind.BUSY]
    assert len(erp.got) == 14
