"""The Streaming API: CometD (Bayeux over long polling)."""

from landbridge.wire.cometd.endpoint import ROUTES

__all__ = ["ROUTES"]
