"""An outside system in an author's hands: its verbs now (`erp.put`), or after the handler's success (`erp.later.put`)."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any, Protocol

from landbridge.callouts import Request, Target, request


class Outbox(Protocol):
    """Takes a request that is to be sent after the commit of what runs."""

    def later(self, request: Request, key: str | None) -> None: ...


active: ContextVar[Outbox | None] = ContextVar("landbridge_outbox", default=None)
"""The outbox of the handler run that is under way in this task."""


class Credential(Target):
    """A named credential of a flow. See `Flow.credential`."""

    @property
    def later(self) -> Later:
        """The same verbs, sent after the commit: never for a handler or a transaction that fails."""
        return Later(self.name)


class Later:
    """
    Requests kept in the outbox: written with the handler's effects (or with the transaction around them), sent afterwards.

    They go out in order per `key` (by default the key of the delivery at hand), each with retries of its own and an
    idempotency key; what is given up on is a dead letter of the subscription `<flow>/later-<credential>`.
    """

    def __init__(self, credential: str) -> None:
        self._credential = credential

    def request(self, method: str, path: str, *, key: str | None = None, **given: Any) -> None:
        """Keep one request. `given` as for `Target.send`. Raises RuntimeError outside of a handler, ValueError."""
        outbox = active.get()
        if outbox is None:
            raise RuntimeError(f"{self._credential}.later: there is no handler run here")
        outbox.later(request(self._credential, method, path, **given), key)

    async def post(self, path: str, **given: Any) -> None:
        self.request("POST", path, **given)

    async def put(self, path: str, **given: Any) -> None:
        self.request("PUT", path, **given)

    async def patch(self, path: str, **given: Any) -> None:
        self.request("PATCH", path, **given)

    async def delete(self, path: str, **given: Any) -> None:
        self.request("DELETE", path, **given)
