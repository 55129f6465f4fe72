"""salesforce-pubsub-api-client, unmodified, over TLS: events and change events decoded, published, a managed subscription."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients.conftest import HERE, Served, serve
from tests.events.conftest import write_source

pytestmark = pytest.mark.client

PRELUDE = """
const {{ default: PubSubApiClient }} = await import('salesforce-pubsub-api-client');
const org = {ready};
const quiet = {{ debug() {{}}, info() {{}}, warn() {{}}, error() {{}} }};
const connect = async () => {{
    const client = new PubSubApiClient({{
        authType: 'user-supplied', accessToken: org.access_token, instanceUrl: org.url.replace('http:', 'https:'),
        organizationId: org.org_id, pubSubEndpoint: org.pubsub_tls, rejectUnauthorizedSsl: false,
    }}, quiet);
    await client.connect();
    return client;
}};
const rest = async (method, path, body) => {{
    const reply = await fetch(org.url + '/services/data/v67.0' + path, {{ method, body: body && JSON.stringify(body),
        headers: {{ Authorization: `Bearer ${{org.access_token}}`, 'Content-Type': 'application/json' }} }});
    return reply.status === 204 ? null : reply.json();
}};
const plain = (value) => JSON.parse(JSON.stringify(value, (_, v) => typeof v === 'bigint' ? Number(v) : v));
const payload = {{ CreatedDate: Date.now(), CreatedById: org.user_id, Text__c: {{ string: 'Grüße' }}, Needed__c: 'n',
                  Amount__c: {{ double: 1.5 }}, Flag__c: {{ boolean: true }}, Day__c: null, Moment__c: null, Long__c: null }};
// A place in the log that every subscription can start after: no waiting until the server knows a subscription.
const place = async (client) => (await client.publish('/event/Later__e', payload)).replayId;
// Collects so many events; `started` makes them, or some of them. The client hands over
// events whose schema it still fetches behind later ones: they are put in the order of their replay ids.
const collect = async (subscribe, count, started) => {{
    const events = [];
    const all = new Promise((resolve, reject) => subscribe((info, type, data) => {{
        if (type === 'event') {{ events.push(plain(data)); if (events.length === count) resolve(); }}
        if (type === 'error') reject(data);
    }}));
    if (started) await started();
    await all;
    return events.sort((a, b) => a.replayId - b.replayId);
}};
"""


@pytest.fixture(scope="module")
def bus(tmp_path_factory: pytest.TempPathFactory, home: Path) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("pubsub-served")
    with serve(folder, home, "--source", write_source(folder / "source"), "--capture", "Contact,Thing__c") as served:
        yield served


@pytest.fixture(scope="module")
def node(bus: Served) -> Callable[[str], Any]:
    """Runs JavaScript with the client's `connect` in scope; what it returns comes back."""
    program = HERE / "node_modules" / ".bin" / "node"
    if not program.exists():
        pytest.skip("the JavaScript clients are not installed: run `make test`, which needs npm")

    def run(body: str) -> Any:
        script = (
            PRELUDE.format(ready=json.dumps(bus.ready))
            + f"""
            const work = async () => {{ {body} }};
            work().then((found) => {{ process.stdout.write(JSON.stringify(found)); process.exit(0); }},
                        (error) => {{ console.error(error); process.exit(1); }});
        """
        )
        done = subprocess.run(
            [program, "--input-type=module", "-e", script], cwd=HERE, capture_output=True, text=True, timeout=60, check=False,
            env={"NODE_TLS_REJECT_UNAUTHORIZED": "0", "NODE_NO_WARNINGS": "1"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def test_publishes_and_receives(node: Callable[[str], Any]) -> None:
    found = node("""
        const client = await connect();
        const published = [], start = await place(client);
        const events = await collect((call) => client.subscribeFromReplayId('/event/Later__e', call, 3, start), 3, async () => {
            published.push(await client.publish('/event/Later__e', payload, 'one'));
            await new Promise((done) => client.publishBatch('/event/Later__e', [{ payload }, { payload }], (info, type, data) => {
                published.push(...data.results); done();
            }));
        });
        return { published: plain(published), events };
    """)

    assert [one["replayId"] for one in found["published"]] == [one["replayId"] for one in found["events"]]
    assert found["published"][0]["correlationKey"] == "one"
    payload = found["events"][0]["payload"]
    assert (payload["Text__c"], payload["Needed__c"], payload["Amount__c"], payload["Flag__c"]) == (
        "Grüße",
        "n",
        1.5,
        True,
    )
    assert payload["CreatedDate"] > 1_700_000_000_000


def test_change_events_with_the_names_of_their_fields(node: Callable[[str], Any]) -> None:
    found = node("""
        const client = await connect();
        const start = await place(client);
        return collect((call) => client.subscribeFromReplayId('/data/ContactChangeEvent', call, 3, start), 3, async () => {
            const made = await rest('POST', '/sobjects/Contact', { LastName: 'Before', Phone: '1' });
            await rest('PATCH', `/sobjects/Contact/${made.id}`, { FirstName: 'Ann', LastName: 'After', Phone: null, MailingCity: 'Ulm' });
            await rest('DELETE', `/sobjects/Contact/${made.id}`);
        });
    """)

    created, updated, deleted = (event["payload"] for event in found)
    headers = [payload["ChangeEventHeader"] for payload in (created, updated, deleted)]
    assert [header["changeType"] for header in headers] == ["CREATE", "UPDATE", "DELETE"]
    assert len({header["recordIds"][0] for header in headers}) == 1
    assert headers[0]["changedFields"] == []
    assert {"Phone", "LastModifiedDate", "Name.FirstName", "Name.LastName", "MailingAddress.City"} == set(
        headers[1]["changedFields"]
    )
    assert headers[1]["nulledFields"] == ["Phone"]
    assert updated["Name"]["LastName"] == "After"
    assert updated["MailingAddress"]["City"] == "Ulm"


def test_from_the_earliest_and_from_a_replay_id(node: Callable[[str], Any]) -> None:
    found = node("""
        const client = await connect();
        for (const Needed__c of ['a', 'b', 'c']) await rest('POST', '/sobjects/Now__e', { Needed__c });
        const all = await collect((call) => client.subscribeFromEarliestEvent('/event/Now__e', call, 3), 3);
        const other = await connect();
        const later = await collect((call) => other.subscribeFromReplayId('/event/Now__e', call, 2, all[0].replayId), 2);
        return [all, later].map((events) => events.map((event) => event.payload.Needed__c));
    """)

    assert found == [["a", "b", "c"], ["b", "c"]]


def test_a_managed_subscription_with_its_commit(node: Callable[[str], Any]) -> None:
    first = node("""
        await rest('POST', '/tooling/sobjects/ManagedEventSubscription', { FullName: 'Node', Metadata: {
            label: 'Node', topicName: '/data/Thing__ChangeEvent', defaultReplay: 'EARLIEST', errorRecoveryReplay: 'LATEST', state: 'RUN' } });
        const { records: [{ Id }] } = await rest('GET',
            "/tooling/query?q=SELECT+Id+FROM+ManagedEventSubscription+WHERE+DeveloperName='Node'");
        for (const Note__c of ['x', 'y', 'z']) await rest('POST', '/sobjects/Thing__c', { Name: 'Thing', Note__c });
        const client = await connect();
        const first = await collect((call) => client.subscribeWithManagedSubscription('Node', call, 3), 3);
        client.commitReplayId(Id, first[1].replayId);
        // the client does not hand over the answer: wait until the org shows the position
        const where = "/query?q=SELECT+Position+FROM+EventBusSubscriber+WHERE+Name='Node'";
        while ((await rest('GET', where)).records[0].Position !== first[1].replayId) {}
        return first.map((event) => event.payload.Note__c);
    """)
    second = node("""
        const client = await connect();
        const events = await collect((call) => client.subscribeWithManagedSubscription('Node', call, 1), 1);
        return events.map((event) => event.payload.Note__c);
    """)

    assert (first, second) == (["x", "y", "z"], ["z"])


def test_errors_carry_salesforces_code(node: Callable[[str], Any]) -> None:
    found = node("""
        const client = await connect();
        return new Promise((resolve) => client.subscribe('/event/Nothing__e', (info, type, data) => {
            if (type === 'error') resolve({ code: data.code, details: data.details, trailer: data.metadata.get('error-code')[0] });
        }, 1));
    """)

    assert found["code"] == 5
    assert found["trailer"] == "sfdc.platform.eventbus.grpc.topic.not.found"
    assert "rpcId: " in found["details"]


@pytest.mark.parametrize("auth", ["username-password", "oauth-client-credentials"])
def test_the_clients_own_logins(node: Callable[[str], Any], auth: str) -> None:
    found = node(f"""
        const client = new PubSubApiClient({{
            authType: '{auth}', loginUrl: org.url, username: org.username, password: org.password,
            userToken: org.security_token, clientId: org.client_id, clientSecret: org.client_secret,
            pubSubEndpoint: org.pubsub_tls, rejectUnauthorizedSsl: false,
        }}, quiet);
        await client.connect();
        return plain(await client.publish('/event/Later__e', payload, '{auth}'));
    """)

    assert found["correlationKey"] == auth
    assert found["replayId"] > 0
