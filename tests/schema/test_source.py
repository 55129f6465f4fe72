"""sfdx source: what is read, what is said of the rest, and how a changed source changes an org."""

from __future__ import annotations

from pathlib import Path

import pytest

from landbridge.errors import LandbridgeError
from landbridge.schema import Catalog, Field, SObject, standard
from landbridge.schema.source import Severity, Source, read, report
from landbridge.schema.source.fields import bitmap
from tests.conftest import ROOT
from tests.support.running import RunningOrg

ledger = pytest.mark.ledger
NS = 'xmlns="http://soap.sforce.com/2006/04/metadata"'


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog(standard.load())


def write(folder: Path, name: str, kind: str, inner: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    root = {"field": "CustomField", "object": "CustomObject", "globalValueSet": "GlobalValueSet"}.get(kind, kind)
    (folder / f"{name}.{kind}-meta.xml").write_text(f'<?xml version="1.0"?>\n<{root} {NS}>\n{inner}\n</{root}>\n')


def project(folder: Path, fields: dict[str, str], *, extra: str = "") -> Path:
    """A package with one custom object Thing__c."""
    write(folder / "objects/Thing__c", "Thing__c", "object",
          f"<label>Thing</label><pluralLabel>Things</pluralLabel><nameField><label>Name</label><type>Text</type></nameField>{extra}")  # fmt: skip
    for name, inner in fields.items():
        write(
            folder / "objects/Thing__c/fields",
            name,
            "field",
            f"<fullName>{name}</fullName><label>{name}</label>{inner}",
        )
    return folder


def thing(source: Source) -> dict[str, Field]:
    (found,) = [sobject for sobject in source.objects if sobject.name == "Thing__c"]
    return {field.name: field for field in Catalog([found]).get("thing__c").fields}  # type: ignore[union-attr]


VALUES = "<valueSet><restricted>true</restricted><valueSetDefinition><value><fullName>a</fullName><label>A</label>" \
         "<default>true</default></value><value><fullName>b</fullName><label>B</label></value></valueSetDefinition></valueSet>"  # fmt: skip

# source type -> (elements, describe type, what the Field must say)
KINDS = {
    "Text": ("<length>30</length>", "string", {"length": 30, "byte_length": 90}),
    "TextArea": ("", "textarea", {"length": 255, "filterable": True}),
    "LongTextArea": ("<length>1000</length><visibleLines>3</visibleLines>", "textarea", {"length": 1000, "filterable": False}),
    "Html": ("<length>1000</length><visibleLines>3</visibleLines>", "textarea", {"html_formatted": True}),
    "Email": ("", "email", {"length": 80}), "Phone": ("", "phone", {"length": 40}), "Url": ("", "url", {"length": 255}),
    "Number": ("<precision>6</precision><scale>0</scale>", "double", {"precision": 6, "scale": 0}),
    "Currency": ("<precision>8</precision><scale>2</scale>", "currency", {"precision": 8, "scale": 2}),
    "Percent": ("<precision>5</precision><scale>1</scale>", "percent", {"precision": 5}),
    "Checkbox": ("<defaultValue>true</defaultValue>", "boolean", {"default_value": True, "nillable": False}),
    "Date": ("", "date", {}), "DateTime": ("", "datetime", {}), "Time": ("", "time", {}),
    "Picklist": (VALUES, "picklist", {"restricted_picklist": True}),
    "MultiselectPicklist": (VALUES + "<visibleLines>3</visibleLines>", "multipicklist", {"restricted_picklist": True}),
    "AutoNumber": ("<displayFormat>T-{000}</displayFormat>", "string", {"auto_number": True, "createable": False}),
    "Lookup": ("<referenceTo>Account</referenceTo><relationshipName>Things</relationshipName>", "reference",
               {"reference_to": ("Account",), "relationship_name": "F__r", "child_relationship_name": "Things__r"}),
    "MasterDetail": ("<referenceTo>Account</referenceTo><relationshipName>Things</relationshipName>", "reference",
                     {"nillable": False, "cascade_delete": True, "updateable": False}),
    "Location": ("<scale>5</scale><displayLocationInDecimal>true</displayLocationInDecimal>", "location",
                 {"display_location_in_decimal": True}),
    "EncryptedText": ("<length>50</length><maskChar>X</maskChar><maskType>all</maskType>", "encryptedstring",
                      {"encrypted": True, "mask": "X"}),
}  # fmt: skip


@ledger("field.encryptedstring", "documented", "metadata.md section 3")
@ledger("field.percent", "documented", "metadata.md section 3")
@ledger("field.multipicklist", "documented", "metadata.md section 3")
@ledger("field.time", "documented", "metadata.md section 3")
@pytest.mark.parametrize("kind", KINDS)
def test_every_field_type_is_understood(catalog: Catalog, tmp_path: Path, kind: str) -> None:
    inner, type_, expected = KINDS[kind]

    source = read([project(tmp_path, {"F__c": f"<type>{kind}</type>{inner}"})], catalog)

    field = thing(source)["F__c"]
    assert (field.type, field.custom) == (type_, True)
    assert {key: getattr(field, key) for key in expected} == expected
    assert all(finding.severity is Severity.UNDERSTOOD for finding in source.findings)


@ledger("field.location", "documented", "rest.md section 11")
def test_a_location_has_two_parts(catalog: Catalog, tmp_path: Path) -> None:
    fields = thing(read([project(tmp_path, {"Spot__c": f"<type>Location</type>{KINDS['Location'][0]}"})], catalog))

    assert fields["Spot__Latitude__s"].compound_field_name == "Spot__c"
    assert fields["Spot__Longitude__s"].type == "double"


@pytest.mark.parametrize(
    ("fields", "extra", "severity", "what"),
    [
        ({"F__c": "<type>ExternalLookup</type>"}, "", Severity.REFUSED, "fields of type ExternalLookup"),
        (
            {"F__c": "<type>Number</type><formula>1 + 1</formula><precision>4</precision><scale>0</scale>"},
            "",
            Severity.LATER,
            "formula",
        ),
        (
            {"F__c": "<type>Text</type><length>5</length><defaultValue>TODAY()</defaultValue>"},
            "",
            Severity.LATER,
            "default formula",
        ),
        ({"F__c": "<type>Number</type><precision>40</precision><scale>0</scale>"}, "", Severity.ERROR, "precision 40"),
        (
            {"F__c": "<type>Lookup</type><referenceTo>Nowhere__c</referenceTo>"},
            "",
            Severity.REFUSED,
            "points to Nowhere__c",
        ),
        ({"F__c": "<type>Picklist</type>"}, "", Severity.ERROR, "needs a valueSet"),
        (
            {},
            "<validationRules><fullName>Rule</fullName><active>true</active></validationRules>",
            Severity.LATER,
            "validation rule Rule",
        ),
    ],
)
def test_what_is_not_understood_is_said_with_its_place(
    catalog: Catalog, tmp_path: Path, fields: dict[str, str], extra: str, severity: Severity, what: str
) -> None:
    source = read([project(tmp_path, fields, extra=extra)], catalog)

    (found,) = [finding for finding in source.findings if finding.severity is severity]
    assert what in found.what
    assert found.line >= 2
    assert any(f": {severity}: " in line for line in report(source, tmp_path))


def test_broken_xml_is_a_finding_with_its_line(catalog: Catalog, tmp_path: Path) -> None:
    project(tmp_path, {})
    (tmp_path / "objects/Thing__c/fields").mkdir()
    (tmp_path / "objects/Thing__c/fields/Bad__c.field-meta.xml").write_text("<a>\n<b>\n</a>")

    errors = [finding for finding in read([tmp_path], catalog).findings if finding.severity is Severity.ERROR]

    assert [finding.line for finding in errors] == [3]


def test_a_folder_that_is_not_there_is_refused_with_what_to_do(catalog: Catalog, tmp_path: Path) -> None:
    with pytest.raises(LandbridgeError, match="does not exist or is no folder. Check --source"):
        read([tmp_path / "nowhere"], catalog)


def test_global_value_sets_and_dependencies_are_read(catalog: Catalog, tmp_path: Path) -> None:
    write(tmp_path / "globalValueSets", "Sizes", "globalValueSet",
          "<customValue><fullName>S</fullName><label>Small</label></customValue><customValue><fullName>L</fullName></customValue>")  # fmt: skip
    depends = (
        "<type>Picklist</type><valueSet><controllingField>Kind__c</controllingField><valueSetName>Sizes</valueSetName>"
        "<valueSettings><controllingFieldValue>b</controllingFieldValue><valueName>L</valueName></valueSettings></valueSet>"
    )
    fields = thing(
        read([project(tmp_path, {"Kind__c": f"<type>Picklist</type>{VALUES}", "Size__c": depends})], catalog)
    )

    size = fields["Size__c"]
    assert [(value.value, value.label) for value in size.picklist_values] == [("S", "Small"), ("L", "L")]
    assert size.controller_name == "Kind__c"
    assert [value.valid_for for value in size.picklist_values] == [bitmap(set(), 2), bitmap({1}, 2)]


def test_our_sample_is_understood_without_a_gap(catalog: Catalog) -> None:
    source = read([ROOT / "examples" / "shop"], catalog)

    assert {finding.severity for finding in source.findings} == {Severity.UNDERSTOOD}
    assert source.captured == ("Garden_Order__c",)
    assert len(source.objects) == 10  # Task, Event and three objects of files too: what they may point to grows


@ledger("schema.ebikes", "observed", "the E-Bikes project")
def test_e_bikes_is_understood_without_a_gap(catalog: Catalog, shared: Path) -> None:
    source = read([shared / "realinput" / "ebikes"], catalog)

    objects: dict[str, SObject] = {sobject.name: sobject for sobject in source.objects}
    assert {finding.severity for finding in source.findings} == {Severity.UNDERSTOOD}
    assert set(objects) == {
        "Attachment",  # files of the project's own objects
        "Case",
        "ContentDocumentLink",
        "ContentVersion",
        "Manufacturing_Event__e",
        "Order_Item__c",
        "Order__c",
        "Product_Family__c",
        "Product__c",
    }
    after = Catalog([*objects.values()])
    price = after.get("Product__c").field("MSRP__c")  # type: ignore[union-attr]
    number = after.get("Order_Item__c").field("Name")  # type: ignore[union-attr]
    assert price is not None
    assert number is not None
    assert (price.type, price.precision, price.scale) == ("currency", 6, 0)
    assert (number.auto_number, number.auto_number_format) == (True, "OI-{000000}")
    assert after.get("Order_Item__c").field("OwnerId") is None  # type: ignore[union-attr]


def test_e_bikes_records_are_loaded_with_their_references(home: Path, shared: Path) -> None:
    bikes = shared / "realinput" / "ebikes"
    with RunningOrg(home=home, source=(bikes,), seed=(bikes / "data" / "sample-data-plan.json",)) as org:
        found = org.rows("SELECT Name, Product_Family__r.Name, MSRP__c FROM Product__c ORDER BY Name")

    assert len(found) == 16
    assert all(row["Product_Family__r"]["Name"] for row in found)


# --- a source that changes -----------------------------------------------------------------------------------------

TEXT = "<type>Text</type><length>{}</length>"


def test_the_same_source_twice_changes_nothing_and_seeds_once(home: Path, tmp_path: Path) -> None:
    shop = ROOT / "examples" / "shop"
    settings = {"home": home, "data": tmp_path / "org", "source": (shop,), "seed": (shop / "data" / "plan.json",)}
    with RunningOrg(**settings) as first:
        before = first.door.server.catalog.version, first.query("SELECT COUNT() FROM Seed_Packet__c").json["totalSize"]
        prefix = first.data("GET", "/sobjects/Seed_Packet__c/describe").json["keyPrefix"]
    with RunningOrg(**settings) as second:
        after = second.door.server.catalog.version, second.query("SELECT COUNT() FROM Seed_Packet__c").json["totalSize"]
        assert second.data("GET", "/sobjects/Seed_Packet__c/describe").json["keyPrefix"] == prefix

    assert before == after


def test_a_changed_source_alters_tables_and_keeps_the_data(home: Path, tmp_path: Path) -> None:
    source, data = tmp_path / "source", tmp_path / "org"
    project(source, {"A__c": TEXT.format(10)})
    with RunningOrg(home=home, data=data, source=(source,)) as org:
        record_id = org.create("Thing__c", A__c="kept")
    project(source, {"A__c": TEXT.format(40), "B__c": "<type>Checkbox</type><defaultValue>false</defaultValue>",
                     "C__c": "<type>Text</type><length>20</length><externalId>true</externalId><unique>true</unique>"})  # fmt: skip
    with RunningOrg(home=home, data=data, source=(source,)) as org:
        row = org.get("Thing__c", record_id)
        org.data("PATCH", "/sobjects/Thing__c/C__c/x", {"A__c": "y" * 40})
        again = org.data("GET", "/sobjects/Thing__c/C__c/x").json

    assert (row["A__c"], row["B__c"], row["C__c"]) == ("kept", False, None)
    assert again["A__c"] == "y" * 40


@pytest.mark.parametrize("change", [TEXT.format(3), "<type>Number</type><precision>5</precision><scale>0</scale>"])
def test_a_change_that_loses_data_is_refused_unless_allowed(home: Path, tmp_path: Path, change: str) -> None:
    source, data = tmp_path / "source", tmp_path / "org"
    project(source, {"A__c": TEXT.format(10)})
    with RunningOrg(home=home, data=data, source=(source,)) as org:
        record_id = org.create("Thing__c", A__c="long text")
    project(source, {"A__c": change})

    with (
        pytest.raises(LandbridgeError, match=r"(?s)would lose data.*Thing__c.A__c.*--allow-drop"),
        RunningOrg(home=home, data=data, source=(source,)),
    ):
        pass
    with RunningOrg(home=home, data=data) as org:
        assert org.get("Thing__c", record_id)["A__c"] == "long text"
    with RunningOrg(home=home, data=data, source=(source,), allow_drop=True) as org:
        assert org.get("Thing__c", record_id)["A__c"] in ("lon", None)


def test_record_types_and_metadata_records_are_loaded(home: Path, tmp_path: Path) -> None:
    project(tmp_path, {})
    write(
        tmp_path / "objects/Thing__c/recordTypes",
        "Big",
        "recordType",
        "<fullName>Big</fullName><label>Big one</label><active>true</active>",
    )
    write(tmp_path / "objects/Rate__mdt", "Rate__mdt", "object", "<label>Rate</label><pluralLabel>Rates</pluralLabel>")
    write(tmp_path / "objects/Rate__mdt/fields", "Percent__c", "field",
          "<fullName>Percent__c</fullName><label>P</label><type>Number</type><precision>5</precision><scale>1</scale>")  # fmt: skip
    (tmp_path / "customMetadata").mkdir()
    (tmp_path / "customMetadata/Rate.High.md-meta.xml").write_text(
        f'<CustomMetadata {NS} xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><label>High</label>'
        "<values><field>Percent__c</field><value>12.5</value></values></CustomMetadata>"
    )
    with RunningOrg(home=home, source=(tmp_path,)) as org:
        (rate,) = org.rows("SELECT DeveloperName, MasterLabel, Percent__c FROM Rate__mdt")
        infos = org.data("GET", "/sobjects/Thing__c/describe").json["recordTypeInfos"]
        big = next(info for info in infos if info["developerName"] == "Big")
        record_id = org.create("Thing__c", RecordTypeId=big["recordTypeId"])
        (typed,) = org.rows(f"SELECT RecordType.DeveloperName FROM Thing__c WHERE Id = '{record_id}'")
        wrong = org.data("POST", "/sobjects/Thing__c", {"RecordTypeId": "012000000000001AAA"})
        refused = org.data("POST", "/sobjects/Rate__mdt", {"MasterLabel": "x"})

    assert (rate["DeveloperName"], rate["MasterLabel"], rate["Percent__c"]) == ("High", "High", 12.5)
    assert typed["RecordType"]["DeveloperName"] == "Big"
    assert wrong.json[0]["message"].startswith("Record Type ID: this ID value isn't valid for the user: 012")
    assert refused.status == 400
