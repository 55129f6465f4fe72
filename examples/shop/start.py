"""
The seed shop as a running integration: an org, its flow, the packing house, and orders.

`make run` keeps it going: an order every few seconds until Ctrl-C. `make demo` (`--once`) sends so many orders with trouble on the
way (a slow, refusing and late packing house, a `kill -9` of the org, one order that can't be packed), mends what was parked, and
ends when the sums of both sides agree; its exit code says whether they did.

Everything here goes through the front doors that anyone has: REST, the switches of the packing house, `landbridge dlq`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from landbridge.client import OrgError, RestClient

SHOP = Path(__file__).parent
LANDBRIDGE = [sys.executable, "-m", "landbridge"]
PATIENCE = 180.0
"""Seconds until the demo gives up on sums that do not agree."""


class Org:
    """`landbridge serve` on a folder, as a process that can be killed and started again."""

    def __init__(self, folder: Path, arguments: list[str], *, quiet: bool) -> None:
        self.folder = folder
        self.ready_file = folder / "ready.json"
        self._arguments = arguments
        self._quiet = quiet
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.ready_file.unlink(missing_ok=True)
        command = [
            *LANDBRIDGE, "serve", "--data", str(self.folder / "org"), "--source", str(SHOP), "--flow", str(SHOP / "flow.py"),
            "--ready-file", str(self.ready_file), *self._arguments,
        ]  # fmt: skip
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL if self._quiet else None)
        while not self.ready_file.exists():
            if self.process.poll() is not None:
                sys.exit(self.process.returncode or 1)
            time.sleep(0.02)

    @property
    def ready(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.ready_file.read_text())
        return found

    def client(self) -> RestClient:
        return RestClient(self.ready["url"], self.ready["access_token"])

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(30)

    def landbridge(self, *words: str, given: str | None = None) -> str:
        """A command of ours on the org's folder; what it printed."""
        done = subprocess.run(
            [*LANDBRIDGE, *words, "--data", str(self.folder / "org")],
            input=given, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            sys.exit(f"landbridge {' '.join(words)}: {done.stderr.strip()}")
        return done.stdout
