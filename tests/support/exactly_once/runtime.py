"""
The process that is killed: an org with the harness's flow, which publishes the plan while it delivers it.

    python -m tests.support.exactly_once.runtime CONFIG.json

CONFIG: seed, events, keys, share (how many of the events to publish while there is work), data, home, port (of the outside
system), kill ("point" and "hit", or null), points (a file to which every crash point that is passed is counted at exit or kill),
breakage, replay. It ends with code 0 when everything it was to do is done.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from landbridge import Server, Settings
from landbridge.delivery import POINTS, deadletters, reader
from landbridge.delivery.deadletters import DeadLetterError
from landbridge.faults import Strike
from landbridge.faults.switchboard import Switch
from landbridge.storage import Unit
from tests.conftest import ROOT
from tests.support.exactly_once.breakage import BREAKAGES
from tests.support.exactly_once.plan import Plan

AHEAD = 200
"""How many events are published before those behind them have been delivered: reading goes on through the whole run."""
TIMEOUT = 0.4
"""Seconds for one callout: shorter than the outside system's silence."""
OPEN = "SELECT count(*) FROM lb_delivery"
LETTERS = """SELECT "Id", "Payload__c" FROM "Failed_Payload__c" WHERE "Status__c" = 'Open' ORDER BY "Delivery__c" """


class Killer:
    """Counts the crash points that are passed, and ends the process at one of them, the n-th time."""

    def __init__(self, config: dict[str, Any]) -> None:
        self._kill = config["kill"]
        self._file = Path(config["points"])
        self.passed: Counter[str] = Counter()

    def at(self, point: str) -> bool:
        self.passed[point] += 1
        if self._kill is not None and point == self._kill["point"] and self.passed[point] == self._kill["hit"]:
            self.write(point)
            os.kill(os.getpid(), signal.SIGKILL)
        return False

    def write(self, killed: str | None) -> None:
        with self._file.open("a") as file:
            file.write(json.dumps({"killed": killed, "passed": self.passed}) + "\n")

    def switch_on(self, server: Server) -> None:
        for point in POINTS:
            server.switchboard.on(Switch(f"delivery.{point}", Strike(), lambda _context, point=point: self.at(point)))  # type: ignore[misc]


async def publish(server: Server, plan: Plan, share: int) -> None:
    """
    Publish what the log does not have yet, never far ahead of the deliveries.

    Up to the `share`-th event; more only when all of those are delivered and the process still lives. So the work lasts
    for every kill there is to be, however fast the machine.
    """
    access = server.crossing._parts.access
    entity = server.catalog.get("Packing_Event__e")
    assert entity is not None
    at = server.db.read_now(lambda r: r.one("SELECT count(*) FROM lb_event WHERE topic = '/event/Packing_Event__e'"))[0]  # type: ignore[index]
    while at < len(plan.published):
        waiting = server.db.read_now(lambda r: r.one(OPEN))[0]  # type: ignore[index]
        if waiting > AHEAD or (at >= share and (waiting or not server.crossing.reader.idle)):
            await asyncio.sleep(0.002)
            continue
        batch = [plan.items[index] for index in plan.published[at : at + 20]]

        def work(tx: Any, batch: Any = batch) -> None:
            for item in batch:
                draft = server.publisher.draft(access, entity, {"Order_Number__c": item.key, "Status__c": item.status})
                draft.uuid = item.uuid
                server.publisher.enqueue(tx, entity, draft)

        await server.db.write(work, Unit("publisher"))
        at += len(batch)
        await asyncio.sleep(0)


async def replay(server: Server) -> None:
    """Mend every dead letter and send it again, twice: the second time must be refused."""
    letters = server.db.read_now(lambda r: r.all(LETTERS))
    user = str(server.org.admin_id)
    for letter, payload in letters:
        mended = json.loads(payload)
        mended["values"]["Status__c"] = mended["values"]["Status__c"].partition(" ")[0]

        def work(tx: Any, letter: str = letter, text: str = json.dumps(mended)) -> None:
            deadletters.edit(tx, letter, text, user)
            deadletters.replay(tx, [letter], user)

        await server.db.write(work, Unit("replay"))
    server.crossing.engine.wake()
    while server.db.read_now(lambda r: r.one(OPEN))[0]:  # type: ignore[index]
        await asyncio.sleep(0.005)
    for letter, _ in letters:
        try:
            await server.db.write(lambda tx, one=letter: deadletters.replay(tx, [one], user), Unit("again"))  # type: ignore[misc]
        except DeadLetterError:
            continue
    server.crossing.engine.wake()


async def main(config: dict[str, Any]) -> None:
    if config["breakage"] is not None:
        BREAKAGES[config["breakage"]]()
    reader.BATCH = 32  # many small steps: more places to be killed at
    killer = Killer(config)
    plan = Plan.make(config["seed"], config["events"], config["keys"])
    settings = Settings(
        data=Path(config["data"]), home=Path(config["home"]), source=(ROOT / "examples" / "shop",), capture=(),
        hourly_published_events=10**9,
    )  # fmt: skip
    server = await Server.open(settings)
    try:
        url = f"http://127.0.0.1:{config['port']}"
        setting = {"url": url, "timeout": TIMEOUT, "breaker": {"failures": 0}}
        await server.db.write(
            lambda tx: server.callouts.store.set(tx, "ERP", setting, {}, str(server.org.admin_id)), Unit("credential")
        )
        killer.switch_on(server)
        await server.crossing.run(server.crossing.open(Path(__file__).with_name("flow.py")))
        await server.crossing.start()
        await publish(server, plan, config["share"])
        while not server.crossing.reader.idle or server.db.read_now(lambda r: r.one(OPEN))[0]:  # type: ignore[index]
            await asyncio.sleep(0.005)
        if config["replay"]:
            await replay(server)
            while server.db.read_now(lambda r: r.one(OPEN))[0]:  # type: ignore[index]
                await asyncio.sleep(0.005)
    finally:
        await server.close()
    killer.write(None)


if __name__ == "__main__":
    asyncio.run(main(json.loads(Path(sys.argv[1]).read_text())))
