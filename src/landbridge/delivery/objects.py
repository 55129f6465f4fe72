"""
`Failed_Payload__c`: dead letters as an object that SOQL, REST and the command line read; nobody writes it over the API.

Landbridge's own object (no Salesforce org has one). It is also where dead letters are kept: there is no second copy.
"""

from __future__ import annotations

from typing import Any

from landbridge.events.model import DEAD_LETTER
from landbridge.schema.model import Field, Kind, PicklistValue, SObject

NAME = "Failed_Payload__c"
PREFIX = "aLF"
STATUSES = ("Open", "Replaying", "Resolved", "Discarded")
LONG = 131_072


def _field(name: str, label: str, type_: str, **more: Any) -> Field:
    custom = name.endswith("__c")
    return Field(name=name, label=label, type=type_, createable=False, updateable=False, custom=custom, **more)


FAILED_PAYLOAD = SObject(
    name=NAME,
    label="Failed Payload",
    label_plural="Failed Payloads",
    key_prefix=PREFIX,
    kind=Kind.SYSTEM,
    flags={
        "createable": False, "updateable": False, "deletable": False, "undeletable": False, "queryable": True,
        "retrieveable": True, "searchable": False, "replicateable": False, "layoutable": False, "triggerable": False,
    },
    fields=(
        _field("Id", "Record ID", "id"),
        _field("Name", "Failed Payload", "string", length=80, name_field=True),
        _field("CreatedDate", "Created Date", "datetime", nillable=False),
        _field("SystemModstamp", "System Modstamp", "datetime", nillable=False),
        _field("Subscription__c", "Subscription", "string", length=255, external_id=True),
        _field("Topic__c", "Topic", "string", length=255),
        _field("Key__c", "Key", "string", length=255, external_id=True),
        _field("Event_Uuid__c", "Event UUID", "string", length=80, external_id=True),
        _field("Replay_Id__c", "Replay ID", "double", precision=18, scale=0),
        _field("Delivery__c", "Delivery", "double", precision=18, scale=0, external_id=True),
        _field("Status__c", "Status", "picklist", length=40,
               picklist_values=tuple(PicklistValue(value=one, label=one) for one in STATUSES)),
        _field("Holds_Key__c", "Holds Its Key", "boolean"),
        _field("Cause__c", "Cause", "string", length=255),
        _field("Fingerprint__c", "Fingerprint", "string", length=12, external_id=True),
        _field("Kind__c", "Kind", "string", length=40),
        _field("Code__c", "Code", "string", length=80),
        _field("Http_Status__c", "HTTP Status", "int", digits=3),
        _field("Error__c", "Error", "textarea", length=LONG),
        _field("Attempts__c", "Attempts", "int", digits=8),
        _field("Attempt_Log__c", "Attempt Log", "textarea", length=LONG),
        _field("Flow_Version__c", "Flow Version", "string", length=64),
        _field("Correlation_Id__c", "Correlation ID", "string", length=80),
        _field("Payload__c", "Payload", "textarea", length=LONG),
        _field("Edited_Payload__c", "Edited Payload", "textarea", length=LONG),
        _field("Replays__c", "Replays", "int", digits=8),
        _field("Reason__c", "Reason", "string", length=255),
    ),
)  # fmt: skip

DEAD_LETTER_EVENT = SObject(
    name=DEAD_LETTER,
    label="Dead Letter",
    label_plural="Dead Letters",
    key_prefix="e0D",
    kind=Kind.EVENT,
    flags={"createable": False},
    publish_behavior="PublishAfterCommit",
    fields=(
        _field("ReplayId", "Replay ID", "string", length=1000),
        _field("CreatedDate", "Created Date", "datetime", nillable=False, defaulted_on_create=True),
        _field("CreatedById", "Created By ID", "reference", nillable=False, defaulted_on_create=True,
               relationship_name="CreatedBy", reference_to=("User",)),
        _field("EventUuid", "Event UUID", "string", length=36),
        _field("Letter__c", "Failed Payload", "string", length=18),
        _field("Subscription__c", "Subscription", "string", length=255),
        _field("Topic__c", "Topic", "string", length=255),
        _field("Key__c", "Key", "string", length=255),
        _field("Event_Uuid__c", "Event UUID", "string", length=80),
        _field("Cause__c", "Cause", "string", length=255),
        _field("Fingerprint__c", "Fingerprint", "string", length=12),
        _field("Attempts__c", "Attempts", "double", precision=8, scale=0),
        _field("Error__c", "Error", "textarea", length=LONG),
        _field("Payload__c", "Payload", "textarea", length=LONG),
    ),
)  # fmt: skip
"""What `/dead/<subscription>` shows: one event each time a delivery is given up on."""

OBJECTS = (FAILED_PAYLOAD, DEAD_LETTER_EVENT)
