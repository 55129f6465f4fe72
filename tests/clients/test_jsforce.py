"""jsforce, unmodified, over plain HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.clients.conftest import ROWS, Served

pytestmark = pytest.mark.client

Run = Callable[[str], Any]
LOGIN = (
    "const c = new jsforce.Connection({loginUrl: org.url, version: '66.0'}); await c.login(org.username, org.password);"
)
SESSION = "const c = new jsforce.Connection({instanceUrl: org.url, accessToken: org.access_token, version: '66.0'});"


@pytest.mark.ledger("route.POST /services/Soap/{api}/{version}", "observed", "recording soap-login-partner")
@pytest.mark.ledger("auth.soap-login", "observed", "recording soap-login-partner")
def test_jsforce_logs_in_with_username_and_password(jsforce: Run, org: Served) -> None:
    found = jsforce(
        "const c = new jsforce.Connection({loginUrl: org.url}); const u = await c.login(org.username, org.password);"
        "return {u, instance: c.instanceUrl, token: c.accessToken};"
    )

    assert found["u"]["id"] == org.ready["user_id"]
    assert found["u"]["organizationId"] == org.ready["org_id"]
    assert found["instance"] == org.ready["url"].replace("127.0.0.1", "localhost")
    assert found["token"].startswith(org.ready["org_id"][:15] + "!")


def test_jsforce_logs_in_with_the_security_token_appended(jsforce: Run, org: Served) -> None:
    found = jsforce(
        "const c = new jsforce.Connection({loginUrl: org.url});"
        "return (await c.login(org.username, org.password + org.security_token)).id;"
    )

    assert found == org.ready["user_id"]


@pytest.mark.ledger("auth.soap-invalid-login", "documented", "auth.md section 6")
def test_jsforce_hears_of_a_wrong_password(jsforce: Run) -> None:
    error = jsforce(
        "const c = new jsforce.Connection({loginUrl: org.url});"
        "const e = await failed(() => c.login(org.username, 'wrong')); return {message: e.message, code: e.errorCode};"
    )

    assert error["message"] == "INVALID_LOGIN: Invalid username, password, security token; or user locked out."


@pytest.mark.ledger("auth.oauth-password", "observed", "recording auth-token-password-2015")
def test_jsforce_logs_in_over_oauth_and_refreshes(jsforce: Run, org: Served) -> None:
    found = jsforce(
        "const oauth2 = {loginUrl: org.url, clientId: org.client_id, clientSecret: org.client_secret,"
        " redirectUri: 'http://localhost/cb'};"
        "const c = new jsforce.Connection({oauth2}); const u = await c.login(org.username, org.password);"
        "const r = await c.oauth2.refreshToken(org.refresh_token);"
        "return {user: u.id, refreshed: Object.keys(r), limits: c.limitInfo};"
    )

    assert found["user"] == org.ready["user_id"]
    assert found["refreshed"] == [
        "access_token", "signature", "scope", "instance_url", "id", "token_type", "issued_at",
    ]  # fmt: skip


@pytest.mark.ledger("auth.client-credentials", "documented", "auth.md section 2")
def test_jsforce_logs_in_with_client_credentials(jsforce: Run, org: Served) -> None:
    found = jsforce(
        "const oauth2 = {loginUrl: org.url, clientId: org.client_id, clientSecret: org.client_secret};"
        "const c = new jsforce.Connection({oauth2, instanceUrl: org.url});"
        "const u = await c.authorize({grant_type: 'client_credentials'});"
        "return {u, rows: (await c.query('SELECT Id FROM Organization')).records.length};"
    )

    assert found["u"]["id"] == org.ready["user_id"]
    assert found["rows"] == 1


@pytest.mark.ledger("auth.errors", "documented", "auth.md section 4")
def test_jsforce_hears_of_a_wrong_client_secret(jsforce: Run) -> None:
    error = jsforce(
        "const oauth2 = {loginUrl: org.url, clientId: org.client_id, clientSecret: 'wrong'};"
        "const c = new jsforce.Connection({oauth2, instanceUrl: org.url});"
        "const e = await failed(() => c.authorize({grant_type: 'client_credentials'})); return {name: e.name, text: e.message};"
    )

    assert error == {"name": "invalid_client", "text": "invalid client credentials"}


@pytest.mark.ledger("auth.revoke", "documented", "auth.md section 5")
def test_jsforce_logs_out_and_its_session_is_gone(jsforce: Run) -> None:
    found = jsforce(
        "const oauth2 = {loginUrl: org.url, clientId: org.client_id, clientSecret: org.client_secret};"
        "const c = new jsforce.Connection({oauth2}); await c.login(org.username, org.password);"
        "const after = {instanceUrl: c.instanceUrl, accessToken: c.accessToken, version: '66.0'};"
        "await c.logout();"
        "const e = await failed(() => new jsforce.Connection(after).query('SELECT Id FROM Account'));"
        "return e.errorCode;"
    )

    assert found == "INVALID_SESSION_ID"


def test_jsforce_refreshes_an_ended_session_by_itself(jsforce: Run) -> None:
    found = jsforce(
        "const oauth2 = {loginUrl: org.url, clientId: org.client_id, clientSecret: org.client_secret};"
        "const c = new jsforce.Connection({oauth2, instanceUrl: org.url, accessToken: '00Dxx0000000000!gone',"
        " refreshToken: org.refresh_token, version: '66.0'});"
        "return (await c.query('SELECT Id FROM Account LIMIT 1')).totalSize;"
    )

    assert found == 1


@pytest.mark.ledger("rest.identity", "observed", "recordings auth-identity-2015, auth-identity-2023")
@pytest.mark.ledger("route.GET /id/{org}/{user}", "observed", "recording auth-identity-2023")
@pytest.mark.ledger("route.GET /services/data/{version}", "observed", "recording rest-root-v29")
def test_jsforce_asks_who_it_is(jsforce: Run, org: Served) -> None:
    identity = jsforce(SESSION + "return await c.identity();")

    assert identity["user_id"] == org.ready["user_id"]
    assert identity["username"] == org.ready["username"]


def test_jsforce_creates_reads_updates_and_deletes_a_record(jsforce: Run) -> None:
    found = jsforce(
        LOGIN + "const made = await c.sobject('Account').create({Name: 'From jsforce', NumberOfEmployees: 7});"
        "const read = await c.sobject('Account').retrieve(made.id);"
        "const changed = await c.sobject('Account').update({Id: made.id, Name: 'Changed'});"
        "const again = await c.sobject('Account').retrieve(made.id);"
        "const gone = await c.sobject('Account').destroy(made.id);"
        "const e = await failed(() => c.sobject('Account').retrieve(made.id));"
        "return {made, read, changed, again, gone, error: e.errorCode};"
    )

    assert found["made"]["success"] is True
    assert found["read"]["Name"] == "From jsforce"
    assert found["read"]["NumberOfEmployees"] == 7
    assert found["changed"] == {"id": found["made"]["id"], "success": True, "errors": []}
    assert found["again"]["Name"] == "Changed"
    assert found["gone"]["success"] is True
    assert found["error"] == "NOT_FOUND"


def test_jsforce_upserts_by_external_id(jsforce: Run) -> None:
    found = jsforce(
        SESSION + "const row = {Sku__c: 'JS-1', Name: 'Rocket', Kind__c: 'Herb'};"
        "const first = await c.sobject('Seed_Packet__c').upsert(row, 'Sku__c');"
        "const second = await c.sobject('Seed_Packet__c').upsert({...row, Name: 'Wild Rocket'}, 'Sku__c');"
        "const read = await c.sobject('Seed_Packet__c').retrieve(first.id);"
        "return {first, second, name: read.Name};"
    )

    assert found["first"]["created"] is True
    assert found["second"]["created"] is False
    assert found["first"]["id"] == found["second"]["id"]
    assert found["name"] == "Wild Rocket"


def test_jsforce_describes_the_org_and_an_object(jsforce: Run) -> None:
    found = jsforce(
        SESSION + "const g = await c.describeGlobal(); const d = await c.sobject('Garden_Order_Line__c').describe();"
        "return {names: g.sobjects.map(s => s.name), fields: d.fields.map(f => f.name), prefix: d.keyPrefix};"
    )

    assert {"Account", "Seed_Packet__c", "Packing_Event__e"} <= set(found["names"])
    assert {"Id", "Name", "Order__c", "Quantity__c"} <= set(found["fields"])
    assert found["prefix"].startswith("a")


def test_jsforce_fetches_every_page_of_a_query(jsforce: Run) -> None:
    found = jsforce(
        SESSION + "const text = \"SELECT Id, LastName FROM Contact WHERE LastName LIKE 'Row %' ORDER BY LastName\";"
        "const first = await c.query(text); const second = await c.queryMore(first.nextRecordsUrl);"
        "const small = await c.query(text, {headers: {'Sforce-Query-Options': 'batchSize=200'}});"
        "const all = await c.query(text, {autoFetch: true, maxFetch: 10000});"
        "return {pages: [first.records.length, second.records.length, small.records.length], total: first.totalSize,"
        " done: [first.done, second.done], names: all.records.map(r => r.LastName)};"
    )

    assert found["pages"] == [2000, 2000, 200]
    assert found["total"] == ROWS
    assert found["done"] == [False, False]
    assert found["names"] == [f"Row {number:04}" for number in range(ROWS)]


def test_jsforce_hears_of_errors_by_their_code(jsforce: Run) -> None:
    found = jsforce(
        SESSION + "const code = async (work) => (await failed(work)).errorCode;"
        "return [await code(() => c.query('SELECT Nope FROM Account')), await code(() => c.query('SELECT FROM')),"
        " await code(() => c.sobject('Account').create({})), await code(() => c.sobject('Nope__c').describe())];"
    )

    assert found == ["INVALID_FIELD", "MALFORMED_QUERY", "REQUIRED_FIELD_MISSING", "NOT_FOUND"]


def test_jsforce_reads_the_limits(jsforce: Run) -> None:
    found = jsforce(SESSION + "const l = await c.limits(); return {limits: l, info: c.limitInfo};")

    assert found["limits"]["DailyApiRequests"]["Max"] > 0
    assert found["info"]["apiUsage"]["limit"] == found["limits"]["DailyApiRequests"]["Max"]
