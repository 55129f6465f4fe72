"""
What a real org answers here and Landbridge does not yet: it says so, by name, instead of a bare 404.

Each row leaves as its issue lands.
"""

from __future__ import annotations

from landbridge.errors import Unsupported
from landbridge.wire.http.message import Call, Handler, Needs, Reply, Route

_V = "/services/data/{version}"
_ALL = ("GET", "POST", "PATCH", "PUT", "DELETE")

# Path under the version -> what it is called in the answer.
_LATER = {
    "/jobs/{rest...}": "Bulk API 2.0", "/tooling/{rest...}": "the Tooling API", "/search/{rest...}": "search layouts",
    "/graphql": "GraphQL", "/ui-api/{rest...}": "the User Interface API",
    "/actions/{rest...}": "invocable actions", "/analytics/{rest...}": "Analytics", "/wave/{rest...}": "CRM Analytics",
    "/process/{rest...}": "processes and approvals", "/support/{rest...}": "support resources",
    "/chatter/{rest...}": "Chatter", "/connect/{rest...}": "Connect",
    "/metadata/{rest...}": "metadata deploys",
    "/compactLayouts": "compact layouts", "/named-credentials/{rest...}": "named credentials over Connect",
    "/sobjects/{sobject}/describe/{rest...}": "layouts", "/sobjects/{sobject}/listviews": "list views",
    "/sobjects/{sobject}/listviews/{rest...}": "list views", "/sobjects/{sobject}/quickActions": "quick actions",
    "/sobjects/{sobject}/defaultValues": "default values of a layout", "/async/{rest...}": "OpenAPI documents",
    "/sobjects/{sobject}/suggestedArticles": "suggested articles",
}  # fmt: skip

# Entries of a version's root that are nothing but a name here.
_UNSPOKEN = (
    "actions", "analytics", "async-queries", "chatter", "commerce", "connect", "consent", "contact-tracing", "dedupe", "domino",
    "eclair", "emailConnect", "event", "fingerprint", "flexiPage", "folders", "iot", "jobs", "jsonxform", "knowledgeManagement",
    "licensing", "localizedvalue", "match", "metadata", "mobile", "nouns", "payments", "prechatForms", "process",
    "quickActions", "serviceTemplates", "smartdatadiscovery", "support", "tokenizer", "ui-api", "wave",
)  # fmt: skip
_ASYNC = "/services/async/{rest...}"
_APEX = "/services/apexrest/{rest...}"


def _say(what: str) -> Handler:
    def handler(call: Call) -> Reply:
        del call
        raise Unsupported(what)

    return handler


ROUTES = tuple(
    Route(method, path, _say(what), Needs.NOTHING)
    for paths in (
        {f"{_V}/{name}": name for name in _UNSPOKEN},
        {f"{_V}/{name}/{{rest...}}": name for name in _UNSPOKEN if f"/{name}/{{rest...}}" not in _LATER},
        {_V + path: what for path, what in _LATER.items()},
        {_ASYNC: "Bulk API 1.0", _APEX: "custom REST endpoints"},
    )
    for path, what in paths.items()
    for method in _ALL
)
