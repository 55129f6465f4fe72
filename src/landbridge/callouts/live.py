"""A credential in use: its secrets opened, its headers made, its connections, token, turns and breaker at hand."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from landbridge.callouts import mask
from landbridge.callouts.breaker import Breaker
from landbridge.callouts.credential import Auth, Credential, filled
from landbridge.callouts.guard import Resolve
from landbridge.callouts.pace import Gate
from landbridge.callouts.tokens import Tokens, basic, client_basic
from landbridge.chance import Chance
from landbridge.clock import Clock
from landbridge.errors import LandbridgeError

if TYPE_CHECKING:
    from landbridge.callouts.transport import Transport

_TOKEN_AUTHS = frozenset({Auth.OAUTH, Auth.JWT})


class Live:
    """A credential in use: its secrets, connections, token, turns and breaker."""

    def __init__(
        self, credential: Credential, secrets: dict[str, str], clock: Clock, chance: Chance, resolver: Resolve
    ) -> None:
        missing = [name for name in credential.secrets if name not in secrets]
        if missing:
            raise LandbridgeError(
                f"named credential {credential.name} lacks its secret {missing[0]}. "
                f"Set it with `landbridge credential set {credential.name} --secret {missing[0]}`."
            )
        self.credential = credential
        self.secrets = secrets
        self.hidden = mask.Secrets([*secrets.values(), *_combined(credential, secrets)])
        self.gate = Gate(clock, credential.rate, credential.burst, credential.concurrency)
        self.breaker = Breaker()
        self.name = credential.name
        self.base = credential.url.rstrip("/")
        self.own = f"{self.base}/"
        """What every URL of the credential's own begins with."""
        self.headers = _fixed_headers(credential, secrets)
        self.shown_headers = "".join(f"{name}: {self._shown(name, value)}\n" for name, value in self.headers)
        self.key = ""
        if credential.auth is Auth.API_KEY_QUERY:
            self.key = f"{quote(credential.key_name, safe='')}={quote(secrets['key'], safe='')}"
        self.tokens: Tokens | None = None
        if credential.auth in _TOKEN_AUTHS:
            self.tokens = Tokens(credential, secrets, clock, chance.uuid, self.hidden.add)
        self.is_plain = self.tokens is None and not self.key
        """Whether a request goes out as it is: no token to get, nothing to add to its URL."""
        self._clock = clock
        self._resolver = resolver
        self._transport: Transport | None = None
        self._token_transport: Transport | None = None

    def _shown(self, name: str, value: str) -> str:
        return mask.HIDDEN if mask.is_secret(name) or name == self.credential.key_name else self.hidden.hide(value)

    @property
    def transport(self) -> Transport:
        if self._transport is None:
            from landbridge.callouts.transport import Transport  # the client's library: at the first callout

            self._transport = Transport(
                self.credential, self.headers, self.secrets.get("client_key"), self._clock, self._resolver
            )
        return self._transport

    @property
    def token_transport(self) -> Transport:
        """Connections to the token server: the credential's own headers are not for it."""
        if self._token_transport is None:
            from landbridge.callouts.transport import Transport

            key = self.secrets.get("client_key")
            self._token_transport = Transport(self.credential, (), key, self._clock, self._resolver)
        return self._token_transport

    async def close(self) -> None:
        for transport in (self._transport, self._token_transport):
            if transport is not None:
                await transport.close()


def _fixed_headers(credential: Credential, secrets: dict[str, str]) -> list[tuple[str, str]]:
    """What goes with every request: the credential's own headers, and how it shows who it is."""
    headers = [(name, filled(value, secrets)) for name, value in credential.headers]
    if credential.auth is Auth.BASIC:
        headers.append(("Authorization", basic(credential.username, secrets["password"])))
    elif credential.auth is Auth.BEARER:
        headers.append(("Authorization", f"Bearer {secrets['token']}"))
    elif credential.auth is Auth.API_KEY_HEADER:
        headers.append((credential.key_name, secrets["key"]))
    return headers


def _combined(credential: Credential, secrets: dict[str, str]) -> list[str]:
    """Secrets in the form in which they travel together with a name."""
    if credential.auth is Auth.BASIC:
        return [basic(credential.username, secrets["password"]).removeprefix("Basic ")]
    if credential.auth is Auth.OAUTH:
        return [client_basic(credential, secrets).removeprefix("Basic ")]
    return []
