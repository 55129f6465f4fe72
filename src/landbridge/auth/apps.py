"""Connected apps and their refresh tokens."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from hashlib import sha256

from landbridge.auth.seal import Seal
from landbridge.storage import Reader, Tx

TABLES = (
    "CREATE TABLE lb_app (client_id TEXT PRIMARY KEY NOT NULL, sealed_secret TEXT NOT NULL, secret_hash BLOB NOT NULL, "
    "run_as TEXT) WITHOUT ROWID",
    "CREATE TABLE lb_refresh_token (hash BLOB PRIMARY KEY NOT NULL, user_id TEXT NOT NULL, client_id TEXT NOT NULL) "
    "WITHOUT ROWID",
)

FIND = "SELECT client_id, sealed_secret, secret_hash, run_as FROM lb_app WHERE client_id = ?"
KEEP = """
    INSERT INTO lb_app (client_id, sealed_secret, secret_hash, run_as) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (client_id) DO UPDATE SET sealed_secret = ?2, secret_hash = ?3, run_as = ?4
"""
KEEP_REFRESH = "INSERT OR REPLACE INTO lb_refresh_token (hash, user_id, client_id) VALUES (?, ?, ?)"
FIND_REFRESH = "SELECT user_id, client_id FROM lb_refresh_token WHERE hash = ?"
END_REFRESH = "DELETE FROM lb_refresh_token WHERE hash = ?"


@dataclass(frozen=True, slots=True)
class App:
    """A connected app; `run_as` is the user of its client-credentials grant."""

    client_id: str
    sealed_secret: str
    secret_hash: bytes
    run_as: str | None

    def has_secret(self, secret: str) -> bool:
        """Whether this is its secret, in constant time."""
        return hmac.compare_digest(sha256(secret.encode()).digest(), self.secret_hash)


class Apps:
    """The apps of one org. Secrets are sealed: the token reply is signed with them."""

    def __init__(self, seal: Seal) -> None:
        self._seal = seal

    def find(self, reader: Reader, client_id: str) -> App | None:
        row = reader.one(FIND, (client_id,))
        return None if row is None else App(*row)

    def keep(self, tx: Tx, client_id: str, secret: str, run_as: str | None) -> None:
        """Add an app, or give it this secret; a known app with this secret is left alone."""
        known = self.find(tx, client_id)
        if known is None or not known.has_secret(secret) or known.run_as != run_as:
            tx.run(KEEP, (client_id, self._seal.close(secret), sha256(secret.encode()).digest(), run_as))

    def sign(self, app: App, text: str) -> bytes:
        """HMAC-SHA256 of a text under the app's secret."""
        return hmac.digest(self._seal.open(app.sealed_secret).encode(), text.encode(), "sha256")

    def keep_refresh(self, tx: Tx, token: str, user_id: str, client_id: str) -> None:
        tx.run(KEEP_REFRESH, (_hash(token), user_id, client_id))

    def find_refresh(self, reader: Reader, token: str) -> tuple[str, str] | None:
        """(user id, client id) of a refresh token; None for one that is none."""
        row = reader.one(FIND_REFRESH, (_hash(token),))
        return None if row is None else (row[0], row[1])

    def end_refresh(self, tx: Tx, token: str) -> None:
        tx.run(END_REFRESH, (_hash(token),))


def _hash(token: str) -> bytes:
    return sha256(token.encode()).digest()
