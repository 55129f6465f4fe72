"""`/composite`: chained subrequests, all or none of them, over a real socket."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import pytest

from landbridge.errors import ServerUnavailable
from landbridge.faults.switchboard import Strike, Switch
from landbridge.storage import Unit
from tests.composite.calls import HALTED, V, composite, count, refused, statuses, sub
from tests.conftest import ROOT
from tests.support.running import RunningOrg

ledger = pytest.mark.ledger


@ledger("route.GET /services/data/{version}/composite", "documented", "REST guide, Get a List of Composite Resources")
def test_the_listing_names_the_composite_resources(org: RunningOrg) -> None:
    found = org.data("GET", "/composite/").json

    assert list(found) == ["tree", "batch", "sobjects", "graph"]
    assert found["tree"] == f"{V}/composite/tree"


@ledger("route.POST /services/data/{version}/composite", "observed", "recording composite-references")
@ledger("composite.references", "documented", "composite.md section 1, References")
def test_an_account_a_contact_of_it_and_a_query_of_both(org: RunningOrg) -> None:
    account, contact, query, row = composite(
        org,
        sub("POST", "/sobjects/Account", "refAccount", {"Name": "Chained"}),
        sub("POST", "/sobjects/Contact", "refContact", {"LastName": "Link", "AccountId": "@{refAccount.id}"}),
        sub("GET", "/query?q=SELECT Id, Account.Name FROM Contact WHERE AccountId = '@{refAccount.id}'", "refQuery"),
        sub("GET", "/sobjects/Contact/@{refQuery.records[0].Id}?fields=AccountId", "refRow"),
    )

    assert list(account) == ["body", "httpHeaders", "httpStatusCode", "referenceId"]
    assert account["httpStatusCode"] == contact["httpStatusCode"] == 201
    assert account["httpHeaders"] == {"Location": f"{V}/sobjects/Account/{account['body']['id']}"}
    assert query["body"]["records"][0]["Id"] == contact["body"]["id"]
    assert query["body"]["records"][0]["Account"]["Name"] == "Chained"
    assert query["httpHeaders"] == {}
    assert row["body"]["AccountId"] == account["body"]["id"]


@ledger("composite.references-in-strings", "documented", "composite.md section 1, References")
def test_a_reference_may_stand_inside_a_longer_text(org: RunningOrg) -> None:
    made, _, row = composite(
        org,
        sub("POST", "/sobjects/Account", "a", {"Name": "In a text"}),
        sub("PATCH", "/sobjects/Account/@{a.id}", "u", {"Description": "id=@{a.id}, ok=@{a.success}"}),
        sub("GET", "/sobjects/Account/@{a.id}?fields=Description", "r"),
    )

    assert row["body"]["Description"] == f"id={made['body']['id']}, ok=true"


def test_a_url_may_be_one_that_was_answered(org: RunningOrg) -> None:
    made = org.create("Account", Name="By its url")

    _, row = composite(
        org,
        sub("GET", f"/query?q=SELECT Id FROM Account WHERE Id = '{made}'", "q"),
        sub("GET", "@{q.records[0].attributes.url}?fields=Name", "r"),
    )

    assert row["body"]["Name"] == "By its url"


def test_a_value_in_a_url_ends_no_parameter(org: RunningOrg) -> None:
    """Guessed: the platform is not known to encode; a value with `&` or a slash would otherwise be cut."""
    name = "R&D / 100% +x #1 ä"
    made = org.create("Account", Name=name)

    _, found = composite(
        org,
        sub("GET", f"/sobjects/Account/{made}?fields=Name", "a"),
        sub("GET", "/query?q=SELECT Id FROM Account WHERE Name = '@{a.Name}'", "q"),
    )

    assert [row["Id"] for row in found["body"]["records"]] == [made]


@ledger("composite.encoded-reference", "guessed", "aiosalesforce encodes the url whole, its references with it")
def test_a_reference_in_an_encoded_url_is_one(org: RunningOrg) -> None:
    made, row, found = composite(
        org,
        sub("POST", "/sobjects/Account", "a", {"Name": "Encoded"}),
        sub("GET", "/sobjects/Account/%40%7Ba.id%7D?fields=Name", "r"),
        sub("GET", "/query?q=SELECT+Id+FROM+Account+WHERE+Id+%3D+%27%40%7ba.id%7d%27", "q"),
    )

    assert row["body"]["Name"] == "Encoded"
    assert [one["Id"] for one in found["body"]["records"]] == [made["body"]["id"]]


def test_a_whole_value_keeps_its_json_type(org: RunningOrg) -> None:
    made = org.create("Account", Name="Typed", NumberOfEmployees=12)

    _, copy, row = composite(
        org,
        sub("GET", f"/sobjects/Account/{made}?fields=NumberOfEmployees,AnnualRevenue", "a"),
        sub("POST", "/sobjects/Account", "c", {
            "Name": "Copy", "NumberOfEmployees": "@{a.NumberOfEmployees}", "AnnualRevenue": "@{a.AnnualRevenue}",
        }),
        sub("GET", "/sobjects/Account/@{c.id}?fields=NumberOfEmployees,AnnualRevenue", "r"),
    )  # fmt: skip

    assert copy["httpStatusCode"] == 201
    assert (row["body"]["NumberOfEmployees"], row["body"]["AnnualRevenue"]) == (12, None)


@ledger("composite.null-references", "documented", "REST guide, Behavior for References to Null Fields")
def test_before_version_52_a_null_is_no_value(org: RunningOrg) -> None:
    made = org.create("Account", Name="Null")
    calls = (
        sub("GET", f"/sobjects/Account/{made}?fields=Phone", "a"),
        sub("POST", "/sobjects/Account", "c", {"Name": "Copy", "Phone": "@{a.Phone}"}),
    )

    assert statuses(composite(org, *calls, version="52.0")) == [200, 201]
    _, failed = composite(org, *calls, version="51.0")
    assert failed["body"] == [
        {"errorCode": "PROCESSING_HALTED", "message": "Invalid reference specified. No value for a.Phone found in a"}
    ]


@ledger("error.ProcessingHalted", "observed", "composite.md section 1, captured replies [C7]")
@pytest.mark.parametrize("reference", [
    "nobody.id", "q.records[7].Id", "q.records[-1].Id", "q.records.Id", "q.totalSize.x", "q.Records[0].Id", "a.Id",
    "q.records", "q", "a", "later.id", "c.id", "", "q.records[0]", "q.records[0].Owner.Name", "A.id",
])  # fmt: skip
def test_a_reference_to_nothing_fails_its_subrequest_alone(org: RunningOrg, reference: str) -> None:
    before = count(org, "Contact")

    answers = composite(
        org,
        sub("POST", "/sobjects/Account", "a", {"Name": "Refers"}),
        sub("GET", "/query?q=SELECT Id FROM Account LIMIT 1", "q"),
        sub("POST", "/sobjects/Contact", "c", {"LastName": "x", "Description": f"@{{{reference}}}"}),
        sub("POST", "/sobjects/Account", "later", {"Name": "Goes on"}),
    )

    assert statuses(answers) == [201, 200, 400, 201]
    name = reference.split(".")[0].split("[")[0]
    assert answers[2]["body"] == [{
        "errorCode": "PROCESSING_HALTED",
        "message": f"Invalid reference specified. No value for {reference} found in {name}",
    }]  # fmt: skip
    assert count(org, "Contact") == before


def test_what_refers_to_a_failed_subrequest_fails_too(org: RunningOrg) -> None:
    answers = composite(
        org,
        sub("POST", "/sobjects/Account", "a", {}),
        sub("POST", "/sobjects/Contact", "c", {"LastName": "x", "AccountId": "@{a.id}"}),
        sub("POST", "/sobjects/Contact", "d", {"LastName": "x", "Description": "@{c[0].message}"}),
    )

    assert [one["body"][0]["errorCode"] for one in answers] == [
        "REQUIRED_FIELD_MISSING", "PROCESSING_HALTED", "PROCESSING_HALTED",
    ]  # fmt: skip


@ledger(
    "composite.circular-references",
    "guessed",
    "a reference can only point back: both answers are those of a reference to nothing",
)
def test_circular_references_fail(org: RunningOrg) -> None:
    answers = composite(
        org,
        sub("POST", "/sobjects/Account", "a", {"Name": "@{b.id}"}),
        sub("POST", "/sobjects/Account", "b", {"Name": "@{a.id}"}),
        sub("POST", "/sobjects/Account", "c", {"Name": "@{c.id}"}),
    )

    assert [one["body"][0]["errorCode"] for one in answers] == ["PROCESSING_HALTED"] * 3


def test_the_example_of_the_documentation_works(org: RunningOrg) -> None:
    page = (ROOT / "docs" / "how-to" / "composite.md").read_text("utf-8")
    body = page.partition("-d '")[2].partition("}'\n")[0] + "}"
    request = json.loads(body.replace("'\"'", "'").replace("'\"'", "'"))

    reply = org.data("POST", "/composite", request)

    answers = reply.json["compositeResponse"]
    assert statuses(answers) == [201, 201, 200]
    assert answers[2]["body"]["records"][0]["Account"]["Name"] == "Rosehill Nursery"


# --- all or none -----------------------------------------------------------------------------------------------------


@ledger("composite.all-or-none", "observed", "composite.md section 1, real capture of v50 [C7]")
def test_with_all_or_none_one_bad_subrequest_undoes_all(org: RunningOrg) -> None:
    before = count(org, "Account"), count(org, "Contact")

    answers = composite(
        org,
        sub("POST", "/sobjects/Account", "a", {"Name": "Gone"}),
        sub("POST", "/sobjects/Contact", "c", {"AccountId": "@{a.id}"}),
        sub("GET", "/sobjects/Account/@{a.id}", "r"),
        allOrNone=True,
    )

    assert statuses(answers) == [400, 400, 400]
    assert answers[1]["body"][0]["errorCode"] == "REQUIRED_FIELD_MISSING"
    assert answers[0] == {"body": [HALTED], "httpHeaders": {}, "httpStatusCode": 400, "referenceId": "a"}
    assert answers[2] == {**answers[0], "referenceId": "r"}
    assert (count(org, "Account"), count(org, "Contact")) == before


def test_without_all_or_none_the_others_stay(org: RunningOrg) -> None:
    before = count(org, "Account")

    answers = composite(
        org,
        sub("POST", "/sobjects/Account", "a", {"Name": "Stays"}),
        sub("POST", "/sobjects/Account", "b", {}),
        sub("POST", "/sobjects/Account", "c", {"Name": "Stays too"}),
    )

    assert statuses(answers) == [201, 400, 201]
    assert count(org, "Account") == before + 2


def test_a_delete_that_is_refused_half_way_leaves_nothing_done_and_the_rest_done(org: RunningOrg) -> None:
    """Its rows were already marked when a restricting child refused it: the unit runs again, with savepoints."""
    packet = org.create("Seed_Packet__c", Sku__c="COMP-1")
    order = org.create("Garden_Order__c")
    org.create("Garden_Order_Line__c", Order__c=order, Packet__c=packet, Quantity__c=1)
    before = count(org, "Account")

    answers = composite(
        org,
        sub("POST", "/sobjects/Account", "a", {"Name": "Once"}),
        sub("DELETE", f"/sobjects/Seed_Packet__c/{packet}", "d"),
        sub("PATCH", "/sobjects/Account/@{a.id}", "u", {"Phone": "1"}),
    )

    assert statuses(answers) == [201, 400, 204]
    assert answers[1]["body"][0]["errorCode"] == "DELETE_FAILED"
    assert answers[2]["body"] is None
    assert count(org, "Account") == before + 1
    assert org.get("Seed_Packet__c", packet, "Sku__c")["Sku__c"] == "COMP-1"


@ledger("composite.nested-collections", "documented", "composite.md section 1, Nested collection")
@pytest.mark.parametrize("inner", [True, False])
def test_the_outer_all_or_none_overrides_that_of_a_collection(org: RunningOrg, inner: bool) -> None:
    before = count(org, "Account")

    answers = composite(
        org,
        sub("POST", "/sobjects/Account", "a", {"Name": "x"}),
        sub("POST", "/composite/sobjects", "many", {"allOrNone": inner, "records": [
            {"attributes": {"type": "Account"}, "Name": "y"}, {"attributes": {"type": "Account"}},
        ]}),
        allOrNone=True,
    )  # fmt: skip

    assert statuses(answers) == [400, 200]
    assert [one["errors"][0]["statusCode"] for one in answers[1]["body"]] == [
        "ALL_OR_NONE_OPERATION_ROLLED_BACK", "REQUIRED_FIELD_MISSING",
    ]  # fmt: skip
    assert answers[0]["body"] == [HALTED]
    assert count(org, "Account") == before


@pytest.mark.parametrize(("inner", "kept"), [(True, 1), (False, 2)])
def test_without_an_outer_all_or_none_that_of_the_collection_rules(org: RunningOrg, inner: bool, kept: int) -> None:
    before = count(org, "Account")

    composite(
        org,
        sub("POST", "/sobjects/Account", "a", {"Name": "x"}),
        sub("POST", "/composite/sobjects", "many", {"allOrNone": inner, "records": [
            {"attributes": {"type": "Account"}, "Name": "y"}, {"attributes": {"type": "Account"}},
        ]}),
    )  # fmt: skip

    assert count(org, "Account") == before + kept


def test_a_collection_can_be_referred_to_by_index(org: RunningOrg) -> None:
    many, contact, removed = composite(
        org,
        sub("POST", "/composite/sobjects", "many", {"records": [{"attributes": {"type": "Account"}, "Name": n} for n in "xy"]}),
        sub("POST", "/sobjects/Contact", "c", {"LastName": "of y", "AccountId": "@{many[1].id}"}),
        sub("DELETE", "/composite/sobjects?ids=@{many[0].id},@{c.id}", "d"),
    )  # fmt: skip

    assert contact["httpStatusCode"] == 201
    assert [one["id"] for one in removed["body"]] == [many["body"][0]["id"], contact["body"]["id"]]


def test_one_subrequest_can_be_made_to_fail_on_purpose(org: RunningOrg) -> None:
    switch = Switch(
        "http.subrequest", Strike(ServerUnavailable("staged")), lambda context: context["call"].params.get("sobject") == "Contact"
    )  # fmt: skip
    calls = (
        sub("POST", "/sobjects/Account", "a", {"Name": "x"}),
        sub("POST", "/sobjects/Contact", "c", {"LastName": "x", "AccountId": "@{a.id}"}),
    )
    before = count(org, "Account")

    off = org.door.server.switchboard.on(switch)
    alone = composite(org, *calls)
    whole_ = composite(org, *calls, allOrNone=True)
    off()

    assert statuses(alone) == [201, 503]
    assert [one["body"][0]["errorCode"] for one in whole_] == ["PROCESSING_HALTED", "SERVER_UNAVAILABLE"]
    assert count(org, "Account") == before + 1
    assert statuses(composite(org, *calls)) == [201, 201]


# --- what clients send -----------------------------------------------------------------------------------------------


@ledger("composite.upsert", "documented", "composite.md section 1 [C3]")
def test_an_upsert_says_what_it_did(org: RunningOrg) -> None:
    url = "/sobjects/Seed_Packet__c/Sku__c/COMP%2F2"

    made, again = composite(org, sub("PATCH", url, "a", {"Name": "n"}), sub("PATCH", url, "b", {"Price__c": 1}))

    assert (made["httpStatusCode"], made["body"]["created"]) == (201, True)
    assert "Location" in made["httpHeaders"]
    assert (again["httpStatusCode"], again["body"]["created"]) == (200, False)


@pytest.mark.parametrize(("method", "url"), [
    ("get", "/limits-are-not-here"), ("Get", "/query/?q=SELECT Id FROM Account LIMIT 1"),
    ("GET", "/query?q=SELECT+Id+FROM+Account+LIMIT+1"), ("GET", "/query?q=SELECT%20Id%20FROM%20Account%20LIMIT%201"),
    ("GET", "v62.0/query?q=SELECT Id FROM Account LIMIT 1"), ("GET", "services/data/v62.0/query?q=SELECT Id FROM Account LIMIT 1"),
    ("GET", "https://example.my.salesforce.com/services/data/v62.0/query?q=SELECT Id FROM Account LIMIT 1"),
    ("POST", "/query?_HttpMethod=GET&q=SELECT Id FROM Account WHERE Name = 'Ä' OR Id != null LIMIT 1"),
])  # fmt: skip
def test_urls_and_methods_are_taken_as_clients_write_them(org: RunningOrg, method: str, url: str) -> None:
    (found,) = composite(org, sub(method, url, "q"))

    if "not-here" in url:
        assert found["body"][0]["errorCode"] == "NOT_FOUND"
    else:
        assert found["httpStatusCode"] == 200, found
        assert found["body"]["totalSize"] == 1


def test_members_are_found_whatever_their_case(org: RunningOrg) -> None:
    (found,) = composite(
        org, {"Method": "GET", "URL": f"{V}/sobjects/Account/describe", "referenceID": "r", "HttpHeaders": None}
    )

    assert (found["httpStatusCode"], found["referenceId"]) == (200, "r")
    assert list(found["httpHeaders"]) == ["ETag", "Last-Modified"]


@ledger("composite.not-modified", "observed", "recording composite-not-modified")
def test_a_conditional_header_answers_304_without_a_body(org: RunningOrg) -> None:
    (found,) = composite(
        org, sub("GET", "/sobjects", "d", httpHeaders={"If-Modified-Since": "Thu, 03 Sep 2099 21:35:07 GMT"})
    )

    assert (found["httpStatusCode"], found["body"]) == (304, None)
    assert list(found["httpHeaders"]) == ["ETag", "Last-Modified"]


def test_a_header_may_hold_a_reference(org: RunningOrg) -> None:
    made = org.create("Account", Name="Thu, 03 Sep 2099 21:35:07 GMT")

    _, found = composite(
        org,
        sub("GET", f"/sobjects/Account/{made}?fields=Name", "a"),
        sub("GET", "/sobjects", "d", httpHeaders={"If-Modified-Since": "@{a.Name}"}),
    )

    assert found["httpStatusCode"] == 304


def test_the_headers_of_the_outer_request_hold_for_its_subrequests_but_its_conditions(org: RunningOrg) -> None:
    for number in range(201):
        org.create("Account", Name=f"Many {number}")

    reply = org.data(
        "POST", "/composite", {"compositeRequest": [
            sub("GET", "/query?q=SELECT Id FROM Account", "q"), sub("GET", "@{q.nextRecordsUrl}", "more"), sub("GET", "/sobjects", "d"),
        ]},
        headers={"Sforce-Query-Options": "batchSize=200", "If-Modified-Since": "Thu, 03 Sep 2099 21:35:07 GMT"},
    )  # fmt: skip

    first, more, describe = reply.json["compositeResponse"]
    assert (len(first["body"]["records"]), first["body"]["done"]) == (200, False)
    assert more["httpStatusCode"] == 200
    assert describe["httpStatusCode"] == 200


@ledger("composite.one-api-call", "documented", "composite.md, Limits interplay [C5]")
def test_a_composite_is_one_api_call(org: RunningOrg) -> None:
    def used() -> int:
        return int(org.data("GET", "/limits").headers["sforce-limit-info"].partition("=")[2].partition("/")[0])

    before = used()
    composite(org, *(sub("GET", "/sobjects", f"r{number}") for number in range(25)))

    assert used() == before + 2


@ledger("composite.versions", "guessed", "a subrequest answers as its own version does, whatever the outer one")
def test_a_subrequest_answers_in_its_own_version(org: RunningOrg) -> None:
    (made,) = composite(org, sub("POST", "v58.0/sobjects/Account", "a", {"Name": "x"}), version="60.0")

    assert made["httpHeaders"]["Location"].startswith("/services/data/v58.0/sobjects/Account/")


def test_a_composite_that_only_reads_waits_for_no_writer(org: RunningOrg) -> None:
    made = org.create("Account", Name="read me")
    db = org.door.server.db
    release = asyncio.Event()

    async def hold(held: threading.Event) -> None:
        async with db.transaction(Unit("flow")) as transaction:
            await transaction.write(
                lambda tx: tx.run('UPDATE "Account" SET "Phone" = ? WHERE "Id" = ?', ("uncommitted", made))
            )
            held.set()
            await release.wait()

    held = threading.Event()
    holder = asyncio.run_coroutine_threadsafe(hold(held), org.loop)
    assert held.wait(30)
    try:
        (row,) = composite(org, sub("GET", f"/sobjects/Account/{made}?fields=Phone", "r"), allOrNone=True)
        batch = org.data(
            "POST",
            "/composite/batch",
            {"batchRequests": [{"method": "get", "url": f"v67.0/sobjects/Account/{made}?fields=Name"}]},
        )
        assert not holder.done()
    finally:
        org.loop.call_soon_threadsafe(release.set)
        holder.result(30)

    assert row["body"]["Phone"] is None
    assert batch.json["results"][0]["result"]["Name"] == "read me"


def test_what_a_reading_composite_promises_is_kept(org: RunningOrg) -> None:
    """The page after the first of each query, and the moment somebody looked at a record."""
    for number in range(201):
        org.create("Opportunity", Name=f"Page {number}", StageName="Prospecting", CloseDate="2026-01-31")
    calls = [sub("GET", "/query?q=SELECT Id FROM Opportunity", f"q{number}") for number in range(2)]

    reply = org.data(
        "POST", "/composite", {"compositeRequest": calls}, headers={"Sforce-Query-Options": "batchSize=200"}
    )

    urls = [one["body"]["nextRecordsUrl"] for one in reply.json["compositeResponse"]]
    assert len(set(urls)) == 2
    assert [org.request("GET", url).json["done"] for url in urls] == [True, True]


def test_a_read_only_user_reads_but_writes_nothing_through_a_composite(org: RunningOrg) -> None:
    calls = [
        sub("GET", "/query?q=SELECT Id FROM Account LIMIT 1", "q"),
        sub("POST", "/sobjects/Account", "a", {"Name": "x"}),
    ]

    reply = org.data("POST", "/composite", {"compositeRequest": calls}, token=org.integration_token())

    read, found = reply.json["compositeResponse"]
    assert read["httpStatusCode"] == 200
    assert (found["httpStatusCode"], found["body"][0]["errorCode"]) == (403, "INSUFFICIENT_ACCESS_OR_READONLY")


def test_a_query_too_long_for_a_url_is_sent_here_and_one_beyond_the_database_says_so(org: RunningOrg) -> None:
    catalog = org.door.server.catalog
    account, user = (catalog.get(name) for name in ("Account", "User"))
    assert account is not None
    assert user is not None
    paths = [
        f"{'Parent.' * depth}{below}{field.name}"
        for depth in range(5)
        for below, entity in (("", account), ("Owner.", user), ("CreatedBy.", user), ("LastModifiedBy.", user))
        for field in entity.fields
        if field.stored
    ]
    assert len(paths) > 2100

    some, all_ = composite(
        org,
        sub("GET", f"/query?q=SELECT {', '.join(paths[:900])} FROM Account LIMIT 1", "some"),
        sub("GET", f"/query?q=SELECT {', '.join(paths[:2100])} FROM Account LIMIT 1", "all"),
    )

    assert some["httpStatusCode"] == 200
    assert (all_["httpStatusCode"], all_["body"][0]["errorCode"]) == (400, "QUERY_TOO_COMPLICATED")


# --- what is refused as a whole --------------------------------------------------------------------------------------


def whole(*subrequests: Any, **more: Any) -> dict[str, Any]:
    return {"compositeRequest": list(subrequests), **more}


GOOD = sub("POST", "/sobjects/Account", "good", {"Name": "Not to be"})
QUERY = "/query?q=SELECT Id FROM Account LIMIT 1"


@ledger("error.TooManyInRequest", "guessed", "composite.md: the limits are documented, the code is not known")
@ledger("error.InvalidInput", "documented", "composite.md section 1, Envelope errors")
@ledger("composite.duplicate-reference", "guessed", "composite.md section 1 has the text, unverified")
@ledger("composite.limits", "documented", "composite.md section 1 [C1]")
@ledger("composite.inherited-headers", "documented", "REST guide, Composite Subrequest: httpHeaders")
@ledger(
    "composite.reference-ids",
    "documented",
    "REST guide, Composite Subrequest Result: illegal characters, 52.0 and later",
)
@pytest.mark.parametrize(("body", "code", "words"), [
    (whole(*({**GOOD, "referenceId": f"r{n}"} for n in range(26))), "LIMIT_EXCEEDED", "26 subrequests; at most 25"),
    (whole(GOOD, *(sub("GET", QUERY, f"q{n}") for n in range(6))), "LIMIT_EXCEEDED", "6 subrequests that are queries"),
    (whole(GOOD, *(sub("GET", QUERY, f"q{n}") for n in range(3)), *(sub("GET", QUERY.replace("query", "queryAll"), f"a{n}") for n in range(2)),
           sub("GET", "/composite/sobjects/Account?ids=1&fields=Id", "c")), "LIMIT_EXCEEDED", "6 subrequests"),
    (whole(GOOD, GOOD), "INVALID_INPUT", "Duplicate referenceId provided: good"),
    (whole(GOOD, sub("GET", QUERY, "ref[1]")), "JSON_PARSER_ERROR", "Provided referenceId ('ref[1]') must start with a letter or a number, "
     "and it can contain only letters, numbers and underscores ('_')."),
    (whole(GOOD, sub("GET", QUERY, "_x")), "JSON_PARSER_ERROR", "Provided referenceId ('_x')"),
    (whole(GOOD, sub("GET", QUERY, "a-b")), "JSON_PARSER_ERROR", "Provided referenceId ('a-b')"),
    (whole(GOOD, sub("GET", QUERY, "ä")), "JSON_PARSER_ERROR", "Provided referenceId"),
    (whole(GOOD, sub("GET", QUERY, "x\n")), "JSON_PARSER_ERROR", "Provided referenceId"),
    (whole(GOOD, {"method": "GET", "url": V + QUERY}), "INVALID_INPUT", "referenceId is required (subrequest 2)"),
    (whole(GOOD, {"method": "GET", "referenceId": "x"}), "INVALID_INPUT", "url is required (subrequest 2)"),
    (whole(GOOD, {"url": V + QUERY, "referenceId": "x"}), "INVALID_INPUT", "method is required (subrequest 2)"),
    (whole(GOOD, sub("FETCH", QUERY, "x")), "INVALID_INPUT", "'FETCH' is no HTTP method"),
    (whole(GOOD, sub("GET", QUERY, "x", httpHeaders={"Authorization": "Bearer y"})), "INVALID_INPUT", "authorization header is inherited"),
    (whole(GOOD, sub("GET", QUERY, "x", httpHeaders={"Content-Type": "text/plain"})), "INVALID_INPUT", "content-type header is inherited"),
    (whole(GOOD, sub("GET", QUERY, "x", httpHeaders={"A": 1})), "JSON_PARSER_ERROR", "httpHeaders must be an object of strings"),
    (whole(GOOD, sub("GET", QUERY, "x", richInput={})), "JSON_PARSER_ERROR", 'Unrecognized field "richinput"'),
    (whole(GOOD, ["GET"]), "JSON_PARSER_ERROR", "a subrequest must be an object"),
    (whole(GOOD, allOrNone="perhaps"), "JSON_PARSER_ERROR", "allOrNone must be true or false"),
    (whole(), "INVALID_INPUT", "compositeRequest must not be empty"),
    ({}, "INVALID_INPUT", "compositeRequest is required"),
    ({"compositeRequest": {}}, "JSON_PARSER_ERROR", "compositeRequest must be a list"),
    ([], "JSON_PARSER_ERROR", "START_ARRAY"),
])  # fmt: skip
def test_a_composite_that_is_wrong_as_a_whole_does_nothing(org: RunningOrg, body: Any, code: str, words: str) -> None:
    before = count(org, "Account")

    error = refused(org.data("POST", "/composite", body))

    assert error["errorCode"] == code
    assert words in error["message"]
    assert count(org, "Account") == before


def test_before_version_52_a_strange_reference_id_only_cannot_be_referred_to(org: RunningOrg) -> None:
    answers = composite(
        org,
        sub("POST", "/sobjects/Account", "new[1]", {"Name": "x"}),
        sub("POST", "/sobjects/Contact", "c", {"LastName": "x", "AccountId": "@{new[1].id}"}),
        version="51.0",
    )

    assert statuses(answers) == [201, 400]
    assert answers[0]["referenceId"] == "new[1]"
    assert answers[1]["body"][0]["message"] == "Invalid reference specified. No value for new[1].id found in new"


@ledger("composite.targets", "documented", "composite.md section 1: allowed targets")
@pytest.mark.parametrize(("method", "url", "code"), [
    ("POST", "/composite", "INVALID_INPUT"), ("POST", "/composite/batch", "INVALID_INPUT"), ("POST", "/composite/graph", "INVALID_INPUT"),
    ("POST", "/composite/tree/Account", "INVALID_INPUT"), ("GET", "/limits", "INVALID_INPUT"),
    ("POST", "/services/oauth2/token", "NOT_FOUND"), ("POST", "/services/Soap/u/64.0", "NOT_FOUND"),
    ("GET", "/services/data", "NOT_FOUND"), ("GET", "/services/data/v99.0/sobjects", "NOT_FOUND"), ("GET", "/nowhere", "NOT_FOUND"),
    ("PUT", "/sobjects/Account", "METHOD_NOT_ALLOWED"),
])  # fmt: skip
def test_what_has_no_place_in_a_composite_fails_alone(org: RunningOrg, method: str, url: str, code: str) -> None:
    before = count(org, "Account")
    body = whole(sub("POST", "/sobjects/Account", "inner", {"Name": "Not through the back door"}))

    made, found = composite(org, sub("POST", "/sobjects/Account", "a", {"Name": "x"}), sub(method, url, "x", body))

    assert found["body"][0]["errorCode"] == code
    assert made["httpStatusCode"] == 201
    assert count(org, "Account") == before + 1


def test_references_may_not_grow_beyond_the_bound_of_a_body(org: RunningOrg) -> None:
    made = org.create("Account", Name="Big", Description="x" * 30_000)
    bomb = ["@{a.Description}" * 200] * 10  # 60 MB

    answers = composite(
        org,
        sub("GET", f"/sobjects/Account/{made}?fields=Description", "a"),
        sub("POST", "/sobjects/Account", "b", {"Name": "x", "Description": bomb}),
    )

    assert statuses(answers) == [200, 413]


def test_a_body_of_null_is_none_and_one_of_another_kind_says_so(org: RunningOrg) -> None:
    answers = composite(
        org,
        sub("POST", "/sobjects/Account", "a", None),
        sub("POST", "/sobjects/Account", "b", "text"),
        sub("POST", "/sobjects/Account", "c", [1]),
    )

    assert [one["body"][0]["errorCode"] for one in answers] == ["JSON_PARSER_ERROR"] * 3
    assert "requires" in answers[0]["body"][0]["message"] or "required" in answers[0]["body"][0]["message"]
