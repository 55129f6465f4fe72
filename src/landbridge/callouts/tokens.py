"""
Bearer tokens that have to be got: OAuth 2 client credentials, signed JWTs, JWTs exchanged for a token.

A token is kept until shortly before it expires; callers that come together wait for one request. What a token server
answers is never shown: an error names its status and the OAuth error code alone.
Source: RFC 6749 sections 4.4 and 5, RFC 7523 sections 2.1 and 3.
"""

from __future__ import annotations

import asyncio
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from landbridge.callouts.credential import Auth, Credential
from landbridge.callouts.model import Kind, Sent, Stopped
from landbridge.clock import Clock

EARLY = 30.0
"""Seconds before its end that a token is given up, so that it does not expire on its way."""
UNSAID = 3600.0
"""What a token is believed to last whose server does not say."""
_CODE = re.compile(r"[\w.\-]{1,64}\Z")


class NoToken(Stopped):
    """The token could not be got; the text holds no secret."""

    def __init__(self, text: str) -> None:
        super().__init__(Kind.AUTH, Sent.NO, text)


Post = Callable[[str, list[tuple[str, str]], bytes], Awaitable[tuple[int, bytes]]]
"""URL, headers and form to status and body; journalled by whoever gives it. Raises NoToken."""


class Tokens:
    """The token of one credential. `got` is told each new one, so that it is masked from then on."""

    def __init__(self, credential: Credential, secrets: dict[str, str], clock: Clock, new_id: Callable[[], str],
                 got: Callable[[str], None]) -> None:  # fmt: skip
        self._credential = credential
        self._secrets = secrets
        self._clock = clock
        self._new_id = new_id
        self._got = got
        self._token: str | None = None
        self._until = 0.0
        self._lock = asyncio.Lock()

    def kept(self) -> str | None:
        """The token at hand, None where there is none that lasts."""
        return self._token if self._token is not None and self._clock.epoch() < self._until else None

    async def get(self, post: Post) -> str:
        """A token that lasts, got if need be. Raises NoToken."""
        token = self.kept()
        if token is not None:
            return token
        async with self._lock:
            token = self.kept()
            return token if token is not None else await self._new(post)

    def forget(self, token: str) -> bool:
        """Give up a token that was refused, unless it has been replaced meanwhile."""
        if self._token == token:
            self._token = None
        return self._token is None

    async def _new(self, post: Post) -> str:
        credential, now = self._credential, self._clock.epoch()
        if credential.auth is Auth.JWT and not credential.token_url:
            return self._keep(self._jwt(now), now, credential.token_lifetime)
        headers = [("Content-Type", "application/x-www-form-urlencoded"), ("Accept", "application/json")]
        form: dict[str, str] = {}
        if credential.auth is Auth.JWT:
            form |= {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": self._jwt(now)}
        else:
            form["grant_type"] = "client_credentials"
            if credential.client_in_body:
                form |= {"client_id": credential.client_id, "client_secret": self._secrets["client_secret"]}
            else:
                headers.append(("Authorization", client_basic(credential, self._secrets)))
            if credential.audience:
                form["audience"] = credential.audience
        if credential.scope:
            form["scope"] = credential.scope
        status, body = await post(credential.token_url, headers, urlencode(form).encode())
        return self._read(status, body, now)

    def _read(self, status: int, body: bytes, now: float) -> str:
        try:
            answer: Any = msgspec.json.decode(body)
        except msgspec.DecodeError:
            answer = None
        if not isinstance(answer, dict):
            answer = {}
        token = answer.get("access_token")
        if status >= 300 or not isinstance(token, str) or not token or not token.isascii() or not token.isprintable():
            code = str(answer.get("error", ""))
            raise NoToken(f"the token server answered {status}{f' ({code})' if _CODE.match(code) else ''}")
        try:
            lasts = float(answer.get("expires_in", UNSAID))
        except (TypeError, ValueError):
            lasts = UNSAID
        return self._keep(token, now, lasts)

    def _keep(self, token: str, now: float, lasts: float) -> str:
        # Short-lived tokens are used for half of their life; EARLY would leave nothing of them.
        self._token, self._until = token, now + max(lasts - EARLY, lasts * 0.5)
        self._got(token)
        return token

    def _jwt(self, now: float) -> str:
        credential = self._credential
        claims = {"iss": credential.issuer, "sub": credential.subject or credential.issuer,
                  "aud": credential.audience or credential.token_url or credential.url,
                  "iat": int(now), "exp": int(now + credential.token_lifetime), "jti": self._new_id()}  # fmt: skip
        head = {"alg": credential.algorithm, "typ": "JWT"}
        text = f"{_part(msgspec.json.encode(head))}.{_part(msgspec.json.encode(claims))}"
        token = f"{text}.{_part(sign(text.encode(), self._secrets['private_key'], credential.algorithm))}"
        self._got(token)
        return token


def basic(user: str, password: str) -> str:
    """The value of a Basic Authorization header (RFC 7617)."""
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


def client_basic(credential: Credential, secrets: dict[str, str]) -> str:
    """A client's id and secret as Basic: both form-encoded before they are joined (RFC 6749 section 2.3.1)."""
    return basic(quote(credential.client_id, safe=""), quote(secrets["client_secret"], safe=""))


def sign(data: bytes, pem: str, algorithm: str) -> bytes:
    """A JWS signature. Raises NoToken for a key that is none, or of another kind."""
    from cryptography.hazmat.primitives import hashes, serialization  # 30 ms: for the first JWT, not for a start
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

    try:
        key = serialization.load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError):
        raise NoToken("the secret private_key is no PEM private key without a passphrase") from None
    if algorithm == "RS256" and isinstance(key, rsa.RSAPrivateKey):
        return key.sign(data, padding.PKCS1v15(), hashes.SHA256())
    if algorithm == "ES256" and isinstance(key, ec.EllipticCurvePrivateKey) and key.key_size == 256:
        r, s = decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")
    raise NoToken(f"the secret private_key does not fit {algorithm}")


def _part(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
