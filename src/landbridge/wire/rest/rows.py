"""
One record over REST: the reply that shows it, the reply to a save, and the conditions a request may set on it.

Source: `rest.md` sections 3 and 4. Accounts alone carry an ETag (recorded); every object with LastModifiedDate has Last-Modified.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from typing import Any

from landbridge import ids, soql
from landbridge.errors import BadRequest, InvalidField, NotFound, PreconditionFailed
from landbridge.schema.catalog import Entity
from landbridge.values import http_date, parse_http_date
from landbridge.wire.http.message import Call, Reply

_TAGGED = frozenset({"Account"})
_TAGS = re.compile(r'(?:W/)?"([^"]*)"')


def entity_of(call: Call) -> Entity:
    """The sObject of the path. Raises NotFound; events and metadata types are there, but have no rows over REST."""
    entity = call.server.catalog.get(call.params["sobject"])
    if entity is None:
        raise NotFound
    return entity


def row(call: Call, entity: Entity, record_id: str) -> Reply:
    """`?fields=A,B` of a record, or all of it; 304 and 412 where the request's conditions say so. Raises NotFound."""
    wanted = call.request.query().get("fields") if b"?" in call.request.target else None
    fields = None if wanted is None else names(wanted)
    found = _read(call, entity, record_id, fields)
    if found is None:
        raise NotFound
    headers = []
    tag = None
    if entity.name in _TAGGED:
        tag = _tag(found)
        headers.append((b"ETag", b'"%b"' % tag.encode()))
    if found.modified is not None:
        headers.append((b"Last-Modified", http_date(found.modified).encode()))
    if has_conditions(call):
        _demand(call, tag, found.modified)
        if _has_it(call, tag, found.modified):
            return Reply(304, None, headers=headers)
    return Reply(200, found.json, headers=headers)


def _read(call: Call, entity: Entity, record_id: str, fields: tuple[str, ...] | None) -> soql.Row | None:
    server = call.server
    return soql.row(call.reader, server.front, server.catalog, call.access, entity, record_id, fields, call.version)


@lru_cache(maxsize=256)
def names(wanted: str) -> tuple[str, ...] | None:
    """The field names of `?fields=`; None for an empty one."""
    return tuple(name.strip() for name in wanted.split(",") if name.strip()) or None


# --- conditions ----------------------------------------------------------------------------------------------------

_CONDITIONS = frozenset({b"if-match", b"if-none-match", b"if-modified-since", b"if-unmodified-since"})


def _tag(found: soql.Row) -> str:
    """32 bytes in base64, as recorded; ours are the digest of what is shown."""
    return b64encode(sha256(found.json).digest()).decode()


def has_conditions(call: Call) -> bool:
    """Whether the request sets conditions on the record it names."""
    return not _CONDITIONS.isdisjoint(call.request.headers)


def check_conditions(call: Call, entity: Entity, record_id: str) -> None:
    """
    If-Match and If-Unmodified-Since of an update. Raises PreconditionFailed; BadRequest for a header that can't be read.

    A record that is not there meets no condition: the update itself says so.
    """
    if not has_conditions(call):
        return
    known = ids.normalize(record_id)
    found = None if known is None else _read(call, entity, known, None)
    if found is None:
        return
    tag = _tag(found) if entity.name in _TAGGED else None
    _demand(call, tag, found.modified, strict=True)
    none = call.request.header(b"if-none-match")
    if none is not None and tag is not None and _names_tag(none, tag, strict=True):
        raise PreconditionFailed
    if _since(call, b"if-modified-since", found.modified, strict=True) is False:
        raise PreconditionFailed


def _demand(call: Call, tag: str | None, modified: str | None, *, strict: bool = False) -> None:
    match = call.request.header(b"if-match")
    if match is not None and tag is not None and not _names_tag(match, tag, strict=strict):
        raise PreconditionFailed
    if match is None and _since(call, b"if-unmodified-since", modified, strict=strict) is True:
        raise PreconditionFailed


def _has_it(call: Call, tag: str | None, modified: str | None) -> bool:
    """Whether the client's copy is still good; the tag decides where it sends one (RFC 9110 section 13.2.2)."""
    none = call.request.header(b"if-none-match")
    if none is not None and tag is not None:
        return _names_tag(none, tag, strict=False)
    return _since(call, b"if-modified-since", modified, strict=False) is False


def _names_tag(header: str, tag: str, *, strict: bool) -> bool:
    if header.strip() == "*":
        return True
    listed = _TAGS.findall(header)
    if strict and not listed:
        raise BadRequest(f"Not a list of entity tags: {header[:100]}")
    return any(one.removesuffix("--gzip") == tag for one in listed)


def _since(call: Call, name: bytes, modified: str | None, *, strict: bool) -> bool | None:
    """Whether the record changed after the header's date; None without one, or one that is no date (unless `strict`)."""
    text = call.request.header(name)
    if text is None or modified is None:
        return None
    moment = parse_http_date(text)
    if moment is None:
        if strict:
            raise BadRequest(f"Not an HTTP date: {text[:100]}")
        return None
    return modified[:19] > moment[:19]


# --- saves -----------------------------------------------------------------------------------------------------------


def saved(call: Call, entity: Entity, record_id: str, status: int, created: bool | None = None) -> Reply:
    """
    The reply to a save. Key order as recorded; "created" came with later versions and stands last.

    Of a published platform event: success with an OPERATION_ENQUEUED entry, an id that no record has (events.md section 4).
    """
    uuid = getattr(record_id, "uuid", None)
    errors = b"" if uuid is None else b'{"statusCode":"OPERATION_ENQUEUED","message":"%b","fields":[]}' % uuid.encode()
    tail = b"" if created is None else b',"created":true' if created else b',"created":false'
    body = b'{"id":"%b","success":true,"errors":[%b]%b}' % (record_id.encode(), errors, tail)
    location = f"{call.data_path}/sobjects/{entity.name}/{record_id}".encode()
    return Reply(status, body, headers=[(b"Location", location)])


def refuse_id(given: Mapping[str, Any]) -> None:
    """An update says its Id in the path alone. Raises InvalidField."""
    if any(key.lower() == "id" for key in given):
        raise InvalidField("The Id field should not be specified in the sobject data.")
