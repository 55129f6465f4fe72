"""
Logins in a browser: authorization code with PKCE, user-agent, and the person's side of a device login.

Until the app and its callback are known to be right, nothing is redirected: an error is a page. After that, errors go to the
callback, as the app expects them.

Source: `auth.md` section 2; RFC 6749 section 4.1, RFC 7636; RFC 9700 for what goes wrong.
"""

from __future__ import annotations

import re
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, urlencode

from landbridge.auth import callbacks, codes, scopes, users
from landbridge.auth.apps import App
from landbridge.auth.flows import Authorization, Flow, Handles
from landbridge.auth.refresh import digest
from landbridge.errors import OAuthError
from landbridge.wire.http.message import Call, Needs, Reply, Request, Route
from landbridge.wire.oauth import pages
from landbridge.wire.oauth.form import form

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}\Z")
_LOST = "This login took too long, was answered already, or was begun in another browser. Start again from the app."


async def authorize(call: Call) -> Reply:
    """`GET /services/oauth2/authorize`: the login page, once the app's question is a proper one."""
    asked = call.request.query()
    try:
        if repeated := _repeated(call.request):
            raise OAuthError("invalid_request", f"{repeated} is there twice")
        app = await call.server.grants.known_app(asked.get("client_id"))
        callback = _callback(app, asked.get("redirect_uri"))
    except OAuthError as error:
        return pages.message("This app can't log you in", f"{error.error}: {error.description}", 400)
    try:
        authorization = _authorization(app, callback, asked)
    except OAuthError as error:
        return _to_app(callback, asked.get("state"), {"error": error.error, "error_description": error.description})
    handles = call.server.flows.begin(authorization)
    return _with_cookie(pages.login(handles.flow, hint=asked.get("login_hint", ""), callback=callback), call, handles)


def _repeated(request: Request) -> str | None:
    """A parameter that comes twice: two readers of the URL could each believe another one (RFC 6749 section 3.1)."""
    names = [name for name, _ in parse_qsl(request.target.partition(b"?")[2].decode("latin-1"), keep_blank_values=True)]
    return next((name[:50] for name in names if names.count(name) > 1), None)


def _callback(app: App, asked: str | None) -> str:
    if asked is None and len(app.callbacks) == 1:
        return app.callbacks[0]
    if asked is None or not callbacks.allowed(app.callbacks, asked):
        raise OAuthError("redirect_uri_mismatch", "redirect_uri must match configuration")
    return asked


def _authorization(app: App, callback: str, asked: dict[str, str]) -> Authorization:
    kind, challenge = asked.get("response_type", ""), asked.get("code_challenge")
    if kind not in ("code", "token", "token id_token") or (kind != "code" and "implicit" not in app.rules):
        raise OAuthError("unsupported_response_type", "response type not supported")
    if asked.get("prompt") == "none":
        raise OAuthError("login_required", "user must log in")
    if challenge is not None or "code_challenge_method" in asked:
        # jsforce sends a challenge without a method and means S256; `plain` would show the verifier to whoever sees the URL.
        if asked.get("code_challenge_method", "S256") != "S256" or not _CHALLENGE.match(challenge or ""):
            raise OAuthError("invalid_request", "code_challenge must be a SHA-256 challenge (S256)")
    elif app.public and kind == "code":
        raise OAuthError("invalid_request", "missing required code challenge")
    scope = scopes.granted(asked.get("scope"), app.scope)
    return Authorization(app.client_id, scope, kind, callback, asked.get("state"), challenge, asked.get("nonce"))


async def answer(call: Call) -> Reply:
    """`POST /services/oauth2/authorize`: what a person entered on the login page, or chose on the consent page."""
    try:
        given = form(call.request)
    except OAuthError as error:
        return pages.message("This login can't go on", error.description, 400)
    text = given.get("flow", "")
    flow = call.server.flows.find(text, _cookie(call.request, text))
    if flow is None or not _same_origin(call.request):
        return pages.message("This login can't go on", _LOST, 403)
    if flow.user_id is None:
        return await _log_in(call, text, flow, given)
    return await _decide(call, text, flow, flow.user_id, allowed=given.get("decision") == "allow")


async def _log_in(call: Call, text: str, flow: Flow, given: dict[str, str]) -> Reply:
    server, asked = call.server, flow.authorization
    username, password = given.get("username", "").strip(), given.get("password", "")
    user_id = await server.passwords.check(username, password, call.request.client)
    access = None
    if user_id is not None:
        found = user_id
        access = await server.db.read(lambda reader: server.sessions.access(reader, found))
    if access is None:
        return pages.login(text, hint=username, wrong=True, callback=asked.callback)
    handles = server.flows.logged_in(text, access.user_id)
    if handles is None:
        return pages.message("This login can't go on", _LOST, 403)
    app = await server.grants.known_app(asked.client_id)
    user = await server.db.read(lambda reader: users.find(reader, access.user_id))
    page = pages.consent(
        handles.flow, app.name, user.username, asked.scope, device=asked.device is not None, callback=asked.callback
    )
    return _with_cookie(page, call, handles)


async def _decide(call: Call, text: str, flow: Flow, user_id: str, *, allowed: bool) -> Reply:
    server, asked = call.server, flow.authorization
    if server.flows.end(text) is None:
        return pages.message("This login can't go on", _LOST, 403)
    if asked.device is not None:
        await server.grants.settle_device(asked, user_id if allowed else None)
        said = "You can go back to the device." if allowed else "The device gets no access."
        return pages.message("Connected" if allowed else "Denied", said)
    if not allowed:
        denied = {"error": "access_denied", "error_description": "end-user denied authorization"}
        return _to_app(asked.callback, asked.state, denied, fragment=asked.response_type != "code")
    if asked.response_type == "code":
        return _to_app(asked.callback, asked.state, {"code": await server.grants.authorize(asked, user_id)})
    reply = await server.grants.implicit(asked, user_id, call.request.base_url, call.request.instance_url)
    if asked.response_type == "token":
        reply.pop("id_token", None)
    return _to_app(asked.callback, asked.state, reply, fragment=True)


def _to_app(callback: str, state: str | None, values: dict[str, str], *, fragment: bool = False) -> Reply:
    query = urlencode({**values, **({} if state is None else {"state": state})})
    separator = "#" if fragment else "&" if "?" in callback else "?"
    # Callbacks are printable and without blanks (auth/callbacks); what is added is encoded.
    location = f"{callback}{separator}{query}".encode()
    return Reply(302, b"", pages.HTML, [(b"Location", location), (b"Cache-Control", b"no-store")])


# --- the two secrets of a flow ---------------------------------------------------------------------------------------


def _cookie_name(flow: str) -> str:
    """One cookie a flow: two logins in one browser do not undo each other."""
    return f"lb_{digest(flow).hex()[:12]}"


def _with_cookie(reply: Reply, call: Call, handles: Handles) -> Reply:
    secure = "; Secure" if call.request.base_url.startswith("https:") else ""
    name = _cookie_name(handles.flow)
    value = f"{name}={handles.browser}; Path=/services/oauth2; Max-Age=600; HttpOnly; SameSite=Strict{secure}"
    reply.headers.append((b"Set-Cookie", value.encode()))
    return reply


def _cookie(request: Request, flow: str) -> str:
    try:
        found = SimpleCookie(request.header(b"cookie") or "").get(_cookie_name(flow))
    except CookieError:
        return ""
    return "" if found is None else found.value


def _same_origin(request: Request) -> bool:
    origin = request.header(b"origin")
    return origin is None or origin == request.base_url


# --- devices ---------------------------------------------------------------------------------------------------------


async def connect(call: Call) -> Reply:
    """`GET /setup/connect`: where a person enters the code that a device shows."""
    return pages.connect(call.request.query().get("user_code", ""))


async def connected(call: Call) -> Reply:
    """`POST /setup/connect`: the login page for the device that waits under a code."""
    server = call.server
    try:
        user_code = form(call.request).get("user_code", "")
    except OAuthError as error:
        return pages.message("This code can't be read", error.description, 400)
    name = f"device:{call.request.client}"
    await server.failures.attempt(name, call.request.client)
    found = None
    if not server.failures.locked(name):
        found = await server.db.read(lambda reader: codes.device_of(reader, user_code, server.clock.epoch()))
    if found is None:
        return pages.connect(user_code, wrong=True)
    server.failures.succeeded(name, call.request.client)
    device, client_id, scope = found
    handles = server.flows.begin(Authorization(client_id, scope, "device_code", device=device))
    return _with_cookie(pages.login(handles.flow), call, handles)


def _open(method: str, path: str, handler: object) -> Route:
    return Route(method, path, handler, Needs.OUTSIDE, authenticated=False, metered=False)  # type: ignore[arg-type]


ROUTES = (
    _open("GET", "/services/oauth2/authorize", authorize),
    _open("POST", "/services/oauth2/authorize", answer),
    _open("GET", "/setup/connect", connect),
    _open("POST", "/setup/connect", connected),
)
