"""
The bitmaps of a change event's header: which fields of the schema were changed or nulled. Pure.

`0x` and hex digits: bit i, the least significant first, stands for field i of the schema, ChangeEventHeader being 0. A
compound's parts come behind as `{index of the compound}-0x...`, bits counting its own fields. Hex is upper case and of even
length. When every part of a compound is meant, its own bit says so.

Source: `events.md` section 5 (bitmap encoding), and what two published decoders read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple


class Layout(NamedTuple):
    """Where the fields of one schema stand: name -> index (`places`), and by compound's index its parts' names in order."""

    places: Mapping[str, int]
    parts: Mapping[int, Sequence[str]]


def encode(names: Iterable[str], layout: Layout) -> list[str]:
    """Bitmaps of plain names (`Industry`, `Name.LastName`); none for no names. Names that the schema lacks are left out."""
    top = 0
    inner: dict[int, int] = {}
    for name in names:
        field, _, part = name.partition(".")
        index = layout.places.get(field)
        if index is None:
            continue
        if not part:
            top |= 1 << index
        elif index in layout.parts and part in layout.parts[index]:
            inner[index] = inner.get(index, 0) | 1 << layout.parts[index].index(part)
    if not top and not inner:
        return []
    # The first element is there even when only parts changed: decoders look for "0x" at its start.
    return [_hex(top), *(f"{index}-{_hex(bits)}" for index, bits in sorted(inner.items()))]


def _hex(bits: int) -> str:
    digits = f"{bits:X}"
    return "0x" + digits.zfill(len(digits) + len(digits) % 2)


def decode(bitmaps: Sequence[str], layout: Layout) -> list[str]:
    """The plain names behind bitmaps, in schema order. Raises ValueError for what is no bitmap or points past the schema."""
    names = {index: name for name, index in layout.places.items()}
    found: list[str] = []
    for bitmap in bitmaps:
        parent, _, digits = bitmap.rpartition("-")
        if not digits.startswith("0x"):
            raise ValueError(f"no bitmap: {bitmap!r}")
        for bit in _bits(int(digits[2:] or "0", 16)):
            if not parent:
                found.append(_at(names, bit, bitmap))
            else:
                index = int(parent)
                parts = layout.parts.get(index, ())
                if bit >= len(parts):
                    raise ValueError(f"{bitmap!r} points past its compound")
                found.append(f"{_at(names, index, bitmap)}.{parts[bit]}")
    return found


def _at(names: Mapping[int, str], index: int, bitmap: str) -> str:
    if index not in names:
        raise ValueError(f"{bitmap!r} points past its schema")
    return names[index]


def _bits(number: int) -> Iterable[int]:
    return (bit for bit in range(number.bit_length()) if number >> bit & 1)
