"""The wider REST API through published clients: files, relationships, changes, searches, the Tooling API."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from simple_salesforce import Salesforce

from tests.clients.conftest import Served

pytestmark = pytest.mark.client
ledger = pytest.mark.ledger


@pytest.fixture(scope="module")
def sf(org: Served) -> Iterator[Salesforce]:
    with pytest.MonkeyPatch.context() as patch, requests.Session() as session:
        patch.setenv("REQUESTS_CA_BUNDLE", org.ready["ca_file"])
        yield Salesforce(
            instance_url=f"https://localhost:{org.port}", session_id=org.ready["access_token"], session=session
        )


@ledger("client.simple-salesforce-wide", "observed", "simple-salesforce, unmodified")
def test_simple_salesforce_uploads_searches_and_asks_what_changed(sf: Salesforce) -> None:
    content = os.urandom(100_000)
    parent = sf.Account.create({"Name": "Wide and Sons"})["id"]
    version = sf.ContentVersion.create({
        "PathOnClient": "data.bin", "VersionData": base64.b64encode(content).decode(), "FirstPublishLocationId": parent,
    })["id"]  # fmt: skip
    url = f"{sf.base_url}sobjects/ContentVersion/{version}/VersionData"
    now = datetime.now(UTC)

    got = sf.session.get(url, headers={"Authorization": f"Bearer {sf.session_id}"}).content
    links = sf.restful(f"sobjects/Account/{parent}/ContentDocumentLinks", {"fields": "ShareType"})
    updated = sf.Account.updated(now - timedelta(hours=1), now + timedelta(minutes=2))
    sf.Account.delete(parent)
    deleted = sf.Account.deleted(now - timedelta(hours=1), now + timedelta(minutes=2))

    assert got == content
    assert [link["ShareType"] for link in links["records"]] == ["V"]
    assert parent in updated["ids"]
    assert parent in [row["id"] for row in deleted["deletedRecords"]]
    assert sf.quick_search("Rosehill")["searchRecords"]
    assert sf.search("FIND {Rosehill} RETURNING Account(Name)")["searchRecords"][0]["Name"].startswith("Rosehill")
    assert sf.toolingexecute("query/?q=SELECT+DeveloperName+FROM+CustomObject+LIMIT+1")["size"] == 1
    assert sf.limits()["FileStorageMB"]["Max"] == 20


@ledger("client.jsforce-wide", "observed", "jsforce, unmodified")
def test_jsforce_uploads_a_form_and_reads_the_front_room(jsforce: Callable[[str], Any]) -> None:
    found = jsforce("""
        const c = new jsforce.Connection({ instanceUrl: org.url, accessToken: org.access_token, version: '64.0' });
        const content = Buffer.from(Array.from({ length: 70000 }, (_, i) => i % 256));
        const made = await c.sobject('ContentVersion').create(
            { PathOnClient: 'form.bin', Title: 'Form', VersionData: content.toString('base64') },
            { multipartFileFields: { VersionData: { filename: 'form.bin', contentType: 'application/octet-stream' } } });
        const blob = c.sobject('ContentVersion').record(made.id).blob('VersionData');
        const parts = [];
        for await (const part of blob) parts.push(part);
        const account = await c.sobject('Account').create({ Name: 'Jsforce Wide' });
        await c.sobject('Contact').create({ LastName: 'Child', AccountId: account.id });
        const start = new Date(Date.now() - 3600e3), end = new Date(Date.now() + 120e3);
        return {
            made: made.success, same: Buffer.concat(parts).equals(content),
            updated: (await c.sobject('Account').updated(start, end)).ids.includes(account.id),
            deleted: (await c.sobject('Account').deleted(start, end)).deletedRecords.length >= 0,
            recent: (await c.recent()).length > 0, tabs: (await c.tabs()).length > 0,
            theme: (await c.theme()).themeItems.length > 0, limits: (await c.limits()).DailyApiRequests.Max > 0,
            search: (await c.search('FIND {Jsforce*} RETURNING Account(Id)')).searchRecords.map(r => r.Id).includes(account.id),
            tooling: (await c.tooling.query('SELECT Id FROM CustomField')).totalSize > 0,
            toolingDescribe: (await c.tooling.sobject('CustomField').describe()).name,
            children: (await c.request(`/services/data/v64.0/sobjects/Account/${account.id}/Contacts`)).totalSize,
        };
    """)

    assert found == {
        "made": True, "same": True, "updated": True, "deleted": True, "recent": True, "tabs": True, "theme": True,
        "limits": True, "search": True, "tooling": True, "toolingDescribe": "CustomField", "children": 1,
    }  # fmt: skip
