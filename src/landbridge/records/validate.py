"""
From a JSON object to stored values, or to the error Salesforce gives. Pure.

What needs the database (do references exist, is a value unique) comes later, inside the unit; see `store`.

Source: `rest.md` sections 3, 9, 11. The order in which errors win over each other is guessed: unknown fields, read-only
fields, values field by field, required fields.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from landbridge import ids, values
from landbridge.access import Access
from landbridge.errors import (
    BadPicklistValue,
    FieldIntegrity,
    InvalidEmailAddress,
    InvalidFieldForInsertUpdate,
    JsonParserError,
    MalformedId,
    NoSuchColumn,
    NumberOutsideValidRange,
    RequiredFieldMissing,
    SalesforceError,
    StringTooLong,
    Unsupported,
)
from landbridge.records.shape import Shape
from landbridge.schema.model import Field

_EMAIL = re.compile(r"[^\s@<>(),;:\\\"\[\]]+@[^\s@<>(),;:\\\"\[\]]+\.[^\s@<>(),;:\\\"\[\].]+\Z")
_BLANKS = " \t\r\n\f\v"
_UNSEEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


@dataclass(slots=True)
class Prepared:
    """
    Checked values of one record: `columns` ready to store; `references` to be looked for inside the unit; `parents` to be
    found by an external id: (reference field, target type or None, external-id field, value).
    """

    columns: dict[str, Any] = field(default_factory=dict)
    references: list[tuple[Field, ids.RecordId]] = field(default_factory=list)
    parents: list[tuple[Field, str | None, str, Any]] = field(default_factory=list)


def prepare(shape: Shape, access: Access, given: Mapping[str, Any], *, creating: bool) -> Prepared:
    """
    Check the values a client sent for one record.

    `given` is the JSON object as it came; `attributes` is ignored. Raises the SalesforceError of the first rule broken.
    """
    chosen: list[tuple[Field, Any]] = []
    prepared = Prepared()
    refused: list[str] = []
    fields = shape.fields
    hidden = access.hidden
    for key, value in given.items():
        found = fields.get(key) or fields.get(key.lower())
        if found is None or (hidden and not access.readable(shape.name, found.name)):
            if key == "attributes":
                continue
            _take_parent(shape, prepared, key, value, creating=creating)
        elif not (found.createable if creating else found.updateable):
            refused.append(found.name)
        else:
            chosen.append((found, value))
    if refused:
        raise InvalidFieldForInsertUpdate(refused)
    for found, value in chosen:
        stored = stored_value(found, value)
        if stored is None and not found.nillable:
            stored = _null(shape, found)
        prepared.columns[found.name] = stored
        if stored is not None and found.type == "reference":
            prepared.references.append((found, stored))
    if creating:
        _require(shape, prepared)
    return prepared


def stored_value(found: Field, value: Any) -> Any:
    """One JSON value in its stored form. Raises the SalesforceError of the rule it breaks."""
    return None if value is None else _STORE[found.type](found, value)


def _require(shape: Shape, prepared: Prepared) -> None:
    by_parent = {reference.name for reference, _, _, _ in prepared.parents}
    missing = [f.name for f in shape.required if prepared.columns.get(f.name) is None and f.name not in by_parent]
    if missing:
        raise RequiredFieldMissing(missing)


def _null(shape: Shape, found: Field) -> Any:
    """A null, or text that comes to nothing, for a field that can't be null."""
    if found.type == "boolean":
        return 0  # guessed: the platform has no null for a checkbox
    if found.name == "OwnerId":
        raise FieldIntegrity(f"{found.label}: owner cannot be blank", fields=(found.name,))
    if found.defaulted_on_create and not found.updateable:
        return shape.defaults.get(found.name)
    raise RequiredFieldMissing([found.name])


def _take_parent(shape: Shape, prepared: Prepared, key: str, value: Any, *, creating: bool) -> None:
    """`"Account": {"Ext__c": "x"}`: set a reference by an external id of its target."""
    reference = shape.parents.get(key.lower())
    if reference is None:
        raise NoSuchColumn(key, shape.name)
    if not (reference.createable if creating else reference.updateable):
        raise InvalidFieldForInsertUpdate([reference.name])
    if value is None:
        prepared.columns[reference.name] = None
        return
    if not isinstance(value, dict):
        raise _cannot("sObject", value)
    keys = [name for name in value if name != "attributes"]
    if len(keys) != 1:
        raise FieldIntegrity(f"{key}: a related record is named by exactly one external id field", fields=(key,))
    attributes = value.get("attributes")
    target = attributes.get("type") if isinstance(attributes, dict) else value.get("type")
    prepared.parents.append((reference, target if isinstance(target, str) else None, keys[0], value[keys[0]]))


# --- one function per kind of value: field, JSON value (never None) -> stored value -------------------------------------


def _cannot(kind: str, value: Any) -> JsonParserError:
    """What the JSON parser of the platform says; where the value stood is added by who has the body."""
    if isinstance(value, dict):
        got = "START_OBJECT value {"
    elif isinstance(value, list):
        got = "START_ARRAY value ["
    elif isinstance(value, bool):
        got = f"VALUE_{str(value).upper()} value {str(value).lower()}"
    elif isinstance(value, int):
        got = f"VALUE_NUMBER_INT value {value}"
    elif isinstance(value, float):
        got = f"VALUE_NUMBER_FLOAT value {value}"
    else:
        got = f'VALUE_STRING value "{str(value)[:255]}"'
    return JsonParserError(f"Cannot deserialize instance of {kind} from {got}")


def text_of(found: Field, value: Any, kind: str = "string") -> str:
    """The text of a JSON string or number; blanks around it go, except in text areas."""
    if isinstance(value, str):
        text = value
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        text = str(value)
    else:
        raise _cannot(kind, value)
    if "\x00" in text or _UNSEEN.search(text):
        text = _UNSEEN.sub("", text)  # control characters can't be stored on the platform; guessed: they are dropped
    return text if found.type == "textarea" else text.strip(_BLANKS)


def _text(found: Field, value: Any) -> str | None:
    text = text_of(found, value)
    length = found.length or 0
    if 0 < length < len(text):
        raise StringTooLong(found.label, text, length, found.name)
    return text or None


def _email(found: Field, value: Any) -> str | None:
    text = _text(found, value)
    if text is not None and not _EMAIL.match(text):
        raise InvalidEmailAddress(found.label, text, found.name)
    return text


def _url(found: Field, value: Any) -> str | None:
    text = _text(found, value)
    if text is not None and any(char.isspace() for char in text):
        raise FieldIntegrity(f"{found.label}: invalid URL: {text}", fields=(found.name,))
    return text


def _picklist(found: Field, value: Any) -> str | None:
    text = _text(found, value)
    if text is not None and found.restricted_picklist and not _is_active(found, text):
        raise BadPicklistValue(found.label, text, found.name)
    return text


def _multipicklist(found: Field, value: Any) -> str | None:
    chosen = values.split_multipicklist(text_of(found, value))
    if found.restricted_picklist:
        for one in chosen:
            if not _is_active(found, one):
                raise BadPicklistValue(found.label, one, found.name)
    text = ";".join(chosen)
    if 0 < (found.length or 0) < len(text):
        raise StringTooLong(found.label, text, found.length or 0, found.name)
    return text or None


def _is_active(found: Field, text: str) -> bool:
    return any(choice.active and choice.value == text for choice in found.picklist_values)


def _boolean(found: Field, value: Any) -> int:
    try:
        return values.parse_boolean(value)
    except ValueError:
        raise _cannot("boolean", value) from None


def _int(found: Field, value: Any) -> int:
    try:
        number = values.parse_int(value)
    except (ValueError, OverflowError):
        raise _cannot("int", value) from None
    if 0 < found.digits < len(str(abs(number))):
        raise _out_of_range(found, number)
    return number


def _number(found: Field, value: Any) -> float:
    try:
        number = values.parse_number(value)
    except ValueError:
        raise _cannot("double", value) from None
    whole = (found.precision or 18) - found.scale
    if abs(number) >= 10.0 ** max(whole, 0):
        raise _out_of_range(found, number)
    if number.is_integer():
        return number
    if found.scale < 15:
        number = float(Decimal(repr(number)).quantize(Decimal(1).scaleb(-found.scale), ROUND_HALF_UP))
    return number if math.isfinite(number) else 0.0


def _out_of_range(found: Field, number: float) -> SalesforceError:
    return NumberOutsideValidRange(
        f"{found.label}: value outside of valid range on numeric field: {number}", fields=(found.name,)
    )


def _date(found: Field, value: Any) -> str | None:
    return _moment(found, value, "date", values.parse_date)


def _datetime(found: Field, value: Any) -> str | None:
    return _moment(found, value, "datetime", values.parse_datetime)


def _time(found: Field, value: Any) -> str | None:
    return _moment(found, value, "time", values.parse_time)


def _moment(found: Field, value: Any, kind: str, parse: Callable[[str], str]) -> str | None:
    if not isinstance(value, str):
        raise _cannot(kind, value)
    if not value.strip():
        return None
    try:
        return parse(value.strip())
    except (ValueError, OverflowError):
        raise _cannot(kind, value) from None


def _reference(found: Field, value: Any) -> ids.RecordId | None:
    text = text_of(found, value, "reference")
    if not text:
        return None
    record_id = ids.normalize(text)
    if record_id is None:
        raise MalformedId(found.label, text, found.name)
    return record_id


def _blob(found: Field, value: Any) -> None:
    del value
    raise Unsupported(f"blob fields ({found.name})")


def _complex(found: Field, value: Any) -> None:
    del value
    raise Unsupported(f"writing fields of type {found.type} ({found.name})")


_STORE: dict[str, Callable[[Field, Any], Any]] = {
    "id": _reference, "reference": _reference, "boolean": _boolean,
    "string": _text, "textarea": _text, "phone": _text, "combobox": _text, "encryptedstring": _text, "anyType": _text,
    "email": _email, "url": _url, "picklist": _picklist, "multipicklist": _multipicklist,
    "int": _int, "long": _int, "double": _number, "currency": _number, "percent": _number,
    "date": _date, "datetime": _datetime, "time": _time,
    "base64": _blob, "address": _complex, "location": _complex, "complexvalue": _complex,
}  # fmt: skip
