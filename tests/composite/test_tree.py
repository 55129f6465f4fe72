"""`/composite/tree/{S}`: nested records, all or nothing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.composite.calls import count, refused
from tests.support.running import RunningOrg

ledger = pytest.mark.ledger


def node(
    kind: str, reference: str | None, children: dict[str, list[Any]] | None = None, **values: Any
) -> dict[str, Any]:
    attributes = {"type": kind} if reference is None else {"type": kind, "referenceId": reference}
    nested = {name: {"records": records} for name, records in (children or {}).items()}
    return {"attributes": attributes, **values, **nested}


def chain(levels: int) -> dict[str, Any]:
    """Accounts below accounts, so many deep."""
    found: dict[str, Any] = {}
    for level in range(levels, 0, -1):
        found = node("Account", f"r{level}", {"ChildAccounts": [found]} if found else None, Name=f"level {level}")
    return found


def tree(org: RunningOrg, *records: Any, kind: str = "Account") -> Any:
    return org.data("POST", f"/composite/tree/{kind}", {"records": list(records)})


@ledger("route.POST /services/data/{version}/composite/tree/{sobject}", "observed", "recording tree-two-accounts")
def test_a_tree_is_created_level_by_level(org: RunningOrg) -> None:
    reply = tree(
        org,
        node("Account", "ref1", {"Contacts": [node("contact", "ref2", lastname="a"), node("Contact", "ref3", lastname="b")]}, name="One"),
        node("Account", "ref4", {"childAccounts": [node("Account", "ref5", name="Below")], "Contacts": [node("Contact", "ref6", LastName="c")]},
             Name="Two", ParentId=None),
    )  # fmt: skip

    assert reply.status == 201
    assert list(reply.json) == ["hasErrors", "results"]
    assert reply.json["hasErrors"] is False
    assert [one["referenceId"] for one in reply.json["results"]] == ["ref1", "ref4", "ref2", "ref3", "ref5", "ref6"]
    ids = {one["referenceId"]: one["id"] for one in reply.json["results"]}
    assert org.get("Contact", ids["ref3"], "AccountId")["AccountId"] == ids["ref1"]
    assert org.get("Account", ids["ref5"], "ParentId")["ParentId"] == ids["ref4"]


def test_two_hundred_records_and_five_levels_are_taken(org: RunningOrg) -> None:
    wide = [node("Account", f"w{number}", Name="x") for number in range(195)]

    reply = tree(org, chain(5), *wide)

    assert reply.status == 201, reply.raw
    assert len(reply.json["results"]) == 200


@ledger("tree.all-or-nothing", "documented", "composite.md section 3 [C3]; held-out captures of v60")
def test_one_refused_record_leaves_nothing_and_is_the_only_one_named(org: RunningOrg) -> None:
    before = count(org, "Account"), count(org, "Contact")

    reply = tree(
        org,
        node("Account", "ref1", {"Contacts": [node("Contact", "ref2", LastName="L", Email="123"), node("Contact", "ref3", FirstName="x")]}, Name="A"),
        node("Account", "ref4", Name="B"),
    )  # fmt: skip

    assert reply.status == 400
    assert reply.json == {"hasErrors": True, "results": [
        {"referenceId": "ref2", "errors": [
            {"statusCode": "INVALID_EMAIL_ADDRESS", "message": "Email: invalid email address: 123", "fields": ["Email"]}]},
        {"referenceId": "ref3", "errors": [
            {"statusCode": "REQUIRED_FIELD_MISSING", "message": "Required fields are missing: [LastName]", "fields": ["LastName"]}]},
    ]}  # fmt: skip
    assert (count(org, "Account"), count(org, "Contact")) == before


@ledger(
    "tree.duplicate-reference",
    "observed",
    "a captured reply of v60 in a connector's tests: both errors under the one referenceId",
)
def test_a_reference_id_twice_is_refused(org: RunningOrg) -> None:
    before = count(org, "Account")

    reply = tree(
        org, node("Account", "ref0", Name="a"), node("Account", "ref1", Name="b"), node("Account", "ref1", Name="c")
    )

    assert reply.status == 400
    assert reply.json == {"hasErrors": True, "results": [{"referenceId": "ref1", "errors": [
        {"statusCode": "INVALID_INPUT", "message": "Duplicate ReferenceId provided in the request.", "fields": []},
        {"statusCode": "PROCESSING_HALTED", "message": "Duplicate ReferenceId found: ref1", "fields": []},
    ]}]}  # fmt: skip
    assert count(org, "Account") == before


@ledger("tree.refused", "guessed", "composite.md section 3 gives the rules; codes are those of neighbouring errors")
@pytest.mark.parametrize(("records", "code", "words"), [
    ([node("Account", f"r{number}", Name="x") for number in range(201)], "EXCEEDED_ID_LIMIT", "more than 200 records"),
    ([node("Account", "r", {"Contacts": [node("Contact", f"r{number}", LastName="x") for number in range(200)]}, Name="x")],
     "EXCEEDED_ID_LIMIT", "more than 200 records"),
    ([chain(6)], "LIMIT_EXCEEDED", "more than 5 levels"),
    ([node("Account", "a", {"Contacts": [node("Contact", "c", LastName="x")], "Opportunities": [node("Opportunity", "o")], "Cases": [node("Case", "s")],
                            "Contracts": [node("Contract", "t")], "Orders": [node("Order", "d")]}, Name="x")], "LIMIT_EXCEEDED", "6 objects; at most 5"),
    ([node("Account", None, Name="x")], "INVALID_INPUT", "Include a reference ID for each record in the request."),
    ([node("Account", "", Name="x")], "INVALID_INPUT", "Include a reference ID for each record in the request."),
    ([node("Account", "_x", Name="x")], "INVALID_INPUT", "must start with a letter or a number"),
    ([], "REQUIRED_FIELD_MISSING", "At least 1 record"), (["x"], "JSON_PARSER_ERROR", "every record must be an object"),
])  # fmt: skip
def test_trees_that_are_wrong_as_a_whole_do_nothing(org: RunningOrg, records: Any, code: str, words: str) -> None:
    before = count(org, "Account")

    error = refused(tree(org, *records))

    assert error["errorCode"] == code
    assert words in error["message"]
    assert count(org, "Account") == before


@pytest.mark.parametrize(("record", "code"), [
    (node("Contact", "x", LastName="x"), "INVALID_TYPE"), (node("Nope", "x"), "INVALID_TYPE"),
    ({"attributes": {"referenceId": "x"}, "Name": "x"}, "INVALID_INPUT"),
    (node("Account", "x", {"Nopes": [node("Contact", "y", LastName="x")]}, Name="x"), "INVALID_INPUT"),
    (node("Account", "x", Name="x", Contacts={"LastName": "x"}), "INVALID_FIELD"),
])  # fmt: skip
def test_a_record_that_has_no_place_in_the_tree_is_named(org: RunningOrg, record: Any, code: str) -> None:
    before = count(org, "Account")

    reply = tree(org, node("Account", "ok", Name="x"), record)

    assert reply.status == 400
    assert [(one["referenceId"], one["errors"][0]["statusCode"]) for one in reply.json["results"]] == [("x", code)]
    assert count(org, "Account") == before


def test_a_child_must_be_of_the_object_its_relationship_has(org: RunningOrg) -> None:
    reply = tree(org, node("Account", "a", {"Contacts": [node("Account", "b", Name="x")]}, Name="x"))

    assert [one["referenceId"] for one in reply.json["results"]] == ["b"]


def test_an_object_that_is_not_there_is_not_found(org: RunningOrg) -> None:
    assert refused(tree(org, node("Nope", "a"), kind="Nope"), 404)["errorCode"] == "NOT_FOUND"


def test_a_parent_may_be_named_by_its_external_id_beside_children(org: RunningOrg) -> None:
    org.create("Seed_Packet__c", Sku__c="TREE-1")

    reply = tree(
        org,
        node("Garden_Order__c", "o", {"Lines__r": [node("Garden_Order_Line__c", "l", Packet__r={"Sku__c": "TREE-1"}, Quantity__c=2)]}),
        kind="Garden_Order__c",
    )  # fmt: skip

    assert reply.status == 201, reply.raw
