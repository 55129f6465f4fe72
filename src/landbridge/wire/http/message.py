"""
What goes through the front door: a request, a call, a reply, a route.

Handlers are plain synchronous functions `handler(call) -> Reply`. A route says what it needs: `READ` runs on a reader (and
may hand back a `Beside` for what takes long), `WRITE` inside a unit of work, `OUTSIDE` is an async function that awaits by
itself (logins, streams), `LATER` a plain function that answers when it likes (long polls: no task for each). Composite calls
`dispatch` with the transaction it already has; it never loops back through HTTP.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import parse_qsl

import msgspec

from landbridge.storage import Reader, Tx
from landbridge.wire.http.heads import Line

if TYPE_CHECKING:
    from landbridge.access import Access
    from landbridge.server import Server
    from landbridge.wire.http.routing import RouteTable

MY_DOMAIN = "https://landbridge.my.salesforce.com"
SHARED_HOSTS = frozenset({"login.salesforce.com", "test.salesforce.com", "api.salesforce.com"})
JSON = b"application/json;charset=UTF-8"


class Needs(Enum):
    """What a route needs from the database."""

    NOTHING = "nothing"
    READ = "read"
    WRITE = "write"
    OUTSIDE = "outside"
    LATER = "later"


@lru_cache(maxsize=1024)
def _parameters(query: bytes) -> dict[str, str]:
    """Shared between requests with the same query: read, never changed."""
    return dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True, encoding="utf-8", errors="replace"))


class Request:
    """
    One HTTP request, whole. `target` is path and query as sent; header names are lower case.

    `client` is the peer's address: only loopback peers are believed about X-Forwarded-*. `content` is the body as a JSON value
    where it is known already (a composite's subrequests); None: it stands in `body`. `line` is what the connection knows of
    its line and headers from earlier requests. `stamp` are header lines that its reply gets whatever it is, written out:
    request id, API usage.
    """

    # Written out, as `Reply` and `Call` are: the `__init__` of a dataclass stays interpreted in a compiled wheel.
    __slots__ = ("body", "client", "content", "headers", "line", "method", "secure", "stamp", "target")

    def __init__(
        self,
        method: str,
        target: bytes,
        headers: dict[bytes, bytes],
        body: bytes,
        secure: bool = False,
        client: str = "127.0.0.1",
        content: Any = None,
        line: Line | None = None,
    ) -> None:
        self.method = method
        self.target = target
        self.headers = headers
        self.body = body
        self.secure = secure
        self.client = client
        self.content = content
        self.line = line
        self.stamp = b""

    def header(self, name: bytes) -> str | None:
        """A header's text (latin-1), None where it is absent."""
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")

    def path(self) -> str:
        """The target's path, still percent-encoded."""
        return self.target.split(b"?", 1)[0].decode("latin-1")

    def query(self) -> dict[str, str]:
        """The query's parameters, decoded; the last of equal names counts."""
        _, _, query = self.target.partition(b"?")
        return _parameters(query) if query else {}

    @property
    def base_url(self) -> str:
        """Scheme and host by which the client reached us; X-Forwarded-* from loopback peers alone."""
        scheme, host = "https" if self.secure else "http", self.headers.get(b"host", b"localhost")
        if self.client in ("127.0.0.1", "::1"):
            scheme = self.header(b"x-forwarded-proto") or scheme
            host = self.headers.get(b"x-forwarded-host", host)
        return f"{scheme}://{host.decode('latin-1')}"

    @property
    def instance_url(self) -> str:
        """The org's own URL: as it was reached, but for the hosts that are every org's (`landbridge exec` leads them here)."""
        base = self.base_url
        return MY_DOMAIN if base.partition("://")[2] in SHARED_HOSTS else base


class Reply:
    """
    An answer. `body` None sends no Content-Type, as 204 does; an async iterator is sent in chunks as it comes.

    A body in parts (a tuple) is one whose large parts other replies have too: they are not copied for each of them. `after` is
    a unit of work that must be durable before a READ's reply is sent, e.g. a query locator. `failed`: something in it failed
    although its status is 200, as a collection with a record that was refused.
    """

    __slots__ = ("after", "body", "content_type", "failed", "headers", "status")

    def __init__(
        self,
        status: int = 200,
        body: bytes | tuple[bytes, ...] | AsyncIterator[bytes] | None = None,
        content_type: bytes = JSON,
        headers: list[tuple[bytes, bytes]] | None = None,
        after: Callable[[Tx], None] | None = None,
        failed: bool = False,
    ) -> None:
        self.status = status
        self.body = body
        self.content_type = content_type
        self.headers: list[tuple[bytes, bytes]] = [] if headers is None else headers
        self.after = after
        self.failed = failed


@dataclass(frozen=True, slots=True)
class Beside:
    """
    What a READ handler returns instead of a Reply when the rest is long: a read to be run beside the loop.

    Inside a transaction (composite) it is simply run on it.
    """

    work: Callable[[Reader], Reply]


def json_reply(value: Any, status: int = 200, headers: list[tuple[bytes, bytes]] | None = None) -> Reply:
    """A reply with `value` as JSON."""
    return Reply(status, msgspec.json.encode(value), headers=headers or [])


class Call:
    """
    One call of a handler: the request, where it runs and for whom.

    `params` are the path's variables, decoded; `version` is the API version as a number (66.0), 0.0 outside
    `/services/data`. `tx` is a Tx in WRITE routes and a Reader in READ routes; OUTSIDE routes have none. `table` is where a
    composite finds the routes of its subrequests; `all_or_none` tells one of them that it is undone if anything in it fails.
    `keep` is there in a composite that only reads: what its subrequests want to be durable before it is answered.
    """

    __slots__ = ("access", "all_or_none", "correlation_id", "keep", "params", "request", "server", "session_id", "table", "tx",
                 "version")  # fmt: skip

    def __init__(
        self,
        server: Server,
        request: Request,
        params: dict[str, str],
        version: float,
        access: Access,
        tx: Any = None,
        session_id: str | None = None,
        correlation_id: str = "",
        table: RouteTable | None = None,
        all_or_none: bool = False,
    ) -> None:
        self.server = server
        self.request = request
        self.params = params
        self.version = version
        self.access = access
        self.tx = tx
        self.session_id = session_id
        self.correlation_id = correlation_id
        self.table = table
        self.all_or_none = all_or_none
        self.keep: list[Callable[[Tx], None]] | None = None

    @property
    def reader(self) -> Reader:
        return self.tx  # type: ignore[no-any-return]  # a Tx is a Reader

    @property
    def writer(self) -> Tx:
        return self.tx  # type: ignore[no-any-return]  # a WRITE route always has a Tx

    @property
    def data_path(self) -> str:
        """`/services/data/v66.0`, as the client spelled the version."""
        return _data_path(self.version)


@lru_cache(maxsize=256)
def _data_path(version: float) -> str:
    return f"/services/data/v{version:.1f}"


Handler = Callable[[Call], Reply | Beside]
AsyncHandler = Callable[[Call], Awaitable[Reply]]
Answer = Callable[[Reply], None]


class Waiting(Protocol):
    """A request that a LATER handler has not answered yet, as its connection sees it."""

    def gone(self) -> None:
        """The peer went away: there is nobody to answer."""
        ...

    def finish(self) -> None:
        """Answer now: the peer will send no more, or the server is closing."""
        ...


LaterHandler = Callable[[Call, Answer], Waiting | None]
"""Calls its second argument with the reply, once; None when it has done so before it returned."""


@dataclass(frozen=True, slots=True)
class Route:
    """
    A method and a path pattern such as `/services/data/{version}/sobjects/{sobject}`.

    `authenticated` routes answer 401 without a session; `metered` ones count as an API call and carry
    `Sforce-Limit-Info`. A variable matches one segment; `{name...}` matches the rest of the path.
    """

    method: str
    pattern: str
    handler: Handler | AsyncHandler | LaterHandler
    needs: Needs
    authenticated: bool = True
    metered: bool = True
    reads: Callable[[Call], bool] | None = None
    """Of a WRITE route: whether this call of it only reads, and so goes as a READ with `Call.keep`. Raises nothing."""
