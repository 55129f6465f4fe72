"""An org with two platform events and captured objects, for all tests of events."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from landbridge.events.model import Event
from tests.support.running import RunningOrg

OBJECT = '<CustomObject xmlns="http://soap.sforce.com/2006/04/metadata"><label>{0}</label><pluralLabel>{0}s</pluralLabel>{1}</CustomObject>'
FIELD = '<fields xmlns="http://soap.sforce.com/2006/04/metadata"><fullName>{0}</fullName><label>{0}</label>{1}</fields>'


def event_object(behavior: str, *fields: str) -> str:
    inner = f"<eventType>HighVolume</eventType><publishBehavior>{behavior}</publishBehavior>" + "".join(fields)
    return OBJECT.format("Event", inner)


FIELDS = (
    FIELD.format("Text__c", "<type>Text</type><length>80</length>"),
    FIELD.format("Needed__c", "<type>Text</type><length>80</length><required>true</required>"),
    FIELD.format("Amount__c", "<type>Number</type><precision>10</precision><scale>2</scale>"),
    FIELD.format("Flag__c", "<type>Checkbox</type><defaultValue>false</defaultValue>"),
    FIELD.format("Day__c", "<type>Date</type>"),
    FIELD.format("Moment__c", "<type>DateTime</type>"),
    FIELD.format("Long__c", "<type>LongTextArea</type><length>131072</length><visibleLines>3</visibleLines>"),
)


def write_source(folder: Path) -> Path:
    """A package with `Later__e` (after commit), `Now__e` (immediately) and a custom object with a place and a name."""
    for name, behavior in (("Later__e", "PublishAfterCommit"), ("Now__e", "PublishImmediately")):
        made = folder / "objects" / name
        made.mkdir(parents=True)
        (made / f"{name}.object-meta.xml").write_text(event_object(behavior, *FIELDS))
    made = folder / "objects" / "Thing__c"
    made.mkdir(parents=True)
    fields = (
        FIELD.format("Place__c", "<type>Location</type><scale>5</scale>"),
        FIELD.format("Note__c", "<type>Text</type><length>80</length>"),
        FIELD.format("Parent__c", "<type>Lookup</type><referenceTo>Account</referenceTo>"
                     "<relationshipName>Things</relationshipName><deleteConstraint>SetNull</deleteConstraint>"),
    )  # fmt: skip
    (made / "Thing__c.object-meta.xml").write_text(
        OBJECT.format("Thing", "<nameField><label>Name</label><type>Text</type></nameField>" + "".join(fields))
    )
    return folder


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_source(tmp_path_factory.mktemp("events-source"))


@pytest.fixture(scope="module")
def bus(home: Path, source: Path) -> Iterator[RunningOrg]:
    with RunningOrg(
        home=home, source=(source,), capture=("Account", "Contact", "Thing__c", "Case"), daily_api_requests=1_000_000
    ) as org:
        yield org


class Tail:
    """What has happened on a topic since it was made."""

    def __init__(self, org: RunningOrg, topic: str) -> None:
        self.org = org
        self.log = org.door.server.events
        self.at = self._do(lambda: self.log.tip())
        self.topic = topic

    def _do(self, work: Any) -> Any:
        async def on_loop() -> Any:
            return work()

        return self.org.do(on_loop)

    def events(self) -> list[Event]:
        """The new events, by way of the log's seam."""

        def work() -> list[Event]:
            topic = self.log.topic(self.topic)
            assert topic is not None
            found = self.log.read(topic, self.at, 10_000)
            self.at = self.log.tip()
            return found

        found: list[Event] = self._do(work)
        return found

    def json(self, event: Event) -> Any:
        return msgspec.json.decode(self._do(lambda: self.log.json(event)))

    def avro(self, event: Event) -> bytes:
        found: bytes = self._do(lambda: self.log.avro(event))
        return found


@pytest.fixture
def tail(bus: RunningOrg) -> Any:
    return lambda topic: Tail(bus, topic)
