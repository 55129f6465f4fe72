"""What the requests of a managed subscription mean."""

from __future__ import annotations

from typing import Any

import pytest

from landbridge.wire.pubsub import replay
from landbridge.wire.pubsub.eventbus_pb2 import CommitReplayRequest, ManagedFetchRequest
from landbridge.wire.pubsub.managed import Commit, CommitError, Managing, Named
from landbridge.wire.pubsub.refusal import PREFIX, Refused

ID = "18xLb0000000001"


def commit(number: int, request_id: str = "c") -> CommitReplayRequest:
    return CommitReplayRequest(commit_request_id=request_id, replay_id=replay.encode(number))


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({"subscription_id": ID, "num_requested": 1}, Named(ID, "")),
        ({"developer_name": "Orders", "num_requested": 100}, Named("", "Orders")),
    ],
)
def test_the_first_request_names_the_subscription(asked: dict[str, Any], named: Named) -> None:
    session = Managing(0.0)

    assert session.request(ManagedFetchRequest(**asked), 0.0) == named
    assert session.flow.pending == asked["num_requested"]


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"num_requested": 1}, "id.or.developer.name.empty"),
        ({"subscription_id": ID, "developer_name": "Orders", "num_requested": 1}, "id.or.developer.name.empty"),
        ({"subscription_id": "18x", "num_requested": 1}, "subscription.id.invalid"),
        ({"subscription_id": ID, "num_requested": -1}, "fetch.request.events.invalid"),
        ({"subscription_id": ID}, "fetch.request.invalid"),
        ({"subscription_id": ID, "commit_replay_id_request": commit(1)}, "fetch.request.commit.request.restricted"),
        ({"subscription_id": ID, "num_requested": 1, "auth_refresh": "t"}, "fetch.request.auth.request.restricted"),
    ],
)
@pytest.mark.ledger("pubsub.managed_requests", "documented", "events.md section 4, table of error codes")
def test_a_first_request_that_is_refused(asked: dict[str, Any], code: str) -> None:
    with pytest.raises(Refused) as refused:
        Managing(0.0).request(ManagedFetchRequest(**asked), 0.0)

    assert refused.value.code == f"{PREFIX}managed.subscription.{code}"


def test_a_later_request_may_only_commit_or_only_refresh() -> None:
    session = Managing(0.0)
    session.request(ManagedFetchRequest(developer_name="Orders", num_requested=5), 0.0)

    session.request(ManagedFetchRequest(commit_replay_id_request=commit(1)), 1.0)
    session.request(ManagedFetchRequest(auth_refresh="token"), 1.0)
    with pytest.raises(Refused) as refused:
        session.request(ManagedFetchRequest(), 1.0)

    assert session.flow.pending == 5
    assert refused.value.suffix == "managed.subscription.fetch.request.invalid"


@pytest.mark.ledger(
    "pubsub.managed_commit_errors", "documented", "events.md section 4: in the response, the stream goes on"
)
def test_commits() -> None:
    session = Managing(0.0)
    session.delivered, session.committed = 20, 10

    assert session.commit(commit(15)) == Commit("c", 15)
    assert session.commit(commit(10)) == Commit("c", 10)
    assert session.commit(commit(20)) == Commit("c", 20)
    for request, said in (
        (commit(21), "not delivered"),
        (commit(9), "older"),
        (CommitReplayRequest(commit_request_id="c"), "no Replay ID"),
        (CommitReplayRequest(commit_request_id="c", replay_id=b"abc"), "invalid"),
    ):
        answer = session.commit(request)
        assert isinstance(answer, CommitError)
        assert said in answer.message
        assert (answer.request_id, answer.replay_id) == ("c", request.replay_id)
