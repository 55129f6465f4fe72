"""
What an org is made of: sObjects, fields, picklist values, record types, as values.

The same structs are what the files in `standard/` hold, what the sfdx reader yields, and what the catalogue keeps,
so there is one shape from file to describe. Attributes that follow from a field's type stand in `TYPE_DEFAULTS` and are
laid in by `resolve`; a file names only what differs.

Source of the shape: `rest.md` section 4, facts in `../shared/standard/README.md`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec


class Kind(StrEnum):
    """What an sObject is, by its suffix and settings; decides which calls it takes."""

    STANDARD = "standard"
    CUSTOM = "custom"
    SETTING = "setting"  # custom setting, list or hierarchy
    METADATA = "metadata"  # custom metadata type, __mdt: read-only over the API
    EVENT = "event"  # platform event, __e: published, never queried
    SYSTEM = "system"  # a view a room registers: EntityDefinition, Callout_Log__c


class OnDelete(StrEnum):
    """What happens to a child when its parent is deleted."""

    CASCADE = "cascade"
    SET_NULL = "set_null"
    RESTRICT = "restrict"
    NOTHING = "nothing"  # the reference stays, as CreatedById does


class PicklistValue(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """One value of a picklist. `valid_for`: base64 bitmap over the controlling field's values, or None."""

    value: str
    label: str
    default: bool = False
    active: bool = True
    valid_for: str | None = None


class Field(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """
    One field of an sObject. `type` is the describe type (`string`, `reference`, `double`, ...).

    None means "as the type says": `resolve` fills it from TYPE_DEFAULTS, and nothing outside this package sees it.
    """

    name: str
    label: str
    type: str
    length: int | None = None
    precision: int | None = None
    scale: int = 0
    digits: int = 0
    byte_length: int | None = None
    nillable: bool | None = None
    createable: bool | None = None
    updateable: bool | None = None
    defaulted_on_create: bool | None = None
    filterable: bool | None = None
    sortable: bool | None = None
    groupable: bool | None = None
    aggregatable: bool | None = None
    id_lookup: bool | None = None
    query_by_distance: bool | None = None
    permissionable: bool = False
    name_field: bool = False
    name_pointing: bool | None = None
    auto_number: bool = False
    calculated: bool = False
    case_sensitive: bool = False
    unique: bool = False
    external_id: bool = False
    custom: bool = False
    encrypted: bool = False
    html_formatted: bool = False
    deprecated_and_hidden: bool = False
    dependent_picklist: bool = False
    restricted_picklist: bool = False
    polymorphic_foreign_key: bool | None = None
    search_prefilterable: bool = False
    high_scale_number: bool = False
    display_location_in_decimal: bool = False
    write_requires_master_read: bool = False
    cascade_delete: bool = False
    restricted_delete: bool = False
    ai_prediction_field: bool = False
    formula_treat_null_number_as_zero: bool = False
    default_value: Any = None
    default_value_formula: str | None = None
    calculated_formula: str | None = None
    compound_field_name: str | None = None
    controller_name: str | None = None
    extra_type_info: str | None = None
    filtered_lookup_info: dict[str, Any] | None = None
    inline_help_text: str | None = None
    mask: str | None = None
    mask_type: str | None = None
    reference_target_field: str | None = None
    reference_to: tuple[str, ...] = ()
    relationship_name: str | None = None
    relationship_order: int | None = None
    picklist_values: tuple[PicklistValue, ...] = ()
    value_set: str | None = None
    """Standard objects: the values are those of this set (`standard/_valuesets.json`); the loader lays them in."""
    # --- not in a describe ---
    bit: bool = False
    """A permission or preference bit: its flags differ from those of a plain boolean."""
    child_relationship_name: str | None = None
    """What the parent calls its children through this field: `Contacts`, `Lines__r`."""
    on_delete: OnDelete = OnDelete.NOTHING
    auto_number_format: str | None = None
    """Display format such as `A-{0000}`."""
    starting_number: int = 1
    writable_once: bool = False
    """A master-detail reference that may not be reparented: createable, not updateable."""

    @property
    def is_reference(self) -> bool:
        return self.type == "reference"

    @property
    def is_compound(self) -> bool:
        """Address or location: has parts, has no column."""
        return self.type in ("address", "location")

    @property
    def stored(self) -> bool:
        """Whether the field has a column of its own in the object's table."""
        return not self.is_compound and not self.calculated


class RecordType(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """A record type of an object; its id is given when the catalogue takes it in."""

    developer_name: str
    name: str
    active: bool = True
    description: str | None = None
    record_type_id: str | None = None


class SObject(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """One sObject with its fields in describe order. `flags` are describe flags by their describe name."""

    name: str
    label: str
    label_plural: str
    key_prefix: str | None = None
    kind: Kind = Kind.STANDARD
    flags: dict[str, bool] = {}
    fields: tuple[Field, ...] = ()
    record_types: tuple[RecordType, ...] = ()
    sharing_model: str | None = None
    setting_type: str | None = None
    """Custom settings: `List` or `Hierarchy`."""
    publish_behavior: str | None = None
    """Platform events: `PublishAfterCommit` or `PublishImmediately`."""
    event_type: str | None = None
    """Platform events: `HighVolume`, or `StandardVolume` (kept 24 hours; no longer to be made on the platform)."""
    supports_record_types: bool = False

    @property
    def custom(self) -> bool:
        return self.kind in (Kind.CUSTOM, Kind.SETTING, Kind.METADATA, Kind.EVENT)

    @property
    def has_table(self) -> bool:
        """Whether rows of it are kept in a table of its name."""
        return self.kind not in (Kind.EVENT, Kind.SYSTEM)


# Laid under a field that says nothing itself. Origin: ../shared/standard/_defaults.json, compared there with
# recorded describes. Keys are Field attributes.
_COMMON: dict[str, Any] = {
    "length": 0, "precision": 0, "nillable": True, "createable": True, "updateable": True,
    "defaulted_on_create": False, "filterable": True, "sortable": True, "groupable": True, "aggregatable": True,
    "id_lookup": False, "query_by_distance": False,
}  # fmt: skip
_NO_SORT: dict[str, Any] = {"filterable": False, "groupable": False, "sortable": False, "aggregatable": False}
TYPE_DEFAULTS: dict[str, dict[str, Any]] = {
    "id": {"length": 18, "nillable": False, "createable": False, "updateable": False, "defaulted_on_create": True,
           "id_lookup": True},
    "reference": {"length": 18},
    "boolean": {"nillable": False, "defaulted_on_create": True, "default_value": False, "aggregatable": False},
    "string": {}, "picklist": {}, "combobox": {}, "encryptedstring": {},
    "multipicklist": {"groupable": False, "sortable": False, "aggregatable": False},
    "email": {"length": 80}, "phone": {"length": 40}, "url": {"length": 255},
    "textarea": _NO_SORT,
    "int": {}, "long": {}, "date": {},
    "double": {"groupable": False, "precision": 18}, "currency": {"groupable": False, "precision": 18},
    "percent": {"groupable": False},
    "datetime": {"groupable": False}, "time": {"groupable": False},
    "address": {"createable": False, "updateable": False, "groupable": False, "sortable": False,
                "aggregatable": False, "query_by_distance": True},
    "location": {"createable": False, "updateable": False, "groupable": False, "sortable": False,
                 "aggregatable": False, "query_by_distance": True},
    "base64": _NO_SORT, "complexvalue": _NO_SORT, "anyType": _NO_SORT,
}  # fmt: skip
SHORT_TEXTAREA: dict[str, Any] = {"filterable": True, "groupable": True, "sortable": True, "aggregatable": True}
BIT: dict[str, Any] = {"defaulted_on_create": False, "default_value": None, "groupable": False, "sortable": False}
XSD_STRING = frozenset(
    {"string", "picklist", "multipicklist", "combobox", "email", "phone", "url", "textarea", "encryptedstring"}
)


def resolve(field: Field) -> Field:
    """The field with every None that its type decides filled in. Raises KeyError for a type that does not exist."""
    laid = _COMMON | TYPE_DEFAULTS[field.type]
    if field.type == "textarea" and 0 < (field.length or 0) <= 255:
        laid |= SHORT_TEXTAREA
    if field.bit:
        laid |= BIT
    changes = {name: value for name, value in laid.items() if getattr(field, name) is None}
    length = field.length if field.length is not None else laid["length"]
    if field.byte_length is None:
        if field.type in ("id", "reference"):
            changes["byte_length"] = length
        else:
            changes["byte_length"] = 3 * length if field.type in XSD_STRING else 0
    polymorphic = len(field.reference_to) > 1
    if field.polymorphic_foreign_key is None:
        changes["polymorphic_foreign_key"] = polymorphic
    if field.name_pointing is None:
        changes["name_pointing"] = polymorphic
    return msgspec.structs.replace(field, **changes)
