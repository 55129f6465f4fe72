"""An org in this process: its parts, opened in order and closed in reverse. Several live side by side."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import msgspec

from landbridge import auth, callouts, delivery, events, flows, limits, records, schema, soql
from landbridge.access import Access
from landbridge.auth import Apps, Credentials, Failures, Flows, Grants, Keys, Passwords, Seal, Sessions, first_apps
from landbridge.auth.credentials import open_credentials
from landbridge.callouts import Callouts
from landbridge.chance import Chance
from landbridge.clock import Clock
from landbridge.config import Settings
from landbridge.delivery import SqlQueue
from landbridge.errors import LandbridgeError, SalesforceError
from landbridge.events import ManagedSubscriptions, Publisher, Retention, Selection, SQLEventLog, Subscriptions
from landbridge.faults import Switchboard
from landbridge.flows import Crossing, Parts
from landbridge.limits import Limits
from landbridge.records import Bin, Store, genesis
from landbridge.records.genesis import INTEGRATION_USER, Genesis, Org
from landbridge.records.publishable import event_values
from landbridge.schema import Catalog, Numbers, definitions, standard, store, tooling
from landbridge.schema.image import Image
from landbridge.soql import Front
from landbridge.storage import Migration, SQLiteDatabase, Tx, Unit
from landbridge.storage.folder import Folder, make_private

if TYPE_CHECKING:
    from landbridge.schema.source import Source

log = logging.getLogger(__name__)

MIGRATIONS = (
    Migration(1, (*schema.TABLES, *records.TABLES, *limits.TABLES, *auth.TABLES, *soql.TABLES)),
    Migration(2, (*events.TABLES, *limits.HOUR_TABLES)),
    Migration(3, callouts.TABLES),
    Migration(4, auth.DOORS),
    Migration(5, records.BLOB_TABLES),
    Migration(6, (*delivery.TABLES, *flows.TABLES)),
    Migration(7, events.SELECTION),
    Migration(8, events.MANAGED),
    Migration(9, events.CHANNEL_VIEWS),
    Migration(10, delivery.CLAIMS),
    Migration(11, delivery.SUSPECTS),
    Migration(12, events.SPANS),  # rows of `lb_event` keep less of a header since then, too
)
SYSTEM_OBJECTS = (*callouts.OBJECTS, *delivery.OBJECTS)
"""Objects that rooms register over their own tables: read-only, made and upgraded like the standard ones."""
HOUSEKEEPING = 1.0
"""Seconds between looks at what is counted in memory and has to be kept."""


class Server:
    """
    Holds the parts of one org. `open` makes them, `close` ends them; what they do stands in their own rooms.

    `catalog` is swapped after the commit that changed it (`catalog_changed` says when, in wire form); whoever needs one
    view through a request reads it once.
    """

    settings: Settings
    clock: Clock
    chance: Chance
    folder: Folder
    switchboard: Switchboard
    db: SQLiteDatabase
    limits: Limits
    numbers: Numbers
    catalog: Catalog
    catalog_changed: str
    source: Source | None
    """What was read of the settings' source folders; None without any."""
    org: Org
    store: Store
    bin: Bin
    front: Front
    describes: dict[Any, bytes]
    events: SQLEventLog
    publisher: Publisher
    subscriptions: Subscriptions
    selection: Selection
    managed: ManagedSubscriptions
    credentials: Credentials
    seal: Seal
    callouts: Callouts
    crossing: Crossing
    apps: Apps
    failures: Failures
    flows: Flows
    keys: Keys
    passwords: Passwords
    sessions: Sessions
    grants: Grants
    access_token: str
    own_session: str
    """The id of that token's session, by which the commands on this machine come."""
    rooms: dict[type, Any]
    """What the rooms of `wire/` keep while the org is open, by its class; each has an async `close`."""
    notes: list[str]
    """What a person should be told at start: what was loaded, what was not understood."""

    def __init__(self, settings: Settings, clock: Clock | None = None, chance: Chance | None = None) -> None:
        self.settings = settings
        self.clock = clock or Clock()
        self.chance = chance or Chance()
        self.switchboard = Switchboard(self.clock, self.chance)
        self.notes = []
        self.rooms = {}
        self._closing = AsyncExitStack()

    @classmethod
    async def open(cls, settings: Settings, clock: Clock | None = None, chance: Chance | None = None) -> Server:
        """Open an org as the settings say. Raises LandbridgeError; nothing stays open then."""
        server = cls(settings, clock, chance)
        try:
            server._open_storage()
            await server._open_org()
            await server._open_logins()
            server._open_callouts()
            await server._load()
            await server._open_flows()
        except BaseException:
            await server.close()
            raise
        server._keep_house()
        return server

    async def close(self) -> None:
        """Close the parts in reverse order. A second call does nothing."""
        await self._closing.aclose()

    # --- opening, in order ---------------------------------------------------------------------------------------

    def _open_storage(self) -> None:
        self.folder = Folder.open(self.settings.data)
        self._closing.callback(self.folder.close)
        self._image = Image(self.settings.home, MIGRATIONS, _digest())
        self._image.lay(self.folder.database, durable=not self.folder.temporary)
        make_private(self.folder.database)
        self.db = SQLiteDatabase.open(
            self.folder.database,
            clock=self.clock,
            new_key=self.chance.key,
            migrations=MIGRATIONS,
            durability="off" if self.folder.temporary else self.settings.durability,
            # No other process opens the file of an org in memory: SQLite's locks between processes, four calls a commit, can go.
            vfs="unix-excl" if self.folder.temporary else None,
        )
        self._closing.push_async_callback(self.db.close)
        self.limits = Limits(self.clock, self.settings.daily_api_requests, self.settings.hourly_published_events)
        self.limits.load(self.db.read_now(lambda reader: reader))
        self.numbers = Numbers()
        self.events = SQLEventLog(self.db, lambda: self.catalog, self.clock, self._filter)
        self.db.capture = records.Step(
            self.events, self.chance, lambda tx, users: self.sessions.review(tx, users), lambda: self.org.admin_id
        ).take
        self.subscriptions = Subscriptions(self.numbers)
        self.selection = Selection(self.events, self.numbers)
        self.managed = ManagedSubscriptions(self.numbers)
        self.publisher = Publisher(
            self.events, lambda entity, access, given: event_values(self.store.shape(entity), access, given), self.limits,
            self.chance.key, self.selection.key_of,
        )  # fmt: skip
        self.store = Store(self.numbers, lambda: self.events.captured, self.publisher)
        self.bin = Bin(self.store)
        self.front = Front()
        self.describes = {}

    def _filter(self, text: str, entity: str) -> soql.Predicate:
        return soql.predicate(text, lambda names: self.events.schemas.path(entity, names))

    async def _open_org(self) -> None:
        objects = (*standard.load(), *SYSTEM_OBJECTS)
        self.catalog = self.db.read_now(lambda reader: store.load(reader, objects))
        known = self.db.read_now(genesis.load)
        digest = _digest()
        if known is None:
            if self.db.read_now(lambda reader: genesis.get(reader, "standard")) is None:
                await self.db.write(self._make_tables, Unit("tables"))
                self._image.keep(self.db)
            known = await self.db.write(self._genesis, Unit("genesis"))
        elif self.db.read_now(lambda reader: genesis.get(reader, "standard")) != digest:
            await self.db.write(self._add_missing, Unit("upgrade"))
        if self.db.read_now(lambda reader: genesis.get(reader, "standard")) != digest:
            await self.db.write(self._stamp_standard, Unit("upgrade"))
        self.org = known
        self.catalog_changed = self.db.read_now(lambda reader: genesis.get(reader, "catalog_changed")) or ""

    def _make_tables(self, tx: Tx) -> None:
        store.create_all(tx, self.catalog)
        store.create_all(tx, tooling.own())
        self._stamp_standard(tx)

    def _add_missing(self, tx: Tx) -> None:
        store.add_missing(tx, self.catalog)
        store.add_missing(tx, tooling.own())

    def _genesis(self, tx: Tx) -> Org:
        genesis.put(tx, "catalog_changed", tx.stamp)
        return Genesis(tx, self.catalog, self.numbers, self.chance).make(self.settings.username)

    def _stamp_standard(self, tx: Tx) -> None:
        definitions.write(tx, self.catalog)
        genesis.put(tx, "standard", _digest())
        genesis.put(tx, "catalog_changed", tx.stamp)

    async def _open_logins(self) -> None:
        self.credentials = open_credentials(self.folder.path, self.settings, self.chance, INTEGRATION_USER)
        self.seal = Seal(self.folder.path, self.chance, self.settings.seal_key)
        self.apps = Apps(self.seal, self.chance)
        self.keys = Keys(self.db, self.seal, self.chance)
        self.failures = Failures(self.clock)
        self.flows = Flows(self.clock, self.chance)
        self.passwords = Passwords(self.db, self.failures, self.credentials)
        hidden = frozenset((a.lower(), b.lower()) for a, b in (pair.split(".") for pair in self.settings.hide))
        self.sessions = Sessions(self.clock, self.chance, self.org.org_id, self.settings.session_timeout, hidden)
        self.sessions.load(self.db.read_now(lambda reader: reader))
        self.grants = Grants(
            self.db, self.clock, self.chance, self.org.org_id, apps=self.apps, passwords=self.passwords,
            sessions=self.sessions, failures=self.failures, keys=self.keys,
        )  # fmt: skip
        if self.settings.password is not None:
            await self.passwords.forget(self.org.admin_id)
        known = first_apps.of(self.settings, self.credentials, self.org.admin_id)
        await self.db.write(lambda tx: first_apps.keep(tx, self.apps, known, self.credentials), Unit("apps"))
        admin = Access(self.org.admin_id)
        if self.settings.access_token is not None:
            self.sessions.preshare(self.settings.access_token, admin)
            self.access_token = self.settings.access_token
        else:
            self.access_token = await self.grants.open_session(admin, None)
        own = self.sessions.find(self.access_token)
        self.own_session = "" if own is None else own.id

    def _open_callouts(self) -> None:
        settings = self.settings
        self.callouts = Callouts(
            self.db, self.clock, self.chance, self.switchboard, self.seal, self.numbers,
            limits=settings.callout_limits, log_body=settings.callout_log_body, log_age=settings.callout_log_age,
            log_size=settings.callout_log_size,
        )  # fmt: skip
        self.callouts.store.load(self.db.read_now(lambda reader: reader))
        self._closing.push_async_callback(self.callouts.close)

    async def _load(self) -> None:
        # An org without source or seed starts without the modules that read them.
        self.source = None
        if self.settings.source:
            from landbridge.schema.source import read

            source = self.source = read(self.settings.source, self.catalog)
            self.catalog = await self.db.write(lambda tx: self._take_source(tx, source), Unit("source"))
            self.catalog_changed = self.db.read_now(lambda reader: genesis.get(reader, "catalog_changed")) or ""
            admin_id = self.org.admin_id
            await self.db.write(
                lambda tx: self.callouts.store.take_source(tx, source.credentials, admin_id), Unit("source")
            )
            self.notes.append(source.summary())
        await self.db.write(self._select, Unit("selection"))
        for path in self.settings.seed:
            from landbridge.records import seed

            admin = Access(self.org.admin_id)
            self.notes.append(await seed.load(self.db, self.store, self.catalog, admin, path))

    def _announce_dead(self, tx: Tx, values: dict[str, Any]) -> None:
        """A dead letter as an event: what `/dead/<subscription>` shows."""
        key = f"{values['Subscription__c']}/{values['Key__c']}"
        shown = {name: value for name, value in values.items() if value not in (None, "")}
        draft = events.Draft(events.DEAD_LETTER, self.chance.uuid(), key, self.org.admin_id, shown)
        self.events.append(tx, (draft,))

    async def _open_flows(self) -> None:
        parts = Parts(
            db=self.db, clock=self.clock, catalog=lambda: self.catalog, store=self.store, bin=self.bin, front=self.front,
            numbers=self.numbers, access=Access(self.org.admin_id), publish=self.publisher.publish,
        )  # fmt: skip
        queue = SqlQueue(lambda tx: self.numbers.id(tx, delivery.PREFIX), self._announce_dead)
        self.crossing = Crossing(
            parts, self.events, self.subscriptions, queue, self.callouts, self.switchboard, self.chance
        )
        self._closing.push_async_callback(self.crossing.stop)
        for path in self.settings.flow:
            loaded = self.crossing.open(path)
            await self.crossing.run(loaded)
            self.notes.append(f"runs {', '.join(loaded.handlers)} of {path}")
        if self.settings.flow:
            await self.crossing.start()
            if self.settings.reload:
                self.crossing.watch()

    def _select(self, tx: Tx) -> None:
        """Take the channel members of the source and of `--capture` into the selection that is kept."""
        source = self.source
        if source is not None:
            members = [events.Member(m.channel, m.entity, m.filter) for m in source.members]
            refused = self.selection.take(tx, source.channels, members, source.partition_keys)
            self.notes += [f"NOT understood: {line}" for line in refused]
        for name in self.settings.capture:
            try:
                self.selection.capture(tx, name)
            except SalesforceError as error:
                raise LandbridgeError(f"--capture {name}: {error.message}.") from error
        self.selection.load(tx)

    def _take_source(self, tx: Tx, source: Source) -> Catalog:
        from landbridge.records import seed

        after = store.apply(tx, self.catalog, source.objects, self.numbers, allow_drop=self.settings.allow_drop)
        if after is not self.catalog:
            definitions.write(tx, after)
            genesis.put(tx, "catalog_changed", tx.stamp)
        seed.metadata_records(tx, self.numbers, after, source.records)
        self.managed.take(tx, source.managed)
        return after

    # --- while it is open ----------------------------------------------------------------------------------------

    def _keep_house(self) -> None:
        loop = asyncio.get_running_loop()
        for work in (self._flush_counters(), self._sweep_events()):
            self._closing.push_async_callback(_end, loop.create_task(work))

    async def _flush_counters(self) -> None:
        """Counters live in memory and are kept each second; the last time when the server closes."""
        try:
            while True:
                await self.clock.sleep(HOUSEKEEPING)
                await self._flush()
                await self.callouts.journal.tend()
        finally:
            await self._flush()

    async def _sweep_events(self) -> None:
        """Retention looks at the oldest event each second, by the org's clock."""
        retention = Retention(self.db, self.events, self.clock)
        while True:
            await self.clock.sleep(HOUSEKEEPING)
            try:
                await retention.sweep()
            except Exception:
                log.warning("old events could not be removed; the next second tries again", exc_info=True)

    async def _flush(self) -> None:
        if self.limits.unflushed or self.sessions.unflushed or self.crossing.progress.unwritten:
            try:
                await self.db.write(self._flush_work, Unit("housekeeping"))
            except Exception:
                # A full disk: requests say so to their callers; counting goes on in memory.
                log.warning("counters could not be kept", exc_info=True)

    def _flush_work(self, tx: Tx) -> None:
        self.limits.flush(tx)
        self.sessions.flush(tx)
        self.crossing.progress.write(tx)


def _digest() -> str:
    """Changes when a standard or system object does."""
    return sha256(standard.digest().encode() + msgspec.json.encode((SYSTEM_OBJECTS, tooling.OBJECTS))).hexdigest()


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
