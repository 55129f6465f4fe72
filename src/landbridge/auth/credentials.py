"""
The first logins of an org: drawn or given once, kept in `DIR/credentials` (mode 600), printed at start.

What settings give wins over what the file has, and the file is written anew then.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec

from landbridge.chance import Chance
from landbridge.config import Settings
from landbridge.errors import LandbridgeError
from landbridge.storage.folder import write_private

TOKEN_LENGTH = 24


@dataclass(frozen=True, slots=True)
class Credentials:
    """Plain secrets of the first two users and the first app. `repr` shows none."""

    username: str
    password: str
    security_token: str
    integration_username: str
    integration_password: str
    client_id: str
    client_secret: str
    refresh_token: str

    def __repr__(self) -> str:
        return f"Credentials(username={self.username!r})"


def open_credentials(folder: Path, settings: Settings, chance: Chance, integration_username: str) -> Credentials:
    """Those of the folder, with what the settings say laid over; drawn where neither says. Raises LandbridgeError."""
    path = folder / "credentials"
    kept = _read(path)
    app = settings.connected_app[0].split(":") if settings.connected_app else []
    found = Credentials(
        username=settings.username,
        password=settings.password or kept.get("password") or chance.letters(16),
        security_token=settings.security_token or kept.get("security_token") or chance.letters(TOKEN_LENGTH),
        integration_username=integration_username,
        integration_password=kept.get("integration_password") or chance.letters(16),
        client_id=app[0] if app else kept.get("client_id") or f"3MVG9{chance.letters(80)}",
        client_secret=app[1] if app else kept.get("client_secret") or chance.hex_token(32),
        refresh_token=kept.get("refresh_token") or f"5Aep861{chance.letters(80)}",
    )
    if asdict(found) != kept:
        write_private(path, msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")
    return found


def _read(path: Path) -> dict[str, str]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, str])
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.MsgspecError) as error:
        raise LandbridgeError(
            f"{path} can't be read ({error}). Restore it, or delete it to draw new logins."
        ) from error
