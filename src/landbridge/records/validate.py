"""
From a JSON object to stored values, or to the error Salesforce gives. Pure.

What needs the database (do references exist, is a value unique) comes later, inside the unit; see `store`.

Source: `rest.md` sections 3, 9, 11. The order in which errors win over each other is guessed: unknown fields, read-only
fields, values field by field, required fields.
"""

from __future__ import annotations

import re
import sys
from binascii import Error as BinasciiError
from binascii import a2b_base64
from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import msgspec

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
from landbridge.records.blobs import Blob
from landbridge.records.shape import Shape
from landbridge.schema.model import Field

_EMAIL = re.compile(r"[^\s@<>(),;:\\\"\[\]]+@[^\s@<>(),;:\\\"\[\]]+\.[^\s@<>(),;:\\\"\[\].]+\Z")
_SPACE = re.compile(r"\s")
_BLANK = re.compile(r"[ \t\r\n]+")
_BLANKS = " \t\r\n\f\v"
_UNSEEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")

Writer = Callable[[Any], Any]
"""From a JSON value (never None) to its stored form."""


class Recipe(msgspec.Struct, frozen=True):
    """
    What `prepare` does with records of one set of keys, none of which is refused whatever its value.

    `steps` has for each key its column, its writer (None for `attributes`) and its field where that can't be null; `references`
    and `required` are the fields among them that need a further look.
    """

    steps: tuple[tuple[str, Writer | None, Field | None], ...]
    references: tuple[Field, ...]
    required: tuple[str, ...]


class Prepared(msgspec.Struct):
    """
    Checked values of one record: `columns` ready to store; `references` to be looked for inside the unit; `parents` to be
    found by an external id: (reference field, target type or None, external-id field, value).
    """

    columns: dict[str, Any] = {}
    references: list[tuple[Field, ids.RecordId]] = []
    parents: list[tuple[Field, str | None, str, Any]] = []
    blobs: dict[str, Blob | None] = {}
    """By field name: bytes to be kept beside the row, or None where a field is cleared."""
    recipe: Recipe | None = None
    """What it was made by: records of one recipe have the same columns."""


def prepare(shape: Shape, access: Access, given: Mapping[str, Any], *, creating: bool) -> Prepared:
    """
    Check the values a client sent for one record.

    `given` is the JSON object as it came; `attributes` is ignored. Raises the SalesforceError of the first rule broken.
    """
    if not access.hidden:
        recipe = _recipe(shape, tuple(given), creating=creating)
        if recipe is not None:
            return _follow(shape, recipe, given)
    chosen: list[tuple[Field, Any]] = []
    prepared = Prepared()
    refused: list[str] = []
    fields, writers = shape.fields, shape.writers
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
        stored = None if value is None else writers[found.name](value)
        if stored is None and not found.nillable:
            stored = _null(shape, found)
        if found.type == "base64":
            prepared.blobs[found.name] = stored
            stored = None if stored is None else stored.hash
        prepared.columns[found.name] = stored
        if stored is not None and found.type == "reference":
            prepared.references.append((found, stored))
    if creating:
        _require(shape, prepared)
    return prepared


RECIPES = 256
"""How many sets of keys are remembered per object and way of writing."""


def _recipe(shape: Shape, keys: tuple[str, ...], *, creating: bool) -> Recipe | None:
    """The recipe for these keys; None where one of them needs `prepare` itself, if only to be refused with its error."""
    recipes: dict[tuple[str, ...], Recipe] = shape.recipes[creating]
    found = recipes.get(keys)
    if found is None:
        found = _make_recipe(shape, keys, creating=creating)
        if found is not None:
            if len(recipes) >= RECIPES:
                recipes.clear()
            recipes[keys] = found
    return found


def _make_recipe(shape: Shape, keys: tuple[str, ...], *, creating: bool) -> Recipe | None:
    steps: list[tuple[str, Writer | None, Field | None]] = []
    references: dict[str, Field] = {}
    for key in keys:
        found = shape.fields.get(key) or shape.fields.get(key.lower())
        if found is None and key == "attributes":
            steps.append((key, None, None))
            continue
        if found is None or found.type == "base64" or not (found.createable if creating else found.updateable):
            return None
        steps.append((found.name, shape.writers[found.name], None if found.nillable else found))
        if found.type == "reference":
            references[found.name] = found
    required = tuple(field.name for field in shape.required) if creating else ()
    if not {name for name, _, _ in steps}.issuperset(required):
        return None
    return Recipe(tuple(steps), tuple(references.values()), required)


def _follow(shape: Shape, recipe: Recipe, given: Mapping[str, Any]) -> Prepared:
    """As `prepare`, for a record with the keys of a recipe."""
    columns: dict[str, Any] = {}
    for value, (name, write, strict) in zip(given.values(), recipe.steps, strict=True):
        if write is None:
            continue
        stored = None if value is None else write(value)
        if stored is None and strict is not None:
            stored = _null(shape, strict)
        columns[name] = stored
    prepared = Prepared(columns, recipe=recipe)
    for found in recipe.references:
        if columns[found.name] is not None:
            prepared.references.append((found, columns[found.name]))
    for name in recipe.required:
        if columns[name] is None:
            _require(shape, prepared)
    return prepared


def stored_value(found: Field, value: Any) -> Any:
    """One JSON value in its stored form. Raises the SalesforceError of the rule it breaks."""
    return None if value is None else writer_of(found)(value)


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


# --- one function per kind of value: made once per field, it turns a JSON value into its stored form -------------


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
    if _UNSEEN.search(text):
        text = _UNSEEN.sub("", text)  # control characters can't be stored on the platform; guessed: they are dropped
    return text if found.type == "textarea" else text.strip(_BLANKS)


def _text(found: Field) -> Writer:
    length = found.length or sys.maxsize
    blanks = "" if found.type == "textarea" else _BLANKS

    def write(value: Any) -> str | None:
        # Text without anything unseen is the usual case; what is not printable may still be fine, such as a line end.
        text = value.strip(blanks) if type(value) is str and value.isprintable() else text_of(found, value)
        if len(text) > length:
            raise StringTooLong(found.label, text, length, found.name)
        return text or None

    return write


def _email(found: Field) -> Writer:
    checked = _text(found)

    def write(value: Any) -> str | None:
        text: str | None = checked(value)
        if text is not None and not _EMAIL.match(text):
            raise InvalidEmailAddress(found.label, text, found.name)
        return text

    return write


def _url(found: Field) -> Writer:
    checked = _text(found)

    def write(value: Any) -> str | None:
        text: str | None = checked(value)
        if text is not None and _SPACE.search(text):
            raise FieldIntegrity(f"{found.label}: invalid URL: {text}", fields=(found.name,))
        return text

    return write


def _active(found: Field) -> frozenset[str] | None:
    """The values a restricted picklist takes; None for one that takes any."""
    if not found.restricted_picklist:
        return None
    return frozenset(choice.value for choice in found.picklist_values if choice.active)


def _picklist(found: Field) -> Writer:
    checked, active = _text(found), _active(found)

    def write(value: Any) -> str | None:
        text: str | None = checked(value)
        if active is not None and text is not None and text not in active:
            raise BadPicklistValue(found.label, text, found.name)
        return text

    return write


def _multipicklist(found: Field) -> Writer:
    active, length = _active(found), found.length or 0

    def write(value: Any) -> str | None:
        chosen = values.split_multipicklist(text_of(found, value))
        for one in chosen:
            if active is not None and one not in active:
                raise BadPicklistValue(found.label, one, found.name)
        text = ";".join(chosen)
        if 0 < length < len(text):
            raise StringTooLong(found.label, text, length, found.name)
        return text or None

    return write


def _boolean(found: Field) -> Writer:
    del found

    def write(value: Any) -> int:
        try:
            return values.parse_boolean(value)
        except ValueError:
            raise _cannot("boolean", value) from None

    return write


def _int(found: Field) -> Writer:
    bound = 10**found.digits if found.digits > 0 else sys.maxsize

    def write(value: Any) -> int:
        try:
            number = values.parse_int(value)
        except (ValueError, OverflowError):
            raise _cannot("int", value) from None
        if abs(number) >= bound:
            raise _out_of_range(found, number)
        return number

    return write


def _number(found: Field) -> Writer:
    bound = 10.0 ** max((found.precision or 18) - found.scale, 0)
    scale, unit = found.scale, Decimal(1).scaleb(-found.scale)

    def write(value: Any) -> float:
        try:
            number = values.parse_number(value)
        except ValueError:
            raise _cannot("double", value) from None
        if abs(number) >= bound:
            raise _out_of_range(found, number)
        if number.is_integer() or scale >= 15 or round(number, scale) == number:
            return number
        if scale == 0:  # exact: what is behind the point of a double can be told without its decimal text
            whole = int(number)
            return float(whole if abs(number - whole) < 0.5 else whole + (1 if number > 0 else -1))
        return float(Decimal(repr(number)).quantize(unit, ROUND_HALF_UP))

    return write


def _out_of_range(found: Field, number: float) -> SalesforceError:
    return NumberOutsideValidRange(
        f"{found.label}: value outside of valid range on numeric field: {number}", fields=(found.name,)
    )


def _moment(kind: str, parse: Callable[[str], str]) -> Callable[[Field], Writer]:
    def writer(found: Field) -> Writer:
        del found

        def write(value: Any) -> str | None:
            if not isinstance(value, str):
                raise _cannot(kind, value)
            if not value.strip():
                return None
            try:
                return parse(value.strip())
            except (ValueError, OverflowError):
                raise _cannot(kind, value) from None

        return write

    return writer


def _reference(found: Field) -> Writer:
    def write(value: Any) -> ids.RecordId | None:
        text = text_of(found, value, "reference")
        if not text:
            return None
        record_id = ids.normalize(text)
        if record_id is None:
            raise MalformedId(found.label, text, found.name)
        return record_id

    return write


def _blob(found: Field) -> Writer:
    """Base64 text, or bytes as a multipart body brings them."""
    del found

    def write(value: Any) -> Blob | None:
        if isinstance(value, bytes):
            return Blob(value)
        if not isinstance(value, str):
            raise _cannot("base64", value)
        if not value:
            return None
        try:
            return Blob(a2b_base64(_BLANK.sub("", value), strict_mode=True))
        except (BinasciiError, ValueError):
            raise _cannot("base64", value) from None

    return write


def _later(what: str) -> Callable[[Field], Writer]:
    def writer(found: Field) -> Writer:
        def write(value: Any) -> None:
            del value
            raise Unsupported(f"{what} ({found.name})")

        return write

    return writer


_WRITERS: dict[str, Callable[[Field], Writer]] = {
    "id": _reference, "reference": _reference, "boolean": _boolean,
    "string": _text, "textarea": _text, "phone": _text, "combobox": _text, "encryptedstring": _text, "anyType": _text,
    "email": _email, "url": _url, "picklist": _picklist, "multipicklist": _multipicklist,
    "int": _int, "long": _int, "double": _number, "currency": _number, "percent": _number,
    "date": _moment("date", values.parse_date), "datetime": _moment("datetime", values.parse_datetime),
    "time": _moment("time", values.parse_time), "base64": _blob,
    "address": _later("writing an address as a whole"), "location": _later("writing a location as a whole"),
    "complexvalue": _later("writing metadata fields"),
}  # fmt: skip


def writer_of(found: Field) -> Writer:
    """The function that checks a JSON value (never None) for this field and gives its stored form."""
    return _WRITERS[found.type](found)
