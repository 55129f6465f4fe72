"""
Dead letters: reviewed, edited, sent again, discarded; every step by whom and when.

A replay puts the delivery back into its lane at its old place: before everything of its key that has not begun. It does not
ask whether the event was had before (that is its purpose), and it does so once: a dead letter that is under way again can't
be sent a second time. What committed in an earlier attempt stays committed and is not repeated; an edited payload is a new
event to the target (its uuid gets `~1`, `~2`, ...), a payload as it was keeps its idempotency key.

All functions take `tx`: what they do is one unit, and in the order of the deliveries they are about.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from landbridge.delivery.objects import NAME
from landbridge.delivery.queue import PROMOTE, UNCLAIMED
from landbridge.errors import LandbridgeError
from landbridge.storage import Reader, Tx

TABLES = (
    """CREATE TABLE lb_dead_letter_audit (
        id INTEGER PRIMARY KEY, letter TEXT NOT NULL, at TEXT NOT NULL, user_id TEXT, action TEXT NOT NULL, detail TEXT)""",
    "CREATE INDEX lb_dead_letter_audit_letter ON lb_dead_letter_audit (letter)",
    """CREATE TABLE lb_last_good (
        subscription TEXT PRIMARY KEY NOT NULL, uuid TEXT NOT NULL, key TEXT NOT NULL, at TEXT NOT NULL, body BLOB NOT NULL
    ) WITHOUT ROWID""",
)

_COLUMNS = (
    '"Id", "Subscription__c", "Key__c", "Event_Uuid__c", "Replay_Id__c", "Delivery__c", "Status__c", "Holds_Key__c", '
    '"Attempts__c", "Correlation_Id__c", "Payload__c", "Edited_Payload__c", "Replays__c"'
)
GET = f"""SELECT {_COLUMNS} FROM "{NAME}" WHERE "Id" = ?"""
SET_EDITED = f"""UPDATE "{NAME}" SET "Edited_Payload__c" = ?, "SystemModstamp" = ? WHERE "Id" = ?"""
SET_STATUS = f"""
    UPDATE "{NAME}" SET "Status__c" = ?, "Replays__c" = "Replays__c" + ?, "Reason__c" = ?, "SystemModstamp" = ? WHERE "Id" = ?
"""
AUDIT = "INSERT INTO lb_dead_letter_audit (letter, at, user_id, action, detail) VALUES (?, ?, ?, ?, ?)"
AUDITED = "SELECT at, user_id, action, detail FROM lb_dead_letter_audit WHERE letter = ? ORDER BY id"
LAST_GOOD = "SELECT uuid, key, at, body FROM lb_last_good WHERE subscription = ?"
KEEP_GOOD = """
    INSERT INTO lb_last_good (subscription, uuid, key, at, body) VALUES (?1, ?2, ?3, ?4, ?5)
    ON CONFLICT (subscription) DO UPDATE SET uuid = ?2, key = ?3, at = ?4, body = ?5
"""
REVIVE = """
    UPDATE lb_delivery SET state = 'due', due_at = ?1, first_at = ?1, failures = 0, interrupted = 0, alone = 0,
        replays = replays + 1, body = ?2 WHERE id = ?3 AND state = 'held'
"""  # a held one goes on where it stands
HEAD = f"SELECT id, {UNCLAIMED} FROM lb_delivery WHERE subscription = ? AND key = ? AND is_head = 1"
DEMOTE = "UPDATE lb_delivery SET is_head = 0 WHERE id = ?"
RETURN = """
    INSERT INTO lb_delivery (id, subscription, key, state, is_head, due_at, attempt, replays, first_at, uuid, replay_id,
        correlation, body) VALUES (?1, ?2, ?3, 'due', ?4, ?5, ?6, ?7, ?5, ?8, ?9, ?10, ?11)
"""  # a skipped one goes back to its old place: ids rise in order and are never reused
REMOVE_HELD = "DELETE FROM lb_delivery WHERE id = ? AND state = 'held'"
FORGET_EFFECTS = "DELETE FROM lb_effect WHERE subscription = ? AND uuid = ?"


class DeadLetterError(LandbridgeError):
    """A dead letter that is not there, or not in a state for what was asked; the text says which and why."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter as it stands. `payload` and `edited` are JSON texts."""

    id: str
    subscription: str
    key: str
    uuid: str
    replay_id: int
    delivery: int
    status: str
    holds: bool
    attempts: int
    correlation: str
    payload: str
    edited: str | None
    replays: int

    @property
    def body(self) -> bytes:
        """What a replay sends."""
        return (self.payload if self.edited is None else self.edited).encode()


def get(reader: Reader, letter_id: str) -> Letter:
    """A dead letter. Raises DeadLetterError for none of that id."""
    row = reader.one(GET, (letter_id,))
    if row is None:
        raise DeadLetterError(f"there is no dead letter {letter_id}. `landbridge dlq list` shows them.")
    return Letter(
        row[0], row[1], row[2] or "", row[3], int(row[4]), int(row[5]), row[6], bool(row[7]), row[8], row[9], *row[10:]
    )


def _open(reader: Reader, letter_id: str) -> Letter:
    letter = get(reader, letter_id)
    if letter.status != "Open":
        what = {"Replaying": "is under way again", "Resolved": "is resolved", "Discarded": "was discarded"}[
            letter.status
        ]
        raise DeadLetterError(f"dead letter {letter_id} {what}: nothing was done")
    return letter


def edit(tx: Tx, letter_id: str, payload: str, user_id: str | None) -> Letter:
    """
    Keep a mended payload beside the original; the next replay sends it.

    Raises DeadLetterError for what is no JSON object, or a letter that is not open.
    """
    letter = _open(tx, letter_id)
    try:
        found: Any = msgspec.json.decode(payload)
    except msgspec.DecodeError as error:
        raise DeadLetterError(f"the edited payload is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise DeadLetterError("the edited payload is no JSON object")
    if "uuid" in found:
        found["uuid"] = f"{letter.uuid}~{letter.replays + 1}"
    text = msgspec.json.encode(found).decode()
    tx.run(SET_EDITED, (text, tx.stamp, letter_id))
    audit(tx, letter_id, "edit", user_id, letter.edited or "")
    return get(tx, letter_id)


def replay(tx: Tx, letter_ids: Sequence[str], user_id: str | None) -> list[Letter]:
    """
    Send dead letters again, all of them or none, each key's in the order of its deliveries.

    Raises DeadLetterError for one that is not open.
    """
    letters = sorted({one: _open(tx, one) for one in letter_ids}.values(), key=lambda letter: letter.delivery)
    for letter in letters:
        now = tx.now.timestamp()
        if not tx.run(REVIVE, (now, letter.body, letter.delivery)):
            _put_back(tx, letter, now)
        tx.run(SET_STATUS, ("Replaying", 1, None, tx.stamp, letter.id))
        audit(tx, letter.id, "replay", user_id, "edited" if letter.edited is not None else None)
    return letters


def _put_back(tx: Tx, letter: Letter, now: float) -> None:
    head = tx.one(HEAD, (letter.subscription, letter.key))
    first = head is None
    if head is not None and head[1] and head[0] > letter.delivery:
        tx.run(DEMOTE, (head[0],))
        first = True
    tx.run(RETURN, (
        letter.delivery, letter.subscription, letter.key, int(first), now, letter.attempts, letter.replays + 1, letter.uuid,
        letter.replay_id, letter.correlation, letter.body,
    ))  # fmt: skip


def discard(tx: Tx, letter_ids: Sequence[str], reason: str, user_id: str | None) -> list[Letter]:
    """Give dead letters up for good, with a reason; keys they held go on. Raises DeadLetterError."""
    if not reason.strip():
        raise DeadLetterError("a discard needs a reason: whoever finds a gap later will ask for it")
    letters = [_open(tx, one) for one in dict.fromkeys(letter_ids)]
    for letter in letters:
        if tx.run(REMOVE_HELD, (letter.delivery,)):
            tx.run(PROMOTE, (letter.subscription, letter.key))
        tx.run(FORGET_EFFECTS, (letter.subscription, letter.uuid))
        tx.run(SET_STATUS, ("Discarded", 0, reason[:255], tx.stamp, letter.id))
        audit(tx, letter.id, "discard", user_id, reason)
    return letters


def audit(tx: Tx, letter_id: str, action: str, user_id: str | None, detail: str | None) -> None:
    """Keep who did what to a dead letter."""
    tx.run(AUDIT, (letter_id, tx.stamp, user_id, action, detail))


def history(reader: Reader, letter_id: str) -> list[dict[str, Any]]:
    """What was done to a dead letter, oldest first."""
    return [
        dict(zip(("at", "user_id", "action", "detail"), row, strict=True)) for row in reader.all(AUDITED, (letter_id,))
    ]


def last_good(reader: Reader, subscription: str) -> dict[str, Any] | None:
    """The payload that this subscription delivered last, to compare a dead one with; None before the first."""
    row = reader.one(LAST_GOOD, (subscription,))
    return (
        None if row is None else {"uuid": row[0], "key": row[1], "at": row[2], "payload": msgspec.json.decode(row[3])}
    )
