"""The switchboard: silent until a failure is switched on, then what it says at the door it was asked at."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from landbridge.chance import Chance
from landbridge.clock import Clock
from landbridge.errors import ServerUnavailable
from landbridge.faults.switchboard import Strike, Switch, Switchboard
from tests.support.running import RunningOrg

POINT = "http.request"


def board(seed: int = 1) -> tuple[Switchboard, Clock]:
    clock = Clock()
    return Switchboard(clock, Chance(seed)), clock


def test_nothing_strikes_until_it_is_switched_on_and_after_it_is_off() -> None:
    switchboard, _ = board()
    strike = Strike(delay=1.0)

    before = switchboard.strike(POINT, {})
    off = switchboard.on(Switch(POINT, strike))
    while_on, elsewhere = switchboard.strike(POINT, {}), switchboard.strike("callout.send", {})
    off()

    assert (before, while_on, elsewhere, switchboard.strike(POINT, {})) == (None, strike, None, None)


def test_a_switch_chooses_by_context_and_ends_by_the_orgs_clock() -> None:
    switchboard, clock = board()
    switchboard.on(Switch(POINT, Strike(), matches=lambda context: context["n"] > 3, until=clock.epoch() + 60))

    assert [switchboard.strike(POINT, {"n": n}) is not None for n in (1, 5)] == [False, True]
    clock.jump(timedelta(minutes=2))
    assert switchboard.strike(POINT, {"n": 5}) is None


def test_a_rate_strikes_the_same_requests_from_the_same_seed() -> None:
    def run(seed: int) -> list[bool]:
        switchboard, _ = board(seed)
        switchboard.on(Switch(POINT, Strike(), rate=0.3))
        return [switchboard.strike(POINT, {}) is not None for _ in range(200)]

    assert run(7) == run(7) != run(8)
    assert 30 < sum(run(7)) < 90


def test_the_front_door_suffers_what_the_switchboard_says(home: Path) -> None:
    with RunningOrg(home=home) as org:
        switchboard = org.door.server.switchboard

        async def switch(strike: Strike) -> None:
            switchboard.on(Switch(POINT, strike))

        org.do(lambda: switch(Strike(error=ServerUnavailable("staged"), delay=0.01)))
        reply = org.data("POST", "/sobjects/Account", {"Name": "x"})

        assert (reply.status, reply.json[0]["message"]) == (503, "staged")
        assert org.door.server.db.read_now(lambda reader: reader.one('SELECT count(*) FROM "Account"')) == (0,)
