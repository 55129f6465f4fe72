"""
What a flow file does, and what of it will not work in this org. Pure: from what was loaded and what is there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

import msgspec

from landbridge.errors import SalesforceError
from landbridge.events import Topic
from landbridge.events.model import captured_object
from landbridge.flows.events import SYSTEM_FIELDS, ChangeEvent, PlatformEvent, model_fields, plain
from landbridge.flows.flow import Flow
from landbridge.flows.loading import Loaded
from landbridge.schema import Catalog
from landbridge.schema.catalog import Entity


class DeclaredOn(msgspec.Struct, frozen=True):
    """One subscription as plain data: what of it the org can be asked about. `fields`: plain spelling -> the model's name."""

    name: str
    place: str
    topic: str
    key: str | None = None
    model: str = ""
    fields: dict[str, str] = {}


class Declared(msgspec.Struct, frozen=True):
    """What a file declares, as plain data; `credentials`: name -> file and line; `says`: a line each for a person."""

    subscriptions: tuple[DeclaredOn, ...]
    credentials: dict[str, str]
    says: tuple[str, ...] = ()


class Finding(msgspec.Struct, frozen=True):
    """One thing that will not work; `fatal`: the flow can't be served with it."""

    place: str
    text: str
    fatal: bool

    def __str__(self) -> str:
        return f"{self.place}: {'error' if self.fatal else 'warning'}: {self.text}"


def declared(loaded: Loaded) -> Declared:
    """What a loaded file declares, without its code: this can be sent to an org."""
    ons: list[DeclaredOn] = []
    credentials: dict[str, str] = {}
    for flow in loaded.flows:
        credentials |= {name: str(place) for name, place in flow.credentials.items()}
        for on in flow.subscriptions:
            model = loaded.handlers[on.name].annotation
            own = None if model in (ChangeEvent, PlatformEvent) else model_fields(model)
            ons.append(
                DeclaredOn(on.name, str(on.place), on.topic, on.key, "" if own is None else model.__name__, own or {})
            )
    return Declared(tuple(ons), credentials, tuple(line for flow in loaded.flows for line in describe(flow)))


def check(
    found: Declared, catalog: Catalog, topic: Callable[[str], Topic | None], captured: Collection[str],
    credentials: Collection[str],
) -> list[Finding]:  # fmt: skip
    """
    Missing topics, fields, credentials, objects whose changes nobody captures.

    `topic` finds a topic of the log; `captured` are the lower-case names of announced objects; `credentials` the named
    credentials there are.
    """
    there = {name.lower() for name in credentials}
    findings = [
        Finding(
            place,
            f"there is no named credential {name}: `landbridge credential set {name} --url URL`, or the source",
            False,
        )
        for name, place in found.credentials.items()
        if name.lower() not in there
    ]
    for on in found.subscriptions:
        findings += _subscription(on, catalog, topic, captured)
    return findings


def _subscription(
    on: DeclaredOn, catalog: Catalog, topic: Callable[[str], Topic | None], captured: Collection[str]
) -> Iterator[Finding]:
    try:
        there = topic(on.topic)
    except SalesforceError as error:
        yield Finding(on.place, str(error), True)
        return
    if there is None:
        yield Finding(on.place, f"there is no topic {on.topic} in this org{_hint(on.topic, catalog)}", True)
        return
    key = (on.key or "").lower()
    own_key = on.key is not None and key not in ("recordid", "uuid")
    if there.kind == "change":
        sobject = captured_object(there.entity)
        if sobject is not None and sobject.lower() not in captured:
            yield Finding(
                on.place,
                f"changes of {sobject} are not captured: nothing will come. Serve with --capture {sobject}",
                False,
            )
        if own_key:
            yield Finding(
                on.place, f"key={on.key!r}: a change event carries what changed alone; use recordId or uuid", True
            )
    entity = _entity(there, catalog)
    if entity is None:
        return
    if there.kind == "event" and own_key and entity.field(on.key or "") is None:
        yield Finding(on.place, f"key={on.key!r}: {entity.name} has no such field", True)
    if there.kind == "event" and key == "recordid":
        yield Finding(on.place, "key='recordId': a platform event has no record; name one of its fields", True)
    names = {plain(field.name) for field in entity.fields} | {plain(name) for name in SYSTEM_FIELDS}
    for spelling, name in on.fields.items():
        if spelling not in names:
            yield Finding(on.place, f"{on.model}.{name}: {entity.name} has no such field", False)


def _entity(topic: Topic, catalog: Catalog) -> Entity | None:
    """The object or event behind a topic of one entity."""
    if topic.kind == "channel":
        return None
    name = topic.entity if topic.kind == "event" else captured_object(topic.entity)
    return None if name is None else catalog.get(name)


def _hint(topic: str, catalog: Catalog) -> str:
    """A name that may have been meant."""
    import difflib

    from landbridge.events.model import change_entity, topic_of
    from landbridge.schema.model import Kind

    names = [topic_of(entity.name if entity.kind is Kind.EVENT else change_entity(entity.name)) for entity in catalog]
    close = difflib.get_close_matches(topic, names, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def describe(flow: Flow) -> Iterator[str]:
    """What a flow does, a line each."""
    for on in flow.subscriptions:
        key = "the event's own key" if on.key is None else on.key
        yield (
            f"{on.name}: each event of {on.topic}, in order by {key}; {on.retry.attempts} tries, then a dead letter "
            f"({'its key waits' if on.on_failure == 'hold' else 'its key goes on'})"
        )
    for every in flow.schedules:
        yield f"{every.name}: every {_period(every.seconds)}"
    for name in flow.credentials:
        yield f"calls out to {name}"


def _period(seconds: float) -> str:
    for unit, size in (("days", 86_400.0), ("hours", 3600.0), ("minutes", 60.0)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} seconds"
