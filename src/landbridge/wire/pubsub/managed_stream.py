"""
One ManagedSubscribe stream: a subscriber whose position the server keeps.

What a crash leaves: the position of the last commit that was answered, or a later one. Events after it are sent again, so a
client that commits what it has processed misses nothing, and repeats at most what it had not committed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from landbridge.events.managed import EARLIEST, KIND, STOP, Managed
from landbridge.storage import Tx, Unit
from landbridge.wire.pubsub import caller, replay
from landbridge.wire.pubsub.eventbus_pb2 import COMMIT, CommitReplayResponse, Error, ManagedFetchRequest
from landbridge.wire.pubsub.frames import field
from landbridge.wire.pubsub.managed import Commit, CommitError, Managing, Named
from landbridge.wire.pubsub.refusal import Refused
from landbridge.wire.pubsub.session import BEFORE_ALL, TIP

if TYPE_CHECKING:
    from landbridge.events import Topic
    from landbridge.server import Server
    from landbridge.wire.pubsub.stream import Subscriber


class ManagedStream:
    """Takes the requests of one stream. `active` holds the ids of subscriptions that are consumed now, for all streams."""

    def __init__(
        self, server: Server, state: Managing, subscriber: Subscriber, find: Callable[[str], Topic], active: set[str],
        rpc_id: str,
    ) -> None:  # fmt: skip
        self._server = server
        self._state = state
        self._subscriber = subscriber
        self._find = find
        self._active = active
        self._rpc_id = rpc_id
        self._known: Managed | None = None
        self._kept = 0
        self._keeping = False
        self._waiting: Commit | None = None
        self._unlisten = server.managed.listen(self._configured)

    async def take(self, raw: bytes) -> None:
        """Act on a request. Raises Refused, DecodeError."""
        request = ManagedFetchRequest.FromString(raw)
        named = self._state.request(request, self._server.clock.epoch())
        if named is not None:
            await self._begin(named)
        elif request.auth_refresh:
            self._subscriber.session = caller.refresh(self._server, request.auth_refresh)
            self._subscriber.wake.set()
        self._server.sessions.touch(self._subscriber.session)
        if request.HasField("commit_replay_id_request"):
            self._state.delivered = self._subscriber.told
            asked = self._state.commit(request.commit_replay_id_request)
            if isinstance(asked, CommitError):
                self._answer(asked.request_id, asked.replay_id, asked.message)
            else:
                self._commit(asked)

    # --- beginning -----------------------------------------------------------------------------------------------

    async def _begin(self, named: Named) -> None:
        server = self._server
        known = server.db.read_now(
            lambda reader: server.managed.find(reader, name=named.developer_name, id=named.subscription_id)
        )
        if known is None:
            which = "developer.name" if named.developer_name else "subscription.id"
            raise Refused(f"managed.subscription.{which}.not.found", name=named)
        if known.state == STOP:
            raise Refused("managed.subscription.config.stopped", name=named)
        if known.id in self._active:
            raise Refused("managed.subscription.already.active", name=named)
        self._active.add(known.id)
        self._known = known
        topic = self._find(known.topic)
        self._position(topic, known)
        self._kept = self._state.committed = start = self._subscriber.cursor
        await server.db.write(lambda tx: self._keep_start(tx, topic, known, start), self._unit())

    def _position(self, topic: Topic, known: Managed) -> None:
        """After what was committed; from the default the first time, from the recovery setting when that was trimmed."""
        kept = self._server.db.read_now(lambda reader: self._server.subscriptions.get(reader, known.developer_name))
        if kept is None:
            self._subscriber.begin(topic, BEFORE_ALL if known.default_replay == EARLIEST else TIP)
            return
        try:
            self._subscriber.begin(topic, kept.done_to)
        except Refused:
            self._subscriber.begin(topic, BEFORE_ALL if known.recovery_replay == EARLIEST else TIP)

    def _keep_start(self, tx: Tx, topic: Topic, known: Managed, start: int) -> None:
        # Kept before the first event goes out: who disconnects without a commit begins at the same place again.
        subscriptions = self._server.subscriptions
        kept = subscriptions.ensure(tx, known.developer_name, KIND, topic.name, start)
        if kept.done_to != start:
            subscriptions.move(tx, known.developer_name, read_to=start, done_to=start, oldest_open=None)

    def _unit(self) -> Unit:
        return Unit(self._rpc_id, self._subscriber.session.access.user_id, "pubsub")

    # --- committing ----------------------------------------------------------------------------------------------

    def _commit(self, asked: Commit) -> None:
        self._state.committed = asked.replay_id
        if self._keeping:
            self._waiting = asked  # folded: its answer stands for those before it
            return
        self._keeping = True
        self._subscriber.owed += 1
        known, read_to = self._known, max(asked.replay_id, self._subscriber.told)
        assert known is not None, "the first request carries no commit"

        def work(tx: Tx) -> int:
            self._server.subscriptions.move(
                tx, known.developer_name, read_to=read_to, done_to=asked.replay_id, oldest_open=None
            )
            return round(tx.now.timestamp() * 1000)

        def done(at: int | None, error: BaseException | None) -> None:
            self._keeping = False
            self._subscriber.owed -= 1
            if error is None:
                self._kept = asked.replay_id
                self._answer(asked.request_id, replay.encode(asked.replay_id), None, at or 0)
            else:
                self._state.committed = self._kept
                self._answer(asked.request_id, replay.encode(asked.replay_id), "The commit could not be kept.")
            if self._waiting is not None:
                waiting, self._waiting = self._waiting, None
                self._commit(waiting)

        self._server.db.submit(work, self._unit(), done)

    def _answer(self, request_id: str, replay_id: bytes, wrong: str | None, at: int = 0) -> None:
        answer = CommitReplayResponse(
            commit_request_id=request_id,
            replay_id=replay_id,
            error=None if wrong is None else Error(code=COMMIT, msg=wrong),
            process_time=at or round(self._server.clock.epoch() * 1000),
        )
        self._subscriber.notify(field(5, answer.SerializeToString()))

    # --- ending --------------------------------------------------------------------------------------------------

    def _configured(self) -> None:
        """The configuration of some subscription has changed: ours may be gone or stopped."""
        known: Any = self._known
        if known is None:
            return
        now = self._server.db.read_now(lambda reader: self._server.managed.find(reader, id=known.id))
        if now is None:
            self._subscriber.fail(Refused("managed.subscription.config.deleted", name=known.developer_name))
        elif now.state == STOP:
            self._subscriber.fail(Refused("managed.subscription.config.stopped", name=known.developer_name))

    def close(self) -> None:
        """Let others consume the subscription."""
        self._unlisten()
        if self._known is not None:
            self._active.discard(self._known.id)
