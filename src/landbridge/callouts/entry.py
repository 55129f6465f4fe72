"""A callout as its entry of the journal: what of it is written down, masked and bounded. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from landbridge.callouts import mask
from landbridge.callouts.journal import Entry
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
    most: int, live: Live, run: Run, request: Request, url: str, shown: str, headers: Sequence[tuple[str, str]], kind: Kind,
    sent: Sent, answer: Answer | None, error: str, spent: float, at: float, *, secret_answer: bool = False,
) -> Entry:  # fmt: skip
    """The journal's entry of one request, masked and bounded."""
    hide = live.hidden.hide
    body = request.body
    sent_headers = hide(shown + _lines(headers))[:_HEADERS]
    sent_body = None if body is None else kept_body(body, most, hide)
    texts = len(url) + len(sent_headers) + len(error) + (0 if sent_body is None else len(sent_body))
    status = size = version = got_headers = got_body = None
    if answer is not None:
        status, size, version = answer.status, len(answer.body), answer.version
        got_headers = hide(_lines(answer.headers))[:_HEADERS]
        texts += len(got_headers)
        if not secret_answer and (got_body := kept_body(answer.body, most, hide)) is not None:
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


def kept_body(data: bytes | None, most: int, hide: Callable[[str], str]) -> str | None:
    """What is kept of a body: text, masked, its first `most` characters; of others the size."""
    if not data:
        return None
    if b"\0" in data[:most]:
        return f"({len(data)} bytes that are no text)"
    try:
        text = data[: most + MARGIN].decode()
    except UnicodeDecodeError as error:
        if error.start < min(len(data), most + MARGIN) - 4:  # not just a character cut in two
            return f"({len(data)} bytes that are no text)"
        text = data[: error.start].decode()
    shown = hide(mask.body(text))
    return shown if len(data) <= most else f"{shown[:most]}… ({len(data)} bytes in all)"
