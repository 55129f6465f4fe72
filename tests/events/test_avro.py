"""Avro: what our encoder writes another library reads, and what that library writes ours reads; schemas and their ids."""

from __future__ import annotations

import contextlib
import io
import re
from base64 import urlsafe_b64encode
from typing import Any

import fastavro
import fastavro.schema
import pytest
from fastavro.schema import to_parsing_canonical_form
from hypothesis import given
from hypothesis import strategies as st

from landbridge.events import bitmaps
from landbridge.events.avro import AvroError, Codec, milliseconds
from landbridge.events.schemas import CHANGE_TYPES, ChangeShape, fingerprint
from landbridge.schema import Catalog, standard
from tests.support.running import RunningOrg

ledger = pytest.mark.ledger
CATALOG = Catalog(standard.load())


def shape(name: str) -> ChangeShape:
    entity = CATALOG.get(name)
    assert entity is not None
    return ChangeShape(entity)


SCHEMAS = {name: shape(name).schema.tree() for name in ("Account", "Contact", "Lead", "Case", "OrderItem")}


def strategy(kind: Any, named: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values of an Avro type; never null inside a union, for null is what is left out."""
    if isinstance(kind, list):
        return strategy(kind[-1], named)
    if isinstance(kind, dict):
        if kind["type"] == "array":
            return st.lists(strategy(kind["items"], named), max_size=3)
        if kind["type"] == "enum":
            return st.sampled_from(kind["symbols"])
        named[kind["name"]] = kind
        return record(kind, named)
    plain: dict[str, st.SearchStrategy[Any]] = {
        "string": st.text(max_size=70),
        "boolean": st.booleans(),
        "int": st.integers(-(2**31), 2**31 - 1),
        "long": st.integers(-(2**63), 2**63 - 1),
        "double": st.floats(allow_nan=False),
    }
    return plain[kind] if kind in plain else record(named[kind], named)


def record(schema: dict[str, Any], named: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    needed = {f["name"]: strategy(f["type"], named) for f in schema["fields"] if not isinstance(f["type"], list)}
    free = {f["name"]: strategy(f["type"], named) for f in schema["fields"] if isinstance(f["type"], list)}
    return st.fixed_dictionaries(needed, optional=free)


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_nulls(inner) for key, inner in value.items() if inner is not None}
    return value


@ledger("events.avro", "documented", "Avro 1.11 binary encoding; decoded with fastavro")
@pytest.mark.parametrize("name", SCHEMAS)
def test_what_we_encode_another_library_decodes_and_the_other_way(name: str) -> None:
    schema = SCHEMAS[name]
    codec, parsed = Codec(schema), fastavro.parse_schema(schema)

    @given(record(schema, {}))
    def round_trip(values: dict[str, Any]) -> None:
        written = codec.encode(values)

        assert without_nulls(fastavro.schemaless_reader(io.BytesIO(written), parsed, None)) == values
        out = io.BytesIO()
        fastavro.schemaless_writer(out, parsed, values)
        assert out.getvalue() == written
        assert without_nulls(codec.decode(written)) == values

    round_trip()


@given(st.binary(max_size=200))
def test_any_bytes_are_decoded_or_refused_never_worse(data: bytes) -> None:
    codec = Codec(SCHEMAS["Contact"])

    with contextlib.suppress(AvroError):
        assert isinstance(codec.decode(data), dict)


@given(st.integers(1, 39))
def test_a_cut_payload_is_refused(cut: int) -> None:
    codec = Codec(SCHEMAS["Case"])
    whole = codec.encode({"ChangeEventHeader": HEADER, "Subject": "a" * 40})

    with pytest.raises(AvroError):
        codec.decode(whole[:-cut])
    with pytest.raises(AvroError):
        codec.decode(whole + b"\0")


HEADER = {
    "entityName": "Case", "recordIds": ["500"], "changeType": "CREATE", "changeOrigin": "", "transactionKey": "",
    "sequenceNumber": 1, "commitTimestamp": 1, "commitNumber": 1, "commitUser": "", "nulledFields": [], "diffFields": [],
    "changedFields": [],
}  # fmt: skip


@pytest.mark.parametrize(
    ("wire", "expected"),
    [
        ("1970-01-01T00:00:00.001+0000", 1),
        ("1969-12-31T23:59:59.999+0000", -1),
        ("1970-01-02", 86_400_000),
        ("00:00:01.500Z", 1500),
        ("4000-12-31T00:00:00.000+0000", 64_092_124_800_000),
    ],
)
def test_moments_are_milliseconds(wire: str, expected: int) -> None:
    assert milliseconds(wire) == expected


# --- bitmaps -------------------------------------------------------------------------------------------------------

LAYOUT = bitmaps.Layout(
    {name: index for index, name in enumerate(Codec(SCHEMAS["Contact"]).fields)}, Codec(SCHEMAS["Contact"]).parts
)
NAMES = [name for name in LAYOUT.places if LAYOUT.places[name] not in LAYOUT.parts] + [
    f"{name}.{part}" for name, index in LAYOUT.places.items() for part in LAYOUT.parts.get(index, ())
]


def published_decoder(found: list[str], schema: dict[str, Any]) -> list[str]:
    """As the published sample clients decode: hex to a reversed binary string; `-` splits parent and bits."""

    def names(digits: str, fields: list[dict[str, Any]]) -> list[str]:
        bits = bin(int(digits, 16))[2:][::-1]
        return [fields[index]["name"] for index, bit in enumerate(bits) if bit == "1"]

    if not found:
        return []
    result = names(found[0], schema["fields"]) if found[0].startswith("0x") else []
    records = {
        inner["name"]: inner for f in schema["fields"] if isinstance(f["type"], list) for inner in f["type"]
        if isinstance(inner, dict)
    }  # fmt: skip
    if "-" in found[-1]:
        for one in found:
            if "-" in one:
                parent, digits = one.split("-")
                field = schema["fields"][int(parent)]
                inner = field["type"][-1]
                inner = records[inner] if isinstance(inner, str) else inner
                result += [f"{field['name']}.{part}" for part in names(digits, inner["fields"])]
    return result


@ledger("events.bitmaps", "documented", "events.md section 5: bitmap encoding; read back as the sample clients do")
@given(st.sets(st.sampled_from(NAMES)))
def test_bitmaps_say_the_same_names_to_every_decoder(names: set[str]) -> None:
    found = bitmaps.encode(names, LAYOUT)

    assert set(bitmaps.decode(found, LAYOUT)) == names
    assert set(published_decoder(found, SCHEMAS["Contact"])) == names
    assert all(re.fullmatch(r"(\d+-)?0x([0-9A-F]{2})+", one) for one in found)
    assert not found or found[0].startswith("0x")


@pytest.mark.parametrize("bad", [["x"], ["0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF"], ["99-0x01"], ["0x00", "1-0xFFFF"]])
def test_bitmaps_that_point_nowhere_are_refused(bad: list[str]) -> None:
    with pytest.raises(ValueError, match="bitmap|points past"):
        bitmaps.decode(bad, LAYOUT)


# --- schemas -------------------------------------------------------------------------------------------------------


@ledger("events.schema.change", "documented", "events.md section 5: header first, nullable fields, nested compounds")
def test_a_change_event_schema_has_the_documented_form() -> None:
    schema = SCHEMAS["Account"]

    assert (schema["name"], schema["namespace"]) == ("AccountChangeEvent", "com.sforce.eventbus")
    header = schema["fields"][0]["type"]
    assert [field["name"] for field in header["fields"]] == [
        "entityName", "recordIds", "changeType", "changeOrigin", "transactionKey", "sequenceNumber", "commitTimestamp",
        "commitNumber", "commitUser", "nulledFields", "diffFields", "changedFields",
    ]  # fmt: skip
    assert header["fields"][2]["type"]["symbols"] == list(CHANGE_TYPES)
    fields = {field["name"]: field for field in schema["fields"]}
    assert fields["NumberOfEmployees"]["type"] == ["null", "int"]
    assert fields["AnnualRevenue"]["type"] == ["null", "double"]
    assert all(f["type"][0] == "null" and f["default"] is None for f in schema["fields"][1:])
    address = fields["BillingAddress"]["type"][1]
    assert [part["name"] for part in address["fields"]] == [
        "Street", "City", "State", "PostalCode", "Country", "StateCode", "CountryCode", "Latitude", "Longitude", "Xyz",
        "GeocodeAccuracy",
    ]  # fmt: skip
    assert fields["ShippingAddress"]["type"] == ["null", "Address"]
    assert "Id" not in fields
    assert "SystemModstamp" not in fields


def test_a_person_name_is_a_record_with_its_parts() -> None:
    fields = {field["name"]: field for field in SCHEMAS["Contact"]["fields"]}

    parts = [part["name"] for part in fields["Name"]["type"][1]["fields"]]
    assert parts[:3] == ["Salutation", "FirstName", "LastName"]
    assert "LastName" not in fields


TEXT, NUMBER = {"type": ["null", "string"], "default": None}, {"type": ["null", "double"], "default": None}


@ledger("events.schema.id", "observed", "captured schemas of three real orgs come out with the ids those gave them")
@pytest.mark.parametrize(
    ("expected", "name", "fields"),
    [
        ("K98aAtiNFBjA-PJlcvaQ2g", "CM_Test_Event_Two__e", {"Message__c": TEXT}),
        ("_CADE3qaegX3ECEW0rlbYA", "Order_Event__e", {"Order_Number__c": TEXT, "City__c": TEXT, "Amount__c": NUMBER}),
        ("5E5OtZj5_Gm6Vax9XMXH9A", "Low_Ink__e",
         {"Printer_Model__c": TEXT, "Serial_Number__c": TEXT, "Ink_Percentage__c": NUMBER}),
    ],
)  # fmt: skip
def test_ids_are_those_real_orgs_give(expected: str, name: str, fields: dict[str, Any]) -> None:
    own = [{"name": key, "doc": "Data:Text", **value} for key, value in fields.items()]
    created = [{"name": "CreatedDate", "type": "long"}, {"name": "CreatedById", "type": "string"}]
    schema = {"type": "record", "name": name, "namespace": "com.sforce.eventbus", "fields": created + own}

    assert fingerprint(schema) == expected


@pytest.mark.parametrize("name", SCHEMAS)
def test_ids_are_fingerprints_of_the_canonical_form(name: str) -> None:
    digest = bytes.fromhex(fastavro.schema.fingerprint(to_parsing_canonical_form(SCHEMAS[name]), "md5"))

    assert SCHEMAS[name]["uuid"] == urlsafe_b64encode(digest).decode().rstrip("=")


def test_ids_follow_from_the_content() -> None:
    one, again = shape("Account").schema, shape("Account").schema

    assert re.fullmatch(r"[A-Za-z0-9_-]{22}", one.id)
    assert one.id == again.id == one.tree()["uuid"]
    assert shape("Contact").schema.id != one.id


@ledger("events.schema.event", "observed", "the captured schema of events.md section 5")
def test_a_platform_event_schema_has_the_captured_form(bus: RunningOrg) -> None:
    log = bus.door.server.events

    async def find() -> Any:
        topic = log.topic("/event/later__E")
        assert topic is not None
        assert topic.name == "/event/Later__e"
        return log.form(topic.schema_id).schema.tree()

    schema = bus.do(find)

    assert list(schema) == ["name", "namespace", "type", "fields", "uuid"]
    assert schema["fields"][:2] == [
        {"name": "CreatedDate", "type": "long", "doc": "CreatedDate:DateTime"},
        {"name": "CreatedById", "type": "string", "doc": "CreatedBy:EntityId"},
    ]
    fields = {field["name"]: field for field in schema["fields"]}
    assert fields["Text__c"]["type"] == ["null", "string"]
    assert re.fullmatch(r"Data:Text:00N\w{12}", fields["Text__c"]["doc"])
    assert fields["Needed__c"]["type"] == "string"
    assert fields["Moment__c"]["type"] == ["null", "long"]
    fastavro.parse_schema(schema)


def test_the_payload_of_a_change_decodes_with_another_library(bus: RunningOrg, tail: Any) -> None:
    contact = bus.create("Contact", FirstName="Ann", LastName="Old", MailingCity="Bern")
    events = tail("/data/ContactChangeEvent")
    bus.data(
        "PATCH", f"/sobjects/Contact/{contact}", {"LastName": "New", "MailingCity": None, "Birthdate": "1990-01-02"}
    )

    (event,) = events.events()
    schema = bus.door.server.events.form(event.schema_id).schema.tree()
    found: Any = fastavro.schemaless_reader(io.BytesIO(events.avro(event)), fastavro.parse_schema(schema), None)

    header = found["ChangeEventHeader"]
    assert header["recordIds"] == [contact]
    assert set(published_decoder(header["changedFields"], schema)) == {
        "Name.LastName", "MailingAddress.City", "Birthdate", "LastModifiedDate",
    }  # fmt: skip
    assert published_decoder(header["nulledFields"], schema) == ["MailingAddress.City"]
    assert found["Name"]["LastName"] == "New"
    assert found["Name"]["FirstName"] is None
    assert found["Birthdate"] == 631_238_400_000


@ledger("route.GET /services/data/{version}/sobjects/{sobject}/eventSchema", "documented", "events.md section 2")
@ledger("route.GET /services/data/{version}/event/eventSchema/{id}", "documented", "events.md section 2")
def test_schemas_over_rest_agree(bus: RunningOrg) -> None:
    compact = bus.data("GET", "/sobjects/later__e/eventSchema?payloadFormat=COMPACT").json
    expanded = bus.data("GET", "/sobjects/Later__e/eventSchema").json
    by_id = bus.data("GET", f"/event/eventSchema/{compact['uuid']}?payloadFormat=COMPACT").json
    old = bus.data("GET", "/sobjects/Later__e/eventSchema", version="42.0").json
    change = bus.data("GET", "/sobjects/AccountChangeEvent/eventSchema?payloadFormat=COMPACT").json

    assert compact == by_id == old
    assert change["name"] == "AccountChangeEvent"
    assert (expanded["name"], expanded["type"]) == ("Later__e", "expanded-record")
    data, channel = expanded["fields"]
    assert [field["name"] for field in data["type"]["fields"]] == ["schema", "payload", "event"]
    assert data["type"]["fields"][1]["type"]["fields"][0]["type"] == "string"
    assert channel == {"name": "channel", "type": "string"}


@pytest.mark.parametrize(
    ("path", "version", "status"),
    [
        ("/sobjects/Nothing__e/eventSchema", "67.0", 404),
        ("/sobjects/Account/eventSchema", "67.0", 404),
        ("/event/eventSchema/AAAAAAAAAAAAAAAAAAAAAA", "67.0", 404),
        ("/sobjects/Later__e/eventSchema?payloadFormat=SMALL", "67.0", 400),
        ("/sobjects/Later__e/eventSchema?payloadFormat=COMPACT", "42.0", 400),
    ],
)
def test_schemas_that_are_not_there_say_so(bus: RunningOrg, path: str, version: str, status: int) -> None:
    assert bus.data("GET", path, version=version).status == status
