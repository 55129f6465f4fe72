"""
A real project from its folder to a published client: E-Bikes, served by its own process, read over TLS.

Not marked `client`: the project is not ours and lies beside this one, so a clone elsewhere goes without.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from simple_salesforce import Salesforce

from tests.clients.conftest import serve


@pytest.fixture(scope="module")
def bikes(shared: Path) -> Path:
    return shared / "realinput" / "ebikes"


@pytest.fixture(scope="module")
def sf(bikes: Path, home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Salesforce]:
    plan = bikes / "data" / "sample-data-plan.json"
    with (
        serve(tmp_path_factory.mktemp("bikes"), home, "--source", bikes, "--seed", plan) as org,
        requests.Session() as session,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("REQUESTS_CA_BUNDLE", org.ready["ca_file"])
        url = f"https://localhost:{org.port}"
        yield Salesforce(instance_url=url, session_id=org.ready["access_token"], session=session)


def records(bikes: Path, name: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads((bikes / "data" / name).read_text("utf-8"))["records"]
    return found


@pytest.mark.ledger("records.plan", "observed", "the E-Bikes data plan")
def test_every_product_of_the_project_is_there_with_its_family(sf: Salesforce, bikes: Path) -> None:
    found = sf.query_all("SELECT Name, MSRP__c, Product_Family__r.Name FROM Product__c")["records"]

    families = {family["Name"] for family in records(bikes, "Product_Family__cs.json")}
    assert sorted(row["Name"] for row in found) == sorted(row["Name"] for row in records(bikes, "Product__cs.json"))
    assert {row["Product_Family__r"]["Name"] for row in found} <= families
    assert all(row["MSRP__c"] > 0 for row in found)


def test_an_order_of_the_project_keeps_its_parent(sf: Salesforce) -> None:
    account = sf.query("SELECT Id, Name FROM Account LIMIT 1")["records"][0]

    order = sf.Order__c.create({"Account__c": account["Id"]})["id"]
    found = sf.query(f"SELECT Account__r.Name FROM Order__c WHERE Id = '{order}'")["records"][0]

    assert found["Account__r"]["Name"] == account["Name"]
