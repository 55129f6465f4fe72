"""The requests of one `send` on the wire, one after the other; the steps are those of `send`."""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from landbridge.callouts import breaker as breakers
from landbridge.callouts import mask
from landbridge.callouts.breaker import State
from landbridge.callouts.entry import entry as make_entry
from landbridge.callouts.entry import lines, shown_url
from landbridge.callouts.guard import NotAllowed, check_host, redirected
from landbridge.callouts.live import Live
from landbridge.callouts.model import Kind, Outcome, Request, Sent, Stopped
from landbridge.callouts.run import MOST_CALLS, MOST_SECONDS, Run
from landbridge.callouts.tokens import NoToken
from landbridge.chance import Chance
from landbridge.clock import Clock
from landbridge.faults import StagedReply, Strike, Switchboard
from landbridge.values import parse_http_date

if TYPE_CHECKING:
    from landbridge.callouts.transport import Answer

log = logging.getLogger(__name__)

MOST_REDIRECTS = 5
MOST_RETRY_AFTER = 30 * 86400.0
"""What a target can ask for: a slip of its keyboard is no reason to wait for a century."""
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_POINT = "callout.send"
_ANSWERED, _YES, _CLOSED = Kind.ANSWERED, Sent.YES, State.CLOSED  # looking into an enumeration costs more than a name
_SAFE = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True)
class Parts:
    """What a call needs of its server; `log_body` is how many bytes of a body the journal keeps."""

    clock: Clock
    chance: Chance
    switchboard: Switchboard
    log_body: int


class Call:
    """
    One `send`: its requests on the wire, one after the other.

    After `go`, `old_token` is the token it went with when that one was not new, `follow` where a redirect leads.
    """

    __slots__ = ("_deadline", "_hops", "_live", "_parts", "_request", "_run", "follow", "old_token", "url")

    def __init__(self, parts: Parts, live: Live, request: Request, run: Run, url: str, deadline: float) -> None:
        self._parts = parts
        self._live = live
        self._request = request
        self._run = run
        self._deadline = deadline
        self._hops = 0
        self.url = url
        self.follow: str | None = None
        self.old_token: str | None = None

    async def go(self) -> Outcome:
        """One request on the wire, journalled."""
        parts, live, run, request = self._parts, self._live, self._run, self._request
        clock = parts.clock
        at, started = clock.epoch(), clock.monotonic()
        trace = f"00-{run.trace_id}-{parts.chance.hex(16)}-01"
        key = request.idempotency_key
        headers = [*request.headers, ("traceparent", trace)]
        shown = f"{live.shown_headers}{lines(request.headers)}traceparent: {trace}\n"
        if key is not None:
            headers.append(("Idempotency-Key", key))
            shown = f"{shown}Idempotency-Key: {mask.body(key) if '?' in key else key}\n"
        answer: Answer | None = None
        kind, sent, error = _ANSWERED, _YES, ""
        retry_after: float | None = None
        epoch: int | None = None
        self.old_token = self.follow = None
        try:
            self._check_run()
            self._check_credential()
            epoch = live.breaker.epoch if live.breaker.state is _CLOSED else self._ask_breaker()
            if live.gate.free_run:
                answer = await self._wire(headers, started)
            else:
                await live.gate.enter(self._left(started))
                try:
                    answer = await self._wire(headers, clock.monotonic())
                finally:
                    live.gate.leave()
            if answer.status in _REDIRECTS:
                self._redirect(answer)
        except Stopped as stop:
            kind, sent, error, retry_after = stop.kind, stop.sent, str(stop), stop.retry_after
            answer = stop.answer or answer
        except BaseException as gone:  # cancelled, or no request that HTTP can carry
            self._release(epoch)
            if not isinstance(gone, ValueError):
                spent = clock.monotonic() - started
                self._note(at, spent, shown, Kind.LOST, Sent.MAYBE, None, "cancelled before the answer came", None)
            raise
        spent = clock.monotonic() - started
        run.seconds += spent
        if epoch is not None:
            self._tell_breaker(epoch, kind, 0 if answer is None else answer.status)
        if answer is not None and retry_after is None and answer.status >= 300:
            retry_after = _retry_after(answer, clock)
        return self._note(at, spent, shown, kind, sent, answer, error, retry_after)

    # --- before the wire ---------------------------------------------------------------------------------------

    def _check_run(self) -> None:
        run = self._run
        if run.uncommitted():
            raise Stopped(
                Kind.UNCOMMITTED, Sent.NO,
                "You have uncommitted work pending. Please commit or rollback before calling out",
            )  # fmt: skip
        if not run.limited:
            return
        if run.calls >= MOST_CALLS:
            raise Stopped(Kind.BUDGET, Sent.NO, f"Too many callouts: {run.calls + 1}")
        if run.seconds >= MOST_SECONDS:
            raise Stopped(Kind.BUDGET, Sent.NO, f"the run's {MOST_SECONDS:g} seconds of callouts are used up")
        run.calls += 1

    def _check_credential(self) -> None:
        live = self._live
        if not live.credential.enabled:
            raise Stopped(Kind.REFUSED, Sent.NO, f"named credential {live.name} is switched off")
        if not self.url.startswith(live.own):
            try:
                check_host(live.credential, self.url)
            except NotAllowed as error:
                raise Stopped(Kind.REFUSED, Sent.NO, str(error)) from None

    def _ask_breaker(self) -> int:
        live = self._live
        live.breaker, wait = breakers.ask(live.breaker, live.credential.breaker, self._parts.clock.epoch())
        if wait is not None:
            raise Stopped(Kind.BREAKER, Sent.NO, "the circuit breaker is open: the target failed too often", wait)
        return live.breaker.epoch

    def _release(self, epoch: int | None) -> None:
        if epoch is not None:
            self._live.breaker = breakers.abandoned(self._live.breaker, epoch)

    def _tell_breaker(self, epoch: int, kind: Kind, status: int) -> None:
        if kind is _ANSWERED:
            failed = status >= 500
        elif kind is Kind.BUSY or kind is Kind.REFUSED:
            self._release(epoch)
            return
        else:
            failed = kind is not Kind.TOO_LARGE or status >= 500
        live = self._live
        before = live.breaker
        now = self._parts.clock.epoch()
        after = live.breaker = breakers.ended(before, live.credential.breaker, now, epoch, failed=failed)
        if after.state is not before.state:
            level = logging.WARNING if after.state is State.OPEN else logging.INFO
            log.log(level, "the breaker of named credential %s is %s", live.name, after.state)

    # --- on the wire -------------------------------------------------------------------------------------------

    def _wire(self, headers: list[tuple[str, str]], now: float) -> Awaitable[Answer]:
        """The request itself, to be awaited. A switch that is thrown while it is under way counts from the next one."""
        live, request = self._live, self._request
        if live.is_plain and not self._parts.switchboard.armed(_POINT):
            return live.transport.exchange(request.method, self.url, headers, request.body, self._left(now))
        return self._with_care(headers)

    async def _with_care(self, headers: list[tuple[str, str]]) -> Answer:
        """As `_wire`, where a failure may be staged, a token needed or a key be part of the URL."""
        live, request, clock = self._live, self._request, self._parts.clock
        strike = self._strike("before")
        if strike is not None:
            staged = await self._suffer(strike, Sent.NO)
            if staged is not None:
                return staged
        if live.tokens is not None:
            self.old_token = live.tokens.kept()
            token = self.old_token if self.old_token is not None else await live.tokens.get(self._post_token)
            headers = [*headers, ("Authorization", f"Bearer {token}")]
        url = self.url
        if live.key:
            url += ("&" if "?" in url else "?") + live.key
        answer = await live.transport.exchange(
            request.method, url, headers, request.body, self._left(clock.monotonic())
        )
        strike = self._strike("after")
        if strike is not None:
            return await self._suffer(strike, Sent.MAYBE) or answer
        return answer

    def _left(self, now: float) -> float:
        """Seconds this request may take from now, a moment of `Clock.monotonic`. Raises Stopped when none are left."""
        left = self._deadline - now
        if self._run.limited:
            left = min(left, MOST_SECONDS - self._run.seconds)
        if left <= 0:
            raise Stopped(Kind.TIMEOUT, Sent.NO, "no time left to send it")
        return left

    def _strike(self, when: str) -> Strike | None:
        if not self._parts.switchboard.armed(_POINT):
            return None
        request, run = self._request, self._run
        return self._parts.switchboard.strike(
            _POINT,
            {"when": when, "credential": self._live.name, "method": request.method, "path": request.path,
             "flow": run.flow, "subscription": run.subscription},
        )  # fmt: skip

    async def _suffer(self, strike: Strike, sent: Sent) -> Answer | None:
        """Do as the switchboard says. Raises Stopped as the wire would."""
        if strike.delay:
            left = self._left(self._parts.clock.monotonic())
            await self._parts.clock.sleep(min(strike.delay, left))
            if strike.delay >= left:
                raise Stopped(Kind.TIMEOUT, sent, "no answer in time")
        error = strike.error
        if error is None:
            return None
        if isinstance(error, StagedReply):
            from landbridge.callouts.transport import Answer

            return Answer(error.status, error.headers, error.body, "1.1")
        if isinstance(error, TimeoutError):
            raise Stopped(Kind.TIMEOUT, Sent.MAYBE, "no answer in time")
        if isinstance(error, ConnectionRefusedError) and sent is Sent.NO:
            raise Stopped(Kind.CONNECT, Sent.NO, "no connection: Connection refused")
        if isinstance(error, ConnectionError):
            raise Stopped(Kind.LOST, Sent.MAYBE, "the connection was lost")
        raise error

    def _redirect(self, answer: Answer) -> None:
        """Set `follow` for a redirect that is followed. Raises Stopped for one that must not be."""
        location = next((value for name, value in answer.headers if name == "location"), None)
        if location is None:
            return
        try:
            target = redirected(self._live.credential, self.url, location)
        except NotAllowed as error:
            raise Stopped(Kind.REFUSED, Sent.YES, str(error), answer=answer) from None
        if self._request.method not in _SAFE and answer.status not in (307, 308):
            return  # 301 to 303 would turn a POST into a GET: the author decides
        self._hops += 1
        if self._hops > MOST_REDIRECTS:
            raise Stopped(Kind.REFUSED, Sent.YES, f"more than {MOST_REDIRECTS} redirects", answer=answer)
        self.follow = target

    async def _post_token(self, url: str, headers: list[tuple[str, str]], form: bytes) -> tuple[int, bytes]:
        """The request for a token: a callout of its own, in the same run."""
        parts, live, run = self._parts, self._live, self._run
        if run.limited:
            run.calls += 1
        at, started = parts.clock.epoch(), parts.clock.monotonic()
        request = Request(credential=live.credential.name, method="POST", path=url, headers=tuple(headers), body=form)
        answer: Answer | None = None
        kind, sent, error = Kind.ANSWERED, Sent.YES, ""
        try:
            answer = await live.token_transport.exchange("POST", url, headers, form, self._left(started))
        except Stopped as stop:
            kind, sent, error, answer = stop.kind, stop.sent, str(stop), stop.answer
        entry = make_entry(parts.log_body, live, run, request, url, lines(headers), kind, sent, answer, error,
                       parts.clock.monotonic() - started, at, secret_answer=True)  # fmt: skip
        run.note(entry)
        if kind is Kind.REFUSED:
            raise Stopped(kind, Sent.NO, f"the token server: {error}")
        if answer is None or kind is not Kind.ANSWERED:
            raise NoToken(f"the token server: {error}")
        return answer.status, answer.body

    # --- after it ----------------------------------------------------------------------------------------------

    def _note(
        self, at: float, spent: float, shown_headers: str, kind: Kind, sent: Sent, answer: Answer | None,
        error: str, retry_after: float | None,
    ) -> Outcome:  # fmt: skip
        """Into the journal, and out as a value."""
        live, run, request = self._live, self._run, self._request
        url = shown_url(live, self.url)
        if error:
            error = live.hidden.hide(error)[:1000]
        entry = make_entry(
            self._parts.log_body, live, run, request, url, shown_headers, kind, sent, answer, error, spent, at
        )
        run.note(entry)
        if answer is None:
            return Outcome(
                kind=kind, sent=sent, credential=live.name, method=request.method, url=url,
                correlation_id=run.correlation_id, error=error, retry_after=retry_after, duration=spent,
            )  # fmt: skip
        return Outcome(
            kind=kind, sent=sent, credential=live.name, method=request.method, url=url,
            correlation_id=run.correlation_id, status=answer.status, headers=answer.headers, body=answer.body, error=error,
            retry_after=retry_after, duration=spent, http_version=answer.version, shown=entry.values[-2] or "",  # type: ignore[arg-type]
        )  # fmt: skip


def _retry_after(answer: Answer, clock: Clock) -> float | None:
    """Seconds that the target asks to wait; a date counts from the answer's own Date (RFC 9110 section 10.2.3)."""
    found = {name: value for name, value in answer.headers if name in ("retry-after", "date")}
    text = found.get("retry-after", "").strip()
    if not text:
        return None
    if text.isascii() and text.isdigit():
        return min(float(text), MOST_RETRY_AFTER)
    when = _moment(text)
    if when is None:
        return None
    now = _moment(found.get("date", ""))
    wait = when - (clock.epoch() - clock.offset if now is None else now)
    return min(max(0.0, wait), MOST_RETRY_AFTER)


def _moment(text: str) -> float | None:
    wire = parse_http_date(text)
    return None if wire is None else datetime.fromisoformat(wire).timestamp()
