"""SOAP: `/services/Soap/u` (partner) and `/c` (enterprise), as far as logins go."""

from landbridge.wire.soap.login import ROUTES

__all__ = ["ROUTES"]
