"""
Avro's binary encoding for the schemas of events: a schema is compiled once into functions, one per field. Pure.

It covers what these schemas are made of: records, enums, arrays, unions with null, string, boolean, int, long, double. Moments
are stored in wire form and encoded as milliseconds (dates at midnight UTC; times from midnight). Decoding is strict: it is
what a publisher sent.

Measured against fastavro (compiled C, CPython 3.11), 182-byte change event: see bench/events.py.
Source: Avro 1.11 specification, "Binary encoding"; `events.md` section 5.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

Writer = Callable[[bytearray, Any], None]
Reader = Callable[[bytes, int], tuple[Any, int]]

_DOUBLE = struct.Struct("<d")
_ZIGZAG = [bytes([n << 1 if n >= 0 else (-n << 1) - 1]) for n in range(64)] + [b""] * 64
for _n in range(-64, 0):
    _ZIGZAG[_n] = bytes([(-_n << 1) - 1])
"""The encodings of -64 to 63, by index (negative ones from the end)."""


class AvroError(ValueError):
    """Bytes that are not an event of the schema, or a value that does not fit it."""


# --- writing -------------------------------------------------------------------------------------------------------


def write_long(out: bytearray, value: int) -> None:
    """A zigzag varint."""
    if -64 <= value < 64:
        out += _ZIGZAG[value]
        return
    number = value << 1 if value >= 0 else (-value << 1) - 1
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)


def _write_moment(out: bytearray, value: Any) -> None:
    write_long(out, value if isinstance(value, int) else milliseconds(value))


def _write_string(out: bytearray, value: Any) -> None:
    data = value.encode() if isinstance(value, str) else str(value).encode()
    size = len(data)
    if size < 64:
        out += _ZIGZAG[size]
    else:
        write_long(out, size)
    out += data


def _write_boolean(out: bytearray, value: Any) -> None:
    out.append(1 if value else 0)


def _write_double(out: bytearray, value: Any) -> None:
    out += _DOUBLE.pack(value)


_WRITERS: dict[str, Writer] = {
    "string": _write_string, "boolean": _write_boolean, "int": write_long, "long": _write_moment, "double": _write_double,
}  # fmt: skip


@lru_cache(maxsize=4096)
def milliseconds(wire: str) -> int:
    """A date, time or datetime in wire form as Avro carries it. Raises AvroError."""
    try:
        if len(wire) == 10:
            moment = datetime.fromisoformat(wire).replace(tzinfo=UTC)
        elif wire[2] == ":":
            return (int(wire[:2]) * 3600 + int(wire[3:5]) * 60 + int(wire[6:8])) * 1000 + int(wire[9:12])
        else:
            moment = datetime.fromisoformat(wire[:23]).replace(tzinfo=UTC)
    except (ValueError, IndexError) as error:
        raise AvroError(f"no moment: {wire!r}") from error
    return round(moment.timestamp() * 1000)


# --- reading -------------------------------------------------------------------------------------------------------


def read_long(data: bytes, at: int) -> tuple[int, int]:
    """A zigzag varint and where it ends. Raises AvroError past the end or past 64 bits."""
    number = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise AvroError("the payload ends inside a number")
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (number >> 1) ^ -(number & 1), at
        shift += 7


def _read_string(data: bytes, at: int) -> tuple[str, int]:
    size, at = read_long(data, at)
    end = at + size
    if size < 0 or end > len(data):
        raise AvroError("the payload ends inside a text")
    try:
        return data[at:end].decode(), end
    except UnicodeDecodeError as error:
        raise AvroError("a text is not UTF-8") from error


def _read_boolean(data: bytes, at: int) -> tuple[bool, int]:
    if at >= len(data) or data[at] > 1:
        raise AvroError("no boolean where one must be")
    return data[at] == 1, at + 1


def _read_double(data: bytes, at: int) -> tuple[float, int]:
    if at + 8 > len(data):
        raise AvroError("the payload ends inside a number")
    value: float = _DOUBLE.unpack_from(data, at)[0]
    return value, at + 8


_READERS: dict[str, Reader] = {
    "string": _read_string, "boolean": _read_boolean, "int": read_long, "long": read_long, "double": _read_double,
}  # fmt: skip


# --- schemas ---------------------------------------------------------------------------------------------------------


class Codec:
    """One schema, compiled. `fields`: names in order; `moments`: those of type long, top-level."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._named: dict[str, Any] = {}
        self.fields: tuple[str, ...] = tuple(field["name"] for field in schema["fields"])
        self.moments = frozenset(field["name"] for field in schema["fields"] if _is_long(field["type"]))
        self.required = frozenset(
            field["name"] for field in schema["fields"] if not isinstance(field["type"], Sequence) or
            isinstance(field["type"], str)
        )  # fmt: skip
        self._write = self._record_writer(schema)
        self._named.clear()
        self._read = self._record_reader(schema)
        self.parts: dict[int, tuple[str, ...]] = {}
        self._find_parts(schema)

    def encode(self, values: Mapping[str, Any]) -> bytes:
        """A record's bytes. Raises AvroError for a required field that is not there."""
        out = bytearray()
        self._write(out, values)
        return bytes(out)

    def decode(self, data: bytes) -> dict[str, Any]:
        """The record behind bytes, to the last of them. Raises AvroError."""
        value, end = self._read(data, 0)
        if end != len(data):
            raise AvroError(f"{len(data) - end} bytes stand behind the event")
        found: dict[str, Any] = value
        return found

    def _find_parts(self, schema: Mapping[str, Any]) -> None:
        records: dict[str, tuple[str, ...]] = {}
        for index, field in enumerate(schema["fields"]):
            if index == 0 or not isinstance(field["type"], list):
                continue
            inner = field["type"][-1]
            if isinstance(inner, dict) and inner.get("type") == "record":
                records[inner["name"]] = tuple(part["name"] for part in inner["fields"])
                inner = inner["name"]
            if inner in records:
                self.parts[index] = records[inner]

    # --- compiling

    def _writer(self, kind: Any) -> Writer:
        if isinstance(kind, str):
            return _WRITERS.get(kind) or self._named[kind]
        if isinstance(kind, list):
            return self._union_writer(kind)
        made = {"record": self._record_writer, "enum": _enum_writer, "array": self._array_writer}[kind["type"]](kind)
        if "name" in kind:
            self._named[kind["name"]] = made
        return made

    def _record_writer(self, kind: Mapping[str, Any]) -> Writer:
        steps = [(field["name"], self._writer(field["type"]), _is_nullable(field["type"])) for field in kind["fields"]]

        def write(out: bytearray, values: Any) -> None:
            get = values.get
            for name, one, nullable in steps:
                value = get(name)
                if value is None:
                    if not nullable:
                        raise AvroError(f"{name} is required")
                    out.append(0)  # the null of the union, always its first branch
                else:
                    one(out, value)

        return write

    def _union_writer(self, kinds: list[Any]) -> Writer:
        branches = [
            (bytes([index << 1]), kind, self._writer(kind)) for index, kind in enumerate(kinds) if kind != "null"
        ]
        if len(branches) == 1:
            mark, _, only = branches[0]

            def write(out: bytearray, value: Any) -> None:
                out += mark
                only(out, value)

            return write

        def choose(out: bytearray, value: Any) -> None:
            text = not isinstance(value, Mapping)
            for mark, kind, one in branches:
                if text == (kind == "string"):
                    out += mark
                    one(out, value)
                    return
            raise AvroError("a value fits no branch of its union")

        return choose

    def _array_writer(self, kind: Mapping[str, Any]) -> Writer:
        one = self._writer(kind["items"])

        def write(out: bytearray, values: Any) -> None:
            if values:
                write_long(out, len(values))
                for value in values:
                    one(out, value)
            out.append(0)

        return write

    def _reader(self, kind: Any) -> Reader:
        if isinstance(kind, str):
            return _READERS.get(kind) or self._named[kind]
        if isinstance(kind, list):
            return self._union_reader(kind)
        made = {"record": self._record_reader, "enum": _enum_reader, "array": self._array_reader}[kind["type"]](kind)
        if "name" in kind:
            self._named[kind["name"]] = made
        return made

    def _record_reader(self, kind: Mapping[str, Any]) -> Reader:
        steps = [(field["name"], self._reader(field["type"])) for field in kind["fields"]]

        def read(data: bytes, at: int) -> tuple[dict[str, Any], int]:
            found = {}
            for name, one in steps:
                found[name], at = one(data, at)
            return found, at

        return read

    def _union_reader(self, kinds: list[Any]) -> Reader:
        branches = [None if kind == "null" else self._reader(kind) for kind in kinds]

        def read(data: bytes, at: int) -> tuple[Any, int]:
            index, at = read_long(data, at)
            if not 0 <= index < len(branches):
                raise AvroError("a union has no such branch")
            one = branches[index]
            return (None, at) if one is None else one(data, at)

        return read

    def _array_reader(self, kind: Mapping[str, Any]) -> Reader:
        one = self._reader(kind["items"])

        def read(data: bytes, at: int) -> tuple[list[Any], int]:
            found: list[Any] = []
            while True:
                count, at = read_long(data, at)
                if count == 0:
                    return found, at
                if count < 0:  # a block that says its size in bytes too
                    count = -count
                    _, at = read_long(data, at)
                if count > len(data):
                    raise AvroError("an array is longer than its payload")
                for _ in range(count):
                    value, at = one(data, at)
                    found.append(value)

        return read


def _enum_writer(kind: Mapping[str, Any]) -> Writer:
    marks = {symbol: index for index, symbol in enumerate(kind["symbols"])}

    def write(out: bytearray, value: Any) -> None:
        write_long(out, marks[value])

    return write


def _enum_reader(kind: Mapping[str, Any]) -> Reader:
    symbols = kind["symbols"]

    def read(data: bytes, at: int) -> tuple[str, int]:
        index, at = read_long(data, at)
        if not 0 <= index < len(symbols):
            raise AvroError("an enum has no such symbol")
        return symbols[index], at

    return read


def _is_long(kind: Any) -> bool:
    return kind == "long" or (isinstance(kind, list) and "long" in kind)


def _is_nullable(kind: Any) -> bool:
    return isinstance(kind, list) and kind[0] == "null"
