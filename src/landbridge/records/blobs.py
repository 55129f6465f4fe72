"""
Blobs: the bytes behind base64 fields, kept in the same database, by sha256, in parts.

A record's column holds the hash. Equal bytes are kept once; `lb_blob_use` says which fields of which records hold them, so that
the last one to let go takes them along. A write is part of the record's own unit: a blob without its record, or the reverse,
is never seen. Reading part by part keeps memory bounded.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from hashlib import md5, sha256

from landbridge.ids import RecordId
from landbridge.storage import Reader, Tx

PART = 256 * 1024
"""Bytes of a part: what one read of a download holds."""

TABLES = (
    "CREATE TABLE lb_blob (hash TEXT PRIMARY KEY NOT NULL, size INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE lb_blob_part (hash TEXT NOT NULL, part INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY (hash, part))",
    "CREATE TABLE lb_blob_use (record_id TEXT NOT NULL, field TEXT NOT NULL, hash TEXT NOT NULL, "
    "PRIMARY KEY (record_id, field)) WITHOUT ROWID",
    "CREATE INDEX lb_blob_use_hash ON lb_blob_use (hash)",
)

SIZE = "SELECT size FROM lb_blob WHERE hash = ?"
PUT = "INSERT INTO lb_blob (hash, size) VALUES (?, ?)"
USED = "SELECT hash FROM lb_blob_use WHERE record_id = ? AND field = ?"
USED_BY = "SELECT DISTINCT hash FROM lb_blob_use WHERE record_id = ?"
USE = """
    INSERT INTO lb_blob_use (record_id, field, hash) VALUES (?, ?, ?)
    ON CONFLICT (record_id, field) DO UPDATE SET hash = excluded.hash
"""
UNUSE = "DELETE FROM lb_blob_use WHERE record_id = ? AND field = ?"
UNUSE_ALL = "DELETE FROM lb_blob_use WHERE record_id = ?"
STILL = "SELECT 1 FROM lb_blob_use WHERE hash = ? LIMIT 1"
TAKE = "DELETE FROM lb_blob WHERE hash = ?"
TAKE_PARTS = "DELETE FROM lb_blob_part WHERE hash = ?"
READ = "SELECT data FROM lb_blob_part WHERE hash = ? AND part = ?"
STORED = "SELECT coalesce(sum(size), 0) FROM lb_blob"


@dataclass(frozen=True)
class Blob:
    """Bytes on their way into the database."""

    data: bytes

    @cached_property
    def hash(self) -> str:
        """What the column holds."""
        return sha256(self.data).hexdigest()

    @property
    def size(self) -> int:
        return len(self.data)

    @property
    def checksum(self) -> str:
        """The MD5 that `ContentVersion.Checksum` shows."""
        return md5(self.data, usedforsecurity=False).hexdigest()


def keep(tx: Tx, record_id: RecordId, field: str, blob: Blob) -> None:
    """Make `blob` the value of a record's field; what was there before goes when nothing else holds it."""
    before = tx.one(USED, (record_id, field))
    if before is not None and before[0] == blob.hash:
        return
    if tx.one(SIZE, (blob.hash,)) is None:
        tx.run(PUT, (blob.hash, blob.size))
        parts = [(blob.hash, at // PART, blob.data[at : at + PART]) for at in range(0, blob.size, PART)]
        if parts:
            tx.insert("lb_blob_part", ("hash", "part", "data"), parts)
    tx.run(USE, (record_id, field, blob.hash))
    if before is not None:
        _sweep(tx, before[0])


def drop(tx: Tx, record_id: RecordId, field: str) -> None:
    """The record's field holds no blob any more."""
    before = tx.one(USED, (record_id, field))
    if before is not None:
        tx.run(UNUSE, (record_id, field))
        _sweep(tx, before[0])


def release(tx: Tx, record_id: RecordId) -> None:
    """The record is gone for good: let go of all its blobs."""
    held = tx.all(USED_BY, (record_id,))
    if held:
        tx.run(UNUSE_ALL, (record_id,))
        for row in held:
            _sweep(tx, row[0])


def _sweep(tx: Tx, hashed: str) -> None:
    if tx.one(STILL, (hashed,)) is None:
        tx.run(TAKE_PARTS, (hashed,))
        tx.run(TAKE, (hashed,))


def size(reader: Reader, hashed: str) -> int | None:
    """How many bytes; None for a blob that is not there (any more)."""
    row = reader.one(SIZE, (hashed,))
    return None if row is None else int(row[0])


def part(reader: Reader, hashed: str, number: int) -> bytes | None:
    """One part, counted from 0; None behind the last one."""
    row = reader.one(READ, (hashed, number))
    return None if row is None else bytes(row[0])


def whole(reader: Reader, hashed: str) -> bytes | None:
    """All of a blob, for those known to be small; None for one that is not there."""
    count = size(reader, hashed)
    if count is None:
        return None
    return b"".join(part(reader, hashed, number) or b"" for number in range(-(-count // PART)))


def stored(reader: Reader) -> int:
    """Bytes of all blobs, each counted once."""
    row = reader.one(STORED)
    return 0 if row is None else int(row[0])
