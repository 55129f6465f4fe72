"""
Bayeux messages: a request's body as messages, replies as JSON. Pure.

Keys of a reply come in the order real replies have them. Source: the Bayeux specification 1.0, `events.md` section 3.
"""

from __future__ import annotations

from typing import Any

import msgspec

from landbridge.wire.cometd.refusals import HANDSHAKE, RETRY, Refused

Message = dict[str, Any]

HANDSHAKE_CHANNEL, CONNECT, DISCONNECT = "/meta/handshake", "/meta/connect", "/meta/disconnect"
SUBSCRIBE, UNSUBSCRIBE = "/meta/subscribe", "/meta/unsubscribe"
LONG_POLLING = "long-polling"
MAX_BYTES = 32_768
"""Of a request's body: `events.md` section 3."""
MAX_MESSAGES = 256
"""Of one request; guessed: 32,768 bytes hold no more that mean something."""

_DECODE = msgspec.json.Decoder().decode
_ENCODE = msgspec.json.Encoder().encode


def decode(body: bytes) -> list[Message]:
    """The messages of a body: an array of objects, or one object. Raises Refused (`malformed`, `too large`)."""
    if len(body) > MAX_BYTES:
        raise Refused("too large")
    try:
        found = _DECODE(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused("malformed", str(error)) from None
    messages = [found] if isinstance(found, dict) else found
    if not isinstance(messages, list) or not messages or not all(isinstance(one, dict) for one in messages):
        raise Refused("malformed", "every message is an object")
    if len(messages) > MAX_MESSAGES:
        raise Refused("malformed", f"at most {MAX_MESSAGES} messages")
    return messages


def text(message: Message, key: str) -> str | None:
    """A member that must be text; None for anything else."""
    value = message.get(key)
    return value if isinstance(value, str) else None


def table(message: Message, *keys: str) -> dict[str, Any]:
    """A nested object, such as `ext`, `replay`; empty where there is none."""
    found: dict[str, Any] = message
    for key in keys:
        inner = found.get(key)
        if not isinstance(inner, dict):
            return {}
        found = inner
    return found


def reply(
    message: Message,
    *,
    client_id: str | None = None,
    ext: dict[str, Any] | None = None,
    advice: dict[str, Any] | None = None,
    **members: Any,
) -> bytes:
    """The reply to a message, successful unless `error` is among the `members`."""
    found: dict[str, Any] = {} if ext is None else {"ext": ext}
    if "minimumVersion" in members:
        found["minimumVersion"] = members.pop("minimumVersion")
    if client_id is not None:
        found["clientId"] = client_id
    if "supportedConnectionTypes" in members:
        found["supportedConnectionTypes"] = members.pop("supportedConnectionTypes")
    if advice is not None:
        found["advice"] = advice
    channel = text(message, "channel")
    if channel is not None:
        found["channel"] = channel
    number = message.get("id")
    if isinstance(number, (str, int, float)):
        found["id"] = number
    found |= members
    found["successful"] = "error" not in members
    return _ENCODE(found)


def refusal(message: Message, refused: Refused) -> bytes:
    """The reply to a refused message, in the shape the documentation shows for its channel."""
    channel = text(message, "channel")
    advice: dict[str, Any] | None = None
    if refused.advice is not None:
        # "Later" is in two seconds (guessed): a client without an interval would ask at once, again and again.
        advice = {"reconnect": refused.advice, "interval": 2000 if refused.advice == RETRY else 0}
    if channel == HANDSHAKE_CHANNEL and refused.code != 400:
        # The reason of a denied handshake stands inside; the error itself is always the same.
        ext = {"sfdc": {"failureReason": refused.error}, "replay": True}
        denied = Refused("handshake denied").error
        return reply(message, ext=ext, advice={"reconnect": refused.advice or "none"}, error=denied)
    # A client that is none here is not named back.
    client_id = None if refused.advice == HANDSHAKE else text(message, "clientId")
    members: dict[str, Any] = {}
    if channel in (SUBSCRIBE, UNSUBSCRIBE) and isinstance(message.get("subscription"), (str, list)):
        members["subscription"] = message["subscription"]
    reason = {"sfdc": {"failureReason": refused.error}} if refused.code == 503 else None
    return reply(message, client_id=client_id, ext=reason, advice=advice, **members, error=refused.error)


def event_message(data: bytes, channel: bytes) -> bytes:
    """A delivery: `data` is the object as JSON, `channel` the name as a JSON string."""
    return b'{"data":%b,"channel":%b}' % (data, channel)


def body(messages: list[bytes]) -> tuple[bytes, ...]:
    """The messages as one array, in parts: the first of several are events that other clients get too."""
    if len(messages) == 2:
        return b"[", messages[0], b",%b]" % messages[1]
    return (b"[%b]" % b",".join(messages),)


def channels_of(message: Message) -> list[str]:
    """
    The channels a message names in `subscription`, without repeats.

    Raises Refused: none is named, or one does not begin with a slash.
    """
    named = message.get("subscription")
    names = [name for name in (named if isinstance(named, list) else [named]) if isinstance(name, str)]
    if not names or not all(names) or (isinstance(named, list) and len(names) < len(named)):
        raise Refused("no channel")
    for name in names:
        if not name.startswith("/"):
            raise Refused("no leading slash")
    return list(dict.fromkeys(names))
