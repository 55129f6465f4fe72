"""
sObjects over REST: describes and rows.

Source: `rest.md` sections 3 and 4.
"""

from __future__ import annotations

from typing import Any

import msgspec

from landbridge import ids, soql
from landbridge.errors import ExternalIdNotFound, NotFound
from landbridge.records import MultipleMatches
from landbridge.records.store import key_field
from landbridge.schema import describe
from landbridge.schema.catalog import Entity
from landbridge.wire.http.message import Beside, Call, Needs, Reply, Route, json_reply
from landbridge.wire.rest import traversal
from landbridge.wire.rest.blobs import decode_record
from landbridge.wire.rest.conditional import described
from landbridge.wire.rest.rows import check_conditions, entity_of, has_conditions, refuse_id, row, saved

# --- describes ---------------------------------------------------------------------------------------------------


def describe_global(call: Call) -> Reply:
    """`GET /sobjects`."""
    return described(call, "", lambda: describe.describe_global(call.server.catalog, call.access, call.version))


def basic_info(call: Call) -> Reply:
    """`GET /sobjects/{S}`: the item of the global describe, and the records last touched."""
    entity = entity_of(call)
    recent = soql.recent(
        call.reader, call.server.front, call.server.catalog, call.access, entity, call.version, limit=10
    )
    item = describe.describe_global_item(entity, call.access, call.version)
    body = b'{"objectDescribe":' + msgspec.json.encode(item) + b',"recentItems":' + recent + b"}"
    return Reply(200, body)


def describe_sobject(call: Call) -> Reply:
    """`GET /sobjects/{S}/describe`."""
    entity = entity_of(call)
    return described(
        call,
        entity.name,
        lambda: describe.describe_sobject(
            call.server.catalog, entity, call.access, call.version, call.request.base_url
        ),
    )


# --- rows --------------------------------------------------------------------------------------------------------


def create(call: Call) -> Reply:
    """`POST /sobjects/{S}`: 201 with the id and a Location."""
    entity = entity_of(call)
    return _create(call, entity)


def _create(call: Call, entity: Entity) -> Reply:
    server = call.server
    record_id = server.store.create(call.writer, server.catalog, call.access, entity, decode_record(call, entity))
    return saved(call, entity, record_id, 201)


def get(call: Call) -> Reply:
    """`GET /sobjects/{S}/{id}?fields=A,B`."""
    entity = entity_of(call)
    text = call.params["id"]
    record_id = ids.normalize(text)
    if record_id is None:
        raise ExternalIdNotFound(text)
    return row(call, entity, record_id)


def update(call: Call) -> Reply:
    """`PATCH /sobjects/{S}/{id}`: 204."""
    entity = entity_of(call)
    given = decode_record(call, entity)
    refuse_id(given)
    check_conditions(call, entity, call.params["id"])
    call.server.store.update(call.writer, call.server.catalog, call.access, entity, call.params["id"], given)
    return Reply(204)


def delete(call: Call) -> Reply:
    """`DELETE /sobjects/{S}/{id}`: 204."""
    entity = entity_of(call)
    call.server.bin.delete(call.writer, call.server.catalog, call.access, entity, call.params["id"])
    return Reply(204)


# --- rows by external id -------------------------------------------------------------------------------------------


def get_by_key(call: Call) -> Reply | Beside:
    """`GET /sobjects/{S}/{field}/{value}`: the record, or 300 with where the records are; `/{id}/{relationship}` as well."""
    entity = entity_of(call)
    if traversal.starts_here(entity, call.params["field"]):
        return traversal.show(call, [call.params["value"]])
    return _at_key(call, entity, lambda record_id: row(call, entity, record_id))


def _at_key(call: Call, entity: Entity, then: Any) -> Reply:
    field = key_field(entity, call.access, call.params["field"])
    value = call.params["value"]
    if field.type == "id":
        record_id = ids.normalize(value)
        found = [] if record_id is None else [record_id]
    else:
        found = call.server.store.find(call.tx, entity, field, value)
    if not found:
        raise NotFound
    if len(found) > 1:
        return _choices(call, MultipleMatches(entity.name, found))
    reply: Reply = then(found[0])
    return reply


def _choices(call: Call, several: MultipleMatches) -> Reply:
    return json_reply([f"{call.data_path}/sobjects/{several.sobject}/{one}" for one in several.found], 300)


def upsert(call: Call) -> Reply:
    """
    `PATCH /sobjects/{S}/{field}/{value}`: 201 when created; an update answers 200 with a body, 204 before 46.0.

    The version at which the body came is unverified (rest.md section 3: 204 recorded in 29.0 and 42.0, 200 in 59.0).
    """
    entity = entity_of(call)
    if traversal.starts_here(entity, call.params["field"]):
        return traversal.change(call, [call.params["value"]])
    server = call.server
    given = decode_record(call, entity)
    update_only = call.request.query().get("updateOnly", "").lower() == "true"
    if has_conditions(call):
        for one in server.store.find(
            call.tx, entity, key_field(entity, call.access, call.params["field"]), call.params["value"]
        ):
            check_conditions(call, entity, one)
    try:
        record_id, created = server.store.upsert(
            call.writer, server.catalog, call.access, entity, call.params["field"], call.params["value"], given,
            update_only=update_only,
        )  # fmt: skip
    except MultipleMatches as several:
        return _choices(call, several)
    if call.version < 46.0:
        return saved(call, entity, record_id, 201) if created else Reply(204)
    return saved(call, entity, record_id, 201 if created else 200, created)


def insert_by_id(call: Call) -> Reply:
    """`POST /sobjects/{S}/Id`: a plain insert through the upsert resource, since 37.0."""
    entity = entity_of(call)
    if call.params["id"].lower() != "id" or call.version < 37.0:
        raise NotFound
    return _create(call, entity)


def delete_by_key(call: Call) -> Reply:
    """`DELETE /sobjects/{S}/{field}/{value}`: 204; of `/{id}/{relationship}` too."""
    entity = entity_of(call)
    if traversal.starts_here(entity, call.params["field"]):
        return traversal.remove(call, [call.params["value"]])

    def remove(record_id: str) -> Reply:
        call.server.bin.delete(call.writer, call.server.catalog, call.access, entity, record_id)
        return Reply(204)

    return _at_key(call, entity, remove)


_S = "/services/data/{version}/sobjects"

ROUTES = (
    Route("GET", _S, describe_global, Needs.NOTHING),
    Route("GET", _S + "/{sobject}", basic_info, Needs.READ),
    Route("POST", _S + "/{sobject}", create, Needs.WRITE),
    Route("GET", _S + "/{sobject}/describe", describe_sobject, Needs.NOTHING),
    Route("GET", _S + "/{sobject}/{id}", get, Needs.READ),
    Route("PATCH", _S + "/{sobject}/{id}", update, Needs.WRITE),
    Route("DELETE", _S + "/{sobject}/{id}", delete, Needs.WRITE),
    Route("POST", _S + "/{sobject}/{id}", insert_by_id, Needs.WRITE),
    Route("GET", _S + "/{sobject}/{field}/{value}", get_by_key, Needs.READ),
    Route("PATCH", _S + "/{sobject}/{field}/{value}", upsert, Needs.WRITE),
    Route("DELETE", _S + "/{sobject}/{field}/{value}", delete_by_key, Needs.WRITE),
)
