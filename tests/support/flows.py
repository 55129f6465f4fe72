"""An org that runs a flow written by the test, and what its handlers saw."""

from __future__ import annotations

import asyncio
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from landbridge.storage import Unit
from tests.conftest import ROOT
from tests.support.outside import Outside, outside
from tests.support.running import RunningOrg

SHOP = ROOT / "examples" / "shop"
HEAD = """
from __future__ import annotations
from landbridge import (
    Attempt, CalloutFailed, ChangeEvent, Flow, GiveUp, Org, PlatformEvent, Retry, RetryLater, Transaction,
)
flow = Flow("test")
SEEN = []
FAST = Retry(attempts=3, first=0.01, longest=0.02)
"""


def write(path: Path, body: str, head: str = HEAD) -> Path:
    """A flow file; `body` stands behind the usual imports, a flow and a list SEEN."""
    path.write_text(head + textwrap.dedent(body))
    return path


class FlowOrg(RunningOrg):
    """A RunningOrg with one flow file."""

    def __init__(self, path: Path, **settings: Any) -> None:
        super().__init__(flow=(path,), source=(SHOP,), **{"capture": ("Account", "Contact"), **settings})
        self.path = path

    @property
    def seen(self) -> list[Any]:
        """The flow file's SEEN."""
        (loaded,) = self.door.server.crossing.loaded.values()
        handler = next(iter(loaded.handlers.values()))
        found: list[Any] = handler.declared.function.__globals__["SEEN"]
        return found

    def settled(self) -> None:
        """Wait until everything in the log has been handled and nothing is due."""

        async def wait() -> None:
            flows = self.door.server.crossing
            while not flows.idle:  # a test's look from outside: the engine itself never polls
                await asyncio.sleep(0.005)

        self.do(wait)

    def finished(self) -> None:
        """Wait until nothing is open but what is held."""
        sql = "SELECT count(*) FROM lb_delivery WHERE state <> 'held' AND is_head = 1"

        async def wait() -> None:
            server = self.door.server
            while not (server.crossing.reader.idle and server.db.read_now(lambda reader: reader.one(sql)) == (0,)):
                await asyncio.sleep(0.005)

        self.do(wait)

    def noted(self) -> None:
        """Write down what has settled: watermarks and the last good event, which the server does about once a second."""

        async def write() -> None:
            server = self.door.server
            await server.db.write(server.crossing.progress.write, Unit("progress"))

        self.do(write)

    def letters(self) -> list[dict[str, Any]]:
        """The dead letters, oldest first."""
        return self.rows(
            "SELECT Id, Subscription__c, Key__c, Event_Uuid__c, Status__c, Holds_Key__c, Cause__c, Fingerprint__c, Kind__c, Code__c, "
            "Attempts__c, Attempt_Log__c, Error__c, Payload__c, Flow_Version__c, Reason__c, Replays__c FROM Failed_Payload__c "
            "ORDER BY Id"
        )


@contextmanager
def flow_org(folder: Path, home: Path, body: str, **settings: Any) -> Iterator[FlowOrg]:
    with FlowOrg(write(folder / "flow.py", body), home=home, **settings) as org:
        yield org


@contextmanager
def beside(org: FlowOrg, handler: Any, name: str = "ERP", **settings: Any) -> Iterator[Outside]:
    """An outside system on the org's own loop, behind the named credential."""
    context = outside(handler)

    async def enter() -> Outside:
        system = await context.__aenter__()
        server = org.door.server
        setting = {"url": system.url, "timeout": 2.0, **settings}
        await server.db.write(
            lambda tx: server.callouts.store.set(tx, name, setting, {}, str(server.org.admin_id)), Unit("test")
        )
        return system

    async def leave() -> None:
        await context.__aexit__(None, None, None)

    system = org.do(enter)
    try:
        yield system
    finally:
        org.do(leave)
