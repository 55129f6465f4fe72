"""
Secrets at rest: AES-GCM under a key that stands outside the database (`DIR/key`, mode 600, or a setting).

A client secret is needed in the clear (the token reply is signed with it), so it can't be hashed.
"""

from __future__ import annotations

import base64
from pathlib import Path

from landbridge.chance import Chance
from landbridge.errors import LandbridgeError
from landbridge.storage.folder import write_private

_NONCE, _KEY = 12, 32


class Seal:
    """Seals and opens texts. `key` is base64 of 32 bytes; without one, the folder's, made at first use."""

    def __init__(self, folder: Path, chance: Chance, key: str | None = None) -> None:
        self._path = folder / "key"
        self._chance = chance
        self._given = key
        self._key: bytes | None = None

    def __repr__(self) -> str:
        return f"Seal({self._path})"

    def _load(self) -> bytes:
        if self._key is None and self._given is not None:
            self._key = _decoded(self._given, "the setting seal_key")
        if self._key is None:
            if not self._path.exists():
                write_private(self._path, base64.b64encode(self._chance.token_bytes(_KEY)))
            self._key = _decoded(self._path.read_bytes(), str(self._path))
        return self._key

    def _place(self) -> str:
        return str(self._path) if self._given is None else "the setting seal_key"

    def close(self, text: str) -> str:
        """Seal a text."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # 30 ms: not on the way of a start

        nonce = self._chance.token_bytes(_NONCE)
        return base64.b64encode(nonce + AESGCM(self._load()).encrypt(nonce, text.encode(), None)).decode()

    def open(self, sealed: str) -> str:
        """Open what `close` sealed. Raises LandbridgeError when the key is another one or the text was changed."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        raw = base64.b64decode(sealed)
        try:
            return AESGCM(self._load()).decrypt(raw[:_NONCE], raw[_NONCE:], None).decode()
        except InvalidTag:
            raise LandbridgeError(
                f"a sealed secret can't be opened with {self._place()}: restore the key it was made with."
            ) from None


def _decoded(text: str | bytes, place: str) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except ValueError:
        key = b""
    if len(key) != _KEY:
        raise LandbridgeError(
            f"{place} is no key of Landbridge (base64 of {_KEY} bytes): restore it, or secrets stay sealed."
        )
    return key
