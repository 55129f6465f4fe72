"""Every resource of `rest.md` section 2: it works, or it answers by name that it is not there."""

from __future__ import annotations

import gzip
import json
from typing import Any
from urllib.parse import quote

import pytest

from tests.support.running import RunningOrg

ledger = pytest.mark.ledger
LATER = "FUNCTIONALITY_NOT_ENABLED"

# Path under the version -> 200, or the code of the error. {account}, {user}, {file} are records.
TABLE: dict[str, int | str] = {
    "/": 200, "/sobjects": 200, "/sobjects/": 200, "/sobjects/Account": 200, "/sobjects/account/": 200,
    "/sobjects/Account/describe": 200, "/sobjects/Account/describe/": 200,
    "/sobjects/Account/describe/layouts": LATER, "/sobjects/Account/describe/layouts/012000000000000AAA": LATER,
    "/sobjects/Account/describe/compactLayouts": LATER, "/sobjects/Account/describe/approvalLayouts": LATER,
    "/sobjects/Account/listviews": LATER, "/sobjects/Account/listviews/00B/describe": LATER,
    "/sobjects/Account/listviews/00B/results": LATER, "/sobjects/Account/quickActions": LATER,
    "/sobjects/Account/defaultValues?recordTypeId&fields": LATER, "/sobjects/Case/suggestedArticles": LATER,
    "/sobjects/Account/{account}": 200, "/sobjects/Account/{account}/": 200, "/sobjects/Account/Id/{account}": 200,
    "/sobjects/ContentVersion/{file}/VersionData": 200, "/sobjects/Account/{account}/Contacts": 200,
    "/sobjects/Account/{account}/Owner": 200, "/sobjects/Account/Garden_Club_Number__c/GC-TABLE": 200,
    "/sobjects/Account/updated?start=2020-01-01T00%3A00%3A00Z&end=2020-01-02T00%3A00%3A00Z": "INVALID_REPLICATION_DATE",
    "/sobjects/Account/deleted?start=x&end=y": "INVALID_REPLICATION_DATE",
    "/sobjects/User/{user}/password": 200, "/sobjects/Nope": "NOT_FOUND", "/sobjects/Nope/describe": "NOT_FOUND",
    "/sobjects/Account/001000000000000AAA": "NOT_FOUND", "/sobjects/Account/Nope/x": "NOT_FOUND",
    "/sobjects/Packing_Event__e/eventSchema": 200, "/event/eventSchema/nope": "NOT_FOUND",
    "/query?q=SELECT+Id+FROM+Account": 200, "/query/?q=SELECT+Id+FROM+Account": 200, "/query": "MALFORMED_QUERY",
    "/queryAll?q=SELECT+Id+FROM+Account": 200, "/query?explain=SELECT+Id+FROM+Account": 200,
    "/query/nope": "INVALID_QUERY_LOCATOR", "/search?q=FIND+%7BTable%7D+RETURNING+Account": 200, "/search": "MALFORMED_SEARCH",
    "/parameterizedSearch?q=Table&sobject=Account": 200, "/search/scopeOrder": 200, "/search/layout?q=Account": LATER,
    "/recent": 200, "/recent?limit=2": 200, "/limits": 200, "/limits/": 200, "/limits/recordCount?sObjects=Account,Contact": 200,
    "/composite": 200, "/composite/sobjects/Account?ids={account}&fields=Id": 200, "/tooling": 200, "/tooling/sobjects": 200,
    "/tooling/query?q=SELECT+Id+FROM+ApexClass": 200, "/tooling/executeAnonymous?anonymousBody=x": LATER,
    "/tooling/completions?type=apex": LATER, "/appMenu": 200, "/appMenu/AppSwitcher": 200, "/tabs": 200, "/theme": 200,
    "/connect/communities": 200, "/connect/organization": LATER, "/chatter/feeds": LATER, "/ui-api/object-info": LATER,
    "/actions/standard": LATER, "/actions/custom": LATER, "/analytics/reports": LATER, "/process/rules": LATER,
    "/support": LATER, "/support/dataCategoryGroups": LATER, "/metadata/deployRequest": LATER, "/wave": LATER,
    "/wave/dashboards": LATER, "/compactLayouts?q=Account": LATER, "/async/specifications/oas3": LATER,
    "/named-credentials/named-credential-setup": LATER, "/nope": "NOT_FOUND", "/sobjects/Account/x/y/z": "NOT_FOUND",
}  # fmt: skip
OF_OTHERS = ("/jobs/ingest", "/jobs/query", "/graphql")
"""Work under way elsewhere: here it is enough that nothing answers 500 or without a code."""


@pytest.fixture(scope="module")
def known(org: RunningOrg) -> dict[str, str]:
    account = org.create("Account", Name="Table", Garden_Club_Number__c="GC-TABLE")
    file = org.create("ContentVersion", PathOnClient="t.txt", VersionData="QQ==")
    return {"account": account, "file": file, "user": org.ready["user_id"]}


@ledger("rest.resource-table", "documented", "rest.md section 2")
@pytest.mark.parametrize("path", TABLE)
def test_every_resource_works_or_says_why_not(org: RunningOrg, known: dict[str, str], path: str) -> None:
    reply = org.data("GET", path.format(**known))

    found: Any = reply.status if reply.status == 200 else reply.error
    assert found == TABLE[path], reply.raw
    assert reply.headers["sforce-limit-info"].startswith("api-usage=")


@pytest.mark.parametrize("path", OF_OTHERS)
def test_what_others_build_answers_in_salesforces_form(org: RunningOrg, path: str) -> None:
    reply = org.data("GET", path)

    assert reply.status == 200 or reply.error


def test_every_entry_of_the_root_answers(org: RunningOrg) -> None:
    for name, url in org.data("GET", "/").json.items():
        reply = org.request("GET", url if name != "identity" else url[url.index("/id/") :])
        assert reply.status == 200 or reply.json[0]["errorCode"] != "NOT_FOUND", name


# --- headers ---------------------------------------------------------------------------------------------------------


@ledger("rest.front-door", "observed", "clients.md finding 18")
@ledger("route.GET /", "observed", "clients.md finding 18: django-salesforce pings the host")
def test_a_ping_of_the_host_is_answered(org: RunningOrg) -> None:
    for method in ("GET", "HEAD"):
        reply = org.request(method, "/", token=None)
        assert (reply.status, reply.headers["content-type"]) == (200, "text/html;charset=UTF-8")


@ledger("rest.headers", "documented", "rest.md sections 1 and 7")
def test_the_headers_that_clients_send_are_understood(org: RunningOrg, known: dict[str, str]) -> None:
    token, path = org.ready["access_token"], f"/services/data/v67.0/sobjects/Account/{known['account']}"

    for scheme in ("Bearer", "OAuth", "oauth", "bearer"):
        assert org.request("GET", path, token=None, headers={"Authorization": f"{scheme} {token}"}).status == 200
    for scheme in ("Basic", "Token"):
        refused = org.request("GET", path, token=None, headers={"Authorization": f"{scheme} {token}"})
        assert (refused.status, refused.error) == (401, "INVALID_SESSION_ID")
        assert refused.headers["www-authenticate"] == "Token"
        assert "sforce-limit-info" not in refused.headers
    patched = org.request("POST", f"{path}?_HttpMethod=PATCH", {"Phone": "9"})
    assert (patched.status, patched.raw, "content-type" in patched.headers) == (204, b"", False)
    packed = gzip.compress(json.dumps({"Phone": "10"}).encode())
    sent = {"Content-Encoding": "gzip", "Content-Type": "application/json; charset=UTF-8",
            "Sforce-Call-Options": "client=test, defaultNamespace=x", "X-PrettyPrint": "1"}  # fmt: skip
    assert org.request("PATCH", path, packed, headers=sent).status == 204
    assert org.get("Account", known["account"], "Phone")["Phone"] == "10"
    whole = org.request("GET", "/services/data/v67.0/sobjects", headers={"Accept-Encoding": "gzip, deflate"})
    assert whole.headers["etag"].endswith('--gzip"')
    assert json.loads(gzip.decompress(whole.raw))["encoding"] == "UTF-8"


def test_limit_info_counts_every_call(org: RunningOrg) -> None:
    def used() -> int:
        info = org.data("GET", "/limits").headers["sforce-limit-info"]
        return int(info.removeprefix("api-usage=").partition("/")[0])

    before = used()
    org.data("GET", "/sobjects/Nope")
    org.request("GET", "/services/data", token=None)

    assert used() - before == 2
    limits = org.data("GET", "/limits").json["DailyApiRequests"]
    assert limits["Max"] - limits["Remaining"] == before + 3


# --- passwords -------------------------------------------------------------------------------------------------------


@ledger("rest.user-password", "documented", "REST guide, sObject User Password")
@ledger(
    "route.POST /services/data/{version}/sobjects/{sobject}/{field}/{value}",
    "documented",
    "REST guide, sObject User Password",
)
@ledger("error.InvalidNewPassword", "documented", "code of the WSDL's list, text guessed")
def test_a_password_is_set_and_told_by_nobody(org: RunningOrg) -> None:
    server = org.door.server
    path = f"/sobjects/User/{server.org.integration_id}/password"

    assert org.data("GET", path).json == {"isExpired": False}
    assert org.data("POST", path, {"NewPassword": "short"}).error == "INVALID_NEW_PASSWORD"
    done = org.data("POST", path, {"NewPassword": "long enough now"})
    assert (done.status, done.raw) == (204, b"")
    form = {
        "grant_type": "password", "client_id": org.ready["client_id"], "client_secret": org.ready["client_secret"],
        "username": server.credentials.integration_username, "password": "long enough now",
    }  # fmt: skip
    body = "&".join(f"{name}={quote(value)}" for name, value in form.items()).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    token = org.request("POST", "/services/oauth2/token", body, token=None, headers=headers).json["access_token"]
    mine = f"/sobjects/User/{org.ready['user_id']}/password"
    assert (
        org.data("POST", mine, {"NewPassword": "not allowed"}, token=token).error == "INSUFFICIENT_ACCESS_OR_READONLY"
    )
    assert org.data("DELETE", path).error == LATER
    assert org.data("POST", "/sobjects/Account/x/password", {"NewPassword": "long enough"}).error == "NOT_FOUND"
