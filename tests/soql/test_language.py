"""The language clause by clause and function by function, against an org on a socket."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from landbridge.errors import QueryError
from tests.support.running import RunningOrg

ledger = pytest.mark.ledger
SHEET = "soql.md section 3"


def plain(value: Any) -> Any:
    """A result without `attributes`; a subquery as the list of its records."""
    if isinstance(value, list):
        return [plain(one) for one in value]
    if isinstance(value, dict):
        if "records" in value:
            return plain(value["records"])
        return {key: plain(one) for key, one in value.items() if key != "attributes"}
    return value


def ask(org: RunningOrg, text: str, **options: Any) -> Any:
    reply = org.query(text, **options)
    assert reply.status == 200, reply.json
    return plain(reply.json["records"])


def one_column(org: RunningOrg, text: str) -> list[Any]:
    """The values of a result of one column."""
    return [next(iter(row.values())) for row in ask(org, text)]


# --- functions -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("SELECT COUNT(Type) FROM Account", [3], marks=ledger("soql.function.COUNT", "observed", SHEET)),
        pytest.param("SELECT COUNT_DISTINCT(Type) FROM Account", [2],
                     marks=ledger("soql.function.COUNT_DISTINCT", "documented", SHEET)),
        pytest.param("SELECT SUM(AnnualRevenue) FROM Account", [2000.0], marks=ledger("soql.function.SUM", "documented", SHEET)),
        pytest.param("SELECT AVG(NumberOfEmployees) FROM Account", [5.0], marks=ledger("soql.function.AVG", "documented", SHEET)),
        pytest.param("SELECT MIN(Name) FROM Account", ["Alpha"], marks=ledger("soql.function.MIN", "documented", SHEET)),
        pytest.param("SELECT MAX(Birthdate) FROM Contact", ["2000-02-29"],
                     marks=ledger("soql.function.MAX", "documented", SHEET)),
        pytest.param("SELECT MAX(Type) FROM Account", ["Other"],
                     marks=ledger("soql.aggregate-of-picklist", "documented", "soql.md section 3: picklist order")),
        ("SELECT MIN(AnnualRevenue) FROM Account WHERE Name = 'nobody'", [None]),
        pytest.param("SELECT toLabel(Colours__c) FROM Paint__c WHERE Name IN ('a', 'c', 'd') ORDER BY Name",
                     ["Rot;Green", None, "Blau;Green;Rot"], marks=ledger("soql.function.TOLABEL", "documented", SHEET)),
        ("SELECT Name FROM Account WHERE toLabel(Type) = 'prospect' ORDER BY Name", ["Alpha", "Delta"]),
        pytest.param("SELECT FORMAT(AnnualRevenue) FROM Account ORDER BY AnnualRevenue", [None, "$300.00", "$500.00", "$1,200.00"],
                     marks=ledger("soql.function.FORMAT", "guessed", "locale en_US")),
        ("SELECT FORMAT(Birthdate) FROM Contact WHERE LastName = 'One'", ["5/17/1990"]),
        ("SELECT FORMAT(MAX(Amount)) FROM Opportunity", ["$99.50"]),
        pytest.param("SELECT Name FROM Account WHERE DISTANCE(BillingAddress, GEOLOCATION(37.775, -122.418), 'mi') < 20",
                     ["Alpha"], marks=ledger("soql.function.DISTANCE", "documented", "soql.md section 3, Location")),
        ("SELECT Name FROM Account WHERE DISTANCE(BillingAddress, GEOLOCATION(48.85, 2.35), 'km') > 343 "
         "AND DISTANCE(BillingAddress, GEOLOCATION(48.85, 2.35), 'km') < 345", ["Delta"]),
        ("SELECT Name FROM Account ORDER BY DISTANCE(BillingAddress, GEOLOCATION(37.775, -122.418), 'mi') NULLS LAST",
         ["Alpha", "beta", "Delta", "Gamma"]),
        pytest.param("SELECT GROUPING(Industry) FROM Account GROUP BY ROLLUP(Industry)", [0, 0, 1],
                     marks=ledger("soql.function.GROUPING", "documented", SHEET)),
    ],
)  # fmt: skip
def test_functions_give(firm: RunningOrg, text: str, expected: list[Any]) -> None:
    assert one_column(firm, text) == expected


# 1985-12-31 is a Tuesday, day 365; 2000-02-29 a Tuesday, day 60; 1990-05-17 a Thursday, day 137.
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param(name, expected, marks=ledger(f"soql.function.{name}", "documented", "soql.md section 3, Date functions"))
        for name, expected in {
            "CALENDAR_YEAR": [1985, 1990, 2000], "CALENDAR_QUARTER": [1, 2, 4], "CALENDAR_MONTH": [2, 5, 12],
            "FISCAL_YEAR": [1985, 1990, 2000], "FISCAL_QUARTER": [1, 2, 4], "FISCAL_MONTH": [2, 5, 12],
            "DAY_IN_MONTH": [17, 29, 31], "DAY_IN_WEEK": [3, 5], "DAY_IN_YEAR": [60, 137, 365],
            "WEEK_IN_MONTH": [3, 5], "WEEK_IN_YEAR": [9, 20, 53],
        }.items()
    ],
)  # fmt: skip
def test_date_functions_take_a_date_apart(firm: RunningOrg, name: str, expected: list[int]) -> None:
    text = f"SELECT {name}(Birthdate) part FROM Contact WHERE Birthdate != null GROUP BY {name}(Birthdate)"

    assert one_column(firm, text) == expected
    where = f"SELECT COUNT() FROM Contact WHERE {name}(Birthdate) = {expected[0]}"
    assert firm.query(where).json["totalSize"] >= 1


@ledger("soql.function.HOUR_IN_DAY", "documented", "soql.md section 3, Date functions")
@ledger("soql.function.DAY_ONLY", "documented", "soql.md section 3, Date functions")
@ledger("soql.function.CONVERTTIMEZONE", "documented", "soql.md section 3, Date functions")
def test_moments_are_taken_apart_in_utc_or_where_the_user_is(firm: RunningOrg) -> None:
    (row,) = firm.rows("SELECT CreatedDate FROM Opportunity")
    utc = int(row["CreatedDate"][11:13])
    zone = firm.rows("SELECT TimeZoneSidKey FROM User WHERE Alias = 'ada'")[0]["TimeZoneSidKey"]
    text = "SELECT HOUR_IN_DAY(CreatedDate) u, HOUR_IN_DAY(convertTimezone(CreatedDate)) l, DAY_ONLY(CreatedDate) d " \
           "FROM Opportunity GROUP BY HOUR_IN_DAY(CreatedDate), HOUR_IN_DAY(convertTimezone(CreatedDate)), " \
           "DAY_ONLY(CreatedDate)"  # fmt: skip

    (found,) = ask(firm, text)

    assert zone == "America/Los_Angeles"
    assert found["u"] == utc
    assert (utc - found["l"]) % 24 in (7, 8)
    assert found["d"] == row["CreatedDate"][:10]


# --- clauses -------------------------------------------------------------------------------------------------------


@ledger("soql.clause.SUBQUERY", "observed", "recording soql-child-subquery, soql.md section 4")
def test_children_come_as_a_query_result_or_null(firm: RunningOrg) -> None:
    text = "SELECT Name, (SELECT LastName, Account.Name FROM Contacts ORDER BY LastName DESC LIMIT 5), Type FROM Account " \
           "ORDER BY Name"  # fmt: skip
    reply = firm.query(text).json

    alpha, beta, delta, _ = reply["records"]
    assert list(alpha) == ["attributes", "Name", "Contacts", "Type"]
    assert alpha["Contacts"]["totalSize"] == 2
    assert alpha["Contacts"]["done"] is True
    assert plain(alpha["Contacts"]) == [
        {"LastName": "Two", "Account": {"Name": "Alpha"}}, {"LastName": "One", "Account": {"Name": "Alpha"}},
    ]  # fmt: skip
    assert alpha["Contacts"]["records"][0]["attributes"]["type"] == "Contact"
    assert [row["LastName"] for row in plain(beta["Contacts"])] == ["Three"]
    assert delta["Contacts"] is None


@ledger("soql.nested-subqueries", "documented", "soql.md section 2: five levels from 58.0")
def test_subqueries_nest_since_version_58(firm: RunningOrg) -> None:
    text = "SELECT Name, (SELECT LastName, (SELECT Subject FROM Tasks) FROM Contacts ORDER BY LastName) FROM Account " \
           "WHERE Name = 'Alpha'"  # fmt: skip

    (found,) = ask(firm, text)
    refused = firm.request("GET", "/services/data/v57.0/query?q=" + text.replace(" ", "+"))

    assert found["Contacts"] == [
        {"LastName": "One", "Tasks": [{"Subject": "Call"}]}, {"LastName": "Two", "Tasks": [{"Subject": "Write"}]},
    ]  # fmt: skip
    assert refused.error == "MALFORMED_QUERY"


@ledger("soql.clause.TYPEOF", "observed", "recording soql-typeof")
def test_typeof_shows_each_object_its_own_way(firm: RunningOrg) -> None:
    text = "SELECT Subject, TYPEOF What WHEN Account THEN Name, Owner.Alias WHEN Contract THEN Status ELSE Name END FROM Task " \
           "ORDER BY Subject"  # fmt: skip
    call, think, write = firm.rows(text)

    assert call["What"]["attributes"]["type"] == "Account"
    assert plain(call["What"]) == {"Name": "Alpha", "Owner": {"Alias": "ada"}}
    assert think["What"] is None
    assert write["What"]["attributes"]["type"] == "Opportunity"
    assert plain(write["What"]) == {"Name": "Deal"}


@ledger("source.enableActivities", "documented", "metadata.md: objects that allow activities")
def test_a_custom_object_with_activities_is_what_a_task_may_be_of(home: Any, project: Any) -> None:
    with RunningOrg(home=home, source=(project,)) as org:
        paint = org.create("Paint__c", Name="blue")
        org.create("Task", Subject="Stir", WhatId=paint)
        found = ask(org, "SELECT Subject, What.Name, What.Type FROM Task")
        (shown,) = ask(org, "SELECT Name, (SELECT Subject FROM Tasks) FROM Paint__c")

    assert found == [{"Subject": "Stir", "What": {"Name": "blue", "Type": "Paint__c"}}]
    assert shown == {"Name": "blue", "Tasks": [{"Subject": "Stir"}]}


@ledger("soql.polymorphic-path", "documented", SHEET)
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT Subject FROM Task WHERE What.Type IN ('account', 'Contract')", ["Call"]),
        ("SELECT Subject FROM Task WHERE What.Name = 'DEAL'", ["Write"]),
        ("SELECT What.Name FROM Task ORDER BY What.Name NULLS LAST, Subject",
         [{"Name": "Alpha"}, {"Name": "Deal"}, None]),
        ("SELECT Owner.Profile.Name FROM Task LIMIT 1", [{"Profile": {"Name": "System Administrator"}}]),
        ("SELECT Account.Owner.Profile.UserLicense.Name FROM Contact WHERE LastName = 'One'",
         [{"Owner": {"Profile": {"UserLicense": {"Name": "Salesforce"}}}}]),
    ],
)  # fmt: skip
def test_paths_lead_through_parents_of_several_objects(firm: RunningOrg, text: str, expected: list[Any]) -> None:
    assert one_column(firm, text) == expected


@ledger("soql.clause.SEMIJOIN", "documented", SHEET)
@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("Id IN (SELECT AccountId FROM Contact)", ["Alpha", "beta"]),
        ("Id IN (SELECT AccountId FROM Contact WHERE LeadSource = 'Other')", ["Alpha"]),
        ("Id NOT IN (SELECT AccountId FROM Contact)", ["Delta", "Gamma"]),
        ("Id IN (SELECT AccountId FROM Contact) AND Id NOT IN (SELECT AccountId FROM Opportunity WHERE Amount > 5)", ["beta"]),
        ("OwnerId IN (SELECT Id FROM User WHERE Alias = 'ada') AND Type = null", ["Gamma"]),
    ],
)  # fmt: skip
def test_semi_joins_ask_another_object(firm: RunningOrg, where: str, expected: list[str]) -> None:
    assert one_column(firm, f"SELECT Name FROM Account WHERE {where} ORDER BY Name") == expected


@ledger("soql.clause.INCLUDES", "documented", SHEET)
@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("Colours__c INCLUDES ('Red')", ["a", "d"]),
        ("Colours__c INCLUDES ('red;green')", ["a", "d"]),
        ("Colours__c INCLUDES ('Red;Blue', 'Green')", ["a", "b", "d"]),
        ("Colours__c EXCLUDES ('Red')", ["b", "c"]),
        ("Colours__c = 'Green;Red'", ["a"]),
        ("Colours__c != 'Green;Red'", ["b", "c", "d"]),
        ("Colours__c = null", ["c"]),
    ],
)
def test_multi_selects_are_sets(firm: RunningOrg, where: str, expected: list[str]) -> None:
    assert one_column(firm, f"SELECT Name FROM Paint__c WHERE {where} ORDER BY Name") == expected


@ledger("soql.clause.GROUP BY", "observed", "recordings soql-group-by-three, soql-count-id-aggregate")
def test_groups_are_aggregate_results(firm: RunningOrg) -> None:
    reply = firm.query(
        "SELECT Industry, COUNT(Id), SUM(AnnualRevenue) total, MAX(Name) FROM Account GROUP BY Industry"
    ).json

    assert reply["totalSize"] == 2
    assert reply["done"] is True
    assert reply["records"] == [
        {
            "attributes": {"type": "AggregateResult"},
            "Industry": "Banking",
            "expr0": 2,
            "total": 800.0,
            "expr1": "Gamma",
        },
        {"attributes": {"type": "AggregateResult"}, "Industry": "Energy", "expr0": 2, "total": 1200.0, "expr1": "beta"},
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("SELECT Industry i, COUNT(Id) n FROM Account GROUP BY Industry HAVING COUNT(Id) > 1 AND Industry LIKE 'B%'",
                     [("Banking", 2)], marks=ledger("soql.clause.HAVING", "documented", SHEET)),
        pytest.param("SELECT Industry i, Type t, COUNT(Id) n FROM Account GROUP BY ROLLUP(Industry, Type)",
                     [("Banking", None, 1), ("Banking", "Prospect", 1), ("Banking", None, 2), ("Energy", "Other", 1),
                      ("Energy", "Prospect", 1), ("Energy", None, 2), (None, None, 4)],
                     marks=ledger("soql.clause.ROLLUP", "documented", SHEET)),
        pytest.param("SELECT Industry i, Type t, GROUPING(Industry) gi, GROUPING(Type) gt, COUNT(Id) n FROM Account "
                     "WHERE Type != null GROUP BY CUBE(Industry, Type) ORDER BY GROUPING(Industry), GROUPING(Type), Industry, Type",
                     [("Banking", "Prospect", 0, 0, 1), ("Energy", "Prospect", 0, 0, 1), ("Energy", "Other", 0, 0, 1),
                      ("Banking", None, 0, 1, 1), ("Energy", None, 0, 1, 2), (None, "Prospect", 1, 0, 2), (None, "Other", 1, 0, 1),
                      (None, None, 1, 1, 3)],
                     marks=ledger("soql.clause.CUBE", "documented", SHEET)),
        ("SELECT Account.Name, COUNT(Id) n FROM Contact GROUP BY Account.Name ORDER BY COUNT(Id) DESC, Account.Name NULLS LAST LIMIT 2",
         [("Alpha", 2), ("beta", 1)]),
        ("SELECT COUNT(Id) n, CALENDAR_YEAR(CloseDate) y FROM Opportunity GROUP BY CALENDAR_YEAR(CloseDate)", [(1, 2024)]),
        ("SELECT Owner.Name, COUNT(Id) n FROM Task GROUP BY Owner.Name", [("Ada Admin", 3)]),
        ("SELECT Type t FROM Account GROUP BY Type", [(None,), ("Other",), ("Prospect",)]),
    ],
)  # fmt: skip
def test_groups_are_filtered_rolled_up_and_ordered(firm: RunningOrg, text: str, expected: list[Any]) -> None:
    assert [tuple(row.values()) for row in ask(firm, text)] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("SELECT Name FROM Account WHERE Name = 'ALPHA'", ["Alpha"],
                     marks=[ledger("soql.clause.SELECT", "documented", SHEET), ledger("soql.clause.FROM", "documented", SHEET),
                            ledger("soql.clause.WHERE", "documented", SHEET)]),
        pytest.param("SELECT a.Name FROM Contact c, c.Account a WHERE a.Name = 'ALPHA' AND c.LastName = 'One'", [{"Name": "Alpha"}],
                     marks=ledger("soql.clause.ALIAS", "documented", "soql.md section 1, alias notation")),
        ("SELECT Contact.Account.Name FROM Contact WHERE Contact.LastName = 'One'", [{"Name": "Alpha"}]),
        pytest.param("SELECT Name FROM Account USING SCOPE mine ORDER BY Name LIMIT 1", ["Alpha"],
                     marks=ledger("soql.clause.USING SCOPE", "documented", SHEET)),
        ("SELECT Name FROM Account USING SCOPE Everything ORDER BY Name LIMIT 1", ["Alpha"]),
        pytest.param("SELECT Name FROM Account ORDER BY Type, Name DESC", ["Gamma", "Delta", "Alpha", "beta"],
                     marks=[ledger("soql.clause.ORDER BY", "documented", SHEET),
                            ledger("soql.picklist-order", "guessed", "soql.md section 3, unverified for REST")]),
        pytest.param("SELECT Name FROM Account ORDER BY Name LIMIT 1 OFFSET 2", ["Delta"],
                     marks=[ledger("soql.clause.LIMIT", "documented", SHEET), ledger("soql.clause.OFFSET", "documented", SHEET)]),
        ("SELECT Id FROM Group WHERE Name = 'nobody'", []),
        ("SELECT LastName FROM Contact WHERE Account.Type = null ORDER BY LastName", ["Four"]),
        ("SELECT LastName FROM Contact WHERE (Account.Type = null OR Account.Name = 'beta') ORDER BY LastName", ["Four", "Three"]),
        ("SELECT LastName FROM Contact ORDER BY Account.Name, LastName", ["Four", "One", "Two", "Three"]),
        ("SELECT Name FROM Account WHERE Name IN ('" + "','".join(f"n{i}" for i in range(500)) + "','ALPHA')", ["Alpha"]),
        ("SELECT Name FROM Account WHERE " + " OR ".join(f"NumberOfEmployees = {i}" for i in range(12, 3000)), ["beta"]),
    ],
)  # fmt: skip
def test_clauses_choose_and_order_rows(firm: RunningOrg, text: str, expected: list[Any]) -> None:
    asked = one_column if len(text) < 12_000 else one_column_long
    assert asked(firm, text) == expected


def one_column_long(org: RunningOrg, text: str) -> list[Any]:
    """As `one_column` for a text too long for a URL: run where the server runs it."""
    from landbridge import soql

    server = org.door.server

    async def read() -> bytes:
        from landbridge.access import Access
        from landbridge.ids import RecordId

        statement = server.front.prepare(text, server.catalog, Access(RecordId(server.org.admin_id)), 67.0)
        page = await server.db.read(
            lambda reader: soql.run(reader, statement, batch=2000, asked=soql.Asked(0.0), locate=lambda _: "")
        )
        return page.records

    import json

    return [next(iter(row.values())) for row in plain(json.loads(org.do(read)))]


@ledger("soql.clause.FIELDS", "documented", "soql.md section 3, FIELDS()")
def test_fields_all_needs_a_bound(firm: RunningOrg) -> None:
    (found,) = ask(firm, "SELECT FIELDS(ALL) FROM Paint__c WHERE Name = 'a' LIMIT 200")
    (custom,) = ask(firm, "SELECT FIELDS(CUSTOM), Name FROM Paint__c WHERE Name = 'a' LIMIT 1")
    (standard,) = ask(firm, "SELECT FIELDS(STANDARD) FROM Paint__c WHERE Name = 'a'")
    (by_id,) = ask(firm, f"SELECT FIELDS(ALL) FROM Paint__c WHERE Id = '{found['Id']}' OR Id = '001000000000001AAA'")

    assert found == standard | custom
    assert found == by_id
    assert {"Colours__c", "First__c", "Second__c", "Name"} < set(custom)
    assert "CreatedDate" not in custom
    assert firm.query("SELECT FIELDS(ALL) FROM Paint__c LIMIT 201").error == "MALFORMED_QUERY"
    assert firm.query("SELECT FIELDS(ALL) FROM Paint__c").error == "MALFORMED_QUERY"


@ledger("soql.clause.FOR VIEW", "documented", SHEET)
@ledger("soql.clause.FOR REFERENCE", "documented", SHEET)
def test_for_view_notes_that_somebody_looked(home: Any) -> None:
    with RunningOrg(home=home) as org:
        first, second = (org.create("Account", Name=name) for name in ("x", "y"))
        before = org.get("Account", first)
        org.do(lambda: _jump(org, 100))
        shown = org.rows("SELECT Id FROM Account WHERE Name = 'x' FOR VIEW")
        org.do(lambda: _jump(org, 100))
        org.rows("SELECT Id FROM Account WHERE Name = 'x' FOR REFERENCE")
        after, other = org.get("Account", first), org.get("Account", second)

    assert [row["Id"] for row in shown] == [first]
    assert before["LastViewedDate"] < after["LastViewedDate"] < after["LastReferencedDate"]
    assert before["SystemModstamp"] == after["SystemModstamp"]
    assert other["LastViewedDate"] == before["LastViewedDate"]


async def _jump(org: RunningOrg, seconds: float) -> None:
    org.door.server.clock.jump(timedelta(seconds=seconds))


@ledger("soql.entity-definition", "documented", "soql.md, tools that ask EntityDefinition and FieldDefinition")
def test_the_schema_is_asked_as_records(firm: RunningOrg) -> None:
    fields = one_column(
        firm, "SELECT QualifiedApiName FROM FieldDefinition WHERE EntityDefinition.QualifiedApiName = 'Paint__c' "
        "AND IsNillable = true AND QualifiedApiName LIKE '%\\_\\_c' ORDER BY QualifiedApiName",
    )  # fmt: skip
    (entity,) = ask(
        firm, "SELECT Label, (SELECT QualifiedApiName FROM Fields WHERE DataType = 'Geolocation') FROM EntityDefinition "
        "WHERE QualifiedApiName = 'Paint__c'",
    )  # fmt: skip
    (other,) = ask(
        firm, "SELECT (SELECT QualifiedApiName FROM Fields WHERE QualifiedApiName = 'Name') FROM EntityDefinition "
        "WHERE QualifiedApiName = 'Account'",
    )  # fmt: skip

    assert fields == sorted(
        ["Account__c", "Amount__c", "Colours__c", "Day__c", "First__c", "Second__c", "Text__c", "When__c"]
    )
    assert entity == {"Label": "Paint", "Fields": None}
    assert other == {"Fields": [{"QualifiedApiName": "Name"}]}


@ledger("soql.columns", "guessed", "clients.md, item 8 of what tools depend on")
def test_columns_tell_what_a_result_holds(firm: RunningOrg) -> None:
    text = "SELECT Id, Owner.Name, (SELECT LastName FROM Contacts), AnnualRevenue FROM Account"
    reply = firm.data("GET", "/query?columns=true&q=" + text.replace(" ", "+")).json
    grouped = firm.data("GET", "/query?columns=true&q=SELECT+Type,COUNT(Id)+FROM+Account+GROUP+BY+Type").json

    columns = {column["columnName"]: column for column in reply["columnMetadata"]}
    assert list(columns) == ["Id", "Owner", "Contacts", "AnnualRevenue"]
    assert [inner["columnName"] for inner in columns["Owner"]["joinColumns"]] == ["Name"]
    assert [inner["columnName"] for inner in columns["Contacts"]["joinColumns"]] == ["LastName"]
    assert columns["Contacts"]["aggregate"]
    assert columns["AnnualRevenue"]["numberType"]
    assert (reply["entityName"], reply["keyPrefix"], reply["idSelected"]) == ("Account", "001", True)
    assert [(c["columnName"], c["displayName"], c["aggregate"]) for c in grouped["columnMetadata"]] == [
        ("Type", "Type", False), ("expr0", "COUNT(Id)", True),
    ]  # fmt: skip


@ledger("soql.explain", "guessed", "rest.md section 5; costs are this database's own")
def test_a_plan_says_what_is_read(firm: RunningOrg) -> None:
    account = firm.rows("SELECT Id FROM Account WHERE Name = 'Alpha'")[0]["Id"]

    def plans(text: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = firm.data("GET", "/query?explain=" + text.replace(" ", "+")).json["plans"]
        return found

    by_id = plans(f"SELECT Name FROM Account WHERE Id = '{account}'")
    by_lookup = plans(f"SELECT Name FROM Contact WHERE AccountId = '{account}'")
    scanned = plans("SELECT Name FROM Account WHERE Industry = 'Energy'")

    assert (by_id[0]["leadingOperationType"], by_id[0]["cardinality"], by_id[0]["fields"]) == ("Index", 1, ["Id"])
    assert (by_lookup[0]["leadingOperationType"], by_lookup[0]["fields"]) == ("Index", ["AccountId"])
    (scan,) = scanned
    assert (scan["leadingOperationType"], scan["cardinality"], scan["sobjectCardinality"]) == ("TableScan", 2, 4)
    assert scan["sobjectType"] == "Account"
    assert {"Industry"} <= {field for note in scan["notes"] for field in note["fields"]}


# --- pages ---------------------------------------------------------------------------------------------------------


@ledger("soql.children-count-towards-the-page", "documented", "soql.md section 4; cut by whole parents guessed")
@ledger("soql.pages-of-children", "documented", "soql.md section 4: a subquery page has its own nextRecordsUrl")
def test_children_have_pages_and_fill_those_of_their_parents(home: Any) -> None:
    with RunningOrg(home=home, daily_api_requests=1_000_000) as org:
        people = {"big": 450, "small": 150, "mid": 120, "none": 0, "last": 3}
        for name, many in people.items():
            account = org.create("Account", Name=name)
            org.do(lambda account=account, many=many: _people(org, account, many))
        options = {"headers": {"Sforce-Query-Options": "batchSize=200"}}
        page = org.query(
            "SELECT Name, (SELECT LastName FROM Contacts ORDER BY LastName) FROM Account ORDER BY CreatedDate, Id",
            **options,
        ).json
        total = page["totalSize"]
        seen: dict[str, list[str]] = {}
        sizes = []
        while True:
            sizes.append([row["Name"] for row in page["records"]])
            for row in page["records"]:
                children = row["Contacts"]
                found = seen.setdefault(row["Name"], [])
                while children is not None:
                    assert children["totalSize"] == people[row["Name"]]
                    found += [child["LastName"] for child in children["records"]]
                    more = children.get("nextRecordsUrl")
                    assert children["done"] == (more is None)
                    children = org.request("GET", more, **options).json if more else None
            if page["done"]:
                break
            page = org.request("GET", page["nextRecordsUrl"], **options).json

    assert total == 5
    assert sizes == [["big"], ["small", "mid"], ["none", "last"]]
    assert {name: len(found) for name, found in seen.items()} == people
    assert all(found == sorted(set(found)) for found in seen.values())


async def _people(org: RunningOrg, account: str, many: int) -> None:
    from landbridge.access import Access
    from landbridge.ids import RecordId
    from landbridge.storage import Unit

    server = org.door.server
    entity = server.catalog.get("Contact")
    assert entity is not None
    rows = [{"LastName": f"p{index:04d}", "AccountId": account} for index in range(many)]
    access = Access(RecordId(server.org.admin_id))
    await server.db.write(lambda tx: server.store.create_many(tx, server.catalog, access, entity, rows), Unit("people"))


@ledger(
    "soql.long-text-pages", "observed", "soql.md section 4: 1,000 rows where a long text is selected (recorded 2026)"
)
def test_long_text_makes_pages_smaller(firm: RunningOrg) -> None:
    server = firm.door.server
    from landbridge.access import Access
    from landbridge.ids import RecordId

    def most(text: str) -> int:
        return server.front.prepare(text, server.catalog, Access(RecordId(server.org.admin_id)), 67.0).bound.most

    assert most("SELECT Name FROM Account") == 2000
    assert most("SELECT Name, Description FROM Account") == 1000
    assert most("SELECT First__c FROM Paint__c") == 1000
    assert most("SELECT First__c, Second__c FROM Paint__c") == 200


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "code", "tail"),
    [
        ("SELECT (SELECT Id FROM Nopes) FROM Account", "INVALID_TYPE",
         "Didn't understand relationship 'Nopes' in FROM part of query call. If you are attempting to use a custom relationship"),
        ("SELECT Id, (SELECT COUNT(Id) FROM Contacts) FROM Account", "MALFORMED_QUERY",
         "only root queries support aggregate expressions"),
        ("SELECT DISTINCT Name FROM Account", "MALFORMED_QUERY", "only aggregate expressions use field aliasing"),
        ("SELECT Name, COUNT(Id) FROM Account", "MALFORMED_QUERY", "Field must be grouped or aggregated: Name"),
        ("SELECT Name FROM Account GROUP BY Type", "MALFORMED_QUERY", "Field must be grouped or aggregated: Name"),
        ("SELECT CALENDAR_YEAR(CreatedDate) FROM Account", "MALFORMED_QUERY", "Field must be grouped or aggregated: CreatedDate"),
        ("SELECT Description FROM Account GROUP BY Description", "MALFORMED_QUERY",
         "field 'Description' can not be grouped in a query call"),
        ("SELECT MAX(AnnualRevenue) FROM Account LIMIT 1", "MALFORMED_QUERY",
         "Non-grouped query that uses overall aggregate functions cannot also use LIMIT"),
        ("SELECT SUM(Name) FROM Account", "MALFORMED_QUERY", "field Name does not support aggregate operator SUM"),
        ("SELECT Account.Name, Name, COUNT(Id) FROM Contact GROUP BY Account.Name, Name", "MALFORMED_QUERY", "duplicate alias: Name"),
        ("SELECT GROUPING(Type) FROM Account GROUP BY Type", "MALFORMED_QUERY", "GROUPING() is only allowed with"),
        ("SELECT COUNT(Id) FROM Account GROUP BY ROLLUP(Name, Type, Industry, Rating)", "MALFORMED_QUERY", "ROLLUP takes at most 3"),
        ("SELECT COUNT(Id), (SELECT Id FROM Contacts) FROM Account GROUP BY Name", "MALFORMED_QUERY", "subqueries are not allowed"),
        ("SELECT FIELDS(CUSTOM) FROM Organization LIMIT 1", "MALFORMED_QUERY",
         "'FIELDS(...)' expansion function must result in at least one field being selected."),
        ("SELECT Id, FIELDS(STANDARD) FROM Account", "INVALID_FIELD", "duplicate field selected: Id"),
        ("SELECT Name FROM Account WHERE (Type = 'x' OR Id IN (SELECT AccountId FROM Contact))", "MALFORMED_QUERY",
         "Semi join sub-selects are not allowed with the 'OR' operator"),
        ("SELECT Name FROM Account WHERE Type = 'x' AND (Name = 'y' AND Id IN (SELECT AccountId FROM Contact))", "MALFORMED_QUERY",
         "Semi join sub-selects are only allowed at the top level WHERE expressions and not in nested WHERE expressions."),
        ("SELECT Name FROM Account WHERE NOT Id IN (SELECT AccountId FROM Contact)", "MALFORMED_QUERY",
         "Semi join sub-selects are only allowed at the top level"),
        ("SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Contact WHERE Id IN (SELECT WhoId FROM Lead))", "MALFORMED_QUERY",
         "Nesting of semi join sub-selects is not supported"),
        ("SELECT Id FROM Account WHERE Id IN (SELECT ParentId FROM Account)", "MALFORMED_QUERY",
         "The inner and outer selects should not be on the same object type"),
        ("SELECT Id FROM Account WHERE Id IN (SELECT WhatId FROM Task)", "MALFORMED_QUERY",
         "Entity 'Task' is not supported for semi join inner selects"),
        ("SELECT Id FROM Account WHERE Id IN (SELECT LastName FROM Contact)", "MALFORMED_QUERY",
         "Semi join sub-selects can only query id fields, cannot use: 'LastName'"),
        ("SELECT Id FROM Account WHERE Name IN (SELECT AccountId FROM Contact)", "MALFORMED_QUERY",
         "The left operand field in the where expression for outer query should be an id field, cannot use: 'Name'"),
        ("SELECT Id FROM Account WHERE Id IN (SELECT Id FROM Contact)", "MALFORMED_QUERY",
         "The selected field 'Id' in the subquery and the left operand field in the where expression in the outer query 'Id' should "
         "point to the same object type"),
        ("SELECT Id FROM Contact WHERE Account.OwnerId IN (SELECT Id FROM User)", "MALFORMED_QUERY",
         "The left operand 'OwnerId' cannot have more than one level of relationships"),
        pytest.param("SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Contact) AND Id IN (SELECT AccountId FROM Opportunity) "
         "AND Id IN (SELECT AccountId FROM Contract)", "EXCEEDED_MAX_SEMIJOIN_SUBSELECTS",
         "Maximum 2 semi join sub-selects are allowed",
         marks=ledger("error.TooManySemiJoins", "documented", "soql.md sections 3 and 5")),
        pytest.param("SELECT Id FROM Account USING SCOPE nowhere", "INVALID_QUERY_SCOPE", "scope 'nowhere' is not supported for Account",
         marks=ledger("error.InvalidQueryScope", "guessed", "soql.md section 5: the code exists; the text is ours")),
        ("SELECT Id FROM Account WHERE Type INCLUDES ('x')", "INVALID_QUERY_FILTER_OPERATOR",
         "field 'Type' of type picklist does not support the operator INCLUDES"),
        ("SELECT TYPEOF Account WHEN Account THEN Name END FROM Contact", "MALFORMED_QUERY", "TYPEOF needs a polymorphic relationship"),
        ("SELECT TYPEOF What WHEN Contact THEN Name END FROM Task", "MALFORMED_QUERY", "What does not refer to Contact"),
        ("SELECT What.Name, TYPEOF What WHEN Account THEN Name END FROM Task", "INVALID_FIELD", "duplicate field selected: What"),
        ("SELECT Id FROM Account WHERE DISTANCE(BillingAddress, GEOLOCATION(1,1), 'mi') = 20", "INVALID_QUERY_FILTER_OPERATOR",
         "field 'DISTANCE(BillingAddress, )' does not support this operator"),
        ("SELECT Id FROM Account WHERE DISTANCE(GEOLOCATION(1,1), BillingAddress, 'mi') < 20", "MALFORMED_QUERY", "unexpected token: '('"),
        ("SELECT convertTimezone(CreatedDate) FROM Account", "MALFORMED_QUERY",
         "convertTimezone() is only allowed inside a date function"),
        ("SELECT Id FROM Account WHERE COUNT(Id) > 1", "MALFORMED_QUERY", "aggregate functions are not allowed here: COUNT(Id)"),
        ("SELECT Id FROM Account WHERE CALENDAR_YEAR(Name) = 1", "INVALID_FIELD", "CALENDAR_YEAR does not take field 'Name' of type string"),
        ("SELECT Id FROM Account, Contact", "MALFORMED_QUERY", "A driving SObject type has already been set"),
        ("SELECT (SELECT Id FROM Contacts OFFSET 1) FROM Account", "MALFORMED_QUERY", "OFFSET is not allowed in a subquery"),
        ("SELECT Account.Parent.Parent.Parent.Parent.Parent.Name FROM Contact", "MALFORMED_QUERY", "a path goes up at most 5 levels"),
        ("SELECT Id FROM Account FOR UPDATE", "MALFORMED_QUERY", "unexpected token: 'UPDATE'"),
        ("SELECT Id FROM Account ALL ROWS", "MALFORMED_QUERY", "unexpected token: 'ALL'"),
        ("SELECT Id FROM Account WITH USER_MODE", "MALFORMED_QUERY", "unexpected token: 'USER_MODE'"),
        ("SELECT Id FROM Account WITH SECURITY_ENFORCED", "MALFORMED_QUERY", "unexpected token: 'SECURITY_ENFORCED'"),
        ("SELECT NOPE(Id) FROM Account", "MALFORMED_QUERY", "unexpected token: '('"),
        (f"SELECT Id FROM Account WHERE Name = '{'x' * 4001}'", "MALFORMED_QUERY", "a string in a filter is at most 4000 characters"),
    ],
)  # fmt: skip
@ledger("soql.refused", "documented", "soql.md sections 3 and 5; texts without a source guessed")
def test_what_the_platform_refuses(firm: RunningOrg, text: str, code: str, tail: str) -> None:
    reply = firm.query(text)

    (error,) = reply.json
    assert (reply.status, error["errorCode"]) == (400, code), error
    assert error["message"].rpartition("\n")[2].startswith(tail), error["message"]


@ledger("error.QueryUnsupported", "differs", "a real org with the feature runs these; each is named with its place")
@pytest.mark.parametrize(
    "text",
    [
        "SELECT Id FROM Account USING SCOPE team", "SELECT Id FROM Account WITH DATA CATEGORY Geography__c AT usa__c",
        "SELECT Id FROM Account WITH UserId = '005'", "SELECT convertCurrency(AnnualRevenue) FROM Account",
        "SELECT Id FROM Account WHERE AnnualRevenue > USD5000", "SELECT Id FROM Account WHERE FORMULA('1') = 1",
        "SELECT Title FROM Solution UPDATE VIEWSTAT",
    ],
)  # fmt: skip
def test_what_is_left_out_says_so_with_its_place(firm: RunningOrg, text: str) -> None:
    reply = firm.query(text)

    assert (reply.status, reply.error) == (501, "FUNCTIONALITY_NOT_ENABLED")
    assert "ERROR at Row:1:Column:" in reply.json[0]["message"]


@ledger("error.TooManyGroups", "documented", "soql.md section 5; the code is unverified")
def test_more_groups_than_a_page_are_refused(home: Any) -> None:
    with RunningOrg(home=home) as org:
        account = org.create("Account", Name="x")
        org.do(lambda: _people(org, account, 2001))

        refused = org.query("SELECT LastName, COUNT(Id) FROM Contact GROUP BY LastName")
        limited = org.query("SELECT LastName, COUNT(Id) FROM Contact GROUP BY LastName LIMIT 2000").json

    assert refused.json == [{
        "message": "Aggregate query does not support queryMore(), use LIMIT to restrict the results to a single batch",
        "errorCode": "EXCEEDED_ID_LIMIT",
    }]  # fmt: skip
    assert (limited["totalSize"], limited["done"]) == (2000, True)


@ledger("error.QueryTooComplicated", "documented", "soql.md section 1: after expansion")
def test_a_statement_beyond_the_database_says_so(firm: RunningOrg) -> None:
    catalog = firm.door.server.catalog
    parents = ["", "Account.", "Account.Parent.", "Account.Owner.", "Account.MasterRecord.", "ReportsTo.", "ReportsTo.Account.",
               "Account.Parent.Parent.", "Account.Parent.Owner.", "ReportsTo.ReportsTo.", "ReportsTo.Account.Parent.", "Owner.",
               "CreatedBy.", "LastModifiedBy.", "Account.CreatedBy.", "ReportsTo.CreatedBy.", "Account.Parent.CreatedBy.", "Account.LastModifiedBy.", "by."]  # fmt: skip
    paths = []
    for parent in parents:
        entity = catalog.get("Account" if parent.endswith(("Account.", "Parent.", "Record.")) else
                             "User" if parent.endswith(("Owner.", "By.", "by.")) else "Contact")  # fmt: skip
        assert entity is not None
        paths += [f"{parent}{field.name}" for field in entity.fields if field.stored]
    text = f"SELECT {', '.join(paths)} FROM Contact c, c.ReportsTo r, r.LastModifiedBy by"
    assert len(text) < 100_000
    assert len(paths) > 2000

    with pytest.raises(QueryError) as caught:
        one_column_long(firm, text)

    assert caught.value.code == "QUERY_TOO_COMPLICATED"
