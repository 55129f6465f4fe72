"""
The queue of deliveries: a Protocol, and its tables in the org's own database.

Because it is the same database, an enqueue commits with the watermark that it moves, and a settle with what the handler
wrote. Every method takes `tx`: whoever reads the call sees what commits together.

A *lane* is one key of one subscription. `lb_delivery` holds the open deliveries of every lane, oldest first by `id` (never
reused, so that a replayed delivery goes back to its old place). The lane's first one is its *head* (`is_head`): only heads
are claimed, so a key is worked on by one attempt at a time and in order, while other keys go on beside it.

    due         waits for `due_at`, as head or behind one
    in flight   claimed: an attempt runs; it has a row in `lb_claim` too, with its number and the end of its lease
    held        given up on with its key held: a head nobody claims; a replay makes it due again, a discard removes it

Claiming is one look-up in the index of heads, whatever waits behind them: a million waiting deliveries cost the disk alone. A
claim is a row of its own, so that claiming and settling never write an event's body again; `attempt` of `lb_delivery` counts
the attempts that have ended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, Protocol

import msgspec

from landbridge.delivery.model import Delivery, Draft, Failure, LeaseLost, Parked, Settled
from landbridge.delivery.objects import NAME
from landbridge.delivery.policy import SUSPECTED_AFTER, Done, RetryAt, Told, told_by
from landbridge.storage import Reader, Tx

MOST_ATTEMPTS, MOST_DETAIL = 50, 2000
"""Failed attempts kept of one delivery (the newest), and characters of each one's traceback or response."""

TABLES = (
    """CREATE TABLE lb_delivery (
        id INTEGER PRIMARY KEY NOT NULL, subscription TEXT NOT NULL, key TEXT NOT NULL, state TEXT NOT NULL,
        is_head INTEGER NOT NULL, due_at REAL NOT NULL, lease_until REAL, attempt INTEGER NOT NULL DEFAULT 0,
        failures INTEGER NOT NULL DEFAULT 0, interrupted INTEGER NOT NULL DEFAULT 0, replays INTEGER NOT NULL DEFAULT 0,
        first_at REAL NOT NULL, uuid TEXT NOT NULL, replay_id INTEGER NOT NULL, correlation TEXT NOT NULL, body BLOB NOT NULL)""",
    "CREATE INDEX lb_delivery_lane ON lb_delivery (subscription, key)",
    "CREATE INDEX lb_delivery_head ON lb_delivery (subscription, state, due_at) WHERE is_head = 1",
    """CREATE TABLE lb_attempt (
        delivery INTEGER NOT NULL, number INTEGER NOT NULL, failure TEXT NOT NULL, PRIMARY KEY (delivery, number)
    ) WITHOUT ROWID""",
    """CREATE TABLE lb_effect (
        subscription TEXT NOT NULL, uuid TEXT NOT NULL, n INTEGER NOT NULL, results BLOB NOT NULL,
        PRIMARY KEY (subscription, uuid, n)) WITHOUT ROWID""",
    """CREATE TABLE lb_delivered (
        subscription TEXT NOT NULL, uuid TEXT NOT NULL, at REAL NOT NULL, PRIMARY KEY (subscription, uuid)) WITHOUT ROWID""",
    "CREATE INDEX lb_delivered_at ON lb_delivered (at)",
)
CLAIMS = (
    "CREATE TABLE lb_claim (delivery INTEGER PRIMARY KEY NOT NULL, attempt INTEGER NOT NULL, lease_until REAL NOT NULL)",
    "DROP INDEX lb_delivery_head",
    "INSERT INTO lb_claim SELECT id, attempt, lease_until FROM lb_delivery WHERE state = 'in_flight'",
    "UPDATE lb_delivery SET state = 'due', attempt = attempt - 1 WHERE state = 'in_flight'",
    "CREATE INDEX lb_delivery_due ON lb_delivery (subscription, due_at) WHERE is_head = 1 AND state = 'due'",
)
"""Claims used to stand in `lb_delivery` (`in_flight`, `lease_until`), which was written twice more for each delivery so."""
SUSPECTS = (
    "ALTER TABLE lb_delivery ADD COLUMN alone INTEGER NOT NULL DEFAULT 0",
    "CREATE INDEX lb_delivery_suspect ON lb_delivery (id) WHERE interrupted >= 3",
)
"""What runs alone; the index can be used as long as it says the same as `policy.SUSPECTED_AFTER`."""

ENQUEUE = """
    INSERT INTO lb_delivery (id, subscription, key, uuid, replay_id, correlation, body, state, is_head, due_at, first_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'due',
            NOT EXISTS (SELECT 1 FROM lb_delivery WHERE subscription = ?2 AND key = ?3), ?8, ?8)
"""  # the first of its lane is its head
UNCLAIMED = "NOT EXISTS (SELECT 1 FROM lb_claim WHERE delivery = id)"
# The claimed ones among the heads are stepped over: no more than attempts run at once.
READY = f"""
    SELECT id, subscription, key, uuid, replay_id, correlation, attempt + 1, failures, interrupted, alone, replays, first_at,
        body
    FROM lb_delivery
    WHERE subscription = ? AND state = 'due' AND is_head = 1 AND due_at <= ? AND interrupted < {SUSPECTED_AFTER} AND {UNCLAIMED}
    ORDER BY due_at LIMIT ?
"""  # the lanes whose turn it is, longest due first
SUSPECT = f"""
    SELECT id, subscription, key, uuid, replay_id, correlation, attempt + 1, failures, interrupted, alone, replays, first_at,
        body
    FROM lb_delivery INDEXED BY lb_delivery_suspect
    WHERE interrupted >= {SUSPECTED_AFTER} AND state = 'due' AND is_head = 1 AND subscription = ?
        AND NOT EXISTS (SELECT 1 FROM lb_claim)
    ORDER BY alone, id LIMIT 1
"""  # one that has to run alone, when nothing is in flight: the least suspected first, for the innocent clear themselves
ALL_SUSPECTS = f"""
    SELECT subscription, is_head FROM lb_delivery INDEXED BY lb_delivery_suspect
    WHERE interrupted >= {SUSPECTED_AFTER} AND state = 'due' AND {UNCLAIMED} ORDER BY id
"""
NEXT_DUE = f"""
    SELECT due_at FROM lb_delivery
    WHERE subscription = ? AND state = 'due' AND is_head = 1 AND interrupted < {SUSPECTED_AFTER} AND {UNCLAIMED}
    ORDER BY due_at LIMIT 1
"""  # when the next claim finds something
NEWEST = f"""
    SELECT max(coalesce((SELECT max(id) FROM lb_delivery), 0), coalesce((SELECT max("Delivery__c") FROM "{NAME}"), 0))
"""  # ids go on after it: a dead letter goes back to its own
UNCLAIM = "DELETE FROM lb_claim WHERE delivery = ? AND attempt = ?"
UNCLAIM_MANY = """
    DELETE FROM lb_claim WHERE delivery IN (SELECT value FROM json_each(?)) AND attempt = 1 RETURNING delivery
"""  # the plain case: delivered at the first attempt
REMOVE_MANY = "DELETE FROM lb_delivery WHERE id IN (SELECT value FROM json_each(?))"
PROMOTE_MANY = """
    UPDATE lb_delivery SET is_head = 1
    WHERE id IN (SELECT (SELECT id FROM lb_delivery WHERE subscription = ?1 AND key = lanes.value ORDER BY id LIMIT 1)
                 FROM json_each(?2) AS lanes)
"""
REMOVE = "DELETE FROM lb_delivery WHERE id = ?"
PROMOTE = """
    UPDATE lb_delivery SET is_head = 1
    WHERE id = (SELECT id FROM lb_delivery WHERE subscription = ? AND key = ? ORDER BY id LIMIT 1)
"""  # the oldest open one of a lane becomes its head
RETRY = """
    UPDATE lb_delivery SET due_at = ?, failures = failures + ?, attempt = ?, interrupted = 0, alone = 0 WHERE id = ?
"""  # an attempt that has ended has not ended the process
HOLD = "UPDATE lb_delivery SET state = 'held', attempt = ? WHERE id = ?"
RELEASE = "UPDATE lb_delivery SET attempt = ? WHERE id = ?"
CLAIMED = "SELECT interrupted FROM lb_claim JOIN lb_delivery ON id = delivery"
ACQUIT = f"""
    UPDATE lb_delivery INDEXED BY lb_delivery_suspect SET alone = 0 WHERE interrupted >= {SUSPECTED_AFTER} AND alone > 0
"""
EXPIRE = """
    UPDATE lb_delivery SET attempt = attempt + 1, interrupted = interrupted + 1, alone = alone + ?
    WHERE id IN (SELECT delivery FROM lb_claim WHERE lease_until <= ?)
"""  # attempts whose process is gone
FORGET_EXPIRED = "DELETE FROM lb_claim WHERE lease_until <= ?"
KEEP_ATTEMPT = "INSERT INTO lb_attempt (delivery, number, failure) VALUES (?, ?, ?)"
ATTEMPTS = "SELECT failure FROM lb_attempt WHERE delivery = ? ORDER BY number"
FORGET_ATTEMPT = "DELETE FROM lb_attempt WHERE delivery = ? AND number = ?"
FORGET_ATTEMPTS = "DELETE FROM lb_attempt WHERE delivery = ?"
FORGET_EFFECTS = "DELETE FROM lb_effect WHERE subscription = ? AND uuid = ?"
PARK = f"""
    INSERT INTO "{NAME}" ("Id", "Name", "CreatedDate", "SystemModstamp", "Subscription__c", "Topic__c", "Key__c",
        "Event_Uuid__c", "Replay_Id__c", "Delivery__c", "Status__c", "Holds_Key__c", "Cause__c", "Fingerprint__c", "Kind__c",
        "Code__c", "Http_Status__c", "Error__c", "Attempts__c", "Attempt_Log__c", "Flow_Version__c", "Correlation_Id__c",
        "Payload__c", "Replays__c")
    VALUES (?1, substr(?1, 1, 15), ?2, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'Open', ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18,
            ?19, ?20, 0)
"""
PARK_AGAIN = f"""
    UPDATE "{NAME}" SET "SystemModstamp" = ?2, "Status__c" = 'Open', "Holds_Key__c" = ?3, "Cause__c" = ?4, "Fingerprint__c" = ?5,
        "Kind__c" = ?6, "Code__c" = ?7, "Http_Status__c" = ?8, "Error__c" = ?9, "Attempts__c" = ?10, "Attempt_Log__c" = ?11,
        "Flow_Version__c" = ?12
    WHERE "Id" = ?1
"""  # a replay that failed again: the same dead letter, its history goes on
PARKED = f"""SELECT "Id", "Attempt_Log__c" FROM "{NAME}" WHERE "Delivery__c" = ?"""
RESOLVE = f"""UPDATE "{NAME}" SET "Status__c" = 'Resolved', "SystemModstamp" = ? WHERE "Delivery__c" = ?"""
DELIVERED = "INSERT INTO lb_delivered (subscription, uuid, at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
FORGET_DELIVERED = "DELETE FROM lb_delivered WHERE at < ?"
WAITING = "SELECT state, count(*) FROM lb_delivery WHERE subscription = ? GROUP BY state"
IN_FLIGHT = "SELECT count(*) FROM lb_claim CROSS JOIN lb_delivery ON id = delivery WHERE subscription = ?"
# The + keeps SQLite on the ids: by the index of lanes it would sort all that wait.
OLDEST = "SELECT id, replay_id FROM lb_delivery WHERE id >= ? AND +subscription = ? ORDER BY id LIMIT 1"


class Queue(Protocol):
    """
    Deliveries in order per key. Everything happens inside the unit `tx`; moments are seconds since the epoch.
    """

    def enqueue(self, tx: Tx, drafts: Sequence[Draft], now: float, *, once: bool = False) -> int:
        """
        Append deliveries, all of one subscription, to their lanes, due at once. Returns how many were.

        `once`: leave out those whose uuid this subscription has had before (a publisher that sent the same event twice).
        """
        ...

    def claim(self, tx: Tx, subscription: str, now: float, n: int, lease: float) -> list[Delivery]:
        """
        Take up to `n` due heads for `lease` seconds, none of them suspected (`policy.SUSPECTED_AFTER`). Call it last in its
        unit: what it took must not be taken back.
        """
        ...

    def claim_suspect(self, tx: Tx, subscription: str, now: float, lease: float) -> list[Delivery]:
        """Take one head that is suspected, if nothing at all is in flight. Call it last in its unit."""
        ...

    def suspects(self, reader: Reader) -> list[tuple[str, bool]]:
        """(subscription, whether it is the head of its lane) of each delivery that has to run alone and does not run."""
        ...

    def settle(self, tx: Tx, settled: Settled) -> None:
        """Carry out a decision: remove, make due again, or park. Raises LeaseLost; nothing was changed then."""
        ...

    def settle_many(self, tx: Tx, many: Sequence[Settled]) -> list[Settled]:
        """Carry out many decisions, each as `settle` does; returns those that lost their lease."""
        ...

    def release(self, tx: Tx, deliveries: Iterable[Delivery]) -> None:
        """Give claimed deliveries back as if they had not been tried (a calm stop)."""
        ...

    def expire(self, tx: Tx, now: float) -> int:
        """Make attempts whose lease is over due again (their process died), whatever their subscription. Returns how many."""
        ...

    def next_due(self, reader: Reader, subscription: str) -> float | None:
        """When the next claim can find something; None: when something is enqueued, settled or replayed."""
        ...

    def waiting(self, reader: Reader, subscription: str) -> dict[str, int]:
        """How many deliveries are `due`, `in_flight` and `held`."""
        ...

    def oldest(self, reader: Reader, subscription: str, after: int = 0) -> tuple[int, int] | None:
        """(id, replay id) of the oldest delivery that is not settled, looked for from the id `after` on."""
        ...


class SqlQueue:
    """
    See `Queue`. `new_id` draws the record id of a dead letter inside a unit; `announce` hears of each one, by field name.
    """

    def __init__(
        self, new_id: Callable[[Tx], str], announce: Callable[[Tx, dict[str, Any]], None] | None = None
    ) -> None:
        self._new_id = new_id
        self._announce = announce
        self._next: int | None = None

    def enqueue(self, tx: Tx, drafts: Sequence[Draft], now: float, *, once: bool = False) -> int:
        if once:
            drafts = [draft for draft in drafts if tx.run(DELIVERED, (draft.subscription, draft.uuid, now))]
        if not drafts:
            return 0
        first = self._first_id(tx, len(drafts))
        became = tx.run_each(ENQUEUE, [(number, *draft, now) for number, draft in enumerate(drafts, start=first)])
        assert not any(became), became
        return len(drafts)

    def _first_id(self, tx: Tx, count: int) -> int:
        """The first of so many new ids."""
        if self._next is None:
            row = tx.one(NEWEST)
            assert row is not None
            self._next = int(row[0]) + 1
        first = self._next
        self._next = first + count
        return first  # a unit that is undone leaves a gap

    def claim(self, tx: Tx, subscription: str, now: float, n: int, lease: float) -> list[Delivery]:
        return self._take(tx, tx.all(READY, (subscription, now, n)), now + lease)

    def claim_suspect(self, tx: Tx, subscription: str, now: float, lease: float) -> list[Delivery]:
        return self._take(tx, tx.all(SUSPECT, (subscription,)), now + lease)

    def suspects(self, reader: Reader) -> list[tuple[str, bool]]:
        return [(row[0], bool(row[1])) for row in reader.all(ALL_SUSPECTS)]

    def _take(self, tx: Tx, rows: list[Any], until: float) -> list[Delivery]:
        if rows:
            rows.sort()
            tx.insert("lb_claim", ("delivery", "attempt", "lease_until"), [(row[0], row[6], until) for row in rows])
        return list(map(Delivery._make, rows))

    def settle(self, tx: Tx, settled: Settled) -> None:
        delivery, decision = settled.delivery, settled.decision
        if not tx.run(UNCLAIM, (delivery.id, delivery.attempt)):
            raise LeaseLost
        if isinstance(decision, Done):
            tx.run(REMOVE, (delivery.id,))
            tx.run(PROMOTE, (delivery.subscription, delivery.key))
            if delivery.attempt > 1:
                self._forget(tx, delivery)
        elif isinstance(decision, RetryAt):
            tx.run(RETRY, (decision.at.timestamp(), int(decision.counted), delivery.attempt, delivery.id))
            self._keep(tx, delivery, settled.failure)
        else:
            self._park(tx, delivery, decision, settled.failure)

    def settle_many(self, tx: Tx, many: Sequence[Settled]) -> list[Settled]:
        plain: dict[str, dict[int, Settled]] = {}
        lost = []
        for one in many:
            if one.delivery.attempt == 1 and isinstance(one.decision, Done):
                plain.setdefault(one.delivery.subscription, {})[one.delivery.id] = one
                continue
            try:
                self.settle(tx, one)
            except LeaseLost:
                lost.append(one)
        for subscription, ones in plain.items():
            mine = [row[0] for row in tx.all(UNCLAIM_MANY, (_json(list(ones)),))]
            tx.run(REMOVE_MANY, (_json(mine),))
            keys = [ones.pop(one).delivery.key for one in mine]
            tx.run(PROMOTE_MANY, (subscription, _json(keys)))
            lost += ones.values()
        return lost

    def _forget(self, tx: Tx, delivery: Delivery) -> None:
        """What only a delivery under way needs: its failed attempts, and which of its transactions have committed."""
        tx.run(FORGET_ATTEMPTS, (delivery.id,))
        tx.run(FORGET_EFFECTS, (delivery.subscription, delivery.uuid))
        if delivery.replays:
            tx.run(RESOLVE, (tx.stamp, delivery.id))

    def _keep(self, tx: Tx, delivery: Delivery, failure: Failure | None) -> None:
        if failure is None:
            return
        kept = replace(failure, detail=failure.detail[-MOST_DETAIL:])
        tx.run(KEEP_ATTEMPT, (delivery.id, delivery.attempt, msgspec.json.encode(kept).decode()))
        if delivery.attempt > MOST_ATTEMPTS:
            tx.run(FORGET_ATTEMPT, (delivery.id, delivery.attempt - MOST_ATTEMPTS))

    def _park(self, tx: Tx, delivery: Delivery, parked: Parked, failure: Failure | None) -> None:
        if parked.hold:
            tx.run(HOLD, (delivery.attempt, delivery.id))
        else:
            tx.run(REMOVE, (delivery.id,))
            tx.run(PROMOTE, (delivery.subscription, delivery.key))
        self._keep(tx, delivery, failure)
        attempts = [msgspec.json.decode(row[0]) for row in tx.all(ATTEMPTS, (delivery.id,))]
        tx.run(FORGET_ATTEMPTS, (delivery.id,))
        kind, code, status, detail = ("", "", None, "") if failure is None else (
            failure.kind, failure.code, failure.status or None, failure.detail)  # fmt: skip
        cause = (parked.why if failure is None or not failure.reason else failure.reason)[:255]
        before = tx.one(PARKED, (delivery.id,))
        if before is not None:
            attempts = msgspec.json.decode(before[1]) + attempts
        log = msgspec.json.encode(attempts).decode()
        letter_id = self._new_id(tx) if before is None else before[0]
        if self._announce is not None:
            self._announce(tx, {
                "Letter__c": letter_id, "Subscription__c": delivery.subscription, "Topic__c": parked.topic,
                "Key__c": delivery.key, "Event_Uuid__c": delivery.uuid, "Cause__c": cause,
                "Fingerprint__c": parked.fingerprint, "Attempts__c": float(delivery.attempt), "Error__c": detail,
                "Payload__c": delivery.body.decode(),
            })  # fmt: skip
        if before is not None:
            tx.run(PARK_AGAIN, (before[0], tx.stamp, int(parked.hold), cause, parked.fingerprint, kind, code, status,
                                detail, delivery.attempt, log, parked.version))  # fmt: skip
            return
        tx.run(PARK, (
            letter_id, tx.stamp, delivery.subscription, parked.topic, delivery.key, delivery.uuid,
            delivery.replay_id, delivery.id, int(parked.hold), cause, parked.fingerprint, kind, code, status, detail,
            delivery.attempt, log, parked.version, delivery.correlation, delivery.body.decode(),
        ))  # fmt: skip

    def release(self, tx: Tx, deliveries: Iterable[Delivery]) -> None:
        for delivery in deliveries:
            if tx.run(UNCLAIM, (delivery.id, delivery.attempt)):
                tx.run(RELEASE, (delivery.attempt, delivery.id))

    def expire(self, tx: Tx, now: float) -> int:
        tells = told_by([row[0] for row in tx.all(CLAIMED)])
        if tells is Told.OTHERS:
            tx.run(ACQUIT)
        expired = tx.run(EXPIRE, (int(tells is Told.SUSPECT), now))
        tx.run(FORGET_EXPIRED, (now,))
        return expired

    def forget_delivered(self, tx: Tx, before: float) -> int:
        """Drop the uuids that `enqueue(once=True)` has kept since before that moment."""
        return tx.run(FORGET_DELIVERED, (before,))

    def next_due(self, reader: Reader, subscription: str) -> float | None:
        row = reader.one(NEXT_DUE, (subscription,))
        return None if row is None else float(row[0])

    def waiting(self, reader: Reader, subscription: str) -> dict[str, int]:
        counts: dict[str, int] = {row[0]: row[1] for row in reader.all(WAITING, (subscription,))}
        row = reader.one(IN_FLIGHT, (subscription,))
        if row is not None and row[0]:
            counts |= {"due": counts["due"] - row[0], "in_flight": row[0]}
        return {state: count for state, count in counts.items() if count}

    def oldest(self, reader: Reader, subscription: str, after: int = 0) -> tuple[int, int] | None:
        row = reader.one(OLDEST, (after, subscription))
        return None if row is None else (row[0], row[1])


def _json(values: list[Any]) -> str:
    return msgspec.json.encode(values).decode()
