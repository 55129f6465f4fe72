"""`kill -9` under a write load: everything acknowledged is there after a restart, nothing is there by halves."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from landbridge import Settings
from tests.support.running import RunningOrg

ROUNDS = 4
CLIENTS = 16


class Served:
    """`landbridge serve` as a process of its own."""

    def __init__(self, data: Path, home: Path, ready: Path) -> None:
        self.ready_file = ready
        environment = {**os.environ, "LANDBRIDGE_HOME": str(home), "LANDBRIDGE_DAILY_API_REQUESTS": "1000000"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "landbridge", "serve", "--data", data, "--port", "0", "--ready-file", ready],
            env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip

    async def ready(self) -> dict[str, Any]:
        while not self.ready_file.exists():
            assert self.process.poll() is None, self.process.stderr.read() if self.process.stderr else ""
            await asyncio.sleep(0.01)
        found: dict[str, Any] = json.loads(self.ready_file.read_text())
        return found

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        if self.process.stderr is not None:
            self.process.stderr.close()
        self.ready_file.unlink()


async def create(ready: dict[str, Any], name: str, reader: Any, writer: Any) -> bool:
    """One create on a kept-alive connection; False when the server went away before it answered."""
    body = json.dumps({"LastName": name}).encode()
    head = (
        f"POST /services/data/v67.0/sobjects/Contact HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ready['access_token']}"
        f"\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    try:
        writer.write(head.encode() + body)
        status = await reader.readuntil(b"\r\n\r\n")
        length = int(status.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
    except (ConnectionError, asyncio.IncompleteReadError):
        return False
    assert b" 201 " in status, status
    return True


@pytest.mark.slow
@pytest.mark.ledger("storage.kill", "documented", "our promise: nothing acknowledged is lost")
async def test_everything_acknowledged_survives_kill_9_under_load(tmp_path: Path, home: Path) -> None:
    data, acknowledged, numbers = tmp_path / "org", [], count()
    for round_ in range(ROUNDS):
        served = Served(data, home, tmp_path / "ready.json")
        ready = await served.ready()
        port = int(ready["url"].rpartition(":")[2])

        async def client(ready: dict[str, Any] = ready, port: int = port) -> None:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            while await create(ready, name := f"n{next(numbers)}", reader, writer):
                acknowledged.append(name)
            writer.close()

        clients = [asyncio.ensure_future(client()) for _ in range(CLIENTS)]
        goal = len(acknowledged) + 150 + 61 * round_
        while len(acknowledged) < goal:
            await asyncio.sleep(0)
        served.kill()
        await asyncio.gather(*clients)

    def check() -> tuple[set[str], int]:
        with RunningOrg(data=data, home=home) as org:
            connection = org.door.server.db.writer
            found = [row[0] for row in connection.execute('SELECT "LastName" FROM "Contact"').fetchall()]
            halves = connection.execute('SELECT count(*) FROM "Contact" WHERE "Name" IS NULL').fetchall()[0][0]
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert len(found) == len(set(found))
        return set(found), int(halves)  # type: ignore[call-overload]

    names, halves = await asyncio.to_thread(check)
    assert set(acknowledged) <= names
    assert halves == 0


def test_a_folder_that_is_owned_is_refused_by_a_second_server(tmp_path: Path, home: Path) -> None:
    with (
        RunningOrg(data=tmp_path / "org", home=home),
        pytest.raises(Exception, match="owned by a running Landbridge .process"),
        RunningOrg(data=tmp_path / "org", home=home),
    ):
        pass


def test_ids_are_not_given_twice_after_a_restart(tmp_path: Path, home: Path) -> None:
    given = set()
    for _ in range(3):
        with RunningOrg(data=tmp_path / "org", home=home) as org:
            given |= {org.create("Account", Name="x") for _ in range(3)}

    assert len(given) == 9


def test_sessions_and_logins_survive_a_restart(tmp_path: Path, home: Path) -> None:
    with RunningOrg(data=tmp_path / "org", home=home) as first:
        ready = first.ready

    with RunningOrg(data=tmp_path / "org", home=home) as second:
        reply = second.data("GET", "/limits", token=ready["access_token"])
        again = second.ready

    assert reply.status == 200
    same = (
        "username",
        "password",
        "security_token",
        "client_id",
        "client_secret",
        "refresh_token",
        "org_id",
        "user_id",
    )
    assert {key: ready[key] for key in same} == {key: again[key] for key in same}


def test_settings_show_no_secret() -> None:
    settings = Settings(password="hush-1", access_token="hush-2", connected_app=("id:hush-3",), security_token="hush-4")

    assert "hush" not in repr(settings)
