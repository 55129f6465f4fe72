"""
Published clients that nobody built Landbridge for, unmodified: sf-toolkit by URL, aiosalesforce (which takes nothing but
`*.my.salesforce.com`) under `landbridge exec`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from sf_toolkit import SalesforceClient, SObject
from sf_toolkit.auth import SalesforceToken
from sf_toolkit.data.fields import BlobData, DateTimeField, FieldFlag, IdField, NumberField, TextField
from sf_toolkit.data.sobject import SObjectList
from sf_toolkit.data.standard_schemas import ContentVersion
from sf_toolkit.exceptions import SalesforceError
from sf_toolkit.io import (
    delete_list,
    fetch,
    fetch_list,
    save_insert,
    save_insert_bulk,
    save_insert_list,
    save_update,
    save_update_list,
    save_upsert,
    save_upsert_list,
    select,
    sobject_describe,
)
from sf_toolkit.io.api import download_file

from tests.clients.conftest import Served
from tests.conftest import ROOT

pytestmark = pytest.mark.client


class Account(SObject, api_name="Account"):
    Id = IdField()
    Name = TextField()
    CreatedDate = DateTimeField(FieldFlag.readonly)


class Contact(SObject, api_name="Contact"):
    Id = IdField()
    LastName = TextField()
    FirstName = TextField()


class Packet(SObject, api_name="Seed_Packet__c"):
    Id = IdField()
    Name = TextField()
    Sku__c = TextField()
    Price__c = NumberField()


@pytest.fixture(scope="module", autouse=True)
def toolkit(org: Served) -> Iterator[SalesforceClient]:
    token = SalesforceToken(httpx.URL(org.ready["url"]), org.ready["access_token"])
    with SalesforceClient(token=token) as client:
        yield client


@pytest.mark.ledger("client.sf-toolkit", "observed", "sf-toolkit, unmodified")
def test_sf_toolkit_finds_its_way_and_keeps_a_record(toolkit: SalesforceClient, org: Served) -> None:
    made = Account(Name="Toolkit & Sons")
    save_insert(made)
    made.Name = "Toolkit's"
    save_update(made, only_changes=True)
    since = datetime(2020, 1, 1, tzinfo=UTC)

    found = list(select(Account).where(Name__in=["Toolkit's", "x"], CreatedDate__gt=since).execute())

    assert max(toolkit.versions) == 67.0
    assert org.ready["username"] in str(toolkit)
    assert len(sobject_describe(Account)["fields"]) > 50
    assert [row.Id for row in found] == [made.Id]
    assert fetch(Account, str(made.Id)).Name == "Toolkit's"


def test_sf_toolkit_upserts_by_an_external_id_that_needs_quoting() -> None:
    first = Packet(Name="a", Sku__c="TK/1?&x", Price__c=1.5)
    save_upsert(first, "Sku__c")
    save_upsert(Packet(Name="a", Sku__c="TK/1?&x", Price__c=2.5), "Sku__c")
    results = save_upsert_list(
        SObjectList([Packet(Name="b", Sku__c="TK/1?&x"), Packet(Name="c", Sku__c="TK-2")]), "Sku__c"
    )

    assert [one.success for one in results] == [True, True]
    assert results[0].id == first.Id
    assert [row.Name for row in select(Packet).where(Sku__c__like="TK%").order_by(Name="ASC").execute()] == ["b", "c"]


def test_sf_toolkit_writes_reads_and_deletes_lists() -> None:
    people = SObjectList([Contact(LastName=f"Toolkit {number}") for number in range(450)])

    assert all(one.success for one in save_insert_list(people))
    people[449].FirstName = "changed"
    assert all(one.success for one in save_update_list(people, only_changes=True))
    assert fetch_list(Contact, str(people[449].Id))[0].FirstName == "changed"
    (refused,) = save_insert_list(SObjectList([Contact(FirstName="nameless")]))
    assert (refused.success, refused.errors[0].fields) == (False, ["LastName"])
    asked = select(Contact).where(LastName__like="Toolkit%")
    assert asked.count() == 450
    assert sum(one.success for one in delete_list(people)) == 450
    assert asked.count() == 0


def test_sf_toolkit_reads_more_than_a_page() -> None:
    found = {row.Id for row in select(Contact).where(LastName__like="Row %").execute()}

    assert len(found) == 4_321


def test_sf_toolkit_uploads_a_file() -> None:
    made = ContentVersion(Title="t", PathOnClient="a.txt", VersionData=BlobData(b"\x00bytes", filename="a.txt"))

    save_insert(made)

    assert download_file(made, None) == b"\x00bytes"


def test_sf_toolkit_hears_that_bulk_2_is_not_there_yet() -> None:
    with pytest.raises(SalesforceError, match=r"Landbridge does not support this yet: Bulk API 2\.0"):
        save_insert_bulk(SObjectList([Account(Name="x")]))


# --- under exec --------------------------------------------------------------------------------------------------------

AIOSALESFORCE = """
import asyncio
import httpx
from aiosalesforce import ClientCredentialsFlow, Salesforce, SoapLogin, format_soql
from aiosalesforce.exceptions import NotFoundError

async def main(auth):
    async with httpx.AsyncClient(timeout=60) as http:
        sf = Salesforce(http, base_url="https://acme.my.salesforce.com", auth=auth)
        made = await sf.sobject.create("Account", {"Name": 'A & "b" <c>'})
        await sf.sobject.update("Account", made, {"Name": "it's <b>"})
        found = [row["Id"] async for row in sf.query(format_soql("SELECT Id FROM Account WHERE Name = {name}", name="it's <b>"))]
        one = await sf.sobject.upsert("Seed_Packet__c", "AIO 1", external_id_field="Sku__c", data={"Name": "x"})
        two = await sf.sobject.upsert("Seed_Packet__c", "AIO 1", external_id_field="Sku__c", data={"Name": "y"})
        by = await sf.sobject.get("Seed_Packet__c", "AIO 1", external_id_field="Sku__c", fields=["Name"])
        await sf.sobject.delete("Seed_Packet__c", "AIO 1", external_id_field="Sku__c")
        pages = [row async for row in sf.query("SELECT DurableId FROM FieldDefinition")]
        async with sf.composite.batch(halt_on_error=True) as batch:
            got = batch.sobject.get("Account", made)
            listed = batch.query("SELECT Id FROM Account LIMIT 1")
        async with sf.composite(all_or_none=True) as together:
            parent = together.sobject.create("Account", {"Name": "C & <D>"})
            child = together.sobject.create("Contact", {"LastName": "x", "AccountId": f"{parent.reference.id}"})
        asked = [row async for row in sf.query(f"SELECT AccountId FROM Contact WHERE Id = '{child.id}'")]
        await sf.sobject.delete("Account", made)
        try:
            await sf.sobject.get("Account", made)
            gone = False
        except NotFoundError:
            gone = True
        print(found == [made], one.created, two.created, by["Name"], len(pages) > 2000, got.record["Name"], len(listed.records),
              asked[0]["AccountId"] == parent.id, gone, "DailyApiRequests" in await sf.get_limits())

asyncio.run(main(SoapLogin("ops@acme.example.com", "pa55-word", "T0ken")))
asyncio.run(main(ClientCredentialsFlow("app", "secret")))
"""


@pytest.mark.ledger("client.aiosalesforce", "observed", "aiosalesforce under landbridge exec, unmodified")
def test_aiosalesforce_runs_as_it_is(home: Path, tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(AIOSALESFORCE)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LANDBRIDGE_")}

    done = subprocess.run(
        [sys.executable, "-m", "landbridge", "exec", "--username", "ops@acme.example.com", "--password", "pa55-word",
         "--security-token", "T0ken", "--connected-app", "app:secret", "--source", ROOT / "examples" / "shop",
         "--", sys.executable, tmp_path / "script.py"],
        env={**kept, "LANDBRIDGE_HOME": str(home)}, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["True True False y True it's <b> 1 True True True"] * 2
