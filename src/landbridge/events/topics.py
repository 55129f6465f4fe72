"""
Topics: the names a subscriber may ask for, and which events each of them shows. Pure.

An entity's topic shows its events; a channel is a filtered view of several entities with the same replay ids.
Source: `events.md` section 1.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from landbridge.errors import Unsupported
from landbridge.events.channels import DEFAULT, SUFFIX, Channels, Member
from landbridge.events.model import (
    CHANGE,
    CHANGE_SUFFIX,
    DEAD,
    DEAD_LETTER,
    EVENT,
    Event,
    captured_object,
    change_entity,
    topic_of,
)
from landbridge.schema.catalog import Catalog, Entity
from landbridge.schema.model import Kind

Predicate = Callable[[Mapping[str, Any]], bool]
_DEAD_NAME = re.compile(r"/dead/[\w-]+/[\w-]+\Z", re.ASCII)

# Standard objects without change events here: metadata, views, and the bus's own. Guessed; the platform's list is longer.
_NEVER = frozenset({"eventbussubscriber", "platformeventchannel", "platformeventchannelmember", "profile", "organization",
                    "entitydefinition", "fielddefinition", "permissionset", "permissionsetassignment", "recordtype",
                    "apexclass", "apextrigger", "asyncapexjob", "crontrigger", "cronjobdetail", "userlicense"})  # fmt: skip


def announces(entity: Entity) -> bool:
    """Whether changes of an object can be captured at all."""
    return (
        entity.kind in (Kind.STANDARD, Kind.CUSTOM)
        and entity.sobject.has_table
        and entity.name.lower() not in _NEVER
        and entity.key_prefix is not None
    )


class Topic:
    """
    One topic under its canonical name. `kind`: `event` (platform events), `change` (one object), `channel` (several).

    `entities` are the entity topics it reads; `schema_id` is that of an entity's newest schema, "" for channels.
    """

    __slots__ = ("_predicates", "can_publish", "entities", "entity", "kind", "name", "schema_id")

    def __init__(
        self, name: str, kind: str, entities: Mapping[str, Predicate | None], *, entity: str = "", schema_id: str = ""
    ) -> None:
        self.name = name
        self.kind = kind
        self._predicates = dict(entities)
        self.entities = tuple(entities)
        self.entity = entity
        self.schema_id = schema_id
        self.can_publish = kind == "event"

    can_subscribe = True

    @property
    def plain(self) -> bool:
        """One entity, every event of it: the way without a look at each event."""
        return len(self.entities) == 1 and self._predicates[self.entities[0]] is None

    def accepts(self, event: Event) -> bool:
        """Whether the topic shows this event."""
        predicate = self._predicates.get(event.topic, _no)
        return predicate is None or predicate(event.values)

    def __repr__(self) -> str:
        return f"Topic({self.name!r}, {self.kind!r})"


def _no(values: Mapping[str, Any]) -> bool:
    del values
    return False


class Topics:
    """
    The topics of one catalogue with its channels: made anew when either changes.

    `schema_id` gives an entity's (`Order__e`, `AccountChangeEvent`) newest schema; `compile_filter` turns a member's
    filter expression over an entity into a predicate, and raises what is wrong with it.
    """

    def __init__(
        self,
        catalog: Catalog,
        channels: Channels,
        schema_id: Callable[[str], str],
        compile_filter: Callable[[str, str], Predicate],
    ) -> None:
        self.catalog = catalog
        self.channels = channels
        self._schema_id = schema_id
        self.compile = compile_filter
        self._known: dict[str, Topic | None] = {}

    def get(self, name: str) -> Topic | None:
        """The topic of that name, whatever its case; None for none. Raises Unsupported for kinds that are not here."""
        lower = name.lower()
        if lower not in self._known:
            if len(self._known) > 10_000:  # names come from outside
                self._known.clear()
            self._known[lower] = self._make(name, lower)
        return self._known[lower]

    def _make(self, name: str, lower: str) -> Topic | None:
        if lower.startswith(("/topic/", "/u/", "/systemtopic/")):
            raise Unsupported(f"the channel {name} (PushTopics, generic and system channels)")
        if lower.startswith(DEAD):
            return self._dead(name) if _DEAD_NAME.match(lower) else None
        for prefix in (EVENT, CHANGE):
            if lower.startswith(prefix):
                rest = name[len(prefix) :]
                if rest.lower().endswith(SUFFIX):
                    return self._custom(prefix, rest)
                return self._event(rest) if prefix == EVENT else self._change(rest)
        return None

    def _dead(self, name: str) -> Topic | None:
        """The dead letters of one subscription: a filtered view of one event."""
        if self.catalog.get(DEAD_LETTER) is None:
            return None
        wanted = name[len(DEAD) :].lower()
        return Topic(
            name,
            "channel",
            {topic_of(DEAD_LETTER): lambda values: str(values.get("Subscription__c", "")).lower() == wanted},
        )

    def _event(self, name: str) -> Topic | None:
        entity = self.catalog.get(name)
        if entity is None or entity.kind is not Kind.EVENT or entity.name == DEAD_LETTER:
            return None
        topic = topic_of(entity.name)
        return Topic(topic, "event", {topic: None}, entity=entity.name, schema_id=self._schema_id(entity.name))

    def _change(self, name: str) -> Topic | None:
        if name.lower() == DEFAULT.lower():
            return Topic(CHANGE + DEFAULT, "channel", self._members(DEFAULT))
        entity = self._object(name)
        if entity is None:
            return None
        mine = change_entity(entity.name)
        topic = CHANGE + mine
        return Topic(topic, "change", {topic: None}, entity=mine, schema_id=self._schema_id(mine))

    def _object(self, name: str) -> Entity | None:
        sobject = captured_object(name)
        entity = None if sobject is None else self.catalog.get(sobject)
        return entity if entity is not None and announces(entity) else None

    def _custom(self, prefix: str, name: str) -> Topic | None:
        kind = "event" if prefix == EVENT else "data"
        for known, its_kind in self.channels.custom:
            if known.lower() == name.lower() and its_kind == kind:
                return Topic(prefix + known, "channel", self._members(known))
        return None

    def _members(self, channel: str) -> dict[str, Predicate | None]:
        found: dict[str, Predicate | None] = {}
        for member in self.channels.members:
            if member.channel.lower() != channel.lower():
                continue
            entity = self.member_entity(member)
            if entity is not None:
                found[topic_of(entity)] = None if member.filter is None else self.compile(member.filter, entity)
        return found

    def member_entity(self, member: Member) -> str | None:
        """The canonical name of a member's entity; None for one that is not here."""
        if member.entity.lower().endswith(CHANGE_SUFFIX.lower()):
            entity = self._object(member.entity)
            return None if entity is None else change_entity(entity.name)
        entity = self.catalog.get(member.entity)
        return entity.name if entity is not None and entity.kind is Kind.EVENT else None

    def names(self) -> Iterator[str]:
        """Every topic that can show something: platform events, captured objects, channels."""
        for entity in self.catalog:
            if entity.kind is Kind.EVENT and entity.name != DEAD_LETTER:
                yield topic_of(entity.name)
        captured = self.channels.captured
        for entity in self.catalog:
            if entity.name.lower() in captured and announces(entity):
                yield topic_of(change_entity(entity.name))
        yield CHANGE + DEFAULT
        for name, kind in self.channels.custom:
            yield (EVENT if kind == "event" else CHANGE) + name
