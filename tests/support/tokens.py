"""An OAuth 2 token server that checks what it is sent, as RFC 6749 and RFC 7523 say, and an API that takes its tokens alone."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from tests.support.outside import Answer, Got, answer


class TokenServer:
    """`/token` gives tokens, everything else wants one. `issued` and `revoked` are its books; `now` its clock."""

    def __init__(self, client_id: str, client_secret: str, now: Callable[[], float], public_key: Any = None) -> None:
        self.client_id = client_id
        self.client_secret = client_secret
        self.now = now
        self.public_key = public_key
        self.issued: dict[str, float] = {}
        self.assertions: list[dict[str, Any]] = []
        self.requests: list[dict[str, str]] = []
        self.lasts: float | None = 3600.0
        self.broken: Answer | None = None

    def __call__(self, got: Got) -> Answer:
        if got.path == "/token":
            return self._token(got)
        token = got.headers.get("authorization", "").removeprefix("Bearer ")
        if self.issued.get(token, -1.0) < self.now():
            return answer({"error": "invalid_token"}, 401, WWW_Authenticate="Bearer")
        return answer({"hello": got.headers.get("x-greeting")})

    def revoke(self) -> None:
        self.issued.clear()

    def _token(self, got: Got) -> Answer:
        if self.broken is not None:
            return self.broken
        form = got.form
        self.requests.append(form)
        assert got.method == "POST"
        assert got.headers["content-type"] == "application/x-www-form-urlencoded"
        if form["grant_type"] == "client_credentials":
            if not self._client(got, form):
                return answer({"error": "invalid_client", "error_description": f"not {form}"}, 401)
        elif form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer":
            claims = verify(form["assertion"], self.public_key)
            if claims is None or claims["exp"] < self.now() or claims["iss"] != self.client_id:
                return answer({"error": "invalid_grant"}, 400)
            self.assertions.append(claims)
        else:
            return answer({"error": "unsupported_grant_type"}, 400)
        token = f"issued-token-{len(self.requests)}-of-{self.client_id}"
        self.issued[token] = self.now() + (3600.0 if self.lasts is None else self.lasts)
        reply: dict[str, Any] = {"access_token": token, "token_type": "Bearer"}
        return answer(reply if self.lasts is None else {**reply, "expires_in": self.lasts})

    def _client(self, got: Got, form: dict[str, str]) -> bool:
        given = got.headers.get("authorization", "")
        if given.startswith("Basic "):
            user, _, password = base64.b64decode(given[6:]).decode().partition(":")
            return (unquote(user), unquote(password)) == (self.client_id, self.client_secret)
        return (form.get("client_id"), form.get("client_secret")) == (self.client_id, self.client_secret)


def verify(token: str, public_key: Any) -> dict[str, Any] | None:
    """The claims of a JWT whose signature is good; None for any other."""
    try:
        head, claims, signature = token.split(".")
        algorithm = json.loads(_bytes(head))["alg"]
        data, sign = f"{head}.{claims}".encode(), _bytes(signature)
        if algorithm == "RS256" and isinstance(public_key, rsa.RSAPublicKey):
            public_key.verify(sign, data, padding.PKCS1v15(), hashes.SHA256())
        elif algorithm == "ES256" and isinstance(public_key, ec.EllipticCurvePublicKey):
            r, s = int.from_bytes(sign[:32], "big"), int.from_bytes(sign[32:], "big")
            public_key.verify(encode_dss_signature(r, s), data, ec.ECDSA(hashes.SHA256()))
        else:
            return None
        found: dict[str, Any] = json.loads(_bytes(claims))
        return found
    except (ValueError, InvalidSignature):
        return None


def key_pair(algorithm: str = "RS256") -> tuple[str, Any]:
    """A private key as PEM, and its public key."""
    key: Any = (
        rsa.generate_private_key(65537, 2048) if algorithm == "RS256" else ec.generate_private_key(ec.SECP256R1())
    )
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return pem.decode(), key.public_key()


def _bytes(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
