"""Connected apps: who may ask for tokens, and under which rules."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from hashlib import sha256

from landbridge.auth import scopes
from landbridge.auth.seal import Seal
from landbridge.chance import Chance
from landbridge.storage import Reader, Tx

TABLES = (
    "CREATE TABLE lb_app (client_id TEXT PRIMARY KEY NOT NULL, sealed_secret TEXT NOT NULL, secret_hash BLOB NOT NULL, "
    "run_as TEXT) WITHOUT ROWID",
)
MORE = (
    "ALTER TABLE lb_app ADD COLUMN name TEXT",
    "ALTER TABLE lb_app ADD COLUMN callbacks TEXT NOT NULL DEFAULT ''",  # separated by line ends
    f"ALTER TABLE lb_app ADD COLUMN scopes TEXT NOT NULL DEFAULT '{scopes.USUAL}'",
    "ALTER TABLE lb_app ADD COLUMN certificate TEXT",
    "ALTER TABLE lb_app ADD COLUMN rules TEXT NOT NULL DEFAULT ''",  # see PUBLIC and its kin
    "CREATE TABLE lb_approval (user_id TEXT NOT NULL, client_id TEXT NOT NULL, PRIMARY KEY (user_id, client_id)) WITHOUT ROWID",
)

_COLUMNS = "client_id, sealed_secret, secret_hash, run_as, name, callbacks, scopes, certificate, rules"
FIND = f"SELECT {_COLUMNS} FROM lb_app WHERE client_id = ?"
ALL = f"SELECT {_COLUMNS} FROM lb_app ORDER BY client_id"
KEEP = f"""
    INSERT INTO lb_app ({_COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
    ON CONFLICT (client_id) DO UPDATE SET sealed_secret = ?2, secret_hash = ?3, run_as = ?4, name = ?5, callbacks = ?6,
        scopes = ?7, certificate = ?8, rules = ?9
"""
REMOVE = "DELETE FROM lb_app WHERE client_id = ?"
APPROVE = "INSERT OR IGNORE INTO lb_approval (user_id, client_id) VALUES (?, ?)"
APPROVED = "SELECT 1 FROM lb_approval WHERE user_id = ? AND client_id = ?"
DISAPPROVE = "DELETE FROM lb_approval WHERE client_id = ?"

PUBLIC = "public"
"""Keeps no secret (a program on somebody's machine): PKCE stands in for it."""
ROTATES = "rotates"
"""Its refresh tokens are for one use each."""
ASKS = "asks"
"""Users approve it themselves, once, before it may act for them without them (JWT bearer)."""

IMPLICIT = "implicit"
"""May take its token from the fragment of the callback (user-agent flow)."""


@dataclass(frozen=True, slots=True)
class App:
    """A connected app; `run_as` is the user of its client-credentials grant, `certificate` PEM text for JWT bearer."""

    client_id: str
    sealed_secret: str
    secret_hash: bytes
    run_as: str | None
    name: str
    callbacks: tuple[str, ...]
    scope: str
    certificate: str | None
    rules: frozenset[str]

    def __repr__(self) -> str:
        return f"App({self.client_id!r})"

    def has_secret(self, secret: str) -> bool:
        """Whether this is its secret, in constant time."""
        return hmac.compare_digest(sha256(secret.encode()).digest(), self.secret_hash)

    @property
    def public(self) -> bool:
        return PUBLIC in self.rules


@dataclass(frozen=True, kw_only=True)
class Draft:
    """An app as it is to be kept; `secret` plain, None leaves the one it has (or draws one)."""

    client_id: str
    secret: str | None = None
    run_as: str | None = None
    name: str | None = None
    callbacks: tuple[str, ...] = ()
    scope: str = scopes.USUAL
    certificate: str | None = None
    rules: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        return f"Draft({self.client_id!r})"


class Apps:
    """The apps of one org. Secrets are sealed: the token reply is signed with them."""

    def __init__(self, seal: Seal, chance: Chance) -> None:
        self._seal = seal
        self._chance = chance

    def find(self, reader: Reader, client_id: str) -> App | None:
        row = reader.one(FIND, (client_id,))
        return None if row is None else _app(row)

    def all(self, reader: Reader) -> list[App]:
        return [_app(row) for row in reader.all(ALL)]

    def keep(self, tx: Tx, draft: Draft) -> None:
        """Add an app, or make it what the draft says; one that is so already is left alone."""
        known = self.find(tx, draft.client_id)
        if known is not None and (draft.secret is None or known.has_secret(draft.secret)):
            sealed, digest = known.sealed_secret, known.secret_hash
        else:
            secret = draft.secret or self._chance.hex_token(32)
            sealed, digest = self._seal.close(secret), sha256(secret.encode()).digest()
        app = App(
            draft.client_id, sealed, digest, draft.run_as, draft.name or draft.client_id, draft.callbacks, draft.scope,
            draft.certificate, draft.rules,
        )  # fmt: skip
        if app != known:
            tx.run(
                KEEP,
                (app.client_id, sealed, digest, app.run_as, app.name, "\n".join(app.callbacks), app.scope, app.certificate,
                 " ".join(sorted(app.rules))),
            )  # fmt: skip

    def remove(self, tx: Tx, client_id: str) -> bool:
        """Take an app away, with what users approved. False for one that is not there."""
        if self.find(tx, client_id) is None:
            return False
        tx.run(REMOVE, (client_id,))
        tx.run(DISAPPROVE, (client_id,))
        return True

    def sign(self, app: App, text: str) -> bytes:
        """HMAC-SHA256 of a text under the app's secret."""
        return hmac.digest(self._seal.open(app.sealed_secret).encode(), text.encode(), "sha256")

    def approve(self, tx: Tx, user_id: str, client_id: str) -> None:
        """A user has let an app act for them."""
        tx.run(APPROVE, (user_id, client_id))

    def approved(self, reader: Reader, user_id: str, app: App) -> bool:
        """Whether an app may act for a user who is not there: pre-authorized, unless it has to ask each one."""
        return ASKS not in app.rules or reader.one(APPROVED, (user_id, app.client_id)) is not None


def _app(row: tuple[object, ...]) -> App:
    client_id, sealed, digest, run_as, name, callbacks, scope, certificate, rules = row
    assert isinstance(digest, bytes)
    return App(
        str(client_id), str(sealed), digest, None if run_as is None else str(run_as), str(name or client_id),
        tuple(str(callbacks).splitlines()), str(scope), None if certificate is None else str(certificate),
        frozenset(str(rules).split()),
    )  # fmt: skip
