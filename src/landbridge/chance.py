"""Chance as an argument: the only module that draws random values."""

from __future__ import annotations

import random
import secrets
import string

_LETTERS = string.ascii_letters + string.digits
_FIXED = 0xF << 76 | 0x3 << 62
_VERSION_4 = 0x4 << 76 | 0x2 << 62


class Chance:
    """
    Seeded draws for whatever should replay from its seed, and system draws for whatever must not be guessed.

    A chaos run is repeated by its `seed`; secrets and tokens never come from it.
    """

    def __init__(self, seed: int | None = None) -> None:
        self.seed = secrets.randbits(63) if seed is None else seed
        self._random = random.Random(self.seed)

    def fraction(self) -> float:
        """A number from 0 (included) to 1 (excluded), from the seed."""
        return self._random.random()

    def below(self, n: int) -> int:
        """A whole number from 0 to n - 1, from the seed."""
        return self._random.randrange(n)

    def uuid(self) -> str:
        """A version 4 UUID from the seed: for event and correlation ids."""
        # RFC 9562: four bits say the version, two the variant.
        bits = self._random.getrandbits(128) & ~_FIXED | _VERSION_4
        digits = bits.to_bytes(16, "big").hex()
        return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"

    def hex(self, digits: int) -> str:
        """So many lower-case hex digits from the seed: for request ids."""
        return self._random.getrandbits(4 * digits).to_bytes((digits + 1) // 2, "big").hex()[-digits:]

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
