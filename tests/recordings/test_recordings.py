"""
Every recorded reply that has its resource here, sent again: set up, asked, compared. The table is printed at the end of the run.

A pair that differs on purpose must differ: when it no longer does, its entry has to go.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.recordings import source, stage
from tests.recordings.compare import differences
from tests.recordings.names import NAMES
from tests.recordings.outcomes import DIFFERS, ERRATA, where
from tests.support.recordings import Table
from tests.support.running import RunningOrg

HERE = [name for name in NAMES if where(name) is None]


@pytest.fixture(scope="module")
def recorded_org(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningOrg]:
    project = source.write(tmp_path_factory.mktemp("recorded") / "project")
    with RunningOrg(home=home, source=(project,), daily_api_requests=15_000, hide=stage.HIDDEN) as org:
        yield org


def ledger(name: str) -> pytest.MarkDecorator:
    reason = DIFFERS.get(name)
    return pytest.mark.ledger(
        f"recording.{name}", "observed" if reason is None else "differs", reason or f"recording {name}"
    )


def read(shared: Path, name: str) -> dict[str, Any]:
    (path,) = (shared / "recordings").glob(f"*/{name}.json")
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


@pytest.mark.parametrize("name", [pytest.param(name, marks=ledger(name)) for name in HERE])
def test_a_recorded_request_gets_the_recorded_reply(
    recorded_org: RunningOrg, shared: Path, name: str, recordings: Table
) -> None:
    recorded = read(shared, name)
    places, _ = ERRATA.get(name, ((), ""))
    recorded["volatile"] = [*recorded["volatile"], *places]

    reply = stage.prepare(recorded_org, name, recorded).to(recorded_org)
    if reply.headers.get("content-encoding") == "gzip":
        reply = replace(reply, raw=gzip.decompress(reply.raw))
    found = differences(recorded, reply)

    recordings.note(name, "differs" if found else "met")
    if name in DIFFERS:
        assert found, f"{name} no longer differs: take it off outcomes.DIFFERS"
    else:
        assert found == []


def test_every_recording_is_accounted_for(shared: Path, recordings: Table) -> None:
    files = sorted(path.stem for path in (shared / "recordings").glob("*/*.json"))

    for name in files:
        if where(name) is not None:
            recordings.note(name, "not this issue")
    assert files == sorted(NAMES)


def test_at_most_a_tenth_differs() -> None:
    assert DIFFERS.keys() <= set(HERE)
    assert len(DIFFERS) <= len(HERE) / 10


# --- the comparison itself ---------------------------------------------------------------------------------------------


def changed(recorded: dict[str, Any], body: Any, status: int = 200, **headers: str) -> list[str]:
    from tests.support.running import Reply

    sent = {"content-type": "application/json;charset=UTF-8", **headers}
    return differences(recorded, Reply(status, sent, json.dumps(body).encode()))


def test_the_comparison_sees_what_differs() -> None:
    body = {"totalSize": 1, "done": True, "records": [{"Id": "0015500001QdQWfAAN", "Name": "x", "Age": 1.5}]}
    recorded = {
        "response": {"status": 200, "headers": {"Content-Type": "application/json;charset=UTF-8"}, "body": body},
        "volatile": ["/totalSize", "/records/*/Id"], "note": "", "confidence": "none",
    }  # fmt: skip

    def row(**values: Any) -> list[dict[str, Any]]:
        return [{**body["records"][0], **values}]  # type: ignore[index]

    assert changed(recorded, body) == []
    assert changed(recorded, {**body, "totalSize": None, "records": row(Id=None, Name="other", Age=2.5)}) == []
    assert changed(recorded, body, 201) != []
    assert changed(recorded, {**body, "done": False}) != []
    assert changed(recorded, {"done": True, "totalSize": 1, "records": body["records"]}) != []
    assert changed(recorded, {**body, "more": 1}) != []
    assert changed(recorded, {"totalSize": 1, "done": True}) != []
    assert changed(recorded, {**body, "records": row(Name=None)}) != []
    assert changed(recorded, {**body, "records": row(Age=1)}) != []
    assert changed(recorded, {**body, "records": []}) != []
    assert changed(recorded, body, **{"content-type": "text/html"}) != []
    error = {"message": "id 0015500001QdQWfAAN is gone", "errorCode": "GONE"}
    refused = {**recorded, "response": {"status": 400, "headers": {}, "body": [error]}}
    assert changed(refused, [{**error, "message": "id 001550000111111AAA is gone"}], 400) == []
    assert changed(refused, [{**error, "message": "id 0015500001QdQWfAAN was gone"}], 400) != []
    assert changed(refused, [{**error, "errorCode": "LOST"}], 400) != []
