"""
Salesforce record ids: 15 case-sensitive characters, and 18 with three checksum characters.

Inside the product an id always has 18 characters. The nine-character number behind a key prefix and the
instance is counted in base 62 with digits in ASCII order, so that ids sort in the order they were given out.

Source: `rest.md` section 10; the checksum was compared with recorded ids (tests/unit/test_ids.py).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NewType

RecordId = NewType("RecordId", str)
"""An 18-character id."""

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
CHECKSUM = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
INSTANCE = "Lb0"
"""Characters 4 to 6 of every id we give out: the place where a real org names its instance."""

_SHAPE = re.compile(r"[0-9A-Za-z]{15}(?:[0-9A-Za-z]{3})?\Z")


_UPPER = str.maketrans({char: "1" if "A" <= char <= "Z" else "0" for char in DIGITS})
# Five characters as 1 (upper case) and 0, the first one the lowest bit -> checksum character.
_CHECK = {f"{bits:05b}"[::-1]: CHECKSUM[bits] for bits in range(32)}


def checksum(id15: str) -> str:
    """The three characters that make a 15-character id case-safe. Raises KeyError for what is no id."""
    upper = id15.translate(_UPPER)
    return _CHECK[upper[:5]] + _CHECK[upper[5:10]] + _CHECK[upper[10:]]


_PAIRS = [high + low for high in DIGITS for low in DIGITS]
"""Every two digits: a number is written two digits at a time."""


_PAIRS_UPPER = [pair.translate(_UPPER) for pair in _PAIRS]


@lru_cache(maxsize=1024)
def _stem(prefix: str, number: int) -> tuple[str, str, str]:
    """What 3,844 ids in a row share: their first 13 characters, two of the three checks, what the third is made of."""
    rest, third = divmod(number, 3844)
    rest, second = divmod(rest, 3844)
    digit, first = divmod(rest, 3844)
    stem = f"{prefix}{INSTANCE}{DIGITS[digit]}{_PAIRS[first]}{_PAIRS[second]}{_PAIRS[third]}"
    upper = stem.translate(_UPPER)
    return stem, _CHECK[upper[:5]] + _CHECK[upper[5:10]], upper[10:]


def make(prefix: str, number: int) -> RecordId:
    """The id of the `number`-th record under a three-character key prefix."""
    rest, last = divmod(number, 3844)
    stem, checks, upper = _stem(prefix, rest)
    return RecordId(stem + _PAIRS[last] + checks + _CHECK[upper + _PAIRS_UPPER[last]])


def make_all(prefix: str, first: int, end: int) -> list[RecordId]:
    """The ids of the records from `first` up to `end`, that one not included: as `make` for each, in less time."""
    made: list[RecordId] = []
    while first < end:
        rest, last = divmod(first, 3844)
        stem, checks, upper = _stem(prefix, rest)
        stop = min(3844, last + end - first)
        made += [
            RecordId(stem + _PAIRS[number] + checks + _CHECK[upper + _PAIRS_UPPER[number]])
            for number in range(last, stop)
        ]
        first += stop - last
    return made


def normalize(text: str) -> RecordId | None:
    """
    The 18-character form of a 15- or 18-character id; None when it is not an id at all.

    A wrong checksum is not an id. The checksum's own case is ignored, as clients that upper-case ids expect.
    """
    if not _SHAPE.match(text):
        return None
    id15 = text[:15]
    suffix = checksum(id15)
    if len(text) == 18 and text[15:].upper() != suffix:
        return None
    return RecordId(id15 + suffix)
