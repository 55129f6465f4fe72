"""simple-salesforce, unmodified, over TLS: it knows no other scheme."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests
from simple_salesforce import Salesforce
from simple_salesforce.exceptions import (
    SalesforceExpiredSession,
    SalesforceGeneralError,
    SalesforceMalformedRequest,
    SalesforceResourceNotFound,
)

from tests.clients.conftest import ROWS, Served

pytestmark = pytest.mark.client


@pytest.fixture(scope="module")
def session(org: Served) -> Iterator[requests.Session]:
    """Trusts the org's own certificate authority the way docs/how-to/clients.md says."""
    with pytest.MonkeyPatch.context() as patch, requests.Session() as trusting:
        patch.setenv("REQUESTS_CA_BUNDLE", org.ready["ca_file"])
        yield trusting


@pytest.fixture(scope="module")
def sf(org: Served, session: requests.Session) -> Salesforce:
    return Salesforce(
        instance_url=f"https://localhost:{org.port}", session_id=org.ready["access_token"], session=session
    )


@pytest.mark.ledger("rest.tls-and-plain-on-one-port", "documented", "clients.md finding 1")
def test_simple_salesforce_reads_the_sample_over_tls(sf: Salesforce) -> None:
    found = sf.query("SELECT Name, Customer__r.Name FROM Garden_Order__c WHERE Status__c = 'Packed'")

    assert found["totalSize"] == 1
    assert found["records"][0]["Customer__r"]["Name"] == "Third Street Allotments"


@pytest.mark.ledger("rest.create", "observed", "recordings rest-create-account, rest-create-contact-v64")
@pytest.mark.ledger("rest.get", "observed", "recordings rest-get-account-row, rest-get-lead-row")
@pytest.mark.ledger("rest.update", "observed", "recording rest-patch")
@pytest.mark.ledger("rest.delete", "observed", "recording rest-delete")
@pytest.mark.ledger(
    "route.POST /services/data/{version}/sobjects/{sobject}", "observed", "recording rest-create-account"
)
@pytest.mark.ledger(
    "route.GET /services/data/{version}/sobjects/{sobject}/{id}", "observed", "recording rest-get-account-row"
)
@pytest.mark.ledger("route.PATCH /services/data/{version}/sobjects/{sobject}/{id}", "observed", "recording rest-patch")
@pytest.mark.ledger(
    "route.DELETE /services/data/{version}/sobjects/{sobject}/{id}", "observed", "recording rest-delete"
)
def test_simple_salesforce_creates_reads_updates_and_deletes(sf: Salesforce) -> None:
    made = sf.Contact.create({"LastName": "Lovelace", "FirstName": "Ada", "Email": "ada@example.com"})
    read = sf.Contact.get(made["id"])
    status = sf.Contact.update(made["id"], {"Title": "Countess"})

    assert made == {"id": made["id"], "success": True, "errors": []}
    assert read["Name"] == "Ada Lovelace"
    assert status == 204
    assert sf.Contact.get(made["id"])["Title"] == "Countess"
    assert sf.Contact.delete(made["id"]) == 204
    with pytest.raises(SalesforceResourceNotFound):
        sf.Contact.get(made["id"])


@pytest.mark.ledger("rest.upsert", "observed", "recordings rest-upsert-created-v29, rest-upsert-updated-v29")
@pytest.mark.ledger(
    "route.PATCH /services/data/{version}/sobjects/{sobject}/{field}/{value}",
    "observed",
    "recording rest-upsert-created-v29",
)
@pytest.mark.ledger(
    "route.GET /services/data/{version}/sobjects/{sobject}/{field}/{value}", "documented", "rest.md section 3"
)
def test_simple_salesforce_upserts_and_reads_by_external_id(sf: Salesforce) -> None:
    created = sf.Seed_Packet__c.upsert("Sku__c/SS-1", {"Name": "Borage"})
    updated = sf.Seed_Packet__c.upsert("Sku__c/SS-1", {"Price__c": 2.5})
    found = sf.Seed_Packet__c.get_by_custom_id("Sku__c", "SS-1")

    assert (created, updated) == (201, 200)
    assert (found["Name"], found["Price__c"]) == ("Borage", 2.5)


@pytest.mark.ledger("rest.describe", "observed", "recordings describe-account, describe-custom")
@pytest.mark.ledger(
    "route.GET /services/data/{version}/sobjects/{sobject}/describe", "observed", "recording describe-account"
)
@pytest.mark.ledger("route.GET /services/data/{version}/sobjects", "observed", "recording describe-global")
@pytest.mark.ledger(
    "route.GET /services/data/{version}/sobjects/{sobject}", "observed", "rest.md section 3 (recorded v63)"
)
def test_simple_salesforce_describes(sf: Salesforce) -> None:
    everything = sf.describe()
    account = sf.Account.describe()
    basics = sf.Account.metadata()

    assert everything["maxBatchSize"] == 200
    assert account["fields"][0]["name"] == "Id"
    assert basics["objectDescribe"]["name"] == "Account"


@pytest.mark.ledger("soql.paging", "observed", "soql.md section 4")
@pytest.mark.ledger("route.GET /services/data/{version}/query", "observed", "recording soql-two-rows")
@pytest.mark.ledger("route.GET /services/data/{version}/query/{locator}", "observed", "soql.md section 4")
def test_simple_salesforce_fetches_more_than_two_thousand_rows(sf: Salesforce) -> None:
    text = "SELECT LastName FROM Contact WHERE LastName LIKE 'Row %' ORDER BY LastName DESC"

    first = sf.query(text)
    everything = [row["LastName"] for row in sf.query_all(text)["records"]]

    assert (len(first["records"]), first["done"], first["totalSize"]) == (2000, False, ROWS)
    assert everything == [f"Row {number:04}" for number in reversed(range(ROWS))]


def test_simple_salesforce_iterates_over_a_view_of_the_catalogue(sf: Salesforce) -> None:
    found = [row["DurableId"] for row in sf.query_all_iter("SELECT DurableId FROM FieldDefinition ORDER BY DurableId")]

    assert len(found) > 2000
    assert len(set(found)) == len(found)


@pytest.mark.ledger("route.GET /services/data/{version}/queryAll", "documented", "rest.md section 5")
@pytest.mark.ledger("soql.query-all", "documented", "soql.md section 3, ALL ROWS")
def test_simple_salesforce_finds_deleted_rows_with_include_deleted(sf: Salesforce) -> None:
    made = sf.Account.create({"Name": "Short-lived"})["id"]
    sf.Account.delete(made)
    text = f"SELECT Id, IsDeleted FROM Account WHERE Id = '{made}'"

    assert sf.query(text)["totalSize"] == 0
    assert sf.query(text, include_deleted=True)["records"][0]["IsDeleted"] is True


@pytest.mark.ledger("error.InvalidSessionId", "observed", "recording auth-expired-session")
def test_simple_salesforce_hears_of_an_ended_session(org: Served, session: requests.Session) -> None:
    stale = Salesforce(instance_url=f"https://localhost:{org.port}", session_id="00Dxx0000000000!gone", session=session)

    with pytest.raises(SalesforceExpiredSession):
        stale.query("SELECT Id FROM Account")


def test_simple_salesforce_hears_of_a_malformed_query(sf: Salesforce) -> None:
    with pytest.raises(SalesforceMalformedRequest) as caught:
        sf.query("SELECT Nope FROM Account")

    assert caught.value.content[0]["errorCode"] == "INVALID_FIELD"


@pytest.mark.parametrize(
    ("values", "code", "fields"),
    [
        ({}, "REQUIRED_FIELD_MISSING", ["Name"]),
        ({"Name": "x" * 256}, "STRING_TOO_LONG", ["Name"]),
        ({"Name": "A", "Nope__c": 1}, "INVALID_FIELD", None),
        ({"Name": "A", "ParentId": "001000000000000AAA"}, "INVALID_CROSS_REFERENCE_KEY", []),
    ],
)
def test_simple_salesforce_hears_of_a_refused_record(
    sf: Salesforce, values: dict[str, object], code: str, fields: list[str] | None
) -> None:
    with pytest.raises(SalesforceMalformedRequest) as caught:
        sf.Account.create(values)

    assert caught.value.status == 400
    assert caught.value.content[0]["errorCode"] == code
    assert caught.value.content[0].get("fields") == fields


def test_simple_salesforce_hears_of_what_is_not_there_yet(sf: Salesforce) -> None:
    with pytest.raises(SalesforceGeneralError) as caught:
        sf.restful("chatter/feeds")

    assert caught.value.status == 501
    assert caught.value.content[0]["errorCode"] == "FUNCTIONALITY_NOT_ENABLED"


@pytest.mark.ledger("route.GET /services/data/{version}/limits", "observed", "recording limits-v58")
@pytest.mark.ledger("rest.limit-info", "observed", "rest.md section 1")
def test_simple_salesforce_reads_the_limits(sf: Salesforce) -> None:
    found = sf.limits()

    assert list(found) == sorted(found)
    assert sf.api_usage["api-usage"].total == found["DailyApiRequests"]["Max"]
