"""The Composite family through published clients, unmodified: simple-salesforce over TLS, jsforce, sf and curl over plain HTTP."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from simple_salesforce import Salesforce
from simple_salesforce.exceptions import SalesforceMalformedRequest

from tests.clients.conftest import Served
from tests.clients.test_sf_logins import Cli

pytestmark = pytest.mark.client

Run = Callable[[str], Any]
SESSION = "const c = new jsforce.Connection({instanceUrl: org.url, accessToken: org.access_token, version: '66.0'});"
V = "/services/data/v66.0"


@pytest.fixture(scope="module")
def sf(org: Served) -> Iterator[Salesforce]:
    with pytest.MonkeyPatch.context() as patch, requests.Session() as trusting:
        patch.setenv("REQUESTS_CA_BUNDLE", org.ready["ca_file"])
        yield Salesforce(
            instance_url=f"https://localhost:{org.port}", session_id=org.ready["access_token"], session=trusting
        )


# --- simple-salesforce -----------------------------------------------------------------------------------------------


def test_simple_salesforce_chains_and_rolls_back(sf: Salesforce) -> None:
    calls = [
        {"method": "POST", "url": f"{V}/sobjects/Account", "referenceId": "refAccount", "body": {"Name": "ss chain"}},
        {"method": "POST", "url": f"{V}/sobjects/Contact", "referenceId": "refContact",
         "body": {"LastName": "ss", "AccountId": "@{refAccount.id}"}},
        {"method": "GET", "url": f"{V}/query?q=SELECT Account.Name FROM Contact WHERE Id = '@{{refContact.id}}'", "referenceId": "refQuery"},
    ]  # fmt: skip

    kept = sf.restful("composite", method="POST", json={"allOrNone": True, "compositeRequest": calls})
    calls[1]["body"] = {"AccountId": "@{refAccount.id}"}
    undone = sf.restful("composite", method="POST", json={"allOrNone": True, "compositeRequest": calls})

    assert kept["compositeResponse"][2]["body"]["records"][0]["Account"]["Name"] == "ss chain"
    assert [one["body"][0]["errorCode"] for one in undone["compositeResponse"]] == [
        "PROCESSING_HALTED", "REQUIRED_FIELD_MISSING", "PROCESSING_HALTED",
    ]  # fmt: skip
    assert sf.query("SELECT Id FROM Account WHERE Name = 'ss chain'")["totalSize"] == 1


def test_simple_salesforce_writes_lists_and_trees(sf: Salesforce) -> None:
    made = sf.restful("composite/sobjects", method="POST", json={"records": [
        {"attributes": {"type": "Account"}, "Name": f"ss list {number}"} for number in range(200)
    ]})  # fmt: skip
    ids = [one["id"] for one in made]
    read = sf.restful("composite/sobjects/Account", method="POST", json={"ids": ids, "fields": ["Name"]})
    gone = sf.restful("composite/sobjects", {"ids": ",".join(ids), "allOrNone": "true"}, method="DELETE")
    tree = sf.restful("composite/tree/Account", method="POST", json={"records": [
        {"attributes": {"type": "Account", "referenceId": "a"}, "Name": "ss tree",
         "Contacts": {"records": [{"attributes": {"type": "Contact", "referenceId": "c"}, "LastName": "ss"}]}},
    ]})  # fmt: skip

    assert [one["Name"] for one in read] == [f"ss list {number}" for number in range(200)]
    assert all(one["success"] for one in gone)
    assert [one["referenceId"] for one in tree["results"]] == ["a", "c"]


def test_simple_salesforce_hears_of_a_list_that_is_too_long(sf: Salesforce) -> None:
    with pytest.raises(SalesforceMalformedRequest) as caught:
        sf.restful(
            "composite/sobjects",
            method="POST",
            json={"records": [{"attributes": {"type": "Account"}, "Name": "x"}] * 201},
        )

    assert caught.value.content[0]["errorCode"] == "EXCEEDED_ID_LIMIT"


# --- jsforce ---------------------------------------------------------------------------------------------------------


def test_jsforce_creates_reads_changes_and_deletes_lists(jsforce: Run) -> None:
    found = jsforce(
        SESSION + "const names = [...Array(250).keys()].map((n) => ({Name: `js ${n}`}));"
        "const made = await c.sobject('Account').create(names, {allowRecursive: true});"
        "const ids = made.map((one) => one.id);"
        "const read = await c.sobject('Account').retrieve(ids.slice(0, 2));"
        "const changed = await c.sobject('Account').update(ids.slice(0, 2).map((Id) => ({Id, Phone: '1'})), {allOrNone: true});"
        "const bad = await c.sobject('Account').update([{Id: ids[0], Phone: '2'}, {Id: ids[1], Nope__c: 1}], {allOrNone: true});"
        "const phone = (await c.sobject('Account').retrieve(ids[0])).Phone;"
        "const mixed = await c.requestPost('/composite/sobjects', {records: [{attributes: {type: 'Account'}, Name: 'js mixed'},"
        " {attributes: {type: 'Contact'}, LastName: 'js mixed'}]});"
        "const gone = await c.sobject('Account').destroy(ids, {allowRecursive: true});"
        "return {made, read, changed, bad, phone, mixed, gone};"
    )

    assert len({one["id"] for one in found["made"]}) == 250
    assert [one["Name"] for one in found["read"]] == ["js 0", "js 1"]
    assert all(one["success"] for one in found["changed"])
    assert [one["errors"][0]["statusCode"] for one in found["bad"]] == [
        "ALL_OR_NONE_OPERATION_ROLLED_BACK",
        "INVALID_FIELD",
    ]
    assert found["phone"] == "1"
    assert [one["id"][:3] for one in found["mixed"]] == ["001", "003"]
    assert all(one["success"] for one in found["gone"])


def test_jsforce_upserts_lists(jsforce: Run) -> None:
    found = jsforce(
        SESSION + "const packets = (price) => ['CJ-1', 'CJ-2'].map((Sku__c) => ({Sku__c, Price__c: price}));"
        "const first = await c.sobject('Seed_Packet__c').upsert(packets(1), 'Sku__c');"
        "const second = await c.sobject('Seed_Packet__c').upsert([...packets(2), {Sku__c: 'JS-3'}], 'Sku__c', {allOrNone: true});"
        "return {first, second};"
    )

    assert [one["created"] for one in found["first"]] == [True, True]
    assert [one["created"] for one in found["second"]] == [False, False, True]
    assert [one["id"] for one in found["second"][:2]] == [one["id"] for one in found["first"]]


def test_jsforce_sends_a_composite_a_tree_and_a_graph(jsforce: Run) -> None:
    found = jsforce(
        SESSION + "const base = '/services/data/v66.0';"
        "const nodes = [{method: 'POST', url: base + '/sobjects/Account', referenceId: 'a', body: {Name: 'js graph'}},"
        " {method: 'POST', url: base + '/sobjects/Contact', referenceId: 'c', body: {LastName: 'js', AccountId: '@{a.id}'}}];"
        "const composite = await c.requestPost('/composite', {allOrNone: true, compositeRequest: nodes});"
        "const graph = await c.requestPost('/composite/graph', {graphs: [{graphId: '1', compositeRequest: nodes}]});"
        "const batch = await c.requestPost('/composite/batch', {batchRequests: [{method: 'GET', url: 'v66.0/limits'}]});"
        "const record = (type, referenceId, rest) => ({attributes: {type, referenceId}, ...rest});"
        "const tree = await c.requestPost('/composite/tree/Account', {records: [record('Account', 'r1', {Name: 'js tree',"
        " Contacts: {records: [record('Contact', 'r2', {LastName: 'js'})]}})]});"
        "const e = await failed(() => c.requestPost('/composite/tree/Account', {records: [record('Account', 'r1', {})]}));"
        "return {composite, graph, batch, tree, refused: e.name};"
    )

    assert [one["httpStatusCode"] for one in found["composite"]["compositeResponse"]] == [201, 201]
    assert found["graph"]["graphs"][0]["isSuccessful"] is True
    assert found["batch"]["results"][0]["statusCode"] == 200
    assert [one["referenceId"] for one in found["tree"]["results"]] == ["r1", "r2"]
    assert found["refused"]


# --- curl ------------------------------------------------------------------------------------------------------------


def curl(org: Served, body: dict[str, Any]) -> list[dict[str, Any]]:
    program = shutil.which("curl")
    if program is None:
        pytest.skip("curl is not here (Debian: apt-get install curl)")
    done = subprocess.run(
        [program, "--silent", "--show-error", "--fail", f"{org.ready['url']}/services/data/v67.0/composite", "--data-binary", "@-",
         "-H", f"Authorization: Bearer {org.ready['access_token']}", "-H", "Content-Type: application/json"],
        input=json.dumps(body), capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    found: list[dict[str, Any]] = json.loads(done.stdout)["compositeResponse"]
    return found


def test_curl_sends_the_example_of_the_guide_and_a_bad_subrequest_leaves_nothing(org: Served, sf: Salesforce) -> None:
    """Acceptance 1 of the issue: account, contact referring to it, query of both."""
    data = "/services/data/v67.0"
    account = {
        "method": "POST",
        "url": f"{data}/sobjects/Account",
        "referenceId": "refAccount",
        "body": {"Name": "Curl and sons"},
    }
    contact = {
        "method": "POST", "url": f"{data}/sobjects/Contact", "referenceId": "refContact",
        "body": {"LastName": "Curl", "AccountId": "@{refAccount.id}"},
    }  # fmt: skip
    query = {
        "method": "GET", "referenceId": "refBoth",
        "url": f"{data}/query?q=SELECT Id, LastName, Account.Id, Account.Name FROM Contact WHERE AccountId = '@{{refAccount.id}}'",
    }  # fmt: skip

    made = curl(org, {"allOrNone": True, "compositeRequest": [account, contact, query]})
    bad = {**contact, "referenceId": "refBad", "body": {"LastName": "Bad", "Email": "no address"}}
    undone = curl(org, {"allOrNone": True, "compositeRequest": [account, contact, bad, query]})

    (row,) = made[2]["body"]["records"]
    assert (row["Id"], row["Account"]["Id"]) == (made[1]["body"]["id"], made[0]["body"]["id"])
    assert [one["body"][0]["errorCode"] for one in undone] == [
        "PROCESSING_HALTED", "PROCESSING_HALTED", "INVALID_EMAIL_ADDRESS", "PROCESSING_HALTED",
    ]  # fmt: skip
    assert sf.query("SELECT Id FROM Account WHERE Name = 'Curl and sons'")["totalSize"] == 1


# --- sf --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cli(org: Served, tmp_path_factory: pytest.TempPathFactory) -> Cli:
    found = Cli(tmp_path_factory.mktemp("sf"))
    found.run(
        "org", "login", "access-token", "--instance-url", org.ready["url"], "--no-prompt", "--alias", "shop",
        SF_ACCESS_TOKEN=org.ready["access_token"],
    )  # fmt: skip
    return found


def test_sf_imports_a_plan_of_trees(cli: Cli, sf: Salesforce, tmp_path: Path) -> None:
    orders = {"records": [
        {"attributes": {"type": "Account", "referenceId": f"a{number}"}, "Name": f"sf tree {number}", "Contacts": {"records": [
            {"attributes": {"type": "Contact", "referenceId": f"c{number}"}, "LastName": "sf tree"},
        ]}} for number in range(3)
    ]}  # fmt: skip
    sent = {"records": [{"attributes": {"type": "Case", "referenceId": "s"}, "Subject": "sf tree", "AccountId": "@a1"}]}
    (tmp_path / "Account.json").write_text(json.dumps(orders))
    (tmp_path / "Case.json").write_text(json.dumps(sent))
    plan = [{"sobject": "Account", "files": ["Account.json"]}, {"sobject": "Case", "files": ["Case.json"]}]
    (tmp_path / "plan.json").write_text(json.dumps(plan))

    made = cli.run("data", "import", "tree", "--plan", tmp_path / "plan.json", "--target-org", "shop")

    assert len(made) == 7
    found = sf.query("SELECT Account.Name FROM Case WHERE Subject = 'sf tree'")["records"]
    assert [one["Account"]["Name"] for one in found] == ["sf tree 1"]
    assert (
        sf.query("SELECT Id FROM Contact WHERE LastName = 'sf tree' AND Account.Name LIKE 'sf tree %'")["totalSize"]
        == 3
    )


def test_sf_hears_of_a_refused_record_and_nothing_is_created(cli: Cli, sf: Salesforce, tmp_path: Path) -> None:
    records = [
        {"attributes": {"type": "Account", "referenceId": "good"}, "Name": "sf refused"},
        {"attributes": {"type": "Account", "referenceId": "bad"}, "Name": "sf refused", "Industry": "x" * 300},
    ]
    (tmp_path / "Account.json").write_text(json.dumps({"records": records}))

    out, errors = cli.start(
        "data", "import", "tree", "--files", tmp_path / "Account.json", "--target-org", "shop", "--json"
    ).communicate(timeout=120)  # fmt: skip

    assert json.loads(out)["status"] != 0, errors
    assert "bad" in out
    assert sf.query("SELECT Id FROM Account WHERE Name = 'sf refused'")["totalSize"] == 0
