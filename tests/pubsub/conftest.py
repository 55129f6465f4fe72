"""Client stubs made from our .proto by plain protoc, as any user would make them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from tests.conftest import ROOT

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
