"""The Tooling API's read side: the catalogue as rows, describes, what is not there yet."""

from __future__ import annotations

import pytest

from landbridge.schema import tooling
from landbridge.storage import Unit
from tests.support.running import RunningOrg

ledger = pytest.mark.ledger
SHEET = "rest.md section 12"


@ledger("tooling.query", "observed", "recordings tooling-named-credential-query, tooling-subscriber-package")
@ledger("route.GET /services/data/{version}/tooling/query", "observed", "recording tooling-named-credential-query")
def test_a_tooling_query_has_keys_and_urls_of_its_own(org: RunningOrg) -> None:
    found = org.query("SELECT Id, DeveloperName FROM CustomObject ORDER BY DeveloperName", "tooling/query").json

    assert list(found) == ["size", "totalSize", "done", "queryLocator", "entityTypeName", "records"]
    assert (found["size"], found["queryLocator"], found["entityTypeName"]) == (found["totalSize"], None, "CustomObject")
    first = found["records"][0]
    assert first["DeveloperName"] == "Garden_Order"
    assert first["attributes"]["url"] == f"/services/data/v67.0/tooling/sobjects/CustomObject/{first['Id']}"


@ledger("tooling.catalogue", "documented", "metadata.md section 4")
@ledger(
    "route.GET /services/data/{version}/tooling/sobjects/{sobject}/{id}", "observed", "recording tooling-apex-class-row"
)
def test_custom_fields_name_their_object_and_carry_metadata(org: RunningOrg) -> None:
    row = tooling_rows(org, "SELECT Id, TableEnumOrId FROM CustomField WHERE DeveloperName = 'Price'")[0]
    other = tooling_rows(org, "SELECT TableEnumOrId FROM CustomField WHERE DeveloperName = 'Garden_Club_Number'")[0]
    whole = org.data("GET", f"/tooling/sobjects/CustomField/{row['Id']}").json

    assert row["TableEnumOrId"] == tooling.object_id("Seed_Packet__c")
    assert other["TableEnumOrId"] == "Account"
    assert whole["FullName"] == "Seed_Packet__c.Price__c"
    assert (whole["Metadata"]["type"], whole["Metadata"]["label"]) == ("Currency", "Price")
    assert (
        org.data("GET", f"/tooling/sobjects/CustomField/{row['Id']}?fields=FullName").json["FullName"]
        == whole["FullName"]
    )


def tooling_rows(org: RunningOrg, text: str) -> list[dict[str, str]]:
    reply = org.query(text, "tooling/query")
    assert reply.status == 200, reply.raw
    found: list[dict[str, str]] = reply.json["records"]
    return found


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("SELECT QualifiedApiName, KeyPrefix FROM EntityDefinition WHERE QualifiedApiName = 'Account'", 1),
        ("SELECT QualifiedApiName FROM FieldDefinition WHERE EntityDefinition.QualifiedApiName = 'Account' "
         "AND QualifiedApiName = 'Name'", 1),
        ("SELECT Id, SubscriberPackage.NamespacePrefix FROM InstalledSubscriberPackage", 0),
        ("SELECT Id, FullName, Metadata FROM CustomObject WHERE DeveloperName = 'Seed_Packet'", 1),
        ("SELECT Id FROM ApexClass", 0),
    ],
)  # fmt: skip
def test_queries_that_tools_send_are_answered(org: RunningOrg, text: str, count: int) -> None:
    assert len(tooling_rows(org, text)) == count


def test_objects_of_this_api_are_not_in_the_other_one(org: RunningOrg) -> None:
    assert org.query("SELECT Id FROM CustomField").error == "INVALID_TYPE"
    assert org.query("SELECT Id FROM Account", "tooling/query").error == "INVALID_TYPE"
    assert org.data("GET", "/tooling/query").error == "MALFORMED_QUERY"
    names = {item["name"] for item in org.data("GET", "/sobjects").json["sobjects"]}
    assert "CustomField" not in names


@ledger("route.GET /services/data/{version}/tooling/query/{locator}", "documented", SHEET)
def test_tooling_queries_have_pages(org: RunningOrg) -> None:
    headers = {"Sforce-Query-Options": "batchSize=200"}
    first = org.query("SELECT DurableId FROM FieldDefinition", "tooling/query", headers=headers).json
    second = org.request("GET", first["nextRecordsUrl"], headers=headers).json

    assert (first["size"], first["done"], first["totalSize"] > 400) == (200, False, True)
    assert first["nextRecordsUrl"] == f"/services/data/v67.0/tooling/query/{first['queryLocator']}"
    assert second["size"] == 200
    assert second["records"][0]["attributes"]["url"].startswith(
        "/services/data/v67.0/tooling/sobjects/FieldDefinition/"
    )


@ledger("tooling.describe", "observed", "recording tooling-sobjects")
@ledger("route.GET /services/data/{version}/tooling", "documented", SHEET)
@ledger("route.GET /services/data/{version}/tooling/sobjects", "observed", "recording tooling-sobjects")
@ledger("route.GET /services/data/{version}/tooling/sobjects/{sobject}", "documented", SHEET)
@ledger("route.GET /services/data/{version}/tooling/sobjects/{sobject}/describe", "documented", SHEET)
def test_tooling_objects_are_described(org: RunningOrg) -> None:
    whole = org.data("GET", "/tooling/sobjects/")
    item = next(one for one in whole.json["sobjects"] if one["name"] == "CustomField")
    described = org.data("GET", "/tooling/sobjects/CustomField/describe").json
    again = org.data("GET", "/tooling/sobjects/", headers={"If-None-Match": whole.headers["etag"]})

    assert list(item["urls"]) == ["rowTemplate", "describe", "sobject"]
    assert item["urls"]["describe"] == "/services/data/v67.0/tooling/sobjects/CustomField/describe"
    assert org.data("GET", "/tooling/sobjects/customfield").json["objectDescribe"] == item
    assert [f["type"] for f in described["fields"] if f["name"] == "Metadata"] == ["complexvalue"]
    assert again.status == 304
    assert org.data("GET", "/tooling").json["query"] == "/services/data/v67.0/tooling/query"


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("POST", "/tooling/sobjects/CustomField", "FUNCTIONALITY_NOT_ENABLED"),
        ("PATCH", "/tooling/sobjects/CustomField/00N000000000000AAA", "FUNCTIONALITY_NOT_ENABLED"),
        ("DELETE", "/tooling/sobjects/CustomField/00N000000000000AAA", "FUNCTIONALITY_NOT_ENABLED"),
        ("GET", "/tooling/executeAnonymous?anonymousBody=x", "FUNCTIONALITY_NOT_ENABLED"),
        ("GET", "/tooling/sobjects/Account", "NOT_FOUND"),
        ("GET", "/tooling/sobjects/CustomField/00N000000000000AAA", "NOT_FOUND"),
        ("GET", "/tooling/sobjects/CustomField/x", "NOT_FOUND"),
    ],
)  # fmt: skip
def test_what_is_not_there_says_so(org: RunningOrg, method: str, path: str, code: str) -> None:
    assert org.data(method, path, {} if method in ("POST", "PATCH") else None).error == code


POSTMAN = "metadata.md section 3: bodies of Salesforce's Postman collection"


@ledger("tooling.channels", "documented", POSTMAN)
@ledger("route.POST /services/data/{version}/tooling/sobjects/{sobject}", "documented", POSTMAN)
@ledger("route.PATCH /services/data/{version}/tooling/sobjects/{sobject}/{id}", "documented", POSTMAN)
@ledger("route.DELETE /services/data/{version}/tooling/sobjects/{sobject}/{id}", "documented", POSTMAN)
def test_change_data_capture_is_switched_on_and_off(org: RunningOrg) -> None:
    def captured() -> bool:
        return "lead" in org.door.server.events.captured

    member, channel = "/tooling/sobjects/PlatformEventChannelMember", "/tooling/sobjects/PlatformEventChannel"
    selected = {"eventChannel": "ChangeEvents", "selectedEntity": "LeadChangeEvent"}
    body = {"FullName": "ChangeEvents_LeadChangeEvent", "Metadata": selected}
    shown = "SELECT FullName, Metadata FROM PlatformEventChannelMember WHERE SelectedEntity = 'LeadChangeEvent'"

    assert not captured()
    made = org.data("POST", member, body)
    assert (made.status, list(made.json)) == (201, ["id", "success", "errors", "warnings", "infos"])
    assert made.headers["location"] == f"/services/data/v67.0{member}/{made.json['id']}"
    assert captured()
    assert org.data("POST", member, body).error == "DUPLICATE_VALUE"
    assert tooling_rows(org, shown)[0]["FullName"] == "ChangeEvents_LeadChangeEvent"
    changed = {"Metadata": {**selected, "filterExpression": "Company = 'x'"}}
    assert org.data("PATCH", f"{member}/{made.json['id']}", changed).status == 204
    row = org.data("GET", f"{member}/{made.json['id']}").json
    assert (row["FilterExpression"], row["Metadata"]["filterExpression"]) == ("Company = 'x'", "Company = 'x'")
    assert org.data("DELETE", f"{member}/{made.json['id']}").status == 204
    assert not captured()
    assert org.data("DELETE", f"{member}/{made.json['id']}").error == "NOT_FOUND"
    own = {"FullName": "Own__chn", "Metadata": {"channelType": "data", "label": "Own"}}
    assert org.data("POST", channel, own).status == 201
    assert (
        org.data("POST", member, {"FullName": "x", "Metadata": {**selected, "eventChannel": "Own__chn"}}).status == 201
    )


@pytest.mark.parametrize(
    ("name", "body", "code"),
    [
        ("PlatformEventChannelMember", {"FullName": "x"}, "REQUIRED_FIELD_MISSING"),
        ("PlatformEventChannelMember", {"Metadata": {"eventChannel": "ChangeEvents"}}, "REQUIRED_FIELD_MISSING"),
        ("PlatformEventChannelMember",
         {"Metadata": {"eventChannel": "ChangeEvents", "selectedEntity": "Nope"}}, "FIELD_INTEGRITY_EXCEPTION"),
        ("PlatformEventChannelMember",
         {"Metadata": {"eventChannel": "Nope__chn", "selectedEntity": "LeadChangeEvent"}}, "NOT_FOUND"),
        ("PlatformEventChannelMember",
         {"Metadata": {"eventChannel": "ChangeEvents", "selectedEntity": "CaseChangeEvent",
                       "enrichedFields": [{"name": "Subject"}]}}, "FUNCTIONALITY_NOT_ENABLED"),
        ("PlatformEventChannel", {"FullName": "NoSuffix", "Metadata": {}}, "FIELD_INTEGRITY_EXCEPTION"),
    ],
)  # fmt: skip
def test_a_selection_that_cannot_be_is_refused(org: RunningOrg, name: str, body: dict[str, object], code: str) -> None:
    assert org.data("POST", f"/tooling/sobjects/{name}", body).error == code


def test_a_read_only_user_selects_nothing(org: RunningOrg) -> None:
    body = {"FullName": "x", "Metadata": {"eventChannel": "ChangeEvents", "selectedEntity": "LeadChangeEvent"}}
    reply = org.data("POST", "/tooling/sobjects/PlatformEventChannelMember", body, token=org.integration_token())

    assert reply.error == "INSUFFICIENT_ACCESS_OR_READONLY"


def test_packages_that_are_there_are_shown_with_their_parents(org: RunningOrg) -> None:
    def install(tx: object) -> None:
        tx.run('INSERT INTO "SubscriberPackage" ("Id", "NamespacePrefix") VALUES (?, ?)', ("033Lb0000000001IAA", "pub"))  # type: ignore[attr-defined]
        tx.run(  # type: ignore[attr-defined]
            'INSERT INTO "InstalledSubscriberPackage" ("Id", "SubscriberPackageId") VALUES (?, ?)',
            ("0A3Lb0000000001IAA", "033Lb0000000001IAA"),
        )

    org.do(lambda: org.door.server.db.write(install, Unit("test")))

    (row,) = tooling_rows(org, "SELECT SubscriberPackage.NamespacePrefix FROM InstalledSubscriberPackage")
    assert row["SubscriberPackage"]["NamespacePrefix"] == "pub"  # type: ignore[index]
    assert row["SubscriberPackage"]["attributes"]["url"].startswith("/services/data/v67.0/tooling/sobjects/")  # type: ignore[index]
