"""Recorded replies of real orgs: the same request to ours gives the same shape, key order, codes and texts."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.running import RunningOrg

FIELD = (
    '<CustomField xmlns="http://soap.sforce.com/2006/04/metadata"><fullName>email_field__c</fullName><label>email_field</label>'
    "<type>Email</type></CustomField>"
)
VERSION = re.compile(r"/v(?:\d\d|xx)\.0(?=/|$)")


@pytest.fixture
def fresh(home: Path, tmp_path: Path) -> Iterator[RunningOrg]:
    """An org without records, with the one custom field that a recording uses."""
    fields = tmp_path / "source" / "objects" / "Account" / "fields"
    fields.mkdir(parents=True)
    (fields / "email_field__c.field-meta.xml").write_text(FIELD)
    with RunningOrg(home=home, source=(tmp_path / "source",)) as running:
        yield running


# --- comparing -------------------------------------------------------------------------------------------------------


def differences(expected: Any, found: Any, volatile: frozenset[str], path: str = "", plain: str = "") -> Iterator[str]:
    """
    Where two JSON values differ in more than what a recording calls volatile.

    `path` says where, `plain` the same with `*` for every index, as the recordings write it.
    """
    if plain in volatile and isinstance(expected, type(found)):
        return
    if isinstance(expected, dict) and isinstance(found, dict):
        same = set(expected) == set(found) if "errorCode" in expected else list(expected) == list(found)
        if not same:
            yield f"{path}: keys {list(expected)} recorded, {list(found)} answered"
            return
        for key, value in expected.items():
            yield from differences(value, found[key], volatile, f"{path}/{key}", f"{plain}/{key}")
    elif isinstance(expected, list) and isinstance(found, list):
        if len(expected) != len(found):
            yield f"{path}: {len(expected)} recorded, {len(found)} answered"
            return
        for index, (one, other) in enumerate(zip(expected, found, strict=True)):
            yield from differences(one, other, volatile, f"{path}/{index}", f"{plain}/*")
    elif type(expected) is not type(found) or _text(expected) != _text(found):
        yield f"{path}: {expected!r} recorded, {found!r} answered"


def _text(value: Any) -> Any:
    return VERSION.sub("/v##.0", value) if isinstance(value, str) else value


# --- the state a recording needs -------------------------------------------------------------------------------------

Body = Any


def as_recorded(org: RunningOrg, body: Body) -> Body:
    return body


def one_account(org: RunningOrg, body: Body) -> Body:
    org.create("Account", Name="Smith Corp.")
    return body


def two_of_each(org: RunningOrg, body: Body) -> Body:
    for number in range(2):
        org.create("Account", Name=f"Sample Account {number}")
        org.create("Opportunity", Name=f"Sample {number}", StageName="Prospecting", CloseDate="2026-01-31")
    return body


def with_ids(sobject: str, key: str, **values: Any) -> Callable[[RunningOrg, Body], Body]:
    """Records of the recorded request, created first, their ids in place of the recorded ones."""

    def prepare(org: RunningOrg, body: Body) -> Body:
        for record in body["records"]:
            record[key] = org.create(sobject, **values)
        return body

    return prepare


def known_contacts(org: RunningOrg, body: Body) -> Body:
    for record in body["records"][:3]:
        org.create("Contact", LastName="known", Email=record["Email"].upper())
    return body


def two_creates(org: RunningOrg, body: Body) -> Body:
    """The request behind the recorded graph is not there: two creates, as the reply tells."""
    nodes = [
        {"method": "POST", "url": "/services/data/v50.0/sobjects/Account", "referenceId": "newAccount", "body": {"Name": "A"}},
        {"method": "POST", "url": "/services/data/v50.0/sobjects/Contact", "referenceId": "newContact",
         "body": {"LastName": "C", "AccountId": "@{newAccount.id}"}},
    ]  # fmt: skip
    return {"graphs": [{"graphId": "graph1", "compositeRequest": nodes}]}


STATES: dict[str, Callable[[RunningOrg, Body], Body]] = {
    "composite-batch-two-queries": two_of_each, "composite-four-queries": one_account, "composite-invalid-type": as_recorded,
    "composite-not-found": as_recorded, "composite-not-modified": as_recorded, "composite-reference-ids": as_recorded,
    "composite-references": as_recorded, "collections-all-or-none-create": as_recorded, "collections-create-many": as_recorded,
    "collections-create-required-missing": as_recorded, "collections-create": as_recorded, "collections-delete": as_recorded,
    "collections-empty-list": as_recorded,
    "collections-update-converted-lead": with_ids("Lead", "id", LastName="x", Company="y", IsConverted=True),
    "collections-update-no-id": as_recorded, "collections-update-number-as-string": with_ids("Account", "Id", Name="x"),
    "collections-update-partial-invalid-email": with_ids("Account", "id", Name="x"), "collections-upsert-email": as_recorded,
    "collections-upsert-id-v58": with_ids("Account", "Id", Name="x"), "collections-upsert-id": as_recorded,
    "collections-upsert-mixed": known_contacts, "tree-two-accounts": as_recorded, "graph-two-creates": two_creates,
}  # fmt: skip
GROUPS = ("composite", "collections", "tree", "graph")


def test_every_recording_of_the_family_is_compared(shared: Path) -> None:
    recorded = {path.stem for group in GROUPS for path in (shared / "recordings" / group).glob("*.json")}

    assert recorded == set(STATES)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.ledger(f"recording.{name}", "observed", f"recording {name}"))
        for name in STATES
    ],
)
def test_a_recorded_request_is_answered_as_recorded(shared: Path, fresh: RunningOrg, name: str) -> None:
    recording = json.loads((shared / "recordings" / name.split("-")[0] / f"{name}.json").read_text("utf-8"))
    request, response, volatile = recording["request"], recording["response"], frozenset(recording["volatile"])
    expected = response["body"]
    if isinstance(expected, str):  # its publisher shortened the lists with "...", and the rows with it
        expected = json.loads(re.sub(r",\s*\.\.\.", "", expected))
        volatile |= {f"/results/*/result/records/*/{key}" for key in ("Id", "Name")} | {
            "/results/*/result/records/*/attributes/url"
        }
    number = (recording["api_version"] or "60.0").replace("xx", "60")
    body = json.loads(json.dumps(request["body"]).replace("vxx.0", f"v{number}"))
    if name == "composite-not-modified":
        for one in body["compositeRequest"]:  # later than our own schema
            one["httpHeaders"]["If-Modified-Since"] = "Thu, 03 Sep 2099 21:35:07 GMT"
    path = request["path"].replace("vxx.0", f"v{number}")
    if name == "collections-delete":
        ids = "%2C".join(fresh.create("Account", Name="x") for _ in range(3))
        path = f"{path.partition('?')[0]}?ids={ids}&allOrNone=true"

    reply = fresh.request(request["method"], path, STATES[name](fresh, body))
    found = reply.json
    if name == "composite-batch-two-queries":
        for result in found["results"]:
            del result["result"]["records"][1:]

    assert reply.status == response["status"]
    for header, value in response["headers"].items():
        if header == "Sforce-Limit-Info":
            assert re.fullmatch(r"api-usage=\d+/\d+", reply.headers[header.lower()])
        elif name != "graph-two-creates":  # saved without the charset that all others have
            assert reply.headers[header.lower()] == value
    assert list(differences(expected, found, volatile)) == []
