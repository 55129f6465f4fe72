"""
`send`, the only way out.

    1  the run         no uncommitted work, budget left
    2  the credential  switched on; the host is one of its own
    3  the breaker     closed, or this is a probe
    4  the gate        a turn by rate and concurrency, within the timeout
    5  the switchboard a staged failure before the effect
    6  the wire        a token if one is needed, one request, one bounded answer
    7  the switchboard a staged failure after the effect
    8  the journal     one entry, masked; the breaker hears how it ended

Steps 3 to 8 happen once for each request on the wire: a redirect that may be followed, the one try with a new token after
a 401, and the request for a token are callouts of their own, counted and journalled. Nothing is sent again otherwise:
whether to try again is delivery's to decide.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from hashlib import sha256
from urllib.parse import quote, urlencode

from landbridge.auth.seal import Seal
from landbridge.callouts import breaker as breakers
from landbridge.callouts.breaker import Breaker, BreakerView
from landbridge.callouts.call import Call, Parts
from landbridge.callouts.credential import MOST_TIMEOUT, Credential
from landbridge.callouts.guard import Resolve, resolve
from landbridge.callouts.journal import Journal
from landbridge.callouts.live import Live
from landbridge.callouts.model import Outcome, Request
from landbridge.callouts.run import Run
from landbridge.callouts.store import Credentials
from landbridge.chance import Chance
from landbridge.clock import Clock
from landbridge.errors import LandbridgeError
from landbridge.faults import Switchboard
from landbridge.schema.numbers import Numbers
from landbridge.storage import Database

CLOSING = 2.0
"""Seconds that what is under way has to end when the org closes."""
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
_TUNNELS = frozenset({"CONNECT", "TRACE"})
_DOTS = re.compile(r"(?i)(?:\A|/|\\)(?:\.|%2e){1,2}(?:\Z|/|\\)")


class Callouts:
    """
    The callouts of one org. `store` is its credentials, `journal` its record; `limits` whether runs have a budget.

    `log_body` is how many bytes of a body the journal keeps.
    """

    def __init__(
        self, db: Database, clock: Clock, chance: Chance, switchboard: Switchboard, seal: Seal, numbers: Numbers, *,
        limits: bool = True, log_body: int = 4096, log_age: float = 30 * 86400.0, log_size: int = 256 * 1024 * 1024,
        resolver: Resolve = resolve,
    ) -> None:  # fmt: skip
        self._clock = clock
        self._chance = chance
        self._parts = Parts(clock, chance, switchboard, log_body)
        self._resolver = resolver
        self._limits = limits
        self.store = Credentials(seal, numbers, self._forget)
        self.journal = Journal(db, clock, numbers, age=log_age, size=log_size)
        self._live: dict[str, Live] = {}
        self._under_way = 0
        self._closed = False

    # --- what others ask -----------------------------------------------------------------------------------------

    def run(
        self, *, flow: str = "", subscription: str = "", attempt: int = 1, correlation_id: str | None = None,
        uncommitted: Callable[[], bool] = lambda: False, limits: bool | None = None,
    ) -> Run:  # fmt: skip
        """One handler run. `uncommitted` says whether it holds uncommitted work at the moment; `limits` None: as the org."""
        if correlation_id is None:
            correlation_id = self._chance.uuid()
            trace_id = correlation_id.replace("-", "")
        else:
            trace_id = _trace_id(correlation_id)
        limited = self._limits if limits is None else limits
        return Run(self, self.journal, flow, subscription, attempt, correlation_id, trace_id, uncommitted, limited)

    def need(self, name: str) -> Credential:
        """The credential of that name. Raises UnknownCredential, InvalidCredential."""
        return self.store.need(name)

    def names(self) -> list[str]:
        return [known.name for known in self.store.all()]

    def breaker(self, name: str) -> BreakerView:
        """The state of a credential's breaker. Raises UnknownCredential."""
        credential = self.need(name)
        live = self._live.get(credential.name)
        return breakers.view(Breaker() if live is None else live.breaker, credential.breaker, self._clock.epoch())

    async def disconnect(self) -> None:
        """Close every connection; what is under way ends as lost, the next callout opens new ones."""
        live, self._live = list(self._live.values()), {}
        for each in live:
            await each.close()

    async def close(self) -> None:
        """End what is under way, write the journal. Whoever still waits for a turn is given CLOSING seconds."""
        self._closed = True
        await self.disconnect()
        end = self._clock.monotonic() + CLOSING
        while self._under_way and self._clock.monotonic() < end:
            await self._clock.sleep(0.01)
        await self.journal.close()

    def _forget(self, name: str) -> None:
        """A credential has changed: the next callout takes it up anew. What is under way ends with the old one."""
        for known in [key for key in self._live if key.lower() == name.lower()]:
            del self._live[known]

    def _use(self, name: str) -> Live:
        live = self._live.get(name)
        if live is None:
            credential = self.need(name)
            live = self._live.get(credential.name)
            if live is None:
                live = Live(credential, self.store.open(name), self._clock, self._chance, self._resolver)
                self._live[credential.name] = live
        return live

    # --- sending ---------------------------------------------------------------------------------------------------

    async def send(self, request: Request, run: Run) -> Outcome:
        """
        Send one request and journal it. A remote failure is a value.

        Raises UnknownCredential and LandbridgeError (a credential that is not complete), ValueError (no request that HTTP can
        carry), DatabaseLost (the journal can't be written).
        """
        if self._closed:
            raise LandbridgeError("the org is closing: no callout goes out any more")
        live = self._use(request.credential)
        if request.method not in _METHODS and not _is_method(request.method):
            raise ValueError(f"not a method for a callout: {request.method[:20]!r}")
        url = _url(live.base, request)
        if self.journal.is_full:
            await self.journal.room()
        time = live.credential.timeout if request.timeout is None else min(request.timeout, MOST_TIMEOUT)
        deadline = self._clock.monotonic() + time
        self._under_way += 1
        try:
            call = Call(self._parts, live, request, run, url, deadline)
            outcome = await call.go()
            if outcome.status == 401 and call.old_token is not None and live.tokens is not None:
                live.tokens.forget(call.old_token)
                outcome = await call.go()
            while call.follow is not None:
                call.url = call.follow
                outcome = await call.go()
            return outcome
        finally:
            self._under_way -= 1


def _is_method(text: str) -> bool:
    """Whether a method that is none of the common ones may be sent all the same; CONNECT and TRACE may not."""
    return text.isascii() and text.isalpha() and text.isupper() and len(text) <= 20 and text not in _TUNNELS


def _url(base: str, request: Request) -> str:
    """Where a request goes. Raises ValueError for a path that is no path."""
    path = request.path
    if not path.isprintable() or " " in path:
        raise ValueError("a callout's path has blanks or control characters: quote its values (urllib.parse.quote)")
    if ("." in path or "%2" in path) and _DOTS.search(path.partition("?")[0]) is not None:
        raise ValueError("a callout's path has a `.` or `..` part: quote its values (urllib.parse.quote)")
    if path[:4].lower() == "http" and path[:8].lower().startswith(("http://", "https://")):
        url = path
    else:
        url = f"{base}/{path.lstrip('/')}"
    if "#" in url:
        url = url.partition("#")[0]
    if request.query:
        url += ("&" if "?" in url else "?") + urlencode(request.query, quote_via=quote)
    return url


def _trace_id(correlation_id: str) -> str:
    """A W3C trace id: the correlation id itself where it is one (a UUID is), else what it hashes to."""
    digits = correlation_id.replace("-", "").lower()
    if len(digits) == 32 and digits.strip("0") and not digits.strip("0123456789abcdef"):
        return digits
    return sha256(correlation_id.encode()).hexdigest()[:32]
