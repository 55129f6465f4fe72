"""Who calls: the session behind a call's metadata. Source: `events.md` section 4, `clients.md` item 14."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from landbridge.ids import normalize
from landbridge.wire.pubsub.refusal import Refused

if TYPE_CHECKING:
    from landbridge.auth.sessions import Session
    from landbridge.server import Server

LONGEST = 2048
"""Characters of a metadata value: an access token has 104."""


def identify(server: Server, metadata: Iterable[tuple[str, str | bytes]] | None) -> Session:
    """
    The live session that `accesstoken` names, of the org that `tenantid` names.

    The tenant id may have 15 characters: salesforce-pubsub-api-client takes it from the access token. `instanceurl` only has to
    be a URL: how a client reaches us is its affair. Raises Refused; which token was wrong is not said.
    """
    given = {name: value for name, value in metadata or () if isinstance(value, str)}
    for name in ("accesstoken", "instanceurl", "tenantid"):
        value = given.get(name, "").strip()
        if not value or len(value) > LONGEST:
            raise Refused("service.auth.headers.invalid", name=name)
    if not given["instanceurl"].lower().startswith(("https://", "http://")):
        raise Refused("service.auth.headers.invalid", name="instanceurl")
    if normalize(given["tenantid"].strip()) != server.org.org_id:
        raise Refused("service.auth.headers.invalid", name="tenantid")
    session = server.sessions.find(given["accesstoken"].strip())
    if session is None or not session.opens_rest:
        raise Refused("service.auth.error")
    return session


def refresh(server: Server, token: str) -> Session:
    """The session of a new token that a running stream brings. Raises Refused."""
    session = server.sessions.find(token)
    if session is None or not session.opens_rest:
        raise Refused("service.auth.refresh.invalid")
    return session
