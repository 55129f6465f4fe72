"""
The queue of deliveries: a Protocol, and its tables in the org's own database.

Because it is the same database, an enqueue commits with the watermark that it moves, and a settle with what the handler
wrote. Every method takes `tx`: whoever reads the call sees what commits together.

A *lane* is one key of one subscription. `lb_delivery` holds the open deliveries of every lane, oldest first by `id` (never
reused, so that a replayed delivery goes back to its old place). The lane's first one is its *head* (`is_head`): only heads
are claimed, so a key is worked on by one attempt at a time and in order, while other keys go on beside it.

    due         waits for `due_at`, as head or behind one
    in_flight   claimed: an attempt runs, until `lease_until`
    held        given up on with its key held: a head nobody claims; a replay makes it due again, a discard removes it

Claiming is one look-up in the index of heads, whatever waits behind them: a million waiting deliveries cost the disk alone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any, Protocol

import msgspec

from landbridge.delivery.model import Delivery, Draft, Failure, LeaseLost, Parked, Settled
from landbridge.delivery.objects import NAME
from landbridge.delivery.policy import Done, RetryAt
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

OPEN_KEYS = """
    SELECT DISTINCT key FROM lb_delivery
    WHERE subscription = ? AND key IN (SELECT value FROM json_each(?))
"""  # which of these lanes are not empty
CLAIM = """
    UPDATE lb_delivery SET state = 'in_flight', lease_until = :until, attempt = attempt + 1
    WHERE id IN (SELECT id FROM lb_delivery
                 WHERE subscription = :subscription AND state = 'due' AND is_head = 1 AND due_at <= :now
                 ORDER BY due_at LIMIT :n)
    RETURNING id, subscription, key, uuid, replay_id, correlation, attempt, failures, interrupted, replays, first_at, body
"""  # the lanes whose turn it is, longest due first
NEXT_DUE = """
    SELECT due_at FROM lb_delivery WHERE subscription = ? AND state = 'due' AND is_head = 1 ORDER BY due_at LIMIT 1
"""  # when the next claim finds something
NEWEST = f"""
    SELECT max(coalesce((SELECT max(id) FROM lb_delivery), 0), coalesce((SELECT max("Delivery__c") FROM "{NAME}"), 0))
"""  # ids go on after it: a dead letter goes back to its own
REMOVE_MANY = """
    DELETE FROM lb_delivery WHERE id IN (SELECT value FROM json_each(?)) AND attempt = 1 AND state = 'in_flight'
    RETURNING id
"""  # the plain case: delivered at the first attempt
PROMOTE_MANY = """
    UPDATE lb_delivery SET is_head = 1
    WHERE id IN (SELECT (SELECT id FROM lb_delivery WHERE subscription = ?1 AND key = lanes.value ORDER BY id LIMIT 1)
                 FROM json_each(?2) AS lanes)
"""
REMOVE = "DELETE FROM lb_delivery WHERE id = ? AND attempt = ? AND state = 'in_flight'"
PROMOTE = """
    UPDATE lb_delivery SET is_head = 1
    WHERE id = (SELECT id FROM lb_delivery WHERE subscription = ? AND key = ? ORDER BY id LIMIT 1)
"""  # the oldest open one of a lane becomes its head
RETRY = """
    UPDATE lb_delivery SET state = 'due', due_at = ?, lease_until = NULL, failures = failures + ?
    WHERE id = ? AND attempt = ? AND state = 'in_flight'
"""
HOLD = "UPDATE lb_delivery SET state = 'held', lease_until = NULL WHERE id = ? AND attempt = ? AND state = 'in_flight'"
EXPIRE = """
    UPDATE lb_delivery SET state = 'due', lease_until = NULL, interrupted = interrupted + 1
    WHERE subscription = ? AND state = 'in_flight' AND is_head = 1 AND lease_until <= ?
"""  # attempts whose process is gone
RELEASE = """
    UPDATE lb_delivery SET state = 'due', lease_until = NULL WHERE id = ? AND attempt = ? AND state = 'in_flight'
"""
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
# The + keeps SQLite on the ids: by the index of lanes it would sort all that wait.
OLDEST = "SELECT id, replay_id FROM lb_delivery WHERE id >= ? AND +subscription = ? ORDER BY id LIMIT 1"

_COLUMNS = (
    "id",
    "subscription",
    "key",
    "uuid",
    "replay_id",
    "correlation",
    "state",
    "is_head",
    "due_at",
    "first_at",
    "body",
)


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
        """Take up to `n` due heads for `lease` seconds. Call it last in its unit: what it took must not be taken back."""
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

    def expire(self, tx: Tx, subscriptions: Collection[str], now: float) -> int:
        """Make attempts whose lease is over due again (their process died). Returns how many."""
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
        keys = {draft.key for draft in drafts}
        found = tx.all(OPEN_KEYS, (drafts[0].subscription, msgspec.json.encode(list(keys)).decode()))
        taken = {row[0] for row in found}
        first = self._first_id(tx, len(drafts))
        rows = []
        for number, (subscription, key, uuid, replay_id, correlation, body) in enumerate(drafts, start=first):
            head = 0 if key in taken else 1
            taken.add(key)
            rows.append((number, subscription, key, uuid, replay_id, correlation, "due", head, now, now, body))
        tx.insert("lb_delivery", _COLUMNS, rows)
        return len(rows)

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
        rows = tx.all(CLAIM, {"until": now + lease, "subscription": subscription, "now": now, "n": n})
        rows.sort()
        return [Delivery._make(row) for row in rows]

    def settle(self, tx: Tx, settled: Settled) -> None:
        delivery, decision = settled.delivery, settled.decision
        if isinstance(decision, Done):
            if not tx.run(REMOVE, (delivery.id, delivery.attempt)):
                raise LeaseLost
            tx.run(PROMOTE, (delivery.subscription, delivery.key))
            if delivery.attempt > 1:
                self._forget(tx, delivery)
        elif isinstance(decision, RetryAt):
            counted = int(decision.counted)
            if not tx.run(RETRY, (decision.at.timestamp(), counted, delivery.id, delivery.attempt)):
                raise LeaseLost
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
            removed = tx.all(REMOVE_MANY, (msgspec.json.encode(list(ones)).decode(),))
            keys = [ones.pop(row[0]).delivery.key for row in removed]
            tx.run(PROMOTE_MANY, (subscription, msgspec.json.encode(keys).decode()))
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
        if not tx.run(HOLD if parked.hold else REMOVE, (delivery.id, delivery.attempt)):
            raise LeaseLost
        if not parked.hold:
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
            tx.run(RELEASE, (delivery.id, delivery.attempt))

    def expire(self, tx: Tx, subscriptions: Collection[str], now: float) -> int:
        return sum(tx.run(EXPIRE, (subscription, now)) for subscription in subscriptions)

    def forget_delivered(self, tx: Tx, before: float) -> int:
        """Drop the uuids that `enqueue(once=True)` has kept since before that moment."""
        return tx.run(FORGET_DELIVERED, (before,))

    def next_due(self, reader: Reader, subscription: str) -> float | None:
        row = reader.one(NEXT_DUE, (subscription,))
        return None if row is None else float(row[0])

    def waiting(self, reader: Reader, subscription: str) -> dict[str, int]:
        return {row[0]: row[1] for row in reader.all(WAITING, (subscription,))}

    def oldest(self, reader: Reader, subscription: str, after: int = 0) -> tuple[int, int] | None:
        row = reader.one(OLDEST, (after, subscription))
        return None if row is None else (row[0], row[1])
