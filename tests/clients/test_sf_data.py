"""The Salesforce CLI, unmodified, at work: E-Bikes in and out again, records, files, describes, limits, the Tooling API."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients.conftest import Served, serve
from tests.clients.test_sf_logins import Cli

pytestmark = pytest.mark.client
ledger = pytest.mark.ledger
SF = "clients.md: @salesforce/cli 2.150.6, unmodified"

Sf = Callable[..., Any]


@pytest.fixture(scope="module")
def bikes(tmp_path_factory: pytest.TempPathFactory, home: Path, shared: Path) -> Iterator[Served]:
    """An org with the source of E-Bikes and none of its records."""
    with serve(tmp_path_factory.mktemp("bikes"), home, "--source", shared / "realinput" / "ebikes") as served:
        yield served


@pytest.fixture(scope="module")
def sf(tmp_path_factory: pytest.TempPathFactory, bikes: Served) -> Sf:
    """Commands of one login, with the org as their default."""
    cli = Cli(tmp_path_factory.mktemp("sf"))
    cli.run(
        "org", "login", "access-token", "--instance-url", bikes.ready["url"], "--no-prompt", "--alias", "bikes",
        SF_ACCESS_TOKEN=bikes.ready["access_token"],
    )  # fmt: skip

    def run(*arguments: object) -> Any:
        return cli.run(*arguments, "--target-org", "bikes")

    return run


def rows(sf: Sf, text: str, *options: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = sf("data", "query", "--query", text, *options)["records"]
    return found


@ledger("client.sf-tree", "observed", SF)
def test_the_e_bikes_plan_goes_in_comes_out_and_goes_in_again(sf: Sf, shared: Path, tmp_path: Path) -> None:
    data = shared / "realinput" / "ebikes" / "data"
    text = "SELECT Name, Product_Family__r.Name FROM Product__c WHERE Name = 'DYNAMO X1'"

    taken = sf("data", "import", "tree", "--plan", data / "sample-data-plan.json")
    found = rows(sf, text)
    children = "SELECT Name, (SELECT Name, MSRP__c FROM Products__r) FROM Product_Family__c"
    sf("data", "export", "tree", "--query", children, "--output-dir", tmp_path, "--plan")
    (plan,) = tmp_path.glob("*-plan.json")
    again = sf("data", "import", "tree", "--plan", plan)

    wanted = sum(len(json.loads(path.read_text())["records"]) for path in data.glob("[AP]*s.json"))
    assert len(taken) == wanted
    assert [row["Product_Family__r"]["Name"] for row in found] == ["Dynamo"]
    assert len(again) == len(taken) - 3  # all but the accounts
    assert [row["Product_Family__r"]["Name"] for row in rows(sf, text)] == ["Dynamo", "Dynamo"]


@ledger("client.sf-records", "observed", SF)
def test_a_record_is_created_read_changed_and_deleted(sf: Sf) -> None:
    on = ("--sobject", "Account")

    record_id = sf("data", "create", "record", *on, "--values", "Name='From sf' Phone=1")["id"]
    sf("data", "update", "record", *on, "--where", "Name='From sf'", "--values", "Phone=2")
    found = sf("data", "get", "record", *on, "--record-id", record_id)
    sf("data", "delete", "record", *on, "--record-id", record_id)

    assert (found["Name"], found["Phone"]) == ("From sf", "2")
    assert rows(sf, f"SELECT Id FROM Account WHERE Id = '{record_id}'") == []


@ledger("client.sf-files", "observed", SF)
def test_a_file_goes_up_and_comes_back_byte_for_byte(sf: Sf, bikes: Served, tmp_path: Path) -> None:
    content = os.urandom(700_001)
    (tmp_path / "blueprint.bin").write_bytes(content)

    made = sf("data", "create", "file", "--file", tmp_path / "blueprint.bin", "--title", "Blueprint")
    path = f"/services/data/v66.0/sobjects/ContentVersion/{made['Id']}/VersionData"
    sf("api", "request", "rest", path, "--stream-to-file", tmp_path / "back.bin")

    assert (made["Title"], made["FileExtension"]) == ("Blueprint", "bin")
    assert (tmp_path / "back.bin").read_bytes() == content


@ledger("client.sf-schema", "observed", SF)
def test_objects_are_listed_and_described(sf: Sf) -> None:
    listed = sf("sobject", "list", "--sobject", "custom")
    described = sf("sobject", "describe", "--sobject", "Product__c")
    fields = rows(
        sf, "SELECT DeveloperName FROM CustomField WHERE EntityDefinitionId = 'Product__c'", "--use-tooling-api"
    )

    assert {"Product__c", "Product_Family__c", "Order__c"} <= set(listed)
    assert {f"{row['DeveloperName']}__c" for row in fields} == {f["name"] for f in described["fields"] if f["custom"]}


@ledger("client.sf-limits", "observed", SF)
def test_limits_counts_and_plain_requests(sf: Sf, bikes: Served) -> None:
    sf("data", "create", "record", "--sobject", "Lead", "--values", "LastName=Counted Company=Bikes")

    limits = {one["name"]: one for one in sf("org", "list", "limits")}
    counts = sf("org", "list", "sobject", "record-counts", "--sobject", "Lead")
    plain = sf("api", "request", "rest", "/services/data/v66.0/limits/recordCount?sObjects=Lead")
    shown = sf("org", "display")

    assert 0 < limits["DailyApiRequests"]["remaining"] < limits["DailyApiRequests"]["max"]
    assert counts == [{"count": 1, "name": "Lead"}]
    assert (plain["statusCode"], plain["body"]) == (200, {"sObjects": counts})
    assert (shown["id"], shown["connectedStatus"]) == (bikes.ready["org_id"], "Connected")
