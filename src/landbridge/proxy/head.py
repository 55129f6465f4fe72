"""
What a program asks of its proxy: the head of a request, read and judged. Pure.

Two forms exist (RFC 9112 section 3.2): `CONNECT host:port` for a tunnel, and the absolute form `GET http://host/path` for
plain HTTP. Anything else is a request that was meant for a server.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

MAX_HEAD = 32_768
ORG_DOMAINS = ("salesforce.com", "force.com")
PUBSUB = re.compile(r"api(\.[a-z0-9-]+)?\.pubsub\.salesforce\.com\Z")
"""The Pub/Sub API has hosts of its own: `api.pubsub.salesforce.com`, `api.deu.pubsub.salesforce.com`."""

_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_]([a-z0-9_-]{0,62}))*\Z")
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
# Of this connection alone, or said anew: RFC 9110 section 7.6.1. Host is taken from the target (RFC 9112 section 3.2.2).
_NOT_PASSED = frozenset(
    {b"proxy-authorization", b"proxy-connection", b"connection", b"keep-alive", b"host", b"te", b"upgrade"}
)


class Refused(Exception):
    """What the proxy does not do, with the status and the sentence that say so."""

    def __init__(self, status: int, reason: str, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.reason = reason
        self.text = text


@dataclass(frozen=True, slots=True)
class Asked:
    """A host that a program wants. `head` None: a tunnel; else the request to pass on, in origin form, for one answer."""

    host: str
    port: int
    head: bytes | None

    @property
    def of_org(self) -> bool:
        """Whether the host is Salesforce's: the org stands in for it."""
        return any(self.host == domain or self.host.endswith(f".{domain}") for domain in ORG_DOMAINS)

    @property
    def of_pubsub(self) -> bool:
        """Whether it is a host of the Pub/Sub API, which speaks gRPC."""
        return PUBSUB.match(self.host) is not None


def read(head: bytes, credential: str) -> Asked:
    """
    A whole head, up to its empty line. `credential` is `user:password`, without which nothing is done.

    Raises Refused: 400 malformed, 407 without the credential.
    """
    line, *rest = head[:-4].split(b"\r\n")
    parts = line.split(b" ")
    if len(parts) != 3 or not parts[2].startswith(b"HTTP/1.") or not _TOKEN.match(parts[0]):
        raise Refused(400, "Bad Request", "this is no HTTP/1.1 request")
    headers = [_header(one) for one in rest]
    if not _allowed(headers, credential):
        raise Refused(407, "Proxy Authentication Required", "this proxy serves the program of one `landbridge exec`")
    method, target, _ = parts
    if method == b"CONNECT":
        host, port = _authority(target.decode("latin-1"), None)
        return Asked(host, port, None)
    return _absolute(method, target.decode("latin-1"), headers)


def _header(line: bytes) -> tuple[bytes, bytes]:
    name, colon, value = line.partition(b":")
    if not colon or not _TOKEN.match(name) or b"\n" in line or b"\r" in line or b"\0" in line:
        raise Refused(400, "Bad Request", "a header is malformed")
    return name, value.strip()


def _allowed(headers: list[tuple[bytes, bytes]], credential: str) -> bool:
    given = [value for name, value in headers if name.lower() == b"proxy-authorization"]
    if len(given) != 1:
        return False
    scheme, _, text = given[0].partition(b" ")
    try:
        decoded = base64.b64decode(text.strip(), validate=True)
    except binascii.Error:
        return False
    return (scheme.lower() == b"basic") & hmac.compare_digest(decoded, credential.encode())


def _authority(text: str, default: int | None) -> tuple[str, int]:
    """Host (lower case, without a final dot or brackets) and port. Raises Refused."""
    try:
        if not text.isprintable():  # urlsplit drops tabs and line ends in silence
            raise ValueError
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname or "", parts.port if parts.port is not None else default
    except ValueError:
        host, port = "", None
    host = host.removesuffix(".")
    if (
        not port
        or parts.username is not None
        or parts.path
        or not (_NAME.match(host) or re.match(r"[0-9a-f:.]+\Z", host))
    ):
        raise Refused(400, "Bad Request", "name a host and a port")
    return host, port


def _absolute(method: bytes, target: str, headers: list[tuple[bytes, bytes]]) -> Asked:
    scheme, separator, rest = target.partition("://")
    if not separator or scheme.lower() != "http":
        raise Refused(400, "Bad Request", "this is a proxy: ask for http://host/path, or CONNECT host:port for https")
    end = next((place for place, char in enumerate(rest) if char in "/?"), len(rest))
    host, port = _authority(rest[:end], 80)
    path = rest[end:] if rest[end : end + 1] == "/" else f"/{rest[end:]}"
    kept = [b"%b: %b" % one for one in headers if one[0].lower() not in _NOT_PASSED]
    # One answer a connection: the next request on it may be for another host.
    shown = f"[{host}]" if ":" in host else host
    name = shown.encode() if port == 80 else f"{shown}:{port}".encode()
    lines = [b"%b %b HTTP/1.1" % (method, path.encode("latin-1")), b"Host: " + name, *kept, b"Connection: close"]
    return Asked(host, port, b"\r\n".join(lines) + b"\r\n\r\n")
