"""
What a ManagedSubscribe stream's requests mean: which subscription, how many events, what is committed. Pure.

A commit says that everything up to a replay id is processed; the subscription goes on after it, whoever connects next. A commit
that is wrong is answered in the response and ends nothing. Commits that come while another one is being kept are folded into
one: the last answers for all (documented: "compressed").

Source: `events.md` section 4, the Pub/Sub API guide on managed subscriptions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from landbridge.wire.pubsub import replay
from landbridge.wire.pubsub.refusal import Refused
from landbridge.wire.pubsub.session import Flow

if TYPE_CHECKING:
    from landbridge.wire.pubsub.eventbus_pb2 import CommitReplayRequest, ManagedFetchRequest


@dataclass(frozen=True, slots=True)
class Named:
    """How the first request names its subscription: one of the two is empty."""

    subscription_id: str
    developer_name: str

    def __str__(self) -> str:
        return self.subscription_id or self.developer_name


@dataclass(frozen=True, slots=True)
class Commit:
    """A position to keep; `request_id` comes back in the answer."""

    request_id: str
    replay_id: int


@dataclass(frozen=True, slots=True)
class CommitError:
    """A commit that is not kept, and why."""

    request_id: str
    replay_id: bytes
    message: str


class Managing:
    """
    The requests of one ManagedSubscribe stream.

    `delivered` is the greatest replay id a response has carried, `committed` the position that is kept; the owner moves both.
    """

    def __init__(self, now: float) -> None:
        self.flow = Flow(now)
        self.named: Named | None = None
        self.delivered = 0
        self.committed = 0

    def request(self, request: ManagedFetchRequest, now: float) -> Named | None:
        """Take a request; the first one names the subscription. Raises Refused."""
        commits = request.HasField("commit_replay_id_request")
        if request.num_requested < 0:
            raise Refused("managed.subscription.fetch.request.events.invalid", number=request.num_requested)
        named = None
        if self.named is None:
            if commits:
                raise Refused("managed.subscription.fetch.request.commit.request.restricted")
            if request.auth_refresh:
                raise Refused("managed.subscription.fetch.request.auth.request.restricted")
            named = self.named = _named(request)
        if not request.num_requested and not commits and not request.auth_refresh:
            raise Refused("managed.subscription.fetch.request.invalid")
        self.flow.ask(request.num_requested, now)
        return named

    def commit(self, request: CommitReplayRequest) -> Commit | CommitError:
        """What a commit request asks for, or why it can't be."""

        def wrong(message: str) -> CommitError:
            return CommitError(request.commit_request_id, request.replay_id, message)

        if not request.replay_id:
            return wrong("The commit request has no Replay ID.")
        try:
            number = replay.decode(request.replay_id)
        except Refused:
            return wrong("The Replay ID of the commit request is invalid.")
        if number > self.delivered:
            return wrong("The Replay ID was not delivered on this stream yet.")
        if number < self.committed:
            return wrong("The Replay ID is older than the committed one.")
        return Commit(request.commit_request_id, number)


def _named(request: ManagedFetchRequest) -> Named:
    by_id, by_name = request.subscription_id.strip(), request.developer_name.strip()
    if bool(by_id) == bool(by_name):
        raise Refused("managed.subscription.id.or.developer.name.empty")
    if by_id and len(by_id) not in (15, 18):
        raise Refused("managed.subscription.subscription.id.invalid", name=by_id)
    return Named(by_id, by_name)
