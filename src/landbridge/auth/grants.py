"""
OAuth grants: from a token request to a token reply.

Whatever reads and spends a one-time thing (a code, a rotating refresh token) does both in one unit of work, and says what is
wrong after that unit: a refusal must not undo the spending.

Source: `auth.md` sections 2 to 4.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from landbridge.access import Access
from landbridge.auth import codes, jwt, refresh, scopes, users
from landbridge.auth.apps import ROTATES, App, Apps
from landbridge.auth.codes import Code
from landbridge.auth.failures import Failures
from landbridge.auth.flows import Authorization
from landbridge.auth.keys import Keys
from landbridge.auth.passwords import Passwords
from landbridge.auth.sessions import Sessions
from landbridge.chance import Chance
from landbridge.clock import Clock
from landbridge.errors import OAuthError
from landbridge.ids import RecordId
from landbridge.storage import Database, Tx, Unit

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
CLIENT_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LOGIN_HOSTS = ("https://login.salesforce.com", "https://test.salesforce.com")
"""Audiences of a JWT that every org accepts, besides its own URL."""
ID_TOKEN_SECONDS = 120

# Recorded orders (auth.md section 3): password replies, and a refresh reply of 2023. What comes of a consent or an assertion
# is in the latter's order, with a refresh token and an ID token in their documented places.
_CLASSIC = ("access_token", "instance_url", "id", "token_type", "issued_at", "signature", "scope")
_MODERN = (
    "access_token", "refresh_token", "signature", "scope", "id_token", "instance_url", "id", "token_type", "issued_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """A form posted to the token endpoint; client id and secret may have come as a Basic header instead."""

    form: Mapping[str, str]
    client_id: str | None
    client_secret: str | None
    base_url: str
    instance_url: str
    peer: str

    def __repr__(self) -> str:
        return f"TokenRequest(grant_type={self.form.get('grant_type')!r})"

    def need(self, name: str) -> str:
        """A parameter of the form. Raises OAuthError when it is missing."""
        value = self.form.get(name)
        if not value:
            raise OAuthError("invalid_request", f"missing required parameter: {name}")
        return value


@dataclass(frozen=True, slots=True)
class _Granted:
    """What a grant came to: whose token, of which scope and consent, and what goes with it."""

    app: App
    user_id: str
    scope: str
    family: str | None = None
    refresh_token: str | None = None
    nonce: str | None = None


class Grants:
    """The token endpoint of one org."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        chance: Chance,
        org_id: RecordId,
        *,
        apps: Apps,
        passwords: Passwords,
        sessions: Sessions,
        failures: Failures,
        keys: Keys,
    ) -> None:
        self._db = db
        self._clock = clock
        self._chance = chance
        self._org_id = org_id
        self._apps = apps
        self._passwords = passwords
        self._sessions = sessions
        self._failures = failures
        self._keys = keys
        self._grants: dict[str, Callable[[TokenRequest], Awaitable[dict[str, Any]]]] = {
            "password": self._password,
            "client_credentials": self._client_credentials,
            "refresh_token": self._refresh,
            "authorization_code": self._authorization_code,
            "device": self._device,
            JWT_BEARER: self._jwt_bearer,
        }

    async def token(self, request: TokenRequest) -> dict[str, Any]:
        """The token reply as a JSON object in recorded key order. Raises OAuthError."""
        if request.form.get("response_type") == "device_code":  # the first step of a device comes here as well
            return await self._begin_device(request)
        grant = self._grants.get(request.need("grant_type"))
        if grant is None:
            raise OAuthError("unsupported_grant_type", "grant type not supported")
        return await grant(request)

    async def app(self, request: TokenRequest, *, secret: bool = True) -> App:
        """The app that asks. Raises OAuthError for an unknown one or a wrong secret. A public app has no secret to show."""
        if "client_assertion" in request.form:
            return await self._asserted_app(request)
        app = await self.known_app(request.client_id)
        needed = secret and not app.public
        if needed or request.client_secret:
            name = f"app:{app.client_id}"
            if self._failures.locked(name):
                raise OAuthError("invalid_client", "invalid client credentials")
            if not app.has_secret(request.client_secret or ""):
                await self._failures.attempt(name, request.peer)
                raise OAuthError("invalid_client", "invalid client credentials")
        return app

    async def known_app(self, client_id: str | None) -> App:
        """An app by its id. Raises OAuthError."""
        app = None
        if client_id:
            asked = client_id
            app = await self._db.read(lambda reader: self._apps.find(reader, asked))
        if app is None:
            raise OAuthError("invalid_client_id", "client identifier invalid")
        return app

    async def _asserted_app(self, request: TokenRequest) -> App:
        """An app that proves itself with its key instead of a secret (`private_key_jwt`, OpenID Connect Core section 9)."""
        failed = OAuthError("invalid_client", "invalid client credentials")
        try:
            token = jwt.read(request.need("client_assertion"))
            issuer = token.claims.get("iss")
            app = await self.known_app(issuer if isinstance(issuer, str) else None)
            if request.form.get("client_assertion_type") != CLIENT_ASSERTION or app.certificate is None:
                raise failed
            claims = token.verified(app.certificate)
        except jwt.BadToken:
            raise failed from None
        expires = jwt.seconds(claims.get("exp"))
        here = {request.base_url, request.instance_url, f"{request.base_url}/services/oauth2/token", *LOGIN_HOSTS}
        if claims.get("sub") != issuer or _audiences(claims).isdisjoint(here):
            raise failed
        if request.client_id not in (None, issuer) or expires is None or expires <= self._clock.epoch():
            raise failed
        return app

    # --- grants without a page -----------------------------------------------------------------------------------

    async def _password(self, request: TokenRequest) -> dict[str, Any]:
        username, password = request.need("username"), request.need("password")
        app = await self.app(request)
        user_id = await self._passwords.check(username, password, request.peer)
        if user_id is None:
            raise OAuthError("invalid_grant", "authentication failure")
        granted = _Granted(app, user_id, _without_refresh(app))
        return await self._grant(request, _CLASSIC, lambda tx: granted)

    async def _client_credentials(self, request: TokenRequest) -> dict[str, Any]:
        app = await self.app(request)
        if request.base_url in LOGIN_HOSTS:
            raise OAuthError("invalid_grant", "request not supported on this domain")
        if app.run_as is None:
            raise OAuthError("invalid_grant", "no client credentials user enabled")
        granted = _Granted(app, app.run_as, _without_refresh(app))
        return await self._grant(request, _CLASSIC, lambda tx: granted)

    async def _jwt_bearer(self, request: TokenRequest) -> dict[str, Any]:
        try:
            token = jwt.read(request.need("assertion"))
            issuer = token.claims.get("iss")
            app = await self.known_app(issuer if isinstance(issuer, str) else None)
            if app.certificate is None:
                raise jwt.BadToken("the app has no certificate")
            claims = token.verified(app.certificate)
        except jwt.BadToken:
            raise OAuthError("invalid_grant", "invalid assertion") from None
        self._check_claims(claims, request)
        username = claims.get("sub")
        user_id = await self._db.read(
            lambda reader: users.active(reader, username if isinstance(username, str) else "")
        )
        if user_id is None or not await self._db.read(lambda reader: self._apps.approved(reader, user_id, app)):
            raise OAuthError("invalid_grant", "user hasn't approved this consumer")
        granted = _Granted(app, user_id, _without_refresh(app))
        return await self._grant(request, _MODERN, lambda tx: granted)

    def _check_claims(self, claims: Mapping[str, Any], request: TokenRequest) -> None:
        if _audiences(claims).isdisjoint({*LOGIN_HOSTS, request.base_url, request.instance_url}):
            raise OAuthError("invalid_grant", "Audience validation failed")
        expires, now = jwt.seconds(claims.get("exp")), self._clock.epoch()
        if expires is None or expires <= now:
            raise OAuthError("invalid_grant", "expired authorization code")
        begins = claims.get("nbf")
        if begins is not None and ((found := jwt.seconds(begins)) is None or found > now + 60):
            raise OAuthError("invalid_grant", "invalid assertion")

    async def _refresh(self, request: TokenRequest) -> dict[str, Any]:
        token = request.need("refresh_token")
        app = await self.app(request, secret=False)
        successor = f"5Aep861{self._chance.letters(80)}"
        return await self._grant(request, _MODERN, lambda tx: self._spend(tx, app, token, successor))

    def _spend(self, tx: Tx, app: App, token: str, successor: str) -> _Granted | OAuthError:
        """Use a refresh token; one that was spent before takes its family with it."""
        found, refused = refresh.find(tx, token), OAuthError("invalid_grant", "expired access/refresh token")
        if found is None or found.client_id != app.client_id:
            return refused
        if found.state != refresh.LIVE:
            if found.state == refresh.SPENT and found.family is not None:
                self._end_family(tx, found.family)
            return refused
        if ROTATES not in app.rules:
            return _Granted(app, found.user_id, found.scope, found.family)
        family = found.family or self._chance.hex_token(8)
        refresh.settle(tx, token, refresh.SPENT)
        if found.family is None:
            refresh.join(tx, token, family)
        refresh.keep(tx, successor, found.user_id, app.client_id, found.scope, family)
        return _Granted(app, found.user_id, found.scope, family, successor)

    def _end_family(self, tx: Tx, family: str) -> None:
        refresh.end_family(tx, family)
        self._sessions.end_family(tx, family)

    # --- what a person approved ----------------------------------------------------------------------------------

    async def authorize(self, asked: Authorization, user_id: str) -> str:
        """A person has approved: the authorization code for the app to fetch its tokens with."""
        text, now = f"aPrx{self._chance.letters(60)}", self._clock.epoch()
        code = Code(
            asked.client_id, user_id, asked.callback, asked.scope, asked.challenge, asked.nonce, self._chance.hex_token(8),
            now + codes.CODE_SECONDS,
        )  # fmt: skip

        def work(tx: Tx) -> None:
            codes.keep(tx, text, code, now)
            self._apps.approve(tx, user_id, asked.client_id)

        await self._db.write(work, Unit("authorize", user_id, "login"))
        return text

    async def implicit(self, asked: Authorization, user_id: str, base_url: str, instance_url: str) -> dict[str, Any]:
        """A person has approved, and the app's own page takes the token from the fragment (user-agent flow)."""
        app = await self.known_app(asked.client_id)
        granted = _Granted(app, user_id, asked.scope, self._chance.hex_token(8), None, asked.nonce)

        def work(tx: Tx) -> _Granted:
            self._apps.approve(tx, user_id, app.client_id)
            return granted

        return await self._grant(TokenRequest({}, app.client_id, None, base_url, instance_url, ""), _MODERN, work)

    async def _authorization_code(self, request: TokenRequest) -> dict[str, Any]:
        text = request.need("code")
        app = await self.app(request)
        token = f"5Aep861{self._chance.letters(80)}"
        return await self._grant(request, _MODERN, lambda tx: self._redeem(tx, app, text, request.form, token))

    def _redeem(self, tx: Tx, app: App, text: str, form: Mapping[str, str], token: str) -> _Granted | OAuthError:
        """Use a code, once. A second time, whoever brings it, ends what the first one gave."""
        code = codes.find(tx, text)
        if code is None or code.client_id != app.client_id:
            return OAuthError("invalid_grant", "invalid authorization code")
        if code.used:
            self._end_family(tx, code.family)
            return OAuthError("invalid_grant", "invalid authorization code")
        codes.use(tx, text)
        if code.expires < self._clock.epoch():
            return OAuthError("invalid_grant", "expired authorization code")
        if not hmac.compare_digest(code.callback.encode(), form.get("redirect_uri", "").encode()):
            return OAuthError("redirect_uri_mismatch", "redirect_uri must match configuration")
        if not proves(code.challenge, form.get("code_verifier")):
            return OAuthError("invalid_grant", "invalid code verifier")
        given = None
        if scopes.refreshes(code.scope):
            given = token
            refresh.keep(tx, token, code.user_id, app.client_id, code.scope, code.family)
        return _Granted(app, code.user_id, code.scope, code.family, given, code.nonce)

    async def _begin_device(self, request: TokenRequest) -> dict[str, Any]:
        app = await self.app(request, secret=False)
        scope = scopes.granted(request.form.get("scope"), app.scope)
        text, user_code, now = self._chance.letters(64), self._chance.letters(8).upper(), self._clock.epoch()
        await self._db.write(
            lambda tx: codes.keep_device(tx, text, user_code, app.client_id, scope, now), Unit("device", None, "login")
        )
        return {
            "device_code": text, "user_code": user_code, "verification_uri": f"{request.base_url}/setup/connect",
            "interval": codes.DEVICE_INTERVAL,
        }  # fmt: skip

    async def _device(self, request: TokenRequest) -> dict[str, Any]:
        text = request.need("code")
        app = await self.app(request, secret=False)
        token = f"5Aep861{self._chance.letters(80)}"
        return await self._grant(request, _MODERN, lambda tx: self._poll(tx, app, text, token))

    def _poll(self, tx: Tx, app: App, text: str, token: str) -> _Granted | OAuthError:
        device, now = codes.find_device(tx, text), self._clock.epoch()
        if device is None or device.client_id != app.client_id or device.state == codes.USED:
            return OAuthError("invalid_grant", "invalid device code")
        if device.expires < now:
            return OAuthError("invalid_grant", "expired device code")
        if device.state == codes.DENIED:
            return OAuthError("access_denied", "end-user denied authorization")
        if device.user_id is None:
            codes.polled(tx, text, now)
            # Half the interval: timers are not exact, and the CLI gives up on anything but authorization_pending.
            if now - device.polled < codes.DEVICE_INTERVAL / 2:
                return OAuthError("slow_down", "polling more often than the interval allows")
            return OAuthError("authorization_pending", "waiting for the user to approve this device")
        codes.use_device(tx, text)
        family, given = self._chance.hex_token(8), None
        if scopes.refreshes(device.scope):
            given = token
            refresh.keep(tx, token, device.user_id, app.client_id, device.scope, family)
        return _Granted(app, device.user_id, device.scope, family, given)

    async def settle_device(self, asked: Authorization, user_id: str | None) -> None:
        """A person has approved a device (with who they are), or denied it (None)."""
        assert asked.device is not None
        hashed = asked.device

        def work(tx: Tx) -> None:
            codes.settle_device(tx, hashed, user_id)
            if user_id is not None:
                self._apps.approve(tx, user_id, asked.client_id)

        await self._db.write(work, Unit("device", user_id, "login"))

    # --- replies -------------------------------------------------------------------------------------------------

    async def _grant(
        self, request: TokenRequest, order: tuple[str, ...], work: Callable[[Tx], _Granted | OAuthError]
    ) -> dict[str, Any]:
        """
        One unit of work: what spends a one-time thing, and the session that comes of it.

        A replay that ends the login must not fall between the two: it would miss the session.
        """

        def unit(tx: Tx) -> tuple[_Granted, str] | OAuthError:
            granted = work(tx)
            if isinstance(granted, OAuthError):
                return granted
            if self._apps.find(tx, granted.app.client_id) is None:
                return OAuthError("invalid_client_id", "client identifier invalid")
            access = self._sessions.access(tx, granted.user_id)
            if access is None:
                return OAuthError("invalid_grant", "inactive user")
            return granted, self._sessions.open(tx, access, granted.app.client_id, granted.scope, granted.family)

        found = await self._db.write(unit, Unit("login", None, "login"))
        if isinstance(found, OAuthError):
            raise found
        return await self._reply(request, order, *found)

    async def _reply(
        self, request: TokenRequest, order: tuple[str, ...], granted: _Granted, token: str
    ) -> dict[str, Any]:
        app = granted.app
        identity = f"{request.base_url}/id/{self._org_id}/{granted.user_id}"
        issued_at = str(int(self._clock.epoch() * 1000))
        reply = {
            "access_token": token, "instance_url": request.instance_url, "id": identity, "token_type": "Bearer",
            "issued_at": issued_at, "signature": base64.b64encode(self._apps.sign(app, identity + issued_at)).decode(),
            "scope": granted.scope, "refresh_token": granted.refresh_token,
        }  # fmt: skip
        if order is _MODERN and scopes.identifies(granted.scope):
            reply["id_token"] = await self._id_token(request, granted, identity, token)
        return {key: reply[key] for key in order if reply.get(key) is not None}

    async def _id_token(self, request: TokenRequest, granted: _Granted, identity: str, token: str) -> str:
        key_id, key = await self._keys.signer()
        now = int(self._clock.epoch())
        claims: dict[str, Any] = {
            "at_hash": jwt.encode(sha256(token.encode()).digest()[:16]), "sub": identity, "aud": granted.app.client_id,
            "iss": request.base_url, "exp": now + ID_TOKEN_SECONDS, "iat": now,
        }  # fmt: skip
        if granted.nonce is not None:
            claims["nonce"] = granted.nonce
        return jwt.sign(claims, key, key_id)

    async def open_session(self, access: Access, client_id: str | None) -> str:
        """A durable new session with the rights that the user has now; its token. Raises OAuthError for one who has none."""

        def work(tx: Tx) -> str | None:
            now = self._sessions.access(tx, access.user_id)
            return None if now is None else self._sessions.open(tx, now, client_id)

        token = await self._db.write(work, Unit("login", access.user_id, "login"))
        if token is None:
            raise OAuthError("invalid_grant", "inactive user")
        return token

    async def revoke(self, token: str) -> bool:
        """End an access token, or a refresh token with its sessions. False for a token that is neither."""

        def work(tx: Tx) -> bool:
            found = refresh.find(tx, token)
            if found is None:
                return self._sessions.revoke(tx, token)
            refresh.settle(tx, token, refresh.ENDED)
            if found.family is None:
                self._sessions.revoke_app(tx, found.user_id, found.client_id)
            else:
                self._end_family(tx, found.family)
            return True

        return await self._db.write(work, Unit("revoke", None, "login"))


def proves(challenge: str | None, verifier: str | None) -> bool:
    """
    Whether a verifier is that of a challenge (PKCE, S256 alone).

    Neither is well; one without the other is not: a verifier for a code that was asked for without a challenge is the sign of a
    challenge taken out on the way (RFC 9700 section 2.1.1).
    """
    if challenge is None or verifier is None:
        return challenge is None and verifier is None
    made = jwt.encode(sha256(verifier.encode("utf-8", "surrogatepass")).digest())
    return hmac.compare_digest(made.encode(), challenge.encode())


def _audiences(claims: Mapping[str, Any]) -> set[str]:
    audience = claims.get("aud")
    return {one.rstrip("/") for one in (audience if isinstance(audience, list) else [audience]) if isinstance(one, str)}


def _without_refresh(app: App) -> str:
    """The scope of a token that comes without a refresh token and without an ID token."""
    return " ".join(scope for scope in app.scope.split() if scope not in ("refresh_token", "offline_access", "openid"))
