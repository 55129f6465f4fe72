"""The standard objects and their describes, against facts and recordings."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from landbridge.access import Access
from landbridge.ids import RecordId
from landbridge.schema import Catalog, describe, standard
from landbridge.schema.model import TYPE_DEFAULTS, Field, resolve
from tests.conftest import ROOT

ledger = pytest.mark.ledger
ADMIN = Access(RecordId("005000000000001AAA"))

# Issue "The ground floor", section 4.
NAMED = [
    "Account",
    "Contact",
    "Lead",
    "Opportunity",
    "OpportunityLineItem",
    "OpportunityContactRole",
    "Case",
    "CaseComment",
    "Task",
    "Event",
    "User",
    "Profile",
    "UserRole",
    "PermissionSet",
    "PermissionSetAssignment",
    "Group",
    "GroupMember",
    "QueueSobject",
    "Organization",
    "RecordType",
    "Product2",
    "Pricebook2",
    "PricebookEntry",
    "Order",
    "OrderItem",
    "Contract",
    "Asset",
    "Campaign",
    "CampaignMember",
    "CampaignMemberStatus",
    "Solution",
    "Note",
    "Attachment",
    "Document",
    "Folder",
    "ContentVersion",
    "ContentDocument",
    "ContentDocumentLink",
    "EmailMessage",
    "ApexClass",
    "ApexTrigger",
    "AsyncApexJob",
    "CronTrigger",
    "EntityDefinition",
    "FieldDefinition",
]


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog(standard.load())


@pytest.mark.parametrize("name", NAMED)
def test_every_named_standard_object_is_there_with_fields(catalog: Catalog, name: str) -> None:
    entity = catalog.get(name.upper())

    assert entity is not None
    assert entity.name == name
    assert len(entity.fields) >= 3
    assert {field.type for field in entity.fields} <= set(TYPE_DEFAULTS)


def test_our_files_are_what_the_script_makes_of_the_facts(shared: Path, tmp_path: Path) -> None:
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        from make_standard import main
    finally:
        sys.path.pop(0)

    made = main(shared / "standard", tmp_path / "made")
    ours = {path.name: path.read_text("utf-8") for path in Path(str(standard._FOLDER)).glob("*.json")}

    recorded_alone = {"Topic.json"}  # known from a recording, not from the facts
    assert {name: text for name, text in ours.items() if name not in recorded_alone} == made


def recorded(shared: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((shared / "recordings" / "describe" / f"{name}.json").read_text())["response"][
        "body"
    ]
    return found


@ledger("describe.global", "observed", "recording describe-global")
def test_a_global_item_has_the_recorded_keys_in_order(catalog: Catalog, shared: Path) -> None:
    theirs = recorded(shared, "describe-global")
    account = next(item for item in theirs["sobjects"] if item["name"] == "Account")

    ours = describe.describe_global(catalog, ADMIN, 52.0)
    mine = next(item for item in ours["sobjects"] if item["name"] == "Account")

    assert list(ours) == list(theirs)
    assert list(mine) == list(account)
    assert mine == account


@ledger("describe.sobject", "observed", "recordings describe-account, describe-user-role")
@pytest.mark.parametrize(("name", "recording"), [("Account", "describe-account"), ("UserRole", "describe-user-role")])
def test_a_describe_has_the_recorded_keys_in_order(catalog: Catalog, shared: Path, name: str, recording: str) -> None:
    theirs = recorded(shared, recording)
    version = 50.0 if "associateEntityType" in theirs else 48.0
    entity = catalog.get(name)
    assert entity is not None

    ours = describe.describe_sobject(catalog, entity, ADMIN, version, "https://example.my.salesforce.com")

    # `sobjectDescribeOption` came between 48.0 and 50.0; we always say it.
    assert [key for key in ours if key != "sobjectDescribeOption"] == [
        k for k in theirs if k != "sobjectDescribeOption"
    ]
    assert list(ours["fields"][0]) == list(theirs["fields"][0])
    assert list(ours["childRelationships"][0]) == list(theirs["childRelationships"][0])
    differing = {
        key for key in ours.keys() & theirs.keys()
        if not isinstance(ours[key], list | dict) and ours[key] != theirs[key]
    }  # fmt: skip
    assert differing <= {"sobjectDescribeOption", "labelPlural", "mruEnabled"}


# What a recorded org of another age says otherwise (../shared/standard/README.md, "From a file to a full describe field").
AGED = {
    "length",
    "byteLength",
    "picklistValues",
    "referenceTo",
    "inlineHelpText",
    "label",
    "defaultValue",
    "restrictedPicklist",
}


@ledger("describe.fields", "observed", "recording describe-account")
@ledger("field.id", "observed", "recording describe-account")
@ledger("field.string", "observed", "recording describe-account")
@ledger("field.textarea", "observed", "recording describe-account")
@ledger("field.phone", "observed", "recording describe-account")
@ledger("field.url", "observed", "recording describe-account")
@ledger("field.int", "observed", "recording describe-account")
@ledger("field.double", "observed", "recording describe-account")
@ledger("field.currency", "observed", "recording describe-account")
@ledger("field.reference", "observed", "recording describe-account")
def test_the_fields_of_account_have_the_recorded_attributes(catalog: Catalog, shared: Path) -> None:
    theirs = {field["name"]: field for field in recorded(shared, "describe-account")["fields"]}
    entity = catalog.get("Account")
    assert entity is not None

    compared = differing = 0
    for field in entity.fields:
        mine = describe.describe_field(field, ADMIN)
        for key, value in theirs.get(field.name, {}).items():
            if key not in AGED:
                compared += 1
                differing += mine[key] != value

    assert compared > 2000
    assert differing == 0


@ledger("field.base64", "documented", "rest.md section 4")
@ledger("field.combobox", "documented", "rest.md section 4")
@ledger("field.long", "guessed", "defaults unchecked against a recorded describe")
@ledger("field.anyType", "guessed", "defaults unchecked against a recorded describe")
@ledger("field.complexvalue", "guessed", "defaults unchecked against a recorded describe")
@pytest.mark.parametrize("type_", sorted(TYPE_DEFAULTS))
def test_every_type_is_described_with_all_keys(catalog: Catalog, type_: str) -> None:
    account = catalog.get("Account")
    assert account is not None

    found = describe.describe_field(resolve(Field(name="F__c", label="F", type=type_)), ADMIN)

    assert list(found) == list(describe.describe_field(account.fields[0], ADMIN))
    assert found["type"] == type_
    assert found["soapType"].partition(":")[0] in ("tns", "urn", "xsd")
    assert None not in [
        found[key] for key in ("length", "precision", "nillable", "createable", "filterable", "byteLength")
    ]


def test_a_read_only_user_sees_no_write_flags(catalog: Catalog) -> None:
    entity = catalog.get("Account")
    assert entity is not None

    found = describe.describe_sobject(catalog, entity, Access(RecordId("x"), read_only=True), 67.0, "http://x")

    assert not any(found[flag] for flag in ("createable", "updateable", "deletable", "undeletable", "mergeable"))
    assert not any(field["createable"] or field["updateable"] for field in found["fields"])
