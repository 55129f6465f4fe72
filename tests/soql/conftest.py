"""A small organization that the tests of the language ask: accounts with people, deals, tasks and two kinds of what a task is of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.running import RunningOrg


@pytest.fixture(scope="package")
def firm(home: Path, project: Path) -> Iterator[RunningOrg]:
    """Read-only for its users: the tests compare whole results."""
    with RunningOrg(home=home, daily_api_requests=1_000_000, source=(project,)) as org:
        accounts = {
            name: org.create(
                "Account", Name=name, Type=kind, Industry=industry, AnnualRevenue=revenue, NumberOfEmployees=staff,
                BillingLatitude=where[0], BillingLongitude=where[1], Description=f"about {name}",
            )
            for name, kind, industry, revenue, staff, where in (
                ("Alpha", "Prospect", "Energy", 1200, 3, (37.79, -122.40)),
                ("beta", "Other", "Energy", None, 12, (40.71, -74.01)),
                ("Gamma", None, "Banking", 300, None, (None, None)),
                ("Delta", "Prospect", "Banking", 500, 0, (51.51, -0.13)),
            )
        }  # fmt: skip
        people = {
            last: org.create("Contact", LastName=last, AccountId=accounts.get(parent), Birthdate=born, LeadSource=lead)
            for last, parent, born, lead in (
                ("One", "Alpha", "1990-05-17", "Web"), ("Two", "Alpha", "1985-12-31", "Other"),
                ("Three", "beta", "2000-02-29", "Web"), ("Four", "", None, None),
            )
        }  # fmt: skip
        deal = org.create(
            "Opportunity",
            Name="Deal",
            StageName="Prospecting",
            CloseDate="2024-05-03",
            AccountId=accounts["Alpha"],
            Amount=99.5,
        )
        org.create("Task", Subject="Call", WhatId=accounts["Alpha"], WhoId=people["One"])
        org.create("Task", Subject="Write", WhatId=deal, WhoId=people["Two"])
        org.create("Task", Subject="Think")
        for name, colours in (("a", "Red;Green"), ("b", "Green"), ("c", None), ("d", "Blue;Green;Red")):
            org.create("Paint__c", Name=name, Colours__c=colours)
        yield org


@pytest.fixture(scope="session")
def project(home: Path) -> Path:
    return _project(home)


def _project(home: Path) -> Path:
    """An sfdx project with one object that has a multi-select picklist and two long texts."""
    folder = home / "paint" / "force-app" / "main" / "default" / "objects" / "Paint__c"
    (folder / "fields").mkdir(parents=True, exist_ok=True)
    space = 'xmlns="http://soap.sforce.com/2006/04/metadata"'
    (folder / "Paint__c.object-meta.xml").write_text(
        f"<CustomObject {space}><label>Paint</label><pluralLabel>Paints</pluralLabel><nameField><label>Name</label>"
        "<type>Text</type></nameField><sharingModel>ReadWrite</sharingModel><enableActivities>true</enableActivities></CustomObject>"
    )
    values = "".join(
        f"<value><fullName>{name}</fullName><default>false</default><label>{label}</label></value>"
        for name, label in (("Red", "Rot"), ("Green", "Green"), ("Blue", "Blau"))
    )
    fields = {
        "Colours__c": "<type>MultiselectPicklist</type><visibleLines>3</visibleLines><valueSet><valueSetDefinition>"
        f"<sorted>false</sorted>{values}</valueSetDefinition></valueSet>",
        "First__c": "<type>LongTextArea</type><length>32000</length><visibleLines>3</visibleLines>",
        "Second__c": "<type>LongTextArea</type><length>32000</length><visibleLines>3</visibleLines>",
        "Text__c": "<type>Text</type><length>80</length>",
        "Amount__c": "<type>Number</type><precision>10</precision><scale>2</scale>",
        "Flag__c": "<type>Checkbox</type><defaultValue>false</defaultValue>",
        "Day__c": "<type>Date</type>",
        "When__c": "<type>DateTime</type>",
        "Account__c": "<type>Lookup</type><referenceTo>Account</referenceTo><relationshipLabel>Paints</relationshipLabel>"
        "<relationshipName>Paints</relationshipName>",
    }
    for name, body in fields.items():
        (folder / "fields" / f"{name}.field-meta.xml").write_text(
            f"<CustomField {space}><fullName>{name}</fullName><label>{name}</label>{body}</CustomField>"
        )
    (home / "paint" / "sfdx-project.json").write_text(
        '{"packageDirectories": [{"path": "force-app", "default": true}]}'
    )
    return home / "paint"
