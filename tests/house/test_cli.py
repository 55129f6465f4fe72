"""The command line, as a person uses it: real processes, what they print and how they end."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.support.running import RunningOrg

SHOP = ROOT / "examples" / "shop"


@pytest.fixture
def environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LANDBRIDGE_")}
    return {**kept, "LANDBRIDGE_HOME": str(home), "COLUMNS": "200"}


@pytest.fixture
def data(home: Path, tmp_path: Path) -> Path:
    """A data folder with the shop in it, owned by nobody."""
    with RunningOrg(home=home, data=tmp_path / "org", source=(SHOP,), seed=(SHOP / "data" / "plan.json",)):
        pass
    return tmp_path / "org"


def run(
    environment: dict[str, str], *arguments: object, folder: Path | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "landbridge", *map(str, arguments)], capture_output=True, text=True, env=environment,
        cwd=folder or ROOT, timeout=60, check=False,
    )  # fmt: skip


def test_help_teaches(environment: dict[str, str]) -> None:
    done = run(environment, "--help")

    assert done.returncode == 0
    assert "landbridge serve --data ./org" in done.stdout
    assert run(environment).returncode == 2
    assert run(environment, "--version").stdout.startswith("landbridge 0.")


QUERY = "SELECT Name, Kind__c, Price__c, Organic__c FROM Seed_Packet__c WHERE Kind__c = 'Herb' ORDER BY Price__c"


@pytest.mark.parametrize("served", [True, False])
def test_a_query_answers_whether_a_server_owns_the_folder_or_not(
    environment: dict[str, str], data: Path, home: Path, served: bool
) -> None:
    def ask(form: str) -> str:
        done = run(environment, "query", QUERY, "--data", data, "--format", form)
        assert done.returncode == 0, done.stderr
        return done.stdout

    if served:
        with RunningOrg(home=home, data=data):
            table, text, rows = ask("table"), ask("json"), ask("csv")
    else:
        table, text, rows = ask("table"), ask("json"), ask("csv")

    names = ["Flat Leaf Parsley", "Sweet Genovese Basil", "Lemon Thyme"]
    assert [record["Name"] for record in json.loads(text)["records"]] == names
    assert [row["Name"] for row in csv.DictReader(io.StringIO(rows))] == names
    assert table.splitlines()[0].split() == ["Name", "Kind__c", "Price__c", "Organic__c"]
    assert table.splitlines()[-1] == "3 rows"


def test_an_import_loads_a_plan_and_says_what_failed(environment: dict[str, str], data: Path, tmp_path: Path) -> None:
    plan = tmp_path / "more.json"
    plan.write_text(json.dumps({"records": [
        {"attributes": {"type": "Account", "referenceId": "A"}, "Name": "Imported",
         "Contacts": {"records": [{"attributes": {"type": "Contact"}, "LastName": "Child"}]}},
        {"attributes": {"type": "Seed_Packet__c"}, "Sku__c": "CAR-01"},
    ]}))  # fmt: skip

    done = run(environment, "import", plan, "--data", data)
    found = run(environment, "query", "SELECT LastName, Account.Name FROM Contact", "--data", data, "--format", "csv")

    assert done.returncode == 1
    assert "1 Account created" in done.stdout
    assert "DUPLICATE_VALUE" in done.stdout
    assert found.stdout == "LastName,Account.Name\nChild,Imported\n"


def test_schema_shows_objects_and_fields(environment: dict[str, str], data: Path) -> None:
    everything = run(environment, "schema", "--data", data)
    one = run(environment, "schema", "seed_packet__c", "--data", data)

    assert "Seed_Packet__c" in everything.stdout
    assert "Sku__c" in one.stdout
    assert "required, external id, unique" in one.stdout


def test_schema_check_says_what_is_understood(environment: dict[str, str], tmp_path: Path) -> None:
    good = run(environment, "schema", "check", SHOP)
    fields = tmp_path / "objects/X__c/fields"
    fields.mkdir(parents=True)
    (fields / "Bad__c.field-meta.xml").write_text(
        "<CustomField><fullName>Bad__c</fullName><type>ExternalLookup</type></CustomField>"
    )
    bad = run(environment, "schema", "check", tmp_path)

    assert good.returncode == 0
    assert "0 refused, 0 error" in good.stdout
    assert bad.returncode == 1
    assert "Bad__c.field-meta.xml:1: refused: Bad__c: fields of type ExternalLookup" in bad.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["query", "SELECT Id FROM Account", "--data", "nowhere"],
            "holds no org. Make one with `landbridge serve --data nowhere`",
        ),
        (["query", "SELECT Id FROM Account", "--org", "http://127.0.0.1:9"], "set LANDBRIDGE_ACCESS_TOKEN"),
        (["serve", "--source", "nowhere", "--port", "0"], "the source folder nowhere does not exist"),
        (["serve", "--seed", "nowhere.json", "--port", "0"], "nowhere.json can't be read: No such file or directory"),
        (["serve", "--data", "x", "--memory"], "exclude each other"),
        (["schema", "check"], "say which folder"),
        (["serve", "--connected-app", "x", "--port", "0"], "CLIENT_ID:CLIENT_SECRET"),
    ],
)
def test_mistakes_are_answered_with_what_to_do(
    environment: dict[str, str], tmp_path: Path, arguments: list[str], message: str
) -> None:
    done = run(environment, *arguments, folder=tmp_path)

    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_an_org_that_does_not_answer_is_told(environment: dict[str, str]) -> None:
    done = run(
        {**environment, "LANDBRIDGE_ACCESS_TOKEN": "x"},
        "query",
        "SELECT Id FROM Account",
        "--org",
        "http://127.0.0.1:9",
    )

    assert "no org answers there" in done.stderr


def test_a_port_in_use_is_told(environment: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = run(environment, "serve", "--port", taken.getsockname()[1])

    assert done.returncode == 1
    assert "is in use. Stop what uses it, or take another one: --port 0" in done.stderr


def test_a_damaged_data_file_is_told_and_left_alone(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "org").mkdir()
    (tmp_path / "org" / "org.sqlite").write_bytes(b"garbage" * 1000)

    done = run(environment, "serve", "--data", tmp_path / "org", "--port", 0)

    assert done.returncode == 1
    assert "damaged or not a database" in done.stderr
    assert (tmp_path / "org" / "org.sqlite").read_bytes() == b"garbage" * 1000


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_prints_how_to_log_in_and_stops_cleanly(
    environment: dict[str, str], tmp_path: Path, number: signal.Signals
) -> None:
    ready = tmp_path / "ready.json"
    process = subprocess.Popen(
        [sys.executable, "-m", "landbridge", "serve", "--port", "0", "--source", SHOP, "--ready-file", ready, "--log-format", "json"],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(9)]
    known: dict[str, Any] = json.loads(ready.read_text())
    found = run(environment, "query", "SELECT COUNT() FROM User", "--org", known["url"])
    process.send_signal(number)
    _, errors = process.communicate(timeout=20)

    printed = "".join(lines)
    assert all(
        known[key] in printed for key in ("url", "username", "password", "security_token", "access_token", "ca_file")
    )
    assert "LANDBRIDGE_ACCESS_TOKEN" in found.stderr
    assert process.returncode == 0
    assert errors.strip() == "stopping"
    assert not ready.exists()


def test_an_address_that_others_reach_is_warned_of(environment: dict[str, str], tmp_path: Path) -> None:
    ready = tmp_path / "ready.json"
    process = subprocess.Popen(
        [sys.executable, "-m", "landbridge", "serve", "--host", "0.0.0.0", "--port", "0", "--ready-file", ready],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    process.stdout.readline()
    process.terminate()

    assert "can be reached from other machines" in process.communicate(timeout=20)[1]
