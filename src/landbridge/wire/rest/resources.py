"""
The org's front page: versions, the resources of one version, limits.

Source: `rest.md` sections 1, 2, 8; order of the resource map as recorded (rest-root-v29 for old versions, section 2 for
new ones).
"""

from __future__ import annotations

from landbridge import records
from landbridge.schema.catalog import Entity
from landbridge.storage import Reader
from landbridge.storage.dialect import quote
from landbridge.wire.http.message import Beside, Call, Needs, Reply, Route, json_reply

OLDEST_LISTED, NEWEST_LISTED = 31, 67
_MB = 1024 * 1024
_ROW_BYTES = 2048
"""What a record counts for in data storage, as the platform's help says of most objects."""

# Resources of a version in the order of recorded replies: `rest.md` section 2 (v58), rest-root-v29. Those that Landbridge does
# not speak yet say so when they are asked.
_RESOURCES = (
    "tooling", "metadata", "eclair", "folders", "prechatForms", "contact-tracing", "jsonxform", "chatter", "payments", "tabs",
    "appMenu", "quickActions", "queryAll", "commerce", "wave", "iot", "analytics", "search", "smartdatadiscovery", "identity",
    "composite", "parameterizedSearch", "fingerprint", "theme", "nouns", "domino", "event", "serviceTemplates", "recent",
    "connect", "licensing", "limits", "process", "dedupe", "async-queries", "query", "jobs", "match", "localizedvalue", "mobile",
    "emailConnect", "consent", "tokenizer", "compactLayouts", "knowledgeManagement", "sobjects", "actions", "support",
)  # fmt: skip
_OLD_RESOURCES = (
    "limits", "sobjects", "connect", "query", "theme", "queryAll", "tooling", "chatter", "analytics", "recent", "commerce",
    "licensing", "identity", "flexiPage", "search", "quickActions", "wave", "appMenu",
)  # fmt: skip


def label(number: int) -> str:
    """The release of an API version: 67 is `Summer '26`. Three a year; Winter counts to the year after."""
    season, year = {1: ("Summer", 14), 2: ("Winter", 15), 0: ("Spring", 15)}[number % 3]
    first = {1: 31, 2: 32, 0: 33}[number % 3]
    # The 42.0 label alone has a typographic apostrophe (recorded, rest.md section 1).
    apostrophe = "’" if number == 42 else "'"
    return f"{season} {apostrophe}{year + (number - first) // 3:02d}"


_PAGE = b"""<!doctype html><title>Landbridge</title>
<p>A Salesforce org. Its API is at <a href=/services/data>/services/data</a>.
"""


def front_door(call: Call) -> Reply:
    """`GET /`: that somebody is there; some clients ping the host before they speak."""
    del call
    return Reply(200, _PAGE, b"text/html;charset=UTF-8")


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
    known = _RESOURCES if call.version >= OLDEST_LISTED else _OLD_RESOURCES
    found = {name: f"{call.data_path}/{name}" for name in known}
    found["identity"] = f"{call.request.base_url}/id/{call.server.org.org_id}/{call.access.user_id}"
    return json_reply(found)


def limits(call: Call) -> Beside:
    """`GET /limits`: what is counted here is true, the rest are a Developer org's maxima."""
    server = call.server
    entities = [
        entity for entity in server.catalog if entity.sobject.has_table and entity.field("CreatedDate") is not None
    ]

    def answer(reader: Reader) -> Reply:
        rows = sum(_about(reader, entity) for entity in entities)
        sets = server.catalog.get("PermissionSet")
        used = {
            "FileStorageMB": records.blobs.stored(reader) // _MB,
            "DataStorageMB": rows * _ROW_BYTES // _MB,
            "PermissionSets": 0 if sets is None else count_rows(reader, sets),
        }
        return json_reply(server.limits.report(call.version, used))

    return Beside(answer)


def _about(reader: Reader, entity: Entity) -> int:
    """How many rows a table has, deleted ones too: what an index counts without looking at them."""
    row = reader.one(f"SELECT count(*) FROM {quote(entity.name)}")
    return 0 if row is None else int(row[0])


def record_count(call: Call) -> Beside:
    """`GET /limits/recordCount?sObjects=A,B`: exact here, lagging on the platform; unknown and empty objects are left out."""
    asked = call.request.query().get("sObjects")
    catalog = call.server.catalog
    names = [name.strip() for name in asked.split(",")] if asked else sorted(entity.name for entity in catalog)
    entities = [entity for name in names if (entity := catalog.get(name)) is not None and entity.sobject.has_table]

    def answer(reader: Reader) -> Reply:
        counts = [(count_rows(reader, entity), entity.name) for entity in entities]
        return json_reply({"sObjects": [{"count": count, "name": name} for count, name in counts if count]})

    return Beside(answer)


def count_rows(reader: Reader, entity: Entity) -> int:
    """How many live records an object has."""
    live = ' WHERE "IsDeleted" = 0' if entity.field("IsDeleted") is not None else ""
    row = reader.one(f"SELECT count(*) FROM {quote(entity.name)}{live}")
    return 0 if row is None else int(row[0])


ROUTES = (
    Route("GET", "/", front_door, Needs.NOTHING, authenticated=False, metered=False),
    Route("GET", "/services/data", versions, Needs.NOTHING, authenticated=False, metered=False),
    Route("GET", "/services/data/{version}", root, Needs.NOTHING),
    Route("GET", "/services/data/{version}/limits", limits, Needs.READ),
    Route("GET", "/services/data/{version}/limits/recordCount", record_count, Needs.READ),
)
