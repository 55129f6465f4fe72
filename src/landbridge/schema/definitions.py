"""
EntityDefinition and FieldDefinition: the catalogue as rows that SOQL can ask. Pure.

The tables are written anew whenever the catalogue changes. Columns that nothing in the catalogue answers are null.
Source: field lists of `../shared/standard`; wording of DataType guessed from the documentation's examples.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from landbridge.schema import tooling
from landbridge.schema.catalog import Catalog, Entity
from landbridge.schema.describe import flag
from landbridge.schema.model import Field, Kind
from landbridge.storage import Tx
from landbridge.storage.dialect import quote


class _Everybody:
    read_only = False

    def readable(self, sobject: str, name: str) -> bool:
        del sobject, name
        return True


_EVERYBODY = _Everybody()

_DATA_TYPES = {
    "string": "Text({length})", "textarea": "Long Text Area({length})", "boolean": "Checkbox", "picklist": "Picklist",
    "multipicklist": "Picklist (Multi-Select)", "int": "Number({digits}, 0)", "double": "Number({whole}, {scale})",
    "currency": "Currency({whole}, {scale})", "percent": "Percent({whole}, {scale})", "date": "Date",
    "datetime": "Date/Time", "time": "Time", "email": "Email", "phone": "Phone", "url": "URL({length})",
    "reference": "Lookup({targets})", "id": "Lookup()", "address": "Address", "location": "Geolocation",
    "encryptedstring": "Text (Encrypted)({length})", "combobox": "Picklist", "base64": "Base64", "long": "Number(18, 0)",
    "anyType": "Any", "complexvalue": "Complex",
}  # fmt: skip


def entity_rows(catalog: Catalog) -> Iterator[dict[str, Any]]:
    """A row of EntityDefinition for every object, columns by name."""
    for entity in catalog:
        sobject = entity.sobject
        yield {
            "DurableId": entity.name, "LastModifiedDate": None, "NamespacePrefix": None,
            "DeveloperName": entity.name.removesuffix("__c").removesuffix("__e").removesuffix("__mdt"),
            "MasterLabel": sobject.label, "Label": sobject.label, "PluralLabel": sobject.label_plural,
            "QualifiedApiName": entity.name, "KeyPrefix": sobject.key_prefix,
            "IsCustomizable": int(entity.kind in (Kind.STANDARD, Kind.CUSTOM)),
            "IsApexTriggerable": int(flag(entity, "triggerable", _EVERYBODY)),
            "IsQueryable": int(flag(entity, "queryable", _EVERYBODY)),
            "IsRetrieveable": int(flag(entity, "retrieveable", _EVERYBODY)),
            "IsSearchable": int(flag(entity, "searchable", _EVERYBODY)),
            "IsLayoutable": int(flag(entity, "layoutable", _EVERYBODY)),
            "IsTriggerable": int(flag(entity, "triggerable", _EVERYBODY)),
            "IsReplicateable": int(flag(entity, "replicateable", _EVERYBODY)),
            "IsCustomSetting": int(entity.kind is Kind.SETTING),
        }  # fmt: skip


def field_rows(catalog: Catalog) -> Iterator[dict[str, Any]]:
    """A row of FieldDefinition for every field of every object, columns by name."""
    for entity in catalog:
        for field in entity.fields:
            yield _field_row(entity, field)


def _field_row(entity: Entity, field: Field) -> dict[str, Any]:
    name = field.name.removesuffix("__c") if field.custom else field.name
    return {
        "DurableId": f"{entity.name}.{field.name}", "QualifiedApiName": field.name, "EntityDefinitionId": entity.name,
        "NamespacePrefix": None, "DeveloperName": name, "MasterLabel": field.label, "Label": field.label,
        "Length": field.length, "DataType": data_type(field), "ValueTypeId": field.type,
        "ExtraTypeInfo": field.extra_type_info, "IsCalculated": int(field.calculated),
        "IsNameField": int(field.name_field), "IsNillable": int(bool(field.nillable)), "Precision": field.precision,
        "Scale": field.scale, "RelationshipName": field.relationship_name,
        "IsIndexed": int(field.type == "id" or field.external_id or field.unique),
        "IsApiFilterable": int(bool(field.filterable)), "IsApiSortable": int(bool(field.sortable)),
        "IsApiGroupable": int(bool(field.groupable)), "IsCompound": int(field.is_compound),
        "IsHighScaleNumber": int(field.high_scale_number), "IsHtmlFormatted": int(field.html_formatted),
        "IsPolymorphicForeignKey": int(bool(field.polymorphic_foreign_key)),
    }  # fmt: skip


def data_type(field: Field) -> str:
    """The type as Setup words it: `Text(80)`, `Lookup(Account)`."""
    if field.auto_number:
        return "Auto Number"
    if field.calculated:
        return "Formula"
    if field.is_reference and field.cascade_delete:
        return f"Master-Detail({','.join(field.reference_to)})"
    precision = field.precision or 0
    return _DATA_TYPES[field.type].format(
        length=field.length, digits=field.digits or 8, whole=precision - field.scale, scale=field.scale,
        targets=",".join(field.reference_to),
    )  # fmt: skip


def write(tx: Tx, catalog: Catalog) -> None:
    """Make the tables of definitions say what the catalogue says."""
    own = tooling.own()
    for name, rows in (
        ("EntityDefinition", _numbered(entity_rows(catalog))),
        ("FieldDefinition", _numbered(field_rows(catalog))),
        ("CustomObject", tooling.object_rows(catalog, tx.stamp)),
        ("CustomField", tooling.field_rows(catalog, tx.stamp)),
    ):
        entity = catalog.get(name) or own.get(name)
        if entity is None:
            continue
        tx.run(f"DELETE FROM {quote(name)}")
        columns: tuple[str, ...] = ()
        values = []
        for row in rows:
            columns = columns or tuple(c for c in row if (f := entity.field(c)) is not None and f.stored)
            values.append([row[column] for column in columns])
        if values:
            tx.insert(name, columns, values)


def _numbered(rows: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for number, row in enumerate(rows, start=1):
        row["Id"] = f"{number:015d}AAA"
        yield row
