"""The org's front page: versions, the root, limits, our own endpoints, describes that have not changed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from landbridge.wire.app import routes
from tests.support.running import RunningOrg

ledger = pytest.mark.ledger


@ledger("rest.versions", "observed", "rest.md section 1, recording rest-versions-2023")
@ledger("route.GET /services/data", "observed", "recording rest-versions-2023")
def test_versions_are_listed_without_a_login(org: RunningOrg, shared: Path) -> None:
    recorded = json.loads((shared / "recordings" / "rest" / "rest-versions-2023.json").read_text())["response"]["body"]

    found = org.request("GET", "/services/data/", token=None)

    by_version = {item["version"]: item for item in found.json}
    assert [item["version"] for item in found.json] == [f"{n}.0" for n in range(31, 68)]
    assert list(found.json[0]) == list(recorded[0])
    assert all(by_version.get(item["version"], item) == item for item in recorded)
    assert found.json[-1]["label"] == "Summer '26"
    assert "sforce-limit-info" not in found.headers


@ledger("rest.accepted-versions", "observed", "clients.md finding 5")
@pytest.mark.parametrize(
    ("version", "status"),
    [("20.0", 200), ("38.0", 200), ("68.0", 200), ("19.0", 404), ("69.0", 404), ("99.9", 404), ("x", 404)],
)
def test_versions_from_20_to_68_are_accepted(org: RunningOrg, version: str, status: int) -> None:
    assert org.data("GET", "/limits", version=version).status == status


@ledger("rest.root", "observed", "recording rest-root-v29")
def test_the_root_names_resources_and_the_identity_url(org: RunningOrg) -> None:
    found = org.data("GET", "/").json

    assert found["query"] == "/services/data/v67.0/query"
    assert found["identity"].endswith(f"/id/{org.ready['org_id']}/{org.ready['user_id']}")


@ledger("rest.record-count", "observed", "rest.md section 2")
@ledger("route.GET /services/data/{version}/limits/recordCount", "observed", "recording limits-record-count-empty")
def test_record_counts_name_count_first(org: RunningOrg) -> None:
    org.create("Lead", LastName="x", Company="y")

    found = org.data("GET", "/limits/recordCount?sObjects=Lead,Nope").json

    assert [list(item) for item in found["sObjects"]] == [["count", "name"]]
    assert found["sObjects"][0]["name"] == "Lead"


@ledger("rest.limits", "observed", "recording limits-v58")
def test_limits_are_named_as_recorded(org: RunningOrg, shared: Path) -> None:
    recorded = json.loads((shared / "recordings" / "limits" / "limits-v58.json").read_text())["response"]["body"]

    found = org.data("GET", "/limits", version="58.0").json
    newer = org.data("GET", "/limits", version="60.0").json

    assert list(found) == list(recorded)
    assert set(found) < set(newer)
    assert list(newer) == sorted(newer)
    assert {name: value["Max"] for name, value in found.items() if name != "DailyApiRequests"} == {
        name: recorded[name]["Max"] for name in found if name != "DailyApiRequests"
    }


@ledger("describe.conditional", "observed", "rest.md section 4, recording describe-user-role")
@pytest.mark.parametrize("path", ["/sobjects", "/sobjects/Account/describe"])
def test_a_describe_that_has_not_changed_answers_304(org: RunningOrg, path: str) -> None:
    first = org.data("GET", path)
    same = org.data("GET", path, headers={"If-Modified-Since": first.headers["last-modified"]})
    tagged = org.data("GET", path, headers={"If-None-Match": first.headers["etag"]})
    older = org.data("GET", path, headers={"If-Modified-Since": "Wed, 01 Jan 2020 00:00:00 GMT"})
    nonsense = org.data("GET", path, headers={"If-Modified-Since": "yesterday"})

    assert [reply.status for reply in (first, same, tagged, older, nonsense)] == [200, 304, 304, 200, 200]
    assert same.raw == b""


@ledger("route.GET /services/landbridge/v1/health", "documented", "our own")
@ledger("route.GET /services/landbridge/v1/status", "documented", "our own")
def test_our_own_endpoints_answer(org: RunningOrg) -> None:
    assert org.request("GET", "/services/landbridge/v1/health", token=None).json["status"] == "up"
    found = org.request("GET", "/services/landbridge/v1/status").json
    assert (found["org_id"], found["durable"], found["captured"]) == (org.ready["org_id"], False, ["garden_order__c"])


LATER = [(route.method, route.pattern) for route in routes() if route.handler.__module__.endswith("elsewhere")]


@pytest.mark.parametrize(("method", "pattern"), LATER[::5])
def test_every_resource_that_is_not_there_yet_is_named(org: RunningOrg, method: str, pattern: str) -> None:
    path = pattern.format(version="v67.0", sobject="Account", **{"rest...": "x"}) if "..." not in pattern else (
        pattern.replace("{version}", "v67.0").replace("{sobject}", "Account").replace("{rest...}", "x")
    )  # fmt: skip

    assert org.request(method, path).error == "FUNCTIONALITY_NOT_ENABLED"


def test_several_servers_live_in_one_process(home: Path) -> None:
    with RunningOrg(home=home) as one, RunningOrg(home=home) as two:
        one.create("Account", Name="only here")

        assert one.ready["org_id"] != two.ready["org_id"]
        assert two.query("SELECT COUNT() FROM Account").json["totalSize"] == 0


def test_urls_follow_the_host_the_client_used(org: RunningOrg) -> None:
    found = org.data("GET", "/", headers={"Host": "127.0.0.1:1234"}).json

    assert found["identity"].startswith("http://127.0.0.1:1234/id/")


@ledger("bulk1.session-header", "observed", "bulk.md: X-SFDC-Session; salesforce-bulk, simple-salesforce")
def test_bulk_1_has_a_header_of_its_own_for_the_session_and_says_that_it_is_not_there_yet(org: RunningOrg) -> None:
    session = {"X-SFDC-Session": org.ready["access_token"]}

    known = org.request("POST", "/services/async/59.0/job", {}, token=None, headers=session)
    unknown = org.request("POST", "/services/async/59.0/job", {}, token=None, headers={"X-SFDC-Session": "00D!x"})
    elsewhere = org.request("GET", "/services/data/v59.0/limits", token=None, headers=session)

    assert (known.status, known.error) == (501, "FUNCTIONALITY_NOT_ENABLED")
    assert "Bulk API 1.0" in known.json[0]["message"]
    assert [(one.status, one.error) for one in (unknown, elsewhere)] == [(401, "INVALID_SESSION_ID")] * 2
