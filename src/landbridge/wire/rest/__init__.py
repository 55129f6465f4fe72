"""The REST API: `/services/data`."""

from landbridge.wire.rest import elsewhere, query, resources, sobjects

ROUTES = (*resources.ROUTES, *sobjects.ROUTES, *query.ROUTES, *elsewhere.ROUTES)

__all__ = ["ROUTES"]
