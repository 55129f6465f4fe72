"""Where an authorization may be sent: an app's callback URLs. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import SplitResult, urlsplit

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_NEVER = frozenset({"javascript", "data", "vbscript", "file", "blob", "about"})


def problem(url: str) -> str | None:
    """Why a URL can't be a callback; None when it can."""
    try:
        parts = urlsplit(url)
        loopback = parts.hostname in LOOPBACK
        _ = parts.port
    except ValueError:
        return "it is no URL"
    if not url.isprintable() or " " in url or "\\" in url or not parts.scheme:
        return "it is no absolute URL"
    if parts.scheme in _NEVER:
        return f"{parts.scheme}: is no place to send a login to"
    if "#" in url:
        return "it has a fragment"
    if parts.scheme in ("http", "https") and (not parts.hostname or parts.username is not None):
        return "it names no host, or a user"
    if parts.scheme == "http" and not loopback:
        return "http is for localhost alone: use https"
    return None


def allowed(registered: Iterable[str], asked: str) -> bool:
    """
    Whether a redirect_uri is one of the registered ones: character by character.

    One exception: a program on this machine takes the port it gets, so a port on loopback may be any (RFC 8252 section 7.3).
    """
    if problem(asked) is not None:
        return False
    return any(asked == one or _same_but_port(one, asked) for one in registered)


def _same_but_port(registered: str, asked: str) -> bool:
    one, other = urlsplit(registered), urlsplit(asked)
    both_local = one.scheme == other.scheme == "http" and one.hostname in LOOPBACK
    return both_local and _without_port(registered, one) == _without_port(asked, other)


def _without_port(url: str, parts: SplitResult) -> str:
    """The URL as it is written, but for the port."""
    port = "" if parts.port is None else f":{parts.netloc.rpartition(':')[2]}"
    end = len(parts.scheme) + 3 + len(parts.netloc)
    return url[: end - len(port)] + url[end:]
