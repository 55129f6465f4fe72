"""
OAuth grants: from a token request to a token reply.

Password, client credentials and refresh now; JWT bearer, authorization code and device come with their issue and answer
`unsupported_grant_type` until then.

Source: `auth.md` sections 2 to 4.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from landbridge.access import Access
from landbridge.auth.apps import App, Apps
from landbridge.auth.passwords import Passwords
from landbridge.auth.sessions import Sessions
from landbridge.clock import Clock
from landbridge.errors import OAuthError
from landbridge.ids import RecordId
from landbridge.storage import Database, Unit

SCOPE = "full"


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """A form posted to the token endpoint; client id and secret may have come as a Basic header instead."""

    form: Mapping[str, str]
    client_id: str | None
    client_secret: str | None
    base_url: str
    peer: str

    def __repr__(self) -> str:
        return f"TokenRequest(grant_type={self.form.get('grant_type')!r})"

    def need(self, name: str) -> str:
        """A parameter of the form. Raises OAuthError when it is missing."""
        value = self.form.get(name)
        if not value:
            raise OAuthError("invalid_request", f"missing required parameter: {name}")
        return value


class Grants:
    """The token endpoint of one org."""

    def __init__(
        self, db: Database, clock: Clock, org_id: RecordId, apps: Apps, passwords: Passwords, sessions: Sessions
    ) -> None:
        self._db = db
        self._clock = clock
        self._org_id = org_id
        self._apps = apps
        self._passwords = passwords
        self._sessions = sessions

    async def token(self, request: TokenRequest) -> dict[str, Any]:
        """The token reply as a JSON object in recorded key order. Raises OAuthError."""
        grant = request.need("grant_type")
        if grant == "password":
            return await self._password(request)
        if grant == "client_credentials":
            return await self._client_credentials(request)
        if grant == "refresh_token":
            return await self._refresh(request)
        raise OAuthError("unsupported_grant_type", "grant type not supported")

    async def app(self, request: TokenRequest, *, secret: bool = True) -> App:
        """The app that asks. Raises OAuthError for an unknown one or a wrong secret."""
        if not request.client_id:
            raise OAuthError("invalid_client_id", "client identifier invalid")
        client_id = request.client_id
        app = await self._db.read(lambda reader: self._apps.find(reader, client_id))
        if app is None:
            raise OAuthError("invalid_client_id", "client identifier invalid")
        if (secret or request.client_secret) and not app.has_secret(request.client_secret or ""):
            raise OAuthError("invalid_client", "invalid client credentials")
        return app

    async def _password(self, request: TokenRequest) -> dict[str, Any]:
        username, password = request.need("username"), request.need("password")
        app = await self.app(request)
        user_id = await self._passwords.check(username, password, request.peer)
        if user_id is None:
            raise OAuthError("invalid_grant", "authentication failure")
        return await self._open(request, app, user_id)

    async def _client_credentials(self, request: TokenRequest) -> dict[str, Any]:
        app = await self.app(request)
        if app.run_as is None:
            raise OAuthError("invalid_grant", "no client credentials user enabled")
        return await self._open(request, app, app.run_as)

    async def _refresh(self, request: TokenRequest) -> dict[str, Any]:
        token = request.need("refresh_token")
        app = await self.app(request, secret=False)
        found = await self._db.read(lambda reader: self._apps.find_refresh(reader, token))
        if found is None or found[1] != app.client_id:
            raise OAuthError("invalid_grant", "expired access/refresh token")
        reply = await self._open(request, app, found[0])
        # A refresh reply has the signature and the scope before the instance (recorded, auth.md section 3).
        order = ("access_token", "signature", "scope", "instance_url", "id", "token_type", "issued_at")
        return {key: reply[key] for key in order}

    async def _open(self, request: TokenRequest, app: App, user_id: str) -> dict[str, Any]:
        access = await self._db.read(lambda reader: self._sessions.access(reader, user_id))
        if access is None:
            raise OAuthError("invalid_grant", "inactive user")
        token = await self.open_session(access, app.client_id)
        identity = f"{request.base_url}/id/{self._org_id}/{user_id}"
        issued_at = str(int(self._clock.epoch() * 1000))
        return {
            "access_token": token,
            "instance_url": request.base_url,
            "id": identity,
            "token_type": "Bearer",
            "issued_at": issued_at,
            "signature": base64.b64encode(self._apps.sign(app, identity + issued_at)).decode(),
            "scope": SCOPE,
        }

    async def open_session(self, access: Access, client_id: str | None) -> str:
        """A durable new session; its token."""
        unit = Unit("login", access.user_id, "login")
        return await self._db.write(lambda tx: self._sessions.open(tx, access, client_id), unit)

    async def revoke(self, token: str) -> bool:
        """End an access token, or a refresh token with its sessions. False for a token that is neither."""
        found = await self._db.read(lambda reader: self._apps.find_refresh(reader, token))

        def work(tx: Any) -> bool:
            if found is not None:
                self._apps.end_refresh(tx, token)
                self._sessions.revoke_app(tx, *found)
                return True
            return self._sessions.revoke(tx, token)

        return await self._db.write(work, Unit("revoke", None, "login"))
