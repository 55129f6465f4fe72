"""`--reload`: a changed file takes over; one that does not load leaves the old one running."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from landbridge.events.retention import Retention
from tests.support.flows import SHOP, FlowOrg, flow_org, write
from tests.support.running import RunningOrg

BODY = """
    @flow.on("/data/AccountChangeEvent", key="recordId")
    async def on_account(change: ChangeEvent, org: Org) -> None:
        await org.insert("Contact", {{"LastName": "{}"}})
"""


def until(org: FlowOrg, version: str) -> str:
    """Wait until another version than this runs; which."""
    while True:
        (loaded,) = org.door.server.crossing.loaded.values()
        if loaded.version != version:
            return loaded.version
        org.request("GET", "/services/landbridge/v1/health")


def names(org: FlowOrg) -> list[str]:
    org.finished()
    return [row["LastName"] for row in org.rows("SELECT LastName FROM Contact ORDER BY Id")]


def test_a_changed_file_takes_over_and_a_broken_one_does_not(
    tmp_path: Path, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with flow_org(tmp_path, home, BODY.format("one"), reload=True) as org:
        (loaded,) = org.door.server.crossing.loaded.values()
        org.create("Account", Name="a")
        assert names(org) == ["one"]

        write(org.path, BODY.format("two"))
        version = until(org, loaded.version)
        org.create("Account", Name="b")
        assert names(org) == ["one", "two"]

        write(org.path, "def broken(:")
        while "this is not Python" not in caplog.text:
            org.request("GET", "/services/landbridge/v1/health")
        org.create("Account", Name="c")
        assert names(org) == ["one", "two", "two"]

        write(org.path, BODY.format("three"))
        until(org, version)
        org.create("Account", Name="d")
        assert names(org) == ["one", "two", "two", "three"]


def test_a_flow_that_was_away_for_too_long_goes_on_and_says_what_it_missed(
    tmp_path: Path, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = tmp_path / "org"
    with flow_org(tmp_path, home, BODY.format("x"), data=data) as org:
        org.create("Account", Name="seen")
        assert names(org) == ["x"]
    token = "00D-preshared!does-not-expire-when-a-test-jumps"
    with RunningOrg(home=home, data=data, source=(SHOP,), capture=("Account",), access_token=token) as away:
        away.create("Account", Name="never seen")

        async def four_days_later() -> None:
            server = away.door.server
            server.clock.jump(timedelta(hours=96))
            assert await Retention(server.db, server.events, server.clock).sweep() >= 1

        away.do(four_days_later)
        away.create("Account", Name="kept")
    with FlowOrg(tmp_path / "flow.py", home=home, data=data) as org:
        org.create("Account", Name="new")
        assert names(org)[-1:] == ["x"]
        (row,) = org.rows("SELECT LastError FROM EventBusSubscriber WHERE Name = 'test/on_account'")

    assert "were no longer kept" in row["LastError"]
    assert "were no longer kept" in caplog.text


def test_a_flow_goes_on_where_it_stopped(tmp_path: Path, home: Path) -> None:
    data = tmp_path / "org"
    with flow_org(tmp_path, home, BODY.format("x"), data=data) as org:
        org.create("Account", Name="a")
        assert names(org) == ["x"]
    with FlowOrg(tmp_path / "flow.py", home=home, data=data) as org:
        assert names(org) == ["x"]
        org.create("Account", Name="b")
        assert names(org) == ["x", "x"]
        (file,) = org.request("GET", "/services/landbridge/v1/flows").json["files"]
        (handler,) = file["handlers"]
        assert handler["waiting"] == {}
        assert handler["read_to"] >= 2
