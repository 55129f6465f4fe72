"""
The objects of the Tooling API: some of the org's own, and those that exist there alone. Pure.

CustomObject and CustomField are the catalogue once more, as rows with an Id, a FullName and Metadata. Packages are there
and empty. Source: `metadata.md` section 4, `rest.md` section 12; recordings tooling-*. Which objects are shown is ours;
fields as clients ask for them.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import msgspec

from landbridge import ids
from landbridge.ids import RecordId
from landbridge.schema.catalog import Catalog, Entity
from landbridge.schema.model import Field, Kind, SObject

# Of the org's objects, those that the Tooling API shows too.
SHARED = (
    "ApexClass", "ApexTrigger", "AsyncApexJob", "BusinessProcess", "EntityDefinition", "FieldDefinition", "Group",
    "NamedCredential", "Organization", "PermissionSet", "PermissionSetAssignment", "Profile", "RecordType", "User",
    "UserLicense", "UserRole",
)  # fmt: skip
# Fields that this API does not show (recorded: tooling-named-credential-query).
_HIDDEN = {
    "NamedCredential": frozenset(
        {"CalloutOptionsGenerateAuthorizationHeader", "CalloutOptionsAllowMergeFieldsInHeader",
         "CalloutOptionsAllowMergeFieldsInBody", "AuthProviderId", "Description"}
    ),
}  # fmt: skip


def _field(name: str, type_: str, **more: Any) -> Field:
    label = more.pop("label", name)
    return Field(name=name, label=label, type=type_, createable=False, updateable=False, **more)


def _text(name: str, length: int = 255, **more: Any) -> Field:
    return _field(name, "string", length=length, **more)


def _parent(name: str, to: str) -> Field:
    return _field(name, "reference", reference_to=(to,), relationship_name=name.removesuffix("Id"))


_STAMPS = (
    _field("CreatedDate", "datetime"),
    _parent("CreatedById", "User"),
    _field("LastModifiedDate", "datetime"),
    _parent("LastModifiedById", "User"),
)


def _object(name: str, label: str, prefix: str, *fields: Field) -> SObject:
    return SObject(
        name=name, label=label, label_plural=f"{label}s", key_prefix=prefix, kind=Kind.SYSTEM,
        fields=(_field("Id", "id", label=f"{label} ID"), *fields),
    )  # fmt: skip


OBJECTS = (
    _object(
        "CustomObject", "Custom Object", "01I", _text("DeveloperName", 40), _text("ManageableState", 40),
        _text("NamespacePrefix", 15), _text("Language", 40), _text("Description", 1000), *_STAMPS, _text("FullName", 255),
        _field("Metadata", "complexvalue"),
    ),
    _object(
        "CustomField", "Custom Field", "00N", _text("DeveloperName", 40), _text("TableEnumOrId", 40),
        _text("EntityDefinitionId", 40), _text("ManageableState", 40), _text("NamespacePrefix", 15),
        _text("Description", 1000), _text("InlineHelpText", 510), _field("Length", "int"), _field("Precision", "int"),
        _field("Scale", "int"), _text("RelationshipLabel", 80), *_STAMPS, _text("FullName", 255),
        _field("Metadata", "complexvalue"),
    ),
    _object(
        "InstalledSubscriberPackage", "Installed Subscriber Package", "0A3",
        _parent("SubscriberPackageId", "SubscriberPackage"),
        _parent("SubscriberPackageVersionId", "SubscriberPackageVersion"),
    ),
    _object(
        "SubscriberPackage", "Subscriber Package", "033", _text("Name", name_field=True), _text("NamespacePrefix", 15),
        _text("Description"), _field("IsPackageValid", "boolean"),
    ),
    _object(
        "SubscriberPackageVersion", "Subscriber Package Version", "04t", _text("Name", name_field=True),
        _parent("SubscriberPackageId", "SubscriberPackage"), _field("MajorVersion", "int"), _field("MinorVersion", "int"),
        _field("PatchVersion", "int"), _field("BuildNumber", "int"), _text("ReleaseState", 40), _field("IsBeta", "boolean"),
    ),
)  # fmt: skip


# Key order of both as recorded (events-channel, events-channel-member); their rows are views of the selection (`events/`).
_SETUP_HEAD = (
    _field("IsDeleted", "boolean"), _text("DeveloperName", 80, name_field=True), _text("Language", 40), _text("MasterLabel", 80),
    _text("NamespacePrefix", 15), _text("ManageableState", 40), *_STAMPS, _field("SystemModstamp", "datetime"),
)  # fmt: skip
CHANNELS = (
    _object(
        "PlatformEventChannel", "Platform Event Channel", "0YL", *_SETUP_HEAD, _text("ChannelType", 40), _text("FullName"),
        _field("Metadata", "complexvalue"),
    ),
    _object(
        "PlatformEventChannelMember", "Platform Event Channel Member", "0v8", *_SETUP_HEAD, _text("FullName"),
        _field("Metadata", "complexvalue"), _text("EventChannel"), _text("SelectedEntity"),
        _text("FilterExpression", 131072),
    ),
)  # fmt: skip


def catalog(base: Catalog) -> Catalog:
    """What the Tooling API shows of an org with this catalogue; of the same version."""
    shown = [_shown(entity.sobject) for name in SHARED if (entity := base.get(name)) is not None]
    return Catalog([*shown, *OBJECTS, *CHANNELS], base.version)


def own() -> Catalog:
    """The objects that have their tables for the Tooling API alone."""
    return Catalog(OBJECTS)


def _shown(sobject: SObject) -> SObject:
    hidden = _HIDDEN.get(sobject.name)
    if hidden is None:
        return sobject
    return msgspec.structs.replace(sobject, fields=tuple(f for f in sobject.fields if f.name not in hidden))


# --- rows ------------------------------------------------------------------------------------------------------------


def object_rows(base: Catalog, stamp: str) -> Iterator[dict[str, Any]]:
    """A row of CustomObject for every object that the org's source brought."""
    for entity in base:
        if entity.sobject.custom and entity.sobject.flags.get("createable", True):  # our own events are nobody's source
            sobject = entity.sobject
            metadata = {
                "label": sobject.label, "pluralLabel": sobject.label_plural, "sharingModel": sobject.sharing_model,
                "customSettingsType": sobject.setting_type, "publishBehavior": sobject.publish_behavior, "urls": None,
            }  # fmt: skip
            yield {
                "Id": object_id(entity.name), "DeveloperName": _bare(entity.name), "ManageableState": "unmanaged",
                "NamespacePrefix": None, "Language": "en_US", "Description": None, "CreatedDate": stamp,
                "LastModifiedDate": stamp, "FullName": entity.name, "Metadata": _json(metadata),
            }  # fmt: skip


def field_rows(base: Catalog, stamp: str) -> Iterator[dict[str, Any]]:
    """A row of CustomField for every custom field; standard objects are named, custom ones told by their Id."""
    for entity in base:
        for field in entity.fields:
            if field.custom:
                full = f"{entity.name}.{field.name}"
                yield {
                    "Id": made_id("00N", full), "DeveloperName": _bare(field.name),
                    "TableEnumOrId": object_id(entity.name) if entity.sobject.custom else entity.name,
                    "EntityDefinitionId": entity.name, "ManageableState": "unmanaged", "NamespacePrefix": None,
                    "Description": None, "InlineHelpText": field.inline_help_text, "Length": field.length or None,
                    "Precision": field.precision or None, "Scale": field.scale if field.precision else None,
                    "RelationshipLabel": None, "CreatedDate": stamp, "LastModifiedDate": stamp, "FullName": full,
                    "Metadata": _json(_metadata(entity, field)),
                }  # fmt: skip


def _metadata(entity: Entity, field: Field) -> dict[str, Any]:
    del entity
    return {
        "type": _SOURCE_TYPES.get(field.type, field.type), "label": field.label, "length": field.length or None,
        "precision": field.precision or None, "scale": field.scale if field.precision else None,
        "required": not field.nillable, "unique": field.unique, "externalId": field.external_id,
        "caseSensitive": field.case_sensitive, "inlineHelpText": field.inline_help_text,
        "referenceTo": field.reference_to[0] if field.reference_to else None,
        "relationshipName": (field.child_relationship_name or "").removesuffix("__r") or None,
        "displayFormat": field.auto_number_format, "urls": None,
    }  # fmt: skip


_SOURCE_TYPES = {
    "string": "Text", "textarea": "LongTextArea", "boolean": "Checkbox", "picklist": "Picklist", "double": "Number",
    "multipicklist": "MultiselectPicklist", "currency": "Currency", "percent": "Percent", "date": "Date", "time": "Time",
    "datetime": "DateTime", "email": "Email", "phone": "Phone", "url": "Url", "reference": "Lookup", "location": "Location",
    "encryptedstring": "EncryptedText",
}  # fmt: skip


def object_id(name: str) -> RecordId:
    """The Id of a custom object."""
    return made_id("01I", name)


def made_id(prefix: str, name: str) -> RecordId:
    """An Id made from a name: the same in every org and after every restart."""
    return ids.make(prefix, int.from_bytes(sha256(name.lower().encode()).digest()[:5], "big"))


def _bare(name: str) -> str:
    return name.rpartition("__")[0] or name


def _json(value: dict[str, Any]) -> str:
    return msgspec.json.encode(value).decode()
