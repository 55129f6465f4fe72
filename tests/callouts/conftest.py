"""An org in this process with its credentials, for tests of what goes out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from landbridge import Settings
from landbridge.access import Access
from landbridge.server import Server
from landbridge.soql import Asked, run
from landbridge.storage import Unit


class Org:
    """A server and the shortest words for what tests do with it."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.callouts = server.callouts

    async def credential(self, name: str, url: str, secrets: dict[str, str] | None = None, **changes: Any) -> None:
        await self.server.db.write(
            lambda tx: self.callouts.store.set(
                tx, name, {"url": url, **changes}, secrets or {}, self.server.org.admin_id
            ),
            Unit("test"),
        )

    async def log(self, where: str = "") -> list[dict[str, Any]]:
        """The journal's rows in order, everything written; `where` begins with WHERE."""
        import msgspec

        from landbridge.callouts.journal import COLUMNS

        await self.callouts.journal.flush()
        statement = self.server.front.prepare(
            f"SELECT {', '.join(COLUMNS)} FROM Callout_Log__c {where} ORDER BY CreatedDate, Id",
            self.server.catalog, Access(self.server.org.admin_id), 67.0,
        )  # fmt: skip
        page = self.server.db.read_now(
            lambda reader: run(
                reader, statement, batch=2000, asked=Asked(self.server.clock.epoch()), locate=lambda _: ""
            )
        )
        found: list[dict[str, Any]] = msgspec.json.decode(page.records)
        return found


@pytest.fixture
async def org(tmp_path: Path) -> AsyncIterator[Org]:
    server = await Server.open(Settings(data=tmp_path / "org"))
    try:
        yield Org(server)
    finally:
        await server.close()
