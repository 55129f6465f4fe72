"""
SOSL, as much of it as clients send: FIND, IN, RETURNING with fields, WHERE, ORDER BY, LIMIT. Pure: a search becomes SOQL texts.

A term is found in the text fields of a record where it stands as a word; `*` ends or begins a word, `?` is one character;
AND, OR, NOT and quoted phrases join words. There is no index, no stemming and no relevance: records come in the order of
RETURNING and of their Ids (`differs`). Every other clause is refused by name.

Source: `rest.md` section 6; recording rest-search-sosl.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from landbridge.access import Access
from landbridge.errors import MalformedSearch, Unsupported
from landbridge.schema.catalog import Catalog, Entity
from landbridge.schema.model import Field

MOST = 2000
"""Records of one answer."""
SCOPES = ("ALL", "NAME", "EMAIL", "PHONE", "SIDEBAR")
_TEXT = frozenset({"string", "textarea", "phone", "email", "url", "picklist", "combobox"})


@dataclass(frozen=True, slots=True)
class Wanted:
    """One object of RETURNING; `rest` is what follows the fields: WHERE, ORDER BY, LIMIT as SOQL has them."""

    sobject: str
    fields: tuple[str, ...] = ()
    where: str = ""
    order: str = ""
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for, in which fields, in which objects (none: all that can be searched)."""

    term: str
    scope: str = "ALL"
    wanted: tuple[Wanted, ...] = ()
    limit: int = MOST


# --- text to Search ----------------------------------------------------------------------------------------------------

_FIND = re.compile(r"\s*FIND\s*\{((?:[^\\}]|\\.)*)\}", re.IGNORECASE | re.DOTALL)
_IN = re.compile(r"\s*IN\s+(\w+)\s+FIELDS\b", re.IGNORECASE)
_RETURNING = re.compile(r"\s*RETURNING\b", re.IGNORECASE)
_LIMIT = re.compile(r"\s*LIMIT\s+(\d+)\s*\Z", re.IGNORECASE)
_NAME = re.compile(r"\s*(\w+)\s*")
_PARTS = re.compile(r"\s+(WHERE|USING|ORDER\s+BY|LIMIT|OFFSET)\s+", re.IGNORECASE)


def parse(text: str) -> Search:
    """A search from SOSL. Raises MalformedSearch, Unsupported."""
    found = _FIND.match(text)
    if found is None:
        raise MalformedSearch("No search term found. The search term must be enclosed in braces.")
    at, scope = found.end(), "ALL"
    if (match := _IN.match(text, at)) is not None:
        scope, at = match[1].upper(), match.end()
    wanted: tuple[Wanted, ...] = ()
    if (match := _RETURNING.match(text, at)) is not None:
        wanted, at = _returning(text, match.end())
    limit = MOST
    if (match := _LIMIT.match(text, at)) is not None:
        limit, at = int(match[1]), match.end()
    if text[at:].strip():
        raise Unsupported(f"this part of a search: {text[at:].strip()[:80]}")
    return checked(Search(re.sub(r"\\(.)", r"\1", found[1]), scope, wanted, limit))


def checked(search: Search) -> Search:
    """The search, when its parts are within bounds. Raises MalformedSearch."""
    if search.scope not in SCOPES:
        raise MalformedSearch(f"unexpected token: {search.scope}. Use one of {', '.join(SCOPES)} FIELDS.")
    if len(search.term.replace("*", "").replace("?", "").strip()) < 2:
        raise MalformedSearch(f"search term must be longer than one character: {search.term[:40]}")
    if not 0 < search.limit <= MOST:
        raise MalformedSearch(f"LIMIT must be from 1 to {MOST}")
    return search


def _returning(text: str, at: int) -> tuple[tuple[Wanted, ...], int]:
    found: list[Wanted] = []
    while True:
        match = _NAME.match(text, at)
        if match is None:
            raise MalformedSearch("RETURNING needs the name of an object")
        at = match.end()
        inside = ""
        if text[at : at + 1] == "(":
            end = _closing(text, at)
            inside, at = text[at + 1 : end], end + 1
        found.append(_wanted(match[1], inside))
        rest = text[at:]
        if not rest.lstrip().startswith(","):
            return tuple(found), at
        at += len(rest) - len(rest.lstrip()) + 1


def _closing(text: str, at: int) -> int:
    depth, quoted, index = 0, False, at
    while index < len(text):
        char = text[index]
        if quoted:
            if char == "\\":
                index += 1
            elif char == "'":
                quoted = False
        elif char == "'":
            quoted = True
        elif char in "()":
            depth += 1 if char == "(" else -1
            if depth == 0:
                return index
        index += 1
    raise MalformedSearch("a parenthesis of RETURNING is not closed")


def _wanted(name: str, inside: str) -> Wanted:
    pieces = _PARTS.split(f" {inside}") if inside else [""]
    clauses = {
        re.sub(r"\s+", " ", key).upper(): value.strip() for key, value in zip(pieces[1::2], pieces[2::2], strict=True)
    }
    for clause in ("USING", "OFFSET"):
        if clause in clauses:
            raise Unsupported(f"{clause} in a search")
    fields = tuple(field.strip() for field in pieces[0].split(",") if field.strip())
    limit = clauses.get("LIMIT")
    if limit is not None and not limit.isdigit():
        raise MalformedSearch(f"unexpected token: {limit[:40]}")
    return Wanted(
        name, fields, clauses.get("WHERE", ""), clauses.get("ORDER BY", ""), None if limit is None else int(limit)
    )


# --- Search to SOQL ------------------------------------------------------------------------------------------------------


def queries(search: Search, catalog: Catalog, access: Access) -> list[tuple[Entity, str]]:
    """The SOQL of each object that is searched. Unknown objects and fields are told by SOQL itself."""
    found = []
    for wanted in search.wanted or _everything(catalog):
        entity = catalog.get(wanted.sobject)
        if entity is None:
            raise MalformedSearch(f"sObject type '{wanted.sobject}' is not supported.")
        fields = searched(entity, access, search.scope)
        if fields:
            limit = min(search.limit, MOST if wanted.limit is None else wanted.limit)
            where = condition(search.term, fields) + (f" AND ({wanted.where})" if wanted.where else "")
            order = f" ORDER BY {wanted.order}" if wanted.order else " ORDER BY Id"
            shown = ", ".join(wanted.fields or ("Id",))
            found.append((entity, f"SELECT {shown} FROM {entity.name} WHERE {where}{order} LIMIT {limit}"))
    return found


def _everything(catalog: Catalog) -> Sequence[Wanted]:
    return [
        Wanted(entity.name)
        for entity in catalog
        if entity.sobject.has_table
        and entity.name_field is not None
        and entity.sobject.flags.get("searchable", entity.sobject.custom)
    ]


def searched(entity: Entity, access: Access, scope: str) -> list[Field]:
    """The fields a scope looks into."""
    found = [
        field
        for field in entity.fields
        if field.type in _TEXT and field.filterable and field.stored and access.readable(entity.name, field.name)
    ]
    if scope == "NAME":
        return [field for field in found if field.name_field or field.name in ("FirstName", "LastName")]
    if scope in ("EMAIL", "PHONE"):
        return [field for field in found if field.type == scope.lower()]
    if scope == "SIDEBAR":
        return [field for field in found if field.name_field or field.type in ("phone", "email") or field.external_id]
    return found


_WORD = re.compile(r'"([^"]*)"|(\(|\))|([^\s()"]+)')


def condition(term: str, fields: Sequence[Field]) -> str:
    """A SOQL condition: the words of the term, each in any of the fields. Raises MalformedSearch."""
    parts: list[str] = []
    for phrase, bracket, word in _WORD.findall(term):
        upper = word.upper()
        if bracket == "(":
            if parts and parts[-1] not in ("AND", "OR", "NOT", "("):
                parts.append("AND")
            parts.append(bracket)
        elif bracket or upper in ("AND", "OR"):
            parts.append(bracket or upper)
        elif upper == "NOT":
            parts += ["AND", "NOT"] if parts and parts[-1] == ")" else ["NOT"]
        else:
            if parts and parts[-1] not in ("AND", "OR", "NOT", "("):
                parts.append("AND")
            parts.append(f"({' OR '.join(_holds(field, phrase or word) for field in fields)})")
    return f"({_with_not(parts)})"


def _with_not(parts: list[str]) -> str:
    """`a AND NOT b`: SOQL wants its NOT in parentheses."""
    text, index = [], 0
    while index < len(parts):
        if parts[index] == "NOT" and index + 1 < len(parts):
            text.append(f"(NOT {parts[index + 1]})")
            index += 2
        else:
            text.append(parts[index])
            index += 1
    return " ".join(text)


def _holds(field: Field, word: str) -> str:
    """The field holds the word: at its beginning, within it, at its end, or as the whole."""
    pattern = "".join({"*": "%", "?": "_"}.get(char) or _escaped(char) for char in word)
    ends = ("", " %") if not pattern.endswith("%") else ("",)
    begins = ("", "% ") if not pattern.startswith("%") else ("",)
    return " OR ".join(f"{field.name} LIKE '{begin}{pattern}{end}'" for begin in begins for end in ends)


def _escaped(char: str) -> str:
    return f"\\{char}" if char in "'\\%_" else char
