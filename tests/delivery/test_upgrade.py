"""An older data folder: what was in flight, due and held there is so in the claims of today."""

from __future__ import annotations

from itertools import count
from pathlib import Path

from landbridge import delivery, ids
from landbridge.clock import Clock
from landbridge.delivery import OBJECTS, PREFIX, Done, Settled, SqlQueue
from landbridge.events import subscriptions
from landbridge.schema.catalog import Entity
from landbridge.schema.tables import create
from landbridge.storage import Migration, Unit
from landbridge.storage.dialect import SQLITE
from tests.support.storage import open_database

OLD = Migration(1, (*delivery.TABLES, *subscriptions.TABLES, *create(Entity(OBJECTS[0]), SQLITE)))
NEW = Migration(2, (*delivery.CLAIMS, *delivery.SUSPECTS))
ROWS = (
    # id, key, state, is_head, lease_until, attempt, failures
    (1, "a", "in_flight", 1, 60.0, 3, 2),
    (2, "a", "due", 0, None, 0, 0),
    (3, "b", "held", 1, None, 4, 4),
    (4, "b", "due", 0, None, 0, 0),
    (5, "c", "due", 1, None, 1, 1),
)


async def test_claims_of_an_older_folder_are_kept_and_nothing_is_lost(tmp_path: Path) -> None:
    path, clock = tmp_path / "old.sqlite", Clock()
    db = open_database(path, migrations=(OLD,), durability="off", clock=clock)

    def fill(tx: object) -> None:
        for one, key, state, head, lease, attempt, failures in ROWS:
            db.writer.execute(
                "INSERT INTO lb_delivery (id, subscription, key, state, is_head, due_at, lease_until, attempt, failures, first_at, "
                "uuid, replay_id, correlation, body) VALUES (?, 's', ?, ?, ?, 0, ?, ?, ?, 0, ?, ?, 'c', x'7b7d')",
                (one, key, state, head, lease, attempt, failures, f"u{one}", one),
            )

    await db.write(fill, Unit("old"))
    await db.close()

    db = open_database(path, migrations=(OLD, NEW), durability="off", clock=clock)
    numbers = count(1)
    queue = SqlQueue(lambda _tx: ids.make(PREFIX, next(numbers)))
    waiting = db.read_now(lambda reader: queue.waiting(reader, "s"))
    claims = db.read_now(lambda reader: reader.all("SELECT delivery, attempt, lease_until FROM lb_claim"))
    (ready,) = await db.write(lambda tx: queue.claim(tx, "s", 1.0, 10, 60.0), Unit("claim"))
    expired = await db.write(lambda tx: queue.expire(tx, 60.0), Unit("start"))
    again = await db.write(lambda tx: queue.claim(tx, "s", 1.0, 10, 60.0), Unit("claim"))
    await db.write(
        lambda tx: queue.settle_many(tx, [Settled(ready, Done()), Settled(again[0], Done())]), Unit("settle")
    )
    (behind,) = await db.write(lambda tx: queue.claim(tx, "s", 1.0, 10, 60.0), Unit("claim"))
    await db.close()

    assert waiting == {"due": 3, "in_flight": 1, "held": 1}
    assert claims == [(1, 3, 60.0)]
    assert (ready.uuid, ready.attempt, ready.failures) == ("u5", 2, 1)
    assert expired == 1, "the lease of the old folder's attempt was over, the one of today was not"
    assert [(one.uuid, one.attempt, one.failures, one.interrupted) for one in again] == [("u1", 4, 2, 1)]
    assert behind.uuid == "u2"
