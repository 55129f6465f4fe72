"""Whether the org is up, what it holds, what of its source was not understood."""

from __future__ import annotations

import os

from landbridge.values import format_datetime
from landbridge.wire.http.message import Call, Needs, Reply, Route, json_reply

ROOT = "/services/landbridge/v1"


def health(call: Call) -> Reply:
    """`GET /services/landbridge/v1/health`: 200 once the org answers; needs no login."""
    return json_reply({"status": "up", "org_id": call.server.org.org_id})


def status(call: Call) -> Reply:
    """`GET /services/landbridge/v1/status`: what this server is."""
    server = call.server
    return json_reply(
        {
            "org_id": server.org.org_id,
            "pid": os.getpid(),
            "now": format_datetime(server.clock.now()),
            "durable": not server.folder.temporary,
            "objects": len(server.catalog),
            "catalog_version": server.catalog.version,
            "api_calls_today": server.limits.used,
            "captured": sorted(server.events.captured),
        }
    )


ROUTES = (
    Route("GET", f"{ROOT}/health", health, Needs.NOTHING, authenticated=False, metered=False),
    Route("GET", f"{ROOT}/status", status, Needs.NOTHING, metered=False),
)
