"""An org that answers on a real socket, from a thread of the test process."""

from __future__ import annotations

import asyncio
import http.client
import json
import threading
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from landbridge import Door, Settings

VERSION = "67.0"


@dataclass(frozen=True)
class Reply:
    """What came back: status, headers by lower-case name, raw body."""

    status: int
    headers: dict[str, str]
    raw: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.raw)

    @property
    def error(self) -> str:
        """The code of a Salesforce error."""
        return str(self.json[0]["errorCode"])


class RunningOrg:
    """A Door in a thread. Settings are keyword arguments; in memory on a free port unless they say otherwise."""

    def __init__(self, **settings: Any) -> None:
        self.settings = Settings(**{"port": 0, **settings})
        self.door: Door = None  # type: ignore[assignment]  # set before __enter__ returns
        self.loop: asyncio.AbstractEventLoop = None  # type: ignore[assignment]
        self._stop: asyncio.Event | None = None
        self._ready = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    async def _run(self) -> None:
        self._stop = asyncio.Event()
        self.loop = asyncio.get_running_loop()
        try:
            async with Door.open(self.settings) as self.door:
                self._ready.set()
                await self._stop.wait()
        except BaseException as error:
            self._error = error
        finally:
            self._ready.set()

    def __enter__(self) -> RunningOrg:
        self._thread.start()
        self._ready.wait()
        if self._error is not None:
            self._thread.join()
            raise self._error
        return self

    def __exit__(self, *_: object) -> None:
        assert self._stop is not None
        self.loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        if self._error is not None:
            raise self._error

    @property
    def ready(self) -> dict[str, Any]:
        return self.door.ready

    @property
    def port(self) -> int:
        return self.door.listener.port

    def request(
        self, method: str, path: str, body: Any = None, *, token: str | None = "", headers: dict[str, str] | None = None
    ) -> Reply:
        """One request on a connection of its own. `token` "" is the administrator's, None sends no Authorization."""
        sent = {} if token is None else {"Authorization": f"Bearer {token or self.ready['access_token']}"}
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            sent["Content-Type"] = "application/json"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, {**sent, **(headers or {})})
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, found, response.read())
        finally:
            connection.close()

    def data(self, method: str, path: str, body: Any = None, **options: Any) -> Reply:
        """A request under `/services/data/vXX.X`."""
        return self.request(method, f"/services/data/v{options.pop('version', VERSION)}{path}", body, **options)

    def create(self, sobject: str, **values: Any) -> str:
        """Create a record that must succeed; its id."""
        reply = self.data("POST", f"/sobjects/{sobject}", values)
        assert reply.status == 201, reply.raw
        return str(reply.json["id"])

    def get(self, sobject: str, record_id: str, *fields: str) -> dict[str, Any]:
        """A record that must exist."""
        tail = f"?fields={','.join(fields)}" if fields else ""
        reply = self.data("GET", f"/sobjects/{sobject}/{record_id}{tail}")
        assert reply.status == 200, reply.raw
        found: dict[str, Any] = reply.json
        return found

    def query(self, soql: str, resource: str = "query", **options: Any) -> Reply:
        return self.data("GET", f"/{resource}?{urlencode({'q': soql})}", **options)

    def rows(self, soql: str) -> list[dict[str, Any]]:
        """The records of a query that must succeed."""
        reply = self.query(soql)
        assert reply.status == 200, reply.raw
        found: list[dict[str, Any]] = reply.json["records"]
        return found

    def do(self, work: Any) -> Any:
        """Run a coroutine function on the org's own loop and wait for its result."""
        return asyncio.run_coroutine_threadsafe(work(), self.loop).result(30)

    def jump(self, span: timedelta) -> None:
        """Put the org's clock forward, between two steps of its loop: from another thread it could fall between look and wait."""

        async def leap() -> None:
            self.door.server.clock.jump(span)

        self.do(leap)

    def integration_token(self) -> str:
        """A session of the read-only integration user."""
        server = self.door.server

        async def login() -> str:
            access = server.db.read_now(lambda reader: server.sessions.access(reader, server.org.integration_id))
            assert access is not None
            return await server.grants.open_session(access, None)

        return str(self.do(login))
