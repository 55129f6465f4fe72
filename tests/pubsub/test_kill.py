"""`kill -9` under subscribers: who reconnects with the last replay id sees every event once, in order."""

from __future__ import annotations

import http.client
import json
import threading
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any

import grpc
import pytest

from landbridge.wire.pubsub import replay
from tests.pubsub.client import Failure, PubSub, number_of
from tests.support.crashes import Counted
from tests.support.serving import Served

ROUNDS = 3
EVENTS, CHANGES = "/event/Later__e", "/data/ContactChangeEvent"


class Follower:
    """Follows a topic through restarts by the replay id it saw last."""

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.numbers: list[int] = []
        self.keys: list[str] = []
        self.last: bytes | None = None

    def follow(self, client: PubSub, until: str = "") -> None:
        """Until the connection breaks, or an event with this key came."""
        preset = {"replay_preset": client.pb.EARLIEST}
        if self.last is not None:
            preset = {"replay_preset": client.pb.CUSTOM, "replay_id": self.last}
        with client.subscribe(self.topic, 100, **preset) as stream:
            while not until or until not in self.keys[-100:]:
                try:
                    found = stream.next().events
                except (Failure, StopIteration):
                    return
                for event in found:
                    self.numbers.append(number_of(event.replay_id))
                    self.keys.append(self.key(client.decode(event)))
                    self.last = event.replay_id
                if found:
                    stream.ask(len(found))

    @staticmethod
    def key(values: dict[str, Any]) -> str:
        return str(
            values["ChangeEventHeader"]["recordIds"][0] if "ChangeEventHeader" in values else values["Needed__c"]
        )


def publish(client: PubSub, numbers: Any, acknowledged: list[str]) -> None:
    while True:
        names = [f"n{next(numbers)}" for _ in range(3)]
        try:
            results = client.publish_many(EVENTS, names)
        except Failure:
            return
        assert not any(result.HasField("error") for result in results)
        acknowledged += names


def create(ready: dict[str, Any], acknowledged: list[str]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", int(ready["url"].rpartition(":")[2]), timeout=30)
    headers = {"Authorization": f"Bearer {ready['access_token']}", "Content-Type": "application/json"}
    try:
        while True:
            connection.request("POST", "/services/data/v67.0/sobjects/Contact", b'{"LastName": "x"}', headers)
            acknowledged.append(json.loads(connection.getresponse().read())["id"])
    except (OSError, http.client.HTTPException):
        connection.close()


@pytest.mark.slow
@pytest.mark.ledger("pubsub.kill", "documented", "our promise: no gap and no repeat across a crash")
def test_reconnecting_with_the_last_replay_id_sees_each_event_once(
    request: pytest.FixtureRequest, stubs: tuple[ModuleType, ModuleType], tmp_path: Path, home: Path, source: Path,
    counted: Counted,
) -> None:  # fmt: skip
    published: list[str] = []
    created: list[str] = []
    followers = (Follower(EVENTS), Follower(CHANGES))
    numbers = count()
    for round_ in range(ROUNDS):
        served = Served(tmp_path, home, "--source", source, "--capture", "Contact")
        request.addfinalizer(served.kill)
        ready = served.ready()
        with grpc.insecure_channel(ready["pubsub"]) as channel:
            client = PubSub(stubs, channel, ready)
            work = [
                threading.Thread(target=publish, args=(client, numbers, published)),
                threading.Thread(target=create, args=(ready, created)),
                *(threading.Thread(target=follower.follow, args=(client,)) for follower in followers),
            ]
            for thread in work:
                thread.start()
            goal = len(published) + 120 + 31 * round_
            while len(published) < goal or len(followers[1].keys) < 40 * (round_ + 1):
                assert all(thread.is_alive() for thread in work), "a client ended before the kill"
                threading.Event().wait(0.002)
            served.kill()
            for thread in work:
                thread.join(60)

    served = Served(tmp_path, home, "--source", source, "--capture", "Contact")
    ready = served.ready()
    try:
        with grpc.insecure_channel(ready["pubsub"]) as channel:
            client = PubSub(stubs, channel, ready)
            client.publish_many(EVENTS, ["the last one"])
            last: list[str] = []
            thread = threading.Thread(target=create, args=(ready, last))
            followers[0].follow(client, until="the last one")
            thread.start()
            while not last:
                assert thread.is_alive()
                threading.Event().wait(0.002)
            followers[1].follow(client, until=last[0])
    finally:
        served.kill()
    thread.join(60)

    gaps = sum(len(set(a) - set(f.keys)) for f, a in zip(followers, (published, created), strict=True))
    repeats = sum(len(follower.keys) - len(set(follower.keys)) for follower in followers)
    counted(
        f"Pub/Sub: kills: {ROUNDS}, published: {len(published)}, created: {len(created)}, "
        f"events seen: {sum(len(follower.keys) for follower in followers)}, gaps: {gaps}, repeats: {repeats}"
    )
    for follower, acknowledged in zip(followers, (published, created), strict=True):
        assert follower.numbers == sorted(set(follower.numbers)), "an event came twice, or out of order"
        assert len(follower.keys) == len(set(follower.keys))
        assert set(acknowledged) <= set(follower.keys), "an acknowledged event never came"
    assert replay.decode(followers[0].last or b"") == followers[0].numbers[-1]
