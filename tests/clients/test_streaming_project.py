"""
E-Bikes, whole: an order changed with the sf CLI, heard by jsforce over CometD, through a `kill -9`.

Not marked `client`: the project is not ours and lies beside this one, so a clone elsewhere goes without.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.clients.programs import Killable, Rest, Script
from tests.clients.test_sf_logins import Cli

CHANGES, MADE = "/data/Order__ChangeEvent", "/event/Manufacturing_Event__e"
STATUSES = ["Submitted to Manufacturing", "Approved by Manufacturing", "In Production"]


def subscriber(changes: int, made: int) -> str:
    """jsforce on both channels, after these replay ids; it says what comes, by channel."""
    return "".join(
        f"""
        const client{number} = connection().streaming.createClient([new StreamingExtension.Replay('{channel}', {replay})]);
        client{number}.subscribe('{channel}', (message) => say({{channel: '{channel}', message}})).then(() => say('{channel}'));
        """
        for number, (channel, replay) in enumerate(((CHANGES, changes), (MADE, made)))
    )


def last_of(heard: list[Any], channel: str) -> int:
    return max(int(one["message"]["event"]["replayId"]) for one in heard if one["channel"] == channel)


@pytest.mark.slow
@pytest.mark.ledger("cometd.real-project", "observed", "the E-Bikes project through sf and jsforce")
def test_an_order_changed_with_sf_is_heard_by_jsforce_and_nothing_is_missed_over_a_kill(
    shared: Path, tmp_path: Path, home: Path
) -> None:
    server = Killable(tmp_path, home, "--source", shared / "realinput" / "ebikes", "--capture", "Order__c")
    served = server.start()
    rest = Rest(served)
    (tmp_path / "sf").mkdir()
    cli = Cli(tmp_path / "sf")
    try:
        cli.run("org", "login", "access-token", "--instance-url", served.ready["url"], "--no-prompt", "--alias", "bikes",
                SF_ACCESS_TOKEN=served.ready["access_token"])  # fmt: skip

        def change(order: str, status: str) -> None:
            cli.run("data", "update", "record", "--sobject", "Order__c", "--record-id", order, "--values",
                    f"Status__c='{status}'", "--target-org", "bikes")  # fmt: skip

        account = rest.create("Account", Name="Wheelworks")
        with Script(served, subscriber(-1, -1)) as script:
            assert {script.hear(), script.hear()} == {CHANGES, MADE}
            order = rest.create("Order__c", Account__c=account)
            change(order, STATUSES[0])
            rest.create("Manufacturing_Event__e", Order_Id__c=order, Status__c=STATUSES[0])
            heard = [script.hear() for _ in range(3)]
        server.kill()
        rest = Rest(server.start())
        change(order, STATUSES[1])
        rest.create("Manufacturing_Event__e", Order_Id__c=order, Status__c=STATUSES[1])
        after = (last_of(heard, CHANGES), last_of(heard, MADE))
        with Script(rest._served, subscriber(*after)) as script:
            again = [one for one in (script.hear() for _ in range(4)) if isinstance(one, dict)]
            change(order, STATUSES[2])
            rest.create("Manufacturing_Event__e", Order_Id__c=order, Status__c=STATUSES[2])
            again += [script.hear() for _ in range(2)]
    finally:
        server.stop()

    everything = heard + again
    changes = [one["message"]["payload"] for one in everything if one["channel"] == CHANGES]
    headers = [payload["ChangeEventHeader"] for payload in changes]
    assert [header["changeType"] for header in headers] == ["CREATE", "UPDATE", "UPDATE", "UPDATE"]
    assert all(header["recordIds"] == [order] and header["entityName"] == "Order__c" for header in headers)
    assert [payload["Status__c"] for payload in changes] == ["Draft", *STATUSES]
    assert all(set(header["changedFields"]) == {"Status__c", "LastModifiedDate"} for header in headers[1:])
    made = [one["message"]["payload"] for one in everything if one["channel"] == MADE]
    assert [(payload["Order_Id__c"], payload["Status__c"]) for payload in made] == [
        (order, status) for status in STATUSES
    ]
    ids = [one["message"]["event"]["replayId"] for one in everything]
    assert len(set(ids)) == len(ids) == 7
