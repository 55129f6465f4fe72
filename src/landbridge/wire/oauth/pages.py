"""
The pages of a login in a browser: plain HTML, no script, nothing loaded from anywhere.

The policy sent with each page says so to the browser as well. A form may end at the app's callback, which is why that one's
origin stands in the policy: browsers watch where a form's answer leads.
"""

from __future__ import annotations

import base64
from hashlib import sha256
from html import escape
from urllib.parse import urlsplit

from landbridge.wire.http.message import Reply

HTML = b"text/html;charset=UTF-8"
_STYLE = """
body{margin:0;background:#f4f6f5;color:#1d2b26;font:16px/1.5 system-ui,sans-serif}
main{max-width:22rem;margin:10vh auto;padding:2rem;background:#fff;border-radius:.5rem;border:1px solid #d9e0dd}
h1{font-size:1.25rem;margin:0 0 1rem}label{display:block;margin:.75rem 0 .25rem}
input{box-sizing:border-box;width:100%;padding:.5rem;font:inherit;border:1px solid #8a9993;border-radius:.25rem}
button{margin:1.25rem .5rem 0 0;padding:.5rem 1rem;font:inherit;color:#fff;background:#14543f}
button{border:1px solid #14543f;border-radius:.25rem}
button.no{background:#fff;color:#14543f}p.wrong{color:#a1260d}small{color:#56655f}
"""
_STYLE_HASH = base64.b64encode(sha256(_STYLE.encode()).digest()).decode()
_SCOPES = {
    "api": "read and change your data through APIs", "full": "do all that you may do", "web": "act for you in a browser",
    "refresh_token": "do so at any time", "offline_access": "do so at any time", "id": "know who you are",
    "openid": "know who you are", "profile": "know who you are", "email": "know your e-mail address",
}  # fmt: skip


def login(flow: str, *, hint: str = "", wrong: bool = False, callback: str = "") -> Reply:
    """The page that asks for a password."""
    note = (
        '<p class="wrong" role="alert">Please check your username and password. If you still can\'t log in, contact your '
        "administrator.</p>" if wrong else ""
    )  # fmt: skip
    return page(
        "Log in",
        f'{note}<form method="post" action="/services/oauth2/authorize">{_hidden("flow", flow)}'
        f'<label for="username">Username</label><input id="username" name="username" value="{escape(hint)}" '
        'autocomplete="username" autocapitalize="none" spellcheck="false" required autofocus>'
        '<label for="password">Password</label><input id="password" name="password" type="password" '
        'autocomplete="current-password" required><button id="Login" type="submit">Log In</button></form>',
        callback=callback,
    )  # fmt: skip


def consent(flow: str, app: str, username: str, scope: str, *, device: bool, callback: str = "") -> Reply:
    """The page that asks whether the app may."""
    rights = dict.fromkeys(_SCOPES.get(one, one) for one in scope.split())
    items = "".join(f"<li>{escape(one)}</li>" for one in rights)
    where = " on the device whose code you entered" if device else ""
    return page(
        "Allow access?",
        f"<p><b>{escape(app)}</b>{where} asks to:</p><ul>{items}</ul><p><small>You are {escape(username)}.</small></p>"
        f'<form method="post" action="/services/oauth2/authorize">{_hidden("flow", flow)}'
        '<button id="oaapprove" name="decision" value="allow" type="submit">Allow</button>'
        '<button id="oadeny" class="no" name="decision" value="deny" type="submit">Deny</button></form>',
        callback=callback,
    )


def connect(user_code: str = "", *, wrong: bool = False) -> Reply:
    """The page that asks for a device's code."""
    note = '<p class="wrong" role="alert">No device waits under this code.</p>' if wrong else ""
    return page(
        "Connect a device",
        f'{note}<form method="post" action="/setup/connect"><label for="user_code">Code shown by the device</label>'
        f'<input id="user_code" name="user_code" value="{escape(user_code)}" autocomplete="off" required autofocus>'
        '<button type="submit">Connect</button></form>',
    )


def message(title: str, text: str, status: int = 200) -> Reply:
    """A page that says one thing."""
    return page(title, f"<p>{escape(text)}</p>", status)


def page(title: str, body: str, status: int = 200, *, callback: str = "") -> Reply:
    """A whole page; `body` is HTML, `callback` where its form may lead."""
    text = (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)} | Landbridge</title>'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><style>{_STYLE}</style></head>'
        f"<body><main><h1>{escape(title)}</h1>{body}</main></body></html>"
    )
    policy = (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'{_origin(callback)}; base-uri 'none'; "
        "frame-ancestors 'none'"
    )
    headers = [
        (b"Cache-Control", b"no-store"), (b"Content-Security-Policy", policy.encode()), (b"X-Frame-Options", b"DENY"),
        # Not no-referrer: browsers would send `Origin: null` with our own forms, which we compare.
        (b"Referrer-Policy", b"same-origin"),
    ]  # fmt: skip
    return Reply(status, text.encode(), HTML, headers)


def _hidden(name: str, value: str) -> str:
    return f'<input type="hidden" name="{name}" value="{escape(value)}">'


def _origin(callback: str) -> str:
    """A source of the policy for a callback. Callbacks hold no blanks and no control characters (auth/callbacks)."""
    if not callback:
        return ""
    parts = urlsplit(callback)
    origin = f"{parts.scheme}://{parts.netloc}" if parts.scheme in ("http", "https") else f"{parts.scheme}:"
    return "" if any(char in origin for char in ";,'") else f" {origin}"
