"""
Where a callout may go: hosts, redirects, addresses. Pure but for `resolve`.

An address is checked after the name was resolved, and the connection goes to the checked address itself
(`transport` pins it), so that a name that answers differently the second time gains nothing.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urljoin, urlsplit

from landbridge.callouts.credential import Credential


class NotAllowed(Exception):
    """The callout must not go there; the text says why."""


Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""A name and a port to its addresses. Raises OSError."""


async def resolve(host: str, port: int) -> list[str]:
    """The addresses of a name as the system tells them. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host (lower case) and port of a URL. Raises NotAllowed for what is none."""
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        raise NotAllowed("not a URL") from None
    if parts.scheme not in ("http", "https") or not host:
        raise NotAllowed(f"not an http or https URL ({parts.scheme or 'no scheme'})")
    if parts.username is not None or parts.password is not None:
        raise NotAllowed("a URL with a user or password in it")
    return parts.scheme, host, port if port is not None else (443 if parts.scheme == "https" else 80)


def check_host(credential: Credential, url: str) -> None:
    """Whether the credential may call this URL's host at all. Raises NotAllowed."""
    scheme, host, port = origin(url)
    own_scheme, own_host, own_port = origin(credential.url)
    if own_scheme == "https" and scheme != "https":
        raise NotAllowed(f"http://{host} is not encrypted, and the credential's URL is")
    if (host, port) == (own_host, own_port):
        return
    if not any(_matches(allowed, host, port, scheme) for allowed in credential.allowed_hosts):
        raise NotAllowed(f"{host}:{port} is not a host of named credential {credential.name} (--allow-host adds one)")


def _matches(allowed: str, host: str, port: int, scheme: str) -> bool:
    allowed = allowed.lower()
    name, colon, number = allowed.rpartition(":")
    if not colon or not number.isdigit():
        name, number = allowed, "443" if scheme == "https" else "80"
    name = name.strip("[]")
    if int(number) != port:
        return False
    return host == name or (name.startswith("*.") and host.endswith(name[1:]) and len(host) > len(name) - 1)


def redirected(credential: Credential, url: str, location: str) -> str:
    """Where a redirect leads, if it may be followed: the same origin or an allowed host. Raises NotAllowed."""
    target = urljoin(url, location)
    scheme, host, port = origin(target)
    if origin(url)[0] == "https" and scheme != "https":
        raise NotAllowed(f"a redirect from https to http://{host}")
    try:
        check_host(credential, target)
    except NotAllowed:
        raise NotAllowed(f"a redirect to another host, {host}:{port}") from None
    return target.partition("#")[0]


# What `is_global` of the standard library lets through and yet leads inside: NAT64 and 6to4 carry an IPv4 address.
_NAT64 = ip_network("64:ff9b::/96")
_SHARED = ip_network("100.64.0.0/10")


def is_public(address: str) -> bool:
    """Whether an address is one of the public internet: not private, loopback, link-local, shared, multicast, reserved."""
    try:
        parsed: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    inner = _carried(parsed)
    if inner is not None:
        return is_public(str(inner))
    return parsed.is_global and not parsed.is_multicast and not parsed.is_reserved and parsed not in _SHARED


def _carried(address: IPv4Address | IPv6Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 one stands for."""
    if isinstance(address, IPv4Address):
        return None
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if address in _NAT64 or int(address) >> 32 == 0:
        return IPv4Address(int(address) & 0xFFFFFFFF) if int(address) > 1 else None
    return None


def check_addresses(host: str, addresses: Sequence[str]) -> None:
    """Whether all of a name's addresses are public: a name with both kinds is not trusted. Raises NotAllowed."""
    if not addresses:
        raise NotAllowed(f"{host} has no address")
    private = [address for address in addresses if not is_public(address)]
    if private:
        raise NotAllowed(f"{host} is {private[0]}, and only public addresses are allowed")
