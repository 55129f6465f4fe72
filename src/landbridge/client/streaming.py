"""
The Streaming API for our own commands: a long-polling Bayeux client, one topic, on the standard library alone.

It works with any org. When a session is lost it shakes hands again and goes on behind the last event it gave; when the org
refuses (the topic, the replay id, the token) it raises OrgError.

Source: `events.md` section 3.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator
from typing import Any

from landbridge.client.rest import VERSION, OrgError, RestClient, connect

HOLD = 115.0
"""Seconds to wait for a held connect: the org answers within 110."""
PATH = f"/cometd/{VERSION}"


class Streaming:
    """Reads one topic of an org. `events` gives the `data` objects as they come, for ever."""

    def __init__(self, client: RestClient, pause: Callable[[float], None]) -> None:
        self._token = client.token
        self._url = client.url
        self._ca_file = client.ca_file
        self._pause = pause
        self._connection: http.client.HTTPConnection | None = None
        self._cookies: dict[str, str] = {}
        self._client_id = ""
        self._number = 0

    def events(self, topic: str, replay: int, ready: Callable[[], None] = lambda: None) -> Iterator[dict[str, Any]]:
        """
        The events of a topic from a position (-1 new, -2 all kept, n after n). `ready` is called once subscribed.

        A lost connection is taken up again without a gap. Raises OrgError, and OSError when the org is not there at first.
        """
        position, first = replay, True
        while True:
            try:
                for data in self._subscribe(topic, position):
                    if first and data is None:
                        first = False
                        ready()
                    if data is not None:
                        position = data["event"]["replayId"]
                        yield data
            except (OSError, http.client.HTTPException):
                if first:
                    raise
                self._close()
                self._pause(1.0)

    def _subscribe(self, topic: str, position: int) -> Iterator[dict[str, Any] | None]:
        """One session: None when it is subscribed, then events; ends when the org wants another handshake."""
        (shake,) = self._send({"channel": "/meta/handshake", "version": "1.0", "minimumVersion": "1.0",
                               "supportedConnectionTypes": ["long-polling"], "ext": {"replay": True}})  # fmt: skip
        _check(shake)
        self._client_id = shake["clientId"]
        found = self._send({"channel": "/meta/subscribe", "subscription": topic, "ext": {"replay": {topic: position}}})
        for message in found:
            if message.get("channel") == "/meta/subscribe":
                _check(message)
        yield None
        yield from _data(found)
        while True:
            found = self._send({"channel": "/meta/connect", "connectionType": "long-polling"})
            yield from _data(found)
            for message in found:
                if message.get("channel") == "/meta/connect" and not message.get("successful"):
                    if (message.get("advice") or {}).get("reconnect") == "none":
                        _check(message)
                    return

    def _send(self, message: dict[str, Any]) -> list[dict[str, Any]]:
        self._number += 1
        message["id"] = str(self._number)
        if self._client_id and message["channel"] != "/meta/handshake":
            message["clientId"] = self._client_id
        connection = self._connection
        if connection is None:
            connection = self._connection = connect(self._url, self._ca_file, HOLD)
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        if self._cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        connection.request("POST", PATH, json.dumps([message]).encode(), headers)
        response = connection.getresponse()
        body = response.read()
        for name, value in response.getheaders():
            if name.lower() == "set-cookie":
                key, _, rest = value.partition("=")
                self._cookies[key.strip()] = rest.partition(";")[0]
        try:
            found = json.loads(body)
        except ValueError:
            raise OrgError(response.status, f"HTTP {response.status}", "no answer of the Streaming API") from None
        if not isinstance(found, list):
            raise OrgError(response.status, f"HTTP {response.status}", "no answer of the Streaming API")
        return [one for one in found if isinstance(one, dict)]

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._client_id = ""


def _check(message: dict[str, Any]) -> None:
    if not message.get("successful"):
        reason = (
            ((message.get("ext") or {}).get("sfdc") or {}).get("failureReason") or message.get("error") or "refused"
        )
        code, _, text = str(reason).partition("::")
        raise OrgError(200, code, text or str(reason))


def _data(found: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    return (one["data"] for one in found if isinstance(one.get("data"), dict) and "event" in one["data"])
