"""`landbridge events`, as a person uses it: real processes against a running org."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.support.running import RunningOrg

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LANDBRIDGE_")}
    return {**kept, "LANDBRIDGE_HOME": str(home), "COLUMNS": "200"}


@pytest.fixture
def org(home: Path, source: Path, tmp_path: Path) -> Any:
    with RunningOrg(home=home, source=(source,), data=tmp_path / "org") as running:
        yield running


@pytest.fixture
def run(environment: dict[str, str], org: RunningOrg) -> Run:
    def command(*arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "landbridge", "events", *map(str, arguments), "--data", str(org.settings.data)],
            capture_output=True, text=True, env=environment, cwd=ROOT, timeout=60, check=False,
        )  # fmt: skip

    return command


def test_capture_publish_topics_and_subscriptions(run: Run, org: RunningOrg) -> None:
    assert run("capture", "list", "--format", "json").stdout.strip() == "[]"
    added = run("capture", "add", "Account", "Thing__c", "--format", "json")
    assert [row["entity"] for row in json.loads(added.stdout)] == ["AccountChangeEvent", "Thing__ChangeEvent"]
    assert "Thing__ChangeEvent" not in run("capture", "remove", "Thing__c").stdout
    refused = run("capture", "add", "Nothing")
    assert refused.returncode == 1
    assert "no change events" in refused.stderr

    uuid = run("publish", "Later__e", "Needed__c=a", "Amount__c=1.5", "Flag__c=true", "Day__c=").stdout.strip()
    (event,) = org.door.server.events.read(org.door.server.events.topic("/event/Later__e"), 0, 10)
    assert event.uuid == uuid
    assert event.values == {"Needed__c": "a", "Amount__c": 1.5, "Flag__c": True}
    assert "Required fields are missing" in run("publish", "Later__e").stderr
    assert "FIELD=value" in run("publish", "Later__e", "Needed__c").stderr

    topics = json.loads(run("topics", "--format", "json").stdout)
    assert {"/event/Later__e", "/data/AccountChangeEvent", "/data/ChangeEvents"} <= {row["topic"] for row in topics}
    assert run("subscriptions").returncode == 0


def test_tail_replays_filters_and_prints(run: Run, org: RunningOrg) -> None:
    for n in range(5):
        org.create("Later__e", Needed__c=f"n{n}", Amount__c=n)

    every = run("tail", "/event/Later__e", "--replay", "-2", "--count", 5, "--format", "json")
    found = [json.loads(text) for text in every.stdout.splitlines()]
    assert [one["payload"]["Needed__c"] for one in found] == [f"n{n}" for n in range(5)]
    third = found[2]["event"]["replayId"]
    after = run("tail", "/event/Later__e", "--replay", third, "--count", 1)
    assert 'Needed__c="n3"' in after.stdout
    filtered = run(
        "tail", "/event/Later__e", "--replay", -2, "--where", "Amount__c >= 3 AND Needed__c != 'n3'", "--count", 1
    )
    assert '"n4"' in filtered.stdout
    assert len(filtered.stdout.splitlines()) == 1


def test_tail_says_what_is_wrong(run: Run) -> None:
    cases = [
        (("tail", "/event/Nothing__e"), "Nothing__e"),
        (("tail", "/event/Later__e", "--replay", "99999"), "99999"),
        (("tail", "/event/Later__e", "--replay", "x"), "--replay"),
        (("tail", "/event/Later__e", "--where", "Amount__c >"), "--where"),
        (("tail", "/event/Later__e", "--count", "0"), "--count"),
    ]

    for arguments, text in cases:
        done = run(*arguments)
        assert done.returncode == 1, arguments
        assert text in done.stderr


def test_tail_goes_on_after_the_org_was_restarted(
    environment: dict[str, str], home: Path, source: Path, tmp_path: Path
) -> None:
    settings: dict[str, Any] = {
        "home": home,
        "data": tmp_path / "org",
        "access_token": "a-token-for-tests",
        "pubsub_port": 0,
        "pubsub_tls_port": 0,
    }
    with RunningOrg(**settings, source=(source,)) as org:
        port = org.port
        tail = subprocess.Popen(
            [sys.executable, "-m", "landbridge", "events", "tail", "/event/Later__e", "--count", "2", "--org",
             f"http://127.0.0.1:{port}"],
            env={**environment, "LANDBRIDGE_ACCESS_TOKEN": "a-token-for-tests"}, text=True, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )  # fmt: skip
        assert tail.stderr is not None
        assert "following" in tail.stderr.readline()
        org.create("Later__e", Needed__c="before")
        assert tail.stdout is not None
        assert '"before"' in tail.stdout.readline()
    with RunningOrg(**settings, port=port) as again:
        again.create("Later__e", Needed__c="after")
        assert '"after"' in tail.communicate(timeout=30)[0]
    assert tail.returncode == 0
