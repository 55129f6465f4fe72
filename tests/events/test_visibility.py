"""Hidden fields stay hidden in change events: neither values nor names, over Pub/Sub as over CometD."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from landbridge.access import Access
from landbridge.ids import RecordId
from landbridge.wire.pubsub.service import Service
from tests.events.conftest import Tail
from tests.support.running import RunningOrg


@pytest.mark.ledger(
    "events.visibility", "documented", "change events respect field-level security; platform events have none"
)
def test_a_user_sees_no_trace_of_hidden_fields(home: Path, source: Path) -> None:
    hide = ("Contact.Phone", "Contact.FirstName", "Contact.MailingCity", "Later__e.Text__c")
    with RunningOrg(home=home, source=(source,), capture=("Contact",), hide=hide) as org:
        changes, platform = Tail(org, "/data/ContactChangeEvent"), Tail(org, "/event/Later__e")
        contact = org.create(
            "Contact", LastName="Lee", FirstName="Ann", Phone="12345", MailingCity="Bern", MailingState="BE"
        )
        org.data("PATCH", f"/sobjects/Contact/{contact}", {"Phone": None, "FirstName": "Eve", "Department": "x"})
        org.create("Later__e", Needed__c="a", Text__c="seen by all")
        hidden = frozenset((a.lower(), b.lower()) for a, b in (pair.split(".") for pair in hide))
        access = Access(RecordId("005000000000009AAA"), hidden=hidden)
        server = org.door.server

        async def see() -> tuple[list[bytes], list[bytes]]:
            service = Service(server)
            everybody = service._frames_for(SimpleNamespace(access=Access(server.org.admin_id)))  # type: ignore[arg-type]
            theirs = service._frames_for(SimpleNamespace(access=access))  # type: ignore[arg-type]
            assert theirs is service._frames_for(SimpleNamespace(access=copied(access)))  # type: ignore[arg-type]
            return [everybody._payload(event) for event in found], [theirs._payload(event) for event in found]

        found = changes.events()
        whole, cut = org.do(see)
        (event,) = platform.events()
        shown = [server.events.visible(one, access) for one in found]

        assert all(word in b"".join(whole) for word in (b"12345", b"Eve", b"Ann", b"Bern"))
        assert not any(word in b"".join(cut) for word in (b"12345", b"Eve", b"Ann", b"Bern"))
        assert b"Lee" in cut[0]
        assert shown[0].values["Name"] == {"LastName": "Lee"}
        assert shown[0].values["MailingAddress"] == {"State": "BE"}
        assert shown[1].header is not None
        assert shown[1].header.changed_fields == ("Department", "LastModifiedDate")
        assert shown[1].header.nulled_fields == ()
        assert server.events.visible(event, access) is event


def copied(access: Access) -> Access:
    """An equal value that is another object, as another session has it."""
    return Access(access.user_id, access.profile, access.read_only, frozenset(access.hidden))
