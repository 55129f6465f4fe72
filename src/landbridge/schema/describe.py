"""
Describes: what REST says of an org's objects and fields. Pure.

Every key of a recorded describe is there, in the recorded (alphabetical) order. A user with fewer rights sees fewer fields and
flags. Source: `rest.md` section 4.
"""

from __future__ import annotations

from typing import Any, Protocol

from landbridge.schema.catalog import Catalog, Child, Entity
from landbridge.schema.model import XSD_STRING, Field, Kind, OnDelete


class Viewer(Protocol):
    """Who looks: what `access.Access` is, seen from a lower rung."""

    @property
    def read_only(self) -> bool: ...

    def readable(self, sobject: str, name: str) -> bool: ...


MASTER = "012000000000000AAA"

_SOAP_TYPES = {
    "id": "tns:ID", "reference": "tns:ID", "boolean": "xsd:boolean", "int": "xsd:int", "long": "xsd:long",
    "double": "xsd:double", "currency": "xsd:double", "percent": "xsd:double", "date": "xsd:date",
    "datetime": "xsd:dateTime", "time": "xsd:time", "address": "urn:address", "location": "urn:location",
    "base64": "xsd:base64Binary", "anyType": "xsd:anyType", "complexvalue": "xsd:anyType",
}  # fmt: skip

# Describe flag -> what it is for an object whose facts say nothing, by kind. Flags of standard objects come with them.
_CUSTOM = {
    "createable": True, "deletable": True, "layoutable": True, "mruEnabled": True, "queryable": True, "replicateable": True,
    "retrieveable": True, "searchable": True, "triggerable": True, "undeletable": True, "updateable": True,
    "compactLayoutable": True, "searchLayoutable": True,
}  # fmt: skip
_FLAGS: dict[Kind, dict[str, bool]] = {
    Kind.CUSTOM: _CUSTOM,
    # A custom setting as recorded (describe-custom).
    Kind.SETTING: {**_CUSTOM, "mruEnabled": False, "triggerable": False, "compactLayoutable": False},
    Kind.METADATA: {"layoutable": True, "queryable": True, "retrieveable": True, "searchable": True},
    Kind.EVENT: {"createable": True, "triggerable": True},
    Kind.SYSTEM: {"queryable": True, "retrieveable": True},
    # Every recorded standard object is compact-layoutable, also where the facts do not say so.
    Kind.STANDARD: {"queryable": True, "retrieveable": True, "compactLayoutable": True},
}
_ITEM_FLAGS = (
    "activateable", "createable", "deepCloneable", "deletable", "deprecatedAndHidden", "feedEnabled", "hasSubtypes",
    "isInterface", "isSubtype", "layoutable", "mergeable", "mruEnabled", "queryable", "replicateable", "retrieveable",
    "searchable", "triggerable", "undeletable", "updateable",
)  # fmt: skip
_WRITES = frozenset({"createable", "updateable", "deletable", "undeletable", "mergeable"})


def describe_global(catalog: Catalog, access: Viewer, version: float) -> dict[str, Any]:
    """`GET /sobjects`: every object, by name."""
    entities = sorted(catalog, key=lambda entity: entity.name)
    return {
        "encoding": "UTF-8",
        "maxBatchSize": 200,
        "sobjects": [describe_global_item(entity, access, version) for entity in entities],
    }


def describe_global_item(entity: Entity, access: Viewer, version: float) -> dict[str, Any]:
    """One object as the global describe shows it."""
    sobject = entity.sobject
    item: dict[str, Any] = {name: flag(entity, name, access) for name in _ITEM_FLAGS}
    item |= {
        "custom": sobject.custom, "customSetting": entity.kind is Kind.SETTING, "keyPrefix": sobject.key_prefix,
        "label": sobject.label, "labelPlural": sobject.label_plural, "name": sobject.name,
        "urls": _urls(entity, version),
    }  # fmt: skip
    if version >= 50.0:  # absent in the replies recorded at 48.0, there at 50.0
        item |= {"associateEntityType": None, "associateParentEntity": None}
    return _at(dict(sorted(item.items())), version)


def flag(entity: Entity, name: str, access: Viewer) -> bool:
    """A describe flag of an object, as this user sees it."""
    if access.read_only and name in _WRITES:
        return False
    known = entity.sobject.flags.get(name)
    return _FLAGS[entity.kind].get(name, False) if known is None else known


def describe_sobject(catalog: Catalog, entity: Entity, access: Viewer, version: float, base_url: str) -> dict[str, Any]:
    """`GET /sobjects/{S}/describe`."""
    whole = describe_global_item(entity, access, version)
    whole["urls"] = _urls(entity, version, base_url)
    whole |= {
        "actionOverrides": [],
        "childRelationships": [_at(_child(child, entity), version) for child in catalog.children(entity.name)],
        "compactLayoutable": flag(entity, "compactLayoutable", access), "defaultImplementation": None,
        "extendedBy": None, "extendsInterfaces": None,
        "fields": [
            _field_at(describe_field(f, access), version) for f in entity.fields if access.readable(entity.name, f.name)
        ],
        "implementedBy": None, "implementsInterfaces": None, "listviewable": None, "lookupLayoutable": None,
        "namedLayoutInfos": [], "networkScopeFieldName": None, "recordTypeInfos": _record_types(entity, version),
        "searchLayoutable": flag(entity, "searchLayoutable", access), "sobjectDescribeOption": "FULL",
        "supportedScopes": _scopes(entity),
    }  # fmt: skip
    return _at(dict(sorted(whole.items())), version)


def describe_field(field: Field, access: Viewer) -> dict[str, Any]:
    """One field with its 57 keys."""
    writable = not access.read_only and not field.calculated
    return {
        "aggregatable": field.aggregatable, "aiPredictionField": field.ai_prediction_field,
        "autoNumber": field.auto_number, "byteLength": field.byte_length, "calculated": field.calculated,
        "calculatedFormula": field.calculated_formula, "cascadeDelete": field.cascade_delete,
        "caseSensitive": field.case_sensitive, "compoundFieldName": field.compound_field_name,
        "controllerName": field.controller_name, "createable": bool(field.createable) and writable,
        "custom": field.custom, "defaultValue": field.default_value,
        "defaultValueFormula": field.default_value_formula, "defaultedOnCreate": field.defaulted_on_create,
        "dependentPicklist": field.dependent_picklist, "deprecatedAndHidden": field.deprecated_and_hidden,
        "digits": field.digits, "displayLocationInDecimal": field.display_location_in_decimal,
        "encrypted": field.encrypted, "externalId": field.external_id, "extraTypeInfo": field.extra_type_info,
        "filterable": field.filterable, "filteredLookupInfo": field.filtered_lookup_info,
        "formulaTreatNullNumberAsZero": field.formula_treat_null_number_as_zero, "groupable": field.groupable,
        "highScaleNumber": field.high_scale_number, "htmlFormatted": field.html_formatted, "idLookup": field.id_lookup,
        "inlineHelpText": field.inline_help_text, "label": field.label, "length": field.length, "mask": field.mask,
        "maskType": field.mask_type, "name": field.name, "nameField": field.name_field,
        "namePointing": field.name_pointing, "nillable": field.nillable, "permissionable": field.permissionable,
        "picklistValues": [
            {"active": v.active, "defaultValue": v.default, "label": v.label, "validFor": v.valid_for, "value": v.value}
            for v in field.picklist_values
        ],
        "polymorphicForeignKey": field.polymorphic_foreign_key, "precision": field.precision,
        "queryByDistance": field.query_by_distance, "referenceTargetField": field.reference_target_field,
        "referenceTo": list(field.reference_to), "relationshipName": field.relationship_name,
        "relationshipOrder": field.relationship_order, "restrictedDelete": field.restricted_delete,
        "restrictedPicklist": field.restricted_picklist, "scale": field.scale,
        "searchPrefilterable": field.search_prefilterable, "soapType": soap_type(field), "sortable": field.sortable,
        "type": field.type, "unique": field.unique, "updateable": bool(field.updateable) and writable,
        "writeRequiresMasterRead": field.write_requires_master_read,
    }  # fmt: skip


def soap_type(field: Field) -> str:
    """The type a WSDL gives the field."""
    return "xsd:string" if field.type in XSD_STRING else _SOAP_TYPES[field.type]


def _child(child: Child, parent: Entity) -> dict[str, Any]:
    # A field that names several parents has one relationship name for all of them.
    del parent
    return {
        "cascadeDelete": child.on_delete is OnDelete.CASCADE, "childSObject": child.sobject,
        "deprecatedAndHidden": False, "field": child.field.name, "junctionIdListNames": [],
        "junctionReferenceTo": [], "relationshipName": child.relationship_name,
        "restrictedDelete": child.on_delete is OnDelete.RESTRICT,
    }  # fmt: skip


def _record_types(entity: Entity, version: float) -> list[dict[str, Any]]:
    if entity.kind not in (Kind.STANDARD, Kind.CUSTOM):
        return []
    if entity.kind is Kind.STANDARD and not (entity.sobject.supports_record_types or entity.sobject.record_types):
        return []  # recorded: OpportunityContactRole, Topic, UserRole
    own = [known for known in entity.sobject.record_types if known.active]
    rows = [(t.record_type_id, t.developer_name, t.name, False) for t in own] + [(MASTER, "Master", "Master", True)]
    found = [
        {
            "active": True, "available": True, "defaultRecordTypeMapping": index == 0, "developerName": developer,
            "master": master, "name": name, "recordTypeId": type_id,
            "urls": {"layout": f"{_base(entity, version)}/describe/layouts/{type_id}"},
        }
        for index, (type_id, developer, name, master) in enumerate(rows)
    ]  # fmt: skip
    return [_at(one, version) for one in found]


def _scopes(entity: Entity) -> list[dict[str, str]]:
    """`everything`, and `mine` where records have owners. Team scopes need teams, which an org of ours has not."""
    plural = entity.sobject.label_plural.lower()
    scopes = [{"label": f"All {plural}", "name": "everything"}]
    if entity.field("OwnerId") is not None:
        scopes.append({"label": f"My {plural}", "name": "mine"})
    return scopes if entity.kind in (Kind.STANDARD, Kind.CUSTOM) else []


def _base(entity: Entity, version: float) -> str:
    return f"/services/data/v{version:.1f}/sobjects/{entity.name}"


# Every URL a describe may name, in the order recorded replies have them; and in that of 29.0.
_URL_ORDER = (
    "compactLayouts", "rowTemplate", "approvalLayouts", "caseArticleSuggestions", "caseRowArticleSuggestions",
    "namedLayouts", "passwordUtilities", "eventSchema", "uiDetailTemplate", "uiEditTemplate", "defaultValues", "listviews",
    "describe", "uiNewRecord", "quickActions", "layouts", "sobject",
)  # fmt: skip
_OLD_URL_ORDER = (
    "uiEditTemplate", "sobject", "quickActions", "uiDetailTemplate", "describe", "rowTemplate", "layouts", "compactLayouts",
    "uiNewRecord",
)  # fmt: skip
_URL_PATHS = {
    "rowTemplate": "/{ID}", "sobject": "", "caseArticleSuggestions": "/suggestedArticles",
    "caseRowArticleSuggestions": "/{ID}/suggestedArticles", "namedLayouts": "/describe/namedLayouts/{LayoutName}",
    "passwordUtilities": "/{ID}/password", "eventSchema": "/eventSchema", "defaultValues": "/defaultValues?recordTypeId&fields",
    "describe": "/describe", "listviews": "/listviews", "quickActions": "/quickActions",
}  # fmt: skip
# What single objects have beyond or below the rule (recording describe-global).
_MORE_URLS = {"Case": ("caseArticleSuggestions", "caseRowArticleSuggestions"),
              "User": ("namedLayouts", "passwordUtilities", "quickActions"), "UserRole": ("compactLayouts",),
              "OpportunityContactRole": ("quickActions",)}  # fmt: skip
_NO_LISTS = frozenset({"User"})


def _url_names(entity: Entity) -> set[str]:
    """Which URLs an object has: those of layouts where it has layouts, of lists where users have lists of it."""
    found = {"rowTemplate", "describe", "sobject", *_MORE_URLS.get(entity.name, ())}
    if flag(entity, "layoutable", _EVERYBODY):
        found |= {"compactLayouts", "layouts"}
        listed = flag(entity, "mruEnabled", _EVERYBODY) and entity.sobject.flags.get("searchLayoutable", True)
        if listed and entity.name not in _NO_LISTS:
            found |= {"approvalLayouts", "listviews", "quickActions"}
    if entity.kind is Kind.EVENT:
        found.add("eventSchema")
    return found


def _urls(entity: Entity, version: float, base_url: str | None = None) -> dict[str, str]:
    """The URLs of an object; with `base_url` also those of the user interface, which are whole."""
    base = _base(entity, version)
    names = _url_names(entity)
    urls = {
        name: base + _URL_PATHS.get(name, f"/describe/{name}")
        for name in names
    }  # fmt: skip
    if base_url is not None and entity.key_prefix is not None:
        urls |= {
            "uiDetailTemplate": base_url + "/{ID}", "uiEditTemplate": base_url + "/{ID}/e",
            "uiNewRecord": f"{base_url}/{entity.key_prefix}/e",
        }  # fmt: skip
        if {"layouts", "quickActions"} <= names and flag(entity, "createable", _EVERYBODY):
            urls["defaultValues"] = base + _URL_PATHS["defaultValues"]
    order = _URL_ORDER if version >= _FULL else _OLD_URL_ORDER
    return {name: urls[name] for name in order if name in urls}


class _Everybody:
    """What an object is, whoever looks."""

    read_only = False

    def readable(self, sobject: str, name: str) -> bool:
        del sobject, name
        return True


_EVERYBODY = _Everybody()

# Keys that came with a version. Recorded: absent in 29.0 and there in 42.0, absent in 42.0 and there in 48.0; the version between
# is guessed.
_FULL, _LATEST = 32.0, 46.0
_SINCE = {
    **dict.fromkeys(
        ("actionOverrides", "hasSubtypes", "isSubtype", "mruEnabled", "namedLayoutInfos", "networkScopeFieldName",
         "sobjectDescribeOption", "supportedScopes", "aggregatable", "compoundFieldName", "encrypted", "extraTypeInfo",
         "filteredLookupInfo", "highScaleNumber", "mask", "maskType", "polymorphicForeignKey", "queryByDistance",
         "referenceTargetField", "searchPrefilterable", "junctionIdListNames", "junctionReferenceTo", "active",
         "developerName", "master"), _FULL),
    **dict.fromkeys(
        ("deepCloneable", "defaultImplementation", "extendedBy", "extendsInterfaces", "implementedBy",
         "implementsInterfaces", "isInterface", "aiPredictionField", "formulaTreatNullNumberAsZero"), _LATEST),
}  # fmt: skip


def _field_at(found: dict[str, Any], version: float) -> dict[str, Any]:
    """A field as its version described it: 29.0 named no default of a checkbox."""
    if version < _FULL and found["type"] == "boolean":
        found["defaultValue"] = None
    return _at(found, version)


def _at(found: dict[str, Any], version: float) -> dict[str, Any]:
    """A described thing with the keys that its API version knew."""
    if version >= _LATEST:
        return found
    return {key: value for key, value in found.items() if _SINCE.get(key, 0.0) <= version}
