"""The REST API: `/services/data`."""

from landbridge.wire.rest import (
    elsewhere,
    eventschema,
    home,
    managed,
    passwords,
    query,
    replication,
    resources,
    search,
    sobjects,
    tooling,
    traversal,
)

ROUTES = (
    *resources.ROUTES,
    *home.ROUTES,
    *managed.ROUTES,
    *replication.ROUTES,
    *eventschema.ROUTES,
    *sobjects.ROUTES,
    *traversal.ROUTES,
    *passwords.ROUTES,
    *tooling.ROUTES,
    *query.ROUTES,
    *search.ROUTES,
    *elsewhere.ROUTES,
)

__all__ = ["ROUTES"]
