"""The org's own RSA key, with which ID tokens are signed: made at first use, sealed in the database."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from landbridge.auth import jwt
from landbridge.auth.seal import Seal
from landbridge.chance import Chance
from landbridge.storage import Database, Tx, Unit

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

TABLES = ("CREATE TABLE lb_key (kid TEXT PRIMARY KEY NOT NULL, sealed TEXT NOT NULL) WITHOUT ROWID",)

FIND = "SELECT kid, sealed FROM lb_key LIMIT 1"
KEEP = "INSERT INTO lb_key (kid, sealed) VALUES (?, ?)"


class Keys:
    """The signing key of one org."""

    def __init__(self, db: Database, seal: Seal, chance: Chance) -> None:
        self._db = db
        self._seal = seal
        self._chance = chance
        self._key: tuple[str, RSAPrivateKey] | None = None

    async def signer(self) -> tuple[str, RSAPrivateKey]:
        """(key id, private key)."""
        if self._key is None:
            if await self._db.read(lambda reader: reader.one(FIND)) is None:
                # A tenth of a second of one core: not on the loop, and not when an org starts.
                made = await asyncio.get_running_loop().run_in_executor(None, _make)
                await self._db.write(lambda tx: self._keep(tx, made), Unit("key"))
            row = await self._db.read(lambda reader: reader.one(FIND))
            assert row is not None
            self._key = (row[0], _load(self._seal.open(row[1])))
        return self._key

    def _keep(self, tx: Tx, made: str) -> None:
        if tx.one(FIND) is None:  # two first uses at once make one key
            tx.run(KEEP, (str(200 + self._chance.below(100)), self._seal.close(made)))

    async def published(self) -> dict[str, Any]:
        """The key set of `/id/keys`, in the key order of the platform's."""
        key_id, key = await self.signer()
        numbers = key.public_key().public_numbers()
        size = (numbers.n.bit_length() + 7) // 8
        return {
            "keys": [
                {"kty": "RSA", "n": jwt.encode(numbers.n.to_bytes(size, "big")), "e": "AQAB", "alg": "RS256", "use": "sig",
                 "kid": key_id}
            ]
        }  # fmt: skip


def _make() -> str:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form, none = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, form, none).decode()


def _load(text: str) -> RSAPrivateKey:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    key = serialization.load_pem_private_key(text.encode(), None)
    assert isinstance(key, RSAPrivateKey)
    return key
