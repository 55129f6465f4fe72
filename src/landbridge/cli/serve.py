"""`landbridge serve`."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import fields
from typing import Any

from landbridge import config
from landbridge.cli.tuning import tune
from landbridge.config import Settings
from landbridge.errors import LandbridgeError
from landbridge.wire.door import Door

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def run(options: argparse.Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM. Returns the exit code."""
    settings = settings_of(options)
    log_to_stderr(settings.log_format)
    config.silence_grpc()
    if settings.host not in LOOPBACK:
        print(
            f"warning: listening on {settings.host}: this org and its test data can be reached from other machines.",
            file=sys.stderr,
        )
    try:
        import uvloop  # not on every platform
    except ImportError:
        asyncio.run(_serve(settings))
    else:
        uvloop.run(_serve(settings))
    return 0


def settings_of(options: argparse.Namespace) -> Settings:
    """The settings that the options of `serve` mean."""
    names = {field.name for field in fields(Settings)}
    given = {name: value for name, value in vars(options).items() if name in names}
    if options.memory:
        if given.get("data") is not None:
            raise LandbridgeError("--memory and --data exclude each other")
        return config.load({**given, "data": None}, _without_data())
    return config.load(given)


def _without_data() -> dict[str, str]:
    return {name: value for name, value in config.environment().items() if name != "LANDBRIDGE_DATA"}


async def _serve(settings: Settings) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    async with Door.open(settings) as door:
        tune()
        for line in banner(door):
            print(line)
        sys.stdout.flush()
        await stopping.wait()
        print("\nstopping", file=sys.stderr)


async def serve_until(settings: Settings, stop: list[Callable[[], object]], ready: threading.Event) -> None:
    """Serve from a thread of another command; `stop` gets the function that ends it, `ready` is set when it answers."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    async with Door.open(settings):
        stop.append(lambda: loop.call_soon_threadsafe(stopping.set))
        ready.set()
        await stopping.wait()


def banner(door: Door) -> list[str]:
    """What a person needs to log in, and a line to copy."""
    ready = door.ready
    server = door.server
    lines = [
        f"Landbridge org {ready['org_id']} is up: {ready['url']}   (TLS on the same port; CA: {ready['ca_file']})",
        f"  Pub/Sub API     {ready['pubsub']} plaintext, {ready['pubsub_tls']} TLS",
        f"  username        {ready['username']}",
        f"  password        {ready['password']}",
        f"  security token  {ready['security_token']}",
        f"  access token    {ready['access_token']}",
        f"  client id       {ready['client_id']}",
        f"  client secret   {ready['client_secret']}",
        f"  read-only user  {server.credentials.integration_username} / {server.credentials.integration_password}",
    ]
    lines += [f"  {line}" for line in server.notes]
    lines += [
        "Try:",
        f"  curl '{ready['url']}/services/data/v67.0/query?q=SELECT+Id,Name+FROM+Organization' \\",
        f"       -H 'Authorization: Bearer {ready['access_token']}'",
        "Ctrl-C stops it"
        + (", and the org is gone." if server.folder.temporary else f"; it is kept in {server.folder.path}."),
    ]
    return lines


# --- logging -------------------------------------------------------------------------------------------------------


class _JsonLines(logging.Formatter):
    """One JSON object a line; what stands in `extra` as keys of its own."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": self.formatTime(record), "level": record.levelname.lower(), "logger": record.name,
            "message": record.getMessage(),
        }  # fmt: skip
        line |= {key: value for key, value in vars(record).items() if key not in _STANDARD}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


def log_to_stderr(form: str) -> None:
    """Log lines of this process on standard error, as text or as JSON."""
    handler = logging.StreamHandler()
    if form == "json":
        handler.setFormatter(_JsonLines())
    else:
        handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
