"""
A named credential: where callouts go and how they show who they are, without its secrets. Pure.

Secrets are kept apart under names (`password`, `token`, `client_secret`, ...): this value can be shown, logged and compared.
In headers `{!Name}` stands for the secret of that name.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

import msgspec

from landbridge.callouts.breaker import BreakerPolicy
from landbridge.errors import LandbridgeError

DEFAULT_TIMEOUT = 10.0
MOST_TIMEOUT = 120.0
"""Seconds; both are the platform's (Apex Developer Guide, "Callout Limits and Limitations")."""
MOST_BODY = 100 * 1024 * 1024


class Auth(StrEnum):
    """How a callout shows who it is."""

    NONE = "none"
    BASIC = "basic"
    BEARER = "bearer"
    API_KEY_HEADER = "api-key-header"
    API_KEY_QUERY = "api-key-query"
    OAUTH = "oauth"  # OAuth 2 client credentials
    JWT = "jwt"  # a signed JWT as the bearer token; with a token URL it is exchanged for one
    MUTUAL_TLS = "mutual-tls"
    CUSTOM = "custom"  # headers with `{!Name}` for secrets


class HttpVersion(StrEnum):
    """Which HTTP is spoken: AUTO takes HTTP/2 where TLS offers it; TWO speaks it from the first byte, without TLS too."""

    AUTO = "auto"
    ONE = "1.1"
    TWO = "2"


class Credential(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """
    One named credential. Durations in seconds, sizes in bytes; `rate` in callouts a second, None for no limit.

    `allowed_hosts` may be called besides the URL's own: `host`, `host:port` or `*.example.com`. `public_only` refuses private,
    loopback and link-local addresses after the name is resolved. `ca` and `client_certificate` are PEM.
    """

    name: str
    url: str
    label: str = ""
    auth: Auth = Auth.NONE
    username: str = ""
    key_name: str = ""
    """The header or query parameter of an API key."""
    token_url: str = ""
    client_id: str = ""
    scope: str = ""
    audience: str = ""
    issuer: str = ""
    subject: str = ""
    algorithm: str = "RS256"
    token_lifetime: float = 300.0
    """Of a JWT."""
    client_in_body: bool = False
    """OAuth: client id and secret in the form instead of the Authorization header."""
    headers: tuple[tuple[str, str], ...] = ()
    timeout: float = DEFAULT_TIMEOUT
    rate: float | None = None
    burst: int | None = None
    """How many callouts may go at once after a pause; None: those of one second, at least one."""
    concurrency: int | None = None
    allowed_hosts: tuple[str, ...] = ()
    public_only: bool = False
    enabled: bool = True
    http: HttpVersion = HttpVersion.AUTO
    max_body: int = 10 * 1024 * 1024
    ca: str = ""
    client_certificate: str = ""
    breaker: BreakerPolicy = BreakerPolicy()

    @property
    def secrets(self) -> tuple[str, ...]:
        """The names of the secrets it needs."""
        names = list(_NEEDS.get(self.auth, ()))
        if self.client_certificate and "client_key" not in names:
            names.append("client_key")
        for _, value in self.headers:
            names += [name for name in _PLACE.findall(value) if name not in names]
        return tuple(names)


_NEEDS = {
    Auth.BASIC: ("password",), Auth.BEARER: ("token",), Auth.API_KEY_HEADER: ("key",), Auth.API_KEY_QUERY: ("key",),
    Auth.OAUTH: ("client_secret",), Auth.JWT: ("private_key",), Auth.MUTUAL_TLS: ("client_key",),
}  # fmt: skip
_PLACE = re.compile(r"\{!(\w+)\}")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,79}\Z")
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")
_ALGORITHMS = ("RS256", "ES256")
FIELDS = tuple(field for field in Credential.__struct_fields__ if field != "name")


class InvalidCredential(LandbridgeError):
    """A definition that can't work; the text names the credential and what to change."""


def filled(header: str, secrets: dict[str, str]) -> str:
    """A header with its `{!Name}` replaced. Raises KeyError for a secret that is not there."""
    return _PLACE.sub(lambda match: secrets[match[1]], header)


def make(values: dict[str, Any]) -> Credential:
    """A checked credential from plain values (JSON). Raises InvalidCredential."""
    name = values.get("name", "?")
    try:
        credential = msgspec.convert(values, Credential)
    except msgspec.ValidationError as error:
        raise InvalidCredential(f"named credential {name}: {error}") from None
    unknown = set(values) - set(Credential.__struct_fields__)
    if unknown:
        raise InvalidCredential(f"named credential {name}: there is no setting {', '.join(sorted(unknown))}")
    for problem in problems(credential):
        raise InvalidCredential(f"named credential {name}: {problem}")
    return credential


def problems(credential: Credential) -> list[str]:
    """What is wrong with a definition, in words; nothing for a good one."""
    found = []
    if not _NAME.match(credential.name):
        found.append("a name has letters, digits and underscores, begins with a letter and is at most 80 long")
    found += _url_problems("url", credential.url)
    if credential.token_url:
        found += _url_problems("token_url", credential.token_url)
    if not 0 < credential.timeout <= MOST_TIMEOUT:
        found.append(f"timeout is more than 0 and at most {MOST_TIMEOUT:g} seconds")
    if credential.rate is not None and credential.rate <= 0:
        found.append("rate is more than 0 callouts a second")
    for name in ("burst", "concurrency"):
        value = getattr(credential, name)
        if value is not None and value < 1:
            found.append(f"{name} is at least 1")
    if not 0 < credential.max_body <= MOST_BODY:
        found.append(f"max_body is more than 0 and at most {MOST_BODY} bytes")
    for name, value in credential.headers:
        if not _TOKEN.match(name) or any(c in value for c in "\r\n\0"):
            found.append(f"header {name[:40]!r} is no header")
    return found + _auth_problems(credential)


def _auth_problems(credential: Credential) -> list[str]:
    need = {
        Auth.BASIC: ("username",), Auth.API_KEY_HEADER: ("key_name",), Auth.API_KEY_QUERY: ("key_name",),
        Auth.OAUTH: ("token_url", "client_id"), Auth.JWT: ("issuer",), Auth.MUTUAL_TLS: ("client_certificate",),
    }.get(credential.auth, ())  # fmt: skip
    found = [f"{credential.auth} needs {name}" for name in need if not getattr(credential, name)]
    if credential.auth is Auth.API_KEY_HEADER and credential.key_name and not _TOKEN.match(credential.key_name):
        found.append("key_name is no header's name")
    if credential.auth is Auth.JWT and credential.algorithm not in _ALGORITHMS:
        found.append(f"algorithm is {' or '.join(_ALGORITHMS)}")
    return found


def _url_problems(name: str, url: str) -> list[str]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return [f"{name} is no URL"]
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        return [f"{name} is an http or https URL with a host"]
    if parts.username is not None or parts.password is not None:
        return [f"{name} holds a user or password: use --auth basic, where the password is sealed"]
    if parts.fragment or (name == "url" and parts.query):
        return [f"{name} has no query and no fragment"]
    if not url.isascii() or any(c <= " " for c in url):
        return [f"{name} has characters that a URL does not have"]
    return []
