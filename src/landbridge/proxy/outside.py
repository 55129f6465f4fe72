"""
How hosts that are not the org's are reached: directly, or through the proxy that this machine had before `exec` came.

Behind a company's proxy a program under `exec` still gets out: its tunnels are asked for there, with the name and password that
the proxy's URL holds.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

from landbridge.proxy.head import MAX_HEAD, Asked, Refused

CONNECT = 30.0
"""Seconds another host may take to be reached."""
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True, slots=True)
class Outside:
    """The proxies of an environment, for tunnels and for plain requests; None where hosts are reached directly."""

    https: str | None = None
    http: str | None = None
    no: str = ""

    def __repr__(self) -> str:
        return f"Outside(https={self.https is not None}, http={self.http is not None})"

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Outside:
        """What HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY say, small letters before capital ones."""

        def value(name: str) -> str | None:
            return environ.get(name.lower()) or environ.get(name) or None

        everything = value("ALL_PROXY")
        return cls(value("HTTPS_PROXY") or everything, value("HTTP_PROXY") or everything, value("NO_PROXY") or "")

    def proxy(self, asked: Asked) -> SplitResult | None:
        """The proxy for a host. Raises Refused for one whose kind is not spoken here."""
        url = self.http if asked.head is not None else self.https
        if url is None or self._direct(asked.host):
            return None
        parts = urlsplit(url if "://" in url else f"http://{url}")
        if parts.scheme != "http" or not parts.hostname:
            raise Refused(
                502, "Bad Gateway", f"hosts outside would go through a {parts.scheme} proxy: http is spoken alone"
            )
        return parts

    def _direct(self, host: str) -> bool:
        names = [name.strip().lower().lstrip("*.") for name in self.no.split(",")]
        return self.no.strip() == "*" or any(name and (host == name or host.endswith(f".{name}")) for name in names)

    async def reach(self, asked: Asked) -> Streams:
        """A connection over which the program talks to the host, its request (of plain HTTP) on the way. Raises Refused."""
        proxy = self.proxy(asked)
        if proxy is None:
            streams = await reach(asked.host, asked.port)
            streams[1].write(asked.head or b"")
            return streams
        assert proxy.hostname is not None
        streams = await reach(proxy.hostname, proxy.port or 80)
        try:
            streams[1].write(_through(asked, proxy))
            if asked.head is None:
                await _opened(asked, streams[0])
        except BaseException:
            streams[1].close()
            raise
        return streams


def _through(asked: Asked, proxy: SplitResult) -> bytes:
    """What the proxy is asked: a tunnel, or the request with its whole URL."""
    pair = f"{unquote(proxy.username or '')}:{unquote(proxy.password or '')}"
    allowed = b"" if proxy.username is None else b"Proxy-Authorization: Basic %b\r\n" % base64.b64encode(pair.encode())
    host = f"[{asked.host}]" if ":" in asked.host else asked.host
    if asked.head is None:
        place = f"{host}:{asked.port}".encode()
        return b"CONNECT %b HTTP/1.1\r\nHost: %b\r\n%b\r\n" % (place, place, allowed)
    method, path, rest = asked.head.split(b" ", 2)
    line, _, headers = rest.partition(b"\r\n")
    return b"%b http://%b:%d%b %b\r\n%b%b" % (method, host.encode(), asked.port, path, line, allowed, headers)


async def _opened(asked: Asked, reader: asyncio.StreamReader) -> None:
    try:
        async with asyncio.timeout(CONNECT):
            head = await reader.readuntil(b"\r\n\r\n")
    except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        head = b""
    status = head[9:12]
    if len(head) > MAX_HEAD or not head.startswith(b"HTTP/1.") or not status.startswith(b"2"):
        said = status.decode("latin-1") or "nothing"
        raise Refused(502, "Bad Gateway", f"the proxy outside said {said} to {asked.host}:{asked.port}")


async def reach(host: str, port: int, context: ssl.SSLContext | None = None) -> Streams:
    """A connection to another host. Raises Refused (502) with the reason."""
    try:
        async with asyncio.timeout(CONNECT):
            return await asyncio.open_connection(host, port, ssl=context)
    except ssl.SSLError as error:
        reason = getattr(error, "verify_message", None) or error.reason or "TLS failed"
    except OSError as error:
        reason = error.strerror or "no such host"
    except TimeoutError:
        reason = "no answer"
    raise Refused(502, "Bad Gateway", f"{host}:{port} can't be reached: {reason}")
