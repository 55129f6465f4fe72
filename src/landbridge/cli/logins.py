"""`landbridge user`, `landbridge app` and `landbridge session`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from getpass import getpass
from typing import Any
from urllib.parse import quote

from landbridge.cli.data import print_rows
from landbridge.cli.where import org
from landbridge.client import RestClient
from landbridge.errors import LandbridgeError

ROOT = "/services/landbridge/v1"


def run(options: argparse.Namespace) -> int:
    """Dispatch the actions of the three commands."""
    action = _ACTIONS[options.command, options.action]
    if getattr(options, "ask_password", False):
        options.given = _asked()  # before an org is opened: a folder is not owned while a person types
    with org(options) as client:
        action(client, options)
    return 0


def _asked() -> str:
    if sys.stdin.isatty():
        return getpass("Password: ")
    line = sys.stdin.readline().rstrip("\n")
    if not line:
        raise LandbridgeError("--ask-password reads a line of standard input, and there was none")
    return line


def _path(*parts: str) -> str:
    return "/".join((ROOT, *(quote(part, safe="") for part in parts)))


def _list(name: str, columns: tuple[str, ...]) -> Callable[[RestClient, argparse.Namespace], None]:
    def show(client: RestClient, options: argparse.Namespace) -> None:
        rows = client.call("GET", _path(name)).body
        if options.format == "json":
            print(json.dumps(rows, indent=2, ensure_ascii=False))
            return
        shown = ({column: _cell(row[column]) for column in columns} for row in rows)
        print_rows(shown, options.format, len(rows))

    return show


def _cell(value: Any) -> Any:
    return " ".join(map(str, value)) if isinstance(value, list) else value


# --- users -----------------------------------------------------------------------------------------------------------


def _add_user(client: RestClient, options: argparse.Namespace) -> None:
    names = ("username", "first_name", "last_name", "email", "profile")
    asked = {name: value for name in names if (value := getattr(options, name)) is not None}
    _tell_login(client.call("POST", _path("users"), {**asked, **_given(options)}).body, options, options.username)


def _set_password(client: RestClient, options: argparse.Namespace) -> None:
    done = client.call("POST", _path("users", options.username, "password"), _given(options)).body
    _tell_login(done, options, options.username)


def _given(options: argparse.Namespace) -> dict[str, str]:
    return {"password": options.given} if options.ask_password else {}


def _tell_login(done: dict[str, Any], options: argparse.Namespace, username: str) -> None:
    print(f"username        {username}")
    if not options.ask_password:
        print(f"password        {done['password']}")
    print(f"security token  {done['security_token']}")


def _lock(client: RestClient, options: argparse.Namespace) -> None:
    client.call("DELETE" if options.off else "PUT", _path("users", options.username, "lock"))
    print(
        f"{options.username} can log in again" if options.off else f"{options.username} is locked, every session ended"
    )


# --- apps and sessions -------------------------------------------------------------------------------------------------


def _add_app(client: RestClient, options: argparse.Namespace) -> None:
    certificate = None
    if options.certificate is not None:
        try:
            certificate = options.certificate.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise LandbridgeError(f"{options.certificate} can't be read: {error}") from error
    rules = {"public": options.public, "rotates": options.rotate, "asks": options.ask, "implicit": options.implicit}
    made = client.call(
        "POST", _path("apps"),
        {"name": options.name, "client_id": options.client_id, "callbacks": options.callback or [], "scope": options.scope,
         "run_as": options.run_as, "certificate": certificate, "rules": [rule for rule, wanted in rules.items() if wanted]},
    ).body  # fmt: skip
    print(f"client id       {made['client_id']}")
    if made["client_secret"] is not None:
        print(f"client secret   {made['client_secret']}")


def _revoke_app(client: RestClient, options: argparse.Namespace) -> None:
    client.call("DELETE", _path("apps", options.client_id))
    print(f"{options.client_id} is gone, with its sessions and refresh tokens")


def _revoke_session(client: RestClient, options: argparse.Namespace) -> None:
    client.call("DELETE", _path("sessions", options.id))
    print(f"session {options.id} is ended")


_ACTIONS = {
    ("user", "add"): _add_user,
    ("user", "list"): _list("users", ("username", "name", "profile", "active", "locked", "id")),
    ("user", "password"): _set_password,
    ("user", "lock"): _lock,
    ("app", "add"): _add_app,
    ("app", "list"): _list("apps", ("client_id", "name", "callbacks", "scope", "certificate", "run_as", "rules")),
    ("app", "revoke"): _revoke_app,
    ("session", "list"): _list("sessions", ("id", "username", "client_id", "scope", "created", "last_used", "current")),
    ("session", "revoke"): _revoke_session,
}
