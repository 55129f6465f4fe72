"""
The Streaming API against `faye`, the Bayeux server of Node that published clients are made of.

Both hold the subscribers' long polls and take publishes over HTTP; one raw load client drives both (`bench/subscribers.py`),
pinned to the other core, and both deliver messages of the same form and size. Ours checks the token and the fields of each event and writes it to its log; the org is in memory, as all
of faye is. Ours runs from a wheel as it is published, its hot paths compiled; figures beside it are a clone's, interpreted, and with
the log durable.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

from bench import compiled, servers
from bench.servers import ROOT, Running
from bench.subscribers import STAMP, Job, Result
from bench.table import SECONDS, Section, Table, rounds

EVENT = "Bench__e"
FAYE_PORT = 18_233
CLIENTS = ROOT / "tests" / "clients"
NODE = CLIENTS / "node_modules" / ".bin" / "node"
FAYE = """
const http = require('http'), faye = require('faye');
const server = http.createServer((request, response) => response.end());
new faye.NodeAdapter({mount: '/bayeux', timeout: 45}).attach(server);
server.listen(%d, '127.0.0.1');
"""
TEXT = "x" * 120
BATCH = 20
CASES = ((1, 1, 1), (10, 1, 1), (100, 1, 1), (1, 2, BATCH), (20, 2, BATCH), (100, 2, BATCH))
"""Subscribers, publishers, events of a request."""


def source(folder: Path) -> Path:
    """A package with one platform event: the moment it was sent, and some text."""
    place = folder / "source" / "objects" / EVENT
    (place / "fields").mkdir(parents=True)
    head = '<?xml version="1.0" encoding="UTF-8"?>'
    space = 'xmlns="http://soap.sforce.com/2006/04/metadata"'
    (place / f"{EVENT}.object-meta.xml").write_text(
        f"{head}<CustomObject {space}><deploymentStatus>Deployed</deploymentStatus><eventType>HighVolume</eventType>"
        "<label>Bench</label><pluralLabel>Bench</pluralLabel><publishBehavior>PublishAfterCommit</publishBehavior></CustomObject>"
    )
    for name, inner in (
        ("Sent__c", "<precision>18</precision><scale>0</scale><type>Number</type>"),
        ("Text__c", "<length>200</length><type>Text</type>"),
    ):
        (place / "fields" / f"{name}.field-meta.xml").write_text(
            f"{head}<CustomField {space}><fullName>{name}</fullName><label>{name}</label>{inner}</CustomField>"
        )
    return folder / "source"


@contextmanager
def faye() -> Iterator[Running]:
    """faye as its documentation starts it, in memory."""
    process = subprocess.Popen(
        [NODE, "-e", FAYE % FAYE_PORT], cwd=CLIENTS, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    with servers.stopped(process):
        servers.wait(FAYE_PORT, "/", process)
        yield Running(FAYE_PORT, process, {})


def pin(pid: int, core: int) -> None:
    """Keep a process to one core, its threads too: the load generator has the other."""
    if (os.cpu_count() or 1) > 1:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with suppress(ProcessLookupError):  # a thread that has ended meanwhile
                os.sched_setaffinity(int(thread.name), {core})


def used(pid: int) -> float:
    """Seconds of CPU a process has used, its threads included."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def drive(job: Job) -> Result:
    """Put the load on from a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.subscribers"], input=json.dumps(asdict(job)).encode(), cwd=ROOT, capture_output=True,
        check=False, timeout=job.seconds + 60, preexec_fn=lambda: os.sched_setaffinity(0, {(os.cpu_count() or 1) - 1}),
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stderr.decode())
    result = Result(**json.loads(done.stdout))
    if result.errors:
        raise RuntimeError(f"{result.errors} answers were errors")
    return result


def our_job(org: Running, subscribers: int, publishers: int, events: int) -> Job:
    values = {"Sent__c": int(STAMP), "Text__c": TEXT}
    if events == 1:
        path, body = f"/services/data/v67.0/sobjects/{EVENT}", json.dumps(values)
    else:
        path = "/services/data/v67.0/composite/sobjects"
        records = [{"attributes": {"type": EVENT}, **values}] * events
        body = json.dumps({"allOrNone": False, "records": records})
    bearer = {"Authorization": f"Bearer {org.ready['access_token']}"}
    return Job(
        org.port, "/cometd/67.0", f"/event/{EVENT}", path, body, bearer, subscribers, publishers, events == 1, SECONDS
    )


def faye_job(peer: Running, subscribers: int, publishers: int, events: int) -> Job:
    channel = f"/event/{EVENT}"
    data = {
        "schema": "x" * 22,
        "payload": {"CreatedDate": "2026-01-01T00:00:00.000Z", "CreatedById": "005000000000000AAA", "Sent__c": int(STAMP),
                    "Text__c": TEXT},
        "event": {"replayId": 1234567, "EventUuid": "x" * 36, "EventApiName": EVENT},
    }  # fmt: skip
    message = {"channel": channel, "data": data}
    body = json.dumps([message] * events)
    return Job(peer.port, "/bayeux", channel, "/bayeux", body, {}, subscribers, publishers, events == 1, SECONDS)


def name(who: str, subscribers: int, events: int) -> str:
    return f"{who}, {'single' if events == 1 else f'batches of {events}'}, {subscribers} subscribers"


def streams(table: Table, folder: Path) -> None:
    """Every case with ours, with faye, and single events with a durable log, one after the other, in rounds."""
    if not NODE.exists():
        print("  faye is not installed (`make test` does it): streaming is left out")
        return
    package = source(folder)
    os.environ["LANDBRIDGE_HOURLY_PUBLISHED_EVENTS"] = "1000000000"

    wheel = compiled.site()

    def each(_: int) -> None:
        for case in CASES:
            for who, site in (("ours", wheel), ("ours, a clone", None)):
                if who == "ours" and site is None:
                    continue
                with _place(folder) as place, servers.ours(place, memory=True, source=package, site=site) as org:
                    _measure(table, who, case, org, our_job(org, *case))
            with faye() as peer:
                _measure(table, "faye", case, peer, faye_job(peer, *case))
            if case[2] == 1:
                with _place(folder) as place, servers.ours(place, source=package, site=wheel) as org:
                    _measure(table, "ours, durable", case, org, our_job(org, *case))

    rounds(each)


@contextmanager
def _place(folder: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=folder) as place:
        yield Path(place)


def _measure(table: Table, who: str, case: tuple[int, int, int], server: Running, job: Job) -> None:
    label = name(who, case[0], case[2])
    pin(server.process.pid, 0)
    before = used(server.process.pid)
    result = drive(job)
    table.add(label, result.deliveries)
    table.add(f"{label}: per CPU second", result.deliveries * job.seconds / (used(server.process.pid) - before))
    if case[2] == 1:
        table.add(f"{label}: p50", result.p50)
        table.add(f"{label}: p99", result.p99)


_GOALS = {(1, 1): ">= 1.0 (1.3)", (10, 1): ">= 1.0 (1.3)", (100, 1): ">= 1.3 (2)", (1, BATCH): "-",
          (20, BATCH): ">= 5 (8)", (100, BATCH): ">= 5 (8)"}  # fmt: skip
_P50 = {1: "<= 0.15 (0.1)", 10: "-", 100: "<= 0.6 (0.4)"}
_WHO = ("ours", "faye", "ours, a clone", "ours, durable")

SECTION = Section(
    "streaming", streams,
    tuple(
        figure
        for subscribers, _, events in CASES
        for who in (_WHO if events == 1 else _WHO[:3])
        for label in (name(who, subscribers, events),)
        for figure in (
            (label, "deliveries/s"), (f"{label}: per CPU second", "deliveries"), *(((f"{label}: p50", "ms"), (f"{label}: p99", "ms")) if events == 1 else ()),
        )
    ),
    (
        *(
            (f"deliveries: {name('ours / faye', subscribers, events)}", name("ours", subscribers, events),
             name("faye", subscribers, events), _GOALS[subscribers, events])
            for subscribers, _, events in CASES
        ),
        *(
            (f"deliveries: {name('a clone / faye', subscribers, events)}", name("ours, a clone", subscribers, events),
             name("faye", subscribers, events), "-")
            for subscribers, _, events in CASES
        ),
        *(
            (f"per CPU second: {name('ours / faye', subscribers, events)}",
             f"{name('ours', subscribers, events)}: per CPU second", f"{name('faye', subscribers, events)}: per CPU second", "-")
            for subscribers, _, events in CASES
        ),
        *(
            (f"p50: {name('ours / faye', subscribers, events)}", f"{name('ours', subscribers, events)}: p50",
             f"{name('faye', subscribers, events)}: p50", _P50[subscribers])
            for subscribers, _, events in CASES if events == 1
        ),
    ),
)  # fmt: skip
