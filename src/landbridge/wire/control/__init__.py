"""Landbridge's own endpoints, under `/services/landbridge/v1`: what no Salesforce org has."""

from landbridge.wire.control import bus, credentials, deadletters, flows, logins, status

ROUTES = (*status.ROUTES, *bus.ROUTES, *credentials.ROUTES, *logins.ROUTES, *deadletters.ROUTES, *flows.ROUTES)

__all__ = ["ROUTES"]
