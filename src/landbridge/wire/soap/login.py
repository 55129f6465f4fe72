"""
SOAP login, logout, getUserInfo, getServerTimestamp.

Clients read the answer with regular expressions, so tags are written without prefix or attributes, and the fault's detail with
the literal prefix `sf:`. Every answer is XML, faults too: SOAP clients crash on anything else.

Source: `auth.md` section 6, recording soap-login-partner.
"""

from __future__ import annotations

from contextlib import suppress

from landbridge import values
from landbridge.auth import users
from landbridge.errors import LoginFault, OAuthError
from landbridge.wire.http.message import Call, Needs, Reply, Route
from landbridge.xml import Element, XmlError, escape, parse

MAX_BYTES = 100_000
"""A login is small; data calls over SOAP come with their own bound."""
_XML = b"text/xml; charset=utf-8"
_NAMESPACES = {"u": "urn:partner.soap.sforce.com", "c": "urn:enterprise.soap.sforce.com"}
_ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"


async def call_soap(call: Call) -> Reply:
    """`POST /services/Soap/{api}/{version}`: the operation is the first element of the Body."""
    try:
        operation, header = _operation(call)
        handlers = {"login": _login, "logout": _logout, "getUserInfo": _user_info, "getServerTimestamp": _timestamp}
        handler = handlers.get(operation.tag)
        if handler is None:
            raise LoginFault(
                "UNSUPPORTED_OPERATION", f"Landbridge does not support this over SOAP yet: {operation.tag}"
            )
        return _reply(call, operation.tag, await handler(call, operation, header))
    except LoginFault as fault:
        return _fault(call, fault)


def _operation(call: Call) -> tuple[Element, Element | None]:
    if call.params["api"] not in _NAMESPACES:
        raise LoginFault("UNSUPPORTED_API", f"Landbridge does not speak the SOAP API {call.params['api']} yet")
    try:
        root = parse(call.request.body, max_bytes=MAX_BYTES)
    except XmlError as error:
        raise LoginFault("INVALID_SOAP_ENVELOPE", f"the request is no SOAP envelope: {error}") from None
    body = root.find("Body")
    if root.tag != "Envelope" or body is None or not body.children:
        raise LoginFault("INVALID_SOAP_ENVELOPE", "the request is no SOAP envelope with a Body")
    return body.children[0], root.find("Header")


async def _login(call: Call, operation: Element, header: Element | None) -> str:
    del header
    server = call.server
    user_id = await server.passwords.check(operation.get("username"), operation.get("password"), call.request.client)
    access = None
    if user_id is not None:
        found = user_id
        access = await server.db.read(lambda reader: server.sessions.access(reader, found))
    token = None
    if access is not None:
        with suppress(OAuthError):  # locked between the check and the login
            token = await server.grants.open_session(access, None)
    if access is None or token is None:
        raise LoginFault("INVALID_LOGIN", "Invalid username, password, security token; or user locked out.")
    version, base, org = call.params["version"], call.request.instance_url, server.org.org_id[:15]
    return (
        f"<metadataServerUrl>{base}/services/Soap/m/{version}/{org}</metadataServerUrl>"
        "<passwordExpired>false</passwordExpired><sandbox>false</sandbox>"
        f"<serverUrl>{base}/services/Soap/{call.params['api']}/{version}/{org}</serverUrl>"
        f"<sessionId>{token}</sessionId><userId>{access.user_id}</userId>"
        f"<userInfo>{await _info(call, access.user_id)}</userInfo>"
    )


async def _info(call: Call, user_id: str) -> str:
    user = await call.server.db.read(lambda reader: users.find(reader, user_id))
    fields = (
        ("accessibilityMode", "false"), ("chatterExternal", "false"), ("currencySymbol", "$"),
        ("orgAttachmentFileSizeLimit", "26214400"), ("orgDefaultCurrencyIsoCode", "USD"),
        ("orgDefaultCurrencyLocale", "en_US"), ("orgDisallowHtmlAttachments", "false"),
        ("orgHasPersonAccounts", "false"), ("organizationId", call.server.org.org_id),
        ("organizationMultiCurrency", "false"), ("organizationName", call.server.org.name), ("profileId", user.profile_id),
        ("roleId", user.role_id), ("sessionSecondsValid", str(int(call.server.settings.session_timeout))),
        ("userDefaultCurrencyIsoCode", None), ("userEmail", user.email), ("userFullName", user.name), ("userId", user_id),
        ("userLanguage", user.language), ("userLocale", user.locale), ("userName", user.username),
        ("userTimeZone", user.time_zone),
        ("userType", user.user_type), ("userUiSkin", "Theme3"),
    )  # fmt: skip
    return "".join(_tag(tag, value) for tag, value in fields)


def _tag(name: str, value: str | None) -> str:
    return f'<{name} xsi:nil="true"/>' if value is None else f"<{name}>{escape(value)}</{name}>"


def _session_id(header: Element | None) -> str:
    """The session of a SOAP header. Raises the fault that tells clients to log in again."""
    session = header.find("SessionHeader") if header is not None else None
    return session.get("sessionId") if session is not None else ""


async def _user_info(call: Call, operation: Element, header: Element | None) -> str:
    del operation
    return await _info(call, _user(call, header))


async def _logout(call: Call, operation: Element, header: Element | None) -> str | None:
    del operation
    _user(call, header)
    await call.server.grants.revoke(_session_id(header))
    return None


async def _timestamp(call: Call, operation: Element, header: Element | None) -> str:
    del operation
    _user(call, header)
    return f"<timestamp>{values.format_datetime(call.server.clock.now())[:-5]}Z</timestamp>"


def _user(call: Call, header: Element | None) -> str:
    session = call.server.sessions.find(_session_id(header))
    if session is None:
        raise LoginFault(
            "INVALID_SESSION_ID",
            "Invalid Session ID found in SessionHeader: Illegal Session. Session not found, missing session hash",
        )
    return session.access.user_id


def _reply(call: Call, operation: str, result: str | None) -> Reply:
    inner = "" if result is None else f"<result>{result}</result>"
    return Reply(200, _envelope(call, f"<{operation}Response>{inner}</{operation}Response>"), _XML)


def _envelope(call: Call, body: str) -> bytes:
    namespace = _NAMESPACES.get(call.params["api"], _NAMESPACES["u"])
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="{_ENVELOPE}" xmlns="{namespace}" '
        f'xmlns:xsi="{_XSI}"><soapenv:Body>{body}</soapenv:Body></soapenv:Envelope>'
    ).encode()


def _fault(call: Call, fault: LoginFault) -> Reply:
    """HTTP 500. An expired session has its code with the prefix `sf:`, which is what clients look for."""
    kind = "enterprise" if call.params["api"] == "c" else "partner"
    code, text = fault.exception_code, escape(fault.message)
    prefix = "sf:" if code == "INVALID_SESSION_ID" else ""
    detail = "LoginFault" if code == "INVALID_LOGIN" else "UnexpectedErrorFault"
    body = (
        f'<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="{_ENVELOPE}" '
        f'xmlns:sf="urn:fault.{kind}.soap.sforce.com" xmlns:xsi="{_XSI}"><soapenv:Body><soapenv:Fault>'
        f"<faultcode>{prefix}{code}</faultcode><faultstring>{code}: {text}</faultstring><detail>"
        f'<sf:{detail} xsi:type="sf:{detail}"><sf:exceptionCode>{code}</sf:exceptionCode>'
        f"<sf:exceptionMessage>{text}</sf:exceptionMessage></sf:{detail}></detail></soapenv:Fault></soapenv:Body>"
        "</soapenv:Envelope>"
    )
    return Reply(500, body.encode(), _XML)


ROUTES = tuple(
    Route("POST", pattern, call_soap, Needs.OUTSIDE, authenticated=False, metered=False)
    for pattern in ("/services/Soap/{api}/{version}", "/services/Soap/{api}/{version}/{org}")
)
