"""
Texts to statements, remembered: what was read once is not read again. Pure.

Texts that differ in their string literals alone share one statement.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from landbridge.access import Access
from landbridge.errors import NoSuchColumn, QueryError
from landbridge.schema.catalog import Catalog, Entity
from landbridge.schema.model import Field
from landbridge.soql.bind import bind
from landbridge.soql.bound import BoundQuery, Node, Scope, Test
from landbridge.soql.emit import emit
from landbridge.soql.facts import facts
from landbridge.soql.lex import unquote
from landbridge.soql.names import output
from landbridge.soql.parse import parse
from landbridge.soql.preamble import located
from landbridge.soql.statement import Kin, Statement
from landbridge.soql.stored import likeness, stored
from landbridge.soql.tree import Literal

_CACHE: Final = 2048
"""Statements kept per org; when full, the oldest half goes."""
_STRING: Final = re.compile(r"('[^'\\]*(?:\\.[^'\\]*)*')", re.DOTALL)


class Front:
    """
    Texts to statements, remembered: by text, catalogue version, access fingerprint, API version and call.

    Texts that differ in their string literals alone share one statement: what was parsed and bound once serves all of them.
    """

    def __init__(self) -> None:
        self._statements: dict[tuple[str, int, str, float, bool], Statement] = {}
        self._lifted: dict[tuple[str, int, str, float, bool], Statement] = {}

        self._rows: dict[tuple[str, tuple[str, ...] | None, int, str, float], Statement] = {}

    def prepare(
        self, text: str, catalog: Catalog, access: Access, version: float, *, all_rows: bool = False
    ) -> Statement:
        """The statement of a text. Raises QueryErrors with their preamble."""
        rest = (catalog.version, access.fingerprint, version, all_rows)
        statement = self._statements.get((text, *rest))
        if statement is not None:
            return statement
        pieces = _STRING.split(text)
        # Two literals never follow each other without a character between them, so the joined text is unambiguous.
        shape = ("'".join(pieces[::2]), *rest)
        known = self._lifted.get(shape)
        if known is not None and (statement := _with_literals(known, text, pieces[1::2])) is not None:
            return statement
        try:
            bound = bind(parse(text), catalog, access, version=version, all_rows=all_rows)
        except QueryError as error:
            raise located(error, text) from None
        statement = emit(bound, version, text)
        _remember(self._statements, (text, *rest), statement)
        if len(pieces) > 1 and _lifts(statement, pieces):
            _remember(self._lifted, shape, statement)
        return statement

    def row(
        self, catalog: Catalog, access: Access, entity: Entity, fields: tuple[str, ...] | None, version: float
    ) -> Statement:
        """The statement that reads one record by Id: these fields, or all that the access can read."""
        key = (entity.name, fields, catalog.version, access.fingerprint, version)
        statement = self._rows.get(key)
        if statement is None:
            statement = emit(_row_query(access, entity, fields), version)
            _remember(self._rows, key, statement)
        return statement


def _lifts(statement: Statement, pieces: list[str]) -> bool:
    """Whether every string literal of the text is one parameter, and the only thing that it decides."""
    slots = statement.slots
    for piece in statement.pieces:
        if isinstance(piece, Kin) and piece.slotted:
            return False  # children that are many are asked for by what is bound to them, old literals and all
    return len(slots) == len(pieces) // 2 == len({slot.at for _, slot in slots})


def _with_literals(known: Statement, text: str, literals: list[str]) -> Statement | None:
    """A statement with other string literals; None where one of them is refused, so that it is refused with its place."""
    params = dict(known.params)
    try:
        for (name, slot), literal in zip(known.slots, literals, strict=True):
            value = Literal("string", unquote(literal, 0, like=slot.like), 0)
            params[name] = stored(slot.type, value, "", 0) if not slot.like else likeness(slot.type, value, "", 0)
    except QueryError:
        return None
    return msgspec.structs.replace(known, text=text, params=params)


def _remember(cache: dict[Any, Statement], key: Any, statement: Statement) -> None:
    if len(cache) >= _CACHE:
        for old in list(cache)[: _CACHE // 2]:
            cache.pop(old, None)
    cache[key] = statement


def _row_query(access: Access, entity: Entity, names: tuple[str, ...] | None) -> BoundQuery:
    columns = facts(entity).columns(0)
    root = Node(columns["id"], entity)
    if names is None:
        fields = [field for field in entity.fields if access.readable(entity.name, field.name)]
    else:
        fields = [_named(access, entity, name) for name in names]
    for found in fields:
        root.items[found.name] = output(entity, columns[found.name.lower()])
    # The parameter's value is laid in at run: p0.
    where = Test(columns["id"], "=", ("",))
    return BoundQuery(Scope(entity, 0), root, False, where, (), 1, 0, False)


def _named(access: Access, entity: Entity, name: str) -> Field:
    found = entity.field(name)
    if found is None or not access.readable(entity.name, found.name):
        raise NoSuchColumn(name, entity.name)
    return found
