"""
The Pub/Sub API: responses of 100 events to 20 streams, against a naive grpc.aio server that builds messages per stream.

Both answer the same client in a process of its own, one core each: a FetchRequest for 100 events, its response, the next. Ours
reads them from the org's log, with the session looked up and the flow control of the real service; the naive server has them
in a list. The client takes responses as bytes, so that it is not the bound.

From commit to receipt: an org in this process notes when a commit has appended, a subscriber in another when the event is there; both
clocks are the machine's monotonic one.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import grpc
import uvloop

from bench import servers
from bench.table import Section, Table, rounds
from landbridge import Door, Settings
from landbridge.wire.pubsub import eventbus_pb2 as pb

EVENTS, STREAMS, TIMES, BATCH, TEXT = 10_000, 20, 4, 100, "x" * 150
SINGLES = 400
TOPIC = "/event/Bench__e"
METHOD = "/eventbus.v1.PubSub/Subscribe"
OBJECT = """<CustomObject xmlns="http://soap.sforce.com/2006/04/metadata"><label>Bench</label><pluralLabel>Bench</pluralLabel>
<eventType>HighVolume</eventType><publishBehavior>PublishAfterCommit</publishBehavior>
<fields><fullName>Text__c</fullName><label>Text</label><type>Text</type><length>200</length></fields></CustomObject>"""


def source(folder: Path) -> Path:
    place = folder / "source" / "objects" / "Bench__e"
    place.mkdir(parents=True, exist_ok=True)
    (place / "Bench__e.object-meta.xml").write_text(OBJECT)
    return folder / "source"


def metadata(ready: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    return (("accesstoken", ready["access_token"]), ("instanceurl", ready["url"]), ("tenantid", ready["org_id"]))


def keep_to(core: int) -> None:
    """One core a side, where there are two."""
    if len(os.sched_getaffinity(0)) > 1:
        os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[core]})


# --- the naive server ---------------------------------------------------------------------------------------------------


async def naive() -> None:
    """What one writes first: a list of events, a message built for every event of every stream."""
    keep_to(0)
    events = [(f"{number:036}", "s" * 22, TEXT.encode() + bytes(30), number) for number in range(1, EVENTS + 1)]

    async def subscribe(requests: Any, context: Any) -> Any:
        at = 0
        async for request in requests:
            response = pb.FetchResponse(rpc_id="r" * 36)
            for uuid, schema_id, payload, number in events[at : at + request.num_requested]:
                produced = pb.ProducerEvent(id=uuid, schema_id=schema_id, payload=payload)
                response.events.append(pb.ConsumerEvent(event=produced, replay_id=number.to_bytes(8, "big")))
            at += len(response.events)
            response.latest_replay_id = at.to_bytes(8, "big")
            yield response

    server = grpc.aio.server()
    handler = grpc.stream_stream_rpc_method_handler(
        subscribe, pb.FetchRequest.FromString, pb.FetchResponse.SerializeToString
    )
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("eventbus.v1.PubSub", {"Subscribe": handler}),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)
    await server.wait_for_termination()


# --- the client ---------------------------------------------------------------------------------------------------------


async def client(place: str, ready: dict[str, Any]) -> None:
    """Read all events on every stream, several times; prints events a second."""
    keep_to(1)
    first = pb.FetchRequest(topic_name=TOPIC, replay_preset=pb.EARLIEST, num_requested=BATCH).SerializeToString()
    more = pb.FetchRequest(num_requested=BATCH).SerializeToString()
    async with grpc.aio.insecure_channel(place) as channel:

        async def one() -> None:
            call = channel.stream_stream(METHOD)(metadata=metadata(ready))
            await call.write(first)
            for number in range(EVENTS // BATCH):
                response = await call.read()
                assert len(response) > BATCH * len(TEXT), "a response of fewer events"
                if number < EVENTS // BATCH - 1:
                    await call.write(more)
            call.cancel()

        async def again() -> None:
            for _ in range(TIMES):
                await one()

        start = time.perf_counter()
        await asyncio.gather(*(again() for _ in range(STREAMS)))
        print(EVENTS * STREAMS * TIMES / (time.perf_counter() - start))


async def listener(place: str, ready: dict[str, Any]) -> None:
    """Prints, for each event, its replay id and when it was there."""
    async with grpc.aio.insecure_channel(place) as channel:
        call = channel.stream_stream(METHOD)(metadata=metadata(ready))
        await call.write(pb.FetchRequest(topic_name=TOPIC, num_requested=100).SerializeToString())
        print("listening", flush=True)
        for _ in range(SINGLES):
            response = await call.read()
            now = time.perf_counter()
            found = pb.FetchResponse.FromString(response)
            for event in found.events:
                print(int.from_bytes(event.replay_id, "big"), now, flush=True)
            if found.pending_num_requested < 50:
                await call.write(pb.FetchRequest(num_requested=50).SerializeToString())
        call.cancel()


def start_part(*arguments: str, ready: dict[str, Any] | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "bench.pubsub", *arguments, json.dumps(ready or {})],
        cwd=servers.ROOT, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def read_all(place: str, ready: dict[str, Any]) -> float:
    done = start_part("client", place, ready=ready)
    out, _ = done.communicate(timeout=120)
    return float(out)


# --- from commit to receipt ---------------------------------------------------------------------------------------------


async def latency(table: Table, folder: Path) -> None:
    """Single events into an org of this process, one after the other."""
    settings = Settings(port=0, data=folder / "org", home=folder / "home", source=(source(folder),))
    async with Door.open(settings) as door:
        server = door.server
        committed: dict[int, float] = {}
        server.events.listen(lambda: committed.setdefault(server.events.tip(), time.perf_counter()))
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bench.pubsub", "listener", door.ready["pubsub"], json.dumps(door.ready),
            cwd=servers.ROOT, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out = process.stdout
        assert out is not None
        assert await out.readline() == b"listening\n"
        while not any(stream._topic for stream in door.pubsub._service._open_streams):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        async with grpc.aio.insecure_channel(door.ready["pubsub"]) as channel:
            call = channel.unary_unary("/eventbus.v1.PubSub/Publish", pb.PublishRequest.SerializeToString)
            request = pb.PublishRequest(topic_name=TOPIC, events=[produced(server)])
            gone = []
            for _ in range(SINGLES):
                await call(request, metadata=metadata(door.ready))
                number, there = (await out.readline()).split()
                gone.append((float(there) - committed[int(number)]) * 1000)
                await asyncio.sleep(0.002)
        await process.wait()
    gone.sort()
    table.add("event received after its commit, p50", statistics.median(gone))
    table.add("event received after its commit, p99", gone[int(len(gone) * 0.99)])


def produced(server: Any) -> pb.ProducerEvent:
    """An event of the topic's schema: two system fields and one text, written by hand."""
    topic = server.events.topic(TOPIC)
    form = server.events.form(topic.schema_id)
    payload = form.codec.encode({"CreatedDate": 0, "CreatedById": "005000000000000AAA", "Text__c": TEXT})
    return pb.ProducerEvent(schema_id=topic.schema_id, payload=payload)


def fill(ready: dict[str, Any]) -> None:
    """Publish the events, 200 a request."""
    with grpc.insecure_channel(ready["pubsub"]) as channel:
        topic = channel.unary_unary(
            "/eventbus.v1.PubSub/GetTopic", pb.TopicRequest.SerializeToString, pb.TopicInfo.FromString
        )(pb.TopicRequest(topic_name=TOPIC), metadata=metadata(ready))
        publish = channel.unary_unary(
            "/eventbus.v1.PubSub/Publish", pb.PublishRequest.SerializeToString, pb.PublishResponse.FromString
        )
        text = TEXT.encode()
        # Avro: 0, 18 characters, the union's second branch, a text of 150 characters (zigzag varints).
        payload = b"\x00" + b"\x24" + b"005000000000000AAA" + b"\x02" + b"\xac\x02" + text
        event = pb.ProducerEvent(schema_id=topic.schema_id, payload=payload)
        for _ in range(EVENTS // 200):
            response = publish(pb.PublishRequest(topic_name=TOPIC, events=[event] * 200), metadata=metadata(ready))
            assert not response.results[0].HasField("error"), response.results[0].error.msg


def run(table: Table, folder: Path) -> None:
    other = start_part("naive")
    try:
        assert other.stdout is not None
        place = f"127.0.0.1:{other.stdout.readline().strip()}"
        with servers.ours(folder, source=source(folder)) as org:
            fill(org.ready)
            if len(os.sched_getaffinity(0)) > 1:
                os.sched_setaffinity(org.process.pid, {sorted(os.sched_getaffinity(0))[0]})
            read_all(org.ready["pubsub"], org.ready)  # every event is encoded once
            read_all(place, {"access_token": "x", "url": "x", "org_id": "x"})

            def each(_: int) -> None:
                table.add("Pub/Sub, 20 streams", read_all(org.ready["pubsub"], org.ready))
                table.add(
                    "naive grpc.aio, 20 streams", read_all(place, {"access_token": "x", "url": "x", "org_id": "x"})
                )

            rounds(each)
    finally:
        other.kill()
        other.wait()
    uvloop.run(latency(table, folder / "latency"))


SECTION = Section(
    "pubsub",
    run,
    figures=(
        ("Pub/Sub, 20 streams", "events/s, responses of 100"), ("naive grpc.aio, 20 streams", "events/s, responses of 100"),
        ("event received after its commit, p50", "ms"), ("event received after its commit, p99", "ms"),
    ),
    ratios=(
        ("Pub/Sub / naive grpc.aio, responses of 100", "Pub/Sub, 20 streams", "naive grpc.aio, 20 streams", ">= 4 (6)"),
    ),
)  # fmt: skip

if __name__ == "__main__":
    part = sys.argv[1]
    if part == "naive":
        asyncio.run(naive())
    else:
        uvloop.run({"client": client, "listener": listener}[part](sys.argv[2], json.loads(sys.argv[3])))
