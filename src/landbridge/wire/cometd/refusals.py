"""
What the Streaming API refuses, in the words of its error table. Pure.

Values stand in braces as replies seen in the field have them: `… does not exist {/topic/X}`. Rows of the table that Landbridge
never says (PushTopics, generic channels) are listed in docs/reference/streaming.md.

Source: `events.md` section 3, "Streaming API Error Codes" v67.
"""

from __future__ import annotations

NONE, HANDSHAKE, RETRY = "none", "handshake", "retry"

# Name -> code, text, what the client is advised to do about its connection (None: nothing, it stays as it is).
TABLE: dict[str, tuple[int, str, str | None]] = {
    "malformed": (400, "The request is no JSON array of Bayeux messages: {}", None),
    "version missing": (400, "API version in the URI is mandatory. URI format: '/cometd/66.0'", NONE),
    "version unsupported": (
        400, "Unsupported API version. Only API versions '37.0' and later are supported. URI format: '/cometd/66.0'", NONE,
    ),
    "connection type": (400, "Invalid connection type {{{}}}", None),
    "no such channel": (400, "The channel you requested to subscribe to does not exist {{{}}}", None),
    "no channel": (400, "Channel name not specified", None),
    "no leading slash": (400, "Channel subscriptions must start with a leading '/'", None),
    "no such fields": (400, "Query fields {{{}}} do not exist on the topic entity", None),
    "no cookie": (400, "Client {} has established a session, but no BAYEUX_BROWSER cookie present", HANDSHAKE),
    "replay id": (
        400,
        "The replayId {{{}}} you provided was invalid. Please provide a valid ID, -2 to replay all events, or -1 to replay "
        "only new events.",
        None,
    ),
    "payload format": (400, "Landbridge delivers the payload format EXPANDED alone, not {{{}}}", None),
    "other user": (400, "Authenticated user id does not match the session's user id", NONE),
    "authentication invalid": (401, "Authentication invalid", NONE),
    "authentication missing": (401, "Request requires authentication", NONE),
    "cannot create": (403, "Cannot create channel {{{}}}", None),
    "handshake denied": (403, "Handshake denied", NONE),
    "no handshake": (403, "Client has not completed handshake", HANDSHAKE),
    "too many subscribers": (403, "Organization concurrent user limit exceeded", None),
    "restricted": (403, "Restricted channel", None),
    "unknown client": (403, "Unknown client", HANDSHAKE),
    "too many connections": (
        403,
        "To protect all customers from excessive use and Denial of Service attacks, we limit the number of simultaneous "
        "connections per server. Your request has been denied because this limit has been exceeded. Please try your request "
        "again later.",
        NONE,
    ),
    "unknown channel": (404, "Unknown channel", None),
    "too large": (413, "Maximum Request Size Exceeded", None),
    "too busy": (503, "Server is too busy. Please try your request again later.", RETRY),
}  # fmt: skip


class Refused(Exception):
    """A message that is refused. `error` is the field of that name, `advice` the reconnect advice or None."""

    def __init__(self, name: str, value: str = "") -> None:
        code, text, self.advice = TABLE[name]
        self.name = name
        self.code = code
        self.error = f"{code}::{text.format(value[:256])}"
        super().__init__(self.error)
