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

import logging
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from landbridge.auth.seal import Seal
from landbridge.callouts import breaker as breakers
from landbridge.callouts import mask
from landbridge.callouts.breaker import Breaker, BreakerView, State
from landbridge.callouts.credential import MOST_TIMEOUT, Auth, Credential, filled
from landbridge.callouts.guard import NotAllowed, Resolve, check_host, redirected, resolve
from landbridge.callouts.journal import Entry, Journal
from landbridge.callouts.model import Kind, Outcome, Request, Sent, Stopped
from landbridge.callouts.pace import Gate
from landbridge.callouts.run import MOST_CALLS, MOST_SECONDS, Run
from landbridge.callouts.store import Credentials
from landbridge.callouts.tokens import NoToken, Tokens, basic, client_basic
from landbridge.chance import Chance
from landbridge.clock import Clock
from landbridge.errors import LandbridgeError
from landbridge.faults import StagedReply, Strike, Switchboard
from landbridge.schema.numbers import Numbers
from landbridge.storage import Database
from landbridge.values import parse_http_date

if TYPE_CHECKING:
    from landbridge.callouts.transport import Answer, Transport

log = logging.getLogger(__name__)

MOST_REDIRECTS = 5
CLOSING = 2.0
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_SAFE = frozenset({"GET", "HEAD"})
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
_TUNNELS = frozenset({"CONNECT", "TRACE"})
_DOTS = re.compile(r"(?i)(?:\A|/|\\)(?:\.|%2e){1,2}(?:\Z|/|\\)")
_TOKEN_AUTHS = frozenset({Auth.OAUTH, Auth.JWT})
_MARGIN = 8192
"""Bytes masked beyond those that are kept, so that a secret across the edge is found whole."""


class _Live:
    """A credential in use: its secrets, connections, token, turns and breaker."""

    def __init__(
        self, credential: Credential, secrets: dict[str, str], clock: Clock, chance: Chance, resolver: Resolve
    ) -> None:
        missing = [name for name in credential.secrets if name not in secrets]
        if missing:
            raise LandbridgeError(
                f"named credential {credential.name} lacks its secret {missing[0]}. "
                f"Set it with `landbridge credential set {credential.name} --secret {missing[0]}`."
            )
        self.credential = credential
        self.secrets = secrets
        self.hidden = mask.Secrets([*secrets.values(), *_combined(credential, secrets)])
        self.gate = Gate(clock, credential.rate, credential.burst, credential.concurrency)
        self.breaker = Breaker()
        self.base = credential.url.rstrip("/")
        self.headers = _fixed_headers(credential, secrets)
        self.shown_headers = "".join(f"{name}: {self._shown(name, value)}\n" for name, value in self.headers)
        self.key = ""
        if credential.auth is Auth.API_KEY_QUERY:
            self.key = f"{quote(credential.key_name, safe='')}={quote(secrets['key'], safe='')}"
        self.tokens: Tokens | None = None
        if credential.auth in _TOKEN_AUTHS:
            self.tokens = Tokens(credential, secrets, clock, chance.uuid, self.hidden.add)
        self._clock = clock
        self._resolver = resolver
        self._transport: Transport | None = None
        self._token_transport: Transport | None = None

    def _shown(self, name: str, value: str) -> str:
        return mask.HIDDEN if mask.is_secret(name) or name == self.credential.key_name else self.hidden.hide(value)

    @property
    def transport(self) -> Transport:
        if self._transport is None:
            from landbridge.callouts.transport import Transport  # the client's library: at the first callout

            self._transport = Transport(
                self.credential, self.headers, self.secrets.get("client_key"), self._clock, self._resolver
            )
        return self._transport

    @property
    def token_transport(self) -> Transport:
        """Connections to the token server: the credential's own headers are not for it."""
        if self._token_transport is None:
            from landbridge.callouts.transport import Transport

            key = self.secrets.get("client_key")
            self._token_transport = Transport(self.credential, (), key, self._clock, self._resolver)
        return self._token_transport

    async def close(self) -> None:
        for transport in (self._transport, self._token_transport):
            if transport is not None:
                await transport.close()


def _fixed_headers(credential: Credential, secrets: dict[str, str]) -> list[tuple[str, str]]:
    """What goes with every request: the credential's own headers, and how it shows who it is."""
    headers = [(name, filled(value, secrets)) for name, value in credential.headers]
    if credential.auth is Auth.BASIC:
        headers.append(("Authorization", basic(credential.username, secrets["password"])))
    elif credential.auth is Auth.BEARER:
        headers.append(("Authorization", f"Bearer {secrets['token']}"))
    elif credential.auth is Auth.API_KEY_HEADER:
        headers.append((credential.key_name, secrets["key"]))
    return headers


def _combined(credential: Credential, secrets: dict[str, str]) -> list[str]:
    """Secrets in the form in which they travel together with a name."""
    if credential.auth is Auth.BASIC:
        return [basic(credential.username, secrets["password"]).removeprefix("Basic ")]
    if credential.auth is Auth.OAUTH:
        return [client_basic(credential, secrets).removeprefix("Basic ")]
    return []


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
        self._switchboard = switchboard
        self._resolver = resolver
        self._limits = limits
        self._log_body = log_body
        self.store = Credentials(seal, numbers, self._forget)
        self.journal = Journal(db, clock, numbers, age=log_age, size=log_size)
        self._live: dict[str, _Live] = {}
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
        return Run(
            self, self.journal, flow=flow, subscription=subscription, attempt=attempt, correlation_id=correlation_id,
            trace_id=_trace_id(correlation_id), uncommitted=uncommitted,
            limited=self._limits if limits is None else limits,
        )  # fmt: skip

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

    def _use(self, name: str) -> _Live:
        live = self._live.get(name)
        if live is None:
            credential = self.need(name)
            live = self._live.get(credential.name)
            if live is None:
                live = _Live(credential, self.store.open(name), self._clock, self._chance, self._resolver)
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
            call = _Call(self, live, request, run, url, deadline)
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


class _Call:
    """
    One `send`: its requests on the wire, one after the other.

    After `go`, `old_token` is the token it went with when that one was not new, `follow` where a redirect leads.
    """

    __slots__ = ("_deadline", "_hops", "_live", "_out", "_request", "_run", "follow", "old_token", "url")

    def __init__(self, out: Callouts, live: _Live, request: Request, run: Run, url: str, deadline: float) -> None:
        self._out = out
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
        out, live, run = self._out, self._live, self._run
        clock = out._clock
        at, started = clock.epoch(), clock.monotonic()
        headers = self._headers()
        answer: Answer | None = None
        kind, sent, error = Kind.ANSWERED, Sent.YES, ""
        retry_after: float | None = None
        epoch: int | None = None
        self.old_token = self.follow = None
        try:
            self._check_run()
            self._check_credential()
            epoch = self._ask_breaker()
            if live.gate.free_run:
                answer = await self._wire(headers)
            else:
                await live.gate.enter(self._left())
                try:
                    answer = await self._wire(headers)
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
                self._note(at, spent, headers, Kind.LOST, Sent.MAYBE, None, "cancelled before the answer came", None)
            raise
        spent = clock.monotonic() - started
        run.seconds += spent
        if epoch is not None:
            self._tell_breaker(epoch, kind, 0 if answer is None else answer.status)
        if answer is not None and retry_after is None and answer.status >= 300:
            retry_after = _retry_after(answer, clock)
        return self._note(at, spent, headers, kind, sent, answer, error, retry_after)

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
        credential = self._live.credential
        if not credential.enabled:
            raise Stopped(Kind.REFUSED, Sent.NO, f"named credential {credential.name} is switched off")
        if not self.url.startswith(self._live.base + "/"):
            try:
                check_host(credential, self.url)
            except NotAllowed as error:
                raise Stopped(Kind.REFUSED, Sent.NO, str(error)) from None

    def _ask_breaker(self) -> int:
        live = self._live
        live.breaker, wait = breakers.ask(live.breaker, live.credential.breaker, self._out._clock.epoch())
        if wait is not None:
            raise Stopped(Kind.BREAKER, Sent.NO, "the circuit breaker is open: the target failed too often", wait)
        return live.breaker.epoch

    def _release(self, epoch: int | None) -> None:
        if epoch is not None:
            self._live.breaker = breakers.abandoned(self._live.breaker, epoch)

    def _tell_breaker(self, epoch: int, kind: Kind, status: int) -> None:
        if kind in (Kind.BUSY, Kind.REFUSED):
            self._release(epoch)
            return
        live = self._live
        failed = kind not in (Kind.ANSWERED, Kind.TOO_LARGE) or status >= 500
        policy = live.credential.breaker
        before = live.breaker.state
        live.breaker = breakers.ended(live.breaker, policy, self._out._clock.epoch(), epoch, failed=failed)
        if live.breaker.state is not before:
            level = logging.WARNING if live.breaker.state is State.OPEN else logging.INFO
            log.log(level, "the breaker of named credential %s is %s", live.credential.name, live.breaker.state)

    # --- on the wire -------------------------------------------------------------------------------------------

    async def _wire(self, headers: list[tuple[str, str]]) -> Answer:
        live, request = self._live, self._request
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
        answer = await live.transport.exchange(request.method, url, headers, request.body, self._left())
        strike = self._strike("after")
        if strike is not None:
            return await self._suffer(strike, Sent.MAYBE) or answer
        return answer

    def _left(self) -> float:
        """Seconds this request may take. Raises Stopped when none are left."""
        left = self._deadline - self._out._clock.monotonic()
        if self._run.limited:
            left = min(left, MOST_SECONDS - self._run.seconds)
        if left <= 0:
            raise Stopped(Kind.TIMEOUT, Sent.NO, "no time left to send it")
        return left

    def _strike(self, when: str) -> Strike | None:
        switchboard = self._out._switchboard
        if not switchboard.armed("callout.send"):
            return None
        request, run = self._request, self._run
        return switchboard.strike(
            "callout.send",
            {"when": when, "credential": self._live.credential.name, "method": request.method, "path": request.path,
             "flow": run.flow, "subscription": run.subscription},
        )  # fmt: skip

    async def _suffer(self, strike: Strike, sent: Sent) -> Answer | None:
        """Do as the switchboard says. Raises Stopped as the wire would."""
        if strike.delay:
            left = self._left()
            await self._out._clock.sleep(min(strike.delay, left))
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
        out, live, run = self._out, self._live, self._run
        if run.limited:
            run.calls += 1
        at, started = out._clock.epoch(), out._clock.monotonic()
        request = Request(credential=live.credential.name, method="POST", path=url, headers=tuple(headers), body=form)
        answer: Answer | None = None
        kind, sent, error = Kind.ANSWERED, Sent.YES, ""
        try:
            answer = await live.token_transport.exchange("POST", url, headers, form, self._left())
        except Stopped as stop:
            kind, sent, error, answer = stop.kind, stop.sent, str(stop), stop.answer
        entry = _entry(out._log_body, live, run, request, url, "", headers, kind, sent, answer, error,
                       out._clock.monotonic() - started, at, secret_answer=True)  # fmt: skip
        run.note(entry)
        if kind is Kind.REFUSED:
            raise Stopped(kind, Sent.NO, f"the token server: {error}")
        if answer is None or kind is not Kind.ANSWERED:
            raise NoToken(f"the token server: {error}")
        return answer.status, answer.body

    # --- after it ----------------------------------------------------------------------------------------------

    def _headers(self) -> list[tuple[str, str]]:
        """What this request has besides the credential's headers and a token."""
        request = self._request
        headers = [*request.headers, ("traceparent", f"00-{self._run.trace_id}-{self._out._chance.hex(16)}-01")]
        if request.idempotency_key is not None:
            headers.append(("Idempotency-Key", request.idempotency_key))
        return headers

    def _note(
        self, at: float, spent: float, headers: list[tuple[str, str]], kind: Kind, sent: Sent, answer: Answer | None,
        error: str, retry_after: float | None,
    ) -> Outcome:  # fmt: skip
        """Into the journal, and out as a value."""
        live, run, request = self._live, self._run, self._request
        url = _shown_url(live, self.url)
        if error:
            error = live.hidden.hide(error)[:1000]
        entry = _entry(self._out._log_body, live, run, request, url, live.shown_headers, headers, kind, sent, answer,
                       error, spent, at)  # fmt: skip
        run.note(entry)
        if answer is None:
            return Outcome(
                kind=kind, sent=sent, credential=live.credential.name, method=request.method, url=url,
                correlation_id=run.correlation_id, error=error, retry_after=retry_after, duration=spent,
            )  # fmt: skip
        return Outcome(
            kind=kind, sent=sent, credential=live.credential.name, method=request.method, url=url,
            correlation_id=run.correlation_id, status=answer.status, headers=answer.headers, body=answer.body, error=error,
            retry_after=retry_after, duration=spent, http_version=answer.version, shown=str(entry.values[-1] or ""),
        )  # fmt: skip


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


def _shown_url(live: _Live, url: str) -> str:
    if "?" not in url and not live.key:
        return live.hidden.hide(url)
    path, mark, query = url.partition("?")
    if live.key:
        mark, query = "?", f"{query}&{live.credential.key_name}={mask.HIDDEN}".lstrip("&")
    return live.hidden.hide(f"{path}?{mask.query(query)}" if mark else path)


def _entry(
    most: int, live: _Live, run: Run, request: Request, url: str, shown: str, headers: Sequence[tuple[str, str]], kind: Kind,
    sent: Sent, answer: Answer | None, error: str, spent: float, at: float, *, secret_answer: bool = False,
) -> Entry:  # fmt: skip
    """The journal's entry of one request, masked and bounded."""
    hide = live.hidden.hide
    body = request.body
    sent_headers = hide(shown + _lines(headers))[:32768]
    sent_body = None if body is None else _body(body, most, hide)
    texts = len(url) + len(sent_headers) + len(error) + (0 if sent_body is None else len(sent_body))
    status = size = version = got_headers = got_body = None
    if answer is not None:
        status, size, version = answer.status, len(answer.body), answer.version
        got_headers = hide(_lines(answer.headers))[:32768]
        texts += len(got_headers)
        if not secret_answer and (got_body := _body(answer.body, most, hide)) is not None:
            texts += len(got_body)
    values = (
        run.flow[:255], run.subscription[:255], live.credential.name, request.method, url[:2000], kind.value, sent.value, status,
        error or None, round(spent * 1000, 3), run.attempt, 0 if body is None else len(body), size, run.correlation_id[:255],
        request.idempotency_key and request.idempotency_key[:255], version, sent_headers, got_headers, sent_body, got_body,
    )  # fmt: skip
    return Entry(at, values, texts)


def _lines(headers: Sequence[tuple[str, str]]) -> str:
    return "".join([
        f"{name}: {mask.HIDDEN if mask.is_secret(name) else mask.body(value) if '?' in value else value}\n"
        for name, value in headers
    ])  # fmt: skip


def _body(data: bytes | None, most: int, hide: Callable[[str], str]) -> str | None:
    """What is kept of a body: text, masked, its first `most` characters; of others the size."""
    if not data:
        return None
    if b"\0" in data[:most]:
        return f"({len(data)} bytes that are no text)"
    try:
        text = data[: most + _MARGIN].decode()
    except UnicodeDecodeError as error:
        if error.start < min(len(data), most + _MARGIN) - 4:  # not just a character cut in two
            return f"({len(data)} bytes that are no text)"
        text = data[: error.start].decode()
    shown = hide(mask.body(text))
    return shown if len(data) <= most else f"{shown[:most]}… ({len(data)} bytes in all)"


def _trace_id(correlation_id: str) -> str:
    """A W3C trace id: the correlation id itself where it is one (a UUID is), else what it hashes to."""
    digits = correlation_id.replace("-", "").lower()
    if len(digits) == 32 and digits.strip("0") and not digits.strip("0123456789abcdef"):
        return digits
    return sha256(correlation_id.encode()).hexdigest()[:32]


def _retry_after(answer: Answer, clock: Clock) -> float | None:
    """Seconds that the target asks to wait; a date counts from the answer's own Date (RFC 9110 section 10.2.3)."""
    found = {name: value for name, value in answer.headers if name in ("retry-after", "date")}
    text = found.get("retry-after", "").strip()
    if not text:
        return None
    if text.isascii() and text.isdigit():
        return float(text)
    when = _moment(text)
    if when is None:
        return None
    now = _moment(found.get("date", ""))
    return max(0.0, when - (clock.epoch() - clock.offset if now is None else now))


def _moment(text: str) -> float | None:
    wire = parse_http_date(text)
    return None if wire is None else datetime.fromisoformat(wire).timestamp()
