"""`/sobjects/{S}/updated` and `/deleted`: what changed in a span of time."""

from __future__ import annotations

from landbridge.errors import NotFound
from landbridge.records import replication
from landbridge.records.replication import Span
from landbridge.schema.catalog import Entity
from landbridge.storage import Reader
from landbridge.values import format_datetime
from landbridge.wire.http.message import Beside, Call, Needs, Reply, Route, json_reply
from landbridge.wire.rest.rows import entity_of


def get_updated(call: Call) -> Beside:
    """`GET /sobjects/{S}/updated?start=...&end=...`: the Ids of what was created or changed."""
    entity, span = _asked(call)

    def answer(reader: Reader) -> Reply:
        return json_reply({"ids": replication.updated(reader, entity, span), "latestDateCovered": span.covered})

    return Beside(answer)


def get_deleted(call: Call) -> Beside:
    """`GET /sobjects/{S}/deleted?start=...&end=...`: what went to the recycle bin, and when."""
    entity, span = _asked(call)

    def answer(reader: Reader) -> Reply:
        records = [
            {"id": record_id, "deletedDate": moment} for record_id, moment in replication.deleted(reader, entity, span)
        ]
        return json_reply(
            {
                "deletedRecords": records,
                "earliestDateAvailable": replication.earliest(reader, entity, span.start),
                "latestDateCovered": span.covered,
            }
        )

    return Beside(answer)


def _asked(call: Call) -> tuple[Entity, Span]:
    entity = entity_of(call)
    if not replication.is_replicated(entity):
        raise NotFound
    given = call.request.query()
    return entity, replication.span(given.get("start"), given.get("end"), format_datetime(call.server.clock.now()))


_S = "/services/data/{version}/sobjects/{sobject}"

ROUTES = (
    Route("GET", _S + "/updated", get_updated, Needs.READ),
    Route("GET", _S + "/deleted", get_deleted, Needs.READ),
)
