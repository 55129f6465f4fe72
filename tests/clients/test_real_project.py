"""
A real project from its folder to a published client: E-Bikes, served by its own process, read over TLS.

Not marked `client`: the project is not ours and lies beside this one, so a clone elsewhere goes without.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from simple_salesforce import Salesforce
from simple_salesforce.exceptions import SalesforceMalformedRequest

from tests.clients.conftest import Served, serve


@pytest.fixture(scope="module")
def bikes(shared: Path) -> Path:
    return shared / "realinput" / "ebikes"


@pytest.fixture(scope="module")
def bikes_org(bikes: Path, home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    plan = bikes / "data" / "sample-data-plan.json"
    with serve(tmp_path_factory.mktemp("bikes"), home, "--source", bikes, "--seed", plan) as org:
        yield org


@pytest.fixture(scope="module")
def sf(bikes_org: Served) -> Iterator[Salesforce]:
    with requests.Session() as session, pytest.MonkeyPatch.context() as patch:
        patch.setenv("REQUESTS_CA_BUNDLE", bikes_org.ready["ca_file"])
        url = f"https://localhost:{bikes_org.port}"
        yield Salesforce(instance_url=url, session_id=bikes_org.ready["access_token"], session=session)


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


@pytest.fixture(scope="module")
def orders(sf: Salesforce) -> dict[str, str]:
    """An order with two products, and tasks of an account and of the order."""
    account = sf.query("SELECT Id FROM Account ORDER BY Name LIMIT 1")["records"][0]["Id"]
    products = sf.query("SELECT Id FROM Product__c ORDER BY Name LIMIT 2")["records"]
    order = sf.Order__c.create({"Account__c": account})["id"]
    for number, product in enumerate(products, start=1):
        sf.Order_Item__c.create(
            {"Order__c": order, "Product__c": product["Id"], "Qty_S__c": number, "Price__c": 10.5 * number}
        )
    case = sf.Case.create({"Subject": "Flat tyre", "AccountId": account, "Product__c": products[0]["Id"]})["id"]
    sf.Task.create({"Subject": "Ship", "WhatId": case})
    sf.Task.create({"Subject": "Call", "WhatId": account})
    return {"order": order, "account": account, "product": products[0]["Id"]}


QUERIES = {
    "children": "SELECT Name, (SELECT Name, MSRP__c FROM Products__r ORDER BY MSRP__c DESC) FROM Product_Family__c ORDER BY Name",
    "grandparents": "SELECT Qty_S__c, Product__r.Product_Family__r.Name, Order__r.Account__r.Name FROM Order_Item__c ORDER BY Qty_S__c",
    "groups": "SELECT Product_Family__r.Name family, COUNT(Id) n, AVG(MSRP__c) price, MAX(MSRP__c) FROM Product__c "
              "GROUP BY Product_Family__r.Name HAVING COUNT(Id) > 0 ORDER BY Product_Family__r.Name",
    "literals": "SELECT Name FROM Order__c WHERE CreatedDate = TODAY AND CreatedDate >= LAST_N_DAYS:2 AND CreatedDate < TOMORROW",
    "typeof": "SELECT Subject, TYPEOF What WHEN Account THEN Name, Type WHEN Case THEN Subject, Product__r.Name END FROM Task ORDER BY Subject",
    "semi": "SELECT Name FROM Product__c WHERE Id IN (SELECT Product__c FROM Order_Item__c WHERE Qty_S__c > 1)",
}  # fmt: skip


def plain(value: object) -> object:
    """Without `attributes` and what a result says of itself."""
    if isinstance(value, list):
        return [plain(one) for one in value]
    if isinstance(value, dict):
        return (
            plain(value["records"])
            if "records" in value
            else {k: plain(v) for k, v in value.items() if k != "attributes"}
        )
    return value


@pytest.mark.ledger("soql.real-project", "observed", "the E-Bikes project through simple-salesforce")
def test_the_projects_own_questions_are_answered(sf: Salesforce, orders: dict[str, str], bikes: Path) -> None:
    found = {name: plain(dict(sf.query(text))["records"]) for name, text in QUERIES.items()}

    families = {row["Name"] for row in records(bikes, "Product_Family__cs.json")}
    products = records(bikes, "Product__cs.json")
    children = found["children"]
    assert isinstance(children, list)
    assert {family["Name"] for family in children} == families
    assert sum(len(family["Products__r"] or ()) for family in children) == len(products)
    groups = found["groups"]
    assert isinstance(groups, list)
    assert sum(group["n"] for group in groups) == len(products)
    assert all(group["price"] <= group["expr0"] for group in groups)
    account = sf.Account.get(orders["account"])
    items = found["grandparents"]
    assert isinstance(items, list)
    assert [item["Qty_S__c"] for item in items] == [1.0, 2.0]
    assert all(item["Order__r"] == {"Account__r": {"Name": account["Name"]}} for item in items)
    assert all(item["Product__r"]["Product_Family__r"]["Name"] in families for item in items)
    assert len(found["literals"]) >= 1  # type: ignore[arg-type]
    product = sf.Product__c.get(orders["product"])
    assert found["typeof"] == [
        {"Subject": "Call", "What": {"Name": account["Name"], "Type": account["Type"]}},
        {"Subject": "Ship", "What": {"Subject": "Flat tyre", "Product__r": {"Name": product["Name"]}}},
    ]
    assert len(found["semi"]) == 1  # type: ignore[arg-type]


def test_jsforce_asks_the_same_and_hears_the_same(
    sf: Salesforce, orders: dict[str, str], bikes_org: Served, jsforce_of: Any
) -> None:
    del orders
    found = jsforce_of(
        bikes_org,
        "const c = new jsforce.Connection({instanceUrl: org.url, accessToken: org.access_token, version: '66.0'});"
        f"const asked = {json.dumps(QUERIES)}; const found = {{}};"
        "for (const [name, text] of Object.entries(asked)) found[name] = (await c.query(text)).records; return found;",
    )

    assert plain(found) == {name: plain(dict(sf.query(text))["records"]) for name, text in QUERIES.items()}


@pytest.mark.ledger("soql.preamble", "observed", "soql.md section 5")
def test_a_malformed_query_shows_text_row_column_and_window(sf: Salesforce) -> None:
    with pytest.raises(SalesforceMalformedRequest) as caught:
        sf.query("SELECT Name FROM Product__c WHERE MSRP__c > 'much' LIMIT 1")

    (error,) = caught.value.content
    assert error["errorCode"] == "INVALID_FIELD"
    assert error["message"] == (
        "\nSELECT Name FROM Product__c WHERE MSRP__c > 'much' LIMIT 1\n"
        f"{' ' * 34}^\nERROR at Row:1:Column:35\n"
        "value of filter criterion for field 'MSRP__c' must be of type currency and should not be enclosed in quotes"
    )
