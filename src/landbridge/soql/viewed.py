"""The records a user looked at last, over all objects: what `/recent` and recentItems show."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from landbridge.access import Access
from landbridge.schema.catalog import Catalog, Entity
from landbridge.storage import Reader
from landbridge.storage.dialect import quote


def viewed(
    reader: Reader, entities: Catalog | Iterable[Entity], access: Access, version: float, *, limit: int
) -> bytes:
    """
    A JSON array of attributes, Id and Name, the record viewed last first; at most `limit`.

    LastViewedDate is the record's, not the user's: what another user viewed is shown too.
    """
    found: list[tuple[str, str, str | None, Entity]] = []
    for entity in entities:
        if not entity.sobject.has_table or not entity.sobject.flags.get("mruEnabled", entity.sobject.custom):
            continue
        found += [(*row, entity) for row in _of(reader, entity, access, limit)]
    found.sort(key=lambda row: row[:2], reverse=True)
    items = [
        {
            "attributes": {
                "type": entity.name,
                "url": f"/services/data/v{version:.1f}/sobjects/{entity.name}/{record_id}",
            },
            "Id": record_id,
            "Name": name,
        }
        for _, record_id, name, entity in found[:limit]
    ]
    return msgspec.json.encode(items)


def _of(reader: Reader, entity: Entity, access: Access, limit: int) -> list[tuple[str, str, str | None]]:
    if entity.field("LastViewedDate") is None:
        return []
    name = entity.name_field
    shown = (
        "NULL" if name is None or not access.readable(entity.name, name.name) or not name.stored else quote(name.name)
    )
    live = ' AND "IsDeleted" = 0' if entity.field("IsDeleted") is not None else ""
    rows = reader.all(
        f'SELECT "LastViewedDate", "Id", {shown} FROM {quote(entity.name)} WHERE "LastViewedDate" IS NOT NULL{live} '
        f'ORDER BY "LastViewedDate" DESC, "Id" DESC LIMIT ?',
        (limit,),
    )
    return [(row[0], row[1], row[2]) for row in rows]
