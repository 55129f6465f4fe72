"""Client stubs made from our .proto by plain protoc, as any user would make them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import grpc
import pytest

from tests.conftest import ROOT
from tests.events.conftest import write_source
from tests.pubsub.client import PubSub
from tests.support.running import RunningOrg

PROTO = ROOT / "src" / "landbridge" / "wire" / "pubsub" / "eventbus.proto"


@pytest.fixture(scope="session")
def stubs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ModuleType, ModuleType]]:
    """The modules `eventbus_pb2` and `eventbus_pb2_grpc` of a client."""
    from grpc_tools import protoc

    folder: Path = tmp_path_factory.mktemp("stubs")
    assert (
        protoc.main(
            ["protoc", f"-I{PROTO.parent}", f"--python_out={folder}", f"--grpc_python_out={folder}", str(PROTO)]
        )
        == 0
    )
    sys.path.insert(0, str(folder))
    try:
        yield import_module("eventbus_pb2"), import_module("eventbus_pb2_grpc")
    finally:
        sys.path.remove(str(folder))


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_source(tmp_path_factory.mktemp("pubsub-source"))


@pytest.fixture(scope="module")
def bus(home: Path, source: Path) -> Iterator[RunningOrg]:
    """An org with platform events `Later__e` and `Now__e` and captured objects."""
    with RunningOrg(
        home=home,
        source=(source,),
        capture=("Account", "Contact", "Thing__c"),
        daily_api_requests=1_000_000,
        access_token="00D-preshared!does-not-expire-when-a-test-jumps",
        hourly_published_events=1_000_000,
    ) as org:
        yield org


@pytest.fixture(scope="module")
def channel(bus: RunningOrg) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(bus.ready["pubsub"]) as channel:
        yield channel


@pytest.fixture
def pubsub(stubs: tuple[ModuleType, ModuleType], channel: grpc.Channel, bus: RunningOrg) -> PubSub:
    return PubSub(stubs, channel, bus.ready)
