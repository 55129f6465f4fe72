"""The header of a change event as its row keeps it: what the row's other columns do not say."""

from __future__ import annotations

from typing import Any

import msgspec

from landbridge.events.model import ChangeHeader, captured_object

_ENCODE = msgspec.json.Encoder().encode
_KEPT = msgspec.json.Decoder(tuple[str, str, int, int, int, tuple[str, ...], tuple[str, ...], tuple[str, ...]])
_WHOLE = msgspec.json.Decoder(ChangeHeader)
"""Of rows before migration 12, which kept all of a header, as an object."""


Header = tuple[ChangeHeader, bytes]
"""A header, and as its row keeps it."""


def new(
    sobject: str, record_id: str, kind: str, origin: str, transaction_key: str, sequence: int, timestamp: int, number: int,
    user: str, nulled: tuple[str, ...] = (), changed: tuple[str, ...] = (),
) -> Header:  # fmt: skip
    """Both at once: to read the parts off a header again costs as much as to write them down."""
    diffs: tuple[str, ...] = ()
    parts: tuple[Any, ...] = (kind, origin, sequence, timestamp, number, nulled, diffs, changed)
    header = ChangeHeader(
        sobject, (record_id,), kind, origin, transaction_key, sequence, timestamp, number, user, nulled, diffs, changed
    )
    return header, _ENCODE(parts)


def read(row: bytes, entity: str, key: str, transaction_key: str, user: str) -> ChangeHeader:
    """The header again, with what the columns say: the event's entity and key, its transaction, who created it."""
    if row[:1] == b"{":
        return _WHOLE.decode(row)
    kind, origin, sequence, timestamp, number, nulled, diffs, changed = _KEPT.decode(row)
    return ChangeHeader(
        captured_object(entity) or entity, (key,), kind, origin, transaction_key, sequence, timestamp, number, user, nulled,
        diffs, changed,
    )  # fmt: skip
