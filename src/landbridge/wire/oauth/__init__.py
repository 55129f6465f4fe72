"""OAuth endpoints, logins in a browser, and who the user is: `/services/oauth2`, `/id`, `/.well-known`."""

from landbridge.wire.oauth import authorize, discovery, identity, register, token

ROUTES = (*token.ROUTES, *authorize.ROUTES, *discovery.ROUTES, *register.ROUTES, *identity.ROUTES)

__all__ = ["ROUTES"]
