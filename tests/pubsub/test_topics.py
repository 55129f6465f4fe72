"""Who may call, topics, schemas."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import ModuleType

import grpc
import pytest

from tests.pubsub.client import Failure, PubSub
from tests.support.running import RunningOrg

TOPIC = "/event/Later__e"


@pytest.mark.ledger("pubsub.GetTopic", "documented", "events.md section 4")
def test_a_topic_says_what_may_be_done_with_it(pubsub: PubSub, bus: RunningOrg) -> None:
    events, changes, all_changes = (
        pubsub.topic(TOPIC),
        pubsub.topic("/data/AccountChangeEvent"),
        pubsub.topic("/data/ChangeEvents"),
    )

    assert (events.topic_name, events.can_publish, events.can_subscribe) == (TOPIC, True, True)
    assert (changes.can_publish, changes.can_subscribe) == (False, True)
    assert re.fullmatch(r"[\w-]{22}", events.schema_id)
    assert re.fullmatch(r"[\w-]{22}", changes.schema_id)
    assert (all_changes.can_publish, all_changes.can_subscribe, all_changes.schema_id) == (False, True, "")
    assert events.tenant_guid.endswith(bus.ready["org_id"])
    assert re.fullmatch(r"[0-9a-f-]{36}", events.rpc_id)
    assert pubsub.topic(TOPIC.upper()).topic_name == TOPIC


@pytest.mark.ledger("pubsub.GetSchema", "observed", "events.md section 5: the id is the uuid of the schema")
def test_a_schema_by_its_id(pubsub: PubSub) -> None:
    schema_id = pubsub.topic(TOPIC).schema_id

    found = pubsub.call("GetSchema", pubsub.pb.SchemaRequest(schema_id=schema_id))

    schema = json.loads(found.schema_json)
    assert (schema["name"], schema["namespace"], schema["uuid"]) == ("Later__e", "com.sforce.eventbus", schema_id)
    assert [field["name"] for field in schema["fields"]][:2] == ["CreatedDate", "CreatedById"]


@pytest.mark.parametrize(
    ("name", "code", "status"),
    [
        ("/event/None__e", "topic.not.found", "NOT_FOUND"),
        ("/data/CaseChangeEvent", "topic.not.found", "NOT_FOUND"),  # nobody selected Case
        ("/data/Nothing__ChangeEvent", "topic.not.found", "NOT_FOUND"),
        ("/topic/Push", "topic.not.found", "NOT_FOUND"),
        ("Later__e", "topic.not.found", "NOT_FOUND"),
        ("", "topic.validation.empty", "INVALID_ARGUMENT"),
    ],
)
@pytest.mark.ledger("pubsub.topic_not_found", "observed", "text and status: pub-sub-api-java-client, issue 2")
def test_topics_that_are_none(pubsub: PubSub, name: str, code: str, status: str) -> None:
    with pytest.raises(Failure) as failure:
        pubsub.topic(name)

    assert (failure.value.code, failure.value.status) == (code, status)


@pytest.mark.ledger("pubsub.trailers", "documented", "Pub/Sub API guide, Handle Errors")
def test_a_refusal_carries_its_code_and_rpc_id_in_trailers_and_the_id_in_its_text(pubsub: PubSub) -> None:
    with pytest.raises(Failure) as failure:
        pubsub.topic("/event/None__e")

    assert failure.value.rpc_id is not None
    assert failure.value.details.endswith(f" rpcId: {failure.value.rpc_id}")


@pytest.mark.parametrize(
    ("schema_id", "code"), [("", "schema.validation.failed"), ("x" * 22, "schema.meta.permission")]
)
def test_schemas_that_are_none(pubsub: PubSub, schema_id: str, code: str) -> None:
    with pytest.raises(Failure) as failure:
        pubsub.call("GetSchema", pubsub.pb.SchemaRequest(schema_id=schema_id))

    assert failure.value.code == code


@pytest.mark.parametrize(
    ("metadata", "code"),
    [
        ({"accesstoken": ""}, "service.auth.headers.invalid"),
        ({"instanceurl": " "}, "service.auth.headers.invalid"),
        ({"instanceurl": "localhost"}, "service.auth.headers.invalid"),
        ({"tenantid": ""}, "service.auth.headers.invalid"),
        ({"tenantid": "00D000000000001EAA"}, "service.auth.headers.invalid"),
        ({"tenantid": "nonsense"}, "service.auth.headers.invalid"),
        ({"accesstoken": "x" * 5000}, "service.auth.headers.invalid"),
        ({"accesstoken": "00DLb0!nobody"}, "service.auth.error"),
    ],
)
@pytest.mark.ledger("pubsub.metadata", "documented", "events.md section 4, clients.md item 14")
def test_calls_without_a_session(
    stubs: tuple[ModuleType, ModuleType], channel: grpc.Channel, bus: RunningOrg, metadata: dict[str, str], code: str
) -> None:
    client = PubSub(stubs, channel, bus.ready, **metadata)

    with pytest.raises(Failure) as unary:
        client.topic(TOPIC)
    with client.subscribe(TOPIC) as stream:
        streamed = stream.fails()

    for failure in (unary.value, streamed):
        assert (failure.code, failure.status) == (code, "UNAUTHENTICATED")
        assert bus.ready["access_token"] not in failure.details


def test_the_tenant_may_have_fifteen_characters(
    stubs: tuple[ModuleType, ModuleType], channel: grpc.Channel, bus: RunningOrg
) -> None:
    assert PubSub(stubs, channel, bus.ready, tenantid=bus.ready["org_id"][:15]).topic(TOPIC).topic_name == TOPIC


def test_the_tls_port_shows_the_orgs_certificate(stubs: tuple[ModuleType, ModuleType], bus: RunningOrg) -> None:
    trusted = grpc.ssl_channel_credentials(Path(bus.ready["ca_file"]).read_bytes())

    with grpc.secure_channel(bus.ready["pubsub_tls"], trusted) as channel:
        assert PubSub(stubs, channel, bus.ready).topic(TOPIC).topic_name == TOPIC


def test_the_read_only_user_may_subscribe_and_not_publish(
    stubs: tuple[ModuleType, ModuleType], channel: grpc.Channel, bus: RunningOrg
) -> None:
    client = PubSub(stubs, channel, bus.ready, accesstoken=bus.integration_token())

    assert client.topic(TOPIC).can_publish is False
    with pytest.raises(Failure) as failure:
        client.publish(TOPIC, client.produce(TOPIC, {"Needed__c": "x"}))
    assert (failure.value.code, failure.value.status) == ("topic.meta.permission", "PERMISSION_DENIED")
