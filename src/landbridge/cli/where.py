"""
Which org a command talks to.

`--org URL`, else the data folder named by `--data` (or LANDBRIDGE_DATA, or landbridge.toml), else the one org that runs in
memory on this machine. A folder that no server owns is opened for the command, served on a free loopback port, and closed.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import threading
from asyncio import run as run_loop
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from landbridge import config
from landbridge.client import RestClient
from landbridge.errors import LandbridgeError
from landbridge.storage.folder import is_owned, memory_folders

SERVER_FILE = "server.json"


@contextmanager
def org(options: argparse.Namespace) -> Iterator[RestClient]:
    """A client of the org that the options mean. Raises LandbridgeError with what to do next."""
    settings = config.load({"data": options.data})
    if options.org is not None:
        if settings.access_token is None:
            raise LandbridgeError("--org needs a session: set LANDBRIDGE_ACCESS_TOKEN to an access token of that org.")
        with RestClient(options.org, settings.access_token) as client:
            yield client
        return
    folder = settings.data
    if folder is None:
        folder = _only_memory_org()
    if is_owned(folder):
        with _owned(folder) as client:
            yield client
        return
    if not (folder / "org.sqlite").is_file():
        raise LandbridgeError(f"{folder} holds no org. Make one with `landbridge serve --data {folder}`.")
    with _for_this_command(replace(settings, data=folder, port=0)) as client:
        yield client


def _only_memory_org() -> Path:
    running = [folder for folder in memory_folders() if is_owned(folder) and (folder / SERVER_FILE).is_file()]
    if len(running) == 1:
        return running[0]
    if not running:
        raise LandbridgeError(
            "no org runs on this machine. Start `landbridge serve`, or name one with --data or --org."
        )
    raise LandbridgeError(f"{len(running)} orgs run in memory on this machine. Say which one with --org URL.")


def _owned(folder: Path) -> RestClient:
    return _client(known(folder))


def known(folder: Path) -> dict[str, Any]:
    """The ready file of the server that owns a folder. Raises LandbridgeError."""
    try:
        found: dict[str, Any] = json.loads((folder / SERVER_FILE).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise LandbridgeError(
            f"{folder} is owned by a server that does not say how to reach it yet. Try again."
        ) from error
    return found


def _client(known: dict[str, Any]) -> RestClient:
    names = ("client_id", "client_secret", "refresh_token")
    renew = {"grant_type": "refresh_token", **{name: str(known[name]) for name in names}}
    return RestClient(known["url"], known["access_token"], renew=renew)


@contextmanager
def _for_this_command(settings: config.Settings) -> Iterator[RestClient]:
    """Serve a folder on a free port in a thread of this process for as long as the command runs."""
    from landbridge.cli.serve import serve_until  # the server's imports are only paid where it is started

    ready, failed = threading.Event(), []
    done: list[Any] = []
    with tempfile.TemporaryDirectory(prefix="landbridge-") as place:
        ready_file = Path(place) / "ready.json"

        def work() -> None:
            try:
                run_loop(serve_until(replace(settings, ready_file=ready_file), done, ready))
            except LandbridgeError as error:
                failed.append(error)
                ready.set()

        thread = threading.Thread(target=work, name="landbridge-command")
        thread.start()
        try:
            ready.wait()
            if failed:
                raise failed[0]
            with _client(json.loads(ready_file.read_text("utf-8"))) as client:
                yield client
        finally:
            for stop in done:
                stop()
            thread.join()
