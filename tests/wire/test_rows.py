"""Rows over REST: statuses, bodies, headers; every error of the table with its code, template and fields."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.running import Reply, RunningOrg

ledger = pytest.mark.ledger


def only(reply: Reply, status: int) -> dict[str, Any]:
    """The one error of a reply."""
    assert reply.status == status, reply.raw
    (found,) = reply.json
    error: dict[str, Any] = found
    return error


def refused(org: RunningOrg, sobject: str, **values: Any) -> dict[str, Any]:
    return only(org.data("POST", f"/sobjects/{sobject}", values), 400)


# --- replies -------------------------------------------------------------------------------------------------------


@ledger("rest.create-reply", "observed", "recording rest-create-account")
def test_a_create_answers_201_with_id_location_and_recorded_key_order(org: RunningOrg) -> None:
    reply = org.data("POST", "/sobjects/account", {"name": "Lower case names work"})

    assert reply.status == 201
    assert list(reply.json) == ["id", "success", "errors"]
    assert reply.headers["location"] == f"/services/data/v67.0/sobjects/Account/{reply.json['id']}"
    assert reply.headers["content-type"] == "application/json;charset=UTF-8"
    assert reply.headers["sforce-limit-info"].startswith("api-usage=")


@ledger("rest.id-form", "observed", "rest.md section 10")
def test_ids_have_the_key_prefix_and_18_characters_and_15_are_accepted(org: RunningOrg) -> None:
    record_id = org.create("Account", Name="x")

    assert record_id.startswith("001")
    assert len(record_id) == 18
    assert org.get("Account", record_id[:15])["Id"] == record_id


@ledger("rest.row", "observed", "recording rest-get-account-row")
def test_a_row_has_every_field_in_describe_order_with_attributes_first(org: RunningOrg) -> None:
    record_id = org.create("Account", Name="Whole", BillingCity="Ghent")

    row = org.get("Account", record_id)
    described = [f["name"] for f in org.data("GET", "/sobjects/Account/describe").json["fields"]]

    assert list(row) == ["attributes", *described]
    assert row["attributes"] == {"type": "Account", "url": f"/services/data/v67.0/sobjects/Account/{record_id}"}
    assert row["PhotoUrl"] == f"/services/images/photo/{record_id}"
    assert row["CreatedDate"].endswith(".000+0000")
    assert row["LastViewedDate"] == row["CreatedDate"]
    assert row["OwnerId"] == org.ready["user_id"]


@ledger("field.address", "observed", "recording rest-get-account-row")
def test_an_address_is_an_object_as_soon_as_one_part_is_set(org: RunningOrg) -> None:
    record_id = org.create("Account", Name="Addressed", BillingCity="Ghent")

    row = org.get("Account", record_id, "BillingAddress", "ShippingAddress")

    assert list(row["BillingAddress"]) == [
        "city", "country", "geocodeAccuracy", "latitude", "longitude", "postalCode", "state", "street",
    ]  # fmt: skip
    assert row["BillingAddress"]["city"] == "Ghent"
    assert row["ShippingAddress"] is None


@ledger("rest.fields-parameter", "documented", "rest.md section 3")
def test_fields_choose_what_a_row_shows_in_their_order(org: RunningOrg) -> None:
    record_id = org.create("Account", Name="Chosen")

    row = org.get("Account", record_id, "name", "ID")

    assert list(row) == ["attributes", "Name", "Id"]


@ledger("rest.last-modified", "observed", "recording rest-get-account-row")
def test_a_row_says_when_it_was_last_modified(org: RunningOrg) -> None:
    record_id = org.create("Account", Name="x")

    reply = org.data("GET", f"/sobjects/Account/{record_id}")

    assert reply.headers["last-modified"].endswith(" GMT")


def test_head_answers_as_get_without_a_body(org: RunningOrg) -> None:
    record_id = org.create("Account", Name="x")

    reply = org.data("HEAD", f"/sobjects/Account/{record_id}")

    assert (reply.status, reply.raw) == (200, b"")
    assert int(reply.headers["content-length"]) > 100


@ledger("rest.update-reply", "observed", "recording rest-patch")
def test_an_update_answers_204_without_content_type(org: RunningOrg) -> None:
    record_id = org.create("Account", Name="x", Phone="1")

    reply = org.data("PATCH", f"/sobjects/Account/{record_id}", {"Phone": None})

    assert (reply.status, reply.raw) == (204, b"")
    assert "content-type" not in reply.headers
    assert org.get("Account", record_id, "Name", "Phone") | {"attributes": 0} == {
        "attributes": 0,
        "Name": "x",
        "Phone": None,
    }


@ledger("rest.method-override", "documented", "rest.md section 3")
def test_a_post_may_name_another_method(org: RunningOrg) -> None:
    record_id = org.create("Account", Name="x")

    reply = org.data("POST", f"/sobjects/Account/{record_id}?_HttpMethod=PATCH", {"Name": "y"})

    assert reply.status == 204
    assert org.get("Account", record_id)["Name"] == "y"


@ledger("rest.upsert-reply", "observed", "recordings rest-upsert-created-v29, rest-upsert-updated-v29")
@pytest.mark.parametrize(("version", "updated"), [("29.0", (204, None)), ("67.0", (200, False))])
def test_an_upsert_answers_by_version(org: RunningOrg, version: str, updated: tuple[int, bool | None]) -> None:
    path = f"/sobjects/Seed_Packet__c/Sku__c/UP-{version}"

    created = org.data("PATCH", path, {"Name": "One"}, version=version)
    again = org.data("PATCH", path, {"Name": "Two"}, version=version)

    assert created.status == 201
    assert created.json.get("created") == (None if version == "29.0" else True)
    assert again.status == updated[0]
    assert (again.json["created"] if again.raw else None) == updated[1]


def test_an_upsert_value_may_hold_an_encoded_slash(org: RunningOrg) -> None:
    created = org.data("PATCH", "/sobjects/Seed_Packet__c/Sku__c/A%2FB%20C", {"Name": "Slashed"})

    assert org.get("Seed_Packet__c", created.json["id"])["Sku__c"] == "A/B C"


@ledger("rest.upsert-update-only", "documented", "rest.md section 3")
@ledger("error.ExternalIdNotFound", "documented", "rest.md section 9")
def test_update_only_blocks_the_insert(org: RunningOrg) -> None:
    reply = org.data("PATCH", "/sobjects/Seed_Packet__c/Sku__c/NONE?updateOnly=true", {"Name": "x"})

    assert only(reply, 404)["errorCode"] == "NOT_FOUND"


@ledger("rest.multiple-choices", "documented", "rest.md section 3")
def test_an_external_id_that_several_records_have_answers_300_with_their_urls(org: RunningOrg) -> None:
    ids = [org.create("Contact", LastName="Twin", Email="twin@example.com") for _ in range(2)]

    reply = org.data("GET", "/sobjects/Contact/Email/twin%40example.com")

    assert reply.status == 300
    assert reply.json == [f"/services/data/v67.0/sobjects/Contact/{one}" for one in ids]


@ledger("rest.id-as-key", "observed", "rest.md section 3")
def test_id_serves_as_a_key(org: RunningOrg) -> None:
    record_id = org.create("Account", Name="x")

    assert org.data("GET", f"/sobjects/Account/Id/{record_id}").json["Id"] == record_id
    assert org.data("PATCH", f"/sobjects/Account/Id/{record_id}", {"Name": "y"}).status == 200
    assert org.data("DELETE", f"/sobjects/Account/Id/{record_id}").status == 204


@ledger("route.POST /services/data/{version}/sobjects/{sobject}/{id}", "documented", "rest.md section 3")
def test_posting_to_id_inserts(org: RunningOrg) -> None:
    assert org.data("POST", "/sobjects/Account/Id", {"Name": "x"}).status == 201
    assert org.data("POST", "/sobjects/Account/Id", {"Name": "x"}, version="36.0").status == 404


@ledger("route.DELETE /services/data/{version}/sobjects/{sobject}/{field}/{value}", "documented", "rest.md section 3")
def test_a_record_is_deleted_by_external_id(org: RunningOrg) -> None:
    org.create("Seed_Packet__c", Name="x", Sku__c="DEL-1")

    assert org.data("DELETE", "/sobjects/Seed_Packet__c/Sku__c/DEL-1").status == 204
    assert org.data("GET", "/sobjects/Seed_Packet__c/Sku__c/DEL-1").status == 404


@ledger("rest.parent-by-external-id", "documented", "rest.md section 3")
def test_a_parent_is_named_by_its_external_id(org: RunningOrg) -> None:
    club = org.create("Account", Name="Club", Garden_Club_Number__c="GC-77")
    order = org.create("Garden_Order__c", Customer__r={"Garden_Club_Number__c": "GC-77"})

    assert org.get("Garden_Order__c", order)["Customer__c"] == club
    assert (
        refused(org, "Garden_Order__c", Customer__r={"Garden_Club_Number__c": "nobody"})["errorCode"] == "INVALID_FIELD"
    )


@ledger("rest.custom-name-defaults-to-id", "observed", "recording soql-custom-object-default-name")
def test_a_custom_object_without_a_name_is_named_by_its_id(org: RunningOrg) -> None:
    record_id = org.create("Seed_Packet__c", Sku__c="NONAME")

    assert org.get("Seed_Packet__c", record_id)["Name"] == record_id[:15]


@ledger("rest.auto-number", "documented", "metadata.md section 3")
def test_auto_numbers_rise_in_their_format(org: RunningOrg) -> None:
    first, second = (org.get("Garden_Order__c", org.create("Garden_Order__c"))["Name"] for _ in range(2))

    assert first.startswith("GO-0")
    assert int(second[3:]) == int(first[3:]) + 1


@ledger("rest.person-name", "observed", "recording rest-get-lead-row")
def test_a_persons_name_follows_its_parts(org: RunningOrg) -> None:
    record_id = org.create("Contact", FirstName="Grace", LastName="Hopper")
    org.data("PATCH", f"/sobjects/Contact/{record_id}", {"FirstName": None})

    assert org.get("Contact", record_id)["Name"] == "Hopper"


@ledger("rest.delete-cascade", "observed", "describe of Account: childRelationships")
def test_deleting_a_parent_takes_cascading_children_along(org: RunningOrg) -> None:
    order = org.create("Garden_Order__c")
    packet = org.create("Seed_Packet__c", Sku__c="CASC-1")
    line = org.create("Garden_Order_Line__c", Order__c=order, Packet__c=packet, Quantity__c=2)

    assert org.data("DELETE", f"/sobjects/Garden_Order__c/{order}").status == 204
    assert org.data("GET", f"/sobjects/Garden_Order_Line__c/{line}").status == 404


@ledger("rest.delete-set-null", "documented", "metadata.md section 3, deleteConstraint")
def test_deleting_a_parent_clears_other_lookups(org: RunningOrg) -> None:
    account = org.create("Account", Name="x")
    order = org.create("Garden_Order__c", Customer__c=account)

    org.data("DELETE", f"/sobjects/Account/{account}")

    assert org.get("Garden_Order__c", order)["Customer__c"] is None


@ledger("error.DeleteFailed", "guessed", "rest.md section 9 (text unverified)")
def test_a_restricting_child_refuses_the_delete(org: RunningOrg) -> None:
    order, packet = org.create("Garden_Order__c"), org.create("Seed_Packet__c", Sku__c="RES-1")
    org.create("Garden_Order_Line__c", Order__c=order, Packet__c=packet)

    error = only(org.data("DELETE", f"/sobjects/Seed_Packet__c/{packet}"), 400)

    assert error["errorCode"] == "DELETE_FAILED"
    assert org.get("Seed_Packet__c", packet)["IsDeleted"] is False


# --- errors --------------------------------------------------------------------------------------------------------


@ledger("error.NotFound", "observed", "recording errors-get-deleted-contact")
@pytest.mark.parametrize("path", ["/sobjects/Nope__c/describe", "/sobjects/Account/001000000000000AAA", "/nowhere"])
def test_what_is_not_there_answers_not_found_code_first(org: RunningOrg, path: str) -> None:
    reply = org.data("GET", path)

    assert reply.status == 404
    assert reply.raw == b'[{"errorCode":"NOT_FOUND","message":"The requested resource does not exist"}]'


@ledger("error.EntityIsDeleted", "observed", "recording errors-delete-deleted")
def test_deleting_or_updating_a_deleted_record_answers_entity_is_deleted(org: RunningOrg) -> None:
    record_id = org.create("Account", Name="x")
    org.data("DELETE", f"/sobjects/Account/{record_id}")

    for method, body in (("DELETE", None), ("PATCH", {"Name": "y"})):
        error = only(org.data(method, f"/sobjects/Account/{record_id}", body), 404)
        assert error == {"message": "entity is deleted", "errorCode": "ENTITY_IS_DELETED", "fields": []}


@ledger("error.InvalidCrossReferenceInPath", "documented", "rest.md section 9")
@pytest.mark.parametrize("record_id", ["001000000000000AAA", "003000000000000AAA"])
def test_an_update_of_an_unknown_id_answers_invalid_cross_reference_key(org: RunningOrg, record_id: str) -> None:
    error = only(org.data("PATCH", f"/sobjects/Account/{record_id}", {"Name": "x"}), 404)

    assert (error["errorCode"], error["message"]) == ("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")


@ledger("error.MethodNotAllowed", "documented", "rest.md section 9")
def test_a_wrong_verb_names_the_right_ones(org: RunningOrg) -> None:
    reply = org.data("PUT", "/sobjects/Account/001000000000000AAA", {})

    assert only(reply, 405)["message"] == "HTTP Method 'PUT' not allowed. Allowed are DELETE,GET,HEAD,PATCH,POST"
    assert reply.headers["allow"] == "DELETE,GET,HEAD,PATCH,POST"


@ledger("error.NoSuchColumn", "observed", "recording errors-unknown-field-dml")
def test_an_unknown_field_answers_as_recorded(org: RunningOrg) -> None:
    assert refused(org, "Account", Name="x", AccountNumer="1") == {
        "message": "No such column 'AccountNumer' on sobject of type Account", "errorCode": "INVALID_FIELD",
    }  # fmt: skip


@ledger("error.InvalidFieldForInsertUpdate", "documented", "rest.md section 9")
def test_read_only_fields_are_named(org: RunningOrg) -> None:
    error = refused(org, "Contact", LastName="x", Name="y", CreatedDate="2020-01-01T00:00:00.000Z")

    assert error["errorCode"] == "INVALID_FIELD_FOR_INSERT_UPDATE"
    assert error["fields"] == ["Name", "CreatedDate"]
    assert error["message"].startswith("Unable to create/update fields: Name, CreatedDate. Please check the security")


@ledger("error.RequiredFieldMissing", "observed", "recording collections-create-required-missing")
@pytest.mark.parametrize("values", [{}, {"Name": None}, {"Name": ""}, {"Name": "   "}])
def test_required_fields_are_named(org: RunningOrg, values: dict[str, Any]) -> None:
    assert refused(org, "Account", **values) == {
        "message": "Required fields are missing: [Name]", "errorCode": "REQUIRED_FIELD_MISSING", "fields": ["Name"],
    }  # fmt: skip


def test_a_required_field_cannot_be_cleared(org: RunningOrg) -> None:
    record_id = org.create("Account", Name="x")

    error = only(org.data("PATCH", f"/sobjects/Account/{record_id}", {"Name": None}), 400)

    assert error["errorCode"] == "REQUIRED_FIELD_MISSING"


@ledger("error.DuplicateValue", "documented", "rest.md section 9")
def test_a_unique_value_that_another_record_has_names_it_by_15_characters(org: RunningOrg) -> None:
    other = org.create("Seed_Packet__c", Sku__c="DUP-1")

    error = refused(org, "Seed_Packet__c", Sku__c="dup-1")

    assert error["errorCode"] == "DUPLICATE_VALUE"
    assert error["message"] == f"duplicate value found: Sku__c duplicates value on record with id: {other[:15]}"


@ledger("records.unique-leaves-out-deleted", "documented", "ARCHITECTURE: uniqueness without deleted rows")
def test_a_deleted_record_frees_its_unique_value(org: RunningOrg) -> None:
    old = org.create("Seed_Packet__c", Sku__c="FREE-1")
    org.data("DELETE", f"/sobjects/Seed_Packet__c/{old}")

    assert org.create("Seed_Packet__c", Sku__c="FREE-1") != old


@ledger("error.StringTooLong", "documented", "rest.md section 9")
def test_text_that_is_too_long_names_label_and_length(org: RunningOrg) -> None:
    error = refused(org, "Account", Name="x" * 256)

    assert error["errorCode"] == "STRING_TOO_LONG"
    assert error["message"] == f"Account Name: data value too large: {'x' * 255} (max length=255)"
    assert error["fields"] == ["Name"]


@ledger("error.BadPicklistValue", "documented", "rest.md section 9")
@ledger("field.picklist", "observed", "recording describe-account")
def test_a_restricted_picklist_refuses_other_values(org: RunningOrg) -> None:
    error = refused(org, "Seed_Packet__c", Sku__c="PICK", Kind__c="Tree")

    assert error == {
        "message": "Kind: bad value for restricted picklist field: Tree",
        "errorCode": "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "fields": ["Kind__c"],
    }  # fmt: skip
    assert refused(org, "Seed_Packet__c", Sku__c="PICK", Months__c="March;June")["fields"] == ["Months__c"]


@ledger("error.InvalidEmailAddress", "observed", "recording collections-update-partial-invalid-email")
@ledger("field.email", "observed", "recording collections-update-partial-invalid-email")
def test_an_email_that_is_none_is_refused(org: RunningOrg) -> None:
    error = refused(org, "Contact", LastName="x", Email="not an email")

    assert error == {
        "message": "Email: invalid email address: not an email", "errorCode": "INVALID_EMAIL_ADDRESS", "fields": ["Email"],
    }  # fmt: skip


@ledger("error.MalformedId", "documented", "rest.md section 9")
@pytest.mark.parametrize("value", ["abc123", "003000000000000AAA", "not an id at all, really"])
def test_an_id_of_a_wrong_form_or_object_is_malformed(org: RunningOrg, value: str) -> None:
    error = refused(org, "Contact", LastName="x", AccountId=value)

    assert error["errorCode"] == "MALFORMED_ID"
    assert error["message"] == f"Account ID: id value of incorrect type: {value}"


@ledger("error.InvalidCrossReferenceKey", "documented", "rest.md section 9")
def test_a_reference_to_nothing_is_refused(org: RunningOrg) -> None:
    error = refused(org, "Contact", LastName="x", AccountId="001Lb0zzzzzzzzz")

    assert (error["errorCode"], error["fields"]) == ("INVALID_CROSS_REFERENCE_KEY", [])


def test_record_type_infos_always_hold_master(org: RunningOrg) -> None:
    infos = org.data("GET", "/sobjects/Account/describe").json["recordTypeInfos"]

    assert [info["recordTypeId"] for info in infos] == ["012000000000000AAA"]


@ledger("error.JsonParserError", "documented", "rest.md section 9")
@pytest.mark.parametrize(
    ("sobject", "field", "value", "message"),
    [
        ("Contact", "Birthdate", "tomorrow", 'Cannot deserialize instance of date from VALUE_STRING value "tomorrow"'),
        ("Contact", "Birthdate", 5, "Cannot deserialize instance of date from VALUE_NUMBER_INT value 5"),
        ("Account", "NumberOfEmployees", "many", 'Cannot deserialize instance of int from VALUE_STRING value "many"'),
        ("Account", "AnnualRevenue", {"a": 1}, "Cannot deserialize instance of double from START_OBJECT value {"),
        ("Account", "Name", ["x"], "Cannot deserialize instance of string from START_ARRAY value ["),
        ("Seed_Packet__c", "Organic__c", "perhaps", 'Cannot deserialize instance of boolean from VALUE_STRING value "perhaps"'),
        ("Garden_Order__c", "Ordered_At__c", "2013-08-12T15:20:00+0000",
         'Cannot deserialize instance of datetime from VALUE_STRING value "2013-08-12T15:20:00+0000"'),
    ],
)  # fmt: skip
def test_values_of_a_wrong_kind_are_named(org: RunningOrg, sobject: str, field: str, value: Any, message: str) -> None:
    error = refused(org, sobject, **{field: value})

    assert error["errorCode"] == "JSON_PARSER_ERROR"
    assert error["message"] == message


@ledger("error.NumberOutsideValidRange", "guessed", "code from the partner WSDL, text from public reports")
def test_a_number_beyond_its_precision_is_refused(org: RunningOrg) -> None:
    error = refused(org, "Seed_Packet__c", Sku__c="NUM", Price__c=1_000_000)

    assert (error["errorCode"], error["fields"]) == ("NUMBER_OUTSIDE_VALID_RANGE", ["Price__c"])


@ledger("error.FieldIntegrity", "guessed", "code from the partner WSDL")
def test_a_url_with_blanks_is_refused(org: RunningOrg) -> None:
    assert refused(org, "Account", Name="x", Website="no url")["errorCode"] == "FIELD_INTEGRITY_EXCEPTION"


@ledger("error.InvalidField", "documented", "soql.md section 5")
def test_a_body_may_not_name_the_id_or_the_key_of_the_path(org: RunningOrg) -> None:
    record_id = org.create("Account", Name="x")

    error = only(org.data("PATCH", f"/sobjects/Account/{record_id}", {"Id": record_id}), 400)
    keyed = only(org.data("PATCH", "/sobjects/Seed_Packet__c/Sku__c/K-1", {"Sku__c": "K-1"}), 400)

    assert error["message"] == "The Id field should not be specified in the sobject data."
    assert keyed["message"] == "The Sku__c field should not be specified in the sobject data."


@ledger("error.CannotInsertUpdate", "guessed", "code from the partner WSDL")
@ledger("error.InvalidTypeForOperation", "guessed", "code from the partner WSDL")
def test_objects_that_take_no_writes_say_so(org: RunningOrg) -> None:
    assert refused(org, "EntityDefinition", Label="x")["errorCode"] == "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"
    org_id = org.ready["org_id"]
    assert (
        only(org.data("DELETE", f"/sobjects/Organization/{org_id}"), 400)["errorCode"] == "INVALID_TYPE_FOR_OPERATION"
    )


@ledger("error.InsufficientAccess", "documented", "rest.md section 9")
@pytest.mark.parametrize(("method", "path"), [("POST", ""), ("PATCH", "/{id}"), ("DELETE", "/{id}")])
def test_the_read_only_user_cannot_write(org: RunningOrg, method: str, path: str) -> None:
    record_id = org.create("Account", Name="Guarded")
    token = org.integration_token()

    error = only(org.data(method, f"/sobjects/Account{path.format(id=record_id)}", {"Name": "y"}, token=token), 403)

    assert error["errorCode"] == "INSUFFICIENT_ACCESS_OR_READONLY"
    assert org.get("Account", record_id)["Name"] == "Guarded"


@ledger("error.Unsupported", "differs", "a real org answers these; Landbridge says aloud that it does not yet")
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/graphql"),
        ("GET", "/search/layout?q=Account"),
    ],
)
def test_what_is_not_done_yet_says_so(org: RunningOrg, method: str, path: str) -> None:
    error = only(org.data(method, path, {"Status__c": "x"} if method == "POST" else None), 501)

    assert error["errorCode"] == "FUNCTIONALITY_NOT_ENABLED"
    assert error["message"].startswith("Landbridge does not support this yet: ")


@ledger("error.RequestLimitExceeded", "documented", "rest.md section 9")
def test_calls_over_the_daily_limit_are_refused(home: Any) -> None:
    with RunningOrg(home=home, daily_api_requests=2) as small:
        assert [small.data("GET", "/limits").status for _ in range(3)] == [200, 200, 403]
        reply = small.data("GET", "/limits")

    assert only(reply, 403)["errorCode"] == "REQUEST_LIMIT_EXCEEDED"
    assert reply.headers["sforce-limit-info"] == "api-usage=4/2"


@ledger("error.DuplicateAssignment", "observed", "recording errors-duplicate-permission-set-assignment")
def test_a_permission_set_is_assigned_once(org: RunningOrg) -> None:
    body = {
        "AssigneeId": org.ready["user_id"],
        "PermissionSetId": org.create("PermissionSet", Name="Once", Label="Once"),
    }
    org.create("PermissionSetAssignment", **body)

    found = refused(org, "PermissionSetAssignment", **body)

    assert (found["errorCode"], found["fields"]) == ("DUPLICATE_VALUE", ["AssigneeId", "PermissionSetId"])
