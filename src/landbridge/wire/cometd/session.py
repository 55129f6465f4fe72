"""
One CometD client as the server knows it: a state machine of values. Pure: no clock, no socket, no log.

    handshake --> HANDSHAKEN --first connect, answered at once--> CONNECTED <--> WAITING (a connect is held)
                       |                                              |              |
                       +------ 40 s without a connect being held -----+              | events, 110 s, another connect,
                       |                                                             | disconnect, server closes: answered
                     GONE  <-- disconnect, dead token -------------------------------+

A subscription is a cursor: the replay id after which its events are owed. There is no queue. The caller looks into the log
and hands in what it found (`Owed`); what comes out are messages. The cursor moves when its events go into an answer.

Source: the Bayeux specification 1.0, `events.md` section 3, `clients.md` item 11; what is guessed stands in the ledger.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from landbridge.wire.cometd import messages
from landbridge.wire.cometd.messages import LONG_POLLING, Message, channels_of, reply, table
from landbridge.wire.cometd.refusals import Refused

HOLD = 110.0
"""Seconds for which a connect without events is held."""
ABSENCE = 40.0
"""Seconds without a held connect after which a client is gone and has to shake hands anew."""
MAX_SUBSCRIPTIONS = 100
"""Channels of one client; guessed: the platform names no bound for event channels."""
ADVICE = {"interval": 0, "timeout": int(HOLD * 1000), "reconnect": "retry"}
# A client with two connects at once is told to slow down, or each would chase the other without end.
SUPERSEDED = {"interval": 2000, "timeout": int(HOLD * 1000), "reconnect": "retry"}
_PLAIN = b'{"clientId":"%b","channel":"/meta/connect","id":%b,"successful":true}'
_ENCODE = msgspec.json.Encoder().encode
GOODBYE = {"interval": 0, "reconnect": "none"}


@dataclass(slots=True, eq=False)
class Subscription:
    """A channel, spelled as the client spelled it; `topic` is the caller's own word for what it reads."""

    channel: str
    topic: Any
    cursor: int


class Place(NamedTuple):
    """What the log says to a channel: what to read, and the position after which its events are owed."""

    channel: str
    topic: Any
    start: int


class Owed:
    """Events for one subscription: messages joined by commas (b"" for none), and where that leaves the cursor."""

    __slots__ = ("cursor", "messages", "subscription")

    def __init__(self, subscription: Subscription, messages: bytes, cursor: int) -> None:
        self.subscription = subscription
        self.messages = messages
        self.cursor = cursor


@dataclass(slots=True, eq=False)
class Session:
    """
    See the module. `seen`: when a connect was last held, in seconds of the org's clock.

    `held` is the connect that waits for its answer, `until` when it has waited for as long as it may.
    """

    id: str
    user_id: str
    browser: str
    seen: float
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    connected: bool = False
    held: Message | None = None
    until: float = 0.0

    # --- being there ---------------------------------------------------------------------------------------------

    def gone(self, now: float) -> bool:
        """Whether the client was away for too long."""
        return self.held is None and now - self.seen > ABSENCE

    def overdue(self, now: float) -> bool:
        """Whether the held connect has waited for as long as it may."""
        return self.held is not None and now >= self.until

    def lost(self, now: float) -> None:
        """The connection of the held connect broke: nothing was delivered, the cursors stay."""
        if self.held is not None:
            self.held = None
            self.seen = now

    # --- messages ------------------------------------------------------------------------------------------------

    def handshake(self, message: Message) -> bytes:
        """The answer to the handshake that made this session."""
        return reply(
            message,
            ext={"replay": True, "payload.format": True},
            client_id=self.id,
            minimumVersion="1.0",
            supportedConnectionTypes=[LONG_POLLING],
            version="1.0",
        )

    def subscribe(self, message: Message, places: Sequence[Place]) -> bytes:
        """All channels of the message, or with Refused none. A channel that is subscribed already starts anew."""
        if len(self.subscriptions.keys() | {place.channel for place in places}) > MAX_SUBSCRIPTIONS:
            raise Refused("cannot create", places[-1].channel)
        for place in places:
            self.subscriptions[place.channel] = Subscription(*place)
        return reply(message, client_id=self.id, subscription=message["subscription"])

    def unsubscribe(self, message: Message) -> bytes:
        """Channels that were not subscribed do no harm. Raises Refused for none at all."""
        for channel in channels_of(message):
            self.subscriptions.pop(channel, None)
        return reply(message, client_id=self.id, subscription=message["subscription"])

    def disconnect(self, message: Message) -> bytes:
        """The goodbye; a held connect is to be answered with `dismiss` before it."""
        self.subscriptions.clear()
        return reply(message, client_id=self.id)

    def connect(self, message: Message, now: float, *, alone: bool) -> bool:
        """
        Take a connect; the one before must have been answered. True: it is to be answered at once, events or not.

        That is the first one, one that came with other messages (their answers can't wait), and one that asks for it.
        Raises Refused for another transport.
        """
        kind = message.get("connectionType")
        if kind != LONG_POLLING:
            raise Refused("connection type", str(kind))
        assert self.held is None, "a connect is answered before the next one is taken"
        patience = HOLD
        if "advice" in message:
            patience = min(HOLD, _seconds(table(message, "advice").get("timeout"), HOLD))
        self.held, self.until = message, now + patience
        return not self.connected or not alone or patience <= 0

    # --- answers -------------------------------------------------------------------------------------------------

    def answer(self, owed: Iterable[Owed], now: float) -> list[bytes]:
        """The answer to the held connect: the events first, then the connect itself."""
        held = self._let_go(now)
        found = []
        for one in owed:
            one.subscription.cursor = one.cursor
            if one.messages:
                found.append(one.messages)
        if self.connected:
            found.append(_plain(held, self.id))
        else:
            self.connected = True
            found.append(reply(held, client_id=self.id, advice=ADVICE))
        return found

    def supersede(self, now: float) -> list[bytes]:
        """The answer to a held connect when the client sends another one."""
        return [reply(self._let_go(now), client_id=self.id, advice=SUPERSEDED)]

    def dismiss(self, now: float) -> list[bytes]:
        """The answer to a held connect when the client says goodbye on another connection."""
        return [reply(self._let_go(now), client_id=self.id, advice=GOODBYE)]

    def end(self, refused: Refused, now: float) -> list[bytes]:
        """The answer to a held connect when the session can't go on."""
        return [messages.refusal(self._let_go(now), refused)]

    def _let_go(self, now: float) -> Message:
        held = self.held
        assert held is not None, "there is no connect to answer"
        self.held = None
        self.seen = now
        return held


def _seconds(timeout: Any, default: float) -> float:
    """A client's `advice.timeout` (milliseconds) in seconds."""
    if isinstance(timeout, (int, float)) and not isinstance(timeout, bool) and timeout >= 0:
        return timeout / 1000
    return default


def _plain(message: Message, client_id: str) -> bytes:
    """The answer to all but the first connect, which is what nearly every answer ends with."""
    number = message.get("id")
    if isinstance(number, (str, int)):
        return _PLAIN % (client_id.encode(), _ENCODE(number))
    return reply(message, client_id=client_id)
