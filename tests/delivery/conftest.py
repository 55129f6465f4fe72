"""A queue in a bare database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path

import pytest

from landbridge import delivery, ids
from landbridge.clock import Clock
from landbridge.delivery import OBJECTS, PREFIX, SqlQueue
from landbridge.events import subscriptions
from landbridge.schema.catalog import Entity
from landbridge.schema.tables import create
from landbridge.storage import Migration
from landbridge.storage.dialect import SQLITE
from tests.support.queue import Bench
from tests.support.storage import open_database

TABLES = (
    *delivery.TABLES,
    *delivery.CLAIMS,
    *delivery.SUSPECTS,
    *subscriptions.TABLES,
    *create(Entity(OBJECTS[0]), SQLITE),
)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def bench(tmp_path: Path, clock: Clock) -> AsyncIterator[Bench]:
    database = open_database(
        tmp_path / "queue.sqlite", migrations=(Migration(1, TABLES),), durability="off", clock=clock
    )
    numbers = count(1)
    yield Bench(database, SqlQueue(lambda _tx: ids.make(PREFIX, next(numbers))))
    await database.close()
