"""`landbridge credential`: set, list, show, test and remove named credentials."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from landbridge import config
from landbridge.cli.data import print_rows
from landbridge.cli.where import org
from landbridge.client import RestClient
from landbridge.errors import LandbridgeError

ROOT = "/services/landbridge/v1/credentials"
_PLAIN = (
    "url", "label", "allowed_hosts", "public_only", "enabled", "http", "auth", "username", "key_name", "token_url", "client_id",
    "client_in_body", "scope", "audience", "issuer", "subject", "algorithm", "token_lifetime", "timeout", "rate", "burst",
    "concurrency", "max_body",
)  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Dispatch the actions."""
    action = {"set": _set, "list": _list, "show": _show, "test": _test, "remove": _remove}[options.action]
    if options.action == "set":
        # What is asked for or read comes before an org is opened: a folder is not owned while a person types.
        options.given_secrets = dict(_secrets(options))
    with org(options) as client:
        return action(client, options)


def _path(options: argparse.Namespace) -> str:
    return f"{ROOT}/{quote(options.name, safe='')}"


def _set(client: RestClient, options: argparse.Namespace) -> int:
    settings = {name: value for name in _PLAIN if (value := getattr(options, name)) is not None}
    for name in ("ca", "client_certificate"):
        if (path := getattr(options, name)) is not None:
            settings[name] = _read(path)
    if options.headers is not None:
        settings["headers"] = [_header(text) for text in options.headers]
    breaker = {key: value for key, value in (("failures", options.breaker_failures), ("wait", options.breaker_wait))
               if value is not None}  # fmt: skip
    if breaker:
        settings["breaker"] = breaker
    for name in options.default or ():
        settings[name.lstrip("-").replace("-", "_")] = None
    secrets = options.given_secrets
    done = client.call("PUT", _path(options), {"settings": settings, "secrets": secrets}).body
    missing = done["missing"]
    if missing and sys.stdin.isatty():
        asked = dict(_ask(missing))
        missing = client.call("PUT", _path(options), {"secrets": asked}).body["missing"]
    print(f"named credential {done['name']} is set")
    for name in missing:
        print(f"  it lacks its secret: landbridge credential set {done['name']} --secret {name}")
    return 0


def _secrets(options: argparse.Namespace) -> Iterator[tuple[str, str | None]]:
    for name in options.forget_secret or ():
        yield name, None
    for text in options.secret_env or ():
        name, variable = _pair(text, "--secret-env NAME=VARIABLE")
        value = config.variable(variable)
        if value is None:
            raise LandbridgeError(f"the variable {variable} is not set")
        yield name, value
    for text in options.secret_file or ():
        name, path = _pair(text, "--secret-file NAME=FILE")
        yield name, _read(Path(path)).strip() if name != "private_key" else _read(Path(path))
    names = options.secret or ()
    for name in names:
        if "=" in name:
            raise LandbridgeError(
                "--secret takes a name alone: its value on a command line could be read by the machine's other users. "
                "It is asked for, or a line of standard input."
            )
    yield from _ask(names) if sys.stdin.isatty() else _lines(names)


def _ask(names: Any) -> Iterator[tuple[str, str]]:
    from getpass import getpass

    for name in names:
        yield name, getpass(f"{name}: ")


def _lines(names: Any) -> Iterator[tuple[str, str]]:
    for name in names:
        line = sys.stdin.readline().rstrip("\r\n")
        if not line:
            raise LandbridgeError(f"standard input has no line for the secret {name}")
        yield name, line


def _pair(text: str, form: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name or not value:
        raise LandbridgeError(f"it is {form}")
    return name, value


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon:
        raise LandbridgeError(f"a header is NAME:VALUE, not {text[:40]!r}")
    return name.strip(), value.strip()


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise LandbridgeError(f"{path} can't be read: {error}") from None


def _list(client: RestClient, options: argparse.Namespace) -> int:
    found = client.call("GET", ROOT).body["credentials"]
    if options.format == "json":
        print(json.dumps(found, indent=2, ensure_ascii=False))
        return 0
    rows = [
        {
            "name": one["name"],
            "url": one.get("url"),
            "auth": one.get("auth"),
            "breaker": _breaker(one),
            "state": _state(one),
        }
        for one in found
    ]
    print_rows(iter(rows), options.format, len(rows))
    return 0


def _breaker(one: dict[str, Any]) -> str:
    breaker = one.get("breaker")
    if breaker is None:
        return ""
    state = str(breaker["state"]).replace("_", " ")
    return f"{state}, {breaker['retry_after']:g} s more" if breaker["retry_after"] else state


def _state(one: dict[str, Any]) -> str:
    if one["problem"]:
        return str(one["problem"])
    if one["missing"]:
        return f"lacks {', '.join(one['missing'])}"
    return "ready" if one["enabled"] else "switched off"


def _show(client: RestClient, options: argparse.Namespace) -> int:
    print(json.dumps(client.call("GET", _path(options)).body, indent=2, ensure_ascii=False))
    return 0


def _remove(client: RestClient, options: argparse.Namespace) -> int:
    client.call("DELETE", _path(options))
    print(f"named credential {options.name} and its secrets are gone")
    return 0


def _test(client: RestClient, options: argparse.Namespace) -> int:
    done = client.call("POST", f"{_path(options)}/test", {"method": options.method.upper(), "path": options.path}).body
    what = f"answered {done['status']}" if done["outcome"] == "answered" else f"{done['outcome']}: {done['error']}"
    version = f" over HTTP/{done['http_version']}" if done["http_version"] else ""
    print(f"{options.method.upper()} {done['url']} {what} in {done['seconds']:g} s{version}")
    if not done["ok"] and done["body"]:
        print(done["body"])
    return 0 if done["ok"] else 1
