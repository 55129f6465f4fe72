"""
How a data file of an older Landbridge becomes one of this Landbridge.

A migration keeps every record; a file that has been through it is refused by an older Landbridge. The version stands in
SQLite's `user_version`, and `application_id` says that the file is ours at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import apsw

from landbridge.errors import LandbridgeError

APPLICATION_ID = 0x4C425247
"""`LBRG`: what `file` and other tools can know our data file by."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One step: the version the file has after it, and the statements that take it there."""

    version: int
    statements: tuple[str, ...]


def migrate(connection: apsw.Connection, migrations: Sequence[Migration], name: str) -> None:
    """
    Bring the file to the newest version, each step in one transaction.

    Raises LandbridgeError for a file of a newer Landbridge or one that is not ours; the file is left as it was.
    """
    application, version = _read(connection, "application_id"), _read(connection, "user_version")
    newest = max((migration.version for migration in migrations), default=0)
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()[0][0]
    if application != APPLICATION_ID and tables:
        raise LandbridgeError(f"{name} is a database, but not one of Landbridge. Name another folder with --data.")
    if version > newest:
        raise LandbridgeError(
            f"{name} was written by a newer Landbridge (format {version}; this one knows {newest}). "
            "Upgrade Landbridge, or name another folder with --data."
        )
    for migration in sorted(migrations, key=lambda m: m.version):
        if migration.version > version:
            _step(connection, migration)


def _step(connection: apsw.Connection, migration: Migration) -> None:
    with connection:
        for statement in migration.statements:
            connection.execute(statement).fetchall()
        # Pragmas take no parameters; both values are our own integers.
        connection.execute(f"PRAGMA user_version = {int(migration.version)}").fetchall()
        connection.execute(f"PRAGMA application_id = {int(APPLICATION_ID)}").fetchall()


def _read(connection: apsw.Connection, pragma: str) -> int:
    value = connection.execute(f"PRAGMA {pragma}").fetchall()[0][0]
    assert isinstance(value, int)
    return value
