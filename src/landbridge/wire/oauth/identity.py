"""
Who the user is: the identity URL and OpenID's userinfo.

Source: `rest.md` section 13, recordings auth-identity-*. A missing or bad token answers 403 `Bad_OAuth_Token`, not 401.
"""

from __future__ import annotations

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from landbridge import ids
from landbridge.auth import users
from landbridge.wire.http.core import bearer
from landbridge.wire.http.message import Call, Needs, Reply, Route, json_reply

# Path of each API by its key; {version} is the client's to fill in, the organization id has 15 characters.
_URLS = {
    "enterprise": "/services/Soap/c/{version}/ORG", "metadata": "/services/Soap/m/{version}/ORG",
    "partner": "/services/Soap/u/{version}/ORG", "rest": "/services/data/v{version}/",
    "sobjects": "/services/data/v{version}/sobjects/", "search": "/services/data/v{version}/search/",
    "query": "/services/data/v{version}/query/", "recent": "/services/data/v{version}/recent/",
    "tooling_soap": "/services/Soap/T/{version}/ORG", "tooling_rest": "/services/data/v{version}/tooling/",
    "profile": "/USER", "feeds": "/services/data/v{version}/chatter/feeds",
    "groups": "/services/data/v{version}/chatter/groups", "users": "/services/data/v{version}/chatter/users",
    "feed_items": "/services/data/v{version}/chatter/feed-items",
    "feed_elements": "/services/data/v{version}/chatter/feed-elements",
}  # fmt: skip


def identity(call: Call) -> Reply:
    """`GET /id/{org}/{user}`."""
    user_id = _asking(call)
    if user_id is None:
        return _bad_token()
    org_id, wanted = ids.normalize(call.params["org"]), ids.normalize(call.params["user"])
    if org_id != call.server.org.org_id or wanted != user_id:
        return Reply(403, b"Wrong_Org", b"text/html;charset=UTF-8")
    user = users.find(call.reader, user_id)
    base = call.request.instance_url
    return json_reply({
        "id": f"{call.request.base_url}/id/{org_id}/{user_id}", "asserted_user": True, "user_id": user_id,
        "organization_id": org_id,
        "username": user.username, "nick_name": user.nickname, "display_name": user.name, "email": user.email,
        "email_verified": True, "first_name": user.first_name, "last_name": user.last_name, "timezone": user.time_zone,
        "photos": _photos(base), "addr_street": user.street, "addr_city": user.city,
        "addr_state": user.state, "addr_country": user.country, "addr_zip": user.postal_code,
        "mobile_phone": user.mobile_phone, "mobile_phone_verified": False, "is_lightning_login_user": False,
        "status": {"created_date": None, "body": None}, "urls": _urls(call, user_id), "active": bool(user.active),
        "user_type": user.user_type.upper(), "language": user.language, "locale": user.locale,
        "utcOffset": _offset(user.time_zone, call), "last_modified_date": user.modified,
        "is_app_installed": True,
    })  # fmt: skip


def userinfo(call: Call) -> Reply:
    """`GET /services/oauth2/userinfo`: the claims of OpenID Connect."""
    user_id = _asking(call)
    if user_id is None:
        return _bad_token()
    user = users.find(call.reader, user_id)
    base = call.request.instance_url
    photos = _photos(base)
    return json_reply({
        "sub": f"{call.request.base_url}/id/{call.server.org.org_id}/{user_id}", "user_id": user_id,
        "organization_id": call.server.org.org_id, "preferred_username": user.username, "nickname": user.nickname,
        "name": user.name, "email": user.email, "email_verified": True, "given_name": user.first_name,
        "family_name": user.last_name, "zoneinfo": user.time_zone, "photos": photos, "profile": f"{base}/{user_id}",
        "picture": photos["picture"], "address": {}, "is_salesforce_integration_user": False,
        "urls": _urls(call, user_id), "active": bool(user.active), "user_type": user.user_type.upper(),
        "language": user.language, "locale": user.locale, "utcOffset": _offset(user.time_zone, call),
        "updated_at": f"{user.modified[:19]}Z",
    })  # fmt: skip


def _asking(call: Call) -> str | None:
    """The user of the session: a header, or `?oauth_token=` as jsforce sends it here."""
    token = bearer(call.request) or call.request.query().get("oauth_token")
    session = None if token is None else call.server.sessions.find(token)
    return None if session is None else session.access.user_id


def _bad_token() -> Reply:
    return Reply(403, b"Bad_OAuth_Token", b"text/html;charset=UTF-8")


def _photos(base: str) -> dict[str, str]:
    return {"picture": f"{base}/profilephoto/005/F", "thumbnail": f"{base}/profilephoto/005/T"}


def _urls(call: Call, user_id: str) -> dict[str, str]:
    base, org = call.request.instance_url, call.server.org.org_id[:15]
    urls = {name: base + path.replace("ORG", org).replace("USER", user_id) for name, path in _URLS.items()}
    return {**urls, "custom_domain": base}


def _offset(zone: str, call: Call) -> int:
    """The zone's standard offset from UTC in milliseconds."""
    try:
        moment = call.server.clock.now().astimezone(ZoneInfo(zone))
    except (ZoneInfoNotFoundError, ValueError):
        return 0
    offset, saving = moment.utcoffset(), moment.dst()
    assert offset is not None
    return int((offset - saving if saving else offset).total_seconds() * 1000)


ROUTES = (
    Route("GET", "/id/{org}/{user}", identity, Needs.READ, authenticated=False, metered=False),
    Route("GET", "/services/oauth2/userinfo", userinfo, Needs.READ, authenticated=False, metered=False),
    Route("POST", "/services/oauth2/userinfo", userinfo, Needs.READ, authenticated=False, metered=False),
)
