"""
What a composite request consists of, read from JSON before anything runs. Pure.

Everything that makes a request as a whole unacceptable (400 for all of it) is found here. Names of members are found
whatever their case (the guide itself spells `referenceID` once), verbs too; unknown members are refused, because a body under a
wrong name would be lost silently.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from landbridge.errors import InvalidInput, JsonParserError, NotFound, SalesforceError, TooManyInRequest
from landbridge.wire.http.body import decode_object
from landbridge.wire.http.message import Request

METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
INHERITED = ("accept", "authorization", "content-type")
"""Headers that a subrequest takes from the request around it and must not give (REST guide, "Composite Subrequest")."""

_REFERENCE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_]*\Z")
_HOST = re.compile(r"https?://[^/?#]*", re.IGNORECASE)
_VERSIONED = re.compile(r"/?v\d{1,3}\.\d/", re.IGNORECASE)
# What a url may keep as it is; blanks, quotes and what is beyond ASCII are encoded.
_AS_IS = "".join(map(chr, range(33, 127)))
_MEMBERS = frozenset({"method", "url", "referenceid", "body", "httpheaders"})
_BATCH_MEMBERS = frozenset({"method", "url", "richinput", "binarypartname", "binarypartnamealias"})

# Headers of the outer request that are about its own body or its own conditions.
_OWN = frozenset({
    b"content-length", b"content-encoding", b"content-type", b"transfer-encoding", b"connection", b"expect", b"range",
    b"if-match", b"if-none-match", b"if-modified-since", b"if-unmodified-since", b"if-range", b"accept-encoding",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Subrequest:
    """One subrequest as it was sent; references are not resolved yet. Header names are lower case."""

    method: str
    url: str
    reference_id: str = ""
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def request(self, outer: Request, inherited: Mapping[bytes, bytes]) -> Request:
        """As a request of its own, in the name of the outer one."""
        headers = dict(inherited)
        for name, value in self.headers.items():
            headers[name.encode("latin-1", "replace")] = value.encode("latin-1", "replace")
        return Request(
            self.method, target(self.url), headers, b"", outer.secure, outer.client, content=self.body
        )  # fmt: skip


def inherited(outer: Request) -> dict[bytes, bytes]:
    """The headers of the outer request that its subrequests have too."""
    return {name: value for name, value in outer.headers.items() if name not in _OWN}


def target(url: str) -> bytes:
    """
    Path and query of a subrequest's url.

    Taken with or without host, with or without `/services/data`; blanks and what is not ASCII may stand unencoded.
    """
    path = _HOST.sub("", url.strip(), count=1)
    if _VERSIONED.match(path):
        path = "/services/data/" + path.lstrip("/")
    elif not path.startswith("/"):
        path = "/" + path
    return quote(path, safe=_AS_IS).encode("ascii")


# --- reading -----------------------------------------------------------------------------------------------------


def members(value: Any, what: str) -> dict[str, Any]:
    """A JSON object's members by lower-case name. Raises JsonParserError for anything else."""
    if not isinstance(value, dict):
        raise JsonParserError(f"{what} must be an object")
    return {name.lower(): inner for name, inner in value.items()}


def flag(found: Mapping[str, Any], name: str, *, default: bool = False) -> bool:
    """A boolean member, also as text. Raises JsonParserError for what is neither true nor false."""
    value = found.get(name.lower())
    if value is None:
        return default
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if not isinstance(value, bool):
        raise JsonParserError(f"{name} must be true or false")
    return value


def listed(found: Mapping[str, Any], name: str) -> list[Any]:
    """A member that must be a list with something in it. Raises InvalidInput, JsonParserError."""
    value = found.get(name.lower())
    if value is None:
        raise InvalidInput(f"{name} is required")
    if not isinstance(value, list):
        raise JsonParserError(f"{name} must be a list")
    if not value:
        raise InvalidInput(f"{name} must not be empty")
    return value


def subrequests(items: Sequence[Any], version: float) -> list[Subrequest]:
    """
    The subrequests of a composite or a graph.

    Raises JsonParserError, InvalidInput. `version` is that of the outer request: before 52.0 a referenceId with other
    characters was taken, and only references to it failed.
    """
    found = [_subrequest(members(item, "a subrequest"), number) for number, item in enumerate(items, start=1)]
    seen: set[str] = set()
    for one in found:
        if version >= 52.0 and not _REFERENCE_ID.match(one.reference_id):
            raise bad_reference_id(one.reference_id)
        if one.reference_id in seen:
            raise InvalidInput(f"Duplicate referenceId provided: {one.reference_id}")
        seen.add(one.reference_id)
    return found


def _subrequest(found: dict[str, Any], number: int) -> Subrequest:
    where = f"subrequest {number}"
    _known(found, _MEMBERS, where)
    reference_id = text(found, "referenceId", where)
    return Subrequest(
        verb(found, where), text(found, "url", where), reference_id, found.get("body"), _headers(found, where)
    )


def batch(items: Sequence[Any]) -> list[Subrequest]:
    """The subrequests of a batch; their body is called `richInput`. Raises JsonParserError, InvalidInput."""
    found = []
    for number, item in enumerate(items, start=1):
        given, where = members(item, "a subrequest"), f"subrequest {number}"
        _known(given, _BATCH_MEMBERS, where)
        if given.get("binarypartname") is not None or given.get("binarypartnamealias") is not None:
            raise InvalidInput(f"Landbridge does not support binary parts in a batch yet ({where})")
        found.append(Subrequest(verb(given, where), text(given, "url", where), body=given.get("richinput")))
    return found


def _known(found: Mapping[str, Any], known: Collection[str], where: str) -> None:
    for name in found:
        if name not in known:
            raise JsonParserError(f'Unrecognized field "{name[:100]}" in {where}')


def text(found: Mapping[str, Any], name: str, where: str) -> str:
    """A member that must be text and not blank. Raises InvalidInput, JsonParserError."""
    value = found.get(name.lower())
    if value is None or value == "":
        raise InvalidInput(f"{name} is required ({where})")
    if not isinstance(value, str):
        raise JsonParserError(f"{name} must be a string ({where})")
    return value


def verb(found: Mapping[str, Any], where: str) -> str:
    """The method, in upper case. Raises InvalidInput for one that is none."""
    method = text(found, "method", where).strip().upper()
    if method not in METHODS:
        raise InvalidInput(f"'{method[:40]}' is no HTTP method ({where})")
    return method


def _headers(found: Mapping[str, Any], where: str) -> dict[str, str]:
    given = found.get("httpheaders")
    if given is None:
        return {}
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        raise JsonParserError(f"httpHeaders must be an object of strings ({where})")
    headers = {name.lower(): value for name, value in given.items()}
    for name in INHERITED:
        if name in headers:
            raise InvalidInput(f"The {name} header is inherited and can't be set in httpHeaders ({where})")
    return headers


def bad_reference_id(reference_id: str) -> JsonParserError:
    """A referenceId with characters it may not have."""
    return JsonParserError(
        f"Provided referenceId ('{reference_id[:255]}') must start with a letter or a number, and it can contain only letters, "
        "numbers and underscores ('_')."
    )


def at_most(count: int, most: int, what: str) -> None:
    """Raises TooManyInRequest for more than `most`."""
    if count > most:
        raise TooManyInRequest(f"The request has {count} {what}; at most {most} are allowed")


def status(error: SalesforceError) -> dict[str, Any]:
    """An error of one record of a list or a tree: `statusCode` where a row's own error has `errorCode`, fields always."""
    return {"statusCode": error.code, "message": error.message, "fields": list(error.fields or ())}


def only_reads(request: Request, name: str) -> bool:
    """
    Whether every subrequest in the list `name` of a request's body only reads.

    A url that was answered by an earlier one may be a page of a query that is kept only when the request is done: such a request
    goes as a write. What is wrong with a request is found when it runs. Leaves the decoded body in the request.
    """
    try:
        request.content = value = decode_object(request)
    except SalesforceError:
        return False
    items = {key.lower(): inner for key, inner in value.items()}.get(name.lower())
    return isinstance(items, list) and all(isinstance(item, dict) and _reads(item) for item in items)


def _reads(item: Mapping[str, Any]) -> bool:
    given = {key.lower(): inner for key, inner in item.items()}
    method, url = given.get("method"), given.get("url")
    if not isinstance(method, str) or not isinstance(url, str):
        return False
    return method.strip().upper() == "GET" and not url.startswith("@{") and "nextRecordsUrl" not in url


# --- what kind of resource a url names ----------------------------------------------------------------------------

_DATA = "/services/data/{version}/"


def resource(pattern: str) -> tuple[str, ...]:
    """The segments of a route's pattern below the version. Raises NotFound for a route that is not under one."""
    if not pattern.startswith(_DATA):
        raise NotFound
    return tuple(pattern[len(_DATA) :].split("/"))


def path_of(url: str) -> list[str]:
    """The segments of a url's path below the version (`sobjects`, `Account`, ...), before references are resolved."""
    path = target(url).partition(b"?")[0].decode("ascii").strip("/")
    return path.split("/")[3:]
