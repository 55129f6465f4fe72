"""
What is selected, kept in the database and changed while the org runs: members of channels, custom channels, partition keys.

A change takes effect with its commit: topics, captured objects and waiting subscribers follow at once.

Source: `metadata.md` section 3 (PlatformEventChannel, PlatformEventChannelMember, PlatformEventSubscriberConfig).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from landbridge.errors import FieldIntegrity, NotFound, SalesforceError
from landbridge.events.channels import DEFAULT, SUFFIX, Channels, Member
from landbridge.events.log import SQLEventLog
from landbridge.events.model import CHANGE_SUFFIX, change_entity, topic_of
from landbridge.schema import Numbers
from landbridge.storage import Reader, Tx

TABLES = (
    "CREATE TABLE lb_channel (name TEXT PRIMARY KEY NOT NULL COLLATE NOCASE, id TEXT NOT NULL, type TEXT NOT NULL, "
    "label TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE lb_channel_member (channel TEXT NOT NULL COLLATE NOCASE, entity TEXT NOT NULL COLLATE NOCASE, "
    "id TEXT NOT NULL, topic TEXT NOT NULL, filter TEXT, PRIMARY KEY (channel, entity)) WITHOUT ROWID",
    "CREATE TABLE lb_partition_key (entity TEXT PRIMARY KEY NOT NULL COLLATE NOCASE, field TEXT NOT NULL) WITHOUT ROWID",
    # What SOQL sees of them; it orders by rowid, which a view has to have as a column.
    # An older file has empty tables of these names.
    'DROP TABLE IF EXISTS "PlatformEventChannel"',
    'DROP TABLE IF EXISTS "PlatformEventChannelMember"',
    """CREATE VIEW "PlatformEventChannel" AS
       SELECT id AS "Id", replace(name, '__chn', '') AS "DeveloperName", type AS "ChannelType", label AS "MasterLabel",
              row_number() OVER (ORDER BY id) AS rowid
       FROM lb_channel""",
    """CREATE VIEW "PlatformEventChannelMember" AS
       SELECT id AS "Id", replace(channel, '__chn', '_chn') || '_' || replace(entity, '__', '_') AS "DeveloperName",
              channel AS "EventChannel", entity AS "SelectedEntity", filter AS "FilterExpression",
              row_number() OVER (ORDER BY id) AS rowid
       FROM lb_channel_member""",
)
_STAMP = """(SELECT value FROM lb_org WHERE key = 'catalog_changed')"""
_USER = """(SELECT value FROM lb_org WHERE key = 'admin_id')"""
_SETUP = f"""
    0 AS "IsDeleted", 'en_US' AS "Language", NULL AS "NamespacePrefix", 'unmanaged' AS "ManageableState",
    {_STAMP} AS "CreatedDate", {_USER} AS "CreatedById", {_STAMP} AS "LastModifiedDate", {_USER} AS "LastModifiedById",
    {_STAMP} AS "SystemModstamp", row_number() OVER (ORDER BY id) AS rowid
"""
# The views once more, with what the Tooling API shows of both. When a channel was made is not kept: they carry the moment at
# which the catalogue last changed.
WHOLE_VIEWS = (
    'DROP VIEW "PlatformEventChannel"',
    'DROP VIEW "PlatformEventChannelMember"',
    f"""CREATE VIEW "PlatformEventChannel" AS
        SELECT id AS "Id", replace(name, '__chn', '') AS "DeveloperName", type AS "ChannelType", label AS "MasterLabel",
               name AS "FullName", json_object('channelType', type, 'label', label, 'urls', NULL) AS "Metadata", {_SETUP}
        FROM lb_channel""",
    f"""CREATE VIEW "PlatformEventChannelMember" AS
        SELECT id AS "Id", replace(channel, '__chn', '_chn') || '_' || replace(entity, '__', '_') AS "DeveloperName",
               entity AS "MasterLabel", channel AS "EventChannel", entity AS "SelectedEntity", filter AS "FilterExpression",
               replace(channel, '__chn', '_chn') || '_' || replace(entity, '__', '_') AS "FullName",
               json_object('enrichedFields', json_array(), 'eventChannel', channel, 'filterExpression', filter,
                           'selectedEntity', entity, 'urls', NULL) AS "Metadata", {_SETUP}
        FROM lb_channel_member""",
)

MEMBERS = "SELECT channel, entity, filter FROM lb_channel_member ORDER BY channel, entity"
HAS_MEMBER = "SELECT 1 FROM lb_channel_member WHERE channel = ? AND entity = ?"
CUSTOM = "SELECT name, type FROM lb_channel ORDER BY name"
KEEP_MEMBER = """
    INSERT INTO lb_channel_member (channel, entity, id, topic, filter) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (channel, entity) DO UPDATE SET filter = excluded.filter
"""
KEEP_CHANNEL = """
    INSERT INTO lb_channel (name, id, type, label) VALUES (?, ?, ?, ?)
    ON CONFLICT (name) DO UPDATE SET label = excluded.label
"""
REMOVE_MEMBER = "DELETE FROM lb_channel_member WHERE channel = ? AND entity = ?"
KEYS = "SELECT entity, field FROM lb_partition_key"
KEEP_KEY = "INSERT OR REPLACE INTO lb_partition_key (entity, field) VALUES (?, ?)"

MEMBER_PREFIX, CHANNEL_PREFIX = "0v8", "0YL"


class Selection:
    """The selection of one org."""

    def __init__(self, log: SQLEventLog, numbers: Numbers) -> None:
        self._log = log
        self._numbers = numbers
        self._keys: dict[str, str] = {}

    def load(self, reader: Reader) -> None:
        """Take up what is kept. The one place besides a commit's hook that may: the server is not open yet."""
        self._log.channels = _channels(reader)
        self._keys = {entity.lower(): field for entity, field in reader.all(KEYS)}

    def add(self, tx: Tx, entity: str, *, channel: str = DEFAULT, condition: str | None = None) -> Member:
        """
        Let a channel carry an entity: `Account`, `AccountChangeEvent` or `Order__e`; one that is there gets this filter.

        Raises FieldIntegrity for what can't be carried, and what is wrong with the filter.
        """
        log = self._log
        name = self._named(entity)
        if name is None:
            raise FieldIntegrity(f"{entity} has no change events and is no platform event", fields=("SelectedEntity",))
        kind = self._kind(tx, channel)
        if (kind == "data") is not name.endswith(CHANGE_SUFFIX):
            raise FieldIntegrity(f"{channel} carries no {name}: it is a channel of {kind}", fields=("SelectedEntity",))
        if condition:
            log.topics.compile(condition, name)
        tx.run(KEEP_MEMBER, (channel, name, self._numbers.id(tx, MEMBER_PREFIX), topic_of(name), condition or None))
        self._changed(tx)
        return Member(channel, name, condition or None)

    def capture(self, tx: Tx, entity: str) -> None:
        """Put an object on the default channel unless it is there (a filter it has stays). Raises as `add` does."""
        name = self._named(entity)
        if name is None or tx.one(HAS_MEMBER, (DEFAULT, name)) is None:
            self.add(tx, entity)

    def _named(self, entity: str) -> str | None:
        topics = self._log.topics
        known = self._log.entity(entity)
        if known is not None and not entity.lower().endswith(("__e", CHANGE_SUFFIX.lower())):
            entity = change_entity(known.name)
        return topics.member_entity(Member(DEFAULT, entity))

    def _kind(self, reader: Reader, channel: str) -> str:
        if channel.lower() == DEFAULT.lower():
            return "data"
        for name, kind in reader.all(CUSTOM):
            if name.lower() == channel.lower():
                return str(kind)
        raise NotFound(f"There is no channel {channel}.")

    def remove(self, tx: Tx, entity: str, *, channel: str = DEFAULT) -> None:
        """Take an entity off a channel. Raises NotFound where it is not on it."""
        name = self._named(entity) or entity
        if not tx.run(REMOVE_MEMBER, (channel, name)):
            raise NotFound(f"{name} is not on the channel {channel}.")
        self._changed(tx)

    def add_channel(self, tx: Tx, name: str, kind: str, label: str) -> None:
        """Make a custom channel `..__chn` of `data` or `event`. Raises FieldIntegrity."""
        if not name.endswith(SUFFIX) or kind not in ("data", "event"):
            raise FieldIntegrity(
                f"a channel is called ..{SUFFIX} and is of type data or event: {name}, {kind}", fields=()
            )
        tx.run(KEEP_CHANNEL, (name, self._numbers.id(tx, CHANNEL_PREFIX), kind, label or name))
        self._changed(tx)

    def _changed(self, tx: Tx) -> None:
        channels = _channels(tx)

        def after_commit() -> None:
            self._log.channels = channels

        tx.after_commit(after_commit)

    # --- partition keys ------------------------------------------------------------------------------------------

    def key_of(self, entity: str) -> str | None:
        """The field whose value is the key of a platform event; None where its uuid is."""
        return self._keys.get(entity.lower())

    def set_key(self, tx: Tx, path: str) -> None:
        """`Order__e.Number__c` of a PlatformEventSubscriberConfig; `EventUuid` changes nothing. Raises FieldIntegrity."""
        entity_name, _, field_name = path.partition(".")
        if not field_name:
            if path != "EventUuid":
                raise FieldIntegrity(
                    f"a partitionKey is EventUuid or Event__e.Field__c, not {path}", fields=("partitionKey",)
                )
            return
        entity = self._log.entity(entity_name)
        field = None if entity is None else entity.field(field_name)
        if entity is None or field is None:
            raise FieldIntegrity(f"there is no {path} to be a partitionKey", fields=("partitionKey",))
        tx.run(KEEP_KEY, (entity.name, field.name))
        tx.after_commit(lambda: self._keys.__setitem__(entity.name.lower(), field.name))

    # --- from source ---------------------------------------------------------------------------------------------

    def take(
        self, tx: Tx, channels: Sequence[tuple[str, str, str]], members: Sequence[Member], keys: Sequence[str]
    ) -> list[str]:
        """Take what a source says: (name, type, label) of channels, members, partition keys. Returns what was refused."""
        refused: list[str] = []
        for name, kind, label in channels:
            with _noting(refused, f"channel {name}"):
                self.add_channel(tx, name, kind, label)
        for member in members:
            with _noting(refused, f"{member.entity} on {member.channel}"):
                self.add(tx, member.entity, channel=member.channel, condition=member.filter)
        for key in keys:
            with _noting(refused, f"partition key {key}"):
                self.set_key(tx, key)
        return refused

    def members(self, reader: Reader) -> tuple[Member, ...]:
        """Every member of every channel."""
        return _channels(reader).members


@contextmanager
def _noting(refused: list[str], what: str) -> Iterator[None]:
    try:
        yield
    except SalesforceError as error:
        refused.append(f"{what}: {error.message}")


def _channels(reader: Reader) -> Channels:
    members = tuple(Member(*row) for row in reader.all(MEMBERS))
    return Channels(members, tuple((name, kind) for name, kind in reader.all(CUSTOM)))
