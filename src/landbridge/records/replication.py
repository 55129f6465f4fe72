"""
What changed in a span of time: getUpdated and getDeleted, for clients that keep a copy. Reads only.

Source: `rest.md` section 3 and the API guide's pages of both calls: seconds of the span are cut off, the span starts at
most 30 days ago and is longer than a minute. What the platform says of a span it refuses is guessed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from landbridge.errors import InvalidReplicationDate
from landbridge.schema.catalog import Entity
from landbridge.storage import Reader
from landbridge.storage.dialect import quote
from landbridge.values import instant, parse_datetime

LONGEST = timedelta(days=30)
MOST = 600_000
"""Ids of one answer, as the guide says."""

DELETED = """
    SELECT record_id, deleted_at FROM lb_bin
    WHERE sobject = ? AND deleted_at >= ? AND deleted_at < ? ORDER BY deleted_at, record_id LIMIT ?
"""
EARLIEST = "SELECT min(deleted_at) FROM lb_bin WHERE sobject = ?"


@dataclass(frozen=True, slots=True)
class Span:
    """From `start` to before `end`, and up to when that is `covered`: the end, or now where that is earlier. Wire form."""

    start: str
    end: str
    covered: str


def span(start: str | None, end: str | None, now: str) -> Span:
    """The span of two texts as a client sends them; `now` in wire form. Raises InvalidReplicationDate."""
    first, last = _minute("start", start), _minute("end", end)
    if last <= first:
        raise InvalidReplicationDate("The end date must be later than the start date by more than one minute")
    if instant(now) - instant(first) > LONGEST:
        raise InvalidReplicationDate("The start date must not be more than 30 days ago")
    return Span(first, last, min(last, now[:17] + "00.000+0000"))


def _minute(name: str, text: str | None) -> str:
    if text is None:
        raise InvalidReplicationDate(f"The parameter {name} is missing: an ISO 8601 date and time")
    try:
        # A plus sign that was not encoded arrives as a blank.
        parsed = parse_datetime(text.strip().replace(" ", "+"))
    except (ValueError, OverflowError):
        raise InvalidReplicationDate(f"The parameter {name} is no ISO 8601 date and time: {text[:100]}") from None
    return parsed[:17] + "00.000+0000"


def updated(reader: Reader, entity: Entity, asked: Span) -> list[str]:
    """The Ids of live records created or changed in the span, oldest change first."""
    live = ' AND "IsDeleted" = 0' if entity.field("IsDeleted") is not None else ""
    column = quote("SystemModstamp" if entity.field("SystemModstamp") is not None else "LastModifiedDate")
    rows = reader.all(
        f'SELECT "Id" FROM {quote(entity.name)} WHERE {column} >= ? AND {column} < ?{live} ORDER BY {column}, "Id" LIMIT ?',
        (asked.start, asked.end, MOST),
    )
    return [row[0] for row in rows]


def deleted(reader: Reader, entity: Entity, asked: Span) -> list[tuple[str, str]]:
    """(Id, moment in wire form) of the records that went to the recycle bin in the span and are still there."""
    return [(row[0], row[1]) for row in reader.all(DELETED, (entity.name, asked.start, asked.end, MOST))]


def earliest(reader: Reader, entity: Entity, otherwise: str) -> str:
    """The first deletion that is still known; `otherwise` where there is none."""
    row = reader.one(EARLIEST, (entity.name,))
    return otherwise if row is None or row[0] is None else str(row[0])


def is_replicated(entity: Entity) -> bool:
    """Whether the calls work for this object: it has rows that say when they changed."""
    return entity.sobject.has_table and (
        entity.field("SystemModstamp") is not None or entity.field("LastModifiedDate") is not None
    )
