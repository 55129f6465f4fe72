"""
Sessions: access tokens in Salesforce's form, kept as hashes, found in one look-up.

All live sessions are in memory; the table is for the next start. A session ends after the settings' seconds without use (the
org's clock), or when it is revoked. `last_used` is kept in memory and flushed lazily: a crash costs seconds of it.

Source: `auth.md` sections 3 and 7.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, LiteralString

from landbridge.access import READ_ONLY, Access
from landbridge.auth import scopes
from landbridge.chance import Chance
from landbridge.clock import Clock
from landbridge.ids import RecordId
from landbridge.storage import Reader, Tx

TABLES = (
    "CREATE TABLE lb_session (hash BLOB PRIMARY KEY NOT NULL, user_id TEXT NOT NULL, client_id TEXT, "
    "created REAL NOT NULL, last_used REAL NOT NULL) WITHOUT ROWID",
)
MORE = (
    "ALTER TABLE lb_session ADD COLUMN scope TEXT NOT NULL DEFAULT 'full'",
    "ALTER TABLE lb_session ADD COLUMN family TEXT",
    "CREATE TABLE lb_frozen_user (user_id TEXT PRIMARY KEY NOT NULL) WITHOUT ROWID",
)

KEEP = (
    "INSERT INTO lb_session (hash, user_id, client_id, created, last_used, scope, family) VALUES (?, ?, ?, ?, ?, ?, ?)"
)
KEPT = "SELECT hash, user_id, client_id, created, last_used, scope, family FROM lb_session WHERE last_used > ?"
USED = "UPDATE lb_session SET last_used = ? WHERE hash = ?"
END = "DELETE FROM lb_session WHERE hash = ?"
EXPIRE = "DELETE FROM lb_session WHERE last_used <= ?"
RIGHTS = """
    SELECT p."Name" FROM "User" u JOIN "Profile" p ON p."Id" = u."ProfileId" WHERE u."Id" = ? AND u."IsActive" = 1
        AND NOT EXISTS (SELECT 1 FROM lb_frozen_user f WHERE f.user_id = u."Id")
"""
FREEZE = "INSERT OR IGNORE INTO lb_frozen_user (user_id) VALUES (?)"
UNFREEZE = "DELETE FROM lb_frozen_user WHERE user_id = ?"
FROZEN = "SELECT user_id FROM lb_frozen_user"

FLUSH_AFTER = 60.0
"""Seconds by which the kept `last_used` may lag."""


def hash_of(token: str) -> bytes:
    """The hash by which a token is known here."""
    return sha256(token.encode("latin-1", "replace")).digest()


@dataclass(slots=True)
class Session:
    """A live session. `id` names it in logs: part of the token's hash, never the token."""

    id: str
    hash: bytes
    access: Access
    client_id: str | None
    created: float
    last_used: float
    kept: float
    """`last_used` as the table has it; infinite for sessions that are not kept."""
    scope: str = scopes.FULL
    family: str | None = None
    """The consent it came of, with its refresh tokens; None for a login of its own."""

    @property
    def opens_rest(self) -> bool:
        """Whether its scope is for the APIs (REST, streams), or for knowing who the user is alone."""
        return scopes.opens_rest(self.scope)


class Sessions:
    """The sessions of one org."""

    def __init__(
        self, clock: Clock, chance: Chance, org_id: RecordId, timeout: float, hidden: frozenset[tuple[str, str]]
    ) -> None:
        self._clock = clock
        self._chance = chance
        self._org_id = org_id
        self._timeout = timeout
        self._hidden = hidden
        self._live: dict[bytes, Session] = {}
        self._ended: list[Callable[[], None]] = []

    def load(self, reader: Reader) -> None:
        """Take up the sessions of the last run that have not expired."""
        for digest, user_id, client_id, created, used, scope, family in reader.all(
            KEPT, (self._clock.epoch() - self._timeout,)
        ):
            access = self.access(reader, user_id)
            if access is not None:
                name = digest.hex()[:12]
                self._live[digest] = Session(name, digest, access, client_id, created, used, used, scope, family)

    def access(self, reader: Reader, user_id: str) -> Access | None:
        """The rights of an active user; None for anyone else."""
        row = reader.one(RIGHTS, (user_id,))
        if row is None:
            return None
        read_only = row[0] == READ_ONLY
        return Access(RecordId(user_id), row[0], read_only, self._hidden if read_only else frozenset())

    def find(self, token: str) -> Session | None:
        """The live session of a token; being found counts as use."""
        return self.at(hash_of(token))

    def at(self, hashed: bytes) -> Session | None:
        """As `find`, for who has kept the `hash_of` a token."""
        session = self._live.get(hashed)
        if session is None:
            return None
        now = self._clock.epoch()
        if now - session.last_used > self._timeout:
            del self._live[session.hash]
            return None
        if now > session.last_used:  # of a preshared one it is infinite, and stays so
            session.last_used = now
        return session

    def open(
        self, tx: Tx, access: Access, client_id: str | None, scope: str = scopes.FULL, family: str | None = None
    ) -> str:
        """A new session; its token, which is nowhere kept. It is live once the unit has committed."""
        token = f"{self._org_id[:15]}!{self._chance.letters(88)}"
        digest, now = hash_of(token), self._clock.epoch()
        tx.run(KEEP, (digest, access.user_id, client_id, now, now, scope, family))
        session = Session(digest.hex()[:12], digest, access, client_id, now, now, now, scope, family)
        tx.after_commit(lambda: self._add(session))
        return token

    def preshare(self, token: str, access: Access) -> None:
        """A session whose token the settings name; in memory alone, and it does not expire."""
        digest = hash_of(token)
        self._live[digest] = Session(
            digest.hex()[:12], digest, access, None, self._clock.epoch(), float("inf"), float("inf")
        )

    def _add(self, session: Session) -> None:
        self._live[session.hash] = session

    def revoke(self, tx: Tx, token: str) -> bool:
        """End a session. False for a token that is none."""
        digest = hash_of(token)
        return self._end(tx, "hash = ?", (digest,), lambda s: s is self._live.get(digest))

    def revoke_app(self, tx: Tx, user_id: str, client_id: str) -> bool:
        """End the sessions that an app holds for a user (its refresh token was revoked)."""
        return self._end(
            tx, "client_id = ? AND user_id = ?", (client_id, user_id),
            lambda s: s.client_id == client_id and s.access.user_id == user_id,
        )  # fmt: skip

    def end_family(self, tx: Tx, family: str) -> bool:
        """End what came of one consent."""
        return self._end(tx, "family = ?", (family,), lambda s: s.family == family)

    def end_app(self, tx: Tx, client_id: str) -> bool:
        """End every session of an app."""
        return self._end(tx, "client_id = ?", (client_id,), lambda s: s.client_id == client_id)

    def end_user(self, tx: Tx, user_id: str, but: frozenset[str] = frozenset()) -> bool:
        """End every session of a user, but those of these ids."""
        return self._end(tx, "user_id = ?", (user_id,), lambda s: s.access.user_id == user_id, but)

    def end_named(self, tx: Tx, name: str) -> bool:
        """End the session of this `id`, as it stands in lists and logs."""
        return self._end(tx, "lower(substr(hex(hash), 1, 12)) = ?", (name,), lambda s: s.id == name)

    def freeze(self, tx: Tx, user_id: str, *, frozen: bool) -> None:
        """A frozen user can't log in, and their sessions end."""
        tx.run(FREEZE if frozen else UNFREEZE, (user_id,))
        if frozen:
            self.end_user(tx, user_id)

    def frozen(self, reader: Reader) -> frozenset[str]:
        return frozenset(str(row[0]) for row in reader.all(FROZEN))

    def live(self) -> list[Session]:
        """The sessions that have not expired, the last used first."""
        after = self._clock.epoch() - self._timeout
        return sorted((s for s in self._live.values() if s.last_used > after), key=lambda s: -s.last_used)

    def review(self, tx: Tx, user_ids: Iterable[str]) -> None:
        """Users were changed: their sessions get the rights they have now, or end."""
        for user_id in set(user_ids):
            access = self.access(tx, user_id)
            if access is None:
                self.end_user(tx, user_id)
            elif any(s.access.user_id == user_id and s.access != access for s in self._live.values()):
                tx.after_commit(lambda user_id=user_id, access=access: self._change(user_id, access))  # type: ignore[misc]

    def _change(self, user_id: str, access: Access) -> None:
        for session in self._live.values():
            if session.access.user_id == user_id:
                session.access = access

    def _end(
        self, tx: Tx, where: LiteralString, values: tuple[Any, ...], wanted: Callable[[Session], bool],
        but: frozenset[str] = frozenset(),
    ) -> bool:  # fmt: skip
        """
        End the sessions of the table that a condition names, and of memory that `wanted` does.

        Both, because neither holds all: a session whose unit waits for the same commit as this one is in the table alone, a
        preshared one in memory alone.
        """
        found = {row[0] for row in tx.all(f"SELECT hash FROM lb_session WHERE {where}", values)}
        found |= {session.hash for session in self._live.values() if wanted(session)}
        ended = [digest for digest in found if digest.hex()[:12] not in but]
        for digest in ended:
            tx.run(END, (digest,))
        tx.after_commit(lambda: self._forget(ended))
        return bool(ended)

    def _forget(self, ended: list[bytes]) -> None:
        for digest in ended:
            self._live.pop(digest, None)
        for call in list(self._ended):
            call()

    def ends(self, session: Session) -> float:
        """When a session ends unless it is used, in seconds on the org's clock; 0 when it has ended already."""
        return session.last_used + self._timeout if self._live.get(session.hash) is session else 0.0

    def touch(self, session: Session) -> None:
        """
        Count what goes on under a session as its use: a stream has no token to be found by. It may reach over the session's
        end (who was connected all the time has used it all the time): who counts single requests asks `ends` before.
        """
        session.last_used = max(session.last_used, self._clock.epoch())

    def listen(self, call: Callable[[], None]) -> Callable[[], None]:
        """Have `call` called after sessions were revoked; returns what ends it. For streams, which outlive a look-up."""
        self._ended.append(call)
        return lambda: self._ended.remove(call)

    @property
    def unflushed(self) -> bool:
        """Whether some `last_used` lags by more than a minute, or a session has expired."""
        before = self._clock.epoch() - self._timeout
        return any(
            session.last_used - session.kept > FLUSH_AFTER or session.last_used <= before
            for session in self._live.values()
        )

    def flush(self, tx: Tx) -> None:
        """Keep `last_used`, forget expired sessions."""
        before = self._clock.epoch() - self._timeout
        tx.run(EXPIRE, (before,))
        for digest in [session.hash for session in self._live.values() if session.last_used <= before]:
            del self._live[digest]  # whatever becomes of the unit: an expired session is none
        for session in list(self._live.values()):
            if session.last_used - session.kept > FLUSH_AFTER:
                tx.run(USED, (session.last_used, session.hash))
                session.kept = session.last_used
