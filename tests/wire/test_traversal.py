"""Relationships in URLs, conditions on rows, spans of changes, recently viewed records."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest

from tests.support.running import RunningOrg

ledger = pytest.mark.ledger
GUIDE = "rest.md section 2; REST guide, relationship URLs"


@pytest.fixture(scope="module")
def family(org: RunningOrg) -> dict[str, str]:
    account = org.create("Account", Name="Family", Phone="1")
    contact = org.create("Contact", LastName="Older", AccountId=account)
    other = org.create("Contact", LastName="Younger", AccountId=account)
    return {"account": account, "contact": contact, "other": other}


@ledger("rest.traversal.children", "documented", GUIDE)
def test_children_are_a_query_result(org: RunningOrg, family: dict[str, str]) -> None:
    whole = org.data("GET", f"/sobjects/Account/{family['account']}/Contacts").json
    some = org.data("GET", f"/sobjects/account/{family['account'][:15]}/contacts/?fields=LastName,Account.Name").json
    none = org.data("GET", f"/sobjects/Account/{family['account']}/Opportunities").json

    assert (whole["totalSize"], whole["done"]) == (2, True)
    assert {row["Id"] for row in whole["records"]} == {family["contact"], family["other"]}
    assert whole["records"][0]["attributes"]["type"] == "Contact"
    assert [list(row) for row in some["records"]] == [["attributes", "LastName", "Account"]] * 2
    assert none == {"totalSize": 0, "done": True, "records": []}


@ledger("rest.traversal.parent", "documented", GUIDE)
@ledger("route.GET /services/data/{version}/sobjects/{sobject}/{field}/{value}/{rest...}", "documented", GUIDE)
def test_parents_are_one_record(org: RunningOrg, family: dict[str, str]) -> None:
    parent = org.data("GET", f"/sobjects/Contact/{family['contact']}/Account?fields=Name").json
    further = org.data("GET", f"/sobjects/Contact/{family['contact']}/Account/Owner?fields=Username").json
    down = org.data("GET", f"/sobjects/Contact/{family['contact']}/Account/Contacts?fields=Id").json

    assert parent == {
        "attributes": {"type": "Account", "url": f"/services/data/v67.0/sobjects/Account/{family['account']}"},
        "Name": "Family",
    }
    assert further["Username"] == org.ready["username"]
    assert down["totalSize"] == 2


@ledger("rest.traversal.write", "documented", GUIDE)
@ledger("route.PATCH /services/data/{version}/sobjects/{sobject}/{field}/{value}/{rest...}", "documented", GUIDE)
@ledger("route.DELETE /services/data/{version}/sobjects/{sobject}/{field}/{value}/{rest...}", "documented", GUIDE)
def test_a_parent_is_changed_and_deleted_through_its_child(org: RunningOrg) -> None:
    top = org.create("Account", Name="Top")
    account = org.create("Account", Name="Below", ParentId=top)
    contact = org.create("Contact", LastName="c", AccountId=account)

    changed = org.data("PATCH", f"/sobjects/Contact/{contact}/Account", {"Phone": "7"})
    further = org.data("PATCH", f"/sobjects/Contact/{contact}/Account/Parent", {"Phone": "8"})
    gone = org.data("DELETE", f"/sobjects/Contact/{contact}/Account/Parent")

    assert (changed.status, further.status, gone.status) == (204, 204, 204)
    assert org.get("Account", account, "Phone", "ParentId") | {"attributes": 0} == {
        "attributes": 0, "Phone": "7", "ParentId": None}  # fmt: skip
    assert org.data("GET", f"/sobjects/Account/{top}").status == 404
    assert org.data("GET", f"/sobjects/Contact/{contact}/Account/Parent").error == "NOT_FOUND"
    assert org.data("DELETE", f"/sobjects/Contact/{contact}/Account").status == 204


@ledger("rest.traversal.nowhere", "documented", GUIDE)
@pytest.mark.parametrize(
    ("method", "tail", "code"),
    [
        ("GET", "/{account}/Nope", "NOT_FOUND"),
        ("GET", "/{account}/Parent", "NOT_FOUND"),
        ("GET", "/{account}/Contacts/Owner", "NOT_FOUND"),
        ("GET", "/{account}" + "/Parent" * 9, "NOT_FOUND"),
        ("GET", "/001000000000000AAA/Contacts", "NOT_FOUND"),
        ("GET", "/{account}/Contacts?fields=Nope", "INVALID_FIELD"),
        ("GET", "/{account}/Contacts?fields=Id+FROM+User--", "INVALID_FIELD"),
        ("GET", "/{account}/Contacts?fields=(SELECT+Id+FROM+Cases)", "INVALID_FIELD"),
        ("PATCH", "/{account}/Contacts", "METHOD_NOT_ALLOWED"),
        ("DELETE", "/{account}/Contacts", "METHOD_NOT_ALLOWED"),
    ],
)
def test_a_path_that_leads_nowhere_says_so(
    org: RunningOrg, family: dict[str, str], method: str, tail: str, code: str
) -> None:
    path = f"/sobjects/Account{tail.format(**family)}"

    assert org.data(method, path, {"Phone": "1"} if method == "PATCH" else None).error == code


def test_children_have_pages(org: RunningOrg) -> None:
    account = org.create("Account", Name="Many")
    server = org.door.server
    entity = server.catalog.get("Contact")
    assert entity is not None

    async def fill() -> None:
        from landbridge.access import Access
        from landbridge.storage import Unit

        rows = [{"LastName": f"n{number}", "AccountId": account} for number in range(230)]
        access = Access(server.org.admin_id)
        await server.db.write(
            lambda tx: server.store.create_many(tx, server.catalog, access, entity, rows), Unit("test")
        )

    org.do(fill)
    path = f"/sobjects/Account/{account}/Contacts?fields=LastName"

    first = org.data("GET", path, headers={"Sforce-Query-Options": "batchSize=200"}).json
    second = org.request("GET", first["nextRecordsUrl"]).json

    assert (first["totalSize"], len(first["records"]), first["done"]) == (230, 200, False)
    assert (len(second["records"]), second["done"]) == (30, True)


# --- conditions --------------------------------------------------------------------------------------------------


@ledger("rest.row-etag", "observed", "recordings rest-get-account-row, rest-get-lead-row")
def test_accounts_carry_an_etag_and_others_a_date_alone(org: RunningOrg, family: dict[str, str]) -> None:
    account = org.data("GET", f"/sobjects/Account/{family['account']}").headers
    contact = org.data("GET", f"/sobjects/Contact/{family['contact']}").headers

    assert len(account["etag"]) == 46  # quotes around 32 bytes in base64
    assert ("last-modified" in account, "last-modified" in contact, "etag" in contact) == (True, True, False)


@ledger("rest.conditional-row", "documented", "rest.md section 4")
@ledger("error.PreconditionFailed", "guessed", "status documented, text guessed")
def test_conditions_on_rows_are_kept(org: RunningOrg) -> None:
    path = f"/sobjects/Account/{org.create('Account', Name='Conditional')}"
    first = org.data("GET", path)
    tag, date = first.headers["etag"], first.headers["last-modified"]
    old = "Wed, 01 Jan 2020 00:00:00 GMT"

    def get(**headers: str) -> int:
        return org.data("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()}).status

    def patch(**headers: str) -> int:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return org.data("PATCH", path, {"Phone": "1"}, headers=named).status

    assert get(If_None_Match=tag) == 304
    assert get(If_None_Match=tag[:-1] + '--gzip"') == 304
    assert get(If_None_Match='"other"') == 200
    assert get(If_Modified_Since=date) == 304
    assert get(If_Modified_Since=old) == 200
    assert get(If_Unmodified_Since=old) == 412
    assert get(If_Match='"other"') == 412
    assert patch(If_Match='"other"') == 412
    assert patch(If_Unmodified_Since=old) == 412
    assert patch(If_Unmodified_Since="yesterday") == 400
    assert patch(If_Match="no quotes") == 400
    assert org.data("GET", path).json["Phone"] is None
    assert patch(If_Match=tag) == 204
    assert patch(If_Match=tag) == 412
    assert org.data("GET", path).json["Phone"] == "1"


def test_conditions_hold_for_upserts_too(org: RunningOrg) -> None:
    org.create("Account", Name="Upserted", Garden_Club_Number__c="GC-COND")
    old = {"If-Unmodified-Since": "Wed, 01 Jan 2020 00:00:00 GMT"}

    reply = org.data("PATCH", "/sobjects/Account/Garden_Club_Number__c/GC-COND", {"Phone": "2"}, headers=old)

    assert reply.status == 412


# --- what changed ------------------------------------------------------------------------------------------------


def span(before: timedelta, after: timedelta = timedelta(minutes=2)) -> str:
    now = datetime.now(UTC)
    return f"start={quote((now - before).isoformat())}&end={quote((now + after).isoformat())}"


@ledger("rest.updated", "documented", "rest.md section 3")
@ledger("rest.deleted", "documented", "rest.md section 3")
@ledger("route.GET /services/data/{version}/sobjects/{sobject}/updated", "documented", "rest.md section 3")
@ledger("route.GET /services/data/{version}/sobjects/{sobject}/deleted", "documented", "rest.md section 3")
def test_updated_and_deleted_name_what_changed_in_a_span(org: RunningOrg) -> None:
    kept, gone = org.create("Lead", LastName="k", Company="c"), org.create("Lead", LastName="g", Company="c")
    org.data("DELETE", f"/sobjects/Lead/{gone}")

    updated = org.data("GET", f"/sobjects/Lead/updated/?{span(timedelta(hours=1))}").json
    deleted = org.data("GET", f"/sobjects/Lead/deleted?{span(timedelta(hours=1))}").json
    earlier = org.data("GET", f"/sobjects/Lead/updated?{span(timedelta(hours=2), -timedelta(hours=1))}").json

    assert list(updated) == ["ids", "latestDateCovered"]
    assert (kept in updated["ids"], gone in updated["ids"]) == (True, False)
    assert list(deleted) == ["deletedRecords", "earliestDateAvailable", "latestDateCovered"]
    assert [row["id"] for row in deleted["deletedRecords"]] == [gone]
    assert list(deleted["deletedRecords"][0]) == ["id", "deletedDate"]
    assert updated["latestDateCovered"].endswith(":00.000+0000")
    assert earlier["ids"] == []


@ledger("rest.replication-date", "guessed", "rest.md section 3 names the code; texts guessed")
@ledger("error.InvalidReplicationDate", "documented", "rest.md section 3")
@pytest.mark.parametrize(
    "asked",
    [
        "start=2026-01-01T00:00:00Z",
        "start=x&end=y",
        "start=2020-01-01T00:00:00Z&end=2020-01-02T00:00:00Z",
        span(-timedelta(hours=1), timedelta(hours=-2)),
        "",
    ],
)
def test_a_span_that_cannot_be_answered_is_refused(org: RunningOrg, asked: str) -> None:
    for call in ("updated", "deleted"):
        reply = org.data("GET", f"/sobjects/Account/{call}?{asked}")
        assert (reply.status, reply.error) == (400, "INVALID_REPLICATION_DATE")


def test_objects_that_keep_no_dates_have_no_changes_to_name(org: RunningOrg) -> None:
    assert org.data("GET", f"/sobjects/Packing_Event__e/updated?{span(timedelta(hours=1))}").error == "NOT_FOUND"


# --- the front room ----------------------------------------------------------------------------------------------


@ledger("rest.recent", "documented", "rest.md section 3")
@ledger("route.GET /services/data/{version}/recent", "documented", "rest.md section 3")
def test_recent_names_the_records_viewed_last(org: RunningOrg) -> None:
    last = org.create("Account", Name="The very last")

    found = org.data("GET", "/recent?limit=3").json

    assert len(found) == 3
    assert [list(item) for item in found] == [["attributes", "Id", "Name"]] * 3
    assert last in [item["Id"] for item in org.data("GET", "/recent?limit=2000").json]
    assert org.data("GET", "/recent?limit=x").error == "INVALID_FIELD"


@ledger("rest.record-count-empty", "observed", "recording limits-record-count-empty")
def test_objects_without_rows_are_missing_from_the_counts(org: RunningOrg) -> None:
    assert org.data("GET", "/limits/recordCount?sObjects=Idea").json == {"sObjects": []}


@ledger("rest.tabs", "observed", "recording rest-tabs")
@ledger("route.GET /services/data/{version}/tabs", "observed", "recording rest-tabs")
@ledger("route.GET /services/data/{version}/theme", "documented", "REST guide, Themes")
def test_tabs_and_themes_name_icons(org: RunningOrg) -> None:
    tabs = {tab["sobjectName"]: tab for tab in org.data("GET", "/tabs").json}
    themes = org.data("GET", "/theme").json

    assert tabs["Account"]["url"].endswith("/001/o")
    assert (tabs["Account"]["name"], tabs["Seed_Packet__c"]["custom"]) == ("standard-Account", True)
    assert {item["name"] for item in themes["themeItems"]} == set(tabs)


@ledger("rest.app-menu", "observed", "recording rest-appmenu")
@ledger("rest.communities", "observed", "recording rest-connect-communities")
@ledger("route.GET /services/data/{version}/appMenu", "observed", "recording rest-appmenu")
@ledger("route.GET /services/data/{version}/appMenu/AppSwitcher", "guessed", "empty: an org without a user interface")
@ledger("route.GET /services/data/{version}/appMenu/Salesforce1", "guessed", "empty: an org without a user interface")
@ledger("route.GET /services/data/{version}/appMenu/NetworkTabs", "guessed", "empty: an org without a user interface")
@ledger("route.GET /services/data/{version}/connect/communities", "observed", "recording rest-connect-communities")
def test_menus_and_communities_are_there_and_empty(org: RunningOrg) -> None:
    menus = org.data("GET", "/appMenu").json

    assert list(menus) == ["AppSwitcher", "Salesforce1", "NetworkTabs"]
    assert [org.request("GET", path).json for path in menus.values()] == [{"appMenuItems": []}] * 3
    assert org.data("GET", "/connect/communities").json == {"communities": [], "total": 0}
