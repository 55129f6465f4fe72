"""Landbridge's own endpoints, under `/services/landbridge/v1`: what no Salesforce org has."""

from landbridge.wire.control.status import ROUTES

__all__ = ["ROUTES"]
