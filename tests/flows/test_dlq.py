"""`landbridge dlq` and `landbridge flow`, as a person uses them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.flows import SHOP, FlowOrg, flow_org, write

BODY = """
    @flow.on("/event/Packing_Event__e", key="Order_Number__c", retry=Retry(attempts=1))
    async def on_packing(packing: PlatformEvent, org: Org) -> None:
        SEEN.append((packing["Order_Number__c"], packing.get("Status__c")))
        if packing.get("Status__c") == "Lost":
            raise ValueError(f"order {packing['Order_Number__c']} can't be packed as Lost")
        await org.insert("Account", {"Name": packing["Order_Number__c"]})
"""


@pytest.fixture
def environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LANDBRIDGE_")}
    return {**kept, "LANDBRIDGE_HOME": str(home), "COLUMNS": "250"}


def run(environment: dict[str, str], *arguments: object, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "landbridge", *map(str, arguments)], capture_output=True, text=True, env=environment,
        input=given, timeout=60, check=False,
    )  # fmt: skip


def publish(org: FlowOrg, number: str, status: str) -> None:
    reply = org.data("POST", "/sobjects/Packing_Event__e", {"Order_Number__c": number, "Status__c": status})
    assert reply.status == 201, reply.raw


@pytest.mark.ledger("route.GET /services/landbridge/v1/deadletters/{id}", "differs", "Landbridge's own")
@pytest.mark.ledger("route.PUT /services/landbridge/v1/deadletters/{id}/payload", "differs", "Landbridge's own")
@pytest.mark.ledger("route.POST /services/landbridge/v1/deadletters/{id}/dry-run", "differs", "Landbridge's own")
@pytest.mark.ledger("route.POST /services/landbridge/v1/deadletters/replay", "differs", "Landbridge's own")
@pytest.mark.ledger("route.POST /services/landbridge/v1/deadletters/discard", "differs", "Landbridge's own")
def test_a_payload_is_mended_and_sent_again(tmp_path: Path, home: Path, environment: dict[str, str]) -> None:
    with flow_org(tmp_path, home, BODY, data=tmp_path / "org") as org:
        where = ("--data", tmp_path / "org")
        publish(org, "1", "Packed")
        org.finished()
        publish(org, "7", "Lost")
        publish(org, "7", "Packed")
        publish(org, "8", "Lost")
        org.finished()
        org.noted()

        listed = run(environment, "dlq", "list", "--by-cause", *where)
        assert "can't be packed as Lost" in listed.stdout, listed.stderr
        letters = json.loads(run(environment, "dlq", "list", "--format", "json", *where).stdout)
        assert [letter["key"] for letter in letters] == ["7", "8"]
        assert len({letter["cause"] for letter in letters}) == 1
        first = letters[0]["id"]
        shown = run(environment, "dlq", "show", first, *where)
        assert "raise ValueError" in shown.stdout, shown.stderr
        diff = run(environment, "dlq", "show", first, "--diff-last-good", *where)
        assert '+    "Status__c": "Lost"' in diff.stdout, diff.stderr

        dry = run(environment, "dlq", "replay", "--cause", letters[0]["cause"], "--dry-run", *where)
        assert dry.returncode == 1
        assert dry.stdout.count("would fail again") == 2
        edited = run(environment, "dlq", "edit", first, "--set", "Status__c=Packed", *where)
        assert edited.returncode == 0, edited.stderr
        dry = run(environment, "dlq", "replay", first, "--dry-run", *where)
        assert "1 writes to the org would be made" in dry.stdout
        assert [row["Name"] for row in org.rows("SELECT Name FROM Account")] == ["1"]

        org.seen.clear()
        replayed = run(environment, "dlq", "replay", first, *where)
        assert "1 sent again" in replayed.stdout, replayed.stderr
        org.finished()
        assert org.seen == [("7", "Packed"), ("7", "Packed")]
        again = run(environment, "dlq", "replay", first, *where)
        assert again.returncode == 1
        assert "is resolved: nothing was done" in again.stderr
        discarded = run(environment, "dlq", "discard", "--where", "Key__c = '8'", "--reason", "never was", *where)
        assert "1 discarded" in discarded.stdout, discarded.stderr
        found = {letter["Key__c"]: (letter["Status__c"], letter["Reason__c"]) for letter in org.letters()}
        assert found == {"7": ("Resolved", None), "8": ("Discarded", "never was")}
        history = [
            step["action"]
            for step in org.request("GET", f"/services/landbridge/v1/deadletters/{first}").json["history"]
        ]
        assert history == ["dry-run", "edit", "dry-run", "replay"]


def test_which_ones_must_be_said(environment: dict[str, str], tmp_path: Path, home: Path) -> None:
    with flow_org(tmp_path, home, BODY, data=tmp_path / "org"):
        done = run(environment, "dlq", "replay", "--data", tmp_path / "org")

    assert done.returncode == 1
    assert "say which" in done.stderr


def test_a_read_only_user_may_look_and_not_touch(tmp_path: Path, home: Path) -> None:
    with flow_org(tmp_path, home, BODY) as org:
        publish(org, "7", "Lost")
        org.finished()
        token = org.integration_token()
        (letter,) = org.letters()

        reply = org.request("POST", "/services/landbridge/v1/deadletters/replay", {"ids": [letter["Id"]]}, token=token)
        assert reply.status == 403
        reply = org.data("PATCH", f"/sobjects/Failed_Payload__c/{letter['Id']}", {"Status__c": "Resolved"})
        assert reply.status in (400, 405)


@pytest.mark.ledger("route.GET /services/landbridge/v1/flows", "differs", "Landbridge's own")
def test_the_flows_that_run_are_listed_with_what_waits(tmp_path: Path, home: Path, environment: dict[str, str]) -> None:
    with flow_org(tmp_path, home, BODY, data=tmp_path / "org") as org:
        publish(org, "7", "Lost")
        org.finished()
        listed = run(environment, "flow", "list", "--data", tmp_path / "org")

    assert listed.returncode == 0, listed.stderr
    assert "on_packing" in listed.stdout


CHECKED = """
    import dataclasses

    erp = flow.credential("Nowhere")

    @dataclasses.dataclass
    class Packing:
        order_number: str
        colour: str = ""

    @flow.on("/event/Packing_Event__e", key="Order_Number__c")
    async def on_packing(packing: Packing) -> None: ...

    @flow.on("/data/Garden_Ordr__ChangeEvent")
    async def on_order(change: ChangeEvent) -> None: ...

    @flow.on("/data/ContactChangeEvent")
    async def on_contact(change: ChangeEvent) -> None: ...

    @flow.every(minutes=15)
    async def reconcile(org: Org) -> None: ...
"""


@pytest.mark.ledger("route.POST /services/landbridge/v1/flows/check", "differs", "Landbridge's own")
def test_check_names_what_will_not_work_with_file_and_line(tmp_path: Path, environment: dict[str, str]) -> None:
    path = write(tmp_path / "flow.py", CHECKED)

    done = run(environment, "flow", "check", path, "--source", SHOP)

    assert done.returncode == 1, done.stderr
    lines = done.stdout.splitlines()
    assert "test/reconcile: every 15 minutes" in lines
    text = path.read_text().splitlines()

    def at(start: str) -> str:
        return f"{path}:{text.index(start) + 1}"

    assert (
        f"{at('erp = flow.credential(' + chr(34) + 'Nowhere' + chr(34) + ')')}: warning: there is no named credential Nowhere"
        in done.stdout
    )
    assert "warning: Packing.colour: Packing_Event__e has no such field" in done.stdout
    assert (
        "error: there is no topic /data/Garden_Ordr__ChangeEvent in this org; did you mean /data/Garden_Order__ChangeEvent?"
        in done.stdout
    )
    assert (
        "warning: changes of Contact are not captured: nothing will come. Serve with --capture Contact" in done.stdout
    )


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("def broken(:\n    pass", "this is not Python"),
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ('@flow.on("/data/AccountChangeEvent")\ndef sync(change): ...', "is not `async def`"),
        ('@flow.on("/data/AccountChangeEvent")\nasync def nothing() -> None: ...', "takes no event"),
        ('@flow.on("/data/AccountChangeEvent")\nasync def odd(change: int) -> None: ...', "is no event"),
        ('@flow.on("data")\nasync def odd(change: ChangeEvent) -> None: ...', "a topic begins with a slash"),
        ("@flow.every(seconds=0.1)\nasync def quick(org: Org) -> None: ...", "at least one second"),
        ("1 / 0", "ZeroDivisionError"),
        ("pass", "has no handler"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_file_is_told_with_file_and_line(
    tmp_path: Path, environment: dict[str, str], body: str, expected: str
) -> None:
    path = write(tmp_path / "flow.py", "\n" + body)

    done = run(environment, "flow", "check", path, "--source", SHOP)

    assert done.returncode == 1
    assert expected in done.stderr
    assert f"{path}:" in done.stderr
    assert "Traceback" not in done.stderr
