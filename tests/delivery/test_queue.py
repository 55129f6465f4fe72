"""The queue in the org's database keeps the contract."""

from __future__ import annotations

from tests.support.queue import QueueContract


class TestSqlQueue(QueueContract):
    """On SQLite."""
