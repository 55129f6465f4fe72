"""
The contract of EventLog: what every implementation promises, tested on the one there is.

A second implementation adds a class with its own `make` fixture.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from landbridge import events
from landbridge.chance import Chance
from landbridge.clock import Clock
from landbridge.errors import Unsupported
from landbridge.events import Channels, Draft, Member, ReplayIdInvalid, Retention, SQLEventLog, headers
from landbridge.events import log as log_module
from landbridge.events.ring import Ring
from landbridge.schema import Catalog, standard
from landbridge.schema.model import Field, Kind, SObject
from landbridge.storage import Migration, SQLiteDatabase, Unit

ledger = pytest.mark.ledger
UNIT = Unit("test")


def event_object(name: str, *fields: str, volume: str = "HighVolume") -> SObject:
    made = tuple(Field(name=f, label=f, type="string", length=80, custom=True) for f in ("A__c", *fields))
    return SObject(
        name=name, label=name, label_plural=name, key_prefix="e00", kind=Kind.EVENT, fields=made, event_type=volume
    )


def draft(entity: str, text: str) -> Draft:
    return Draft(entity, f"uuid-{text}", text, "005", {"A__c": text})


class World:
    """A log over a database, and what a test needs to move it."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self.clock = clock
        self.catalog = Catalog((*standard.load(), event_object("One__e"), event_object("Two__e"),
                                event_object("Old__e", volume="StandardVolume"),
                                event_object(events.DEAD_LETTER)))  # fmt: skip
        self.db = SQLiteDatabase.open(
            path, clock=clock, new_key=Chance(1).uuid, durability="off",
            migrations=(Migration(1, (*events.TABLES, *log_module.SPANS)),),
        )  # fmt: skip
        self.log = SQLEventLog(self.db, lambda: self.catalog, clock, lambda text, entity: lambda v: v["A__c"] == text)

    def topic(self, name: str) -> Any:
        found = self.log.topic(name)
        assert found is not None
        return found

    async def append(self, *texts: str, entity: str = "One__e") -> list[int]:
        return await self.db.write(lambda tx: self.log.append(tx, [draft(entity, text) for text in texts]), UNIT)

    def texts(self, name: str = "/event/One__e", after: int = 0, limit: int = 10_000) -> list[str]:
        return [event.values["A__c"] for event in self.log.read(self.topic(name), after, limit)]


Make = Callable[[], Any]


class EventLogContract:
    """Every test takes `world`, an open log, or `again`, which opens the same one as often as it is entered."""

    @ledger("events.order", "documented", "events.md section 7: order defined by rising replay ids")
    async def test_ids_rise_in_commit_order_and_reads_give_them_in_order(self, world: World) -> None:
        first = await world.append("a", "b")
        second = await asyncio.gather(*(world.append(str(n)) for n in range(20)))

        ids = first + [one for found in second for one in found]
        assert ids == sorted(set(ids))
        assert world.texts() == ["a", "b", *map(str, range(20))]
        assert [event.replay_id for event in world.log.read(world.topic("/event/One__e"), 0, 100)] == ids
        assert world.log.tip() == ids[-1]

    async def test_an_event_reads_back_whole_from_memory_and_from_the_database(self, world: World) -> None:
        (replay_id,) = await world.append("é")

        (fresh,) = world.log.read(world.topic("/event/One__e"), 0, 10)
        world.log._ring = Ring(world.log.tip())
        (stored,) = world.log.read(world.topic("/event/One__e"), 0, 10)

        assert fresh == stored
        assert (fresh.replay_id, fresh.topic, fresh.entity, fresh.key) == (replay_id, "/event/One__e", "One__e", "é")
        assert fresh.transaction_key

    async def test_nothing_is_seen_before_the_commit_or_after_a_rollback(self, world: World) -> None:
        def fails(tx: Any) -> None:
            world.log.append(tx, [draft("One__e", "lost")])
            assert world.log.tip() == 0
            raise RuntimeError

        with pytest.raises(RuntimeError):
            await world.db.write(fails, UNIT)

        assert world.texts() == []
        assert world.log.tip() == 0

    async def test_units_of_one_group_fail_alone(self, world: World) -> None:
        def fails(tx: Any) -> None:
            world.log.append(tx, [draft("One__e", "lost")])
            raise RuntimeError

        outcomes = await asyncio.gather(
            world.append("a"), world.db.write(fails, UNIT), world.append("b"), world.db.write(fails, UNIT),
            return_exceptions=True,
        )  # fmt: skip

        assert [isinstance(one, RuntimeError) for one in outcomes] == [False, True, False, True]
        assert world.texts() == ["a", "b"]
        ids = [event.replay_id for event in world.log.read(world.topic("/event/One__e"), 0, 10)]
        assert ids == [outcomes[0][0], outcomes[2][0]]  # type: ignore[index]

    async def test_what_is_captured_after_others_have_published_keeps_the_order(self, world: World) -> None:
        world.db.capture = lambda tx: world.log.append(tx, [draft("Two__e", f"captured {tx.changes[0]}")])
        tips: list[tuple[int, int]] = []

        def unit(number: int) -> Any:
            def work(tx: Any) -> int:
                tx.changes.append(number)
                if number % 3 == 0:
                    tx.immediately(lambda own: world.log.append(own, [draft("One__e", f"behind {number}")]))
                (replay_id,) = world.log.append(tx, [draft("One__e", str(number))])
                return replay_id

            return work

        for number in range(10):
            world.db.submit(unit(number), UNIT, lambda found, error: tips.append((found or 0, world.log.tip())))
        await world.append("last")

        world.log.channels = Channels(
            (Member("Both__chn", "One__e"), Member("Both__chn", "Two__e")), (("Both__chn", "event"),)
        )
        both = world.topic("/event/Both__chn")
        fresh = world.log.read(both, 0, 100)
        world.log._ring = Ring(world.log.tip())
        assert world.log.read(both, 0, 100) == fresh
        assert [event.replay_id for event in fresh] == list(range(1, 26))
        assert [event.values["A__c"] for event in fresh if event.topic == "/event/Two__e"] == [
            f"captured {number}" for number in range(10)
        ]
        # Who hears that an event is in the log finds it there.
        assert len(tips) == 10
        assert {tip for _, tip in tips} == {25}

    async def test_a_savepoint_that_is_undone_takes_its_events_along(self, world: World) -> None:
        def work(tx: Any) -> None:
            world.log.append(tx, [draft("One__e", "a")])
            with pytest.raises(RuntimeError), tx.nested():
                world.log.append(tx, [draft("One__e", "lost")])
                raise RuntimeError
            world.log.append(tx, [draft("One__e", "b")])

        await world.db.write(work, UNIT)

        assert world.texts() == ["a", "b"]

    @ledger("events.ids", "documented", "replay ids rise and need not be contiguous (events.md section 7)")
    async def test_ids_are_never_given_twice(self, again: Make) -> None:
        seen: list[int] = []
        for round_ in range(4):
            async with again() as world:
                seen += await world.append("a", "b")
                seen += await world.append("c", entity="Old__e")
                if round_ % 2:  # also not when retention has emptied the log
                    world.clock.jump(timedelta(hours=73))
                    await Retention(world.db, world.log, world.clock).sweep()
                    assert world.db.read_now(lambda reader: reader.one("SELECT count(*) FROM lb_event")) == (0,)
                else:
                    world.clock.jump(timedelta(hours=25))
                    await Retention(world.db, world.log, world.clock).sweep()

        assert seen == sorted(set(seen))

    @ledger("events.replay", "documented", "-1 new only, -2 all retained, n after n (events.md section 3)")
    async def test_positions(self, world: World) -> None:
        topic = world.topic("/event/One__e")
        assert world.log.start(topic, replay=-1) == 0
        ids = await world.append("a", "b", "c")

        assert world.log.start(topic, replay=-1) == ids[2]
        assert world.log.start(topic, replay=-2) == 0
        assert world.log.start(topic, replay=ids[1]) == ids[1]
        assert world.texts(after=ids[1]) == ["c"]
        assert world.texts(limit=2) == ["a", "b"]
        assert world.texts(limit=0) == []

    @ledger(
        "events.replay.invalid", "documented", "an id that is none, or outside retention, errs (events.md section 4)"
    )
    @pytest.mark.parametrize("replay", [-3, 4, 10**6, 2**63])
    async def test_an_id_of_another_log_is_refused(self, world: World, replay: int) -> None:
        await world.append("a", "b", "c")

        with pytest.raises(ReplayIdInvalid, match=str(replay)):
            world.log.start(world.topic("/event/One__e"), replay=replay)

    @ledger("events.retention", "documented", "72 h, 24 h for standard volume (events.md section 1)")
    async def test_what_is_too_old_goes_and_asking_for_it_errs(self, world: World) -> None:
        one, old = world.topic("/event/One__e"), world.topic("/event/Old__e")
        first = (await world.append("a"))[0]
        await world.append("standard", entity="Old__e")
        retention = Retention(world.db, world.log, world.clock)
        world.clock.jump(timedelta(hours=30))
        await world.append("b")

        assert await retention.sweep() == 1
        assert world.texts("/event/Old__e", after=world.log.start(old, replay=-2)) == []
        with pytest.raises(ReplayIdInvalid):
            world.log.read(old, 0, 10)
        assert world.texts(after=0) == ["a", "b"]

        world.clock.jump(timedelta(hours=43))
        assert await retention.sweep() == 1
        assert world.texts(after=world.log.start(one, replay=-2)) == ["b"]
        assert world.texts(after=first) == ["b"]
        with pytest.raises(ReplayIdInvalid):
            world.log.start(one, replay=first - 1)
        with pytest.raises(ReplayIdInvalid):
            world.log.scan(one, first - 1, 10)
        # Nothing of Two__e was ever trimmed: whoever stands at an old position has lost nothing.
        assert world.log.scan(world.topic("/event/Two__e"), 0, 10)[0] == []

    async def test_trimming_is_done_in_small_units(self, world: World) -> None:
        await world.append(*map(str, range(1200)))
        world.clock.jump(timedelta(hours=73))
        before = world.db.writer.total_changes()

        groups: list[int] = []
        world.db.listen(lambda: groups.append(world.db.writer.total_changes()))
        assert await Retention(world.db, world.log, world.clock).sweep() == 1200

        steps = [after - start for start, after in zip([before, *groups], groups, strict=False)]
        assert len(steps) == 3
        assert max(steps) <= 510

    async def test_retention_does_not_walk_through_what_stays(self, world: World) -> None:
        await world.append(*map(str, range(20)), entity=events.DEAD_LETTER)
        world.clock.jump(timedelta(hours=73))
        await world.append("old", entity="Two__e")
        world.clock.jump(timedelta(hours=73))
        retention = Retention(world.db, world.log, world.clock)
        await world.append("young", entity="Old__e")
        assert await retention.sweep() == 1
        steps = await _steps(world, retention)

        for number in range(40):
            await world.append(*(f"{number}-{n}" for n in range(250)))
        assert await _steps(world, retention) <= steps + 50
        assert world.db.read_now(lambda reader: reader.one("SELECT count(*) FROM lb_event")) == (10_021,)

    async def test_retention_survives_a_restart(self, again: Make) -> None:
        async with again() as world:
            (first,) = await world.append("a")
            world.clock.jump(timedelta(hours=73))
            await Retention(world.db, world.log, world.clock).sweep()
        async with again() as world:
            with pytest.raises(ReplayIdInvalid):
                world.log.start(world.topic("/event/One__e"), replay=first - 1)
            assert world.log.start(world.topic("/event/One__e"), replay=-2) == first
            assert world.log.tip() == first

    async def test_a_reader_behind_the_ring_catches_up_from_the_database(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.log._ring = Ring(0, events=16)
        monkeypatch.setattr(log_module, "SCAN", 8)
        for n in range(50):
            await world.append(f"x{n}", entity="Two__e")
            await world.append(str(n))
        assert world.log._ring.floor > 50

        assert world.texts() == list(map(str, range(50)))
        world.log.channels = Channels((Member("Both__chn", "One__e", "49"),), (("Both__chn", "event"),))
        assert world.texts("/event/Both__chn") == ["49"]
        topic, position, steps = world.topic("/event/One__e"), 0, []
        while position < world.log.tip():
            found, position = world.log.scan(topic, position, 7)
            steps.append(len(found))
        assert sum(steps) == 50
        assert max(steps) <= 7

    async def test_the_ring_is_bounded_by_bytes_too(self) -> None:
        ring = Ring(0, events=1000, size=1000)
        for n in range(1, 200):
            ring.push(msgspec.structs.replace(EVENT, replay_id=n), 100)

        assert ring._held <= 1000
        assert ring.all[-1].replay_id == ring.tip == 199
        assert ring.all[0].replay_id == ring.floor + 1

    async def test_wait_returns_for_its_own_topic_alone(self, world: World) -> None:
        topic = world.topic("/event/One__e")
        waiting = asyncio.ensure_future(world.log.wait(topic, 0))

        await world.append("x", entity="Two__e")
        await asyncio.sleep(0.01)
        assert not waiting.done()
        await world.append("a")
        await asyncio.wait_for(waiting, 5)
        await asyncio.wait_for(world.log.wait(topic, 0), 5)
        assert world.log._waiting == {}

    async def test_a_waiter_that_is_cancelled_leaves_nothing_behind(self, world: World) -> None:
        waiting = asyncio.ensure_future(world.log.wait(world.topic("/event/One__e"), 0))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

        assert world.log._waiting == {}

    async def test_listeners_hear_once_a_commit_and_not_of_others(self, world: World) -> None:
        heard: list[int] = []
        end = world.log.listen(lambda: heard.append(world.log.tip()))

        await asyncio.gather(world.append("a"), world.append("b"))
        await world.db.write(lambda tx: tx.run("DELETE FROM lb_subscription"), UNIT)
        end()
        await world.append("c")

        assert heard == [2]

    async def test_listeners_hear_before_the_units_are_told_and_can_do_them_no_harm(self, world: World) -> None:
        heard: list[str] = []

        def fails() -> None:
            heard.append(f"listener, tip {world.log.tip()}")
            raise RuntimeError("a listener that fails")

        world.log.listen(fails)
        world.log.listen(lambda: heard.append("the next listener"))
        world.db.submit(lambda tx: world.log.append(tx, [draft("One__e", "a")]), UNIT,
                        lambda found, error: heard.append(f"publisher, {found} {error}"))  # fmt: skip
        await world.append("b")

        assert heard == ["listener, tip 2", "the next listener", "publisher, [1] None"]

    @ledger(
        "events.channel", "documented", "a custom channel: members and filter expressions (events.md sections 1, 5)"
    )
    async def test_a_channel_is_a_filtered_view_with_the_same_ids(self, world: World) -> None:
        world.log.channels = Channels(
            (Member("Both__chn", "One__e", "yes"), Member("Both__chn", "Two__e")), (("Both__chn", "event"),)
        )
        topic = world.topic("/event/both__CHN")
        ids = await world.append("yes", "no")
        ids += await world.append("x", entity="Two__e")

        assert (topic.name, topic.kind, topic.can_publish) == ("/event/Both__chn", "channel", False)
        found = world.log.read(topic, 0, 10)
        assert [(event.replay_id, event.topic) for event in found] == [
            (ids[0], "/event/One__e"), (ids[2], "/event/Two__e"),
        ]  # fmt: skip

    async def test_a_topic_that_is_held_sees_new_members(self, world: World) -> None:
        world.log.channels = Channels((Member("Both__chn", "One__e"),), (("Both__chn", "event"),))
        topic = world.topic("/event/Both__chn")
        waiting = asyncio.ensure_future(world.log.wait(topic, 0))
        await asyncio.sleep(0)
        world.log.channels = Channels(
            (Member("Both__chn", "One__e"), Member("Both__chn", "Two__e")), (("Both__chn", "event"),)
        )

        await world.append("x", entity="Two__e")

        await asyncio.wait_for(waiting, 5)
        assert [event.values for event in world.log.read(topic, 0, 10)] == [{"A__c": "x"}]

    async def test_a_filter_that_fails_is_its_readers_affair_and_holds_up_no_writer(self, world: World) -> None:
        world.log.channels = Channels((Member("Both__chn", "One__e", "yes"),), (("Both__chn", "event"),))
        topic, heard = world.topic("/event/Both__chn"), []
        world.log.listen(lambda: heard.append(world.log.tip()))
        waiting = asyncio.ensure_future(world.log.wait(topic, 0))
        await asyncio.sleep(0)

        bare = Draft("One__e", "uuid-bare", "bare", "005", {})  # the filter asks for A__c
        written = world.db.write(lambda tx: world.log.append(tx, [bare]), UNIT)

        assert await asyncio.wait_for(written, 5) == [1]
        assert await asyncio.wait_for(world.append("after"), 5) == [2]
        assert heard == [1, 2]
        with pytest.raises(KeyError):
            await asyncio.wait_for(waiting, 5)

    @ledger("events.topics", "documented", "events.md section 1")
    def test_topics_are_found_whatever_their_case(self, world: World) -> None:
        names = {
            "/event/one__E": "/event/One__e", "/data/accountchangeevent": "/data/AccountChangeEvent",
            "/data/CHANGEEVENTS": "/data/ChangeEvents",
        }  # fmt: skip

        assert {name: world.topic(name).name for name in names} == names

    @pytest.mark.parametrize(
        "name", ["", "/", "/event/", "/event/Nothing__e", "/event/Account", "/data/NothingChangeEvent", "/data/Account",
                 "/data/ChangeEvent", "/event/No__chn", "/data/EventBusSubscriberChangeEvent", "event/One__e", "/event/One__e/x"],
    )  # fmt: skip
    def test_names_that_are_no_topic(self, world: World, name: str) -> None:
        assert world.log.topic(name) is None

    @ledger("events.topics.refused", "differs", "PushTopics and generic channels are refused aloud for now")
    @pytest.mark.parametrize("name", ["/topic/X", "/u/X", "/systemTopic/Logging"])
    def test_topics_that_are_not_done_say_so(self, world: World, name: str) -> None:
        with pytest.raises(Unsupported, match="does not support"):
            world.log.topic(name)

    @ledger("events.schema.old", "documented", "a changed object has a new schema id; old events still decode")
    async def test_an_event_decodes_under_the_schema_it_was_written_with(self, again: Make) -> None:
        async with again() as world:
            await world.append("before")
            old = world.topic("/event/One__e").schema_id
        async with again() as world:
            world.catalog = world.catalog.replaced([event_object("One__e", "B__c")])
            await world.append("after")
            new = world.topic("/event/One__e").schema_id
            first, second = world.log.read(world.topic("/event/One__e"), 0, 10)

            assert (first.schema_id, second.schema_id) == (old, new)
            assert old != new
            decoded = [world.log.form(event.schema_id).codec.decode(world.log.avro(event)) for event in (first, second)]
            assert decoded[0]["A__c"] == "before"
            assert "B__c" not in decoded[0]
            assert decoded[1]["B__c"] is None
            assert b'"B__c"' not in world.log.json(first)
            assert b'"B__c":null' in world.log.json(second)
            assert world.log.schema(old) is not None

    async def test_bytes_are_encoded_once(self, world: World) -> None:
        await world.append("a")
        (event,) = world.log.read(world.topic("/event/One__e"), 0, 10)

        assert world.log.avro(event) is world.log.avro(event)
        assert world.log.json(event) is world.log.json(event)


async def _steps(world: World, retention: Retention) -> int:
    """Steps of SQLite's machine for one look of a retention that finds nothing."""
    steps = 0

    def step() -> bool:
        nonlocal steps
        steps += 1
        return False

    world.db._reader._connection.set_progress_handler(step, 1)  # type: ignore[union-attr]
    assert await retention.sweep() == 0
    world.db._reader._connection.set_progress_handler(None)  # type: ignore[union-attr]
    return steps


EVENT = events.Event(1, "/event/One__e", "One__e", "u", "k", "s", "c", "005", "t", {})


class TestSQLEventLog(EventLogContract):
    @pytest.fixture
    def again(self, tmp_path: Path) -> Make:
        clock = Clock()

        @asynccontextmanager
        async def make() -> AsyncIterator[World]:
            world = World(tmp_path / "log.sqlite", clock)
            try:
                yield world
            finally:
                await world.db.close()

        return make

    @pytest.fixture
    async def world(self, again: Make) -> AsyncIterator[World]:
        async with again() as found:
            yield found

    async def test_every_event_is_found_along_the_spans_of_its_topic(self, again: Make) -> None:
        random = Random(7)
        names = ("One__e", "Two__e", "Old__e")

        def unit(number: int, ends: str) -> Callable[[Any], None]:
            def part(tx: Any, text: str, *, fails: bool) -> None:
                world.log.append(
                    tx, [draft(random.choice(names), f"{text}-{n}") for n in range(random.randrange(1, 20))]
                )
                if fails:
                    raise ValueError(text)

            def work(tx: Any) -> None:
                if ends == "clean":
                    raise ValueError(ends)
                part(tx, f"{number}", fails=ends == "whole")
                tx.alone_each(
                    lambda n: part(tx, f"{number}/{n}", fails=ends == "part" and n == 1), range(3), ValueError
                )

            return work

        async with again() as world:
            for number in range(60):
                await asyncio.gather(
                    *(world.db.write(unit(number, random.choice(("well", "well", "whole", "part", "clean"))), UNIT)
                      for _ in range(random.randrange(1, 5))),
                    return_exceptions=True,
                )  # fmt: skip
        async with again() as world:
            assert world.log._ring.floor == world.log.tip(), "all is read from the database"
            for name in names:
                topic = world.topic(f"/event/{name}")
                kept = [row[0] for row in world.db.writer.execute(
                    "SELECT id FROM lb_event WHERE topic = ? ORDER BY id", (topic.name,)
                )]  # fmt: skip
                assert len(kept) > 200
                for _ in range(50):
                    after, limit = random.randrange(world.log.tip()), random.randrange(1, 400)
                    found = [event.replay_id for event in world.log.read(topic, after, limit)]
                    assert found == [one for one in kept if one > after][:limit]

            world.clock.jump(timedelta(hours=30))
            await Retention(world.db, world.log, world.clock).sweep()
            left = set(world.db.writer.execute("SELECT topic, id >> 6 FROM lb_event"))
            spans = set(world.db.writer.execute("SELECT topic, span FROM lb_event_span"))
            assert left <= spans
            assert len([one for one in spans if one[0] == "/event/Old__e"]) <= 1

    async def test_a_log_with_an_index_gets_spans(self, tmp_path: Path) -> None:
        def open_with(*migrations: Migration) -> SQLiteDatabase:
            return SQLiteDatabase.open(
                tmp_path / "old.sqlite", clock=Clock(), new_key=Chance(1).uuid, durability="off", migrations=migrations
            )

        old = open_with(Migration(1, events.TABLES))
        for number in range(1, 1000):
            row = (
                number,
                f"/event/{'One__e' if number % 100 else 'Two__e'}",
                "u",
                "k",
                "s",
                "c",
                "005",
                "t",
                b"{}",
                None,
            )
            old.writer.execute(log_module.APPEND, row)
        await old.close()

        new = open_with(Migration(1, events.TABLES), Migration(2, log_module.SPANS))
        found = new.writer.execute(log_module.READ_ONE, ("/event/Two__e", 100, 800, 5)).fetchall()
        assert [row[0] for row in found] == [200, 300, 400, 500, 600]
        await new.close()

    async def test_a_header_comes_back_from_its_row_as_it_was(self, again: Make) -> None:
        def work(tx: Any) -> None:
            header = headers.new(
                "Account", "001", "UPDATE", "client/x", tx.key, 2, 1_700_000_000_123, 7, "005", ("Phone",), ("Name", "Phone")
            )  # fmt: skip
            world.log.append(tx, [Draft("AccountChangeEvent", "u", "001", "005", {"Name": "x", "Phone": None}, header)])

        channels = Channels((Member("ChangeEvents", "AccountChangeEvent"),))
        async with again() as world:
            world.log.channels = channels
            await world.db.write(work, UNIT)
            (fresh,) = world.log.read(world.topic("/data/AccountChangeEvent"), 0, 10)
            assert len(world.db.writer.execute("SELECT header FROM lb_event").fetchone()[0]) < 100
        async with again() as world:
            world.log.channels = channels
            assert world.log.read(world.topic("/data/AccountChangeEvent"), 0, 10) == [fresh]
            # As rows were written before migration 12.
            world.db.writer.execute("UPDATE lb_event SET header = ?", (msgspec.json.encode(fresh.header),))
        async with again() as world:
            world.log.channels = channels
            assert world.log.read(world.topic("/data/AccountChangeEvent"), 0, 10) == [fresh]

    async def test_what_stands_behind_a_unit_survives_its_rollback(self, world: World) -> None:
        def work(tx: Any) -> None:
            world.log.append(tx, [draft("One__e", "lost")])
            tx.immediately(lambda own: world.log.append(own, [draft("One__e", "kept")]))
            raise RuntimeError

        def clean(tx: Any) -> None:
            tx.immediately(lambda own: world.log.append(own, [draft("One__e", "kept too")]))
            raise RuntimeError

        outcomes = await asyncio.gather(
            world.append("a"), world.db.write(work, UNIT), world.append("b"), world.db.write(clean, UNIT),
            return_exceptions=True,
        )  # fmt: skip

        assert isinstance(outcomes[1], RuntimeError)
        assert world.texts() == ["a", "kept", "b", "kept too"]
        ids = [event.replay_id for event in world.log.read(world.topic("/event/One__e"), 0, 10)]
        assert ids == sorted(ids)

    async def test_what_stands_behind_a_transaction_survives_its_rollback(self, world: World) -> None:
        with pytest.raises(RuntimeError):
            async with world.db.transaction(UNIT) as transaction:
                await transaction.write(
                    lambda tx: tx.immediately(lambda own: world.log.append(own, [draft("One__e", "kept")]))
                )
                await transaction.write(lambda tx: world.log.append(tx, [draft("One__e", "lost")]))
                raise RuntimeError
        async with world.db.transaction(UNIT) as transaction:
            await transaction.write(
                lambda tx: tx.immediately(lambda own: world.log.append(own, [draft("One__e", "too")]))
            )

        await world.append("last")
        assert sorted(world.texts()) == ["kept", "last", "too"]
