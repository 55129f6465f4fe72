"""
Query locators: what `nextRecordsUrl` names. Kept in the database, so that they survive a restart; they expire.

Form `0r8` + 15 characters + `-` + rows sent, as orgs of 2026 hand out (soql.md section 4). A locator belongs to its user.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from landbridge.chance import Chance
from landbridge.errors import InvalidQueryLocator
from landbridge.soql.run import Cursor
from landbridge.storage import Reader, Tx

TABLES = (
    "CREATE TABLE lb_locator (name TEXT PRIMARY KEY NOT NULL, user_id TEXT NOT NULL, expires REAL NOT NULL, "
    "cursor TEXT NOT NULL) WITHOUT ROWID",
    "CREATE INDEX lb_locator_expires ON lb_locator (expires)",
)

LIFE = 2 * 86400.0
"""Seconds a locator lives: two days (unverified; older documents say 15 minutes)."""
MOST = 200
"""Locators kept per user; the oldest go. The platform keeps 10 open cursors, but counts them by query, not by page."""

KEEP = "INSERT INTO lb_locator (name, user_id, expires, cursor) VALUES (?, ?, ?, ?)"
FIND = "SELECT cursor FROM lb_locator WHERE name = ? AND user_id = ? AND expires > ?"
EXPIRE = "DELETE FROM lb_locator WHERE expires <= ?"
CROP = """
    DELETE FROM lb_locator WHERE user_id = ?1 AND name IN
        (SELECT name FROM lb_locator WHERE user_id = ?1 ORDER BY expires DESC LIMIT -1 OFFSET ?2)
"""


def make(cursor: Cursor, user_id: str, now: float, chance: Chance) -> tuple[str, Callable[[Tx], None]]:
    """A new locator and the unit of work that keeps it; the reply must wait for that. `now`: seconds of the org's clock."""
    name = f"0r8{chance.letters(15)}"

    def keep(tx: Tx) -> None:
        tx.run(EXPIRE, (now,))
        tx.run(KEEP, (name, user_id, now + LIFE, msgspec.json.encode(cursor).decode()))
        tx.run(CROP, (user_id, MOST))

    return f"{name}-{cursor.sent}", keep


def find(reader: Reader, locator: str, user_id: str, now: float) -> Cursor:
    """The cursor behind a locator of this user. Raises InvalidQueryLocator for an unknown, expired or foreign one."""
    row = reader.one(FIND, (locator.partition("-")[0], user_id, now))
    if row is None:
        raise InvalidQueryLocator
    return msgspec.json.decode(row[0], type=Cursor)
