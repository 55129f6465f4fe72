"""The generated messages are what the .proto says, and get along with a client's own in one process."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from types import ModuleType

import pytest

from landbridge.wire.pubsub import eventbus_pb2
from tests.conftest import ROOT

ROOM = ROOT / "src" / "landbridge" / "wire" / "pubsub"


@pytest.mark.parametrize("name", ["eventbus_pb2.py", "eventbus_pb2.pyi"])
def test_the_committed_module_is_what_the_script_makes(name: str, tmp_path: Path) -> None:
    pytest.importorskip("grpc_tools")

    runpy.run_path(str(ROOT / "scripts" / "make_stubs.py"))["make"](tmp_path)

    assert (ROOM / name).read_text() == (tmp_path / name).read_text(), "run `make stubs` and commit what it wrote"


def test_messages_of_a_client_in_the_same_process_do_not_collide(stubs: tuple[ModuleType, ModuleType]) -> None:
    theirs, _ = stubs
    sent = theirs.FetchRequest(topic_name="/event/Order__e", num_requested=3)

    read = eventbus_pb2.FetchRequest.FromString(sent.SerializeToString())

    assert (read.topic_name, read.num_requested) == ("/event/Order__e", 3)
    assert theirs.FetchRequest is not eventbus_pb2.FetchRequest
    assert theirs.__name__ in sys.modules
