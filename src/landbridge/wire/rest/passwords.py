"""
`/sobjects/User/{id}/password`: whether a password has expired, and setting one.

Source: `rest.md` section 2; REST guide, sObject User Password. A password set here is kept as a hash alone, and the user's other
sessions end. Resetting (DELETE) would have to tell a new password by mail: it says that it is not there.
"""

from __future__ import annotations

from landbridge import ids
from landbridge.auth import users
from landbridge.errors import InsufficientAccess, InvalidNewPassword, NotFound, Unsupported
from landbridge.ids import RecordId
from landbridge.schema.catalog import Entity
from landbridge.storage import Reader, Tx, Unit
from landbridge.wire.http.body import decode_object
from landbridge.wire.http.message import Call, Needs, Reply, Route, json_reply

SHORTEST, LONGEST = 8, 1000
"""Characters of a password; the shortest as in the platform's default policy."""


def is_password(entity: Entity, name: str) -> bool:
    """Whether the segment behind a user's id is this resource."""
    return entity.name == "User" and name.lower() == "password"


def show(call: Call, record_id: str) -> Reply:
    """`GET`: passwords of ours do not expire."""
    _user(call.reader, record_id)
    return json_reply({"isExpired": False})


def refuse_reset() -> Reply:
    """`DELETE`: no mail goes out."""
    raise Unsupported("resetting a password; set one with POST")


async def set_password(call: Call) -> Reply:
    """`POST /sobjects/User/{id}/password` with `NewPassword`: 204. Administrators set anybody's, others their own."""
    server = call.server
    entity = server.catalog.get(call.params["sobject"])
    if entity is None or not is_password(entity, call.params["value"]):
        raise NotFound
    given = decode_object(call.request).get("NewPassword")
    if not isinstance(given, str) or not SHORTEST <= len(given) <= LONGEST:
        raise InvalidNewPassword(f"Your password must be at least {SHORTEST} characters long.")
    user_id = await server.db.read(lambda reader: _user(reader, call.params["field"]))
    if call.access.read_only and user_id != call.access.user_id:
        raise InsufficientAccess
    hashed = await server.passwords.hash(given)

    def work(tx: Tx) -> None:
        server.passwords.keep(tx, user_id, hashed, server.chance.letters(24))
        server.sessions.end_user(tx, user_id, but=frozenset({call.session_id or "", server.own_session}))

    await server.db.write(work, Unit(call.correlation_id, call.access.user_id))
    return Reply(204)


def _user(reader: Reader, text: str) -> RecordId:
    found = users.known(reader, ids.normalize(text) or "", "")
    if found is None:
        raise NotFound
    return RecordId(found)


ROUTES = (Route("POST", "/services/data/{version}/sobjects/{sobject}/{field}/{value}", set_password, Needs.OUTSIDE),)
