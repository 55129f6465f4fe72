"""
`/composite/sobjects`: up to 200 records created, updated, upserted, deleted or read in one call.

The outer status is 200 even if every record failed; each result tells what became of its record, in order.

Bytes come in as base64, or as the parts of a form: its first part is the list, and a record's attributes name the part
(`binaryPartName`) and the field (`binaryPartNameAlias`).

Source: composite.md section 4; REST guide, "Insert or Update Blob Data".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from landbridge import ids, soql
from landbridge.errors import InvalidMultipart, JsonParserError, MissingArgument, NotFound, TooManyRecords
from landbridge.records import Lists, SaveResult
from landbridge.records.lists import MOST, Row, check
from landbridge.schema.catalog import Entity
from landbridge.storage import Reader
from landbridge.wire.composite import envelope
from landbridge.wire.http import multipart
from landbridge.wire.http.body import decode_object, object_of
from landbridge.wire.http.message import Beside, Call, Needs, Reply, Route

MOST_READ = 2000
"""Records of one retrieval (REST guide, "Get Multiple Records"); a GET ends earlier, at the longest URI."""


def create(call: Call) -> Reply:
    """`POST /composite/sobjects`: one result per record."""
    rows, all_or_none = _records(call)
    return _results(_lists(call).create(rows, all_or_none=all_or_none))


def update(call: Call) -> Reply:
    """`PATCH /composite/sobjects`: each record has its `id`."""
    rows, all_or_none = _records(call)
    return _results(_lists(call).update(rows, all_or_none=all_or_none))


def upsert(call: Call) -> Reply:
    """`PATCH /composite/sobjects/{S}/{field}`: each result says whether the record was created."""
    entity = _entity(call)
    rows, all_or_none = _records(call)
    return _results(_lists(call).upsert(entity, call.params["field"], rows, all_or_none=all_or_none))


def delete(call: Call) -> Reply:
    """`DELETE /composite/sobjects?ids=a,b&allOrNone=true`: records of any types."""
    query = call.request.query()
    wanted = _listed(query.get("ids", ""))
    if not wanted:
        raise MissingArgument("The ids parameter is required: a comma-separated list of record ids")
    check([None] * len(wanted))
    all_or_none = call.all_or_none or envelope.flag({"allornone": query.get("allOrNone")}, "allOrNone")
    return _results(_lists(call).delete(wanted, all_or_none=all_or_none))


def get(call: Call) -> Beside:
    """`GET /composite/sobjects/{S}?ids=a,b&fields=A,B`: the records in order, null for each that is not there."""
    query = call.request.query()
    return _read(call, _listed(query.get("ids", "")), _listed(query.get("fields", "")))


def get_many(call: Call) -> Beside:
    """`POST /composite/sobjects/{S}`: the same, with `{"ids": [...], "fields": [...]}`."""
    given = envelope.members(decode_object(call.request), "the request")
    return _read(call, _strings(given, "ids"), _strings(given, "fields"))


def _read(call: Call, wanted: Sequence[str], fields: Sequence[str]) -> Beside:
    entity = _entity(call)
    if not wanted or not fields:
        raise MissingArgument("ids and fields are required")
    if len(wanted) > MOST_READ:
        raise TooManyRecords(MOST_READ)
    server, catalog, names = call.server, call.server.catalog, tuple(dict.fromkeys(fields))

    def answer(reader: Reader) -> Reply:
        rows = []
        for text in wanted:
            # A row is asked for even where there can be none, so that a wrong field is refused whatever the ids.
            record_id = ids.normalize(text) or ""
            found = soql.row(reader, server.front, catalog, call.access, entity, record_id, names, call.version)
            rows.append(b"null" if found is None else found.json)
        return Reply(200, b"[" + b",".join(rows) + b"]")

    return Beside(answer)


# --- shared --------------------------------------------------------------------------------------------------------


def _entity(call: Call) -> Entity:
    entity = call.server.catalog.get(call.params["sobject"])
    if entity is None:
        raise NotFound
    return entity


def _lists(call: Call) -> Lists:
    server = call.server
    return Lists(server.store, server.bin, call.writer, server.catalog, call.access)


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _strings(given: dict[str, Any], name: str) -> list[str]:
    found = given.get(name)
    if isinstance(found, str):
        return _listed(found)
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise JsonParserError(f"{name} must be a list of strings")
    return found


def _records(call: Call) -> tuple[list[Row], bool]:
    """
    The records of a body with their objects, and whether all or none of them are to be kept.

    Raises JsonParserError, and what `records.lists.check` raises.
    """
    body, files = _body(call)
    given = envelope.members(body, "the request")
    all_or_none = envelope.flag(given, "allOrNone")
    records = given.get("records")
    if records is not None and not isinstance(records, list):
        raise JsonParserError("records must be a list")
    rows: list[Row] = []
    for record in records or ():
        if not isinstance(record, dict):
            raise JsonParserError("every record must be an object")
        attributes = record.get("attributes")
        name = attributes.get("type") if isinstance(attributes, dict) else None
        if files is not None:
            record = _with_file(record, attributes, files)
        rows.append((name if isinstance(name, str) else None, record))
    check([name for name, _ in rows])
    if files:
        raise InvalidMultipart(f"No record has this part as its binaryPartName: {', '.join(files)[:200]}")
    return rows, call.all_or_none or all_or_none


def _body(call: Call) -> tuple[dict[str, Any], dict[str, bytes] | None]:
    """What a request asks for, and the bytes that came with it by the names of their parts; None where it is no form."""
    content_type = call.request.header(b"content-type")
    if content_type is None or not multipart.is_multipart(content_type):
        return decode_object(call.request), None
    parts = multipart.parse(content_type, call.request.body, MOST + 1)
    if not parts:
        raise InvalidMultipart("A form needs a JSON part with the records first")
    files: dict[str, bytes] = {}
    for part in parts[1:]:
        if part.name in files:
            raise InvalidMultipart(f"Two parts are named {part.name[:80]}")
        files[part.name] = bytes(part.data)
    return object_of(bytes(parts[0].data)), files


def _with_file(record: dict[str, Any], attributes: Any, files: dict[str, bytes]) -> dict[str, Any]:
    """A record with the bytes that its attributes name, which are taken out of `files`."""
    part, field = (
        (attributes.get(name) for name in ("binaryPartName", "binaryPartNameAlias"))
        if isinstance(attributes, dict)
        else (None, None)
    )
    if part is None and field is None:
        return record
    if not isinstance(part, str) or not isinstance(field, str):
        raise InvalidMultipart("A record with a file names its part and its field: binaryPartName, binaryPartNameAlias")
    if part not in files:
        raise InvalidMultipart(f"There is no part for a record's binaryPartName: {part[:80]}")
    if any(name.lower() == field.lower() for name in record):
        raise InvalidMultipart(f"Given twice, in JSON and as a part: {field[:80]}")
    return {**record, field: files.pop(part)}


_SAVED = b'{"id":"%b","success":true,"errors":[%b]%b}'
_ENQUEUED = b'{"statusCode":"OPERATION_ENQUEUED","message":"%b","fields":[]}'
_CREATED = {None: b"", True: b',"created":true', False: b',"created":false'}


def _results(results: Iterable[SaveResult]) -> Reply:
    """Results as recorded: a failed one has no id, and `statusCode` where a row's own error has `errorCode`."""
    parts, failed = [], False
    for result in results:
        if not result.errors:
            assert result.id is not None
            # Of a published platform event (events.md section 4): a success, with where to find it again.
            queued = b"" if result.enqueued is None else _ENQUEUED % result.enqueued.encode()
            parts.append(_SAVED % (result.id.encode(), queued, _CREATED[result.created]))
        else:
            failed = True
            parts.append(msgspec.json.encode(_refused(result)))
    return Reply(200, b"[" + b",".join(parts) + b"]", failed=failed)


def _refused(result: SaveResult) -> dict[str, Any]:
    body: dict[str, Any] = {} if result.id is None else {"id": result.id}
    body["success"] = False
    body["errors"] = list(map(envelope.status, result.errors))
    if result.created is not None:
        body["created"] = result.created
    return body


_S = "/services/data/{version}/composite/sobjects"

ROUTES = (
    Route("POST", _S, create, Needs.WRITE),
    Route("PATCH", _S, update, Needs.WRITE),
    Route("DELETE", _S, delete, Needs.WRITE),
    Route("GET", _S + "/{sobject}", get, Needs.READ),
    Route("POST", _S + "/{sobject}", get_many, Needs.READ),
    Route("PATCH", _S + "/{sobject}/{field}", upsert, Needs.WRITE),
)
