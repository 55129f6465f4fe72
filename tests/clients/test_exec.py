"""Programs that know nothing of Landbridge, under `landbridge exec`, unchanged."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clients.conftest import HERE, Served
from tests.conftest import ROOT

pytestmark = pytest.mark.client

LOGIN = ("--username", "ops@acme.example.com", "--password", "pa55-word", "--security-token", "T0ken")

PYTHON = """
from simple_salesforce import Salesforce
sf = Salesforce(username="ops@acme.example.com", password="pa55-word", security_token="T0ken")
made = sf.Account.create({"Name": "Unchanged"})
print(sf.sf_instance, sf.query(f"SELECT Name FROM Account WHERE Id = '{made['id']}'")["records"][0]["Name"])
"""
JAVASCRIPT = """
const jsforce = require('jsforce');
(async () => {
  const c = new jsforce.Connection();
  await c.login('ops@acme.example.com', 'pa55-wordT0ken');
  const made = await c.sobject('Account').create({Name: 'Unchanged'});
  console.log(c.loginUrl ?? c.oauth2.loginUrl, (await c.sobject('Account').retrieve(made.id)).Name);
})().catch((error) => { console.error(error); process.exit(1); });
"""
# The two halves of a manufacturing app: it watches one topic and publishes to another, over the Pub/Sub API's own host. The client
# brings authorities of its own, so it is told not to ask them; nothing else is said to it.
TWO_SIDED = """
const jsforce = require('jsforce');
const PubSubApiClient = require('salesforce-pubsub-api-client').default;
const quiet = { debug() {}, info() {}, warn() {}, error: console.error };
(async () => {
  const c = new jsforce.Connection({ loginUrl: 'https://login.salesforce.com', version: '62.0' });
  const who = await c.login('ops@acme.example.com', 'pa55-wordT0ken');
  const client = new PubSubApiClient({
    authType: 'user-supplied', accessToken: c.accessToken, instanceUrl: c.instanceUrl, organizationId: who.organizationId,
    rejectUnauthorizedSsl: false,
  }, quiet);
  await client.connect();
  const seen = [];
  const both = new Promise((done) => {
    const take = (_, kind, data) => { if (kind === 'event' && seen.push(data) === 2) done(); };
    client.subscribeFromEarliestEvent('/data/Garden_Order__ChangeEvent', take);
    client.subscribeFromEarliestEvent('/event/Packing_Event__e', take);
  });
  const order = await c.sobject('Garden_Order__c').create({ Status__c: 'New' });
  while (!seen.length) await new Promise((next) => setTimeout(next, 20));
  await client.publish('/event/Packing_Event__e', {
    CreatedDate: Date.now(), CreatedById: c.userInfo.id, Order_Number__c: { string: order.id }, Status__c: { string: 'Packed' },
  });
  await both;
  const [change, report] = seen.map((one) => one.payload);
  console.log(change.ChangeEventHeader.changeType, change.ChangeEventHeader.recordIds[0] === order.id,
              report.Order_Number__c === order.id, report.Status__c);
  process.exit(0); // the client keeps its streams open
})().catch((error) => { console.error(error); process.exit(1); });
"""


def run(home: Path, *arguments: object) -> tuple[int, str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LANDBRIDGE_")}
    done = subprocess.run(
        [sys.executable, "-m", "landbridge", "exec", *map(str, arguments)], env={**kept, "LANDBRIDGE_HOME": str(home)},
        cwd=HERE, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def node() -> Path:
    found = HERE / "node_modules" / ".bin" / "node"
    if not found.exists():
        pytest.skip("the JavaScript clients are not installed: run `make test`, which needs npm")
    return found


def test_a_python_script_with_username_password_and_token_runs_as_it_is(home: Path, tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(PYTHON)

    code, out, errors = run(home, *LOGIN, "--", sys.executable, tmp_path / "script.py")

    assert (code, errors) == (0, "")
    assert out.split()[1] == "Unchanged"
    assert out.split()[0].endswith(".salesforce.com")


def test_a_node_script_with_jsforces_default_login_url_runs_as_it_is(home: Path, node: Path) -> None:
    code, out, errors = run(home, *LOGIN, "--", node, "-e", JAVASCRIPT)

    assert (code, out) == (0, "https://login.salesforce.com Unchanged\n"), errors


def test_nodes_own_fetch_is_led_to_the_org(home: Path, node: Path) -> None:
    script = (
        "fetch('https://test.salesforce.com/services/data').then(async (r) => console.log((await r.json()).length))"
    )

    code, out, errors = run(home, "--", node, "-e", script)

    assert code == 0, errors
    assert int(out) > 30


def test_a_script_reaches_an_org_that_runs(home: Path, org: Served, tmp_path: Path) -> None:
    ready = org.ready
    (tmp_path / "script.py").write_text(
        f"from simple_salesforce import Salesforce\nsf = Salesforce(username={ready['username']!r}, "
        f"password={ready['password']!r}, security_token={ready['security_token']!r})\n"
        "print(sf.query('SELECT Id FROM Organization')['records'][0]['Id'])\n"
    )

    code, out, errors = run(home, "--org", ready["url"], "--only-org", "--", sys.executable, tmp_path / "script.py")

    assert (code, out, errors) == (0, f"{ready['org_id']}\n", "")


def test_a_two_sided_app_finds_the_pubsub_api_under_its_own_host(home: Path, node: Path) -> None:
    shop = ROOT / "examples" / "shop"

    code, out, errors = run(home, *LOGIN, "--source", shop, "--", node, "-e", TWO_SIDED)

    assert (code, out) == (0, "CREATE true true Packed\n"), errors
