"""
The org as a handler sees it: a Protocol that the org of this server satisfies, and an org over the wire can.

Writes are promises. `insert`, `update`, `upsert`, `delete` and `publish` outside of a transaction are kept until the handler
returns and then commit in one unit with the delivery: all of them and the settle, or, when the handler fails, none.
A repeated attempt therefore repeats no write. Values are checked at once (unknown fields, wrong types, lengths); what needs
the database (uniqueness, references) is checked at the commit, and fails the attempt.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Protocol

Record = dict[str, Any]
"""A row of a query: JSON values by field name; a parent is a Record, children a list of them, null is None."""


class Org(Protocol):
    """What a handler may ask of its org, and promise it."""

    async def query(self, soql: str, /, **binds: Any) -> list[Record]:
        """
        The rows of a SOQL query, what is committed now; promised writes of this run are not among them.

        Values are bound by name, never pasted in: `query("SELECT Id FROM Order__c WHERE Ref__c = :ref", ref=ref)`; a list
        binds to `IN :refs`. Raises SalesforceError.
        """
        ...

    async def insert(self, sobject: str, values: Mapping[str, Any]) -> str:
        """Create a record with the handler's success. Returns the id it will have: other writes may refer to it."""
        ...

    async def update(self, sobject: str, record_id: str, values: Mapping[str, Any]) -> None:
        """Change fields of a record with the handler's success."""
        ...

    async def upsert(self, sobject: str, field: str, value: Any, values: Mapping[str, Any]) -> None:
        """Update the record whose external id `field` is `value`, or create it, with the handler's success."""
        ...

    async def delete(self, sobject: str, record_id: str) -> None:
        """Delete a record with the handler's success."""
        ...

    async def publish(self, event: str, values: Mapping[str, Any]) -> None:
        """Publish a platform event with the handler's success."""
        ...

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """
        Writes that commit when the `async with` block ends, before the handler does.

        For work that must stand whatever comes after it. It is named by (subscription, event uuid, how many transactions came
        before it in this run): when a later attempt of the same event comes here again, what has committed is skipped and
        its calls return what they returned then. No callout is allowed between its first write and its end, which must
        be within 5 s.
        """
        ...


class Transaction(Protocol):
    """Writes and reads inside `async with org.transaction() as tx`; reads see the block's own writes."""

    @property
    def committed(self) -> bool:
        """Whether an earlier attempt has committed this block: nothing is written again."""
        ...

    async def query(self, soql: str, /, **binds: Any) -> list[Record]:
        """As `Org.query`, this block's writes included."""
        ...

    async def insert(self, sobject: str, values: Mapping[str, Any]) -> str:
        """Create a record now, in this block. Returns its id; raises the SalesforceError of a rule it breaks."""
        ...

    async def update(self, sobject: str, record_id: str, values: Mapping[str, Any]) -> None: ...

    async def upsert(self, sobject: str, field: str, value: Any, values: Mapping[str, Any]) -> None: ...

    async def delete(self, sobject: str, record_id: str) -> None: ...

    async def publish(self, event: str, values: Mapping[str, Any]) -> None: ...


class Attempt(Protocol):
    """
    The try that runs, for a handler that takes an `Attempt` parameter.

    `idempotency_key` is what to send to a target so that it does the work once: the same in every attempt of a delivery; it
    changes only when a person has edited the payload. `number` counts from 1.
    """

    @property
    def subscription(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def uuid(self) -> str: ...
    @property
    def number(self) -> int: ...
    @property
    def correlation_id(self) -> str: ...
    @property
    def idempotency_key(self) -> str: ...


def bind(soql: str, binds: Mapping[str, Any]) -> str:
    """
    Replace `:name` outside of string literals by the value as a SOQL literal. Pure.

    Texts are quoted and escaped, so that no value can become part of the statement. Raises ValueError for a name
    without a value and for a value that SOQL has no literal for.
    """
    out: list[str] = []
    at, end = 0, len(soql)
    while at < end:
        char = soql[at]
        if char == "'":
            stop = at + 1
            while stop < end and soql[stop] != "'":
                stop += 2 if soql[stop] == "\\" else 1
            out.append(soql[at : stop + 1])
            at = stop + 1
        elif char == ":" and at + 1 < end and (soql[at + 1].isalpha() or soql[at + 1] == "_") and _binds_at(soql, at):
            stop = at + 1
            while stop < end and (soql[stop].isalnum() or soql[stop] == "_"):
                stop += 1
            name = soql[at + 1 : stop]
            if name not in binds:
                raise ValueError(f"the query binds :{name}, but no value {name}=... is given")
            out.append(literal(binds[name]))
            at = stop
        else:
            out.append(char)
            at += 1
    return "".join(out)


def _binds_at(soql: str, at: int) -> bool:
    """A colon that follows a digit or a word without a blank is part of a time or a date literal's number."""
    return at == 0 or not soql[at - 1].isalnum()


_ESCAPES = str.maketrans({"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"})


def literal(value: Any) -> str:
    """A Python value as a SOQL literal. Raises ValueError for a type that has none."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float, Decimal)) and math.isfinite(value):
        return str(value)
    if isinstance(value, str):
        return f"'{value.translate(_ESCAPES)}'"
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("a datetime bound to SOQL needs a time zone")
        return value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Sequence | set | frozenset) and not isinstance(value, bytes | bytearray | memoryview):
        return f"({', '.join(literal(one) for one in value)})"
    raise ValueError(f"SOQL has no literal for a {type(value).__name__}")
