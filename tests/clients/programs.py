"""Long-running programs of the client tests: a server that can be killed, a JavaScript client that talks while it runs."""

from __future__ import annotations

import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.clients.conftest import HERE, Served
from tests.support.running import RunningOrg

PATIENCE = 60.0
"""Seconds a client may take for anything; only a broken one takes them all."""


def _free_port() -> int:
    """
    A port below those that the system gives to clients (from 32,768 on Linux).

    While a killed server is down, a client that tries its port again and again could be given that very port and keep it.
    """
    for port in range(20_000 + os.getpid() % 9_000, 30_000):
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return port
    raise RuntimeError("no free port below the ephemeral ones")


class Killable:
    """`landbridge serve` on a data folder and a port that stay the same through restarts, as an org's do."""

    def __init__(self, folder: Path, home: Path, *options: object) -> None:
        self.port = _free_port()
        self._ready = folder / "ready.json"
        self._log = folder / "stderr"
        self._command = [sys.executable, "-m", "landbridge", "serve", "--data", folder / "org", "--port", self.port,
                         "--pubsub-port", 0, "--pubsub-tls-port", 0, "--ready-file", self._ready, *options]  # fmt: skip
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LANDBRIDGE_")}
        self._environment = {
            **kept, "LANDBRIDGE_HOME": str(home), "LANDBRIDGE_DAILY_API_REQUESTS": "1000000",
            "LANDBRIDGE_HOURLY_PUBLISHED_EVENTS": "1000000",
        }  # fmt: skip
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> Served:
        self._process = subprocess.Popen(
            [str(part) for part in self._command], env=self._environment, stdout=subprocess.PIPE,
            stderr=self._log.open("ab"), text=True,
        )  # fmt: skip
        assert self._process.stdout is not None
        self._process.stdout.readline()  # printed once the ready file is there; the end of the stream when it can't start
        assert self._ready.exists(), self._log.read_text()
        return Served(json.loads(self._ready.read_text()))

    def kill(self) -> None:
        """As a power cut ends it: no goodbye to anybody."""
        self._end(signal.SIGKILL)
        self._ready.unlink(missing_ok=True)

    def stop(self) -> None:
        if self._process is not None:
            self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)
        self._process.communicate(timeout=30)
        self._process = None


class Script:
    """A piece of JavaScript in a process of its own; what it says with `say(value)` arrives here as it is said."""

    def __init__(self, served: Served, body: str) -> None:
        node = HERE / "node_modules" / ".bin" / "node"
        if not node.exists():
            pytest.skip("the JavaScript clients are not installed: run `make test`, which needs npm")
        text = f"""
            const jsforce = require('jsforce');
            const {{ StreamingExtension }} = require('jsforce/lib/api/streaming');
            const org = {json.dumps(served.ready)};
            const say = (value) => process.stdout.write(JSON.stringify(value) + '\\n');
            const connection = (more) => new jsforce.Connection(
                {{instanceUrl: org.url, accessToken: org.access_token, version: '66.0', ...more}});
            (async () => {{ {body} }})().catch((error) => {{ console.error(error); process.exit(1); }});
        """
        self._process = subprocess.Popen(
            [node, "-e", text],
            cwd=HERE,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._said: queue.SimpleQueue[Any] = queue.SimpleQueue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._said.put(json.loads(line))
        self._said.put(EOFError("the script ended"))

    def hear(self) -> Any:
        """The next thing it says."""
        found = self._said.get(timeout=PATIENCE)
        if isinstance(found, EOFError):
            assert self._process.stderr is not None
            raise AssertionError(self._process.stderr.read())
        return found

    def hear_until(self, last: Callable[[Any], bool]) -> list[Any]:
        """Everything it says up to the one that is the last."""
        found = [self.hear()]
        while not last(found[-1]):
            found.append(self.hear())
        return found

    def __enter__(self) -> Script:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()


class Rest(RunningOrg):
    """The short requests of `RunningOrg` to a server in another process."""

    def __init__(self, served: Served) -> None:
        self._served = served

    @property
    def ready(self) -> dict[str, Any]:
        return self._served.ready

    @property
    def port(self) -> int:
        return self._served.port
