"""
Avro schemas of events: made from the catalogue, named by their content, kept for as long as events need them.

A schema's id is the MD5 of its Avro Parsing Canonical Form in URL-safe base64 (documented in the REST guide; three captured
schemas come out with the ids that real orgs gave them). So the same object has the same id in every run, and a changed one a
new id. Every schema that an event was written with stays in the database.

Source: `events.md` sections 2 and 5; roles and types in `doc` as captured and as published decoders know them.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from functools import cached_property
from hashlib import md5, sha256
from typing import Any

import msgspec

from landbridge.events.model import CHANGE_SUFFIX, captured_object, change_entity, topic_of
from landbridge.events.places import Places
from landbridge.ids import DIGITS, INSTANCE
from landbridge.schema.catalog import Catalog, Entity
from landbridge.schema.model import Field, Kind
from landbridge.storage import Reader, Tx

TABLES = (
    "CREATE TABLE lb_event_schema (id TEXT PRIMARY KEY NOT NULL, entity TEXT NOT NULL, definition TEXT NOT NULL) "
    "WITHOUT ROWID",
)

KEEP = "INSERT INTO lb_event_schema (id, entity, definition) VALUES (?, ?, ?) ON CONFLICT (id) DO NOTHING"
FIND = "SELECT entity, definition FROM lb_event_schema WHERE id = ?"

NAMESPACE = "com.sforce.eventbus"
CHANGE_TYPES = ("CREATE", "UPDATE", "DELETE", "UNDELETE", "GAP_CREATE", "GAP_UPDATE", "GAP_DELETE", "GAP_UNDELETE",
                "GAP_OVERFLOW", "SNAPSHOT")  # fmt: skip

_AVRO = {
    "boolean": "boolean", "int": "int", "long": "long", "double": "double", "currency": "double", "percent": "double",
    "date": "long", "datetime": "long", "time": "long",
}  # fmt: skip
# Describe type -> the platform's inner name of it, as `doc` shows it.
_DOC = {
    "boolean": "Boolean", "int": "Integer", "long": "Integer", "double": "Double", "currency": "Currency", "percent":
    "Percent", "date": "DateOnly", "datetime": "DateTime", "time": "TimeOnly", "string": "Text", "picklist": "DynamicEnum",
    "multipicklist": "MultiEnum", "combobox": "TextEnum", "reference": "EntityId", "email": "Email", "phone": "Phone",
    "url": "Url", "encryptedstring": "EncryptedText", "anyType": "AnyType",
}  # fmt: skip
_ROLES = {"CreatedDate": "CreatedDate", "CreatedById": "CreatedBy", "LastModifiedDate": "LastModifiedDate",
          "LastModifiedById": "LastModifiedBy"}  # fmt: skip
_ADDRESS = ("Street", "City", "State", "PostalCode", "Country", "StateCode", "CountryCode", "Latitude", "Longitude", "Xyz",
            "GeocodeAccuracy")  # fmt: skip
_NAME = ("Salutation", "FirstName", "LastName", "MiddleName", "InformalName", "Suffix")
_LOCATION = ("Latitude", "Longitude")
_NUMBERS = frozenset({"Latitude", "Longitude"})

# What a change event never carries: the id stands in its header, the rest changes without a change of the record.
NOT_IN_CHANGES = frozenset({"Id", "IsDeleted", "SystemModstamp", "LastViewedDate", "LastReferencedDate", "LastActivityDate",
                            "MasterRecordId"})  # fmt: skip


class Schema(msgspec.Struct, frozen=True):
    """One Avro schema: its id, the entity whose events it describes, and the whole of it as JSON with `uuid`."""

    id: str
    entity: str
    json: bytes
    topic: str
    """Where the entity's events are appended."""

    def tree(self) -> dict[str, Any]:
        """The schema as parsed JSON."""
        found: dict[str, Any] = msgspec.json.decode(self.json)
        return found


def _named(entity: str, fields: list[dict[str, Any]]) -> Schema:
    body = {"name": entity, "namespace": NAMESPACE, "type": "record", "fields": fields}
    schema_id = fingerprint(body)
    return Schema(schema_id, entity, msgspec.json.encode({**body, "uuid": schema_id}), topic_of(entity))


def fingerprint(schema: dict[str, Any]) -> str:
    """The id of a schema: 22 characters."""
    # MD5 because the platform names schemas so; nothing rests on it being hard to forge.
    digest = md5(msgspec.json.encode(_canonical(schema)), usedforsecurity=False).digest()
    return urlsafe_b64encode(digest).decode().rstrip("=")


def _canonical(kind: Any) -> Any:
    """The Parsing Canonical Form (Avro 1.11, "Transforming into Parsing Canonical Form") of what our schemas are made of."""
    if isinstance(kind, str):
        return kind if kind in _PRIMITIVE else f"{NAMESPACE}.{kind}"
    if isinstance(kind, list):
        return [_canonical(branch) for branch in kind]
    if kind["type"] == "array":
        return {"type": "array", "items": _canonical(kind["items"])}
    found = {"name": f"{NAMESPACE}.{kind['name']}", "type": kind["type"]}
    if kind["type"] == "enum":
        return found | {"symbols": kind["symbols"]}
    return found | {"fields": [{"name": one["name"], "type": _canonical(one["type"])} for one in kind["fields"]]}


_PRIMITIVE = frozenset({"null", "boolean", "int", "long", "double", "string"})


# --- platform events ---------------------------------------------------------------------------------------------

_CREATED = [
    {"name": "CreatedDate", "type": "long", "doc": "CreatedDate:DateTime"},
    {"name": "CreatedById", "type": "string", "doc": "CreatedBy:EntityId"},
]


def event_fields(entity: Entity) -> Iterator[Field]:
    """The fields that a publisher of a platform event fills in."""
    return (field for field in entity.fields if field.custom)


def event_schema(entity: Entity) -> Schema:
    """The schema of a platform event."""
    return _named(entity.name, [*_CREATED, *(_event_field(entity, field) for field in event_fields(entity))])


def _event_field(entity: Entity, field: Field) -> dict[str, Any]:
    kind = _AVRO.get(field.type, "string")
    doc = _doc(entity, field)
    if not field.nillable and field.type != "boolean":
        return {"name": field.name, "type": kind, "doc": doc}
    return {"name": field.name, "type": ["null", kind], "doc": doc, "default": None}


def _doc(entity: Entity, field: Field) -> str:
    """`Data:Text:00N...`: the field's role, its inner type, and the id of a custom field."""
    role = _ROLES.get(field.name) or ("ForeignKey" if field.is_reference else "Data")
    doc = f"{role}:{_inner_type(field)}"
    return f"{doc}:{_field_id(entity.name, field.name)}" if field.custom else doc


def _inner_type(field: Field) -> str:
    if field.auto_number:
        return "AutoNumber"
    if field.type == "textarea":
        if field.html_formatted:
            return "HtmlStringPlusClob"
        return "MultiLineText" if 0 < (field.length or 0) <= 255 else "StringPlusClob"
    return _DOC.get(field.type, "Text")


def _field_id(sobject: str, name: str) -> str:
    """Fifteen characters that stand for a custom field: the catalogue keeps no ids of fields, so they follow from the name."""
    number = int.from_bytes(sha256(f"{sobject}.{name}".encode()).digest()[:8])
    digits = ""
    for _ in range(9):
        number, digit = divmod(number, 62)
        digits = DIGITS[digit] + digits
    return f"00N{INSTANCE}{digits}"


# --- change events -----------------------------------------------------------------------------------------------

_TEXTS = {"type": "array", "items": "string"}
_HEADER: dict[str, Any] = {
    "name": "ChangeEventHeader",
    "type": {
        "type": "record",
        "name": "ChangeEventHeader",
        "fields": [
            {"name": "entityName", "type": "string"},
            {"name": "recordIds", "type": _TEXTS},
            {"name": "changeType", "type": {"type": "enum", "name": "ChangeType", "symbols": list(CHANGE_TYPES)}},
            {"name": "changeOrigin", "type": "string"},
            {"name": "transactionKey", "type": "string"},
            {"name": "sequenceNumber", "type": "int"},
            {"name": "commitTimestamp", "type": "long"},
            {"name": "commitNumber", "type": "long"},
            {"name": "commitUser", "type": "string"},
            {"name": "nulledFields", "type": _TEXTS},
            {"name": "diffFields", "type": _TEXTS},
            {"name": "changedFields", "type": _TEXTS},
        ],
    },
    "doc": "ChangeEventHeader",
}


# --- as REST shows them --------------------------------------------------------------------------------------------


def expanded(schema: Schema) -> dict[str, Any]:
    """The schema of a whole CometD message: `data` with schema, payload and event, the channel (CreatedDate is text)."""
    tree = schema.tree()
    payload = [one if one["name"] != "CreatedDate" else one | {"type": "string"} for one in tree["fields"]]
    event = [{"name": "replayId", "type": "long"}]
    data = [
        {"name": "schema", "type": "string"},
        {"name": "payload", "type": {"type": "record", "name": "Payload", "doc": "", "fields": payload}},
        {"name": "event", "type": {"type": "record", "name": "Event", "fields": event}},
    ]
    return {
        "name": tree["name"], "namespace": NAMESPACE, "type": "expanded-record", "fields": [
            {"name": "data", "type": {"type": "record", "name": "Data", "namespace": "", "fields": data}},
            {"name": "channel", "type": "string"},
        ],
    }  # fmt: skip


# --- how changes look ----------------------------------------------------------------------------------------------


class ChangeShape:
    """
    How records of an object look as change events: fields in schema order, compounds with their parts.

    `columns`: column -> (top-level field, part or None), for every column that an event carries.
    """

    def __init__(self, entity: Entity) -> None:
        self.entity = entity
        self.columns: dict[str, tuple[str, str | None]] = {}
        self.fields: list[tuple[Field, tuple[tuple[str, str], ...]]] = []
        """Top-level fields in order, with their parts as (name in the event, column)."""
        inside = {part.name for parts in entity.parts.values() for part in parts}
        for field in entity.fields:
            if field.name in NOT_IN_CHANGES or field.name in inside or field.type == "base64":
                continue
            parts = tuple((part_name(field, part), part.name) for part in entity.parts.get(field.name, ()))
            if not parts and not field.stored:
                continue  # formulas are computed when they are read: no change of the record
            self.fields.append((field, parts))
            for name, column in parts:
                self.columns[column] = (field.name, name)
            if not parts:
                self.columns[field.name] = (field.name, None)
        types = {field.name: field.type for field in entity.fields}
        self.places = Places(
            change_entity(entity.name),
            {column: (field, part, types[column] == "boolean") for column, (field, part) in self.columns.items()},
            # A character of JSON text takes six bytes at most; a value's name and punctuation fit the hundred beside it.
            sum(100 + 6 * (field.length or 40) for field in entity.fields),
        )

    @cached_property
    def schema(self) -> Schema:
        fields = [_HEADER]
        made: set[str] = set()
        for field, parts in self.fields:
            fields.append(self._field(field, parts, made))
        return _named(change_entity(self.entity.name), fields)

    def _field(self, field: Field, parts: tuple[tuple[str, str], ...], made: set[str]) -> dict[str, Any]:
        if parts:
            kind, names = _compound(field, parts)
            record: Any = kind
            if kind not in made:  # a record is defined once and named from then on
                made.add(kind)
                record = {"type": "record", "name": kind, "fields": [_part(name) for name in names]}
            doc = f"Data:{kind}"
            if field.custom:
                doc += f":{_field_id(self.entity.name, field.name)}"
            return {"name": field.name, "type": ["null", record], "doc": doc, "default": None}
        kind = _AVRO.get(field.type, "string")
        return {"name": field.name, "type": ["null", kind], "doc": _doc(self.entity, field), "default": None}


def _compound(field: Field, parts: tuple[tuple[str, str], ...]) -> tuple[str, tuple[str, ...]]:
    if field.type == "address":
        return "Address", _ADDRESS
    if field.type == "location":
        return "Location", _LOCATION
    return "PersonName", _NAME


def _part(name: str) -> dict[str, Any]:
    kind = "double" if name in _NUMBERS else "string"
    doc = {"double": "Data:Double", "string": "Data:Text"}[kind]
    return {"name": name, "type": ["null", kind], "doc": doc, "default": None}


def part_name(compound: Field, part: Field) -> str:
    """A part's name inside its compound: `BillingStreet` -> `Street`, `Place__Latitude__s` -> `Latitude`."""
    name = part.name
    if name.endswith("__s"):
        return name[:-3].rpartition("__")[2]
    prefix = compound.name.removesuffix("Address")
    return name.removeprefix(prefix) if compound.type in ("address", "location") and prefix else name


# --- all of an org -----------------------------------------------------------------------------------------------


class Schemas:
    """The schemas of one org: the newest ones from its catalogue, the others from its database."""

    def __init__(self, catalog: Callable[[], Catalog]) -> None:
        self._catalog = catalog
        self._version = -1
        self._shapes: dict[str, ChangeShape] = {}
        self._newest: dict[str, Schema] = {}
        self._by_id: dict[str, Schema] = {}
        self._kept: set[str] = set()
        self._complete = False

    def _fresh(self) -> Catalog:
        catalog = self._catalog()
        if catalog.version != self._version:
            self._version = catalog.version
            self._shapes.clear()
            self._newest.clear()
            self._complete = False
        return catalog

    def shape(self, sobject: str) -> ChangeShape:
        """How changes of an object look. Raises KeyError for no object."""
        catalog = self._fresh()
        shape = self._shapes.get(sobject)
        if shape is None:
            entity = catalog.get(sobject)
            if entity is None:
                raise KeyError(sobject)
            shape = self._shapes[sobject] = ChangeShape(entity)
        return shape

    def newest(self, entity: str) -> Schema:
        """The schema events of `Order__e` or `AccountChangeEvent` are written with now. Raises KeyError."""
        catalog = self._fresh()
        schema = self._newest.get(entity)
        if schema is None:
            sobject = captured_object(entity) if entity.endswith(CHANGE_SUFFIX) else None
            if sobject is not None:
                schema = self.shape(sobject).schema
            else:
                found = catalog.get(entity)
                if found is None or found.kind is not Kind.EVENT:
                    raise KeyError(entity)
                schema = event_schema(found)
            self._newest[entity] = self._by_id[schema.id] = schema
        return schema

    def path(self, entity: str, names: tuple[str, ...]) -> tuple[str, ...] | None:
        """
        Where events of an entity have a field, named as a filter does, whatever its case: `LastName` or `Name.LastName`
        of a contact is ("Name", "LastName"). None for a field that is none.
        """
        wanted = ".".join(names).lower()
        sobject = captured_object(entity) if entity.endswith(CHANGE_SUFFIX) else None
        if sobject is None:
            found = self._fresh().get(entity)
            field = None if found is None else found.field(wanted)
            return None if field is None or not field.custom else (field.name,)
        for column, (name, part) in self.shape(sobject).columns.items():
            path = (name,) if part is None else (name, part)
            if wanted in (column.lower(), ".".join(path).lower()):
                return path
        return None

    def keep(self, tx: Tx, schema: Schema) -> bool:
        """Make sure the database has a schema that an event is written with. Returns whether it had it before this unit."""
        if schema.id in self._kept:
            return True
        tx.run(KEEP, (schema.id, schema.entity, schema.json.decode()))
        tx.after_commit(lambda: self._kept.add(schema.id))
        return False

    def find(self, reader: Reader, schema_id: str) -> Schema | None:
        """The schema of that id: of the database, of the catalogue; None for none."""
        known = self._by_id.get(schema_id)
        if known is not None:
            return known
        row = reader.one(FIND, (schema_id,))
        if row is not None:
            known = self._by_id[schema_id] = Schema(schema_id, row[0], row[1].encode(), topic_of(row[0]))
            return known
        self._all()
        return self._by_id.get(schema_id)

    def _all(self) -> None:
        """Every schema of the catalogue: a client may ask for one whose topic nobody has named since the start."""
        catalog = self._fresh()
        if self._complete:
            return
        for entity in catalog:
            if entity.kind is Kind.EVENT:
                self.newest(entity.name)
            elif entity.kind in (Kind.STANDARD, Kind.CUSTOM):
                self.newest(change_entity(entity.name))
        self._complete = True
