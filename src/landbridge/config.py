"""
Settings: one value, from options, LANDBRIDGE_ variables and landbridge.toml, handed to whoever needs it.

An option beats a variable, a variable beats the file, the file beats the default. Secrets on a command line are visible
to the machine's other users; the variables and the file are the documented way.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, get_type_hints

from landbridge.errors import LandbridgeError

FILE = "landbridge.toml"
PREFIX = "LANDBRIDGE_"
PUBSUB_PORTS = (7442, 7443)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """
    Everything an org can be told. Durations in seconds, sizes in bytes.

    `data` None is an org in memory (a WAL file in /dev/shm that goes with the server). `port` 0 picks a free one. Secrets left
    None are drawn. `repr` shows no secret.
    """

    data: Path | None = None
    source: tuple[Path, ...] = ()
    seed: tuple[Path, ...] = ()
    allow_drop: bool = False
    flow: tuple[Path, ...] = ()
    """Files of flows to run."""
    reload: bool = False
    """Whether flow files are loaded anew when they change."""
    host: str = "127.0.0.1"
    port: int = 8080
    pubsub_port: int | None = None
    pubsub_tls_port: int | None = None
    """None: 7442 and 7443; free ones when `port` is 0, so that several orgs get along."""
    capture: tuple[str, ...] = ()
    username: str = "admin@landbridge.localhost"
    password: str | None = None
    security_token: str | None = None
    connected_app: tuple[str, ...] = ()
    access_token: str | None = None
    callback: tuple[str, ...] = ("http://localhost/callback", "http://localhost/OauthRedirect")
    """Where a login in a browser may lead back to, for the apps that the settings name; a port on localhost may be any."""
    jwt_certificate: Path | None = None
    """The certificate (or public key) with which JWT bearer logins of the first app are checked."""
    hide: tuple[str, ...] = ()
    """`Object.Field` that the read-only integration user does not see."""
    durability: str = "full"
    ready_file: Path | None = None
    log_format: str = "text"
    certificates: Path | None = None
    """Folder of the local CA and the server's certificate; by default in the data folder or the user's own."""
    max_body: int = 50 * 1024 * 1024
    session_timeout: float = 2 * 3600.0
    daily_api_requests: int = 15_000
    hourly_published_events: int = 50_000
    """Platform events that may be published in an hour, as the org's clock counts them."""
    request_timeout: float = 120.0
    idle_timeout: float = 75.0
    max_connections: int = 4096
    streaming_clients: int = 2_000
    """CometD clients that may be subscribed at a time: the largest allocation there is (events.md section 2)."""
    callout_limits: bool = True
    """Whether a handler run has a budget of 100 callouts and 120 seconds of them."""
    callout_log_body: int = 4096
    callout_log_age: float = 30 * 86400.0
    callout_log_size: int = 256 * 1024 * 1024
    seal_key: str | None = None
    """Base64 of the 32 bytes that seal secrets; by default in the data folder's file `key`."""
    home: Path | None = None
    """Where what all orgs of this user share is kept (the local CA); by default `~/.landbridge`."""

    @property
    def pubsub_ports(self) -> tuple[int, int]:
        """The ports of the Pub/Sub API, plaintext and TLS; 0 picks a free one."""
        plain, tls = PUBSUB_PORTS if self.port else (0, 0)
        return (
            plain if self.pubsub_port is None else self.pubsub_port,
            tls if self.pubsub_tls_port is None else self.pubsub_tls_port,
        )

    def __repr__(self) -> str:
        shown = (f"{f.name}={getattr(self, f.name)!r}" for f in fields(self) if f.name not in SECRETS)
        return f"Settings({', '.join(shown)})"


SECRETS = frozenset({"password", "security_token", "connected_app", "access_token", "seal_key"})


def silence_grpc() -> None:
    """
    Keep gRPC's own log lines off standard error, unless the user asks for them: before it is loaded.

    It writes one for every peer that does not trust our certificate, in a form of its own between our lines.
    """
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")


def environment() -> dict[str, str]:
    """The LANDBRIDGE_ variables of this process."""
    return {name: value for name, value in os.environ.items() if name.startswith(PREFIX)}


def environment_of_child() -> dict[str, str]:
    """The whole environment: for a program that we start."""
    return dict(os.environ)


def variable(name: str) -> str | None:
    """One variable of this process, for an option that names it; None where it is not set."""
    return os.environ.get(name)


def load(options: Mapping[str, Any], environ: Mapping[str, str] | None = None, folder: Path | None = None) -> Settings:
    """
    Settings from options (by field name; None means not given), the environment and `landbridge.toml` in `folder`.

    Raises LandbridgeError naming the setting and where it came from.
    """
    environ = os.environ if environ is None else environ
    merged = _from_file((folder or Path()) / FILE) | _from_environ(environ)
    merged |= {name: _convert(name, value, f"--{name.replace('_', '-')}") for name, value in options.items()
               if value is not None}  # fmt: skip
    merged.setdefault("home", Path.home() / ".landbridge")
    settings = Settings(**merged)
    _check(settings)
    return settings


def _from_file(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise LandbridgeError(f"{path} can't be read: {error.strerror}") from error
    import tomllib  # 12 ms, for those who have a file

    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise LandbridgeError(f"{path} is not valid TOML: {error}") from error
    return {_known(key, str(path)): _convert(key.replace("-", "_"), value, str(path)) for key, value in table.items()}


def _from_environ(environ: Mapping[str, str]) -> dict[str, Any]:
    names = {f.name for f in fields(Settings)}
    found = {}
    for variable, text in environ.items():
        name = variable.removeprefix(PREFIX).lower()
        if variable.startswith(PREFIX) and name in names:
            found[name] = _convert(name, text, variable)
    return found


def _known(key: str, where: str) -> str:
    name = key.replace("-", "_")
    if name not in {f.name for f in fields(Settings)}:
        raise LandbridgeError(f"{where} names a setting that does not exist: {key}. See docs/reference/cli.md.")
    return name


_HINTS = get_type_hints(Settings)


def _convert(name: str, value: Any, where: str) -> Any:
    """`value` as the type of its field. A tuple takes a list, or text with commas."""
    hint = _HINTS[name]
    try:
        if hint in (tuple[str, ...], tuple[Path, ...]):
            items = [v for v in value.split(",") if v] if isinstance(value, str) else list(value)
            return tuple(Path(item) if hint == tuple[Path, ...] else str(item) for item in items)
        if hint == (Path | None):
            return Path(value)
        if hint is bool:
            return _boolean(value)
        if hint in (int, float):
            return hint(value)
        if hint == (int | None):
            return int(value)
        return str(value)
    except (TypeError, ValueError) as error:
        shown = "its value" if name in SECRETS else repr(value)
        raise LandbridgeError(f"{where}: {shown} is not a valid value for {name}") from error


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if str(value).lower() in ("1", "true", "yes", "on"):
        return True
    if str(value).lower() in ("0", "false", "no", "off", ""):
        return False
    raise ValueError(value)


def _check(settings: Settings) -> None:
    if settings.durability not in ("full", "normal"):
        raise LandbridgeError(f"durability is full or normal, not {settings.durability!r}")
    if settings.log_format not in ("text", "json"):
        raise LandbridgeError(f"log-format is text or json, not {settings.log_format!r}")
    for name in ("port", "pubsub_port", "pubsub_tls_port"):
        if not 0 <= (getattr(settings, name) or 0) <= 65535:
            raise LandbridgeError(f"{name.replace('_', '-')} is a number from 0 to 65535")
    for app in settings.connected_app:
        if app.count(":") != 1 or not all(app.split(":")):
            raise LandbridgeError("connected-app is CLIENT_ID:CLIENT_SECRET")
    for hidden in settings.hide:
        if hidden.count(".") != 1:
            raise LandbridgeError(f"hide is OBJECT.FIELD, not {hidden!r}")
