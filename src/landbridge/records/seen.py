"""`FOR VIEW` and `FOR REFERENCE`: noting on records that somebody looked at them, which changes nothing and is not captured."""

from __future__ import annotations

from collections.abc import Sequence

from landbridge.schema.catalog import Entity
from landbridge.storage import Tx
from landbridge.storage.dialect import quote

_COLUMNS = {"VIEW": ("LastViewedDate", "LastReferencedDate"), "REFERENCE": ("LastReferencedDate",)}


def view(tx: Tx, entity: Entity, ways: Sequence[str], ids: Sequence[str]) -> None:
    """Set the dates that VIEW or REFERENCE stand for, on the records with these Ids, to the unit's moment."""
    names = {name for way in ways for name in _COLUMNS[way] if entity.field(name) is not None}
    if not names:
        return
    assignments = ", ".join(f"{quote(name)} = ?1" for name in sorted(names))
    for record_id in ids:
        tx.run(f'UPDATE {quote(entity.name)} SET {assignments} WHERE "Id" = ?2', (tx.stamp, record_id))
