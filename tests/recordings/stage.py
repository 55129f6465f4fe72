"""
The state each recording needs, and the request as our org has to hear it: ids are ours, everything else as recorded.

A stage is a function of the running org that returns what to send; without one, the recorded request is sent as it is.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote, urlencode

from landbridge.storage import Unit
from tests.support.running import Reply, RunningOrg

HIDDEN = (
    "Account.IsCustomerPortal", "Account.RecordTypeId", "Account.Custom_External_ID__c", "Lead.IsPriorityRecord",
    "Organization.PreferencesEmailSenderIdCompliance",
)  # fmt: skip
"""Fields that the recorded orgs did not have or their users did not see: our integration user does not see them either."""
PLAIN = "60.0"
"""The version sent where the recorder hid it (`vxx.0`)."""


@dataclass(frozen=True)
class Sent:
    """A request to our org."""

    method: str
    path: str
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    token: str | None = ""

    def to(self, org: RunningOrg) -> Reply:
        body = self.body.encode() if isinstance(self.body, str) else self.body
        return org.request(self.method, self.path, body, headers=self.headers, token=self.token)


Stage = Callable[[RunningOrg, Sent], Sent]
STAGES: dict[str, Stage] = {}


def stage(*names: str) -> Callable[[Stage], Stage]:
    def keep(made: Stage) -> Stage:
        STAGES.update(dict.fromkeys(names, made))
        return made

    return keep


def recorded_request(recorded: dict[str, Any]) -> Sent:
    """The request as it was recorded: blanks of the URL encoded, the session and what describes the body left to us."""
    asked = recorded["request"]
    version = recorded.get("api_version") or PLAIN
    path = asked["path"].replace("vxx.0", f"v{version}").replace(" ", "%20")
    headers = {
        name: value for name, value in asked["headers"].items() if name.lower() not in ("authorization", "content-type")
    }
    body = asked.get("body")
    if body is not None and not isinstance(body, str):
        body = json.loads(json.dumps(body).replace("/vxx.0/", f"/v{version}/"))
    return Sent(asked["method"], path, body, headers)


def prepare(org: RunningOrg, name: str, recorded: dict[str, Any]) -> Sent:
    """Set up the state of a recording; what to send then."""
    sent = recorded_request(recorded)
    made = STAGES.get(name)
    return sent if made is None else made(org, sent)


def instead(path: str, old: str, new: str) -> str:
    assert old in path, (old, path)
    return path.replace(old, new)


def clear(org: RunningOrg, *objects: str) -> None:
    """Take every record of these objects away, as if there had been none."""
    for name in objects:
        for row in org.rows(f"SELECT Id FROM {name}"):
            org.data("DELETE", f"/sobjects/{name}/{row['Id']}")


def run(org: RunningOrg, *statements: tuple[str, tuple[Any, ...]]) -> None:
    """Statements for state that no API of ours sets."""

    def work(tx: Any) -> None:
        for sql, params in statements:
            tx.run(sql, params)

    org.do(lambda: org.door.server.db.write(work, Unit("stage", org.ready["user_id"])))


# --- rows ------------------------------------------------------------------------------------------------------------


@stage("rest-create-contact-v64")
def _last_name(org: RunningOrg, sent: Sent) -> Sent:
    del org
    return replace(sent, body={"LastName": "Some value"})  # the saved request shows a placeholder body


@stage("rest-create-custom-object")
def _friend(org: RunningOrg, sent: Sent) -> Sent:
    return replace(sent, body={"Friend__c": org.create("Contact", LastName="Friend")})


@stage("rest-delete", "errors-get-deleted-contact")
def _contact(org: RunningOrg, sent: Sent) -> Sent:
    contact = org.create("Contact", LastName="Gone")
    if sent.method == "GET":
        org.data("DELETE", f"/sobjects/Contact/{contact}")
    return replace(sent, path=sent.path.rpartition("/")[0] + f"/{contact}")


@stage("errors-delete-deleted")
def _deleted(org: RunningOrg, sent: Sent) -> Sent:
    detail = org.create("CustomObjectDetail__c")
    org.data("DELETE", f"/sobjects/CustomObjectDetail__c/{detail}")
    return replace(sent, path=sent.path.rpartition("/")[0] + f"/{detail}")


@stage("rest-get-account-row")
def _account(org: RunningOrg, sent: Sent) -> Sent:
    account = org.create("Account", Name="Smith", AccountNumber="a@example.com", CleanStatus="Pending")
    return replace(sent, path=sent.path.rpartition("/")[0] + f"/{account}", token=org.integration_token())


@stage("rest-get-lead-row")
def _lead(org: RunningOrg, sent: Sent) -> Sent:
    lead = org.create("Lead", LastName="Smith", Company="SmithCorp", Email="b@example.com", CleanStatus="Pending")
    return replace(sent, path=sent.path.rpartition("/")[0] + f"/{lead}", token=org.integration_token())


@stage("rest-organization")
def _organization(org: RunningOrg, sent: Sent) -> Sent:
    return replace(sent, path=sent.path.rpartition("/")[0] + f"/{org.ready['org_id']}", token=org.integration_token())


@stage("rest-patch")
def _patch(org: RunningOrg, sent: Sent) -> Sent:
    row = org.create("CustomObject__c")
    return replace(
        sent, path=sent.path.rpartition("/")[0] + f"/{row}", body={"Friend__c": org.create("Contact", LastName="F")}
    )


@stage("rest-upsert-created-v29")
def _created(org: RunningOrg, sent: Sent) -> Sent:
    clear(org, "CustomObject__c")
    return sent


@stage("rest-upsert-updated-v29")
def _updated(org: RunningOrg, sent: Sent) -> Sent:
    clear(org, "CustomObject__c")
    org.create("CustomObject__c", SynchronizationId__c="CustomObject::1", Name="x")
    return sent


@stage("errors-duplicate-permission-set-assignment")
def _assigned(org: RunningOrg, sent: Sent) -> Sent:
    given = org.create("PermissionSet", Name="Pytest", Label="Pytest")
    body = {"AssigneeId": org.ready["user_id"], "PermissionSetId": given}
    org.create("PermissionSetAssignment", **body)
    return replace(sent, body=body)


@stage("limits-record-count-empty")
def _no_contacts(org: RunningOrg, sent: Sent) -> Sent:
    clear(org, "Contact")
    return sent


@stage("limits-record-count-lag")
def _accounts(org: RunningOrg, sent: Sent) -> Sent:
    org.create("Account", Name="counted")
    return sent


# --- queries -----------------------------------------------------------------------------------------------------------


@stage("soql-account-wide")
def _six(org: RunningOrg, sent: Sent) -> Sent:
    clear(org, "Contact", "Account")
    for number in range(6):
        org.create("Account", Name=f"Account {number}", CleanStatus="Pending")
    return sent


@stage("soql-child-subquery")
def _children(org: RunningOrg, sent: Sent) -> Sent:
    clear(org, "Opportunity", "Contact")
    contacts = [org.create("Contact", FirstName=f"n{number}", LastName="x") for number in range(17)]
    for contact in (contacts[12], contacts[16]):
        org.create("Opportunity", Name="o", StageName="Prospecting", CloseDate="2026-12-01", ContactId=contact)
    return sent


@stage("soql-count-id-aggregate", "soql-empty")
def _some(org: RunningOrg, sent: Sent) -> Sent:
    clear(org, "Account")
    org.create("Account", Name="x")
    return sent


@stage("soql-custom-object-default-name", "soql-lookup-filter", "soql-datetime-range")
def _custom(org: RunningOrg, sent: Sent) -> Sent:
    clear(org, "CustomObject__c")
    friend = org.create("Contact", LastName="x", Email="somebody@example.com")
    row = org.create("CustomObject__c", Friend__c=friend)
    path = sent.path.replace("a001a000002zhZKAAY", row).replace("0031a0000065SyJAAU", friend)
    moment = org.get("CustomObject__c", row, "SystemModstamp")["SystemModstamp"][:19] + "Z"
    path = path.replace("2015-06-26T20:00:19Z", moment).replace("2015-06-26T20:00:29Z", "3000-01-01T00:00:00Z")
    return replace(sent, path=path)


@stage("soql-group-by-three")
def _tasks(org: RunningOrg, sent: Sent) -> Sent:
    clear(org, "Task", "Opportunity", "Case")
    opportunity = org.create("Opportunity", Name="o", StageName="Prospecting", CloseDate="2026-12-01")
    case = org.create("Case", Subject="x")
    day = "2017-10-15"
    for what, date, status in [
        *[(None, None, "Not Started")] * 10, *[(None, None, "Deferred")] * 3, (None, day, "Not Started"),
        (None, day, "Waiting on someone else"), (None, day, "Deferred"), (opportunity, None, "Deferred"),
        (case, "2017-10-03", "Not Started"),
    ]:  # fmt: skip
        org.create("Task", Subject="t", WhatId=what, ActivityDate=date, Status=status)
    return sent


@stage("soql-in-list", "soql-two-rows")
def _numbered(org: RunningOrg, sent: Sent) -> Sent:
    clear(org, "Account")
    org.create("Account", Name="x", AccountNumber="additivebrian@example.com", Custom_External_ID__c="1id")
    org.create("Account", Name="y", Custom_External_ID__c="2id")
    return sent


@stage("soql-typeof")
def _events(org: RunningOrg, sent: Sent) -> Sent:
    clear(org, "Event", "Contact", "Account")
    contact = org.create("Contact", LastName="Contact")
    account = org.create(
        "Account", Name="Account A", Description="Some Description", Phone="123456", AccountNumber="123"
    )
    for subject, what in (("Test Event 2", None), ("Test Event 1", account), ("Test Event 3", account)):
        org.create(
            "Event", Subject=subject, WhoId=contact, WhatId=what, DurationInMinutes=60,
            ActivityDateTime="2024-11-07T07:00:00.000+0000",
        )  # fmt: skip
    return sent


@stage("rest-search-sosl")
def _searched(org: RunningOrg, sent: Sent) -> Sent:
    clear(org, "Case", "Contact", "Account")
    for number, department in enumerate((None, "Procurement", "Finance")):
        org.create("Contact", FirstName="Test", LastName=f"n{number}", Department=department)
    org.create("Account", Name="Acme Construction", BillingCity="Round Rock", Site="test")
    org.create("Account", Name="Edge Communications", BillingCity="Champaign", NumberOfEmployees=1000, Site="a test")
    org.create("Case", Subject="Test case")
    text = "FIND {Test} RETURNING Contact(FirstName,LastName,Department),Account(Name,BillingCity,NumberOfEmployees),Case(CaseNumber)"
    return replace(sent, path=sent.path.partition("?")[0] + "?" + urlencode({"q": text}))


# --- tooling -----------------------------------------------------------------------------------------------------------


@stage("tooling-named-credential-query")
def _credential(org: RunningOrg, sent: Sent) -> Sent:
    stamp, user = "2020-11-06T14:04:44.000+0000", org.ready["user_id"]
    run(
        org,
        ('DELETE FROM "NamedCredential"', ()),
        ('INSERT INTO "NamedCredential" ("Id", "DeveloperName", "Language", "MasterLabel", "CreatedDate", "CreatedById", '
         '"LastModifiedDate", "LastModifiedById", "SystemModstamp", "Endpoint", "PrincipalType") '
         "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
         ("0XALb0000000001IAA", "Hook", "en_US", "Hook", stamp, user, stamp, user, stamp, "https://x.example", "Anonymous")),
    )  # fmt: skip
    return sent


@stage("tooling-subscriber-package")
def _package(org: RunningOrg, sent: Sent) -> Sent:
    run(
        org,
        ('DELETE FROM "SubscriberPackage"', ()), ('DELETE FROM "InstalledSubscriberPackage"', ()),
        ('INSERT INTO "SubscriberPackage" ("Id", "NamespacePrefix") VALUES (?, ?)', ("033Lb0000000001IAA", "pub")),
        ('INSERT INTO "InstalledSubscriberPackage" ("Id", "SubscriberPackageId", "SubscriberPackageVersionId") '
         "VALUES (?, ?, ?)", ("0A3Lb0000000001IAA", "033Lb0000000001IAA", "04tLb0000000001IAA")),
    )  # fmt: skip
    return sent


@stage("events-channel", "events-channel-member")
def _channel_of_ours(org: RunningOrg, sent: Sent) -> Sent:
    name = sent.path.split("/")[-2]
    full = {"PlatformEventChannel": "HREvents__chn", "PlatformEventChannelMember": "ChangeEvents_ContactChangeEvent"}[
        name
    ]
    metadata = (
        {"channelType": "data", "label": "Custom Channel for the HR App"} if full.endswith("__chn")
        else {"eventChannel": "ChangeEvents", "selectedEntity": "ContactChangeEvent"}
    )  # fmt: skip
    body = {"FullName": full, "Metadata": metadata}
    made = org.data("POST", f"/tooling/sobjects/{name}", body, version="58.0")
    assert made.status == 201, made.raw
    return replace(sent, path=sent.path.rpartition("/")[0] + f"/{made.json['id']}")


# --- describes -----------------------------------------------------------------------------------------------------------


@stage("describe-account", "describe-opportunity-contact-role")
def _version_48(org: RunningOrg, sent: Sent) -> Sent:
    del org
    return replace(sent, path=sent.path.replace(f"v{PLAIN}", "v48.0"))  # rest.md section 4: recorded at v48


@stage("limits-v58")
def _version_58(org: RunningOrg, sent: Sent) -> Sent:
    del org
    return replace(sent, path=sent.path.replace(f"v{PLAIN}", "v58.0"))


@stage("describe-global")
def _version_52(org: RunningOrg, sent: Sent) -> Sent:
    del org
    return replace(sent, path=sent.path.replace(f"v{PLAIN}", "v52.0"))


@stage("describe-user-role")
def _gzipped(org: RunningOrg, sent: Sent) -> Sent:
    del org
    return replace(sent, headers={**sent.headers, "Accept-Encoding": "gzip"})


# --- collections and composites ---------------------------------------------------------------------------------------


@stage("collections-delete")
def _three(org: RunningOrg, sent: Sent) -> Sent:
    made = [org.create("Account", Name="x") for _ in range(3)]
    return replace(sent, path=sent.path.partition("?")[0] + f"?ids={quote(','.join(made))}&allOrNone=true")


@stage("collections-update-converted-lead")
def _converted(org: RunningOrg, sent: Sent) -> Sent:
    lead = org.create("Lead", LastName="x", Company="y")
    run(org, ('UPDATE "Lead" SET "IsConverted" = 1 WHERE "Id" = ?', (lead,)))
    return replace(sent, body=_with_ids(sent.body, "id", [lead]))


@stage("collections-update-number-as-string", "collections-update-partial-invalid-email", "collections-upsert-id-v58")
def _existing(org: RunningOrg, sent: Sent) -> Sent:
    records = sent.body["records"]
    key = "id" if "id" in records[0] else "Id"
    return replace(sent, body=_with_ids(sent.body, key, [org.create("Account", Name="x") for _ in records]))


def _with_ids(body: Any, key: str, made: list[str]) -> Any:
    return {**body, "records": [{**one, key: record_id} for one, record_id in zip(body["records"], made, strict=True)]}


@stage("collections-upsert-email")
def _no_such_contacts(org: RunningOrg, sent: Sent) -> Sent:
    clear(org, "Opportunity", "Contact")
    return sent


@stage("collections-upsert-mixed")
def _known_contacts(org: RunningOrg, sent: Sent) -> Sent:
    clear(org, "Opportunity", "Contact")
    for one in sent.body["records"][:3]:
        org.create("Contact", LastName="known", Email=one["Email"])
    return sent


@stage("composite-four-queries", "composite-invalid-type")
def _one_account(org: RunningOrg, sent: Sent) -> Sent:
    clear(org, "Account")
    org.create("Account", Name="Smith Corp.")
    return sent


@stage("composite-reference-ids")
def _no_accounts(org: RunningOrg, sent: Sent) -> Sent:
    clear(org, "Account")
    return sent


@stage("composite-batch-two-queries")
def _two_each(org: RunningOrg, sent: Sent) -> Sent:
    clear(org, "Opportunity", "Account")
    for number in range(2):
        org.create("Account", Name=f"Sample {number}")
        org.create("Opportunity", Name=f"o{number}", StageName="Prospecting", CloseDate="2026-12-01")
    return sent


@stage("composite-not-modified")
def _later(org: RunningOrg, sent: Sent) -> Sent:
    del org
    text = json.dumps(sent.body).replace("Thu, 03 Sep 2020 21:35:07 GMT", "Sat, 01 Jan 2050 00:00:00 GMT")
    return replace(sent, body=json.loads(text))


@stage("graph-two-creates")
def _graph(org: RunningOrg, sent: Sent) -> Sent:
    del org
    base = "/services/data/v50.0/sobjects"
    requests = [
        {"method": "POST", "url": f"{base}/Account", "referenceId": "newAccount", "body": {"Name": "x"}},
        {"method": "POST", "url": f"{base}/Contact", "referenceId": "newContact",
         "body": {"LastName": "y", "AccountId": "@{newAccount.id}"}},
    ]  # fmt: skip
    return replace(sent, body={"graphs": [{"graphId": "graph1", "compositeRequest": requests}]})


# --- logins ------------------------------------------------------------------------------------------------------------


@stage("auth-expired-session")
def _expired(org: RunningOrg, sent: Sent) -> Sent:
    return replace(sent, token=org.ready["access_token"][:15] + "!AAAA")


@stage("tooling-sobjects")
def _zipped(org: RunningOrg, sent: Sent) -> Sent:
    return _gzipped(org, sent)


@stage("auth-identity-2015", "auth-identity-2023")
def _identity(org: RunningOrg, sent: Sent) -> Sent:
    return replace(sent, path=f"/id/{org.ready['org_id']}/{org.ready['user_id']}")


def _form(**fields: str) -> Sent:
    return Sent(
        "POST", "/services/oauth2/token", urlencode(fields), {"Content-Type": "application/x-www-form-urlencoded"}, None
    )


@stage("auth-token-password-2015")
def _password(org: RunningOrg, sent: Sent) -> Sent:
    del sent
    ready = org.ready
    return _form(
        grant_type="password", client_id=ready["client_id"], client_secret=ready["client_secret"],
        username=ready["username"], password=ready["password"] + ready["security_token"],
    )  # fmt: skip


@stage("auth-token-refresh")
def _refresh(org: RunningOrg, sent: Sent) -> Sent:
    del sent
    ready = org.ready
    return _form(
        grant_type="refresh_token", client_id=ready["client_id"], client_secret=ready["client_secret"],
        refresh_token=ready["refresh_token"],
    )  # fmt: skip


@stage("auth-introspect")
def _introspect(org: RunningOrg, sent: Sent) -> Sent:
    ready = org.ready
    given = _password(org, sent).to(org).json
    body = urlencode(
        {"token": given["access_token"], "client_id": ready["client_id"], "client_secret": ready["client_secret"]}
    )
    return replace(sent, body=body, headers={"Content-Type": "application/x-www-form-urlencoded"}, token=None)


@stage("soap-login-partner")
def _login(org: RunningOrg, sent: Sent) -> Sent:
    ready = org.ready
    body = sent.body.replace("user@example.com", ready["username"]).replace("PASSWORD", ready["password"])
    return replace(sent, body=body, headers={"Content-Type": "text/xml", "SOAPAction": "login"}, token=None)


@stage("wellknown-openid-login-2026", "wellknown-openid-my-domain-2023")
def _openid(org: RunningOrg, sent: Sent) -> Sent:
    del org
    return replace(sent, path="/.well-known/openid-configuration", token=None)
