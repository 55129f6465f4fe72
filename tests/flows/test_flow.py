"""A flow in a running org: what its handlers get, what becomes of what they promise."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

from tests.support.flows import flow_org


def test_a_handler_gets_each_change_and_its_writes_appear(tmp_path: Path, home: Path) -> None:
    body = """
        @flow.on("/data/AccountChangeEvent", key="recordId")
        async def on_account(change: ChangeEvent, org: Org) -> None:
            SEEN.append((change.change_type, change.sobject, change.record_id, change.get("Name"), change.changed("Phone")))
            if change.change_type == "CREATE":
                contact = await org.insert("Contact", {"LastName": change.values["Name"], "AccountId": change.record_id})
                await org.insert("Task", {"Subject": "call", "WhoId": contact})
    """
    with flow_org(tmp_path, home, body) as org:
        account = org.create("Account", Name="Rosehill")
        org.data("PATCH", f"/sobjects/Account/{account}", {"Phone": "1"})
        org.settled()

        assert org.seen == [
            ("CREATE", "Account", account, "Rosehill", False),
            ("UPDATE", "Account", account, None, True),
        ]
        (task,) = org.rows("SELECT Subject, Who.Name FROM Task")
        assert task["Who"]["Name"] == "Rosehill"


def test_what_a_failing_handler_promised_is_never_written(tmp_path: Path, home: Path) -> None:
    body = """
        @flow.on("/data/AccountChangeEvent", retry=FAST)
        async def on_account(change: ChangeEvent, org: Org, attempt: Attempt) -> None:
            await org.insert("Contact", {"LastName": f"try {attempt.number}"})
            if attempt.number < 3:
                raise TimeoutError("not yet")
    """
    with flow_org(tmp_path, home, body) as org:
        org.create("Account", Name="Rosehill")
        org.finished()

        assert [row["LastName"] for row in org.rows("SELECT LastName FROM Contact")] == ["try 3"]
        assert org.letters() == []


def test_a_committed_transaction_is_skipped_by_the_next_attempt(tmp_path: Path, home: Path) -> None:
    body = """
        @flow.on("/data/AccountChangeEvent", retry=FAST)
        async def on_account(change: ChangeEvent, org: Org, attempt: Attempt) -> None:
            async with org.transaction() as tx:
                first = await tx.insert("Contact", {"LastName": "first"})
                found = await tx.query("SELECT Id FROM Contact WHERE LastName = :name", name="first")
                SEEN.append((attempt.number, tx.committed, first, found[0]["Id"] == first))
            async with org.transaction() as tx:
                await tx.update("Contact", first, {"FirstName": f"in try {attempt.number}"})
                if attempt.number == 1:
                    raise ConnectionError("broken off")
            if attempt.number == 2:
                raise ConnectionError("once more")
            await org.insert("Contact", {"LastName": "last"})
    """
    with flow_org(tmp_path, home, body) as org:
        org.create("Account", Name="Rosehill")
        org.finished()

        rows = org.rows("SELECT LastName, FirstName FROM Contact ORDER BY LastName")
        assert [(row["LastName"], row["FirstName"]) for row in rows] == [("first", "in try 2"), ("last", None)]
        assert [(number, committed, same) for number, committed, _, same in org.seen] == [
            (1, False, True), (2, True, True), (3, True, True),
        ]  # fmt: skip
        assert len({contact for _, _, contact, _ in org.seen}) == 1
        assert org.door.server.db.read_now(lambda reader: reader.one("SELECT count(*) FROM lb_effect")) == (0,)


def test_a_write_that_breaks_a_rule_at_the_commit_fails_the_attempt_as_a_whole(tmp_path: Path, home: Path) -> None:
    body = """
        @flow.on("/data/AccountChangeEvent", on_failure="skip")
        async def on_account(change: ChangeEvent, org: Org) -> None:
            await org.insert("Contact", {"LastName": "kept with the rest or not at all"})
            await org.update("Contact", "003000000000001AAA", {"FirstName": "nobody"})
    """
    with flow_org(tmp_path, home, body) as org:
        org.create("Account", Name="Rosehill")
        org.finished()

        assert org.rows("SELECT Id FROM Contact") == []
        (letter,) = org.letters()
        assert (letter["Kind__c"], letter["Code__c"]) == ("salesforce", "INVALID_CROSS_REFERENCE_KEY")
        assert letter["Attempts__c"] == 1


def test_values_are_checked_where_they_are_written(tmp_path: Path, home: Path) -> None:
    body = """
        @flow.on("/data/AccountChangeEvent")
        async def on_account(change: ChangeEvent, org: Org) -> None:
            await org.insert("Contact", {"LastName": "x", "Colour": "green"})
    """
    with flow_org(tmp_path, home, body) as org:
        org.create("Account", Name="Rosehill")
        org.finished()

        (letter,) = org.letters()
        assert "Colour" in letter["Cause__c"]
        assert 'await org.insert("Contact", {"LastName": "x", "Colour": "green"})' in letter["Error__c"]


def test_a_dead_letter_holds_its_key_and_tells_everything(tmp_path: Path, home: Path) -> None:
    body = """
        @flow.on("/data/AccountChangeEvent", key="recordId", retry=FAST)
        async def on_account(change: ChangeEvent) -> None:
            SEEN.append((change.record_id, change.change_type))
            if change.get("Name") == "bad":
                raise ValueError("order 17 has no line")
    """
    with flow_org(tmp_path, home, body) as org:
        bad, good = org.create("Account", Name="bad"), org.create("Account", Name="good")
        org.data("PATCH", f"/sobjects/Account/{bad}", {"Phone": "1"})
        org.data("PATCH", f"/sobjects/Account/{good}", {"Phone": "1"})
        org.finished()

        assert org.seen.count((bad, "CREATE")) == 3
        assert (bad, "UPDATE") not in org.seen
        assert (good, "UPDATE") in org.seen
        (letter,) = org.letters()
        assert letter["Subscription__c"] == "test/on_account"
        assert (letter["Status__c"], letter["Holds_Key__c"], letter["Key__c"]) == ("Open", True, bad)
        assert letter["Cause__c"] == "ValueError: order 17 has no line"
        attempts = json.loads(letter["Attempt_Log__c"])
        assert [attempt["number"] for attempt in attempts] == [1, 2, 3]
        assert "raise ValueError" in attempts[0]["detail"]
        assert json.loads(letter["Payload__c"])["values"]["Name"] == "bad"


def test_a_skipped_dead_letter_lets_its_key_go_on(tmp_path: Path, home: Path) -> None:
    body = """
        @flow.on("/data/AccountChangeEvent", on_failure="skip")
        async def on_account(change: ChangeEvent) -> None:
            SEEN.append(change.change_type)
            if change.change_type == "CREATE":
                raise GiveUp("never mind")
    """
    with flow_org(tmp_path, home, body) as org:
        account = org.create("Account", Name="x")
        org.data("PATCH", f"/sobjects/Account/{account}", {"Phone": "1"})
        org.finished()

        assert org.seen == ["CREATE", "UPDATE"]
        assert [letter["Cause__c"] for letter in org.letters()] == ["never mind"]


def test_a_platform_event_arrives_as_the_authors_model(tmp_path: Path, home: Path) -> None:
    body = """
        import dataclasses

        @dataclasses.dataclass
        class Packing:
            order_number: str
            status: str | None = None
            event_uuid: str = ""

        @flow.on("/event/Packing_Event__e", key="Order_Number__c", on_failure="skip")
        async def on_packing(packing: Packing, org: Org, attempt: Attempt) -> None:
            SEEN.append((packing.order_number, packing.status, attempt.key, packing.event_uuid == attempt.uuid))
    """
    with flow_org(tmp_path, home, body) as org:
        reply = org.data("POST", "/sobjects/Packing_Event__e", {"Order_Number__c": "7", "Status__c": "Packed"})
        assert reply.status == 201
        org.finished()

        assert org.seen == [("7", "Packed", "7", True)]


def test_an_event_that_does_not_fit_the_model_is_a_dead_letter_at_once(tmp_path: Path, home: Path) -> None:
    body = """
        import msgspec

        class Packing(msgspec.Struct):
            order_number: int

        @flow.on("/event/Packing_Event__e", key="Order_Number__c", on_failure="skip")
        async def on_packing(packing: Packing) -> None:
            SEEN.append(packing.order_number)
    """
    with flow_org(tmp_path, home, body) as org:
        for number in ("7", "seven"):
            org.data("POST", "/sobjects/Packing_Event__e", {"Order_Number__c": number, "Status__c": "Packed"})
        org.finished()

        assert org.seen == [7]
        (letter,) = org.letters()
        assert (letter["Kind__c"], letter["Attempts__c"]) == ("invalid", 1)


def test_a_schedule_runs_at_once_and_again(tmp_path: Path, home: Path) -> None:
    body = """
        @flow.every(seconds=1)
        async def tick(org: Org, attempt: Attempt) -> None:
            SEEN.append(attempt.uuid)
    """
    with flow_org(tmp_path, home, body) as org:
        while len(org.seen) < 2:
            org.request("GET", "/services/landbridge/v1/health")

        assert len(set(org.seen)) == len(org.seen)


def test_runs_that_were_missed_are_made_up_for_by_one(tmp_path: Path, home: Path) -> None:
    body = """
        @flow.every(hours=1)
        async def hourly(org: Org) -> None:
            SEEN.append("run")
    """
    with flow_org(tmp_path, home, body) as org:
        while not org.seen:
            org.settled()
        org.finished()  # a run that is still open would do for the missed ones
        server = org.door.server

        async def jump() -> None:
            server.clock.jump(timedelta(hours=5, minutes=10))
            server.crossing.wake()

        org.do(jump)
        while len(org.seen) < 2:
            org.request("GET", "/services/landbridge/v1/health")
        org.settled()

        assert org.seen == ["run", "run"]
        (next_at,) = server.db.read_now(lambda reader: reader.one("SELECT next_at FROM lb_schedule"))
        assert 0 < next_at - server.clock.epoch() <= 3600


def test_a_retry_that_the_author_asks_for_comes_at_its_time(tmp_path: Path, home: Path) -> None:
    body = """
        @flow.on("/data/AccountChangeEvent")
        async def on_account(change: ChangeEvent, attempt: Attempt) -> None:
            SEEN.append(attempt.number)
            if attempt.number == 1:
                raise RetryLater(3600)
    """
    with flow_org(tmp_path, home, body) as org:
        org.create("Account", Name="x")
        org.settled()
        assert org.seen == [1]
        server = org.door.server

        async def jump() -> None:
            server.clock.jump(timedelta(minutes=61))
            server.crossing.wake()

        org.do(jump)
        org.finished()
        assert org.seen == [1, 2]
