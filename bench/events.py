"""
Events: what publishing costs against creating a record, what capture adds to a create, how soon a committed event is read.

Three orgs side by side, durable, over HTTP with 16 clients: creates without capture, the same creates captured, the same fields
published as a platform event. The last figures are of one loop: from before the unit of a publish to a waiting reader's
answer, one at a time on an idle machine, with the fsync in it and without. The orgs run from a wheel as it is published, where one
can be compiled; what capture adds in a clone, interpreted, stands beside it.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import uvloop

from bench import compiled, servers
from bench.load import Job
from bench.table import SECONDS, Section, Table, rounds
from landbridge import Settings
from landbridge.access import Access
from landbridge.server import Server
from landbridge.storage import Unit

CLIENTS = 16
TRIPS = 400
_FIELDS = {"Title__c": "<type>Text</type><length>80</length>", "Phone__c": "<type>Text</type><length>40</length>",
           "Website__c": "<type>Text</type><length>255</length>", "Industry__c": "<type>Text</type><length>40</length>",
           "Revenue__c": "<type>Number</type><precision>18</precision><scale>2</scale>",
           "Staff__c": "<type>Number</type><precision>8</precision><scale>0</scale>"}  # fmt: skip
CREATE = ('{"Name": "Account name {n}", "Phone": "+1 555 {n}", "Website": "https://example{n}.com", "Industry": "Technology", '
          '"AnnualRevenue": 1234.5, "NumberOfEmployees": 12}')  # fmt: skip
PUBLISH = ('{"Title__c": "Account name {n}", "Phone__c": "+1 555 {n}", "Website__c": "https://example{n}.com", '
           '"Industry__c": "Technology", "Revenue__c": 1234.5, "Staff__c": 12}')  # fmt: skip


def source(folder: Path) -> Path:
    """A package with one platform event that carries what the created account does."""
    made = folder / "source" / "objects" / "Made__e"
    made.mkdir(parents=True)
    fields = "".join(
        f"<fields><fullName>{n}</fullName><label>{n}</label>{inner}</fields>" for n, inner in _FIELDS.items()
    )
    (made / "Made__e.object-meta.xml").write_text(
        '<CustomObject xmlns="http://soap.sforce.com/2006/04/metadata"><label>Made</label><pluralLabel>Made</pluralLabel>'
        f"<eventType>HighVolume</eventType><publishBehavior>PublishAfterCommit</publishBehavior>{fields}</CustomObject>"
    )
    return folder / "source"


def run(table: Table, folder: Path) -> None:
    package = source(folder)
    with ExitStack() as stack:
        orgs = {}
        wheel = compiled.site()
        capture = ("--capture", "Account")
        for name, options, site in (
            ("off", (), wheel), ("on", capture, wheel), ("publish", (), wheel),
            ("off, a clone", (), None), ("on, a clone", capture, None),
        ):  # fmt: skip
            place = folder / name
            place.mkdir()
            orgs[name] = stack.enter_context(
                servers.ours(place, "--pubsub-port", "0", "--pubsub-tls-port", "0", *options, source=package, site=site)
            )

        def one(number: int) -> None:
            for label, name, path, body in (
                ("events: creates/s, capture off", "off", "Account", CREATE),
                ("events: creates/s, capture on", "on", "Account", CREATE),
                ("events: publishes/s", "publish", "Made__e", PUBLISH),
                ("events: creates/s, capture off, a clone", "off, a clone", "Account", CREATE),
                ("events: creates/s, capture on, a clone", "on, a clone", "Account", CREATE),
            ):
                org = orgs[name]
                headers = {"Authorization": f"Bearer {org.ready['access_token']}"}
                job = Job(
                    0, "POST", f"/services/data/v67.0/sobjects/{path}", headers, body, CLIENTS, SECONDS, number * 10**6
                )
                table.add(label, org.load(job).rate)

        rounds(one)
    uvloop.run(_latency(table, package))


async def _latency(table: Table, package: Path) -> None:
    """How long a reader that waits takes to have the event, on a machine that does nothing else."""
    for kind in ("on disk", "in memory"):
        with tempfile.TemporaryDirectory(prefix="landbridge-bench-") as place:
            data = Path(place) / "org" if kind == "on disk" else None
            server = await Server.open(Settings(data=data, source=(package,), hourly_published_events=10**9))
            try:
                found = sorted(await _trips(server))
            finally:
                await server.close()
        table.add(f"events: publish to read p50, {kind}", found[len(found) // 2] * 1e3)
        table.add(f"events: publish to read p99, {kind}", found[int(len(found) * 0.99)] * 1e3)


async def _trips(server: Server) -> list[float]:
    log, topic, access = server.events, server.events.topic("/event/Made__e"), Access(server.org.admin_id)
    entity = server.catalog.get("Made__e")
    assert topic is not None
    assert entity is not None
    position, found = log.tip(), []
    for number in range(TRIPS):
        waiting = asyncio.ensure_future(log.wait(topic, position))
        await asyncio.sleep(0.001)
        start = time.perf_counter()
        writing = asyncio.ensure_future(server.db.write(
            lambda tx, number=number: server.publisher.publish(tx, access, entity, {"Staff__c": number}), Unit("bench")
        ))  # fmt: skip
        await waiting
        (event,) = log.read(topic, position, 10)
        found.append(time.perf_counter() - start)
        position = event.replay_id
        await writing
    return found


SECTION = Section(
    name="events",
    run=run,
    figures=(
        ("events: creates/s, capture off", "creates/s"),
        ("events: creates/s, capture on", "creates/s"),
        ("events: publishes/s", "events/s"),
        ("events: creates/s, capture off, a clone", "creates/s"),
        ("events: creates/s, capture on, a clone", "creates/s"),
        ("events: publish to read p50, on disk", "ms"),
        ("events: publish to read p99, on disk", "ms"),
        ("events: publish to read p50, in memory", "ms"),
        ("events: publish to read p99, in memory", "ms"),
    ),
    ratios=(
        ("publishing ÷ creating records", "events: publishes/s", "events: creates/s, capture off", ">= 0.5"),
        (
            "creates captured ÷ not captured",
            "events: creates/s, capture on",
            "events: creates/s, capture off",
            ">= 0.7",
        ),
        (
            "creates captured ÷ not captured: a clone",
            "events: creates/s, capture on, a clone",
            "events: creates/s, capture off, a clone",
            "-",
        ),
    ),
)
