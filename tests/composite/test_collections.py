"""`/composite/sobjects`: lists of records, a result for each."""

from __future__ import annotations

from typing import Any

import pytest

from tests.composite.calls import count, refused
from tests.support.running import RunningOrg

ledger = pytest.mark.ledger

ACCOUNT, CONTACT = {"type": "Account"}, {"type": "Contact"}
ROLLED_BACK = {
    "statusCode": "ALL_OR_NONE_OPERATION_ROLLED_BACK",
    "message": "Record rolled back because not all records were valid and the request was using AllOrNone header",
    "fields": [],
}


def account(**values: Any) -> dict[str, Any]:
    return {"attributes": ACCOUNT, **values}


def contact(**values: Any) -> dict[str, Any]:
    return {"attributes": CONTACT, **values}


def call(org: RunningOrg, method: str, *records: Any, path: str = "", **more: Any) -> list[dict[str, Any]]:
    reply = org.data(method, f"/composite/sobjects{path}", {"records": list(records), **more})
    assert reply.status == 200, reply.raw
    found: list[dict[str, Any]] = reply.json
    return found


def codes(results: list[dict[str, Any]]) -> list[str | None]:
    return [None if one["success"] else one["errors"][0]["statusCode"] for one in results]


# --- create ----------------------------------------------------------------------------------------------------------


@ledger(
    "route.POST /services/data/{version}/composite/sobjects",
    "observed",
    "recordings collections-create, collections-create-many",
)
def test_records_of_several_types_are_created_in_their_order(org: RunningOrg) -> None:
    made = call(org, "POST", account(Name="a"), {"LastName": "b", "attributes": CONTACT}, account(name="c"))

    assert [list(one) for one in made] == [["id", "success", "errors"]] * 3
    assert [one["id"][:3] for one in made] == ["001", "003", "001"]
    assert org.get("Account", made[2]["id"], "Name")["Name"] == "c"


@ledger("collections.partial-failure", "observed", "recording collections-create-required-missing")
def test_a_record_fails_alone(org: RunningOrg) -> None:
    before = count(org, "Account")

    results = call(org, "POST", account(Name="x"), account(), account(Name="y", Nope__c=1), account(Name="z"))

    assert codes(results) == [None, "REQUIRED_FIELD_MISSING", "INVALID_FIELD", None]
    assert results[1] == {
        "success": False,
        "errors": [{"statusCode": "REQUIRED_FIELD_MISSING", "message": "Required fields are missing: [Name]", "fields": ["Name"]}],
    }  # fmt: skip
    assert results[2]["errors"][0]["fields"] == []
    assert count(org, "Account") == before + 2


@ledger("collections.all-or-none", "observed", "recording collections-all-or-none-create")
def test_all_or_none_keeps_none(org: RunningOrg) -> None:
    before = count(org, "Account")

    results = call(org, "POST", account(Name="x"), account(), account(Name="z"), allOrNone=True)

    assert codes(results) == [
        "ALL_OR_NONE_OPERATION_ROLLED_BACK",
        "REQUIRED_FIELD_MISSING",
        "ALL_OR_NONE_OPERATION_ROLLED_BACK",
    ]
    assert results[0] == {"success": False, "errors": [ROLLED_BACK]}
    assert count(org, "Account") == before


def test_a_unique_value_twice_in_one_list_fails_the_second(org: RunningOrg) -> None:
    packet = {"attributes": {"type": "Seed_Packet__c"}, "Sku__c": "COL-1"}

    results = call(org, "POST", packet, packet, {**packet, "Sku__c": "COL-2"})

    assert codes(results) == [None, "DUPLICATE_VALUE", None]
    assert results[0]["id"][:15] in results[1]["errors"][0]["message"]


def test_two_hundred_records_are_taken(org: RunningOrg) -> None:
    results = call(org, "POST", *(account(Name=f"n{number}") for number in range(200)), allOrNone=True)

    assert len({one["id"] for one in results}) == 200


@pytest.mark.ledger(
    "error.InvalidRecordType", "guessed", "composite.md section 4 does not say; the code of queries is used"
)
@ledger("collections.unknown-type", "guessed", "composite.md section 4 does not say; the code of queries is used")
def test_a_record_must_say_a_type_that_there_is(org: RunningOrg) -> None:
    results = call(
        org,
        "POST",
        {"Name": "x"},
        {"attributes": {}, "Name": "x"},
        {"attributes": {"type": "Nope"}, "Name": "x"},
        account(Name="x"),
    )

    assert codes(results) == ["JSON_PARSER_ERROR", "JSON_PARSER_ERROR", "INVALID_TYPE", None]
    assert results[0]["errors"][0]["message"] == (
        "Nested object for polymorphic foreign key must have an attributes field before any other fields."
    )


# --- what is refused as a whole --------------------------------------------------------------------------------------

MIXED = [record for _ in range(6) for record in (account(Name="x"), contact(LastName="x"))]


@ledger("error.NoRecords", "observed", "recording collections-empty-list")
@ledger("error.TooManyRecords", "documented", "composite.md section 4: 200; text as clients of the platform quote it")
@ledger("collections.chunks", "documented", "composite.md section 4; the code is guessed")
@pytest.mark.parametrize(("method", "path"), [("POST", ""), ("PATCH", ""), ("PATCH", "/Account/Id")])
@pytest.mark.parametrize(("records", "code", "message"), [
    ([], "REQUIRED_FIELD_MISSING", "At least 1 record is required"),
    (None, "REQUIRED_FIELD_MISSING", "At least 1 record is required"),
    ([account(Name="x")] * 201, "EXCEEDED_ID_LIMIT", "record limit reached. cannot submit more than 200 records into this call"),
    (MIXED, "LIMIT_EXCEEDED", "Cannot have more than 10 chunks in a single operation. Please rearrange the data to reduce chunking."),
    ([account(Name="x"), "x"], "JSON_PARSER_ERROR", "every record must be an object"),
    ({"Name": "x"}, "JSON_PARSER_ERROR", "records must be a list"),
])  # fmt: skip
def test_a_list_that_is_wrong_as_a_whole_does_nothing(
    org: RunningOrg, method: str, path: str, records: Any, code: str, message: str
) -> None:
    before = count(org, "Account"), count(org, "Contact")

    error = refused(org.data(method, f"/composite/sobjects{path}", {"allOrNone": False, "records": records}))

    assert error == {"message": message, "errorCode": code}
    assert (count(org, "Account"), count(org, "Contact")) == before


def test_ten_changes_of_type_are_taken_whatever_the_case_of_their_names(org: RunningOrg) -> None:
    mixed = MIXED[:10]

    assert codes(call(org, "POST", *mixed)) == [None] * 10
    assert (
        codes(call(org, "POST", *({"attributes": {"type": name}, "Name": "x"} for name in ("Account", "account") * 10)))
        == [None] * 20
    )


# --- update ----------------------------------------------------------------------------------------------------------


@ledger(
    "route.PATCH /services/data/{version}/composite/sobjects",
    "observed",
    "recording collections-update-number-as-string",
)
@ledger("error.MissingArgument", "observed", "recording collections-update-no-id")
@ledger("collections.update-failures", "observed", "composite.md section 4 [C11]")
def test_an_update_names_the_id_in_any_spelling(org: RunningOrg) -> None:
    first, second = (org.create("Account", Name=name) for name in "ab")
    other = org.create("Contact", LastName="c")
    gone = org.create("Account", Name="gone")
    org.data("DELETE", f"/sobjects/Account/{gone}")

    results = call(
        org, "PATCH",
        account(id=first, Name="a2", NumberOfEmployees="10000"), account(Id=second[:15], Name="b2"), account(Name="x"), account(Id=None, Name="x"),
        account(Id="001xx", Name="x"), account(Id=other, Name="x"), account(Id=f"{first[:12]}zzz", Name="x"), account(Id=gone, Name="x"),
        account(Id=first, foo="x"), contact(Id=other, Email="bad"),
    )  # fmt: skip

    assert results[:2] == [{"id": one, "success": True, "errors": []} for one in (first, second)]
    assert [one["errors"][0] for one in results[2:]] == [
        {"statusCode": "MISSING_ARGUMENT", "message": "Id not specified in an update call", "fields": []},
        {"statusCode": "MISSING_ARGUMENT", "message": "Id not specified in an update call", "fields": []},
        {"statusCode": "MALFORMED_ID", "message": "Account ID: id value of incorrect type: 001xx", "fields": ["Id"]},
        {"statusCode": "MALFORMED_ID", "message": f"Account ID: id value of incorrect type: {other}", "fields": ["Id"]},
        {"statusCode": "INVALID_CROSS_REFERENCE_KEY", "message": "invalid cross reference id", "fields": []},
        {"statusCode": "ENTITY_IS_DELETED", "message": "entity is deleted", "fields": []},
        {"statusCode": "INVALID_FIELD", "message": "No such column 'foo' on sobject of type Account", "fields": []},
        {"statusCode": "INVALID_EMAIL_ADDRESS", "message": "Email: invalid email address: bad", "fields": ["Email"]},
    ]
    assert all(list(one) == ["success", "errors"] for one in results[2:])
    assert org.get("Account", first, "Name", "NumberOfEmployees")["NumberOfEmployees"] == 10000


@ledger("error.CannotUpdateConvertedLead", "observed", "recording collections-update-converted-lead")
def test_a_converted_lead_is_read_only(org: RunningOrg) -> None:
    lead = org.create("Lead", LastName="x", Company="y", IsConverted=True)

    (result,) = call(org, "PATCH", {"attributes": {"type": "Lead"}, "id": lead, "LastName": "NoEdit"})

    assert result["errors"] == [
        {"statusCode": "CANNOT_UPDATE_CONVERTED_LEAD", "message": "cannot reference converted lead", "fields": []}
    ]
    assert org.get("Lead", lead, "LastName")["LastName"] == "x"


def test_an_update_of_all_or_none_changes_none(org: RunningOrg) -> None:
    made = org.create("Account", Name="before")

    results = call(org, "PATCH", account(id=made, Name="after"), account(id=made, Nope__c=1), allOrNone=True)

    assert results[0] == {"success": False, "errors": [ROLLED_BACK]}
    assert codes(results)[1] == "INVALID_FIELD"
    assert org.get("Account", made, "Name")["Name"] == "before"


# --- upsert ----------------------------------------------------------------------------------------------------------


def packet(**values: Any) -> dict[str, Any]:
    return {"attributes": {"type": "Seed_Packet__c"}, **values}


@ledger(
    "route.PATCH /services/data/{version}/composite/sobjects/{sobject}/{field}",
    "observed",
    "recording collections-upsert-mixed",
)
def test_an_upsert_says_of_each_record_whether_it_was_created(org: RunningOrg) -> None:
    known = org.create("Seed_Packet__c", Sku__c="UPS-1")

    results = call(
        org, "PATCH", packet(Sku__c="ups-1", Name="n"), packet(sku__c="UPS-2"), path="/Seed_Packet__c/Sku__c"
    )

    assert results[0] == {"id": known, "success": True, "errors": [], "created": False}
    assert list(results[1]) == ["id", "success", "errors", "created"]
    assert results[1]["created"] is True
    assert org.get("Seed_Packet__c", known, "Name")["Name"] == "n"


@ledger("collections.upsert-by-id", "observed", "recordings collections-upsert-id, collections-upsert-id-v58")
def test_an_upsert_by_id_creates_what_has_none(org: RunningOrg) -> None:
    known = org.create("Account", Name="known")

    results = call(
        org, "PATCH", account(Id=None, Name="new"), account(Name="new too"), account(Id=known, Name="changed"), account(Id="nope", Name="x"),
        path="/Account/Id",
    )  # fmt: skip

    assert [one.get("created") for one in results] == [True, True, False, False]
    assert codes(results) == [None, None, None, "MALFORMED_ID"]


@ledger("error.DuplicateExternalId", "guessed", "composite.md does not say; code and text of the SOAP upsert")
@ledger("collections.upsert-failures", "guessed", "composite.md section 4; codes and texts of the SOAP upsert")
def test_an_upsert_that_cannot_tell_its_record_fails_it(org: RunningOrg) -> None:
    ids = [org.create("Contact", LastName="twin", Email="twins@example.com") for _ in range(2)]
    before = count(org, "Contact")

    results = call(
        org, "PATCH", contact(LastName="x", Email="twins@example.com"), contact(LastName="x"), contact(LastName="y", Email="twice@example.com"),
        contact(LastName="z", Email="Twice@example.com"), account(Name="x", Email="a@example.com"), {"LastName": "x", "Email": "b@example.com"},
        path="/Contact/Email",
    )  # fmt: skip

    assert codes(results) == [
        "DUPLICATE_EXTERNAL_ID", "MISSING_ARGUMENT", "DUPLICATE_VALUE", "DUPLICATE_VALUE", "INVALID_TYPE", "JSON_PARSER_ERROR",
    ]  # fmt: skip
    assert all(one in results[0]["errors"][0]["message"] for one in ids)
    assert results[2]["errors"][0]["message"] == "Duplicate external id specified: twice@example.com"
    assert all(one["created"] is False for one in results)
    assert count(org, "Contact") == before


@pytest.mark.parametrize(
    ("path", "code"), [("/Account/Name", "NOT_FOUND"), ("/Account/Nope__c", "NOT_FOUND"), ("/Nope/Id", "NOT_FOUND")]
)
def test_an_upsert_needs_a_key_that_there_is(org: RunningOrg, path: str, code: str) -> None:
    error = refused(org.data("PATCH", f"/composite/sobjects{path}", {"records": [account(Name="x")]}), 404)

    assert error["errorCode"] == code


# --- delete ----------------------------------------------------------------------------------------------------------


@ledger("route.DELETE /services/data/{version}/composite/sobjects", "observed", "recording collections-delete")
def test_records_of_any_types_are_deleted(org: RunningOrg) -> None:
    made = [org.create("Account", Name="x"), org.create("Contact", LastName="y"), org.create("Account", Name="z")[:15]]

    reply = org.data("DELETE", f"/composite/sobjects?ids={'%2C'.join(made)}&allOrNone=true&unknown=1")

    assert [list(one) for one in reply.json] == [["id", "success", "errors"]] * 3
    assert [one["id"][:15] for one in reply.json] == [one[:15] for one in made]
    assert org.data("GET", f"/sobjects/Account/{made[0]}").status == 404


@ledger("collections.delete-failures", "documented", "composite.md section 4 [C7, C9]")
def test_a_delete_of_all_or_none_deletes_none_and_names_the_ids_it_left(org: RunningOrg) -> None:
    made = org.create("Account", Name="stays")
    gone = org.create("Account", Name="gone")
    org.data("DELETE", f"/sobjects/Account/{gone}")

    reply = org.data("DELETE", f"/composite/sobjects?allOrNone=true&ids={made},001RM,{gone},zzzLb0000000001")

    assert [one.get("id") for one in reply.json] == [made, None, None, None]
    assert [one["errors"][0] for one in reply.json] == [
        ROLLED_BACK,
        {"statusCode": "MALFORMED_ID", "message": "malformed id 001RM", "fields": []},
        {"statusCode": "ENTITY_IS_DELETED", "message": "entity is deleted", "fields": []},
        {"statusCode": "MALFORMED_ID", "message": "malformed id zzzLb0000000001", "fields": []},
    ]
    assert org.get("Account", made, "Name")["Name"] == "stays"


def test_a_refused_delete_leaves_the_others_of_its_list(org: RunningOrg) -> None:
    sown = org.create("Seed_Packet__c", Sku__c="DEL-1")
    order = org.create("Garden_Order__c")
    org.create("Garden_Order_Line__c", Order__c=order, Packet__c=sown, Quantity__c=1)
    other = org.create("Account", Name="x")

    reply = org.data("DELETE", f"/composite/sobjects?ids={other},{sown}")

    assert codes(reply.json) == [None, "DELETE_FAILED"]
    assert org.get("Seed_Packet__c", sown, "Sku__c")["Sku__c"] == "DEL-1"
    assert org.data("GET", f"/sobjects/Account/{other}").status == 404


@pytest.mark.parametrize(("query", "code"), [
    ("", "MISSING_ARGUMENT"), ("?ids=", "MISSING_ARGUMENT"), ("?ids=1&allOrNone=perhaps", "JSON_PARSER_ERROR"),
    (f"?ids={','.join(['001Lb0000000001IAA'] * 201)}", "EXCEEDED_ID_LIMIT"),
])  # fmt: skip
def test_a_delete_that_is_wrong_as_a_whole(org: RunningOrg, query: str, code: str) -> None:
    assert refused(org.data("DELETE", f"/composite/sobjects{query}"))["errorCode"] == code


# --- retrieve --------------------------------------------------------------------------------------------------------


@ledger("route.GET /services/data/{version}/composite/sobjects/{sobject}", "documented", "composite.md section 4")
@ledger("route.POST /services/data/{version}/composite/sobjects/{sobject}", "documented", "composite.md section 4")
def test_records_are_read_in_the_order_of_their_ids_null_for_what_is_not_there(org: RunningOrg) -> None:
    first, second = (org.create("Account", Name=name, NumberOfEmployees=3) for name in "ab")
    other = org.create("Contact", LastName="c")
    wanted = [second, "nope", other, first[:15], f"{first[:12]}zzz"]

    by_get = org.data("GET", f"/composite/sobjects/account?ids={','.join(wanted)}&fields=Id,Name,Name")
    by_post = org.data("POST", "/composite/sobjects/Account", {"ids": wanted, "fields": ["Id", "Name"]})

    assert by_get.status == 200
    assert by_get.json == by_post.json
    assert [one and one["Name"] for one in by_get.json] == ["b", None, None, "a", None]
    assert list(by_get.json[0]) == ["attributes", "Id", "Name"]


@ledger("collections.retrieve-limits", "documented", "REST guide, Retrieve Multiple Records with Fewer Round-Trips")
@pytest.mark.parametrize(("body", "code"), [
    ({"ids": ["001Lb0000000001IAA"], "fields": ["Id", "Nope"]}, "INVALID_FIELD"), ({"ids": [], "fields": ["Id"]}, "MISSING_ARGUMENT"),
    ({"ids": ["x"], "fields": []}, "MISSING_ARGUMENT"), ({"ids": [1], "fields": ["Id"]}, "JSON_PARSER_ERROR"),
    ({"ids": ["001Lb0000000001IAA"] * 2001, "fields": ["Id"]}, "EXCEEDED_ID_LIMIT"), ({}, "JSON_PARSER_ERROR"),
])  # fmt: skip
def test_a_retrieval_that_is_wrong_as_a_whole(org: RunningOrg, body: Any, code: str) -> None:
    assert refused(org.data("POST", "/composite/sobjects/Account", body))["errorCode"] == code


def test_a_read_only_user_reads_but_does_not_write_lists(org: RunningOrg) -> None:
    made, token = org.create("Account", Name="x"), org.integration_token()

    read = org.data("GET", f"/composite/sobjects/Account?ids={made}&fields=Id", token=token)
    wrote = org.data("POST", "/composite/sobjects", {"records": [account(Name="x")]}, token=token)
    gone = org.data("DELETE", f"/composite/sobjects?ids={made}", token=token)

    assert read.json[0]["Id"] == made
    assert codes(wrote.json) == codes(gone.json) == ["INSUFFICIENT_ACCESS_OR_READONLY"]
