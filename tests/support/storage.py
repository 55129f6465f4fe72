"""Opening a bare database, as the storage tests need it."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Any

from landbridge.clock import Clock
from landbridge.storage import Migration, SQLiteDatabase

MIGRATIONS = (Migration(1, ("CREATE TABLE item (name TEXT PRIMARY KEY, n INTEGER NOT NULL)",)),)


def open_database(path: Path, **options: Any) -> SQLiteDatabase:
    keys = count(1)
    defaults: dict[str, Any] = {"clock": Clock(), "new_key": lambda: f"key-{next(keys)}", "migrations": MIGRATIONS}
    return SQLiteDatabase.open(path, **{**defaults, **options})
