"""
The CometD clients of one org: who may do what, what is owed to whom, whose connect is answered when.

Everything but time and sockets: moments come in as numbers, answers go out through the callable that came with the request.

Events are turned into bytes once for all who are at the same place. A client whose connect is held has caught up: the log was
looked at to its tip and nothing was owed. So a round after a commit looks once per channel, from where all of its waiting
clients are (`Watch.seen`), and costs nothing for channels where nothing happened, however many wait there.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from landbridge.access import Access
from landbridge.errors import Unsupported
from landbridge.events import EventLog, ReplayIdInvalid, Topic
from landbridge.events.log import Scanned
from landbridge.wire.cometd.messages import (
    CONNECT,
    DISCONNECT,
    HANDSHAKE_CHANNEL,
    LONG_POLLING,
    SUBSCRIBE,
    UNSUBSCRIBE,
    Message,
    channels_of,
    refusal,
    table,
    text,
)
from landbridge.wire.cometd.refusals import Refused
from landbridge.wire.cometd.render import Render
from landbridge.wire.cometd.session import Owed, Place, Session, Subscription

log = logging.getLogger(__name__)

Answer = Callable[[list[bytes]], None]
"""Takes the messages of a response, once."""

MAX_EVENTS = 500
"""Events of one channel in one answer; the client asks for the rest at once."""
LOOKS = 4
"""Looks into the log for one answer, when a channel's own events are few among many others."""
KEPT_BATCHES = 64
AT_ONCE = 200
"""Clients that one round answers; the loop turns before the next ones, or other requests would wait for all of them."""


class Caller:
    """
    Who sent a request. `access` None and the reason in `refused` when its token is missing or none; `browser` is the
    BAYEUX_BROWSER cookie.
    """

    __slots__ = ("access", "browser", "login", "refused")

    def __init__(self, access: Access | None, login: Any = None, refused: str = "", browser: str | None = None) -> None:
        self.access = access
        self.login = login
        self.refused = refused
        self.browser = browser


@dataclass(slots=True, eq=False)
class Client:
    """A session with what the world knows of it."""

    session: Session
    access: Access
    login: Any
    away: dict[Client, None]
    """Its user's clients without a held connect."""
    answer: Answer | None = None
    caught_up: bool = False
    """Whether it waits on its channels' watches."""


@dataclass(slots=True, eq=False)
class Watch:
    """A channel that held connects wait on; all of them have seen everything up to `seen`."""

    topic: Topic
    seen: int
    waiting: dict[Client, None] = field(default_factory=dict)


class Found:
    """A look into the log, shared by all who look from the same place; `done`: it went to the tip."""

    __slots__ = ("done", "messages", "upto")

    def __init__(self, messages: bytes, upto: int, done: bool) -> None:
        self.messages = messages
        self.upto = upto
        self.done = done


@dataclass(slots=True)
class Bounds:
    """How many clients may be subscribed at a time, and how many more may be there without a subscription."""

    subscribers: int = 2_000
    others: int = 1_000


class Clients:
    """All of them. Methods take `now` in seconds of the org's clock."""

    def __init__(
        self,
        log: EventLog,
        render: Render,
        new_id: Callable[[], str],
        bounds: Bounds,
        *,
        is_live: Callable[[Any], bool],
        touch: Callable[[Any], None],
    ) -> None:
        """`is_live` says whether a login still holds, `touch` counts being connected as its use."""
        self._log = log
        self._render = render
        self._new_id = new_id
        self._bounds = bounds
        self._is_live = is_live
        self._touch = touch
        self._clients: dict[str, Client] = {}
        self._subscribed = 0
        self._away: dict[str, dict[Client, None]] = {}
        """User -> clients without a held connect, longest away first."""
        self._watches: dict[str, Watch] = {}
        self._behind: dict[Client, None] = {}
        """Held connects that wait for the next round although something may be owed."""
        self._found: dict[tuple[str, str, int], Found] = {}
        self._scanned: dict[tuple[str, int], Scanned] = {}
        self._found_at = -1
        self.more = False
        """Whether the last round left clients for another one, which is due at once."""
        self.patient = False
        """While set, connects with events owed wait for the next round instead of being answered one by one."""

    def __len__(self) -> int:
        return len(self._clients)

    @property
    def waiting(self) -> int:
        """How many connects are held."""
        return sum(client.answer is not None for client in self._clients.values())

    @property
    def subscribers(self) -> int:
        """How many clients have a subscription."""
        return self._subscribed

    @property
    def impatient(self) -> bool:
        """Whether held connects wait for the next round, whatever is committed."""
        return bool(self._behind)

    # --- requests ------------------------------------------------------------------------------------------------

    def receive(self, found: Sequence[Message], caller: Caller, now: float, answer: Answer) -> Client | None:
        """
        Take the messages of one request. The client whose connect is now held, None when `answer` was called.
        """
        out: list[bytes] = []
        alone = len(found) == 1
        for message in found:
            try:
                if message.get("channel") == CONNECT:
                    client = self._connect(message, caller, now, out, alone=alone)
                    if client is not None:
                        client.answer = answer
                        client.away.pop(client, None)
                        return client
                else:
                    out.append(self._other(message, caller, now))
            except Refused as refused:
                out.append(refusal(message, refused))
        answer(out)
        return None

    def _other(self, message: Message, caller: Caller, now: float) -> bytes:
        channel = text(message, "channel")
        if not channel:
            raise Refused("no channel")
        if channel == HANDSHAKE_CHANNEL:
            return self._handshake(message, caller, now)
        client = self._find(message, caller)
        if channel == SUBSCRIBE:
            return self._subscribe(client, message)
        if channel == UNSUBSCRIBE:
            return self._unsubscribe(client, message)
        if channel == DISCONNECT:
            return self._disconnect(client, message, now)
        # Events are published over REST, SOAP, Bulk and Pub/Sub; CometD only delivers.
        raise Refused("restricted" if channel.startswith("/meta/") else "cannot create", channel)

    def _find(self, message: Message, caller: Caller) -> Client:
        """The client a message is from. Raises Refused for a bad token, an unknown client, one of another user or browser."""
        access, name = caller.access, message.get("clientId")
        if access is None:
            raise Refused(caller.refused)
        client = self._clients.get(name) if isinstance(name, str) else None
        if client is None:
            raise Refused("unknown client" if isinstance(name, str) or not _is(message, SUBSCRIBE) else "no handshake")
        session = client.session
        if session.user_id != access.user_id:
            raise Refused("other user")
        if session.browser != caller.browser:
            raise Refused("no cookie", session.id)
        client.login, client.access = caller.login, access  # perhaps a new token of the same user, or other rights
        return client

    def _handshake(self, message: Message, caller: Caller, now: float) -> bytes:
        access = caller.access
        if access is None:
            raise Refused(caller.refused)
        offered = message.get("supportedConnectionTypes", [LONG_POLLING])
        if not isinstance(offered, list) or LONG_POLLING not in offered:
            raise Refused("connection type", str(offered[0]) if isinstance(offered, list) and offered else str(offered))
        if len(self._clients) >= self._bounds.subscribers + self._bounds.others:
            # A storm of handshakes eats its own: who has the most clients without a connect loses the oldest of them.
            most = max(self._away.values(), key=len, default=None)
            if not most:
                raise Refused("too many connections")
            self._forget(next(iter(most)))
        session = Session(self._new_id(), access.user_id, caller.browser or "", now)
        away = self._away.setdefault(session.user_id, {})
        client = self._clients[session.id] = Client(session, access, caller.login, away)
        away[client] = None
        return session.handshake(message)

    def _subscribe(self, client: Client, message: Message) -> bytes:
        session = client.session
        if not session.subscriptions and self._subscribed >= self._bounds.subscribers:
            raise Refused("too many subscribers")
        places = [self._place(message, channel) for channel in channels_of(message)]
        before = bool(session.subscriptions)
        self._look_again(client)
        answer = session.subscribe(message, places)
        self._subscribed += not before
        return answer

    def _place(self, message: Message, channel: str) -> Place:
        """What a subscription begins with. Raises Refused."""
        name, question, query = channel.partition("?")
        topic = self._topic(name)
        if question:
            # Filters by query string are PushTopics'; EMP Connector keys its replay map without them.
            raise Refused("no such fields", ",".join(part.partition("=")[0] for part in query.split("&")))
        formats = table(message, "ext", "payload.format")
        wanted = formats.get(channel, "EXPANDED")
        if wanted not in ("EXPANDED", None):
            raise Refused("payload format", str(wanted))
        replay = table(message, "ext", "replay").get(channel, -1)
        number = _replay(replay)
        try:
            if number is None or number < -2:
                raise Refused("replay id", str(replay))
            return Place(channel, topic, self._log.start(topic, replay=number))
        except ReplayIdInvalid:
            raise Refused("replay id", str(replay)) from None

    def _topic(self, name: str) -> Topic:
        if name.startswith("/u/"):
            raise Refused("unknown channel")
        if not name.startswith(("/event/", "/data/", "/topic/", "/systemTopic/", "/dead/")):
            raise Refused("restricted")
        try:
            topic = self._log.topic(name)
        except Unsupported:
            topic = None
        if topic is None or not topic.can_subscribe:
            raise Refused("no such channel", name)
        return topic

    def _unsubscribe(self, client: Client, message: Message) -> bytes:
        before = bool(client.session.subscriptions)
        self._look_again(client)
        answer = client.session.unsubscribe(message)
        self._subscribed -= before and not client.session.subscriptions
        return answer

    def _disconnect(self, client: Client, message: Message, now: float) -> bytes:
        if client.answer is not None:
            self._reply(client, client.session.dismiss(now))
        self._forget(client)
        return client.session.disconnect(message)

    def _connect(self, message: Message, caller: Caller, now: float, out: list[bytes], *, alone: bool) -> Client | None:
        """Answer a connect into `out`, or hold it: then its client is returned."""
        client = self._find(message, caller)
        session = client.session
        if client.answer is not None:
            self._reply(client, session.supersede(now))
        at_once = session.connect(message, now, alone=alone)
        if self.patient and not at_once:
            self._behind[client] = None
            return client
        try:
            owed, done = self._owed(client, self._tip())
        except BaseException:
            session.lost(now)  # the request fails; the client may try again
            raise
        if at_once or any(batch.messages for batch in owed):
            out += session.answer(owed, now)
            return None
        if done:
            self._wait(client, owed)
        else:
            self._behind[client] = None
        return client

    # --- what is owed --------------------------------------------------------------------------------------------

    def _owed(self, client: Client, tip: int) -> tuple[list[Owed], bool]:
        """What each subscription of a client has coming, and whether every look went to the log's tip."""
        found, done = [], True
        for subscription in client.session.subscriptions.values():
            if subscription.cursor >= tip:
                found.append(Owed(subscription, b"", subscription.cursor))
                continue
            look = self._look(client.access, subscription, tip)
            found.append(Owed(subscription, look.messages, look.upto))
            done = done and look.done
        return found, done

    def _look(self, access: Access, subscription: Subscription, tip: int) -> Found:
        eyes = self._render.eyes(subscription.topic, access)
        key = (subscription.channel, eyes, subscription.cursor)
        found = self._found.get(key)
        if found is None:
            if len(self._found) > KEPT_BATCHES:
                self._found.clear()
            found = self._found[key] = self._scan(subscription, access, eyes, tip)
        return found

    def _scan(self, subscription: Subscription, access: Access, eyes: str, tip: int) -> Found:
        position = subscription.cursor
        for _ in range(LOOKS):
            events, position = self._events(subscription.topic, position)
            if events:
                joined, last = self._render.messages(subscription.channel, events, access, eyes)
                if last < events[-1].replay_id:
                    return Found(joined, last, False)
                return Found(joined, position, position >= tip)
            if position >= tip:
                return Found(b"", position, True)
        return Found(b"", position, False)

    def _tip(self) -> int:
        """The log's tip. What was found is kept for as long as it stays where it is."""
        tip = self._log.tip()
        if tip != self._found_at:
            self._found.clear()
            self._scanned.clear()
            self._found_at = tip
        return tip

    def _events(self, topic: Topic, after: int) -> Scanned:
        key = (topic.name, after)
        found = self._scanned.get(key)
        if found is None:
            if len(self._scanned) > KEPT_BATCHES:
                self._scanned.clear()
            found = self._scanned[key] = self._log.scan(topic, after, MAX_EVENTS)
        return found

    def _wait(self, client: Client, owed: Sequence[Owed]) -> None:
        """Let a client that has caught up wait for its channels."""
        client.caught_up = True
        for one in owed:
            one.subscription.cursor = one.cursor
            topic = one.subscription.topic
            watch = self._watches.get(topic.name)
            if watch is None:
                watch = self._watches[topic.name] = Watch(topic, one.cursor)
            watch.waiting[client] = None

    def _stop_waiting(self, client: Client) -> None:
        if not client.caught_up:
            self._behind.pop(client, None)
            return
        client.caught_up = False
        for subscription in client.session.subscriptions.values():
            watch = self._watches.get(subscription.topic.name)
            if watch is None or client not in watch.waiting:
                continue
            subscription.cursor = max(subscription.cursor, watch.seen)
            del watch.waiting[client]
            if not watch.waiting:
                del self._watches[watch.topic.name]

    def _look_again(self, client: Client) -> None:
        """Before a change of its subscriptions: what a held connect waits for will not be what it was."""
        if client.answer is not None:
            self._stop_waiting(client)
            self._behind[client] = None

    # --- rounds --------------------------------------------------------------------------------------------------

    def deliver(self, now: float) -> tuple[int, int]:
        """Answer the held connects that something is owed to; how many were answered, with how many bytes of events."""
        tip = self._tip()
        ready = dict(self._behind)
        for watch in list(self._watches.values()):
            if watch.seen < tip and self._is_news(watch, tip):
                ready |= watch.waiting
        self.more = len(ready) > AT_ONCE
        answered = size = 0
        for client in islice(ready, AT_ONCE):  # who has waited longest comes first
            self._stop_waiting(client)
            try:
                owed, done = self._owed(client, tip)
            except Exception:
                # Events that can't be read or shown are not to stop those of everybody else.
                log.exception("the events of a CometD client could not be made")
                self._reply(client, client.session.end(Refused("too busy"), now))
                continue
            events = 0
            for batch in owed:
                events += len(batch.messages)
            if events:
                answered += 1
                size += events
                self._give(client, client.session.answer(owed, now))
            elif done:
                self._wait(client, owed)
            else:
                for batch in owed:
                    batch.subscription.cursor = batch.cursor
                self._behind[client] = None
        return answered, size

    def _is_news(self, watch: Watch, tip: int) -> bool:
        """Whether a channel has events after what its clients have seen; what has none is passed over for good."""
        for _ in range(LOOKS):
            events, upto = self._events(watch.topic, watch.seen)
            if events:
                return True
            watch.seen = upto
            if upto >= tip:
                return False
        return True

    def _reply(self, client: Client, found: list[bytes]) -> None:
        self._stop_waiting(client)
        self._give(client, found)

    def _give(self, client: Client, found: list[bytes]) -> None:
        """Answer a held connect that waits for nothing any more."""
        answer, client.answer = client.answer, None
        assert answer is not None
        client.away[client] = None
        answer(found)

    # --- coming to an end ----------------------------------------------------------------------------------------

    def lost(self, client: Client, now: float) -> None:
        """The connection of a held connect broke."""
        if client.answer is not None:
            client.answer = None
            self._stop_waiting(client)
            client.away[client] = None
            client.session.lost(now)

    def release(self, client: Client, now: float) -> None:
        """Answer a held connect as it is: its connection or the server is about to close."""
        if client.answer is not None:
            self._reply(client, client.session.answer((), now))

    def sweep(self, now: float) -> None:
        """Answer what has waited long enough, forget who stayed away, end those whose token died."""
        for client in list(self._clients.values()):
            session = client.session
            if not self._is_live(client.login):
                if client.answer is not None:
                    self._reply(client, session.end(Refused("authentication invalid"), now))
                self._forget(client)
            elif session.gone(now):
                self._forget(client)
            elif session.held is not None:
                self._touch(client.login)
                if session.overdue(now):
                    self.release(client, now)

    def _forget(self, client: Client) -> None:
        if self._clients.pop(client.session.id, None) is None:
            return
        client.away.pop(client, None)
        self._stop_waiting(client)
        self._subscribed -= bool(client.session.subscriptions)


def _is(message: Message, channel: str) -> bool:
    return message.get("channel") == channel


def _replay(value: Any) -> int | None:
    """A replay id as clients send it: a number, or its digits as text. None means new events; anything else is none."""
    if value is None:
        return -1
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and value.lstrip("-").isascii() and value.lstrip("-").isdigit() and len(value) <= 20:
        return int(value)
    return None
