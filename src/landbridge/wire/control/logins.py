"""
Users, apps and sessions, for an administrator: what `landbridge user`, `app` and `session` are made of.

A password is answered once, when it is set, and kept as a hash alone; so is a client secret, kept sealed.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from landbridge import ids
from landbridge.access import ADMINISTRATOR, READ_ONLY
from landbridge.auth import callbacks, jwt, refresh, scopes, users
from landbridge.auth.apps import ASKS, IMPLICIT, PUBLIC, ROTATES, App, Draft
from landbridge.errors import InsufficientAccess, InvalidInput, NotFound
from landbridge.storage import Reader, Tx, Unit
from landbridge.values import format_datetime
from landbridge.wire.control.status import ROOT
from landbridge.wire.http.body import decode_object
from landbridge.wire.http.message import Call, Needs, Reply, Route, json_reply

RULES = (PUBLIC, ROTATES, ASKS, IMPLICIT)
SHORTEST = 8
"""Characters of a password, as the platform's default policy has it."""
_PROFILES = {"admin": ADMINISTRATOR, "read-only": READ_ONLY}
_ALL_USERS = """
    SELECT u."Id", u."Username", u."Name", u."IsActive", p."Name" FROM "User" u JOIN "Profile" p ON p."Id" = u."ProfileId"
    ORDER BY u."Username"
"""
_PROFILE = """SELECT "Id" FROM "Profile" WHERE "Name" = ?"""


def _administrator(call: Call) -> None:
    if call.access.read_only:
        raise InsufficientAccess


# --- users -----------------------------------------------------------------------------------------------------------


def list_users(call: Call) -> Reply:
    """`GET /users`."""
    _administrator(call)
    frozen = call.server.sessions.frozen(call.reader)
    return json_reply(
        [
            {"id": user_id, "username": username, "name": name, "profile": profile, "active": bool(active),
             "locked": user_id in frozen}
            for user_id, username, name, active, profile in call.reader.all(_ALL_USERS)
        ]
    )  # fmt: skip


async def add_user(call: Call) -> Reply:
    """`POST /users` with `username`, and `first_name`, `last_name`, `email`, `profile`, `password` if wanted: 201."""
    _administrator(call)
    server, asked = call.server, decode_object(call.request)
    username = _text(asked, "username") or ""
    profile = _text(asked, "profile") or "admin"
    if profile not in _PROFILES:
        raise InvalidInput(f"profile is one of {', '.join(_PROFILES)}")
    password, token = _password(call, asked), server.chance.letters(24)
    hashed = await server.passwords.hash(password)
    first, last = _text(asked, "first_name"), _text(asked, "last_name") or username.partition("@")[0]
    values = {
        "Username": username, "FirstName": first, "LastName": last, "Email": _text(asked, "email") or username,
        "Alias": (first or last)[:8], "CommunityNickname": username.partition("@")[0][:40], "IsActive": True,
        "TimeZoneSidKey": "America/Los_Angeles", "LocaleSidKey": "en_US", "LanguageLocaleKey": "en_US",
        "EmailEncodingKey": "UTF-8",
    }  # fmt: skip

    def work(tx: Tx) -> str:
        found = tx.one(_PROFILE, (_PROFILES[profile],))
        assert found is not None  # profiles are made with the org
        entity = server.catalog.get("User")
        assert entity is not None
        made = server.store.create(tx, server.catalog, call.access, entity, {**values, "ProfileId": found[0]})
        server.passwords.keep(tx, made, hashed, token)
        return made

    made = await server.db.write(work, Unit(call.correlation_id, call.access.user_id))
    return json_reply({"id": made, "username": username, "password": password, "security_token": token}, 201)


async def set_password(call: Call) -> Reply:
    """`POST /users/{user}/password`, with `password` if it is not to be drawn: the user's other sessions end."""
    _administrator(call)
    server = call.server
    asked = decode_object(call.request) if call.request.body else {}
    user_id = await server.db.read(lambda reader: _user(reader, call.params["user"]))
    password, token = _password(call, asked), server.chance.letters(24)
    hashed = await server.passwords.hash(password)

    def work(tx: Tx) -> None:
        server.passwords.keep(tx, user_id, hashed, token)
        server.sessions.end_user(tx, user_id, but=frozenset({call.session_id or "", server.own_session}))

    await server.db.write(work, Unit(call.correlation_id, call.access.user_id))
    return json_reply({"id": user_id, "password": password, "security_token": token})


def lock_user(call: Call) -> Reply:
    """`PUT /users/{user}/lock`: no more logins, sessions and refresh tokens end. DELETE takes it back."""
    _administrator(call)
    user_id = _user(call.reader, call.params["user"])
    frozen = call.request.method == "PUT"
    if frozen and user_id == call.access.user_id:
        raise InvalidInput("this is who you are logged in as: another administrator has to do that")
    call.server.sessions.freeze(call.writer, user_id, frozen=frozen)
    if frozen:
        refresh.end_user(call.writer, user_id)
    return Reply(204)


def _user(reader: Reader, given: str) -> str:
    found = users.known(reader, ids.normalize(given) or "", given)
    if found is None:
        raise NotFound(f"there is no user {given}")
    return found


def _password(call: Call, asked: dict[str, Any]) -> str:
    given = _text(asked, "password")
    if given is not None and not SHORTEST <= len(given) <= 1000:
        raise InvalidInput(f"a password has {SHORTEST} to 1000 characters")
    return given or call.server.chance.letters(16)


# --- apps ------------------------------------------------------------------------------------------------------------


def list_apps(call: Call) -> Reply:
    """`GET /apps`, without their secrets."""
    _administrator(call)
    return json_reply([_shown(app) for app in call.server.apps.all(call.reader)])


def add_app(call: Call) -> Reply:
    """`POST /apps`: 201 with client id and secret. A client id that is there is refused."""
    _administrator(call)
    asked, server = decode_object(call.request), call.server
    chance = server.chance
    client_id = _text(asked, "client_id") or f"3MVG9{chance.letters(80)}"
    if server.apps.find(call.reader, client_id) is not None:
        raise InvalidInput(f"there is an app {client_id} already: revoke it first")
    urls, rules, secret = _texts(asked, "callbacks"), frozenset(_texts(asked, "rules")), chance.hex_token(32)
    for url in urls:
        if (problem := callbacks.problem(url)) is not None:
            raise InvalidInput(f"{url[:200]} can't be a callback: {problem}")
    if unknown := rules - {*RULES}:
        raise InvalidInput(f"rules are {', '.join(RULES)}, not {', '.join(sorted(unknown))}")
    scope = _text(asked, "scope") or scopes.USUAL
    if strange := set(scope.split()) - {*scopes.KNOWN}:
        raise InvalidInput(f"not known as a scope: {', '.join(sorted(strange))}")
    run_as = _text(asked, "run_as")
    draft = Draft(
        client_id=client_id, secret=secret, name=_text(asked, "name"), callbacks=urls, scope=scope, rules=rules,
        run_as=None if run_as is None else _user(call.reader, run_as), certificate=_certificate(asked),
    )  # fmt: skip
    server.apps.keep(call.writer, draft)
    return json_reply({"client_id": client_id, "client_secret": None if PUBLIC in rules else secret}, 201)


def _certificate(asked: dict[str, Any]) -> str | None:
    text = _text(asked, "certificate")
    try:
        return None if text is None else jwt.public_key(text)
    except ValueError as error:
        raise InvalidInput(f"the certificate can't be used: {error}") from None


def revoke_app(call: Call) -> Reply:
    """`DELETE /apps/{client_id}`: the app, its sessions and its refresh tokens are gone."""
    _administrator(call)
    client_id = call.params["client_id"]
    if not call.server.apps.remove(call.writer, client_id):
        raise NotFound(f"there is no app {client_id}")
    refresh.end_app(call.writer, client_id)
    call.server.sessions.end_app(call.writer, client_id)
    return Reply(204)


def _shown(app: App) -> dict[str, Any]:
    return {
        "client_id": app.client_id, "name": app.name, "callbacks": app.callbacks, "scope": app.scope,
        "certificate": app.certificate is not None, "run_as": app.run_as, "rules": sorted(app.rules),
    }  # fmt: skip


# --- sessions --------------------------------------------------------------------------------------------------------


def list_sessions(call: Call) -> Reply:
    """`GET /sessions`: the live ones, the last used first. `id` names one; it is no token."""
    _administrator(call)
    found = []
    for session in call.server.sessions.live():
        user = users.find(call.reader, session.access.user_id)
        used = min(session.last_used, call.server.clock.epoch())
        found.append(
            {"id": session.id, "username": user.username, "client_id": session.client_id, "scope": session.scope,
             "created": _moment(session.created), "last_used": _moment(used), "current": session.id == call.session_id}
        )  # fmt: skip
    return json_reply(found)


def revoke_session(call: Call) -> Reply:
    """`DELETE /sessions/{session}`."""
    _administrator(call)
    if not call.server.sessions.end_named(call.writer, call.params["session"]):
        raise NotFound(f"there is no session {call.params['session']}")
    return Reply(204)


def _moment(epoch: float) -> str:
    return format_datetime(datetime.fromtimestamp(epoch, UTC))


def _text(asked: dict[str, Any], name: str) -> str | None:
    value = asked.get(name)
    if value is not None and not isinstance(value, str):
        raise InvalidInput(f"{name} is text")
    return value or None


def _texts(asked: dict[str, Any], name: str) -> tuple[str, ...]:
    value = asked.get(name) or []
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise InvalidInput(f"{name} is a list of texts")
    return tuple(value)


ROUTES = (
    Route("GET", f"{ROOT}/users", list_users, Needs.READ, metered=False),
    Route("POST", f"{ROOT}/users", add_user, Needs.OUTSIDE, metered=False),
    Route("POST", f"{ROOT}/users/{{user}}/password", set_password, Needs.OUTSIDE, metered=False),
    Route("PUT", f"{ROOT}/users/{{user}}/lock", lock_user, Needs.WRITE, metered=False),
    Route("DELETE", f"{ROOT}/users/{{user}}/lock", lock_user, Needs.WRITE, metered=False),
    Route("GET", f"{ROOT}/apps", list_apps, Needs.READ, metered=False),
    Route("POST", f"{ROOT}/apps", add_app, Needs.WRITE, metered=False),
    Route("DELETE", f"{ROOT}/apps/{{client_id}}", revoke_app, Needs.WRITE, metered=False),
    Route("GET", f"{ROOT}/sessions", list_sessions, Needs.READ, metered=False),
    Route("DELETE", f"{ROOT}/sessions/{{session}}", revoke_session, Needs.WRITE, metered=False),
)
