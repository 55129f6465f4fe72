"""A client for any org: plain REST, uses nothing of the server."""

from landbridge.client.rest import Answer, OrgError, RestClient

__all__ = ["Answer", "OrgError", "RestClient"]
