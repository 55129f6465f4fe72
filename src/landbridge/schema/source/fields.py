"""
One `CustomField` of source to a Field.

Source: `metadata.md` section 3, describe mapping; custom fields of recorded describes (describe-custom*).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from landbridge.schema.model import Field, OnDelete, PicklistValue
from landbridge.schema.source.finding import Findings, Severity
from landbridge.xml import Element

ValueSets = Mapping[str, tuple[PicklistValue, ...]]

# Source type -> describe type. Formula fields have the type they return.
TYPES = {
    "Text": "string", "TextArea": "textarea", "LongTextArea": "textarea", "Html": "textarea", "Email": "email",
    "Phone": "phone", "Url": "url", "Number": "double", "Currency": "currency", "Percent": "percent",
    "Checkbox": "boolean", "Date": "date", "DateTime": "datetime", "Time": "time", "Picklist": "picklist",
    "MultiselectPicklist": "multipicklist", "AutoNumber": "string", "Lookup": "reference", "MasterDetail": "reference",
    "Hierarchy": "reference", "MetadataRelationship": "reference", "Location": "location",
    "EncryptedText": "encryptedstring", "Summary": "double",
}  # fmt: skip
_REFUSED = frozenset({"ExternalLookup", "IndirectLookup", "File", "CustomDataType"})
_LENGTHS = {"TextArea": 255, "Email": 80, "Phone": 40, "Url": 255, "AutoNumber": 30, "Picklist": 255,
            "MultiselectPicklist": 4099}  # fmt: skip


class FieldReader:
    """Reads the fields of one object."""

    def __init__(self, findings: Findings, value_sets: ValueSets, sobject: str) -> None:
        self._findings = findings
        self._value_sets = value_sets
        self._sobject = sobject

    def read(self, path: Path, element: Element) -> list[Field]:
        """The Field of an element, with its parts for a location; none when it was refused (and said so)."""
        name, kind = element.get("fullName"), element.get("type")
        if not kind:
            self._say(path, element, Severity.IGNORED, f"{name}: changes to a standard field")
            return []
        if kind in _REFUSED or kind not in TYPES:
            self._say(path, element.find("type") or element, Severity.REFUSED, f"{name}: fields of type {kind}")
            return []
        try:
            field = self._field(path, element, name, kind)
        except ValueError as error:
            self._say(path, element, Severity.ERROR, f"{name}: {error}")
            return []
        severity = Severity.LATER if field.calculated else Severity.UNDERSTOOD
        note = " (formula: described, value null)" if field.calculated else ""
        self._say(path, element, severity, f"{kind} {self._sobject}.{name}{note}")
        return [field, *_location_parts(field)] if field.type == "location" else [field]

    def _say(self, path: Path, element: Element, severity: Severity, what: str) -> None:
        self._findings.add(path, element.line, severity, what)

    def _field(self, path: Path, element: Element, name: str, kind: str) -> Field:
        if not re.fullmatch(r"[A-Za-z]\w*__c", name, re.ASCII):
            raise ValueError(f"not the name of a custom field: {name!r}")
        attributes: dict[str, Any] = {
            "name": name, "label": element.get("label") or name.removesuffix("__c").replace("_", " "),
            "type": TYPES[kind], "custom": True, "permissionable": element.get("required") != "true",
            "inline_help_text": element.get("inlineHelpText") or None,
        }  # fmt: skip
        attributes |= self._size(element, kind)
        attributes |= self._flags(element, kind)
        if kind in ("Lookup", "MasterDetail", "Hierarchy", "MetadataRelationship"):
            attributes |= self._reference(element, kind)
        if kind in ("Picklist", "MultiselectPicklist"):
            attributes |= self._picklist(path, element)
        if kind == "AutoNumber":
            attributes |= {"auto_number": True, "auto_number_format": element.get("displayFormat") or "{0}",
                           "starting_number": int(element.get("startingNumber") or 1), "createable": False,
                           "updateable": False, "nillable": False, "defaulted_on_create": True,
                           "external_id": element.get("externalId") == "true"}  # fmt: skip
        if element.find("formula") is not None or kind == "Summary":
            attributes |= {"calculated": True, "calculated_formula": element.get("formula") or None,
                           "createable": False, "updateable": False, "filterable": False, "sortable": False,
                           "groupable": False, "default_value": None}  # fmt: skip
        else:
            attributes |= self._default(path, element, kind)
        return Field(**attributes)

    def _size(self, element: Element, kind: str) -> dict[str, Any]:
        size: dict[str, Any] = {}
        if kind in ("Number", "Currency", "Percent", "Summary"):
            size["precision"] = int(element.get("precision") or 18)
            size["scale"] = int(element.get("scale") or 0)
            if size["precision"] > 18 or size["scale"] > size["precision"]:
                raise ValueError(f"precision {size['precision']} with scale {size['scale']}")
        elif kind == "Location":
            size["scale"] = int(element.get("scale") or 0)
        elif kind in _LENGTHS:
            size["length"] = _LENGTHS[kind]
        elif kind in ("Text", "LongTextArea", "Html", "EncryptedText"):
            size["length"] = int(element.get("length") or (255 if kind == "Text" else 32768))
        if kind == "TextArea" or kind == "LongTextArea":
            size["extra_type_info"] = "plaintextarea"
        elif kind == "Html":
            size |= {"extra_type_info": "richtextarea", "html_formatted": True}
        elif kind == "EncryptedText":
            size |= {"encrypted": True, "mask": element.get("maskChar") or "asterisk",
                     "mask_type": element.get("maskType") or "all", "filterable": False, "sortable": False,
                     "groupable": False}  # fmt: skip
        if kind == "Location":
            size["display_location_in_decimal"] = element.get("displayLocationInDecimal") == "true"
        return size

    def _flags(self, element: Element, kind: str) -> dict[str, Any]:
        flags: dict[str, Any] = {}
        unique, external = element.get("unique") == "true", element.get("externalId") == "true"
        if unique:
            flags |= {"unique": True, "case_sensitive": element.get("caseSensitive") == "true"}
        if external:
            flags["external_id"] = True
        if unique or external:
            flags["id_lookup"] = external
        if element.get("required") == "true" or kind == "MasterDetail":
            flags["nillable"] = False
        return flags

    def _reference(self, element: Element, kind: str) -> dict[str, Any]:
        target = self._sobject if kind == "Hierarchy" else element.get("referenceTo")
        if not target:
            raise ValueError("a lookup needs referenceTo")
        name = element.get("fullName").removesuffix("__c") + "__r"
        children = element.get("relationshipName")
        found: dict[str, Any] = {
            "reference_to": (target,), "relationship_name": name,
            "child_relationship_name": f"{children}__r" if children else None,
        }  # fmt: skip
        if kind == "MasterDetail":
            free = element.get("reparentableMasterDetail") == "true"
            found |= {
                "on_delete": OnDelete.CASCADE, "cascade_delete": True, "updateable": free, "writable_once": not free,
                "relationship_order": int(element.get("relationshipOrder") or 0),
                "write_requires_master_read": element.get("writeRequiresMasterRead") == "true",
            }  # fmt: skip
        else:
            rule = element.get("deleteConstraint") or "SetNull"
            on_delete = {"SetNull": OnDelete.SET_NULL, "Restrict": OnDelete.RESTRICT, "Cascade": OnDelete.CASCADE}
            if rule not in on_delete:
                raise ValueError(f"deleteConstraint {rule}")
            found |= {"on_delete": on_delete[rule], "restricted_delete": rule == "Restrict",
                      "cascade_delete": rule == "Cascade"}  # fmt: skip
        return found

    def _picklist(self, path: Path, element: Element) -> dict[str, Any]:
        values = element.find("valueSet")
        if values is None:
            raise ValueError("a picklist needs a valueSet")
        named = values.get("valueSetName")
        if named:
            if named not in self._value_sets:
                raise ValueError(f"the global value set {named} is not in this source")
            found = self._value_sets[named]
        else:
            definition = values.find("valueSetDefinition")
            found = read_values(definition) if definition is not None else ()
            if definition is not None and definition.get("sorted") == "true":
                found = tuple(sorted(found, key=lambda value: value.label))
        controller = values.get("controllingField") or None
        attributes: dict[str, Any] = {
            "picklist_values": found, "restricted_picklist": values.get("restricted") == "true" or bool(named),
        }  # fmt: skip
        if controller is not None:
            attributes |= {"controller_name": controller, "dependent_picklist": True}
            self._findings.add(path, values.line, Severity.LATER, f"{element.get('fullName')}: dependency on {controller} "
                               "is described, not enforced")  # fmt: skip
        return attributes

    def _default(self, path: Path, element: Element, kind: str) -> dict[str, Any]:
        text = element.get("defaultValue")
        if not text:
            return {}
        value = literal(text, kind)
        if value is None:
            default = element.find("defaultValue")
            assert default is not None
            self._say(path, default, Severity.LATER, f"{element.get('fullName')}: default formula {text}")
            return {"default_value_formula": text}
        return {
            "default_value": value,
            "default_value_formula": None if kind == "Checkbox" else text,  # recorded: describe-custom-object-v29
            "defaulted_on_create": kind == "Checkbox" or None,
        }


def literal(text: str, kind: str) -> Any:
    """A default that is a plain value, in stored form; None for a formula."""
    if kind == "Checkbox":
        return {"true": True, "false": False}.get(text.lower())
    if kind in ("Number", "Currency", "Percent"):
        try:
            return float(text)
        except ValueError:
            return None
    match = re.fullmatch(r"""(["'])(.*)\1""", text, re.DOTALL)
    return match[2] if match is not None and match[1] not in match[2] else None


def read_values(definition: Element) -> tuple[PicklistValue, ...]:
    """The values of a value set; `value` in fields, `customValue` in global sets."""
    return tuple(
        PicklistValue(
            value=value.get("fullName"), label=value.get("label") or value.get("fullName"),
            default=value.get("default") == "true", active=value.get("isActive") != "false",
        )
        for value in (*definition.all("value"), *definition.all("customValue"))
    )  # fmt: skip


def with_dependencies(field: Field, controller: Field, element: Element) -> Field:
    """A dependent picklist with the bitmap (`validFor`) of the controlling values each value goes with."""
    import msgspec  # the only use in this module: structs are immutable

    order = ["false", "true"] if controller.type == "boolean" else [v.value for v in controller.picklist_values]
    valid: dict[str, set[int]] = {}
    for setting in element.all("valueSettings"):
        places = {order.index(c.text.strip()) for c in setting.all("controllingFieldValue") if c.text.strip() in order}
        valid.setdefault(setting.get("valueName"), set()).update(places)
    values = tuple(
        msgspec.structs.replace(value, valid_for=bitmap(valid.get(value.value, set()), len(order)))
        for value in field.picklist_values
    )
    return msgspec.structs.replace(field, picklist_values=values)


def bitmap(places: set[int], size: int) -> str:
    """Bits from the left of each byte, in base64, as a describe gives `validFor`."""
    data = bytearray((size + 7) // 8)
    for place in places:
        data[place // 8] |= 0x80 >> (place % 8)
    return base64.b64encode(bytes(data)).decode()


def _location_parts(field: Field) -> list[Field]:
    base = field.name.removesuffix("__c")
    return [
        Field(
            name=f"{base}__{part}__s", label=f"{field.label} ({part})", type="double", custom=True, precision=18,
            scale=field.scale or 15, compound_field_name=field.name, nillable=True,
        )
        for part in ("Latitude", "Longitude")
    ]  # fmt: skip
