"""Platform events and bytes through the Composite family: the same way in as everywhere, and what can't come out says so."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.composite.calls import composite, statuses, sub
from tests.events.conftest import Tail, write_source
from tests.support.running import Reply, RunningOrg


@pytest.fixture(scope="module")
def bus(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningOrg]:
    with RunningOrg(home=home, source=(write_source(tmp_path_factory.mktemp("source")),)) as running:
        yield running


def event(name: str, **values: Any) -> dict[str, Any]:
    return {"attributes": {"type": name}, **values}


@pytest.mark.ledger("collections.events", "observed", "events.md section 4: the publish reply; composite.md section 4")
def test_a_list_publishes_events_beside_records(bus: RunningOrg) -> None:
    events = Tail(bus, "/event/Later__e")

    reply = bus.data("POST", "/composite/sobjects", {"records": [
        event("Later__e", Needed__c="a"), event("Account", Name="x"), event("Later__e"), event("Later__e", Needed__c="b"),
    ]})  # fmt: skip

    assert [one["success"] for one in reply.json] == [True, True, False, True]
    assert [one.values["Needed__c"] for one in events.events()] == ["a", "b"]
    assert [one["errors"][0]["statusCode"] for one in (reply.json[0], reply.json[3])] == ["OPERATION_ENQUEUED"] * 2
    assert reply.json[2]["errors"][0]["statusCode"] == "REQUIRED_FIELD_MISSING"


def test_what_is_rolled_back_publishes_nothing_but_what_goes_immediately(bus: RunningOrg) -> None:
    later, now = Tail(bus, "/event/Later__e"), Tail(bus, "/event/Now__e")

    answers = composite(
        bus,
        sub("POST", "/sobjects/Later__e", "l", {"Needed__c": "undone"}),
        sub("POST", "/sobjects/Now__e", "n", {"Needed__c": "gone out"}),
        sub("POST", "/sobjects/Account", "a", {}),
        allOrNone=True,
    )

    assert statuses(answers) == [400, 400, 400]
    assert later.events() == []
    assert [one.values["Needed__c"] for one in now.events()] == ["gone out"]


def test_an_event_in_a_composite_is_answered_like_any(bus: RunningOrg) -> None:
    events = Tail(bus, "/event/Later__e")

    made, published = composite(
        bus,
        sub("POST", "/sobjects/Account", "a", {"Name": "x"}),
        sub("POST", "/sobjects/Later__e", "e", {"Needed__c": "@{a.id}"}),
    )

    (found,) = events.events()
    assert found.values["Needed__c"] == made["body"]["id"]
    assert published["body"]["errors"] == [{"statusCode": "OPERATION_ENQUEUED", "message": found.uuid, "fields": []}]


def test_bytes_come_in_as_base64_and_have_no_place_in_a_json_answer(bus: RunningOrg) -> None:
    """Not even bytes that call themselves JSON: they would be read as part of the answer."""
    folder = bus.rows("SELECT Id FROM Folder LIMIT 1")
    text = b'{"id": "forged"}, "httpStatusCode": 200'
    body = {
        "Name": "x", "Body": base64.b64encode(text).decode(), "ContentType": "application/json;charset=UTF-8",
        "FolderId": folder[0]["Id"] if folder else bus.ready["user_id"],
    }  # fmt: skip

    made, row, out = composite(
        bus,
        sub("POST", "/sobjects/Document", "d", body),
        sub("GET", "/sobjects/Document/@{d.id}?fields=Body,BodyLength", "r"),
        sub("GET", "/sobjects/Document/@{d.id}/Body", "b"),
    )
    batch = bus.data("POST", "/composite/batch", {"batchRequests": [
        {"method": "GET", "url": f"v67.0/sobjects/Document/{made['body']['id']}/Body"}
    ]})  # fmt: skip

    assert statuses([made, row, out]) == [201, 200, 501]
    assert row["body"]["BodyLength"] == len(text)
    assert "not JSON" in out["body"][0]["message"]
    assert batch.json["results"][0]["statusCode"] == 501
    assert bus.data("GET", f"/sobjects/Document/{made['body']['id']}/Body").raw == text


def test_a_list_takes_bytes_as_base64(bus: RunningOrg) -> None:
    record = {
        "attributes": {"type": "ContentVersion"},
        "Title": "t",
        "PathOnClient": "t.txt",
        "VersionData": base64.b64encode(b"hello").decode(),
    }

    reply = bus.data("POST", "/composite/sobjects", {"records": [record, {**record, "VersionData": "no base64!!"}]})

    assert [one["success"] for one in reply.json] == [True, False]
    assert bus.data("GET", f"/sobjects/ContentVersion/{reply.json[0]['id']}/VersionData").raw == b"hello"


def listed(org: RunningOrg, method: str, records: list[Any], parts: dict[str, bytes], **more: Any) -> Reply:
    """A list as a form, as the guide shows it."""
    body = b'--b\r\nContent-Disposition: form-data; name="collection"\r\nContent-Type: application/json\r\n\r\n'
    body += json.dumps({"records": records, **more}).encode()
    for name, content in parts.items():
        body += f'\r\n--b\r\nContent-Disposition: form-data; name="{name}"; filename="x.json"\r\n'.encode()
        body += b"Content-Type: application/json\r\n\r\n" + content
    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    return org.data(method, "/composite/sobjects", body + b"\r\n--b--\r\n", headers=kind)


def version(part: str, **values: Any) -> dict[str, Any]:
    kind = {"type": "ContentVersion", "binaryPartName": part, "binaryPartNameAlias": "VersionData"}
    return {"attributes": kind, "PathOnClient": "x.json", **values}


@pytest.mark.ledger("collections.multipart", "documented", "REST guide, Insert or Update Blob Data: with Collections")
def test_a_list_takes_bytes_as_the_parts_of_a_form(bus: RunningOrg) -> None:
    parts = {f"part{number}": b'{"%d": "\x00\xff"}' % number for number in range(60)}

    reply = listed(bus, "POST", [event("Account", Name="no file"), *map(version, reversed(parts))], parts)

    assert reply.status == 200, reply.raw
    assert all(one["success"] for one in reply.json)
    kept = [bus.data("GET", f"/sobjects/ContentVersion/{one['id']}/VersionData").raw for one in reply.json[1:]]
    assert kept == list(reversed(parts.values()))


def test_a_list_changes_bytes_by_a_form_and_keeps_none_of_them_when_it_is_undone(bus: RunningOrg) -> None:
    parent = bus.create("Account", Name="x")
    kept = bus.create("Attachment", Name="x", ParentId=parent, Body=base64.b64encode(b"before").decode())
    kind = {"type": "Attachment", "binaryPartName": "p", "binaryPartNameAlias": "Body"}
    change, wrong = {"attributes": kind, "id": kept}, event("Account", id=parent, Name=None)

    undone = listed(bus, "PATCH", [change, wrong], {"p": b"undone"}, allOrNone=True)
    assert [one["success"] for one in undone.json] == [False, False]
    assert bus.data("GET", f"/sobjects/Attachment/{kept}/Body").raw == b"before"

    assert listed(bus, "PATCH", [change], {"p": b"after"}).json[0]["success"] is True
    assert bus.data("GET", f"/sobjects/Attachment/{kept}/Body").raw == b"after"


@pytest.mark.parametrize(
    ("records", "parts"),
    [
        ([version("missing")], {}),
        ([version("a"), version("a")], {"a": b"x"}),
        ([version("a")], {"a": b"x", "nobody's": b"x"}),
        ([version("a", versiondata="eA==")], {"a": b"x"}),
        ([{"attributes": {"type": "ContentVersion", "binaryPartName": "a"}}], {"a": b"x"}),
    ],
)
def test_a_form_whose_parts_and_records_do_not_match_is_refused_whole(
    bus: RunningOrg, records: list[Any], parts: dict[str, bytes]
) -> None:
    before = bus.rows("SELECT count(Id) n FROM ContentVersion")[0]["n"]

    reply = listed(bus, "POST", records, parts)

    assert (reply.status, reply.error) == (400, "INVALID_MULTIPART_REQUEST")
    assert bus.rows("SELECT count(Id) n FROM ContentVersion")[0]["n"] == before
