"""
Authorization codes and device codes: what a person has approved, for a program to fetch once.

Kept as hashes in the database, so that a code is good for one exchange whatever happens in between. A code that comes a
second time ends what the first exchange gave (RFC 6749 section 4.1.2).
"""

from __future__ import annotations

from dataclasses import dataclass

from landbridge.auth.refresh import digest
from landbridge.storage import Reader, Tx

TABLES = (
    "CREATE TABLE lb_code (hash BLOB PRIMARY KEY NOT NULL, client_id TEXT NOT NULL, user_id TEXT NOT NULL, "
    "callback TEXT NOT NULL, scope TEXT NOT NULL, challenge TEXT, nonce TEXT, family TEXT NOT NULL, expires REAL NOT NULL, "
    "used INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID",
    "CREATE TABLE lb_device (hash BLOB PRIMARY KEY NOT NULL, user_code BLOB NOT NULL UNIQUE, client_id TEXT NOT NULL, "
    "scope TEXT NOT NULL, expires REAL NOT NULL, polled REAL NOT NULL, state TEXT NOT NULL, user_id TEXT) WITHOUT ROWID",
)

CODE_SECONDS = 120.0
"""Life of an authorization code (auth.md section 2 has 15 minutes and 2 minutes, both unverified: the shorter one)."""
DEVICE_SECONDS = 600.0
DEVICE_INTERVAL = 5
KEPT_AFTER = 86_400.0
"""Used and expired codes are remembered so long, to know a replay."""
WAITING, APPROVED, DENIED, USED = "waiting", "approved", "denied", "used"

KEEP = """
    INSERT INTO lb_code (hash, client_id, user_id, callback, scope, challenge, nonce, family, expires)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
FIND = "SELECT client_id, user_id, callback, scope, challenge, nonce, family, expires, used FROM lb_code WHERE hash = ?"
USE = "UPDATE lb_code SET used = 1 WHERE hash = ?"
FORGET = "DELETE FROM lb_code WHERE expires < ?"
KEEP_DEVICE = """
    INSERT INTO lb_device (hash, user_code, client_id, scope, expires, polled, state) VALUES (?, ?, ?, ?, ?, ?, 'waiting')
"""
FIND_DEVICE = "SELECT client_id, scope, expires, polled, state, user_id FROM lb_device WHERE hash = ?"
FIND_BY_USER_CODE = "SELECT hash, client_id, scope, expires, state FROM lb_device WHERE user_code = ?"
POLLED = "UPDATE lb_device SET polled = ? WHERE hash = ?"
SETTLE_DEVICE = "UPDATE lb_device SET state = ?, user_id = ? WHERE hash = ? AND state = 'waiting'"
USE_DEVICE = "UPDATE lb_device SET state = 'used' WHERE hash = ?"
FORGET_DEVICES = "DELETE FROM lb_device WHERE expires < ?"


@dataclass(frozen=True, slots=True)
class Code:
    """What a person approved: this app, this callback, this scope. `challenge` is PKCE's, None where none was sent."""

    client_id: str
    user_id: str
    callback: str
    scope: str
    challenge: str | None
    nonce: str | None
    family: str
    expires: float
    used: int = 0


@dataclass(frozen=True, slots=True)
class Device:
    """A login that waits for a person at another screen."""

    client_id: str
    scope: str
    expires: float
    polled: float
    state: str
    user_id: str | None


def keep(tx: Tx, text: str, code: Code, now: float) -> None:
    tx.run(FORGET, (now - KEPT_AFTER,))
    tx.run(
        KEEP,
        (digest(text), code.client_id, code.user_id, code.callback, code.scope, code.challenge, code.nonce, code.family,
         code.expires),
    )  # fmt: skip


def find(reader: Reader, text: str) -> Code | None:
    row = reader.one(FIND, (digest(text),))
    return None if row is None else Code(*row)


def use(tx: Tx, text: str) -> None:
    """The code has been brought: it is good no more, whatever comes of it."""
    tx.run(USE, (digest(text),))


def keep_device(tx: Tx, text: str, user_code: str, client_id: str, scope: str, now: float) -> None:
    tx.run(FORGET_DEVICES, (now,))
    tx.run(KEEP_DEVICE, (digest(text), digest(spelled(user_code)), client_id, scope, now + DEVICE_SECONDS, 0.0))


def find_device(reader: Reader, text: str) -> Device | None:
    row = reader.one(FIND_DEVICE, (digest(text),))
    return None if row is None else Device(*row)


def device_of(reader: Reader, user_code: str, now: float) -> tuple[bytes, str, str] | None:
    """(hash, client id, scope) of the login that waits under a user code."""
    row = reader.one(FIND_BY_USER_CODE, (digest(spelled(user_code)),))
    return None if row is None or row[3] < now or row[4] != WAITING else (row[0], row[1], row[2])


def polled(tx: Tx, text: str, now: float) -> None:
    tx.run(POLLED, (now, digest(text)))


def settle_device(tx: Tx, hashed: bytes, user_id: str | None) -> None:
    """A person has approved (with who they are) or denied (None) a device."""
    tx.run(SETTLE_DEVICE, (DENIED if user_id is None else APPROVED, user_id, hashed))


def use_device(tx: Tx, text: str) -> None:
    tx.run(USE_DEVICE, (digest(text),))


def spelled(user_code: str) -> str:
    """A user code as it is compared: people add blanks and dashes, and type small letters."""
    return "".join(char for char in user_code.upper() if char.isalnum())
