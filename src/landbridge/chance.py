"""Chance as an argument: the only module that draws random values."""

from __future__ import annotations

import random
import secrets
import string

_LETTERS = string.ascii_letters + string.digits
_TOGETHER = 64
"""UUIDs drawn at once: each costs less than half of one drawn alone."""
_BLOCK = 256
_DIGITS = [f"{low:02x}" for low in range(_BLOCK)]
# RFC 9562: four bits say the version, two the variant.
_FREE = sum((2**128 - 1 ^ (0xF << 76 | 0x3 << 62)) << 128 * place for place in range(_TOGETHER))
_VERSION_4 = sum((0x4 << 76 | 0x2 << 62) << 128 * place for place in range(_TOGETHER))


class Chance:
    """
    Seeded draws for whatever should replay from its seed, and system draws for whatever must not be guessed.

    A chaos run is repeated by its `seed`; secrets and tokens never come from it.
    """

    def __init__(self, seed: int | None = None) -> None:
        self.seed = secrets.randbits(63) if seed is None else seed
        self._random = random.Random(self.seed)
        # Names have a stream of their own: how many there are does not change what a switch strikes.
        self._names = random.Random(~self.seed)
        self._uuids: list[str] = []
        # Twelve digits are counted, for good: ten of them here, two in `key`.
        self._key_start, self._keys = self.uuid()[:24], 2**36 + self._names.getrandbits(36)
        self._key_block, self._key_low = "", _BLOCK
        self._hexes: list[str] = []

    def fraction(self) -> float:
        """A number from 0 (included) to 1 (excluded), from the seed."""
        return self._random.random()

    def below(self, n: int) -> int:
        """A whole number from 0 to n - 1, from the seed."""
        return self._random.randrange(n)

    def uuid(self) -> str:
        """A version 4 UUID from the seed: for event and correlation ids."""
        try:
            return self._uuids.pop()  # in one step: callouts may come from other threads
        except IndexError:
            self._uuids += [
                f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
                for digits in _cut(self._names.getrandbits(128 * _TOGETHER) & _FREE | _VERSION_4)
            ]
            return self._uuids.pop()

    def key(self) -> str:
        """A name that is drawn once and then counted, of a UUID's form: for transactions and events, of which there are many."""
        low = self._key_low
        if low == _BLOCK:
            self._keys += 1
            self._key_block, low = f"{self._key_start}{self._keys:x}", 0
        self._key_low = low + 1
        return self._key_block + _DIGITS[low]

    def hex(self, digits: int) -> str:
        """So many lower-case hex digits, at most 32, from the seed: for request ids."""
        try:
            found = self._hexes.pop()
        except IndexError:
            self._hexes += _cut(self._names.getrandbits(128 * _TOGETHER))
            found = self._hexes.pop()
        return found[:digits]

    @staticmethod
    def letters(length: int) -> str:
        """So many letters and digits of the system's randomness: for names that must not be guessed."""
        return "".join(secrets.choice(_LETTERS) for _ in range(length))

    @staticmethod
    def hex_token(size: int) -> str:
        """`size` bytes of the system's randomness as hex digits: for secrets, never from the seed."""
        return secrets.token_hex(size)

    @staticmethod
    def token_bytes(size: int) -> bytes:
        """`size` bytes of the system's randomness: salts and keys."""
        return secrets.token_bytes(size)


def _cut(bits: int) -> list[str]:
    """The digits of _TOGETHER numbers of 128 bits, 32 of each."""
    return bits.to_bytes(16 * _TOGETHER, "big").hex(" ", 16).split()
