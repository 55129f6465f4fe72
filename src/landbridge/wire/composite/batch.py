"""
`/composite/batch`: up to 25 subrequests that know nothing of each other.

Each succeeds or fails alone; with `haltOnError` those after the first failure are not run.

Source: composite.md section 2; the resources are those of the REST guide, "Composite Batch".
"""

from __future__ import annotations

from typing import Any

import msgspec

from landbridge.errors import BatchProcessingHalted, InvalidInput
from landbridge.wire.composite import envelope
from landbridge.wire.composite.composite import body_of, in_json
from landbridge.wire.http.body import decode_object
from landbridge.wire.http.core import dispatch, error_reply
from landbridge.wire.http.message import Call, Needs, Reply, Route
from landbridge.wire.http.routing import Match

MOST = 25
_TAKEN = ("limits", "sobjects", "query", "queryAll", "search", "parameterizedSearch", "connect", "chatter", "actions")


def batch(call: Call) -> Reply:
    """`POST /composite/batch`: 200 with one result per subrequest, whatever became of each."""
    given = envelope.members(decode_object(call.request), "the request")
    items = envelope.listed(given, "batchRequests")
    envelope.at_most(len(items), MOST, "subrequests")
    wanted = envelope.batch(items)
    halt = envelope.flag(given, "haltOnError")
    headers = envelope.inherited(call.request)
    results: list[dict[str, Any]] = []
    errors = False
    for one in wanted:
        if errors and halt:
            reply = error_reply(BatchProcessingHalted())
        else:
            reply = in_json(dispatch(call, one.request(call.request, headers), allow=_allow))
        errors = errors or reply.status >= 400
        results.append({"statusCode": reply.status, "result": body_of(reply)})
    return Reply(200, msgspec.json.encode({"hasErrors": errors, "results": results}))


def _allow(found: Match) -> None:
    """Raises InvalidInput for what a batch does not take: other composites, jobs and the like."""
    path = envelope.resource(found.route.pattern)
    if path[0] not in _TAKEN:
        raise InvalidInput(f"/{path[0]} can't be part of a batch: {', '.join(_TAKEN)} can")


ROUTES = (
    Route(
        "POST", "/services/data/{version}/composite/batch", batch, Needs.WRITE,
        reads=lambda call: envelope.only_reads(call.request, "batchRequests"),
    ),
)  # fmt: skip
