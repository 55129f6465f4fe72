"""Dead letters for `landbridge dlq`, for administrators: one whole, edited, tried dry, sent again, discarded. Lists: SOQL."""

from __future__ import annotations

from typing import Any

import msgspec

from landbridge.delivery import deadletters
from landbridge.delivery.deadletters import DeadLetterError, Letter
from landbridge.errors import InsufficientAccess, InvalidInput, JsonParserError, LandbridgeError, NotFound
from landbridge.wire.control.status import ROOT
from landbridge.wire.http.message import Call, Needs, Reply, Route, json_reply

MOST = 10_000
"""Dead letters of one replay or discard: one unit, so that it happens as a whole."""


class Edit(msgspec.Struct, forbid_unknown_fields=True):
    """Body of an edit: the whole payload as a JSON text."""

    payload: str


class Which(msgspec.Struct, forbid_unknown_fields=True):
    """Body of a replay or a discard; `reason` for the latter."""

    ids: list[str]
    reason: str = ""


def _body(call: Call, kind: type[Any]) -> Any:
    if call.access.read_only:
        raise InsufficientAccess
    try:
        return msgspec.json.decode(call.request.body or b"{}", type=kind)
    except msgspec.DecodeError as error:
        raise JsonParserError(str(error)) from None


def _ids(which: Which) -> list[str]:
    if not 0 < len(which.ids) <= MOST:
        raise InvalidInput(f"name 1 to {MOST} dead letters")
    return which.ids


def _shown(letter: Letter) -> dict[str, Any]:
    return {
        "id": letter.id, "subscription": letter.subscription, "key": letter.key, "uuid": letter.uuid,
        "status": letter.status, "holds": letter.holds, "replays": letter.replays,
    }  # fmt: skip


def get(call: Call) -> Reply:
    """`GET /services/landbridge/v1/deadletters/{id}`: a dead letter, what was done to it, the last event that was delivered."""
    try:
        letter = deadletters.get(call.reader, call.params["id"])
    except DeadLetterError as error:
        raise NotFound(str(error)) from None
    return json_reply({
        **_shown(letter), "payload": letter.payload, "edited_payload": letter.edited,
        "history": deadletters.history(call.reader, letter.id),
        "last_good": deadletters.last_good(call.reader, letter.subscription),
    })  # fmt: skip


def edit(call: Call) -> Reply:
    """`PUT /services/landbridge/v1/deadletters/{id}/payload`: keep a mended payload beside the original."""
    body: Edit = _body(call, Edit)
    try:
        letter = deadletters.edit(call.writer, call.params["id"], body.payload, call.access.user_id)
    except DeadLetterError as error:
        raise InvalidInput(str(error)) from None
    return json_reply(_shown(letter))


def replay(call: Call) -> Reply:
    """`POST /services/landbridge/v1/deadletters/replay`: send these again, all or none, in the order of their keys."""
    which: Which = _body(call, Which)
    crossing = call.server.crossing
    try:
        letters = deadletters.replay(call.writer, _ids(which), call.access.user_id)
    except DeadLetterError as error:
        raise InvalidInput(str(error)) from None
    for name in {letter.subscription for letter in letters}:
        call.writer.after_commit(lambda name=name: crossing.engine.enqueued(name))  # type: ignore[misc]
    idle = sorted({one.subscription for one in letters if crossing.engine.get(one.subscription) is None})
    return json_reply({"replayed": [letter.id for letter in letters], "not_running": idle})


def discard(call: Call) -> Reply:
    """`POST /services/landbridge/v1/deadletters/discard`: give these up for good, with a reason."""
    which: Which = _body(call, Which)
    crossing = call.server.crossing
    try:
        letters = deadletters.discard(call.writer, _ids(which), which.reason, call.access.user_id)
    except DeadLetterError as error:
        raise InvalidInput(str(error)) from None
    for name in {letter.subscription for letter in letters}:
        call.writer.after_commit(lambda name=name: crossing.engine.enqueued(name))  # type: ignore[misc]
    return json_reply({"discarded": [letter.id for letter in letters]})


async def dry_run(call: Call) -> Reply:
    """`POST /services/landbridge/v1/deadletters/{id}/dry-run`: run its handler, write and send nothing."""
    if call.access.read_only:
        raise InsufficientAccess
    server = call.server
    try:
        letter = server.db.read_now(lambda reader: deadletters.get(reader, call.params["id"]))
        found = await server.crossing.dry_run(letter)
    except LandbridgeError as error:
        raise InvalidInput(str(error)) from None
    await server.db.write(
        lambda tx: deadletters.audit(tx, letter.id, "dry-run", call.access.user_id, found["outcome"]),
        server.crossing.unit,
    )
    return json_reply(found)


ROUTES = (
    Route("GET", f"{ROOT}/deadletters/{{id}}", get, Needs.READ, metered=False),
    Route("PUT", f"{ROOT}/deadletters/{{id}}/payload", edit, Needs.WRITE, metered=False),
    Route("POST", f"{ROOT}/deadletters/{{id}}/dry-run", dry_run, Needs.OUTSIDE, metered=False),
    Route("POST", f"{ROOT}/deadletters/replay", replay, Needs.WRITE, metered=False),
    Route("POST", f"{ROOT}/deadletters/discard", discard, Needs.WRITE, metered=False),
)
