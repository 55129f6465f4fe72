"""
The named credentials of an org: definitions in the open, secrets sealed, a row of NamedCredential each.

A definition has two layers: what an sfdx source says, and over it what was set by hand. A source that is loaded again
replaces its own layer alone, so secrets and settings survive a deploy.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from landbridge.auth.seal import Seal
from landbridge.callouts import mask
from landbridge.callouts.credential import Auth, Credential, InvalidCredential, make
from landbridge.callouts.model import UnknownCredential
from landbridge.errors import LandbridgeError
from landbridge.schema.numbers import Numbers
from landbridge.storage import Reader, Tx

TABLES = (
    "CREATE TABLE lb_credential (name TEXT PRIMARY KEY NOT NULL COLLATE NOCASE, id TEXT NOT NULL, source TEXT, own TEXT, "
    "sealed TEXT) WITHOUT ROWID",
)

KEPT = "SELECT name, id, source, own, sealed FROM lb_credential ORDER BY name"
KEEP = """
    INSERT INTO lb_credential (name, id, source, own, sealed) VALUES (?1, ?2, ?3, ?4, ?5)
    ON CONFLICT (name) DO UPDATE SET source = ?3, own = ?4, sealed = ?5
"""
DROP = "DELETE FROM lb_credential WHERE name = ?"
DROP_ROW = 'DELETE FROM "NamedCredential" WHERE Id = ?'
# What SOQL sees: no secret, no user name, no certificate.
ROW = """
    INSERT INTO "NamedCredential" (Id, IsDeleted, DeveloperName, Language, MasterLabel, CreatedDate, CreatedById,
        LastModifiedDate, LastModifiedById, SystemModstamp, Endpoint, PrincipalType,
        CalloutOptionsGenerateAuthorizationHeader, CalloutOptionsAllowMergeFieldsInHeader, CalloutOptionsAllowMergeFieldsInBody,
        JwtIssuer, JwtTextSubject, JwtValidityPeriodSeconds, JwtAudience, AuthTokenEndpointUrl)
    VALUES (?1, 0, ?2, 'en_US', ?3, ?4, ?5, ?4, ?5, ?4, ?6, ?7, ?8, ?9, 0, ?10, ?11, ?12, ?13, ?14)
    ON CONFLICT (Id) DO UPDATE SET MasterLabel = ?3, LastModifiedDate = ?4, LastModifiedById = ?5, SystemModstamp = ?4,
        Endpoint = ?6, PrincipalType = ?7, CalloutOptionsGenerateAuthorizationHeader = ?8,
        CalloutOptionsAllowMergeFieldsInHeader = ?9, JwtIssuer = ?10, JwtTextSubject = ?11, JwtValidityPeriodSeconds = ?12,
        JwtAudience = ?13, AuthTokenEndpointUrl = ?14
"""
PREFIX = "0XA"


class Known(msgspec.Struct, frozen=True):
    """A credential as it is kept: both layers, the sealed secrets, the definition they make (None: `problem` says why)."""

    name: str
    record_id: str
    source: dict[str, Any] | None
    own: dict[str, Any]
    sealed: dict[str, str]
    credential: Credential | None
    problem: str = ""


class Credentials:
    """The credentials of one org. `changed` is called with a name after the commit that changed or removed it."""

    def __init__(self, seal: Seal, numbers: Numbers, changed: Callable[[str], None]) -> None:
        self._seal = seal
        self._numbers = numbers
        self._changed = changed
        self._known: dict[str, Known] = {}

    def load(self, reader: Reader) -> None:
        """Read what the database holds."""
        for name, record_id, source, own, sealed in reader.all(KEPT):
            self._known[name.lower()] = _known(
                name, record_id, None if source is None else msgspec.json.decode(source),
                msgspec.json.decode(own or "{}"), msgspec.json.decode(sealed or "{}"),
            )  # fmt: skip

    def all(self) -> list[Known]:
        """Every credential, by name."""
        return [self._known[name] for name in sorted(self._known)]

    def find(self, name: str) -> Known | None:
        """The credential of that name, whatever its case."""
        return self._known.get(name.lower())

    def need(self, name: str) -> Credential:
        """The definition. Raises UnknownCredential, InvalidCredential for one that is not complete."""
        known = self.find(name)
        if known is None:
            raise UnknownCredential(name)
        if known.credential is None:
            raise InvalidCredential(f"{known.problem}. Mend it with `landbridge credential set {known.name}`.")
        return known.credential

    def open(self, name: str) -> dict[str, str]:
        """The secrets of a credential in the clear. Raises LandbridgeError when the key is another one."""
        known = self.find(name)
        return {} if known is None else {key: self._seal.open(value) for key, value in known.sealed.items()}

    def set(
        self, tx: Tx, name: str, changes: Mapping[str, Any], secrets: Mapping[str, str | None], user_id: str
    ) -> Credential:
        """
        Make a credential, or change some settings of one. A setting of None goes back to the source's or the default; a
        secret of None is forgotten. Raises InvalidCredential.
        """
        known = self.find(name)
        own = {} if known is None else dict(known.own)
        changes, literal = sealable(changes)
        secrets = {**literal, **secrets}
        for key, value in changes.items():
            before = own.pop(key, None)
            if key == "breaker" and isinstance(before, dict) and isinstance(value, dict):
                own[key] = {**before, **value}
            elif value is not None:
                own[key] = value
        sealed = {} if known is None else dict(known.sealed)
        for key, secret in secrets.items():
            sealed.pop(key, None)
            if secret is not None:
                sealed[key] = self._seal.close(secret)
        source = None if known is None else known.source
        made = self._keep(tx, name, source, own, sealed, user_id, strict=True)
        assert made is not None
        return made

    def take_source(self, tx: Tx, definitions: Iterable[Mapping[str, Any]], user_id: str) -> None:
        """Take what a source defines (plain values with a `name`); what did not change is left alone."""
        for definition in definitions:
            values, literal = sealable({key: value for key, value in definition.items() if key != "name"})
            name = str(definition["name"])
            known = self.find(name)
            own, sealed = ({}, {}) if known is None else (known.own, dict(known.sealed))
            for key, secret in literal.items():
                if not self._is_sealed(sealed.get(key), secret):
                    sealed[key] = self._seal.close(secret)
            if known is None or known.source != values or known.sealed != sealed:
                self._keep(tx, name, values, own, sealed, user_id, strict=False)

    def _is_sealed(self, sealed: str | None, secret: str) -> bool:
        try:
            return sealed is not None and hmac.compare_digest(self._seal.open(sealed).encode(), secret.encode())
        except LandbridgeError:
            return False  # sealed with another key: it is sealed anew

    def remove(self, tx: Tx, name: str) -> None:
        """Forget a credential and its secrets. Raises UnknownCredential."""
        known = self.find(name)
        if known is None:
            raise UnknownCredential(name)
        tx.run(DROP, (known.name,))
        tx.run(DROP_ROW, (known.record_id,))
        tx.after_commit(lambda: self._swap(name, None))

    def _keep(
        self, tx: Tx, name: str, source: dict[str, Any] | None, own: dict[str, Any], sealed: dict[str, str], user_id: str,
        *, strict: bool,
    ) -> Credential | None:  # fmt: skip
        before = self.find(name)
        record_id = before.record_id if before is not None else None
        known = _known(before.name if before is not None else name, record_id or "", source, own, sealed)
        if known.credential is None and strict:
            raise InvalidCredential(known.problem)
        if record_id is None:
            known = msgspec.structs.replace(known, record_id=str(self._numbers.id(tx, PREFIX)))
        tx.run(KEEP, (
            known.name, known.record_id, None if source is None else msgspec.json.encode(source).decode(),
            msgspec.json.encode(own).decode(), msgspec.json.encode(sealed).decode(),
        ))  # fmt: skip
        _row(tx, known, user_id)
        tx.after_commit(lambda: self._swap(name, known))
        return known.credential

    def _swap(self, name: str, known: Known | None) -> None:
        if known is None:
            self._known.pop(name.lower(), None)
        else:
            self._known[name.lower()] = known
        self._changed(name)


def sealable(settings: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """
    Settings in which no header holds a secret as it is, and the secrets that were taken out of them.

    A header that is called like a secret and names none (`Authorization: Bearer abc`) was written by someone who did not know
    better, in a source file or on a command line; it is sealed all the same.
    """
    secrets: dict[str, str] = {}
    headers = settings.get("headers")
    if not isinstance(headers, (list, tuple)):
        return dict(settings), secrets
    kept: list[Any] = []
    for header in headers:
        if isinstance(header, (list, tuple)) and len(header) == 2 and all(isinstance(part, str) for part in header):
            name, value = header
            if value and mask.is_secret(name) and "{!" not in value:
                secret = "header_" + re.sub(r"\W", "_", name)
                secrets[secret] = value
                header = [name, f"{{!{secret}}}"]
        kept.append(header)
    return {**settings, "headers": kept}, secrets


def _known(
    name: str, record_id: str, source: dict[str, Any] | None, own: dict[str, Any], sealed: dict[str, str]
) -> Known:
    try:
        return Known(name, record_id, source, own, sealed, make({**(source or {}), **own, "name": name}))
    except InvalidCredential as error:
        return Known(name, record_id, source, own, sealed, None, str(error))


def _row(tx: Tx, known: Known, user_id: str) -> None:
    """The row that SOQL sees; also of a credential that still lacks something."""
    values = {**(known.source or {}), **known.own}
    auth = values.get("auth", Auth.NONE)
    jwt = values if auth == Auth.JWT else {}
    named = auth not in (Auth.NONE, Auth.CUSTOM)
    tx.run(ROW, (
        known.record_id, known.name, values.get("label") or known.name, tx.stamp, user_id, values.get("url"),
        "NamedUser" if named else "Anonymous", int(named), int(auth == Auth.CUSTOM), jwt.get("issuer") or None,
        jwt.get("subject") or None, int(jwt.get("token_lifetime", 300)) if jwt else None, jwt.get("audience") or None,
        values.get("token_url") or None,
    ))  # fmt: skip
