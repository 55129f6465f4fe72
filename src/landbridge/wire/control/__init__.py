"""Landbridge's own endpoints, under `/services/landbridge/v1`: what no Salesforce org has."""

from landbridge.wire.control import credentials, status

ROUTES = (*status.ROUTES, *credentials.ROUTES)

__all__ = ["ROUTES"]
