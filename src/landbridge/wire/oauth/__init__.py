"""OAuth endpoints and who the user is: `/services/oauth2`, `/id`."""

from landbridge.wire.oauth import identity, token

ROUTES = (*token.ROUTES, *identity.ROUTES)

__all__ = ["ROUTES"]
