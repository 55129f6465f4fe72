"""`/composite/batch`: subrequests that know nothing of each other."""

from __future__ import annotations

from typing import Any

import pytest

from tests.composite.calls import V, count, refused, sub
from tests.support.running import RunningOrg

ledger = pytest.mark.ledger


def item(method: str, url: str, body: Any = None) -> dict[str, Any]:
    return {"method": method, "url": url, "richInput": body}


def batch(org: RunningOrg, *items: dict[str, Any], **more: Any) -> dict[str, Any]:
    reply = org.data("POST", "/composite/batch", {"batchRequests": list(items), **more})
    assert reply.status == 200, reply.raw
    found: dict[str, Any] = reply.json
    return found


@ledger("route.POST /services/data/{version}/composite/batch", "observed", "recording composite-batch-two-queries")
def test_each_subrequest_has_its_own_result(org: RunningOrg) -> None:
    made = org.create("Account", Name="Old", BillingPostalCode="94105")

    found = batch(
        org,
        item("PATCH", f"v62.0/sobjects/Account/{made}", {"Name": "New"}),
        item("GET", f"v62.0/sobjects/Account/{made}?fields=Name,BillingPostalCode"),
        item("GET", f"/services/data/v62.0/query/?q=SELECT+Id,+Name+FROM+Account WHERE Id = '{made}' LIMIT 2"),
        item("GET", "/v62.0/limits"),
    )

    assert list(found) == ["hasErrors", "results"]
    assert found["hasErrors"] is False
    assert found["results"][0] == {"statusCode": 204, "result": None}
    assert list(found["results"][1]) == ["statusCode", "result"]
    assert found["results"][1]["result"]["Name"] == "New"
    assert found["results"][2]["result"]["totalSize"] == 1
    assert "DailyApiRequests" in found["results"][3]["result"]


@ledger("error.BatchProcessingHalted", "documented", "composite.md section 2 [C2]; its text is guessed")
def test_halt_on_error_does_not_run_the_rest(org: RunningOrg) -> None:
    before = count(org, "Account")
    calls = [
        item("POST", "v62.0/sobjects/Account", {"Name": "First"}), item("POST", "v62.0/sobjects/Account", {}),
        item("POST", "v62.0/sobjects/Account", {"Name": "Third"}),
    ]  # fmt: skip

    halted, on = batch(org, *calls, haltOnError=True), batch(org, *calls)

    assert [one["statusCode"] for one in halted["results"]] == [201, 400, 412]
    assert halted["results"][2]["result"][0]["errorCode"] == "BATCH_PROCESSING_HALTED"
    assert [one["statusCode"] for one in on["results"]] == [201, 400, 201]
    assert halted["hasErrors"] is on["hasErrors"] is True
    assert count(org, "Account") == before + 3


@ledger("composite.batch-limits", "documented", "composite.md section 2; REST guide, Composite Batch")
@pytest.mark.parametrize(("body", "code"), [
    ({"batchRequests": [item("POST", "v62.0/sobjects/Account", {"Name": "x"})] * 26}, "LIMIT_EXCEEDED"),
    ({"batchRequests": [item("POST", "v62.0/sobjects/Account", {"Name": "x"}), {"method": "GET"}]}, "INVALID_INPUT"),
    ({"batchRequests": [item("POST", "v62.0/sobjects/Account", {"Name": "x"}), item("FETCH", "v62.0/limits")]}, "INVALID_INPUT"),
    ({"batchRequests": [{"method": "POST", "url": "v62.0/sobjects/Account", "body": {"Name": "x"}}]}, "JSON_PARSER_ERROR"),
    ({"batchRequests": [{**item("POST", "v62.0/sobjects/Document", {}), "binaryPartName": "a", "binaryPartNameAlias": "Body"}]},
     "INVALID_INPUT"),
    ({"batchRequests": []}, "INVALID_INPUT"), ({}, "INVALID_INPUT"), ({"batchRequests": "x"}, "JSON_PARSER_ERROR"),
])  # fmt: skip
def test_a_batch_that_is_wrong_as_a_whole_does_nothing(org: RunningOrg, body: Any, code: str) -> None:
    before = count(org, "Account")

    assert refused(org.data("POST", "/composite/batch", body))["errorCode"] == code
    assert count(org, "Account") == before


def test_what_has_no_place_in_a_batch_fails_alone(org: RunningOrg) -> None:
    inner = {"batchRequests": [item("POST", "v62.0/sobjects/Account", {"Name": "x"})]}

    found = batch(
        org,
        item("POST", "v62.0/composite/batch", inner),
        item("POST", "v62.0/composite", {"compositeRequest": [sub("GET", "/limits", "a")]}),
        item("POST", "v62.0/composite/sobjects", {"records": [{"attributes": {"type": "Account"}, "Name": "x"}]}),
        item("GET", "v62.0/nowhere"),
        item("GET", f"{V}/limits"),
    )

    assert [one["statusCode"] for one in found["results"]] == [400, 400, 400, 404, 200]
