"""The route table of a server: every room's ROUTES, put together once."""

from __future__ import annotations

from functools import cache

from landbridge.wire import cometd, composite, control, oauth, rest, soap
from landbridge.wire.http.message import Route
from landbridge.wire.http.routing import RouteTable


def routes() -> tuple[Route, ...]:
    """Every route Landbridge answers."""
    return (*rest.ROUTES, *composite.ROUTES, *oauth.ROUTES, *soap.ROUTES, *cometd.ROUTES, *control.ROUTES)


@cache
def table() -> RouteTable:
    """The table of all routes; it holds no state, so servers share it."""
    return RouteTable(routes())
