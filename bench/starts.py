"""Starting: from spawn to the first answer, and an org inside a test's process."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path

from bench import servers
from bench.table import Section, Table


def starts(table: Table, folder: Path) -> None:
    """From spawn to the first 200, against a bare Python; and an org in this process, imports done."""

    def each(number: int) -> None:
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", "pass"], check=True)
        table.add("bare Python", time.perf_counter() - start)
        place = folder / f"start-{number}"
        place.mkdir()
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        start = time.perf_counter()
        # A port that is known: the ready file comes when gRPC is loaded too, some 30 ms after HTTP answers.
        with servers.spawned(place, "--port", port, "--pubsub-port", 0, "--pubsub-tls-port", 0, memory=True) as process:
            servers.wait(port, "/services/data", process)
            table.add("spawn to first 200", time.perf_counter() - start)
            while not (place / "ready.json").exists():
                time.sleep(0.001)
            table.add("spawn to ready file", time.perf_counter() - start)

    with servers.ours(folder / "warm" if (folder / "warm").mkdir() is None else folder, memory=True):
        pass  # bytecode and certificates
    for number in range(5):
        each(number)
    out = subprocess.run([sys.executable, "-m", "bench.inprocess"], capture_output=True, text=True, check=True).stdout
    for value in out.split():
        table.add("org in this process", float(value))


SECTION = Section(
    "starts", starts,
    (("bare Python", "s"), ("spawn to first 200", "s"), ("spawn to ready file", "s, Pub/Sub too"), ("org in this process", "s")),
    (("spawn to first 200 / bare Python", "spawn to first 200", "bare Python", "<= 10 (5)"),),
)  # fmt: skip
