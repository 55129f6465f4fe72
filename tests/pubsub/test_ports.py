"""The ports: free ones beside --port 0, a clear word about one that is taken, a quick start."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from landbridge import Settings
from landbridge.errors import LandbridgeError
from tests.support.running import RunningOrg


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        yield busy.getsockname()[1]


def test_defaults_and_free_ones() -> None:
    assert Settings().pubsub_ports == (7442, 7443)
    assert Settings(port=0).pubsub_ports == (0, 0)
    assert Settings(port=0, pubsub_port=9000).pubsub_ports == (9000, 0)
    assert Settings(pubsub_tls_port=0).pubsub_ports == (7442, 0)


@pytest.mark.parametrize("setting", ["pubsub_port", "pubsub_tls_port"])
def test_a_port_that_is_taken_is_told_with_its_option(home: Path, taken: int, setting: str) -> None:
    option = "--" + setting.replace("_", "-")

    with pytest.raises(LandbridgeError, match=f"port {taken} on 127.0.0.1 is in use.*{option}"):
        RunningOrg(home=home, **{setting: taken}).__enter__()


def test_two_orgs_in_one_process_each_with_ports_of_their_own(home: Path) -> None:
    with RunningOrg(home=home) as one, RunningOrg(home=home) as other:
        places = {org.ready[key] for org in (one, other) for key in ("pubsub", "pubsub_tls")}

    assert len(places) == 4


def test_a_port_is_free_again_when_the_org_is_closed(home: Path) -> None:
    with RunningOrg(home=home) as org:
        port = int(org.ready["pubsub"].rpartition(":")[2])

    with RunningOrg(home=home, pubsub_port=port) as org:
        assert org.ready["pubsub"] == f"localhost:{port}"


@pytest.mark.skipif(not Path("/proc/self/task").exists() or not hasattr(os, "SCHED_BATCH"), reason="Linux's own")
def test_threads_of_grpc_leave_the_core_to_the_loop(home: Path) -> None:
    """In a process of its own: the first server of a process starts the threads of all."""
    program = f"""
import asyncio, os, pathlib
from landbridge import Door, Settings

async def main():
    place = pathlib.Path({str(home)!r})
    async with Door.open(Settings(port=0, data=place / "org", home=place)):
        policies = {{os.sched_getscheduler(int(t)) for t in os.listdir("/proc/self/task")
                    if open(f"/proc/self/task/{{t}}/comm").read().strip() == "event_engine"}}
        print(os.sched_getscheduler(0) == os.SCHED_OTHER, policies == {{os.SCHED_BATCH}})

asyncio.run(main())
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert ended.stdout.split() == ["True", "True"], ended.stderr


def test_nothing_of_grpc_is_loaded_before_http_answers() -> None:
    code = (
        "import sys, landbridge.cli.serve; print([name for name in ('grpc', 'google.protobuf') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)

    assert done.stdout.strip() == "[]"
