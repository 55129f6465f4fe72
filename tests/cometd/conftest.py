"""An org with the sample shop and a raw Bayeux client on a socket of its own, in cooperation with nobody."""

from __future__ import annotations

import http.client
import json
import select
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.support.running import Reply, RunningOrg

SHOP = ROOT / "examples" / "shop"
TOPIC = "/event/Packing_Event__e"


class Raw:
    """One Bayeux client: a connection, a cookie, a client id. It does what it is told and no more."""

    def __init__(self, org: RunningOrg, token: str = "", path: str = "/cometd/67.0") -> None:
        self._org = org
        self.path = path
        self.token = token or org.ready["access_token"]
        self.headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        self._connection = http.client.HTTPConnection("127.0.0.1", org.port, timeout=30)
        self.client = ""

    def send(self, *messages: dict[str, Any], path: str | None = None) -> None:
        self._connection.request("POST", path or self.path, json.dumps(messages).encode(), self.headers)

    def receive(self) -> Reply:
        response = self._connection.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        return Reply(response.status, found, response.read())

    def is_answered(self) -> bool:
        """Whether something of an answer is here already."""
        readable, _, _ = select.select([self._connection.sock], [], [], 0)
        return bool(readable)

    def ask(self, *messages: dict[str, Any], path: str | None = None) -> Reply:
        self.send(*messages, path=path)
        return self.receive()

    def handshake(self) -> Raw:
        reply = self.ask(
            {"channel": "/meta/handshake", "version": "1.0", "supportedConnectionTypes": ["long-polling"], "id": "1"}
        )
        assert reply.json[0]["successful"], reply.raw
        self.client = reply.json[0]["clientId"]
        self.headers["Cookie"] = reply.headers["set-cookie"].partition(";")[0]
        return self

    def subscribe(self, channel: str = TOPIC, replay: int = -1) -> dict[str, Any]:
        message = {"channel": "/meta/subscribe", "clientId": self.client, "subscription": channel, "id": "2",
                   "ext": {"replay": {channel: replay}}}  # fmt: skip
        (reply,) = self.ask(message).json
        return dict(reply)

    @property
    def connection_message(self) -> dict[str, Any]:
        return {"channel": "/meta/connect", "clientId": self.client, "connectionType": "long-polling", "id": "9"}

    def poll(self) -> list[dict[str, Any]]:
        """One connect and its answer, whenever it comes."""
        found: list[dict[str, Any]] = self.ask(self.connection_message).json
        return found

    def open(self, *channels: str, replay: int = -1) -> Raw:
        """Shake hands, subscribe, be answered the first connect."""
        self.handshake()
        for channel in channels or (TOPIC,):
            assert self.subscribe(channel, replay)["successful"]
        assert self.poll()[-1]["advice"]["reconnect"] == "retry"
        return self

    def vanish(self, *, politely: bool) -> None:
        """Go away in the middle of whatever there is: with a FIN, as a killed process does, or with a reset."""
        sock = self._connection.sock
        assert sock is not None
        if not politely:
            sock.setsockopt(1, 13, b"\x01\x00\x00\x00\x00\x00\x00\x00")  # SO_LINGER of 0: close resets
        self._connection.close()

    def close(self) -> None:
        self._connection.close()


@pytest.fixture(scope="module")
def org(home: Path) -> Iterator[RunningOrg]:
    with RunningOrg(
        home=home, source=(SHOP,), capture=("Account",), daily_api_requests=1_000_000, hourly_published_events=1_000_000,
        hide=("Account.AnnualRevenue", "Account.BillingCity"),
    ) as running:  # fmt: skip
        yield running


@pytest.fixture
def raw(org: RunningOrg) -> Iterator[Callable[..., Raw]]:
    """Makes raw clients; their connections end with the test."""
    made: list[Raw] = []

    def make(token: str = "", path: str = "/cometd/67.0", of: RunningOrg | None = None) -> Raw:
        made.append(Raw(of or org, token, path))
        return made[-1]

    yield make
    for client in made:
        client.close()
