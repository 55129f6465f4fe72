"""Dead letters as a topic, our extension: `/dead/<subscription>` over both streaming protocols, kept beyond 72 hours."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from types import ModuleType

import grpc
import pytest

from landbridge.events.retention import Retention
from tests.cometd.conftest import Raw
from tests.pubsub.client import Failure, PubSub, number_of
from tests.support.flows import flow_org

BODY = """
    @flow.on("/data/AccountChangeEvent", on_failure="skip")
    async def on_account(change: ChangeEvent) -> None:
        raise GiveUp(f"no {change.get('Name')} here")

    @flow.on("/data/ContactChangeEvent", on_failure="skip")
    async def on_contact(change: ChangeEvent) -> None:
        raise GiveUp("nobody")
"""
TOPIC = "/dead/test/on_account"


@pytest.mark.ledger(
    "events.dead-letter-topics", "differs", "our extension; no such topic on the platform (events.md section 7)"
)
def test_dead_letters_of_a_subscription_are_a_topic_that_is_kept(
    tmp_path: Path, home: Path, stubs: tuple[ModuleType, ModuleType]
) -> None:
    settings = {"access_token": "00D-preshared!does-not-expire-when-a-test-jumps"}
    with flow_org(tmp_path, home, BODY, **settings) as org, grpc.insecure_channel(org.ready["pubsub"]) as channel:
        pubsub = PubSub(stubs, channel, org.ready)
        raw = Raw(org).open(TOPIC)
        for name in ("one", "two"):
            org.create("Account", Name=name)
        org.create("Contact", LastName="other")
        org.finished()

        streamed = raw.poll()
        assert [one["data"]["payload"]["Cause__c"] for one in streamed if "data" in one][:1] == ["no one here"]
        raw.close()
        found = pubsub.topic(TOPIC)
        assert (found.can_publish, found.can_subscribe) == (False, True)
        with pytest.raises(Failure):
            pubsub.topic("/event/Dead_Letter__e")

        async def four_days_later() -> int:
            server = org.door.server
            server.clock.jump(timedelta(hours=96))
            return await Retention(server.db, server.events, server.clock).sweep()

        assert org.do(four_days_later) >= 3
        with pubsub.subscribe(TOPIC, 10, replay_preset=1) as stream:
            events = stream.events(2)
        payloads = [pubsub.decode(event) for event in events]
        assert [payload["Cause__c"] for payload in payloads] == ["no one here", "no two here"]
        assert {payload["Subscription__c"] for payload in payloads} == {"test/on_account"}
        assert '"Name":"one"' in payloads[0]["Payload__c"]
        letters = {letter["Id"] for letter in org.letters()}
        assert {payload["Letter__c"] for payload in payloads} < letters
        assert number_of(events[0].replay_id) < number_of(events[1].replay_id)


def test_nobody_publishes_a_dead_letter(tmp_path: Path, home: Path) -> None:
    with flow_org(tmp_path, home, BODY) as org:
        reply = org.data("POST", "/sobjects/Dead_Letter__e", {"Subscription__c": "test/on_account"})

        assert reply.status == 400, reply.raw
