"""
E-Bikes kept in step by events alone: the Salesforce CLI changes an order, a published Pub/Sub client sees it; kill -9, again.

`salesforce-pubsub-api-client` subscribes to changes of Order__c and to Manufacturing_Event__e, over TLS, and reconnects with the last
replay ids it has seen.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.clients.conftest import HERE
from tests.clients.test_sf_logins import Cli
from tests.support.serving import Served

pytestmark = pytest.mark.client

CHANGES, EVENTS = "/data/Order__ChangeEvent", "/event/Manufacturing_Event__e"
FOLLOW = """
const {{ default: PubSubApiClient }} = await import('salesforce-pubsub-api-client');
const org = {ready}, last = {last};
const quiet = {{ debug() {{}}, info() {{}}, warn() {{}}, error() {{}} }};
const client = new PubSubApiClient({{
    authType: 'user-supplied', accessToken: org.access_token, instanceUrl: org.url.replace('http:', 'https:'),
    organizationId: org.org_id, pubSubEndpoint: org.pubsub_tls, rejectUnauthorizedSsl: false }}, quiet);
await client.connect();
const say = (topic) => (info, type, data) => {{
    if (type === 'event') console.log(JSON.stringify({{ topic, ...data }}, (_, v) => typeof v === 'bigint' ? Number(v) : v));
    if (type === 'error') process.exit(3);
}};
for (const topic of {topics}) {{
    if (last[topic]) client.subscribeFromReplayId(topic, say(topic), 100, last[topic]);
    else client.subscribeFromEarliestEvent(topic, say(topic), 100);
}}
"""


class Follower:
    """The client's process and what it has told so far."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []
        self.last: dict[str, int] = {}
        self._process: subprocess.Popen[str]

    @contextmanager
    def following(self, ready: dict[str, Any]) -> Iterator[None]:
        script = FOLLOW.format(
            ready=json.dumps(ready), last=json.dumps(self.last), topics=json.dumps([CHANGES, EVENTS])
        )
        self._process = subprocess.Popen(
            [HERE / "node_modules" / ".bin" / "node", "--input-type=module", "-e", script],
            cwd=HERE, stdout=subprocess.PIPE, text=True, env={"NODE_NO_WARNINGS": "1"},
        )  # fmt: skip
        try:
            yield
        finally:
            self._process.kill()
            self._process.communicate()

    def next(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the client ended"
        found: dict[str, Any] = json.loads(line)
        self.seen.append(found)
        self.last[found["topic"]] = found["replayId"]
        return found


@pytest.mark.ledger("pubsub.ebikes", "documented", "our promise: no gap and no repeat across a crash")
def test_an_external_system_stays_in_step_by_events_alone(
    request: pytest.FixtureRequest, tmp_path: Path, home: Path, shared: Path
) -> None:
    cli = Cli(tmp_path)
    options = ("--source", shared / "realinput" / "ebikes", "--capture", "Order__c")
    follower = Follower()
    statuses = iter(["Submitted to Manufacturing", "Approved by Manufacturing", "In Production"])

    def serve() -> Served:
        made = Served(tmp_path, home, *options)
        request.addfinalizer(made.kill)
        return made

    def sf(ready: dict[str, Any], *arguments: str) -> Any:
        environ = {"SF_ACCESS_TOKEN": ready["access_token"], "SF_ORG_INSTANCE_URL": ready["url"]}
        return cli.run("data", *arguments, "--target-org", ready["access_token"], **environ)

    def change(ready: dict[str, Any], order: str) -> str:
        status = next(statuses)
        sf(
            ready,
            "update",
            "record",
            "--sobject",
            "Order__c",
            "--record-id",
            order,
            "--values",
            f"Status__c='{status}'",
        )
        sf(ready, "create", "record", "--sobject", "Manufacturing_Event__e", "--values",
           f"Order_Id__c='{order}' Status__c='{status}'")  # fmt: skip
        return status

    served = serve()
    ready = served.ready()
    account = sf(ready, "create", "record", "--sobject", "Account", "--values", "Name=Bikes")["id"]
    order = sf(ready, "create", "record", "--sobject", "Order__c", "--values", f"Account__c={account} Status__c=Draft")[
        "id"
    ]
    with follower.following(ready):
        assert follower.next()["payload"]["ChangeEventHeader"]["changeType"] == "CREATE"
        first = change(ready, order)
        while len(follower.seen) < 3:
            follower.next()
        served.kill()
    served = serve()
    ready = served.ready()
    missed = change(ready, order)  # while nobody listens
    with follower.following(ready):
        while len(follower.seen) < 5:
            follower.next()
        last = change(ready, order)
        while len(follower.seen) < 7:
            follower.next()
    served.kill()

    changes = [found for found in follower.seen if found["topic"] == CHANGES]
    events = [found for found in follower.seen if found["topic"] == EVENTS]
    updates = [found["payload"] for found in changes[1:]]
    assert [payload["Status__c"] for payload in updates] == [first, missed, last]
    assert [found["payload"]["Status__c"] for found in events] == [first, missed, last]
    for payload in updates:
        header = payload["ChangeEventHeader"]
        assert (header["changeType"], header["recordIds"]) == ("UPDATE", [order])
        assert set(header["changedFields"]) == {"Status__c", "LastModifiedDate"}
    for kind in (changes, events):
        numbers = [found["replayId"] for found in kind]
        assert numbers == sorted(set(numbers))
