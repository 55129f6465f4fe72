"""
The event log: append inside the unit that makes the change, read by position, wait without polling.

Numbers. A replay id is given by the one writer when it appends, so ids appear in commit order. What was rolled back leaves a
gap. The next number is the greatest ever kept plus one: `lb_event_mark` remembers how far retention has trimmed, so that an
empty log does not start anew.

Positions. A reader is at a replay id and gets what comes after it. Any id from the trim mark to the tip is a position, also one
of another topic's event (keep-alives hand out the tip). Beyond either end `start` raises ReplayIdInvalid: nobody skips
trimmed events without being told.

Channels. The log has one entry per entity topic; a channel reads the entities it has, filtered, under the same ids.

Source: ARCHITECTURE, decision 3 and *Decided already*; `events.md` sections 3, 4 and 7.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Protocol

import msgspec

from landbridge.access import Access
from landbridge.clock import Clock
from landbridge.errors import Unsupported
from landbridge.events import headers
from landbridge.events.channels import Channels
from landbridge.events.draft import Draft
from landbridge.events.model import ChangeHeader, Event, topic_of
from landbridge.events.payload import Form
from landbridge.events.places import Places
from landbridge.events.ring import Ring, after
from landbridge.events.schemas import ChangeShape, Schema, Schemas
from landbridge.events.topics import Predicate, Topic, Topics
from landbridge.events.visibility import visible
from landbridge.schema import Catalog
from landbridge.schema.catalog import Entity
from landbridge.storage import Database, Reader, Tx

log = logging.getLogger(__name__)

_ENCODE = msgspec.json.Encoder().encode

TABLES = (
    "CREATE TABLE lb_event (id INTEGER PRIMARY KEY NOT NULL, topic TEXT NOT NULL, uuid TEXT NOT NULL, key TEXT NOT NULL, "
    "schema_id TEXT NOT NULL, created TEXT NOT NULL, created_by TEXT NOT NULL, transaction_key TEXT NOT NULL, "
    "payload BLOB NOT NULL, header BLOB)",
    "CREATE INDEX lb_event_topic ON lb_event (topic, id)",
    "CREATE TABLE lb_event_mark (name TEXT PRIMARY KEY NOT NULL, value INTEGER NOT NULL) WITHOUT ROWID",
)

SPAN_BITS = 6
"""An index entry says that a topic has events among 64 replay ids: an entry for each event was a third of what a commit wrote."""
SPANS = (
    "CREATE TABLE lb_event_span (topic TEXT NOT NULL, span INTEGER NOT NULL, PRIMARY KEY (topic, span)) WITHOUT ROWID",
    f"INSERT INTO lb_event_span SELECT DISTINCT topic, id >> {SPAN_BITS} FROM lb_event",
    "DROP INDEX lb_event_topic",
)
IN_SPAN = f"e.id >= s.span << {SPAN_BITS} AND e.id < (s.span + 1) << {SPAN_BITS} AND +e.topic = s.topic"
"""Joins an event `e` to a span `s` of its topic. The +, which other bounds of the id need too, keeps SQLite at the span's ids."""

KEEP_SPAN = "INSERT INTO lb_event_span VALUES (?, ?) ON CONFLICT DO NOTHING"
REMOVE_SPANS = "DELETE FROM lb_event_span WHERE topic = ? AND span < ?"
APPEND = "INSERT INTO lb_event VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
COLUMNS = ("id", "topic", "uuid", "key", "schema_id", "created", "created_by", "transaction_key", "payload", "header")
_COLUMNS = ", ".join(COLUMNS)
OLDEST = "SELECT min(id) FROM lb_event"
NEWEST = "SELECT max(id) FROM lb_event"
MARKS = "SELECT name, value FROM lb_event_mark"
MARK = """
    INSERT INTO lb_event_mark (name, value) VALUES (?1, ?2)
    ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)
"""
REMOVE = "DELETE FROM lb_event WHERE id = ?"
# One topic goes along its spans; several go along the ids.
READ_ONE = f"""
    SELECT {", ".join("e." + column for column in COLUMNS)} FROM lb_event_span s CROSS JOIN lb_event e ON {IN_SPAN}
    WHERE s.topic = ?1 AND s.span >= ?2 + 1 >> {SPAN_BITS} AND s.span <= ?3 >> {SPAN_BITS} AND +e.id > ?2 AND +e.id <= ?3
    ORDER BY s.span, e.id LIMIT ?4
"""
READ_ALL = f"SELECT {_COLUMNS} FROM lb_event WHERE id > ? AND id <= ? ORDER BY id LIMIT ?"

TOGETHER = 500
"""Rows of one insert, so that a large unit does not hold all of them twice."""
SCAN = 500
"""How many entries of other topics one `scan` of the database walks over before it says how far it came."""
ENCODED = 16 * 1024 * 1024
"""Bytes of encoded events that are kept for other subscribers, in each form."""

LATEST, EARLIEST = -1, -2
WHOLE = ""
"""The name of the mark that says how far the whole log was trimmed; the others are topics."""


class ReplayIdInvalid(Exception):
    """A replay id that is none of this log, or one whose events retention has trimmed."""

    def __init__(self, replay: int) -> None:
        super().__init__(
            f"The replayId {replay} you provided was invalid. Please provide a valid ID, -2 to replay all events, or -1 to "
            "replay only new events."
        )
        self.replay = replay


Scanned = tuple[list[Event], int]
"""What a look into the log found: the events, and the replay id up to which everything has been looked at."""


class EventLog(Protocol):
    """The seam of the log: what every implementation promises (`tests/events/test_log.py` is its contract)."""

    def topic(self, name: str) -> Topic | None:
        """The topic of that name, whatever its case; None for none. Raises Unsupported for kinds we do not have."""
        ...

    def append(self, tx: Tx, drafts: Sequence[Draft]) -> list[int]:
        """Append inside the unit; their replay ids, rising. Nothing is visible to readers before the commit."""
        ...

    def tip(self) -> int:
        """The newest committed replay id; 0 for a log that never had one."""
        ...

    def start(self, topic: Topic, *, replay: int) -> int:
        """
        The position a subscriber begins at: -1 after the tip, -2 before the earliest kept event, n after n.

        Raises ReplayIdInvalid.
        """
        ...

    def read(self, topic: Topic, after: int, limit: int) -> list[Event]:
        """At most `limit` committed events of the topic after a position, in order. Raises ReplayIdInvalid as `scan` does."""
        ...

    def scan(self, topic: Topic, after: int, limit: int) -> Scanned:
        """
        As `read`, bounded: it may stop before the tip with fewer events, and says how far it looked.

        A reader keeps `upto` as its position, so that it never walks twice over what is not for it. Raises ReplayIdInvalid
        when retention has let events of this topic go that stand after the position.
        """
        ...

    def listen(self, call: Callable[[], None]) -> Callable[[], None]:
        """Have `call` called after each commit that appended, before its units are told; returns what ends it."""
        ...

    async def wait(self, topic: Topic, after: int) -> None:
        """Return once the topic has an event after that position; at once if it has one now."""
        ...

    def avro(self, event: Event) -> bytes:
        """The Avro payload under the event's own schema; encoded once, shared."""
        ...

    def json(self, event: Event) -> bytes:
        """The `data` object of a CometD message; encoded once, shared."""
        ...

    def schema(self, schema_id: str) -> bytes | None:
        """A schema as JSON, with `uuid`; None for none. Schemas of old events stay."""
        ...


class SQLEventLog:
    """The log in the org's database. See `EventLog`."""

    captured: frozenset[str]
    """The objects whose changes are announced, in lower case."""

    def __init__(
        self,
        db: Database,
        catalog: Callable[[], Catalog],
        clock: Clock,
        compile_filter: Callable[[str, str], Predicate] | None = None,
    ) -> None:
        self._db = db
        self._catalog = catalog
        self._clock = clock
        self._compile = compile_filter or _no_filters
        self.schemas = Schemas(catalog)
        self.channels = Channels()
        self._topics: Topics | None = None
        self._marks, newest = db.read_now(_ends)
        self._trimmed = self._marks.pop(WHOLE, 0)
        self._next = newest + 1
        # Of one catalogue: how changes look, by object, and the schemas that events are written with, by entity, as far as
        # the database has them.
        self._followed: Catalog | None = None
        self._shapes: dict[str, ChangeShape] = {}
        self._places: dict[str, Places] = {}
        self._written: dict[str, Schema] = {}
        self._spans: dict[str, int] = {}  # by topic, the newest span that the database has
        self._last_now: datetime | None = None
        self._last_stamp = ""
        self._milliseconds_of: datetime | None = None
        self._milliseconds = 0
        self._ring = Ring(newest)
        self._made: list[_Made] = []
        self._waiting: dict[asyncio.Future[None], Topic] = {}
        self._listeners: list[Callable[[], None]] = []
        self._avro = _Encoded()
        self._forms: dict[str, Form] = {}
        self._json = _Encoded()
        db.listen(self._committed)

    # --- topics --------------------------------------------------------------------------------------------------

    @property
    def topics(self) -> Topics:
        """The topics of the catalogue and the channels as they are now."""
        catalog = self._catalog()
        topics = self._topics
        if topics is None or topics.catalog is not catalog or topics.channels is not self.channels:
            topics = self._topics = Topics(
                catalog, self.channels, lambda entity: self.schemas.newest(entity).id, self._compile
            )
        return topics

    def entity(self, name: str) -> Entity | None:
        """The platform event of that name as the catalogue has it now."""
        return self._catalog().get(name)

    def topic(self, name: str) -> Topic | None:
        return self.topics.get(name)

    @property
    def channels(self) -> Channels:
        """Which entities are captured, and the custom channels."""
        return self._channels

    @channels.setter
    def channels(self, channels: Channels) -> None:
        self._channels = channels
        self.captured = channels.captured

    def _now(self, topic: Topic) -> Topic:
        """A topic as it is now: members come and go while a subscriber holds it."""
        return topic if topic.kind != "channel" else self.topics.get(topic.name) or topic

    # --- appending -----------------------------------------------------------------------------------------------

    def append(self, tx: Tx, drafts: Sequence[Draft]) -> list[int]:
        if len(drafts) == 1:
            return [self.append_one(tx, drafts[0])]
        made: list[_Made] = []
        first, written = self._next, 0
        for draft in drafts:
            made.append(self._number(tx, draft))
            if len(made) - written == TOGETHER:
                _insert(tx, made[written:])
                written = len(made)
        if written < len(made):
            _insert(tx, made[written:])
        if made:
            tx.after_commit(lambda: self._made.extend(made))
        return list(range(first, self._next))

    def append_one(self, tx: Tx, draft: Draft) -> int:
        """As `append`, of one draft."""
        made = self._number(tx, draft)
        tx.later(APPEND, (made.row,))
        tx.after_commit(lambda: self._made.append(made))
        return made.event.replay_id

    def _number(self, tx: Tx, draft: Draft) -> _Made:
        """Give a draft the next replay id."""
        entity = draft.entity
        self._follow_catalog()
        written = self._written.get(entity)
        if written is None:
            schema = self.schemas.newest(entity)
            if self.schemas.keep(tx, schema):
                self._written[entity] = schema
        else:
            schema = written
        if tx.now is not self._last_now:
            self._take_moment(tx)
        replay_id, created, key = self._next, self._last_stamp, tx.key
        payload = _ENCODE(draft.values) if draft.payload is None else draft.payload
        topic, uuid, partition, schema_id, user = schema.topic, draft.uuid, draft.key, schema.id, draft.created_by
        header: ChangeHeader | None = None
        kept: bytes | None = None
        if draft.header is not None:
            header, kept = draft.header
        event = Event(replay_id, topic, entity, uuid, partition, schema_id, created, user, key, draft.values, header)
        self._next = replay_id + 1
        span = replay_id >> SPAN_BITS
        if self._spans.get(topic) != span:
            self._begin_span(tx, topic, span)
        row = replay_id, topic, uuid, partition, schema_id, created, user, key, payload, kept
        return _Made(event, row, len(payload))

    def _take_moment(self, tx: Tx) -> None:
        """Units of one group share their moment; `stamp` is its text, on the whole second."""
        now, stamp = tx.now, tx.stamp
        thousandths = str(1000 + now.microsecond // 1000)[1:]
        self._last_now, self._last_stamp = now, f"{stamp[:20]}{thousandths}{stamp[23:]}"

    def milliseconds(self, tx: Tx) -> int:
        """A unit's moment since the epoch."""
        now = tx.now
        if now is not self._milliseconds_of:
            self._milliseconds_of, self._milliseconds = now, int(now.timestamp() * 1000)
        return self._milliseconds

    def _begin_span(self, tx: Tx, topic: str, span: int) -> None:
        tx.run(KEEP_SPAN, (topic, span))
        self._spans[topic] = span
        # Whatever comes after a rollback writes it again; what came before it in this group goes with it, or had it already.
        tx.on_rollback(lambda: self._spans.clear())

    def _follow_catalog(self) -> None:
        catalog = self._catalog()
        if catalog is not self._followed:
            self._followed, self._shapes, self._places, self._written = catalog, {}, {}, {}

    def change_shape(self, sobject: str) -> ChangeShape:
        """How changes of an object look now. Raises KeyError for no object."""
        self._follow_catalog()
        found = self._shapes.get(sobject)
        if found is None:
            found = self._shapes[sobject] = self.schemas.shape(sobject)
        return found

    def places(self, sobject: str) -> Places:
        """Where an object's columns stand in its change events now. Raises KeyError for no object."""
        self._follow_catalog()
        found = self._places.get(sobject)
        if found is None:
            found = self._places[sobject] = self.change_shape(sobject).places
        return found

    @property
    def next_id(self) -> int:
        """The replay id that the next append begins with."""
        return self._next

    def _committed(self) -> None:
        """
        After a group's commit, before its units are told: readers see its events, who listens hears of them.

        So whoever learns that a unit succeeded finds its events, and a subscriber has them before the publisher is answered,
        who may send the next one.
        """
        if not self._made:
            return
        made, self._made = self._made, []
        # Units of a group are captured after others have published: what was kept by unit goes on by number.
        if len(made) > 1:
            made.sort(key=_number_of)
        push = self._ring.push
        for one in made:
            push(one.event, one.size)
        if self._waiting:
            self._wake(made)
        for call in tuple(self._listeners):
            try:
                call()
            except Exception:
                log.exception("a listener of the event log failed")

    def _wake(self, made: Sequence[_Made]) -> None:
        known: dict[str, bool] = {}
        for future, topic in list(self._waiting.items()):
            if topic.name not in known:
                known[topic.name] = self._concerns(topic, made)
            if known[topic.name]:
                del self._waiting[future]
                if not future.done():
                    future.set_result(None)

    def _concerns(self, topic: Topic, made: Sequence[_Made]) -> bool:
        """Whether the topic shows one of the events. A filter that fails: its reader looks for itself and has the error."""
        try:
            now = self._now(topic)
            return any(now.accepts(one.event) for one in made)
        except Exception:
            log.exception("a topic could not say whether it shows an event", extra={"topic": topic.name})
            return True

    # --- reading -------------------------------------------------------------------------------------------------

    def tip(self) -> int:
        newest = self._ring.tip
        return newest if newest > self._trimmed else self._trimmed

    @property
    def trimmed(self) -> int:
        """The replay id up to which retention has let events go."""
        return self._trimmed

    def trimmed_of(self, topic: Topic) -> int:
        """The newest event of the topic's entities that retention has let go; 0 for none."""
        if not self._marks:
            return 0
        return max((self._marks.get(entity, 0) for entity in topic.entities), default=0)

    def start(self, topic: Topic, *, replay: int) -> int:
        if replay == LATEST:
            return self.tip()
        earliest = max(self._trimmed, self.trimmed_of(self._now(topic)))
        if replay == EARLIEST:
            return earliest
        if not max(earliest, 0) <= replay <= self.tip():
            raise ReplayIdInvalid(replay)
        return replay

    # --- retention -----------------------------------------------------------------------------------------------

    @property
    def standard_volume(self) -> list[str]:
        """The topics of standard-volume events, which are kept for a shorter time."""
        return [topic_of(e.name) for e in self._catalog() if e.sobject.event_type == "StandardVolume"]

    def trim(self, tx: Tx, rows: Sequence[tuple[int, str]]) -> None:
        """Let events go, given as (replay id, topic); readers hear of it by ReplayIdInvalid."""
        marks: dict[str, int] = {}
        for replay_id, topic in rows:
            tx.run(REMOVE, (replay_id,))
            marks[topic] = max(replay_id, marks.get(topic, 0))
        oldest = tx.one(OLDEST)
        # Up to here nothing at all is left: the mark of the whole log.
        marks[WHOLE] = (oldest[0] if oldest is not None and oldest[0] is not None else self._next) - 1
        for name, value in marks.items():
            tx.run(MARK, (name, value))
            if name != WHOLE:
                tx.run(REMOVE_SPANS, (name, value >> SPAN_BITS))

        def after_commit() -> None:
            self._trimmed = max(self._trimmed, marks.pop(WHOLE))
            for topic, value in marks.items():
                self._marks[topic] = max(value, self._marks.get(topic, 0))

        tx.after_commit(after_commit)

    def read(self, topic: Topic, after: int, limit: int) -> list[Event]:
        found: list[Event] = []
        position, tip = after, self.tip()
        while len(found) < limit and position < tip:
            more, position = self.scan(topic, position, limit - len(found))
            found += more
        return found

    def scan(self, topic: Topic, after: int, limit: int) -> Scanned:
        if limit <= 0 or after >= self._ring.tip:
            return [], max(after, self.tip()) if limit > 0 else after
        topic = self._now(topic)
        if after < self.trimmed_of(topic):
            raise ReplayIdInvalid(after)
        if after >= self._ring.floor:
            return self._scan_ring(topic, after, limit)
        return self._db.read_now(lambda reader: self._scan_database(reader, topic, after, limit))

    def _scan_ring(self, topic: Topic, position: int, limit: int) -> Scanned:
        ring, tip = self._ring, self._ring.tip
        if len(topic.entities) == 1:
            held = ring.of(topic.entities[0])
            first = after(held, position)
            if topic.plain:
                found = list(held[first : first + limit])
                return found, found[-1].replay_id if len(found) == limit else tip
        else:
            held = ring.all
            first = after(held, position)
        found = []
        for index in range(first, len(held)):
            event = held[index]
            if topic.accepts(event):
                found.append(event)
                if len(found) == limit:
                    return found, event.replay_id
        return found, tip

    def _scan_database(self, reader: Reader, topic: Topic, position: int, limit: int) -> Scanned:
        """The way of a reader who catches up. Up to the ring's floor; from there the ring goes on."""
        floor = self._ring.floor
        if len(topic.entities) == 1:
            wanted = limit if topic.plain else SCAN
            rows = reader.all(READ_ONE, (topic.entities[0], position, floor, wanted))
        else:
            wanted = SCAN
            rows = reader.all(READ_ALL, (position, floor, wanted))
        found: list[Event] = []
        for row in rows:
            if row[1] not in topic.entities:
                continue
            event = _event(row)
            if topic.accepts(event):
                found.append(event)
                if len(found) == limit:
                    return found, event.replay_id
        return found, rows[-1][0] if len(rows) == wanted else floor

    # --- waiting -------------------------------------------------------------------------------------------------

    def listen(self, call: Callable[[], None]) -> Callable[[], None]:
        self._listeners.append(call)
        return lambda: self._listeners.remove(call)

    async def wait(self, topic: Topic, after: int) -> None:
        position = after
        while True:
            found, position = self.scan(topic, position, 1)
            if found:
                return
            if position < self.tip():
                await self._clock.sleep(0)  # a long walk through others' events lets the loop breathe
                continue
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting[future] = topic
            try:
                await future
            finally:
                self._waiting.pop(future, None)

    # --- bytes ---------------------------------------------------------------------------------------------------

    def avro(self, event: Event) -> bytes:
        return self._avro.of(event, lambda one: self.form(one.schema_id).avro(one))

    def visible(self, event: Event, access: Access) -> Event:
        """The event as this user may see it: `avro` and `json` of what is not the same event are not to be shared."""
        if event.header is None or not access.hidden:
            return event
        return visible(event, access, self.change_shape(event.header.entity_name).columns)

    def json(self, event: Event) -> bytes:
        return self._json.of(event, lambda one: self.form(one.schema_id).json(one))

    def form(self, schema_id: str) -> Form:
        """A schema with its encoders, compiled once. Raises KeyError for none."""
        form = self._forms.get(schema_id)
        if form is None:
            schema = self._db.read_now(lambda reader: self.schemas.find(reader, schema_id))
            if schema is None:
                raise KeyError(schema_id)
            form = self._forms[schema_id] = Form(schema)
        return form

    def schema(self, schema_id: str) -> bytes | None:
        found = self._db.read_now(lambda reader: self.schemas.find(reader, schema_id))
        return None if found is None else found.json


class _Made:
    """An event that got its number: itself, its row of the table, the bytes of its payload."""

    __slots__ = ("event", "row", "size")

    def __init__(self, event: Event, row: tuple[Any, ...], size: int) -> None:
        self.event = event
        self.row = row
        self.size = size


def _number_of(made: _Made) -> int:
    return made.event.replay_id


def _insert(tx: Tx, made: list[_Made]) -> None:
    tx.later(APPEND, [one.row for one in made])
    for one in made:
        one.row = ()  # the unit goes on, perhaps for many thousands


class _Encoded:
    """Events' bytes in one form, the newest, ENCODED of them; each is made once and shared."""

    def __init__(self) -> None:
        self._bytes: OrderedDict[int, bytes] = OrderedDict()
        self._size = 0

    def of(self, event: Event, encode: Callable[[Event], bytes]) -> bytes:
        found = self._bytes.get(event.replay_id)
        if found is None:
            found = self._bytes[event.replay_id] = encode(event)
            self._size += len(found)
            while self._size > ENCODED and len(self._bytes) > 1:
                self._size -= len(self._bytes.popitem(last=False)[1])
        return found


def _ends(reader: Any) -> tuple[dict[str, int], int]:
    """How far each topic was trimmed, and the newest replay id ever kept."""
    marks = dict(reader.all(MARKS))
    newest = reader.one(NEWEST)
    return marks, max(newest[0] or 0, *marks.values(), 0)


def _no_filters(text: str, entity: str) -> Predicate:
    raise Unsupported(f"the filter {text!r} of a channel member ({entity})")


_VALUES = msgspec.json.Decoder(dict[str, Any])


def _event(row: Sequence[Any]) -> Event:
    replay_id, topic, uuid, key, schema_id, created, created_by, transaction_key, payload, kept = row
    entity = topic.rpartition("/")[2]
    header: ChangeHeader | None = None
    if kept is not None:
        header = headers.read(kept, entity, key, transaction_key, created_by)
    return Event(
        replay_id, topic, entity, uuid, key, schema_id, created, created_by, transaction_key, _VALUES.decode(payload),
        header,
    )  # fmt: skip
