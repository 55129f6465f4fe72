"""Describes with ETag and Last-Modified: made once per catalogue, user rights, version and host; 304 for who has them."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Any

import msgspec

from landbridge.values import http_date, parse_http_date
from landbridge.wire.http.message import Call, Reply


def described(call: Call, name: str, make: Callable[[], Any]) -> Reply:
    """The describe called `name`, from what was made before where it can be; or 304 for a client that has this one already."""
    server = call.server
    key = (name, server.catalog.version, call.access.fingerprint, call.version, call.request.base_url)
    etag = f'"{sha256(repr(key).encode()).hexdigest()[:8]}"'
    headers = [
        (b"ETag", etag.encode()),
        (b"Last-Modified", http_date(server.catalog_changed).encode()),
    ]
    if _has_it(call, etag, server.catalog_changed):
        return Reply(304, None, headers=headers)
    body = server.describes.get(key)
    if body is None:
        body = server.describes[key] = msgspec.json.encode(make())
    return Reply(200, body, headers=headers)


def _has_it(call: Call, etag: str, changed: str) -> bool:
    match = call.request.header(b"if-none-match")
    if match is not None:
        return etag.strip('"') in match or match.strip() == "*"
    since = call.request.header(b"if-modified-since")
    if since is None:
        return False
    moment = parse_http_date(since)
    return moment is not None and changed <= moment
