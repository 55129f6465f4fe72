"""`landbridge exec`: a program, unchanged, with Salesforce's hosts led to an org."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import ssl
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from landbridge import config
from landbridge.auth import certificates
from landbridge.chance import Chance
from landbridge.cli.serve import log_to_stderr, settings_of
from landbridge.cli.where import known
from landbridge.clock import Clock
from landbridge.config import Settings
from landbridge.errors import LandbridgeError
from landbridge.proxy import Authorities, Gate, Here, Lead, Port, There, child
from landbridge.proxy.environment import SYSTEM
from landbridge.proxy.outside import Outside
from landbridge.storage.folder import is_owned
from landbridge.wire.door import Door

NOT_FOUND, NOT_RUNNABLE = 127, 126
"""Exit codes of a shell for a command that is not there, or is none."""
# SIGINT and SIGQUIT come from the keyboard to every process in the foreground: told on only when they did not.
_FORWARDED = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGINT, signal.SIGQUIT)


def run(options: argparse.Namespace) -> int:
    """Run the command. Returns its exit code; 128 and the signal's number when a signal ended it."""
    command = options.program[1:] if options.program[:1] == ["--"] else options.program
    if not command:
        raise LandbridgeError("name the program: landbridge exec -- python script.py")
    if options.port is None:
        options.port = 0  # the program finds the org by its proxy: no port that it has to know
    settings = settings_of(options)
    log_to_stderr(settings.log_format)
    # Not uvloop: it starts programs by a plain fork, of which gRPC (the Pub/Sub API's threads) complains on our standard error.
    return asyncio.run(_run(settings, options.org, command, only_org=options.only_org))


async def _run(settings: Settings, url: str | None, command: list[str], *, only_org: bool) -> int:
    clock, chance = Clock(), Chance()
    with tempfile.TemporaryDirectory(prefix="landbridge-exec-") as place:
        async with _lead(settings, url, clock) as (lead, pubsub, ca_folder):
            certificates.ensure(ca_folder, clock)
            authorities = Authorities(certificates.paths(ca_folder).ca.resolve(), _system(), Path(place))
            environ = config.environment_of_child()
            gate = Gate(
                lead, certificates.Mint(ca_folder, clock).context, chance, only_org=only_org, pubsub=pubsub,
                outside=Outside.of(environ),
            )  # fmt: skip
            try:
                return await _child(command, child(environ, gate.url, authorities))
            finally:
                await gate.close()


@asynccontextmanager
async def _lead(settings: Settings, url: str | None, clock: Clock) -> AsyncIterator[tuple[Lead, Lead | None, Path]]:
    """Where the org's hosts are led, where those of its Pub/Sub API, and the folder of the CA that vouches for them here."""
    folder = settings.certificates or (settings.home or Path.home() / ".landbridge") / "tls"
    pubsub: Lead | None = None
    if url is None and settings.data is not None and is_owned(settings.data):
        ready = known(settings.data)
        url, pubsub = ready["url"], Port(ready["pubsub"])
    if url is not None:
        ca = certificates.paths(folder).ca
        yield There(url, ca if ca.exists() else None), pubsub, folder
        return
    async with Door.open(replace(settings, certificates=folder), clock) as door:
        for line in door.server.notes:
            print(f"landbridge: {line}", file=sys.stderr)
        yield Here(door.listener), Port(door.ready["pubsub"]), folder


def _system() -> Path | None:
    found = ssl.get_default_verify_paths().cafile
    places = [*([found] if found else []), *SYSTEM]
    return next((Path(place) for place in places if Path(place).is_file()), None)


async def _child(command: list[str], environ: dict[str, str]) -> int:
    """Start the program with our own terminal, hand signals on, wait."""
    try:
        process = await asyncio.create_subprocess_exec(*command, env=environ)
    except FileNotFoundError:
        print(f"landbridge: there is no program {command[0]}", file=sys.stderr)
        return NOT_FOUND
    except OSError as error:
        print(f"landbridge: {command[0]} can't be run: {error.strerror}", file=sys.stderr)
        return NOT_RUNNABLE
    loop = asyncio.get_running_loop()

    def hand_on(number: signal.Signals) -> None:
        if number in (signal.SIGINT, signal.SIGQUIT) and _from_keyboard():
            return
        if process.returncode is None:
            process.send_signal(number)

    for number in _FORWARDED:
        loop.add_signal_handler(number, hand_on, number)
    code = await process.wait()
    return code if code >= 0 else 128 - code


def _from_keyboard() -> bool:
    """Whether we are in the foreground of a terminal: then the program has had the signal as well."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
