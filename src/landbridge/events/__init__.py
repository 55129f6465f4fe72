"""
Events: one ordered, replayable log beside the data, platform events and change events alike.

`model` (what an event is), `log` (append, read, wait), `topics` (names and filtered views), `schemas` and `avro` (how bytes
look), `changes` (a record's change as an event), `publish`, `channels` (what is captured), `subscriptions`, `retention`.
"""

from landbridge.events import log, managed, schemas, selection, subscriptions
from landbridge.events.channels import Channels, Member
from landbridge.events.draft import Draft
from landbridge.events.log import EventLog, ReplayIdInvalid, SQLEventLog
from landbridge.events.managed import Managed, ManagedSubscriptions
from landbridge.events.model import DEAD_LETTER, ChangeHeader, Event
from landbridge.events.publish import Publisher
from landbridge.events.retention import Retention
from landbridge.events.selection import Selection
from landbridge.events.subscriptions import Subscription, Subscriptions
from landbridge.events.topics import Topic, Topics

TABLES = (*log.TABLES, *schemas.TABLES, *subscriptions.TABLES)
CHANNEL_VIEWS = selection.WHOLE_VIEWS
SELECTION = (*selection.TABLES, *subscriptions.VIEW)
"""What came a migration later: channels and their members, partition keys, what SOQL sees of them and of subscriptions."""

MANAGED = managed.TABLES
SPANS = (*log.SPANS, *subscriptions.SPANS_VIEW)

__all__ = [
    "CHANNEL_VIEWS", "DEAD_LETTER", "MANAGED", "SPANS", "TABLES",
    "ChangeHeader", "Channels", "Draft", "Event", "EventLog", "Managed", "ManagedSubscriptions", "Member",
    "Publisher", "ReplayIdInvalid", "Retention", "SQLEventLog", "Selection", "Subscription", "Subscriptions", "Topic", "Topics",
]  # fmt: skip
