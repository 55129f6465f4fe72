"""
Subscriptions the server knows by name, with how far each is: what EventBusSubscriber shows.

`read_to`: the replay id up to which events were taken over; `done_to`: up to which all are settled; `oldest_open`: the
oldest one taken over and not settled, None when none is. They move inside the unit that does the work.

Source: ARCHITECTURE (watermarks); the object `events.md` section 6.
"""

from __future__ import annotations

from typing import Any

import msgspec

from landbridge.events.log import IN_SPAN, SPAN_BITS
from landbridge.schema import Numbers
from landbridge.storage import Reader, Tx

TABLES = (
    "CREATE TABLE lb_subscription (name TEXT PRIMARY KEY NOT NULL, kind TEXT NOT NULL, topic TEXT NOT NULL, "
    "state TEXT NOT NULL, read_to INTEGER NOT NULL, done_to INTEGER NOT NULL, oldest_open INTEGER, "
    "retries INTEGER NOT NULL DEFAULT 0, last_error TEXT, moved TEXT NOT NULL) WITHOUT ROWID",
)


def _view(behind: str) -> str:
    """What SOQL sees. `behind` joins events to `r`, what is read; a channel reads the topics of its members."""
    return f"""CREATE VIEW "EventBusSubscriber" AS
       WITH reads AS (
           SELECT s.*, m.topic AS entity_topic FROM lb_subscription s JOIN lb_channel_member m
           ON m.channel = substr(s.topic, 7 + (s.topic LIKE '/event/%'))
           UNION ALL SELECT s.*, s.topic FROM lb_subscription s
           WHERE substr(s.topic, 7 + (s.topic LIKE '/event/%')) NOT IN (SELECT channel FROM lb_channel_member)),
       behind AS (
           SELECT r.name, count(e.id) AS events, min(e.created) AS oldest, {behind} GROUP BY r.name)
       SELECT s.id AS "Id", substr(s.id, 1, 15) AS "ExternalId", s.name AS "Name", s.kind AS "Type",
              substr(s.topic, 7 + (s.topic LIKE '/event/%')) AS "Topic", s.done_to AS "Position", b.tip AS "Tip",
              s.retries AS "Retries", s.last_error AS "LastError", s.state AS "Status", 0 AS "IsPartitioned",
              s.read_to AS "ReadTo", s.done_to AS "DoneTo", s.oldest_open AS "OldestOpen", b.events AS "LagEvents",
              coalesce(max(0, lb_now() - unixepoch(substr(b.oldest, 1, 19))), 0) AS "LagSeconds",
              row_number() OVER (ORDER BY s.name) AS rowid
       FROM lb_subscription s JOIN behind b ON b.name = s.name"""


VIEW = (
    "ALTER TABLE lb_subscription ADD COLUMN id TEXT",
    'DROP TABLE IF EXISTS "EventBusSubscriber"',
    # Along the index (topic, id), which is gone since.
    _view(
        "max((SELECT max(id) FROM lb_event t WHERE t.topic = r.entity_topic)) AS tip "
        "FROM reads r LEFT JOIN lb_event e ON e.topic = r.entity_topic AND e.id > r.done_to"
    ),
)
SPANS_VIEW = (
    'DROP VIEW "EventBusSubscriber"',
    _view(
        "max((SELECT e.id FROM lb_event_span s CROSS JOIN lb_event e "
        f"ON {IN_SPAN} WHERE s.topic = r.entity_topic ORDER BY s.span DESC, e.id DESC LIMIT 1)) AS tip "
        f"FROM reads r LEFT JOIN lb_event_span s ON s.topic = r.entity_topic AND s.span >= r.done_to >> {SPAN_BITS} "
        f"LEFT JOIN lb_event e ON {IN_SPAN} AND +e.id > r.done_to"
    ),
)

_COLUMNS = "name, kind, topic, state, read_to, done_to, oldest_open, retries, last_error"
ENSURE = """
    INSERT INTO lb_subscription (name, kind, topic, state, read_to, done_to, moved, id)
    VALUES (?1, ?2, ?3, 'Running', ?4, ?4, ?5, ?6)
    ON CONFLICT (name) DO NOTHING
"""
GET = f"SELECT {_COLUMNS} FROM lb_subscription WHERE name = ?"
ALL = f"SELECT {_COLUMNS} FROM lb_subscription ORDER BY name"
MOVE = "UPDATE lb_subscription SET read_to = ?, done_to = ?, oldest_open = ?, moved = ? WHERE name = ?"
SET_STATE = "UPDATE lb_subscription SET state = ?, last_error = ?, retries = ?, moved = ? WHERE name = ?"
REMOVE = "DELETE FROM lb_subscription WHERE name = ?"


class _Keep:
    """Stands for "as it is"."""


KEEP = _Keep()


class Subscription(msgspec.Struct, frozen=True):
    """One named reader of a topic. `kind`: `managed`, `flow`, ...; `state`: Running, Error, Suspended, Expired."""

    name: str
    kind: str
    topic: str
    state: str
    read_to: int
    done_to: int
    oldest_open: int | None = None
    retries: int = 0
    last_error: str | None = None


PREFIX = "0Cd"


class Subscriptions:
    """The table of them; no state of its own. `numbers` gives ids to new ones, for SOQL."""

    def __init__(self, numbers: Numbers | None = None) -> None:
        self._numbers = numbers

    def ensure(self, tx: Tx, name: str, kind: str, topic: str, start: int) -> Subscription:
        """The subscription of that name, made with its position after the replay id `start` when it is new."""
        found = self.get(tx, name)
        if found is not None:
            return found
        own_id = None if self._numbers is None else self._numbers.id(tx, PREFIX)
        tx.run(ENSURE, (name, kind, topic, start, tx.stamp, own_id))
        found = self.get(tx, name)
        assert found is not None
        return found

    def get(self, reader: Reader, name: str) -> Subscription | None:
        """The subscription of that name, None where there is none."""
        row = reader.one(GET, (name,))
        return None if row is None else Subscription(*row)

    def all(self, reader: Reader) -> list[Subscription]:
        """Every subscription, by name."""
        return [Subscription(*row) for row in reader.all(ALL)]

    def move(
        self,
        tx: Tx,
        name: str,
        *,
        read_to: int | None = None,
        done_to: int | None = None,
        oldest_open: int | _Keep | None = KEEP,
    ) -> None:
        """Set positions; those not given stay. Raises KeyError for no such subscription."""
        found = self.get(tx, name)
        if found is None:
            raise KeyError(name)
        opened: Any = found.oldest_open if isinstance(oldest_open, _Keep) else oldest_open
        tx.run(MOVE, (
            found.read_to if read_to is None else read_to, found.done_to if done_to is None else done_to, opened, tx.stamp,
            name,
        ))  # fmt: skip

    def set_state(self, tx: Tx, name: str, state: str, *, error: str | None = None, retries: int = 0) -> None:
        """Say how a subscription fares."""
        tx.run(SET_STATE, (state, error, retries, tx.stamp, name))

    def remove(self, tx: Tx, name: str) -> None:
        """Forget a subscription and its position."""
        tx.run(REMOVE, (name,))
