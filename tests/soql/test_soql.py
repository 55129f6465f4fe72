"""SOQL as far as the ground floor goes: rows, order, paging, errors with Salesforce's text and place."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landbridge import soql
from landbridge.access import Access
from landbridge.errors import QueryError, SalesforceError
from landbridge.ids import RecordId
from landbridge.soql.preamble import preamble
from tests.support.running import RunningOrg

ledger = pytest.mark.ledger


@pytest.fixture(scope="module")
def rows(org: RunningOrg) -> dict[str, str]:
    """A small set of accounts and contacts by name -> id."""
    found = {}
    for name, kind, revenue, staff in (
        ("Alpha", "Prospect", 10.5, 3), ("beta", "Other", None, 12), ("Gamma", None, 7.0, None), ("Ödland", "Other", 0.0, 0),
    ):  # fmt: skip
        found[name] = org.create(
            "Account", Name=name, Type=kind, AnnualRevenue=revenue, NumberOfEmployees=staff, Site="soql"
        )
    for last, parent in (("One", "Alpha"), ("Two", "beta"), ("Three", None)):
        found[last] = org.create(
            "Contact", LastName=last, Department="soql", AccountId=found.get(parent or ""), Birthdate="1990-05-17"
        )
    return found


def names(org: RunningOrg, where: str, order: str = "Name") -> list[str]:
    return [
        row["Name"] for row in org.rows(f"SELECT Name FROM Account WHERE Site = 'soql' AND {where} ORDER BY {order}")
    ]


# --- conditions ----------------------------------------------------------------------------------------------------


@ledger("soql.where", "documented", "soql.md section 3")
@pytest.mark.usefixtures("rows")
@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("Name = 'ALPHA'", ["Alpha"]),
        ("Name != 'alpha'", ["beta", "Gamma", "Ödland"]),
        ("Type != 'Other'", ["Alpha", "Gamma"]),
        ("Type = null", ["Gamma"]),
        ("Type != null", ["Alpha", "beta", "Ödland"]),
        ("NOT Type = 'Other'", ["Alpha", "Gamma"]),
        ("AnnualRevenue > 5", ["Alpha", "Gamma"]),
        ("AnnualRevenue >= 7 AND AnnualRevenue < 10.5", ["Gamma"]),
        ("(Name LIKE 'a%' OR NumberOfEmployees = 12)", ["Alpha", "beta"]),
        ("Name LIKE '_amma'", ["Gamma"]),
        ("Name LIKE '%\\_%'", []),
        ("Name IN ('Alpha', 'Gamma')", ["Alpha", "Gamma"]),
        ("Type NOT IN ('Other')", ["Alpha", "Gamma"]),
        ("Type IN ('Prospect', null)", ["Alpha", "Gamma"]),
        ("IsDeleted = null", ["Alpha", "beta", "Gamma", "Ödland"]),
        ("IsDeleted != false", []),
        ("CreatedDate > 2020-01-01T00:00:00Z AND CreatedDate < 2999-01-01T00:00:00.000+00:00",
         ["Alpha", "beta", "Gamma", "Ödland"]),
        ("Owner.Name = 'ada admin' AND NOT (Name = 'beta' OR Name = 'Gamma')", ["Alpha", "Ödland"]),
    ],
)  # fmt: skip
def test_conditions_choose_rows(org: RunningOrg, where: str, expected: list[str]) -> None:
    assert names(org, where) == expected


@ledger("soql.parent-path", "observed", "recording soql-user-limit-1, soql.md section 4")
def test_a_parent_is_an_object_or_null(org: RunningOrg, rows: dict[str, str]) -> None:
    found = org.rows(
        "SELECT LastName, Account.Name, Account.Owner.Alias FROM Contact WHERE Department = 'soql' ORDER BY LastName"
    )

    assert [row["LastName"] for row in found] == ["One", "Three", "Two"]
    assert found[0]["Account"] == {
        "attributes": {"type": "Account", "url": f"/services/data/v67.0/sobjects/Account/{rows['Alpha']}"},
        "Name": "Alpha",
        "Owner": {
            "attributes": {"type": "User", "url": f"/services/data/v67.0/sobjects/User/{org.ready['user_id']}"}, "Alias": "ada",
        },
    }  # fmt: skip
    assert found[1]["Account"] is None


@ledger("soql.outer-join", "documented", "soql.md section 3, WHERE")
@pytest.mark.usefixtures("rows")
def test_a_missing_parent_counts_as_null(org: RunningOrg) -> None:
    found = org.rows("SELECT LastName FROM Contact WHERE Department = 'soql' AND Account.Name = null")

    assert [row["LastName"] for row in found] == ["Three"]


@ledger("soql.polymorphic-owner", "documented", "soql.md section 3")
def test_a_polymorphic_parent_tells_its_type(org: RunningOrg, rows: dict[str, str]) -> None:
    task = org.create("Task", Subject="Call", WhatId=rows["Alpha"], WhoId=rows["One"])

    (found,) = org.rows(f"SELECT What.Name, What.Type, Who.Name, Owner.Name FROM Task WHERE Id = '{task}'")
    by_type = org.rows("SELECT Id FROM Task WHERE What.Type = 'Account'")

    assert found["What"]["attributes"]["type"] == "Account"
    assert (found["What"]["Name"], found["What"]["Type"]) == ("Alpha", "Account")
    assert found["Who"]["Name"] == "One"
    assert [row["Id"] for row in by_type] == [task]


@ledger("soql.order", "documented", "soql.md section 3, ORDER BY")
@pytest.mark.usefixtures("rows")
@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("Name DESC", ["Ödland", "Gamma", "beta", "Alpha"]),
        ("AnnualRevenue", ["beta", "Ödland", "Gamma", "Alpha"]),
        ("AnnualRevenue DESC", ["Alpha", "Gamma", "Ödland", "beta"]),
        ("AnnualRevenue NULLS LAST", ["Ödland", "Gamma", "Alpha", "beta"]),
        ("AnnualRevenue DESC NULLS FIRST", ["beta", "Alpha", "Gamma", "Ödland"]),
        ("Owner.Name, Type NULLS LAST, Name", ["Alpha", "beta", "Ödland", "Gamma"]),
    ],
)
def test_rows_come_in_order(org: RunningOrg, order: str, expected: list[str]) -> None:
    assert names(org, "Name != null", order) == expected


@ledger("soql.limit-offset", "documented", "soql.md section 3")
@pytest.mark.usefixtures("rows")
def test_limit_and_offset_cut_the_result(org: RunningOrg) -> None:
    reply = org.query("SELECT Name FROM Account WHERE Site = 'soql' ORDER BY Name LIMIT 2 OFFSET 1").json

    assert [row["Name"] for row in reply["records"]] == ["beta", "Gamma"]
    assert (reply["totalSize"], reply["done"]) == (2, True)


@ledger("soql.count", "observed", "soql.md section 4")
@pytest.mark.usefixtures("rows")
def test_count_answers_without_records(org: RunningOrg) -> None:
    assert (
        org.query("select count() from account where site = 'soql'").raw == b'{"totalSize":4,"done":true,"records":[]}'
    )
    assert org.query("SELECT COUNT() FROM Account WHERE Site = 'soql' LIMIT 3").json["totalSize"] == 3


@ledger("soql.result-shape", "observed", "recordings soql-two-rows, soql-empty")
@pytest.mark.usefixtures("rows")
def test_a_result_has_the_recorded_shape(org: RunningOrg, shared: Path) -> None:
    recorded = json.loads((shared / "recordings" / "soql" / "soql-two-rows.json").read_text())["response"]["body"]
    reply = org.query("SELECT id, NAME FROM Account WHERE Site = 'soql' LIMIT 2").json

    assert list(reply) == list(recorded)
    assert list(reply["records"][0]) == ["attributes", "Id", "Name"]
    assert list(reply["records"][0]["attributes"]) == list(recorded["records"][0]["attributes"])


@ledger("soql.fields-function", "documented", "soql.md section 3, FIELDS()")
def test_fields_standard_selects_what_a_row_shows(org: RunningOrg, rows: dict[str, str]) -> None:
    (found,) = org.rows(f"SELECT FIELDS(STANDARD) FROM Account WHERE Id = '{rows['Alpha']}'")
    whole = org.get("Account", rows["Alpha"])

    assert found == {key: value for key, value in whole.items() if not key.endswith("__c")}


@ledger("soql.ids-of-15-characters", "documented", "soql.md section 3")
def test_ids_compare_in_both_lengths(org: RunningOrg, rows: dict[str, str]) -> None:
    short = rows["Alpha"][:15]

    assert org.rows(f"SELECT Id FROM Contact WHERE AccountId = '{short}'")[0]["Id"] == rows["One"]


@ledger("soql.hidden-field", "guessed", "field-level security as documented for missing fields")
def test_a_hidden_field_does_not_exist_for_the_read_only_user(home: Path) -> None:
    with RunningOrg(home=home, hide=("Account.AnnualRevenue",)) as org:
        record_id = org.create("Account", Name="x", AnnualRevenue=5)
        token = org.integration_token()
        row = org.data("GET", f"/sobjects/Account/{record_id}", token=token)
        query = org.query("SELECT AnnualRevenue FROM Account", token=token)
        by_admin = org.query("SELECT AnnualRevenue FROM Account")
        described = org.data("GET", "/sobjects/Account/describe", token=token).json

    assert "AnnualRevenue" not in row.json
    assert query.error == "INVALID_FIELD"
    assert by_admin.json["records"][0]["AnnualRevenue"] == 5.0
    assert "AnnualRevenue" not in {field["name"] for field in described["fields"]}
    assert not described["createable"]


# --- errors --------------------------------------------------------------------------------------------------------


@ledger("error.InvalidType", "observed", "recording errors-unknown-object-soql")
def test_an_unknown_object_answers_as_recorded(org: RunningOrg, shared: Path) -> None:
    recorded = json.loads((shared / "recordings" / "errors" / "errors-unknown-object-soql.json").read_text())

    reply = org.query("SELECT Id,Name,BillingCity,IsDeleted FROM Accout")

    assert reply.status == recorded["response"]["status"]
    assert reply.json == recorded["response"]["body"]


@ledger("soql.preamble", "observed", "soql.md section 5")
def test_the_window_of_the_preamble_is_as_recorded() -> None:
    text = "select count() from XYZZY"

    assert preamble(text, 20) == f"\n{text}\n{' ' * 20}^\nERROR at Row:1:Column:21\n"


APPEND = ". If you are attempting to use a custom "


@ledger("error.MalformedQuery", "documented", "soql.md section 5")
@ledger("error.QueryError", "documented", "soql.md section 5")
@ledger("error.InvalidQueryFilterOperator", "observed", "soql.md section 5")
@ledger("error.OffsetOutsideValidRange", "documented", "soql.md section 5")
@pytest.mark.parametrize(
    ("text", "code", "tail"),
    [
        ("SELECT Nope FROM Account", "INVALID_FIELD", "No such column 'Nope' on entity 'Account'" + APPEND),
        ("SELECT Nope.Name FROM Account", "INVALID_FIELD", "Didn't understand relationship 'Nope' in field path" + APPEND),
        ("SELECT Id, id FROM Account", "INVALID_FIELD", "duplicate field selected: id"),
        ("SELECT Id Name FROM Account", "MALFORMED_QUERY", "only aggregate expressions use field aliasing"),
        ("invalid", "MALFORMED_QUERY", "unexpected token: 'invalid'"),
        ("SELECT Id FROM", "MALFORMED_QUERY", "unexpected token: '<EOF>'"),
        ("SELECT Id FROM Account WHERE", "MALFORMED_QUERY", "unexpected token: '<EOF>'"),
        ("SELECT Id FROM Account WHERE Name = \"x\"", "MALFORMED_QUERY", "line 1:36 no viable alternative at character '\"'"),
        ("SELECT Id FROM Account WHERE Name = 'x' AND Type = 'y' OR Site = 'z'", "MALFORMED_QUERY", "unexpected token: 'OR'"),
        ("SELECT Id FROM Account WHERE Id = 'wonky'", "INVALID_QUERY_FILTER_OPERATOR", "invalid ID field: wonky"),
        ("SELECT Id FROM Account WHERE Description = 'x'", "INVALID_FIELD",
         "field 'Description' can not be filtered in a query call"),
        ("SELECT Id FROM Account ORDER BY Description", "MALFORMED_QUERY", "field 'Description' can not be sorted in a query call"),
        ("SELECT Id FROM Account WHERE CreatedDate = 'x'", "INVALID_FIELD",
         "value of filter criterion for field 'CreatedDate' must be of type dateTime and should not be enclosed in quotes"),
        ("SELECT Id FROM Account WHERE Name = 5", "INVALID_FIELD",
         "value of filter criterion for field 'Name' must be of type string and should be enclosed in quotes"),
        ("SELECT Id FROM Account OFFSET 2001", "NUMBER_OUTSIDE_VALID_RANGE", "Maximum SOQL offset allowed is 2000"),
        ("SELECT Id FROM Account WHERE BillingAddress = 'x'", "INVALID_FIELD", "Address fields can only be filtered using Distance"),
        ("SELECT Id FROM Packing_Event__e", "INVALID_TYPE", "sObject type 'Packing_Event__e' is not supported."),
    ],
)  # fmt: skip
def test_errors_have_salesforces_code_and_text(org: RunningOrg, text: str, code: str, tail: str) -> None:
    reply = org.query(text)

    (error,) = reply.json
    assert reply.status == 400
    assert error["errorCode"] == code
    assert error["message"].rpartition("\n")[2].startswith(tail)
    assert "fields" not in error


@settings(max_examples=300)
@given(st.text("SELECTFROMWHRid,.()='\\%_ <>!:0123456789-TZ\n\"", max_size=60))
def test_no_text_gets_anything_but_a_query_error(text: str) -> None:
    try:
        soql.parse(text)
    except QueryError as error:
        assert error.message


# --- paging --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def many(home: Path) -> Iterator[RunningOrg]:
    """650 contacts with ties and nulls in what they are ordered by."""
    with RunningOrg(home=home, daily_api_requests=1_000_000) as running:
        server = running.door.server

        async def fill() -> None:
            from landbridge.storage import Unit

            entity = server.catalog.get("Contact")
            assert entity is not None
            access = Access(RecordId(server.org.admin_id))
            people = [
                {"LastName": f"P{i % 37}", "Title": None if i % 5 == 0 else f"t{i % 11}", "Department": f"d{i % 3}"}
                for i in range(650)
            ]
            await server.db.write(
                lambda tx: server.store.create_many(tx, server.catalog, access, entity, people), Unit("fill")
            )

        running.do(fill)
        yield running


KEYS = st.lists(
    st.tuples(
        st.sampled_from(["LastName", "Title", "Department", "Id", "Owner.Name"]),
        st.sampled_from(["", " ASC", " DESC"]), st.sampled_from(["", " NULLS FIRST", " NULLS LAST"]),
    ),
    max_size=3, unique_by=lambda key: key[0],
)  # fmt: skip


@ledger("soql.paging-by-key", "documented", "ARCHITECTURE: a locator goes on by key")
@settings(max_examples=25)
@given(keys=KEYS, limit=st.one_of(st.none(), st.integers(1, 700)), offset=st.integers(0, 60))
def test_pages_put_together_are_the_whole_result(many: RunningOrg, keys: Any, limit: int | None, offset: int) -> None:
    text = "SELECT Id FROM Contact"
    if keys:
        text += " ORDER BY " + ", ".join("".join(key) for key in keys)
    text += f" LIMIT {limit}" if limit is not None else ""
    text += f" OFFSET {offset}" if offset else ""

    whole = [row["Id"] for row in many.query(text).json["records"]]
    page = many.query(text, headers={"Sforce-Query-Options": "batchSize=200"}).json
    paged = [row["Id"] for row in page["records"]]
    while not page["done"]:
        assert len(page["records"]) == 200
        page = many.request("GET", page["nextRecordsUrl"], headers={"Sforce-Query-Options": "batchSize=200"}).json
        paged += [row["Id"] for row in page["records"]]

    assert paged == whole
    assert page["totalSize"] == len(whole)


@ledger("error.InvalidQueryLocator", "documented", "soql.md section 5")
def test_a_locator_belongs_to_its_user_and_ends(many: RunningOrg) -> None:
    page = many.query("SELECT Id FROM Contact", headers={"Sforce-Query-Options": "batchSize=200"}).json
    foreign = many.request("GET", page["nextRecordsUrl"], token=many.integration_token())
    unknown = many.data("GET", "/query/0r8xx5R2yF2gs3VASQ-2000")

    for reply in (foreign, unknown):
        assert (reply.status, reply.json) == (
            400,
            [{"message": "invalid query locator", "errorCode": "INVALID_QUERY_LOCATOR"}],
        )


@ledger("route.GET /services/data/{version}/queryAll/{locator}", "documented", "soql.md section 4")
def test_a_locator_survives_a_restart(home: Path, tmp_path: Path) -> None:
    with RunningOrg(home=home, data=tmp_path / "org", port=0) as first:
        url = first.query(
            "SELECT DurableId FROM FieldDefinition ORDER BY DurableId", "queryAll",
            headers={"Sforce-Query-Options": "batchSize=200"},
        ).json["nextRecordsUrl"]  # fmt: skip
        before = first.request("GET", url).json["records"][0]
        token = first.ready["access_token"]
    with RunningOrg(home=home, data=tmp_path / "org", port=0) as second:
        after = second.request("GET", url.replace("/query/", "/queryAll/"), token=token).json["records"][0]

    assert before["DurableId"] == after["DurableId"]


def test_errors_of_a_bad_hour_are_not_remembered(org: RunningOrg) -> None:
    assert org.query("SELECT Later__c FROM Account").error == "INVALID_FIELD"
    assert issubclass(QueryError, SalesforceError)
