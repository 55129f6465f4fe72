"""
JSON Web Tokens, RS256 alone: read, verified, signed. Pure.

The algorithm is ours to name, never the token's: a header that says anything but RS256 is refused before a key is looked at, so
`none` and an HMAC made with a public key get nowhere.

Source: RFC 7515, RFC 7519; RFC 8725 for what goes wrong.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

LONGEST = 16_384
SMALLEST_KEY = 2048


class BadToken(ValueError):
    """Not a token, not of our algorithm, or not signed with this key."""


@dataclass(frozen=True, slots=True)
class Unverified:
    """What a token says, before anybody should believe it."""

    claims: dict[str, Any]
    signed: bytes
    signature: bytes

    def verified(self, key: str) -> dict[str, Any]:
        """The claims, when the signature is of `key` (PEM: a certificate or a public key). Raises BadToken."""
        return self.signed_by(_public(key))

    def signed_by(self, key: RSAPublicKey) -> dict[str, Any]:
        """The claims, when the signature is of `key`. Raises BadToken."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding

        try:
            key.verify(self.signature, self.signed, padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            raise BadToken("the signature is not of this key") from None
        return self.claims


def read(token: str) -> Unverified:
    """A token's parts. Raises BadToken."""
    if len(token) > LONGEST:
        raise BadToken("too long")
    parts = token.split(".")
    if len(parts) != 3:
        raise BadToken("three parts, with dots between")
    header, claims = (_object(_decode(part)) for part in parts[:2])
    if header.get("alg") != "RS256" or "crit" in header:
        raise BadToken("RS256 alone")
    return Unverified(claims, f"{parts[0]}.{parts[1]}".encode(), _decode(parts[2]))


def sign(claims: Mapping[str, Any], key: RSAPrivateKey, key_id: str) -> str:
    """A signed token."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    header = {"alg": "RS256", "typ": "JWT", "kid": key_id}
    signed = ".".join(encode(msgspec.json.encode(part)) for part in (header, claims))
    return f"{signed}.{encode(key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def seconds(value: object) -> float | None:
    """A NumericDate claim; simple-salesforce sends it as text. None for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except ValueError:
        return None
    return found if 0 <= found < 1e15 else None  # the Salesforce CLI sends milliseconds


def public_key(text: str) -> str:
    """A certificate or public key as PEM text, checked to be RSA of 2048 bits or more. Raises ValueError with the reason."""
    _public(text)
    return text


def encode(data: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _public(text: str) -> RSAPublicKey:
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    data = text.encode()
    if b"BEGIN CERTIFICATE" in data:
        key = x509.load_pem_x509_certificate(data).public_key()
    elif b"PRIVATE KEY" in data:
        raise ValueError("this is a private key: give its certificate, and keep the key to yourself")
    else:
        key = serialization.load_pem_public_key(data)  # type: ignore[assignment]  # narrowed below
    if not isinstance(key, RSAPublicKey) or key.key_size < SMALLEST_KEY:
        raise ValueError(f"an RSA key of {SMALLEST_KEY} bits or more is needed")
    return key


def _decode(part: str) -> bytes:
    try:
        found = base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise BadToken("base64url is expected") from None
    if encode(found) != part:  # one spelling alone: no padding, no loose bits, no + or /
        raise BadToken("base64url is expected")
    return found


def _object(data: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(data, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadToken("JSON objects are expected") from None
