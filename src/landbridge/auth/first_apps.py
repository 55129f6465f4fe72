"""
The apps of an org from the start: those of the settings, and `PlatformCLI`, as which `sf org login web` comes.

They are as the settings say at every start; `landbridge app` is for others.
"""

from __future__ import annotations

from collections.abc import Iterable

from landbridge.auth import callbacks, jwt, refresh, scopes
from landbridge.auth.apps import PUBLIC, Apps, Draft
from landbridge.auth.credentials import Credentials
from landbridge.config import Settings
from landbridge.errors import LandbridgeError
from landbridge.storage import Tx

# Client id, callback and scopes: auth.md section 2. The CLI keeps no secret and sends a PKCE challenge.
CLI = Draft(
    client_id="PlatformCLI", name="Salesforce CLI", callbacks=("http://localhost:1717/OauthRedirect",),
    scope="refresh_token api web", rules=frozenset({PUBLIC}),
)  # fmt: skip


def of(settings: Settings, credentials: Credentials, admin_id: str) -> list[Draft]:
    """What the settings say. The first app acts as the administrator. Raises LandbridgeError."""
    for url in settings.callback:
        if (problem := callbacks.problem(url)) is not None:
            raise LandbridgeError(f"--callback {url}: {problem}")
    certificate = None
    if settings.jwt_certificate is not None:
        try:
            certificate = jwt.public_key(settings.jwt_certificate.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise LandbridgeError(f"--jwt-certificate {settings.jwt_certificate} can't be used: {error}") from error
    first = Draft(
        client_id=credentials.client_id, secret=credentials.client_secret, run_as=admin_id, callbacks=settings.callback,
        certificate=certificate,
    )  # fmt: skip
    pairs = (app.partition(":") for app in settings.connected_app[1:])
    others = [Draft(client_id=name, secret=secret, callbacks=settings.callback) for name, _, secret in pairs]
    return [first, *others, CLI]


def keep(tx: Tx, apps: Apps, drafts: Iterable[Draft], credentials: Credentials) -> None:
    """Keep the apps, and the refresh token of the credentials file unless it was revoked."""
    drafts = list(drafts)
    for draft in drafts:
        apps.keep(tx, draft)
    scope = f"{scopes.FULL} refresh_token"
    refresh.keep(tx, credentials.refresh_token, drafts[0].run_as or "", credentials.client_id, scope, None)
