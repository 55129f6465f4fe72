"""
Blob fields over REST: bytes out, and records with bytes in, as base64 in JSON or as parts of a form.

Source: `rest.md` section 3; REST guide, "Insert or Update Blob Data". A form has one JSON part, whatever its name, and one part
for each blob field, named exactly as the field. The Content-Type of a download is guessed: the record's own where it says one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from typing import Any

from landbridge import records
from landbridge.access import Access
from landbridge.errors import InvalidMultipart, NotFound
from landbridge.schema.catalog import Entity
from landbridge.schema.model import Field
from landbridge.server import Server
from landbridge.storage import Reader
from landbridge.storage.dialect import quote
from landbridge.wire.http import multipart
from landbridge.wire.http.body import decode_object, object_of
from landbridge.wire.http.message import Call, Reply

AT_ONCE = 2 * records.blobs.PART
"""Larger blobs go out part by part."""
_ANY = "application/octetstream"
"""As Salesforce spells it."""


def blob_field(entity: Entity, access: Access, name: str) -> Field | None:
    """The blob field of that name; None for any other field or none."""
    field = entity.field(name)
    if field is None or field.type != "base64" or not access.readable(entity.name, field.name):
        return None
    return field


def download(call: Call, entity: Entity, field: Field, record_id: str) -> Reply:
    """The bytes of a record's blob field. Raises NotFound for a record that is gone and a field without a value."""
    kind = quote("ContentType") if entity.field("ContentType") is not None else "NULL"
    live = ' AND "IsDeleted" = 0' if entity.field("IsDeleted") is not None else ""
    row = call.reader.one(
        f'SELECT {quote(field.name)}, {kind} FROM {quote(entity.name)} WHERE "Id" = ?{live}', (record_id,)
    )
    size = None if row is None or row[0] is None else records.blobs.size(call.reader, row[0])
    if row is None or size is None:
        raise NotFound
    content_type = str(row[1] or _ANY).encode("latin-1", "replace").replace(b"\r", b"").replace(b"\n", b"")
    if size <= AT_ONCE:
        return Reply(200, records.blobs.whole(call.reader, row[0]) or b"", content_type)
    return Reply(200, _parts(call.server, row[0], size), content_type)


async def _parts(server: Server, hashed: str, size: int) -> AsyncIterator[bytes]:
    """
    The parts of a large blob, one in memory at a time.

    Raises when it is deleted for good meanwhile: the reply breaks off, so that nobody takes a piece for the whole.
    """
    for number in range(-(-size // records.blobs.PART)):
        part = await server.db.read(partial(_part, hashed, number))
        if part is None:
            raise LookupError("a blob was deleted while it was sent")
        yield part


def _part(hashed: str, number: int, reader: Reader) -> bytes | None:
    return records.blobs.part(reader, hashed, number)


def decode_record(call: Call, entity: Entity) -> dict[str, Any]:
    """The record in a request's body: a JSON object, or a form whose files are the values of blob fields."""
    content_type = call.request.header(b"content-type")
    if content_type is None or not multipart.is_multipart(content_type):
        return decode_object(call.request)
    given: dict[str, Any] | None = None
    files: dict[str, bytes] = {}
    for part in multipart.parse(content_type, call.request.body):
        field = blob_field(entity, call.access, part.name)
        if field is not None and (part.filename is not None or part.content_type != "application/json"):
            if field.name in files:
                raise InvalidMultipart(f"Two parts are named {field.name}")
            files[field.name] = bytes(part.data)
        elif part.filename is not None and part.content_type != "application/json":
            raise InvalidMultipart(f"{part.name[:80]} is no blob field of {entity.name}")
        elif given is not None:
            raise InvalidMultipart("A form has one JSON part with the fields of the record")
        else:
            given = object_of(bytes(part.data))
    if given is None:
        raise InvalidMultipart("A form needs a JSON part with the fields of the record")
    twice = {name.lower() for name in files} & {name.lower() for name in given}
    if twice:
        raise InvalidMultipart(f"Given twice, in JSON and as a part: {', '.join(sorted(twice))}")
    return {**given, **files}
