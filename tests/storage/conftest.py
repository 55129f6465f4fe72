"""A database to write into."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from landbridge.storage import SQLiteDatabase
from tests.support.storage import open_database


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[SQLiteDatabase]:
    database = open_database(tmp_path / "org.sqlite")
    yield database
    await database.close()
