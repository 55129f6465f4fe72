"""
Passwords: checked against an argon2 hash, guessing slowed down.

The first logins stand in `DIR/credentials`; their hash is made at the first login, so that starting an org does not wait for
it. The security token may be appended to the password, as SOAP and OAuth clients do, or left out (a real org asks for it from
unknown networks only; guessed: loopback is a known one).

Guessing is slowed down (`failures`). The answer never says which part was wrong, and costs the same for names that do not exist.
"""

from __future__ import annotations

import asyncio
import hmac
from hashlib import sha256

from landbridge.auth.credentials import Credentials
from landbridge.auth.failures import Failures
from landbridge.storage import Database, Tx, Unit

TABLES = (
    "CREATE TABLE lb_password (user_id TEXT PRIMARY KEY NOT NULL, hash TEXT NOT NULL, token_hash BLOB, "
    "token_length INTEGER NOT NULL) WITHOUT ROWID",
)

FIND_USER = """SELECT "Id" FROM "User" WHERE "Username" = ? AND "IsActive" = 1"""
FIND = "SELECT hash, token_hash, token_length FROM lb_password WHERE user_id = ?"
KEEP = "INSERT OR REPLACE INTO lb_password (user_id, hash, token_hash, token_length) VALUES (?, ?, ?, ?)"
FORGET = "DELETE FROM lb_password WHERE user_id = ?"

LONGEST = 1000
"""Characters of a password."""
# OWASP's second choice for argon2id: 19 MiB, two passes, one lane.
_MEMORY_KIB, _PASSES = 19 * 1024, 2


class Passwords:
    """The passwords of one org's users."""

    def __init__(self, db: Database, failures: Failures, credentials: Credentials) -> None:
        self._db = db
        self._failures = failures
        self._first = {
            credentials.username.lower(): (credentials.password, credentials.security_token),
            credentials.integration_username.lower(): (credentials.integration_password, credentials.security_token),
        }

    async def check(self, username: str, given: str, peer: str) -> str | None:
        """The id of the user whose password (with or without the token) was given; None for anything else."""
        name = f"user:{username.lower()[:200]}"
        if self._failures.locked(name):
            return None
        await self._failures.attempt(name, peer)
        user_id = await self._check(username, given)
        if user_id is not None:
            self._failures.succeeded(name, peer)
        return user_id

    async def _check(self, username: str, given: str) -> str | None:
        row = await self._db.read(lambda reader: reader.one(FIND_USER, (username,)))
        kept = None if row is None else await self._db.read(lambda reader: reader.one(FIND, (row[0],)))
        loop = asyncio.get_running_loop()
        if kept is not None and row is not None:
            password = _without_token(given, kept[1], kept[2])
            return row[0] if await loop.run_in_executor(None, _verify, kept[0], password) else None
        first = self._first.get(username.lower()) if row is not None else None
        # The same work for names that do not exist: nobody learns which names do.
        hashed = await loop.run_in_executor(None, _hash, given[:LONGEST])
        if first is None or row is None:
            return None
        password, token = first
        if not (_same(given, password) | _same(given, password + token)):
            return None
        if not _same(given, password):
            hashed = await loop.run_in_executor(None, _hash, password)
        await self._db.write(lambda tx: _keep(tx, row[0], hashed, token), Unit("first-login", row[0]))
        return str(row[0])

    async def forget(self, user_id: str) -> None:
        """Drop a kept hash: the settings have given this user a new first password."""
        await self._db.write(lambda tx: tx.run(FORGET, (user_id,)), Unit("new-password"))

    async def hash(self, password: str) -> str:
        """What is kept of a password; takes a tenth of a second, beside the loop."""
        return await asyncio.get_running_loop().run_in_executor(None, _hash, password)

    def keep(self, tx: Tx, user_id: str, hashed: str, token: str) -> None:
        """Give a user a password (as `hash` made it) and a security token."""
        _keep(tx, user_id, hashed, token)


def _keep(tx: Tx, user_id: str, hashed: str, token: str) -> None:
    tx.run(KEEP, (user_id, hashed, sha256(token.encode()).digest(), len(token)))


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())


def _without_token(given: str, token_hash: bytes | None, length: int) -> str:
    """The password in what was given: the security token may stand behind it."""
    if token_hash is None or len(given) <= length:
        return given
    tail = sha256(given[-length:].encode()).digest()
    return given[:-length] if hmac.compare_digest(tail, token_hash) else given


def _hash(password: str) -> str:
    from argon2 import PasswordHasher  # 20 ms: not on the way of a start

    return PasswordHasher(time_cost=_PASSES, memory_cost=_MEMORY_KIB, parallelism=1).hash(password)


def _verify(hashed: str, password: str) -> bool:
    from argon2 import PasswordHasher
    from argon2.exceptions import VerificationError

    try:
        return PasswordHasher().verify(hashed, password[:LONGEST])
    except VerificationError:
        return False
