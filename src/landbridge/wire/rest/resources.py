"""
The org's front page: versions, the resources of one version, limits.

Source: `rest.md` sections 1, 2, 8; order of the resource map as recorded (rest-root-v29 for old versions, section 2 for
new ones).
"""

from __future__ import annotations

from landbridge.storage.dialect import quote
from landbridge.wire.http.message import Call, Needs, Reply, Route, json_reply

OLDEST_LISTED, NEWEST_LISTED = 31, 67

# Resource -> path under the version, in the order of a recorded reply. Those that Landbridge does not speak yet answer so.
_RESOURCES = (
    "tooling", "metadata", "folders", "chatter", "payments", "tabs", "appMenu", "quickActions", "queryAll", "commerce",
    "wave", "analytics", "search", "identity", "composite", "parameterizedSearch", "theme", "nouns", "event", "recent",
    "connect", "licensing", "limits", "process", "dedupe", "async-queries", "query", "jobs", "match", "consent",
    "compactLayouts", "knowledgeManagement", "sobjects", "actions", "support",
)  # fmt: skip


def label(number: int) -> str:
    """The release of an API version: 67 is `Summer '26`. Three a year; Winter counts to the year after."""
    season, year = {1: ("Summer", 14), 2: ("Winter", 15), 0: ("Spring", 15)}[number % 3]
    first = {1: 31, 2: 32, 0: 33}[number % 3]
    # The 42.0 label alone has a typographic apostrophe (recorded, rest.md section 1).
    apostrophe = "’" if number == 42 else "'"
    return f"{season} {apostrophe}{year + (number - first) // 3:02d}"


def versions(call: Call) -> Reply:
    """`GET /services/data`, ascending: clients take the last element as the newest."""
    del call
    return json_reply(
        [
            {"label": label(number), "url": f"/services/data/v{number}.0", "version": f"{number}.0"}
            for number in range(OLDEST_LISTED, NEWEST_LISTED + 1)
        ]
    )


def root(call: Call) -> Reply:
    """`GET /services/data/vXX.X`: resource -> path; `identity` is a whole URL, unlike all others."""
    found = {name: f"{call.data_path}/{name}" for name in _RESOURCES}
    found["identity"] = f"{call.request.base_url}/id/{call.server.org.org_id}/{call.access.user_id}"
    return json_reply(found)


def limits(call: Call) -> Reply:
    """`GET /limits`."""
    return json_reply(call.server.limits.report())


def record_count(call: Call) -> Reply:
    """`GET /limits/recordCount?sObjects=A,B`: exact here, lagging on the platform; unknown objects are left out."""
    asked = call.request.query().get("sObjects")
    catalog = call.server.catalog
    names = asked.split(",") if asked else [entity.name for entity in catalog]
    counts = []
    for name in names:
        entity = catalog.get(name.strip())
        if entity is None or not entity.sobject.has_table:
            continue
        live = ' WHERE "IsDeleted" = 0' if entity.field("IsDeleted") is not None else ""
        row = call.reader.one(f"SELECT count(*) FROM {quote(entity.name)}{live}")
        if row is not None and (row[0] or asked):
            counts.append({"count": row[0], "name": entity.name})
    return json_reply({"sObjects": counts})


ROUTES = (
    Route("GET", "/services/data", versions, Needs.NOTHING, authenticated=False, metered=False),
    Route("GET", "/services/data/{version}", root, Needs.NOTHING),
    Route("GET", "/services/data/{version}/limits", limits, Needs.NOTHING),
    Route("GET", "/services/data/{version}/limits/recordCount", record_count, Needs.READ),
)
