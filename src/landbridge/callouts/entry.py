"""A callout as its entry of the journal: what of it is written down, masked and bounded. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from landbridge.callouts import mask
from landbridge.callouts.journal import OVERHEAD, Entry
from landbridge.callouts.live import Live
from landbridge.callouts.model import Kind, Request, Sent
from landbridge.callouts.run import Run

if TYPE_CHECKING:
    from landbridge.callouts.transport import Answer

MARGIN = 8192
"""Bytes masked beyond those that are kept, so that a secret across the edge is found whole."""
_HEADERS = 32768


def shown_url(live: Live, url: str) -> str:
    if "?" not in url and not live.key:
        return live.hidden.hide(url)
    path, mark, query = url.partition("?")
    if live.key:
        mark, query = "?", f"{query}&{live.credential.key_name}={mask.HIDDEN}".lstrip("&")
    return live.hidden.hide(f"{path}?{mask.query(query)}" if mark else path)


def entry(
    most: int, live: Live, run: Run, request: Request, url: str, sent_headers: str, kind: Kind, sent: Sent,
    answer: Answer | None, error: str, spent: float, at: float, *, secret_answer: bool = False,
) -> Entry:  # fmt: skip
    """The journal's entry of one request, masked and bounded; of `sent_headers` (see `lines`) only names have been masked."""
    body = request.body
    sent_size = 0 if body is None else len(body)
    sent_body = readable(body, most) if body else ""
    status = size = version = None
    got_headers = got_body = ""
    if answer is not None:
        status, version, got = answer.status, answer.version, answer.body
        size = len(got)
        got_headers = lines(answer.headers)
        if got and not secret_answer:
            got_body = readable(got, most)
    # What is not in the whole is in none of its parts: they are searched together, and nearly every callout ends with that.
    bodies = sent_body + got_body
    if mask.may_hold_one(bodies):
        sent_body, got_body = mask.body(sent_body), mask.body(got_body)
        bodies = sent_body + got_body
    texts = bodies + sent_headers + got_headers
    if live.hidden.found_in(texts) or len(texts) > min(most, _HEADERS) or sent_size > most or (size or 0) > most:
        hide = live.hidden.hide
        sent_headers = hide(sent_headers)[:_HEADERS]
        got_headers = hide(got_headers)[:_HEADERS]
        sent_body = _cut(hide(sent_body), sent_size, most)
        got_body = _cut(hide(got_body), size or 0, most)
        texts = sent_body + got_body + sent_headers + got_headers
    key = request.idempotency_key
    values = (
        run.shown_flow, run.shown_subscription, live.name, request.method, url[:2000], kind, sent, status, error or None,
        int(spent * 1e6 + 0.5) / 1000, run.attempt, sent_size, size, run.shown_correlation_id, key and key[:255], version,
        sent_headers, None if answer is None else got_headers, sent_body or None, got_body or None,
        OVERHEAD + len(url) + len(error) + len(texts),
    )  # fmt: skip
    return Entry(at, values)


def lines(headers: Sequence[tuple[str, str]]) -> str:
    """Headers as lines, the values of secret names hidden."""
    return "".join([
        f"{name}: {mask.HIDDEN if mask.is_secret(name) else mask.body(value) if '?' in value else value}\n"
        for name, value in headers
    ])  # fmt: skip


def kept_body(data: bytes | None, most: int, hide: Callable[[str], str]) -> str | None:
    """What is kept of a body: text, masked, its first `most` characters; of others the size."""
    return _cut(hide(mask.body(readable(data, most))), len(data), most) if data else None


def readable(data: bytes, most: int) -> str:
    """A body as text, not masked and not cut yet; of what is no text the size."""
    if b"\0" in (data if len(data) <= most else data[:most]):
        return _no_text(len(data))
    try:
        return data[: most + MARGIN].decode()
    except UnicodeDecodeError as error:
        if error.start < min(len(data), most + MARGIN) - 4:  # not just a character cut in two
            return _no_text(len(data))
        return data[: error.start].decode()


def _no_text(size: int) -> str:
    return f"({size} bytes that are no text)"


def _cut(text: str, size: int, most: int) -> str:
    """The part of a body's text that is kept; `size` is the whole body's, in bytes."""
    if size <= most or not text or text == _no_text(size):
        return text
    return f"{text[:most]}… ({size} bytes in all)"
