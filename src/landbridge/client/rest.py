"""
REST for our own commands: one kept-alive connection, JSON in and out, Salesforce's errors as one exception.

Whoever writes integrations uses the client they already have; this one is for `landbridge query` and its kin, and needs
nothing but the standard library.
"""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from landbridge.errors import LandbridgeError

VERSION = "67.0"
TIMEOUT = 120.0


class OrgError(LandbridgeError):
    """What the org answered instead of what was asked for; `code` is Salesforce's, e.g. INVALID_FIELD."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"the org answered {code}: {message.strip()}")
        self.status = status
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Answer:
    """Status and parsed JSON body, None where there is none."""

    status: int
    body: Any


class RestClient:
    """
    One org at `url` (scheme and host) with an access token. Use it as a context manager.

    `ca_file` is trusted besides the system's authorities. `renew` is the form of a refresh grant, for a token that has ended
    (an org's clock may jump). Raises OrgError for what the org refuses, ConnectionError
    (OSError) when it can't be reached.
    """

    def __init__(
        self, url: str, token: str, ca_file: Path | None = None, *, renew: Mapping[str, str] | None = None
    ) -> None:
        self._connection = connect(url, ca_file, TIMEOUT)
        self.url = url
        self.token = token
        self._renew = renew
        self.ca_file = ca_file

    def __enter__(self) -> RestClient:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def call(self, method: str, path: str, body: Any = None) -> Answer:
        """One request. `path` is absolute; `body`, if any, is sent as JSON."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self.token}", "Accept": "application/json"}
        if data is not None:
            headers["Content-Type"] = "application/json"
        self._connection.request(method, path, data, headers)
        response = self._connection.getresponse()
        text = response.read()
        if response.status == 401 and self._renew is not None:
            self.token, self._renew = self._renewed(self._renew), None
            return self.call(method, path, body)
        parsed = json.loads(text) if text else None
        if response.status >= 300:
            raise _error(response.status, parsed)
        return Answer(response.status, parsed)

    def _renewed(self, form: Mapping[str, str]) -> str:
        """A new access token for the refresh token in `form`."""
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        self._connection.request("POST", "/services/oauth2/token", urlencode(form), headers)
        response = self._connection.getresponse()
        parsed = json.loads(response.read())
        if response.status >= 300:
            raise _error(response.status, parsed)
        return str(parsed["access_token"])

    def query(self, soql: str, *, all_rows: bool = False) -> Iterator[dict[str, Any]]:
        """The pages of a query as the org answers them, one after the other."""
        resource = "queryAll" if all_rows else "query"
        page = self.call("GET", f"/services/data/v{VERSION}/{resource}?{urlencode({'q': soql})}").body
        yield page
        while not page["done"]:
            page = self.call("GET", page["nextRecordsUrl"]).body
            yield page

    def create(self, sobject: str, values: dict[str, Any]) -> str:
        """Create a record; its id."""
        created = self.call("POST", f"/services/data/v{VERSION}/sobjects/{quote(sobject, safe='')}", values).body
        return str(created["id"])

    def describe(self, sobject: str | None = None) -> dict[str, Any]:
        """The global describe, or that of one object."""
        tail = "" if sobject is None else f"/{quote(sobject, safe='')}/describe"
        found: dict[str, Any] = self.call("GET", f"/services/data/v{VERSION}/sobjects{tail}").body
        return found


def connect(url: str, ca_file: Path | None, timeout: float) -> http.client.HTTPConnection:
    """A connection to the org at `url`, not opened yet. Raises ValueError for what is no URL of one."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"not the URL of an org: {url}")
    if parts.scheme == "http":
        return http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
    context = ssl.create_default_context()
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    return http.client.HTTPSConnection(parts.hostname, parts.port, timeout=timeout, context=context)


def _error(status: int, body: Any) -> OrgError:
    if isinstance(body, list) and body and isinstance(body[0], dict):
        first = body[0]
        return OrgError(status, str(first.get("errorCode", status)), str(first.get("message", "")))
    if isinstance(body, dict) and "error" in body:
        return OrgError(status, str(body["error"]), str(body.get("error_description", "")))
    return OrgError(status, f"HTTP {status}", "the org gave no reason")
