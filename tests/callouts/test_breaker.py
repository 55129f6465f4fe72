"""The circuit breaker as a pure state machine, and in front of a target that fails."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from landbridge.callouts import Kind, Sent, request
from landbridge.callouts.breaker import SLICES, Breaker, BreakerPolicy, State, abandoned, ask, ended, view
from tests.callouts.conftest import Org
from tests.support.outside import Answer, outside

POLICY = BreakerPolicy(failures=3, rate=0.5, window=10.0, wait=5.0, probes=2, successes=2)


class Life(RuleBasedStateMachine):
    """Calls that go out, end well or badly, late or never, against what the breaker promises."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker = Breaker()
        self.now = 1000.0
        self.out: list[int] = []
        self.recent: list[tuple[float, bool]] = []
        self.opened_at: float | None = None

    def _let(self, after: Breaker) -> None:
        if after.state is State.OPEN and self.breaker.state is not State.OPEN:
            self.opened_at = self.now
        self.breaker = after

    @rule(seconds=st.floats(0.0, 12.0))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def a_call_asks(self) -> None:
        before = self.breaker.state
        after, wait = ask(self.breaker, POLICY, self.now)
        if wait is None:
            self.out.append(after.epoch)
            if before is State.OPEN:
                assert self.opened_at is not None
                assert self.now >= self.opened_at + POLICY.wait, "an open breaker lets nothing out before its time"
        else:
            assert wait > 0
            assert before is not State.CLOSED, "a closed breaker says no to nobody"
        self._let(after)

    @precondition(lambda self: self.out)
    @rule(failed=st.booleans(), which=st.randoms(use_true_random=False))
    def a_call_ends(self, failed: bool, which: object) -> None:
        epoch = self.out.pop(which.randrange(len(self.out)))  # type: ignore[attr-defined]
        before = self.breaker
        self._let(ended(before, POLICY, self.now, epoch, failed=failed))
        if epoch != before.epoch:
            assert self.breaker == before, "a call of another time changes nothing"
        elif before.state is State.CLOSED:
            self.recent.append((self.now, failed))
            if self.breaker.state is State.OPEN:
                # Counted in slices, the window reaches back at most one slice further.
                window = [bad for when, bad in self.recent if when > self.now - POLICY.window * (1 + 1 / SLICES)]
                assert sum(window) >= POLICY.failures
        elif failed:
            assert self.breaker.state is State.OPEN, "a probe that fails opens it again"
        if self.breaker.epoch != before.epoch:
            self.recent = []

    @precondition(lambda self: self.out)
    @rule()
    def a_call_never_goes(self) -> None:
        self._let(abandoned(self.breaker, self.out.pop()))

    @invariant()
    def probes_are_bounded(self) -> None:
        assert 0 <= self.breaker.out <= POLICY.probes
        assert len(self.breaker.counts) <= SLICES
        if self.breaker.state is State.HALF_OPEN:
            assert self.breaker.out >= sum(1 for epoch in self.out if epoch == self.breaker.epoch)

    @invariant()
    def a_view_says_when(self) -> None:
        seen = view(self.breaker, POLICY, self.now)
        assert seen.retry_after >= 0
        assert (seen.retry_after > 0) == (ask(self.breaker, POLICY, self.now)[1] is not None)


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)


@given(st.integers(1, 20), st.floats(0.1, 1.0))
def test_a_target_that_always_fails_is_cut_off_after_so_many_failures(failures: int, rate: float) -> None:
    policy = BreakerPolicy(failures=failures, rate=rate)
    breaker, calls = Breaker(), 0
    while (asked := ask(breaker, policy, 5.0))[1] is None:
        breaker = ended(asked[0], policy, 5.0, asked[0].epoch, failed=True)
        calls += 1

    assert calls == failures


def test_a_target_that_fails_now_and_then_is_never_cut_off() -> None:
    breaker = Breaker()
    for number in range(10_000):
        breaker, wait = ask(breaker, POLICY, number / 100)
        assert wait is None
        breaker = ended(breaker, POLICY, number / 100, breaker.epoch, failed=number % 20 == 0)


def test_with_no_failures_set_it_never_opens() -> None:
    policy, breaker = BreakerPolicy(failures=0), Breaker()
    for _ in range(100):
        breaker = ended(breaker, policy, 1.0, breaker.epoch, failed=True)

    assert breaker.state is State.CLOSED


def test_a_call_of_an_earlier_time_neither_opens_nor_closes_it() -> None:
    breaker = Breaker()
    late = breaker.epoch
    for _ in range(POLICY.failures):
        breaker = ended(breaker, POLICY, 0.0, breaker.epoch, failed=True)
    half, wait = ask(breaker, POLICY, POLICY.wait)

    assert (breaker.state, half.state, wait) == (State.OPEN, State.HALF_OPEN, None)
    for failed in (True, False):
        assert ended(half, POLICY, POLICY.wait, late, failed=failed) == half
        assert ended(breaker, POLICY, 1.0, late, failed=failed) == breaker
    assert abandoned(half, late) == half


def test_old_failures_are_forgotten() -> None:
    breaker = Breaker()
    for now in (0.0, 0.1, 20.0, 20.1, 40.0):
        breaker = ended(breaker, POLICY, now, breaker.epoch, failed=True)

    assert breaker.state is State.CLOSED


async def test_a_target_that_fails_is_left_alone_and_tried_again_by_the_orgs_clock(org: Org) -> None:
    well = False
    async with outside(lambda got: Answer(200 if well else 503)) as erp:
        await org.credential("ERP", erp.url, breaker={"failures": 3, "wait": 60.0})

        async def send() -> tuple[Kind, int]:
            outcome = await org.callouts.send(request("ERP", "GET", "/"), org.callouts.run())
            return outcome.kind, outcome.status

        failed = [await send() for _ in range(3)]
        stopped = await org.callouts.send(request("ERP", "GET", "/"), org.callouts.run())
        opened = org.callouts.breaker("ERP")
        org.server.clock.jump(timedelta(seconds=61))
        half = org.callouts.breaker("ERP")
        probe = await send()
        again = await send()
        org.server.clock.jump(timedelta(seconds=61))
        well = True
        recovered = [await send(), await send()]

    assert failed == [(Kind.ANSWERED, 503)] * 3
    assert (stopped.kind, stopped.sent) == (Kind.BREAKER, Sent.NO)
    assert stopped.retry_after is not None
    assert 50 < stopped.retry_after <= 60
    assert (opened.state, half.state) == (State.OPEN, State.HALF_OPEN)
    assert (probe, again) == ((Kind.ANSWERED, 503), (Kind.BREAKER, 0))
    assert recovered == [(Kind.ANSWERED, 200)] * 2
    assert org.callouts.breaker("erp").state is State.CLOSED
    assert len(erp.got) == 6


async def test_what_the_caller_did_wrong_does_not_open_it(org: Org) -> None:
    async with outside(lambda got: Answer(404)) as erp:
        await org.credential("ERP", erp.url, breaker={"failures": 2})
        kinds = [(await org.callouts.send(request("ERP", "GET", "/"), org.callouts.run())).kind for _ in range(10)]

    assert kinds == [Kind.ANSWERED] * 10


async def test_a_probe_that_never_went_out_leaves_its_place(org: Org) -> None:
    async with outside(lambda got: Answer(500)) as erp:
        await org.credential("ERP", erp.url, breaker={"failures": 1, "wait": 1.0}, max_body=10)
        run = org.callouts.run()
        await org.callouts.send(request("ERP", "GET", "/"), run)
        org.server.clock.jump(timedelta(seconds=2))
        with pytest.raises(ValueError, match="HTTP"):
            await org.callouts.send(request("ERP", "GET", "/", headers={"X": "a\nb"}), run)
        outcome = await org.callouts.send(request("ERP", "GET", "/"), run)

    assert (outcome.kind, outcome.status) == (Kind.ANSWERED, 500)
