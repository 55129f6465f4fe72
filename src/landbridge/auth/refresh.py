"""
Refresh tokens. Each belongs to a family: what one consent gave, with all that came of it.

An app that rotates gets a new token at each refresh. The spent one is kept, and whoever brings it ends the family: either the
thief or the owner has been there before (RFC 9700 section 4.14). An ended token stays ended, also when the settings name it.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from landbridge.storage import Reader, Tx

TABLES = (
    "CREATE TABLE lb_refresh_token (hash BLOB PRIMARY KEY NOT NULL, user_id TEXT NOT NULL, client_id TEXT NOT NULL) "
    "WITHOUT ROWID",
)
MORE = (
    "ALTER TABLE lb_refresh_token ADD COLUMN scope TEXT NOT NULL DEFAULT 'full refresh_token'",
    "ALTER TABLE lb_refresh_token ADD COLUMN family TEXT",
    "ALTER TABLE lb_refresh_token ADD COLUMN state TEXT NOT NULL DEFAULT 'live'",
)

LIVE, SPENT, ENDED = "live", "spent", "ended"

KEEP = "INSERT OR IGNORE INTO lb_refresh_token (hash, user_id, client_id, scope, family) VALUES (?, ?, ?, ?, ?)"
FIND = "SELECT user_id, client_id, scope, family, state FROM lb_refresh_token WHERE hash = ?"
SET = "UPDATE lb_refresh_token SET state = ? WHERE hash = ?"
JOIN = "UPDATE lb_refresh_token SET family = ? WHERE hash = ?"
END_FAMILY = "UPDATE lb_refresh_token SET state = 'ended' WHERE family = ?"
END_APP = "UPDATE lb_refresh_token SET state = 'ended' WHERE client_id = ?"
END_USER = "UPDATE lb_refresh_token SET state = 'ended' WHERE user_id = ?"


@dataclass(frozen=True, slots=True)
class Refresh:
    """A refresh token as it is kept; `family` None for the one that the credentials file holds."""

    user_id: str
    client_id: str
    scope: str
    family: str | None
    state: str


def keep(tx: Tx, token: str, user_id: str, client_id: str, scope: str, family: str | None) -> None:
    """Keep a token; one that is known already stays as it is."""
    tx.run(KEEP, (digest(token), user_id, client_id, scope, family))


def find(reader: Reader, token: str) -> Refresh | None:
    row = reader.one(FIND, (digest(token),))
    return None if row is None else Refresh(*row)


def settle(tx: Tx, token: str, state: str) -> None:
    """Mark a token as spent or ended."""
    tx.run(SET, (state, digest(token)))


def join(tx: Tx, token: str, family: str) -> None:
    """Give a token a family that had none."""
    tx.run(JOIN, (family, digest(token)))


def end_family(tx: Tx, family: str) -> None:
    tx.run(END_FAMILY, (family,))


def end_app(tx: Tx, client_id: str) -> None:
    tx.run(END_APP, (client_id,))


def end_user(tx: Tx, user_id: str) -> None:
    tx.run(END_USER, (user_id,))


def digest(token: str) -> bytes:
    """What is kept of a token."""
    return sha256(token.encode("utf-8", "surrogatepass")).digest()
