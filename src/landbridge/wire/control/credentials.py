"""Named credentials for `landbridge credential`: seen without their secrets, set, tested, removed. For administrators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from landbridge.callouts import Credential, InvalidCredential, UnknownCredential, request
from landbridge.callouts.store import Known
from landbridge.errors import InsufficientAccess, InvalidInput, JsonParserError, LandbridgeError, NotFound
from landbridge.server import Server
from landbridge.wire.control.status import ROOT
from landbridge.wire.http.message import Call, Needs, Reply, Route, json_reply

MOST_SECRET = 65536
"""Characters of one secret: a private key has some thousand."""


class Change(msgspec.Struct, forbid_unknown_fields=True):
    """Body of PUT. A setting of null goes back to the source's or the default; a secret of null is forgotten."""

    settings: dict[str, Any] = {}
    secrets: dict[str, str | None] = {}


class Try(msgspec.Struct, forbid_unknown_fields=True):
    """Body of a test: one request, by default GET of the URL itself."""

    method: str = "GET"
    path: str = "/"


@dataclass(frozen=True, slots=True)
class _Admin:
    """The server and the name in the path, for a user who may change credentials."""

    server: Server
    name: str


def _admin(call: Call) -> _Admin:
    if call.access.read_only:
        raise InsufficientAccess
    return _Admin(call.server, call.params.get("name", ""))


def _found(admin: _Admin) -> Known:
    found = admin.server.callouts.store.find(admin.name)
    if found is None:
        raise NotFound(str(UnknownCredential(admin.name)))
    return found


def _body(call: Call, kind: type[Any]) -> Any:
    try:
        return msgspec.json.decode(call.request.body or b"{}", type=kind)
    except msgspec.DecodeError as error:
        # Only where and what kind: the text of a value may be a secret.
        raise JsonParserError(str(error)) from None


def show(server: Server, known: Known) -> dict[str, Any]:
    """A credential as people see it: its settings, which secrets are there and missing, its breaker."""
    shown: dict[str, Any] = {
        "name": known.name, "id": known.record_id, "from_source": known.source is not None,
        "settings": {**(known.source or {}), **known.own}, "secrets": sorted(known.sealed), "problem": known.problem or None,
    }  # fmt: skip
    credential: Credential | None = known.credential
    if credential is not None:
        breaker = server.callouts.breaker(known.name)
        shown |= {
            "url": credential.url, "auth": credential.auth.value, "enabled": credential.enabled,
            "missing": [name for name in credential.secrets if name not in known.sealed],
            "breaker": {"state": breaker.state.value, "retry_after": round(breaker.retry_after, 1),
                        "failures": breaker.failures},
        }  # fmt: skip
    return shown


def list_all(call: Call) -> Reply:
    """`GET /services/landbridge/v1/credentials`: every named credential."""
    server = _admin(call).server
    return json_reply({"credentials": [show(server, known) for known in server.callouts.store.all()]})


def get(call: Call) -> Reply:
    """`GET /services/landbridge/v1/credentials/{name}`: one of them."""
    admin = _admin(call)
    return json_reply(show(admin.server, _found(admin)))


def put(call: Call) -> Reply:
    """`PUT /services/landbridge/v1/credentials/{name}`: make one, or change some settings and secrets of it."""
    admin = _admin(call)
    change: Change = _body(call, Change)
    for name, secret in change.secrets.items():
        if secret is not None and not 0 < len(secret) <= MOST_SECRET:
            raise InvalidInput(f"the secret {name[:80]} is empty or longer than {MOST_SECRET} characters")
    try:
        credential = admin.server.callouts.store.set(
            call.writer, admin.name, change.settings, change.secrets, call.access.user_id
        )
    except InvalidCredential as error:
        raise InvalidInput(str(error)) from None
    known = admin.server.callouts.store.find(admin.name)
    kept = set(() if known is None else known.sealed) | set(change.secrets)
    missing = [name for name in credential.secrets if name not in kept or change.secrets.get(name, "") is None]
    return json_reply({"name": credential.name, "missing": missing})


def delete(call: Call) -> Reply:
    """`DELETE /services/landbridge/v1/credentials/{name}`: forget it and its secrets."""
    admin = _admin(call)
    _found(admin)
    admin.server.callouts.store.remove(call.writer, admin.name)
    return Reply(204)


async def test(call: Call) -> Reply:
    """`POST /services/landbridge/v1/credentials/{name}/test`: one callout, and what became of it."""
    admin = _admin(call)
    name = _found(admin).name
    asked: Try = _body(call, Try)
    callouts = admin.server.callouts
    run = callouts.run(flow="landbridge credential test", correlation_id=call.correlation_id or None)
    try:
        outcome = await callouts.send(request(name, asked.method, asked.path), run)
    except (LandbridgeError, ValueError) as error:
        raise InvalidInput(str(error)) from None
    return json_reply({
        "ok": outcome.ok, "outcome": outcome.kind.value, "sent": outcome.sent.value, "status": outcome.status,
        "error": outcome.error, "url": outcome.url, "seconds": round(outcome.duration, 3),
        "http_version": outcome.http_version, "body": outcome.shown[:500],
    })  # fmt: skip


ROUTES = (
    Route("GET", f"{ROOT}/credentials", list_all, Needs.NOTHING, metered=False),
    Route("GET", f"{ROOT}/credentials/{{name}}", get, Needs.NOTHING, metered=False),
    Route("PUT", f"{ROOT}/credentials/{{name}}", put, Needs.WRITE, metered=False),
    Route("DELETE", f"{ROOT}/credentials/{{name}}", delete, Needs.WRITE, metered=False),
    Route("POST", f"{ROOT}/credentials/{{name}}/test", test, Needs.OUTSIDE, metered=False),
)
