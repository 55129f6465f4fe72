"""
The org of this server as a handler's `Org`: promised writes, and transactions that a repeated attempt skips.

What is promised commits in the settle's own unit (`LocalOrg.effects`), so there is no moment at which the writes are
there and the delivery is not settled, or the other way round. What a transaction wrote commits with a row of `lb_effect` that
names it (subscription, uuid, n) and holds what its calls returned.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import msgspec

from landbridge import soql
from landbridge.access import Access
from landbridge.callouts import Request
from landbridge.clock import Clock
from landbridge.delivery import Delivery, Draft, EventInvalid
from landbridge.errors import InvalidType, LandbridgeError
from landbridge.flows.org import Record, bind
from landbridge.ids import RecordId
from landbridge.records import Bin, Store
from landbridge.records.validate import prepare
from landbridge.schema import Catalog, Numbers
from landbridge.schema.catalog import Entity
from landbridge.soql import Asked, Cursor, Front
from landbridge.storage import Database, Reader, Tx, Unit

API = 67.0
"""The API version a flow's queries are read by."""
MOST_ROWS = 50_000
"""Rows of one query (Apex Developer Guide: rows retrieved by SOQL in one transaction)."""

COMMITTED = "SELECT results FROM lb_effect WHERE subscription = ? AND uuid = ? AND n = ?"
COMMIT = "INSERT INTO lb_effect (subscription, uuid, n, results) VALUES (?, ?, ?, ?)"
FORGET = "DELETE FROM lb_effect WHERE subscription = ? AND uuid = ?"
STILL_OURS = "SELECT 1 FROM lb_claim WHERE delivery = ? AND attempt = ?"


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What of the server flows stand on."""

    db: Database
    clock: Clock
    catalog: Callable[[], Catalog]
    store: Store
    bin: Bin
    front: Front
    numbers: Numbers
    access: Access
    """Whose rights flows have, and who stands in the records they write."""
    publish: Callable[[Tx, Access, Entity, Mapping[str, Any]], Any]


Later = Callable[[Tx, list[Draft]], None]
"""Enqueues outbox requests inside a unit, and wakes who sends them after its commit."""


class _Writes:
    """The writes of a flow inside a unit."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts

    def entity(self, name: str) -> Entity:
        found = self.parts.catalog().get(name)
        if found is None:
            raise InvalidType(name)
        return found

    def new_id(self, tx: Tx, entity: Entity) -> RecordId:
        if entity.key_prefix is None:
            raise InvalidType(entity.name)
        return self.parts.numbers.id(tx, entity.key_prefix)

    def check(self, entity: Entity, values: Mapping[str, Any], *, creating: bool) -> None:
        """What can be said of values without the database. Raises SalesforceError."""
        prepare(self.parts.store.shape(entity), self.parts.access, dict(values), creating=creating)

    def insert(self, tx: Tx, sobject: str, values: Mapping[str, Any], record_id: RecordId | None = None) -> str:
        parts, entity = self.parts, self.entity(sobject)
        return str(parts.store.create(tx, parts.catalog(), parts.access, entity, values, record_id=record_id))

    def update(self, tx: Tx, sobject: str, record_id: str, values: Mapping[str, Any]) -> None:
        parts = self.parts
        parts.store.update(tx, parts.catalog(), parts.access, self.entity(sobject), record_id, values)

    def upsert(self, tx: Tx, sobject: str, field: str, value: Any, values: Mapping[str, Any]) -> None:
        parts = self.parts
        parts.store.upsert(tx, parts.catalog(), parts.access, self.entity(sobject), field, value, values)

    def delete(self, tx: Tx, sobject: str, record_id: str) -> None:
        parts = self.parts
        parts.bin.delete(tx, parts.catalog(), parts.access, self.entity(sobject), record_id)

    def publish(self, tx: Tx, event: str, values: Mapping[str, Any]) -> None:
        self.parts.publish(tx, self.parts.access, self.entity(event), values)

    def query(self, reader: Reader, text: str) -> list[Record]:
        parts = self.parts
        catalog = parts.catalog()
        statement = parts.front.prepare(text, catalog, parts.access, API)
        asked = Asked(parts.clock.epoch(), "UTC", parts.access.user_id)
        cursors: list[Cursor] = []

        def locate(cursor: Cursor) -> str:
            cursors.append(cursor)
            return "more"

        page = soql.run(reader, statement, batch=2000, asked=asked, locate=locate)
        rows: list[Any] = msgspec.json.decode(page.records)
        if statement.count:
            return [{"count": page.total}]
        while page.next is not None:
            if page.total > MOST_ROWS:
                raise LandbridgeError(f"the query gives {page.total} rows; a handler may take {MOST_ROWS}. Use LIMIT.")
            cursor = cursors[-1]
            page = soql.resume(reader, parts.front, catalog, parts.access, cursor, batch=2000, locate=locate)
            rows += msgspec.json.decode(page.records)
        return [_plain(row) for row in rows]


def _plain(value: Any) -> Any:
    """A row without `attributes`; children as a list."""
    if isinstance(value, dict):
        if "records" in value and "totalSize" in value:
            return [_plain(row) for row in value["records"]]
        return {key: _plain(inner) for key, inner in value.items() if key != "attributes"}
    return value


class LocalOrg:
    """See `flows.org.Org`; one per attempt."""

    def __init__(self, parts: Parts, delivery: Delivery, later: Later) -> None:
        self._parts = parts
        self._later = later
        self._writes = _Writes(parts)
        self._delivery = delivery
        self._unit = Unit(delivery.correlation, parts.access.user_id, f"flow/{delivery.subscription}")
        self._flow = delivery.subscription.partition("/")[0]
        self._promised: list[Callable[[Tx], Any]] = []
        self._outbox: list[Draft] = []
        self._open: LocalTransaction | None = None
        self._transactions = 0
        self._requests = 0

    # --- Org -------------------------------------------------------------------------------------------------------

    async def query(self, soql: str, /, **binds: Any) -> list[Record]:
        text = bind(soql, binds)
        return await self._parts.db.read(lambda reader: self._writes.query(reader, text))

    async def insert(self, sobject: str, values: Mapping[str, Any]) -> str:
        entity = self._checked(sobject, values, creating=True)
        record_id = await self._parts.db.write(lambda tx: self._writes.new_id(tx, entity), self._unit)
        given = dict(values)
        self._promised.append(lambda tx: self._writes.insert(tx, sobject, given, record_id))
        return record_id

    async def update(self, sobject: str, record_id: str, values: Mapping[str, Any]) -> None:
        self._checked(sobject, values, creating=False)
        given = dict(values)
        self._promised.append(lambda tx: self._writes.update(tx, sobject, record_id, given))

    async def upsert(self, sobject: str, field: str, value: Any, values: Mapping[str, Any]) -> None:
        self._checked(sobject, values, creating=False)
        given = dict(values)
        self._promised.append(lambda tx: self._writes.upsert(tx, sobject, field, value, given))

    async def delete(self, sobject: str, record_id: str) -> None:
        self._outside()
        self._writes.entity(sobject)
        self._promised.append(lambda tx: self._writes.delete(tx, sobject, record_id))

    async def publish(self, event: str, values: Mapping[str, Any]) -> None:
        self._outside()
        self._writes.entity(event)
        given = dict(values)
        self._promised.append(lambda tx: self._writes.publish(tx, event, given))

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[LocalTransaction]:
        self._outside()
        n, self._transactions = self._transactions, self._transactions + 1
        delivery = self._delivery
        name = (delivery.subscription, delivery.uuid, n)
        row = self._parts.db.read_now(lambda reader: reader.one(COMMITTED, name))
        if row is not None:
            block = LocalTransaction(self, self._writes, None, msgspec.json.decode(row[0]))
            self._open = block
            try:
                yield block
            finally:
                self._open = None
            return
        async with self._parts.db.transaction(self._unit) as inner:
            block = LocalTransaction(self, self._writes, inner, [])
            self._open = block
            try:
                yield block
                if block.results or block.outbox:
                    await inner.write(lambda tx: self._commit(tx, name, block))
            finally:
                self._open = None

    def _commit(self, tx: Tx, name: tuple[str, str, int], block: LocalTransaction) -> None:
        if tx.one(STILL_OURS, (self._delivery.id, self._delivery.attempt)) is None:
            raise TimeoutError("this attempt outlived its lease; another one decides")
        tx.run(COMMIT, (*name, msgspec.json.encode(block.results)))
        if block.outbox:
            self._later(tx, block.outbox)

    # --- outbox ------------------------------------------------------------------------------------------------------

    def later(self, request: Request, key: str | None) -> None:
        """Keep a request for after the commit of what runs. See `flows.credential.Outbox`."""
        number, self._requests = self._requests, self._requests + 1
        delivery = self._delivery
        uuid = f"{delivery.uuid}/{number}"
        if request.idempotency_key is None:
            request = msgspec.structs.replace(request, idempotency_key=uuid)
        draft = Draft(
            f"{self._flow}/later-{request.credential}", delivery.key if key is None else key, uuid, delivery.replay_id,
            delivery.correlation, msgspec.json.encode(request),
        )  # fmt: skip
        block = self._open
        if block is None:
            self._outbox.append(draft)
        elif not block.committed:
            block.outbox.append(draft)

    # --- for the engine ------------------------------------------------------------------------------------------------

    @property
    def holds_writer(self) -> bool:
        """Whether a transaction has written: no callout may go out now."""
        inner: Any = None if self._open is None else self._open.inner
        return inner is not None and bool(inner.holds_writer)

    @property
    def effects(self) -> Callable[[Tx], None] | None:
        """What to write with the settle; None for nothing."""
        if not (self._promised or self._outbox or self._transactions):
            return None
        promised, outbox, delivery = list(self._promised), list(self._outbox), self._delivery
        transactions, later = self._transactions, self._later

        def write(tx: Tx) -> None:
            for promise in promised:
                promise(tx)
            if outbox:
                later(tx, outbox)
            if transactions:
                tx.run(FORGET, (delivery.subscription, delivery.uuid))

        return write

    def _checked(self, sobject: str, values: Mapping[str, Any], *, creating: bool) -> Entity:
        self._outside()
        entity = self._writes.entity(sobject)
        self._writes.check(entity, values, creating=creating)
        return entity

    def _outside(self) -> None:
        if self._open is not None:
            raise LandbridgeError(
                "inside `async with org.transaction() as tx` write through tx, not through org: they commit apart"
            )


class LocalTransaction:
    """See `flows.org.Transaction`."""

    def __init__(self, org: LocalOrg, writes: _Writes, inner: Any, results: list[Any]) -> None:
        self.inner = inner
        self.results = results
        self.outbox: list[Draft] = []
        self._org = org
        self._writes = writes
        self._next = 0

    @property
    def committed(self) -> bool:
        return self.inner is None

    async def query(self, soql: str, /, **binds: Any) -> list[Record]:
        if self.inner is None:
            return await self._org._parts.db.read(lambda reader: self._writes.query(reader, bind(soql, binds)))
        found: list[Record] = await self.inner.read(lambda reader: self._writes.query(reader, bind(soql, binds)))
        return found

    async def insert(self, sobject: str, values: Mapping[str, Any]) -> str:
        found = await self._write(lambda tx: self._writes.insert(tx, sobject, values))
        return str(found)

    async def update(self, sobject: str, record_id: str, values: Mapping[str, Any]) -> None:
        await self._write(lambda tx: self._writes.update(tx, sobject, record_id, values))

    async def upsert(self, sobject: str, field: str, value: Any, values: Mapping[str, Any]) -> None:
        await self._write(lambda tx: self._writes.upsert(tx, sobject, field, value, values))

    async def delete(self, sobject: str, record_id: str) -> None:
        await self._write(lambda tx: self._writes.delete(tx, sobject, record_id))

    async def publish(self, event: str, values: Mapping[str, Any]) -> None:
        await self._write(lambda tx: self._writes.publish(tx, event, values))

    async def _write(self, work: Callable[[Tx], Any]) -> Any:
        if self.inner is not None:
            result = await self.inner.write(work)
            self.results.append(result)
            return result
        if self._next >= len(self.results):
            raise EventInvalid(
                f"this transaction committed in an earlier attempt with {len(self.results)} writes; now the handler makes "
                "more. Discard the dead letter, or undo what was committed by hand and publish the event anew."
            )
        self._next += 1
        return self.results[self._next - 1]


class _Undo(Exception):
    """Ends a unit of a dry run."""


class DryOrg(LocalOrg):
    """An org in which everything works and nothing stays: for dry runs. Callouts are refused before they are sent."""

    def __init__(self, parts: Parts, delivery: Delivery) -> None:
        super().__init__(parts, delivery, lambda _tx, _drafts: None)
        self._written = 0

    @property
    def holds_writer(self) -> bool:
        return True

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[LocalTransaction]:
        self._outside()
        try:
            async with self._parts.db.transaction(self._unit) as inner:
                block = self._open = LocalTransaction(self, self._writes, inner, [])
                try:
                    yield block
                finally:
                    self._open = None
                self._written += len(block.results)
                raise _Undo
        except _Undo:
            return

    async def undone(self) -> int:
        """Make the promised writes and undo them. How many there were; raises what a real run would fail by."""

        def work(tx: Tx) -> None:
            for promise in self._promised:
                promise(tx)
            raise _Undo

        with suppress(_Undo):
            await self._parts.db.write(work, self._unit)
        return self._written + len(self._promised)
