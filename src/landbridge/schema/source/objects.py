"""
One custom object of source to an SObject: its kind, the fields the platform adds, its flags.

Source: `metadata.md` section 3; field order and attributes of custom objects from recorded describes (describe-custom*).
"""

from __future__ import annotations

from typing import Any

from landbridge.schema.model import Field, Kind, SObject
from landbridge.xml import Element

_USER: dict[str, Any] = {"type": "reference", "reference_to": ("User",), "createable": False, "updateable": False}


def kind_of(name: str, element: Element | None) -> Kind:
    """What an object is, by its suffix and settings. Raises ValueError for kinds that we do not have."""
    if name.endswith("__e"):
        return Kind.EVENT
    if name.endswith("__mdt"):
        return Kind.METADATA
    if name.endswith("__c"):
        is_setting = element is not None and element.get("customSettingsType")
        return Kind.SETTING if is_setting else Kind.CUSTOM
    if name.endswith(("__b", "__x", "__kav")):
        raise ValueError("big objects, external objects and article types")
    raise ValueError("a standard object that Landbridge does not have")


def make(name: str, element: Element | None, fields: list[Field], *, record_types: bool) -> SObject:
    """The object with its own fields between those the platform adds."""
    kind = kind_of(name, element)
    label = (element.get("label") if element is not None else "") or name.rpartition("__")[0].replace("_", " ")
    plural = (element.get("pluralLabel") if element is not None else "") or f"{label}s"
    controlled = any(field.type == "reference" and field.cascade_delete and not field.nillable for field in fields)
    around = {
        Kind.EVENT: _event_fields, Kind.METADATA: _metadata_fields, Kind.SETTING: _setting_fields,
    }.get(kind, _custom_fields)  # fmt: skip
    before, after = around(element, controlled=controlled, record_types=record_types)
    setting = element.get("customSettingsType") if element is not None else ""
    return SObject(
        name=name, label=label, label_plural=plural, kind=kind, fields=(*before, *fields, *after),
        sharing_model=(element.get("sharingModel") or None) if element is not None else None,
        setting_type=setting or None,
        publish_behavior=(element.get("publishBehavior") or "PublishAfterCommit") if kind is Kind.EVENT and
        element is not None else None,
        event_type=(element.get("eventType") or "HighVolume") if kind is Kind.EVENT and element is not None else None,
        supports_record_types=kind is Kind.CUSTOM,
    )  # fmt: skip


def _id(label: str = "Record ID") -> Field:
    return Field(name="Id", label=label, type="id")


def _audit() -> list[Field]:
    stamp: dict[str, Any] = {"type": "datetime", "nillable": False, "createable": False, "updateable": False,
             "defaulted_on_create": True}  # fmt: skip
    user: dict[str, Any] = _USER | {"nillable": False, "defaulted_on_create": True}
    return [
        Field(name="CreatedDate", label="Created Date", **stamp),
        Field(name="CreatedById", label="Created By ID", relationship_name="CreatedBy", **user),
        Field(name="LastModifiedDate", label="Last Modified Date", **stamp),
        Field(name="LastModifiedById", label="Last Modified By ID", relationship_name="LastModifiedBy", **user),
        Field(name="SystemModstamp", label="System Modstamp", **stamp),
    ]


def _deleted() -> Field:
    return Field(name="IsDeleted", label="Deleted", type="boolean", createable=False, updateable=False)


def _name(element: Element | None) -> Field:
    named = element.find("nameField") if element is not None else None
    label = (named.get("label") if named is not None else "") or "Name"
    if named is not None and named.get("type") == "AutoNumber":
        return Field(
            name="Name", label=label, type="string", length=80, name_field=True, id_lookup=True, auto_number=True,
            auto_number_format=named.get("displayFormat") or "{0}", nillable=False, createable=False,
            updateable=False, defaulted_on_create=True, starting_number=int(named.get("startingNumber") or 1),
        )  # fmt: skip
    return Field(name="Name", label=label, type="string", length=80, name_field=True, id_lookup=True,
                 defaulted_on_create=True)  # fmt: skip


def _custom_fields(element: Element | None, *, controlled: bool, record_types: bool) -> tuple[list[Field], list[Field]]:
    before = [_id()]
    if not controlled:  # the detail of a master-detail has its master's owner
        before.append(Field(name="OwnerId", label="Owner ID", type="reference", nillable=False, defaulted_on_create=True,
                            reference_to=("Group", "User"), relationship_name="Owner"))  # fmt: skip
    before += [_deleted(), _name(element)]
    if record_types:
        before.append(Field(name="RecordTypeId", label="Record Type ID", type="reference", reference_to=("RecordType",),
                            relationship_name="RecordType"))  # fmt: skip
    before += _audit()
    if element is not None and element.get("enableActivities") == "true":
        before.append(Field(name="LastActivityDate", label="Last Activity Date", type="date", createable=False,
                            updateable=False))  # fmt: skip
    seen: dict[str, Any] = {"type": "datetime", "createable": False, "updateable": False}
    before += [Field(name="LastViewedDate", label="Last Viewed Date", **seen),
               Field(name="LastReferencedDate", label="Last Referenced Date", **seen)]  # fmt: skip
    return before, []


def _setting_fields(
    element: Element | None, *, controlled: bool, record_types: bool
) -> tuple[list[Field], list[Field]]:
    del controlled, record_types
    before = [_id(), _deleted(), _name(element)]
    if element is not None and element.get("customSettingsType") == "Hierarchy":
        before.append(Field(name="SetupOwnerId", label="Location", type="reference", nillable=False, updateable=False,
                            reference_to=("Organization", "Profile", "User"), relationship_name="SetupOwner"))  # fmt: skip
    return [*before, *_audit()], []


def _metadata_fields(
    element: Element | None, *, controlled: bool, record_types: bool
) -> tuple[list[Field], list[Field]]:
    del element, controlled, record_types
    fixed: dict[str, Any] = {"createable": False, "updateable": False}
    return [
        _id("Custom Metadata Record ID"),
        Field(name="DeveloperName", label="Custom Metadata Record Name", type="string", length=40, nillable=False,
              name_field=True, **fixed),
        Field(name="MasterLabel", label="Label", type="string", length=40, nillable=False, **fixed),
        Field(name="Language", label="Master Language", type="picklist", length=40, nillable=False, **fixed),
        Field(name="NamespacePrefix", label="Namespace Prefix", type="string", length=15, **fixed),
        Field(name="Label", label="Label", type="string", length=40, **fixed),
        Field(name="QualifiedApiName", label="Qualified API Name", type="string", length=70, **fixed),
        Field(name="SystemModstamp", label="System Modstamp", type="datetime", nillable=False, **fixed),
    ], []  # fmt: skip


def _event_fields(element: Element | None, *, controlled: bool, record_types: bool) -> tuple[list[Field], list[Field]]:
    del element, controlled, record_types
    fixed: dict[str, Any] = {"createable": False, "updateable": False}
    return [
        Field(name="ReplayId", label="Replay ID", type="string", length=1000, **fixed),
        Field(name="CreatedDate", label="Created Date", type="datetime", nillable=False, defaulted_on_create=True, **fixed),
        Field(name="CreatedById", label="Created By ID", nillable=False, defaulted_on_create=True,
              relationship_name="CreatedBy", **_USER),
        Field(name="EventUuid", label="Event UUID", type="string", length=36, **fixed),
    ], []  # fmt: skip
