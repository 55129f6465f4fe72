"""
`namedCredentials` and `externalCredentials` to definitions: both the legacy form, one file with protocol and principal, and
SecuredEndpoint, whose authentication stands in the external credential it names. Pure.

A definition is plain values by the names of `callouts.Credential`'s fields (this room is below that one). Secrets are never in
source: they are set with `landbridge credential set`, and what a formula calls `$Credential.X.Key` is the secret `Key`.
Source: `metadata.md` section 3; Metadata API Developer Guide, "NamedCredential", "ExternalCredential"; parameter shapes as
projects commit them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from landbridge.xml import Element


@dataclass(slots=True)
class Read:
    """What was made of one named credential: None where it can't be used, and what a person should be told."""

    definition: dict[str, Any] | None
    notes: list[str] = field(default_factory=list)


class _No(Exception):
    """This credential can't be used; the text says why."""


def read(name: str, root: Element, externals: Mapping[str, Element]) -> Read:
    """One named credential; `externals` are the external credentials of the source by name."""
    notes: list[str] = []
    definition: dict[str, Any] = {"name": name}
    if root.get("label"):
        definition["label"] = root.get("label")
    if root.get("calloutStatus") == "Disabled":
        definition["enabled"] = False
    try:
        if root.find("namedCredentialParameters") is None:
            _legacy(definition, root, notes)
        else:
            _secured(definition, root, externals, notes)
    except _No as no:
        return Read(None, [str(no)])
    if not definition.get("url"):
        return Read(None, ["it has no URL"])
    return Read(definition, notes)


# --- legacy --------------------------------------------------------------------------------------------------------


def _legacy(definition: dict[str, Any], root: Element, notes: list[str]) -> None:
    definition["url"] = root.get("endpoint")
    protocol = root.get("protocol") or "NoAuthentication"
    if root.get("principalType") == "PerUser":
        notes.append("each user has an identity of their own there; here all callouts have one")
    if root.get("certificate"):
        notes.append(
            f"certificate {root.get('certificate')}: give it with --client-certificate and the secret client_key"
        )
    # `generateAuthorizationHeader` false: the author writes the header with merge fields; here custom headers do that.
    if protocol == "NoAuthentication" or root.get("generateAuthorizationHeader") == "false":
        return
    if protocol == "Password":
        definition |= {"auth": "basic", "username": root.get("username")}
    elif protocol in ("Jwt", "JwtExchange"):
        definition |= {
            "auth": "jwt", "issuer": root.get("jwtIssuer"), "audience": root.get("jwtAudience"),
            "subject": _text(root.get("jwtTextSubject") or root.get("jwtFormulaSubject"), notes, "jwtFormulaSubject"),
        }  # fmt: skip
        if root.get("jwtValidityPeriodSeconds"):
            definition["token_lifetime"] = float(root.get("jwtValidityPeriodSeconds"))
        if protocol == "JwtExchange":
            definition |= {"token_url": root.get("authTokenEndpointUrl"), "scope": root.get("oauthScope")}
    elif protocol == "Oauth":
        provider = root.get("authProvider")
        definition |= {"auth": "oauth", "scope": root.get("oauthScope")}
        notes.append(
            f"auth provider {provider}: give its --token-url and --client-id; client credentials are what it gets"
        )
    else:
        raise _No(f"protocol {protocol} is not supported")


# --- SecuredEndpoint -----------------------------------------------------------------------------------------------


def _secured(definition: dict[str, Any], root: Element, externals: Mapping[str, Element], notes: list[str]) -> None:
    headers: list[tuple[int, str, str]] = []
    external: str | None = None
    for parameter in root.all("namedCredentialParameters"):
        kind, value = parameter.get("parameterType"), parameter.get("parameterValue")
        if kind == "Url":
            definition["url"] = value
        elif kind == "Authentication":
            external = parameter.get("externalCredential") or None
        elif kind == "HttpHeader":
            headers.append((_number(parameter), parameter.get("parameterName"), value))
        elif kind == "ClientCertificate":
            given = parameter.get("certificate") or parameter.get("parameterName")
            notes.append(f"certificate {given}: give it with --client-certificate and the secret client_key")
        elif kind == "OutboundNetworkConnection":
            raise _No("a private connection is not supported")
    if external is not None:
        found = externals.get(external.lower())
        if found is None:
            raise _No(f"external credential {external} is not in this source")
        headers += _external(definition, found, notes, generate=root.get("generateAuthorizationHeader") != "false")
    made = [(name, _formula(value)) for _, name, value in sorted(headers)]
    if made:
        definition["headers"] = [[name, value] for name, value in made]
        if "auth" not in definition and any("{!" in value for _, value in made):
            definition["auth"] = "custom"
    for name in [key for key, value in definition.items() if value == ""]:
        del definition[name]


def _external(
    definition: dict[str, Any], root: Element, notes: list[str], *, generate: bool
) -> list[tuple[int, str, str]]:
    """Lay how an external credential authenticates into the definition; its headers."""
    protocol, variant, headers = root.get("authenticationProtocol"), "", []
    url, scope, claims = "", "", {}
    for parameter in root.all("externalCredentialParameters"):
        kind, name, value = (parameter.get(key) for key in ("parameterType", "parameterName", "parameterValue"))
        if kind == "AuthProtocolVariant":
            variant = value
        elif kind == "AuthProviderUrl":
            url = value
        elif kind in ("AuthHeader", "HttpHeader"):
            headers.append((_number(parameter), name, value))
        elif kind == "AuthParameter" and name.lower() == "scope":
            scope = value
        elif kind == "JwtBodyClaim":
            claims[name] = value
        elif kind == "PerUserPrincipal":
            notes.append("each user has an identity of their own there; here all callouts have one")
        elif kind == "SigningCertificate":
            notes.append(f"certificate {parameter.get('certificate') or value}: its key is the secret private_key")
    if not generate or protocol in ("NoAuthentication", "Custom"):
        return headers
    if protocol in ("Basic", "Password"):
        definition["auth"] = "basic"
        notes.append("its user name is not in source: give --username and the secret password")
    elif protocol.lower() == "oauth" and variant.startswith("ClientCredentialsClientSecret"):
        definition |= {"auth": "oauth", "token_url": url, "scope": scope}
        if not variant.endswith("Basic"):
            definition["client_in_body"] = True
        notes.append("its client is not in source: give --client-id and the secret client_secret")
    elif (protocol.lower() == "oauth" and variant == "JwtBearer") or protocol in ("Jwt", "JwtExchange"):
        definition |= {"auth": "jwt", "token_url": url, "scope": scope}
        for claim, key in (("iss", "issuer"), ("sub", "subject"), ("aud", "audience")):
            definition[key] = _text(claims.get(claim, ""), notes, claim)
    else:
        raise _No(f"authentication {protocol}{f' {variant}' if variant else ''} is not supported")
    return headers


def _number(parameter: Element) -> int:
    text = parameter.get("sequenceNumber")
    return int(text) if text.isdigit() else 0


# --- formulas ------------------------------------------------------------------------------------------------------

_EXPRESSION = re.compile(r"\{!(.*?)\}", re.DOTALL)
_PART = re.compile(r"""\s*(?:'([^']*)'|"([^"]*)"|\$Credential\.(?:\w+\.)?(\w+))\s*(?:[&+]|\Z)""")


def _formula(value: str) -> str:
    """A header's formula as a text with `{!Secret}`. Raises _No for more than texts and credentials joined."""
    return _EXPRESSION.sub(lambda match: _joined(match[1]), value)


def _joined(expression: str) -> str:
    text, at = "", 0
    while at < len(expression) or not at:
        match = _PART.match(expression, at)
        if match is None or match.end() == at:
            raise _No(
                f"the formula {expression.strip()[:60]} is not supported: texts and $Credential fields joined by & are"
            )
        text += f"{{!{match[3]}}}" if match[3] is not None else (match[1] if match[1] is not None else match[2])
        at = match.end()
    return text


def _text(value: str, notes: list[str], what: str) -> str:
    """A claim that is plain text, or a formula that is one."""
    try:
        made = _formula(value.strip())
    except _No:
        made = "{!"
    stripped = made.strip("'\"")
    if "{!" in stripped or "$" in stripped:
        notes.append(f"{what} is a formula that is not evaluated: give it with `landbridge credential set`")
        return ""
    return stripped
