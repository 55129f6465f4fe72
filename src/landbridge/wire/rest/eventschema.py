"""
Schemas of events over REST, by the event's name and by the schema's id.

Source: `events.md` section 2; the expanded form as the REST guide shows it.
"""

from __future__ import annotations

from landbridge.errors import BadRequest, NotFound
from landbridge.events.schemas import Schema, expanded
from landbridge.wire.http.message import Call, Needs, Reply, Route, json_reply

FORMATS_SINCE = 43.0


def by_name(call: Call) -> Reply:
    """`GET /sobjects/{E}/eventSchema?payloadFormat=EXPANDED|COMPACT`."""
    schemas = call.server.events.schemas
    try:
        entity = call.server.catalog.get(call.params["sobject"])
        return _reply(call, schemas.newest(call.params["sobject"] if entity is None else entity.name))
    except KeyError:
        raise NotFound from None


def by_id(call: Call) -> Reply:
    """`GET /event/eventSchema/{id}?payloadFormat=EXPANDED|COMPACT`: also one that no event is written with any more."""
    schema = call.server.events.schemas.find(call.reader, call.params["id"])
    if schema is None:
        raise NotFound
    return _reply(call, schema)


def _reply(call: Call, schema: Schema) -> Reply:
    """Before 43.0 there was the compact form alone, and no parameter."""
    asked = call.request.query().get("payloadFormat")
    if asked is not None and (call.version < FORMATS_SINCE or asked not in ("EXPANDED", "COMPACT")):
        raise BadRequest(f"payloadFormat is EXPANDED or COMPACT, since {FORMATS_SINCE}: {asked}")
    compact = asked == "COMPACT" or call.version < FORMATS_SINCE
    return Reply(200, schema.json) if compact else json_reply(expanded(schema))


_V = "/services/data/{version}"

ROUTES = (
    Route("GET", _V + "/sobjects/{sobject}/eventSchema", by_name, Needs.READ),
    Route("GET", _V + "/event/eventSchema/{id}", by_id, Needs.READ),
)
