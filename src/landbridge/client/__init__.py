"""A client for any org: plain REST, uses nothing of the server."""

from landbridge.client.rest import Answer, OrgError, RestClient
from landbridge.client.streaming import Streaming

__all__ = ["Answer", "OrgError", "RestClient", "Streaming"]
