"""The sfdx source behind the recordings: the custom objects and fields that their requests name."""

from __future__ import annotations

from pathlib import Path

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
NS = 'xmlns="http://soap.sforce.com/2006/04/metadata"'

TEXT = "<type>Text</type><length>255</length>"
EXTERNAL = "<type>Text</type><length>36</length><externalId>true</externalId><unique>true</unique>"
CHECKBOX = "<type>Checkbox</type><defaultValue>false</defaultValue>"
NUMBER = "<type>Number</type><precision>18</precision><scale>0</scale>"


def lookup(to: str, name: str) -> str:
    return f"<type>Lookup</type><referenceTo>{to}</referenceTo><relationshipName>{name}</relationshipName>"


FIELDS = {
    "CustomObject__c": {
        "Example_Field__c": TEXT, "Friend__c": lookup("Contact", "Friends"), "Visible__c": CHECKBOX,
        "SynchronizationId__c": EXTERNAL,
    },
    "CustomObjectDetail__c": {"CustomObject__c": lookup("CustomObject__c", "Details")},
    "Custom__c": {"CustomField__c": TEXT},
    "Account": {
        "Custom_External_ID__c": EXTERNAL, "email_field__c": "<type>Email</type>", "CustomerPriority__c": TEXT, "SLA__c": TEXT,
        "Active__c": TEXT, "NumberofLocations__c": NUMBER, "UpsellOpportunity__c": TEXT, "SLASerialNumber__c": TEXT,
        "SLAExpirationDate__c": "<type>Date</type>",
    },
    "Lead": {
        "SICCode__c": TEXT, "ProductInterest__c": TEXT, "Primary__c": TEXT, "CurrentGenerators__c": TEXT,
        "NumberofLocations__c": NUMBER,
    },
}  # fmt: skip
SETTINGS = frozenset({"Custom__c"})


def write(folder: Path) -> Path:
    """Make the project. Returns its folder."""
    objects = folder / "force-app" / "main" / "default" / "objects"
    for name, fields in FIELDS.items():
        place = objects / name / "fields"
        place.mkdir(parents=True)
        for field, rest in fields.items():
            label = (
                field.removesuffix("__c") if field == "email_field__c" else field.removesuffix("__c").replace("_", " ")
            )
            text = f"{HEAD}<CustomField {NS}><fullName>{field}</fullName><label>{label}</label>{rest}</CustomField>"
            (place / f"{field}.field-meta.xml").write_text(text)
        if name.endswith("__c"):
            (objects / name / f"{name}.object-meta.xml").write_text(_object(name))
    types = objects / "Account" / "recordTypes"
    types.mkdir()
    name = "PytestAccountRecordType"
    (types / f"{name}.recordType-meta.xml").write_text(
        f"{HEAD}<RecordType {NS}><fullName>{name}</fullName><active>true</active><label>Pytest</label></RecordType>"
    )
    (folder / "sfdx-project.json").write_text('{"packageDirectories": [{"path": "force-app", "default": true}]}')
    return folder


def _object(name: str) -> str:
    label = name.removesuffix("__c")
    kind = "<customSettingsType>List</customSettingsType>" if name in SETTINGS else (
        f"<nameField><label>{label} Name</label><type>Text</type></nameField><sharingModel>ReadWrite</sharingModel>"
        "<deploymentStatus>Deployed</deploymentStatus>"
    )  # fmt: skip
    return f"{HEAD}<CustomObject {NS}><label>{label}</label><pluralLabel>{label}s</pluralLabel>{kind}</CustomObject>"
