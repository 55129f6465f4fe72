"""The reference page names every error code and every rpc."""

from __future__ import annotations

from landbridge.wire.pubsub import eventbus_pb2
from landbridge.wire.pubsub.refusal import TABLE
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "reference" / "pubsub.md").read_text("utf-8")


def test_every_code_stands_with_its_status() -> None:
    assert [code for code, (status, _) in TABLE.items() if f"| `{code}` | {status} |" not in PAGE] == []


def test_every_rpc_is_told() -> None:
    service = eventbus_pb2.DESCRIPTOR.services_by_name["PubSub"]

    assert [method.name for method in service.methods if f"| `{method.name}` |" not in PAGE] == []
