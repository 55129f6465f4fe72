"""The Salesforce CLI, unmodified: every way it logs in, and who it says it is then."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from tests.clients.conftest import HERE, Served, serve
from tests.support import chromium
from tests.support.browser import Browser
from tests.support.running import RunningOrg

pytestmark = pytest.mark.client

# What the CLI would otherwise ask hosts of the internet, and where it would keep its logins.
QUIET = {
    "SF_DISABLE_TELEMETRY": "true", "SF_SKIP_NEW_VERSION_CHECK": "true", "SF_AUTOUPDATE_DISABLE": "true",
    "SFDX_DISABLE_DNS_CHECK": "true", "SF_USE_GENERIC_UNIX_KEYCHAIN": "true", "SF_DOMAIN_RETRY": "0", "SF_DISABLE_LOG_FILE": "true",
}  # fmt: skip


class Cli:
    """`sf` with a home of its own."""

    def __init__(self, folder: Path) -> None:
        self._sf = HERE / "node_modules" / ".bin" / "sf"
        if not self._sf.exists():
            pytest.skip("the JavaScript clients are not installed: run `make test`, which needs npm")
        self._folder = folder
        path = f"{self._sf.parent}{os.pathsep}{os.environ['PATH']}"
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("LANDBRIDGE_", "SF_", "SFDX_"))
        }
        self._environ = {**kept, **QUIET, "HOME": str(folder), "PATH": path}

    def start(self, *arguments: object, folder: Path | None = None, **environ: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [self._sf, *map(str, arguments)], env={**self._environ, **environ}, cwd=folder or self._folder,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def node(self, *arguments: str) -> subprocess.Popen[str]:
        """A script that uses the CLI's own packages."""
        return subprocess.Popen(
            [self._sf.with_name("node"), *arguments], env=self._environ, cwd=HERE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def run(self, *arguments: object, **environ: str) -> Any:
        """The `result` of a command that must succeed."""
        out, errors = self.start(*arguments, "--json", **environ).communicate(timeout=120)
        answer = json.loads(out)
        assert answer["status"] == 0, (answer, errors)
        return answer["result"]


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with server.key and its self-signed certificate server.crt, as Salesforce's guide has them made."""
    folder = tmp_path_factory.mktemp("keys")
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "shop")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=30))
        .sign(key, hashes.SHA256())
    )
    pem, none = serialization.Encoding.PEM, serialization.NoEncryption()
    (folder / "server.key").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, none))
    (folder / "server.crt").write_bytes(certificate.public_bytes(pem))
    return folder


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, home: Path, keys: Path) -> Iterator[Served]:
    options = ("--connected-app", "shop:hush", "--jwt-certificate", keys / "server.crt")
    with serve(tmp_path_factory.mktemp("shop"), home, *options) as served:
        yield served


@pytest.fixture
def sf(tmp_path: Path) -> Cli:
    return Cli(tmp_path)


def is_me(shop: Served, found: Any) -> None:
    assert (found["username"], found["id"]) == (shop.ready["username"], shop.ready["org_id"])
    assert found["connectedStatus"] == "Connected"


@pytest.mark.ledger("auth.sf-access-token", "observed", "clients.md findings 4 to 7: what sf asks at login")
def test_sf_takes_an_access_token(sf: Cli, shop: Served) -> None:
    sf.run(
        "org", "login", "access-token", "--instance-url", shop.ready["url"], "--no-prompt",
        SF_ACCESS_TOKEN=shop.ready["access_token"],
    )  # fmt: skip

    found = sf.run("org", "display", "--target-org", shop.ready["username"])

    assert (found["username"], found["id"]) == (shop.ready["username"], shop.ready["org_id"])


@pytest.mark.ledger("auth.jwt-bearer", "documented", "auth.md section 2")
@pytest.mark.ledger("auth.jwt-exp-milliseconds", "observed", "sf 2.150 sends exp in milliseconds")
def test_sf_logs_in_with_a_jwt(sf: Cli, shop: Served, keys: Path) -> None:
    sf.run(
        "org", "login", "jwt", "--instance-url", shop.ready["url"], "--client-id", "shop",
        "--jwt-key-file", keys / "server.key", "--username", shop.ready["username"], "--alias", "shop",
    )  # fmt: skip

    is_me(shop, sf.run("org", "display", "--target-org", "shop"))
    rows = sf.run("data", "query", "--target-org", "shop", "--query", "SELECT Username FROM User ORDER BY Username")
    assert rows["records"][0]["Username"] == shop.ready["username"]


@pytest.mark.ledger("auth.sf-login-web", "observed", "sf 2.150: PlatformCLI, S256 without a method, any port")
def test_sf_logs_in_through_a_browser(sf: Cli, shop: Served, tmp_path: Path) -> None:
    browser = chromium.installed()
    if browser is None:
        pytest.skip("no Chromium here: apt-get install chromium")
    opened, opener, project = tmp_path / "url", tmp_path / "opener", tmp_path / "project"
    opener.write_text(f'#!/bin/sh\nprintf %s "$1" > {opened}.new\nmv {opened}.new {opened}\n')
    opener.chmod(0o755)
    (project / "force-app").mkdir(parents=True)
    settings = {"packageDirectories": [{"path": "force-app", "default": True}], "oauthLocalPort": free_port()}
    (project / "sfdx-project.json").write_text(json.dumps(settings))
    login = sf.start(
        "org", "login", "web", "--instance-url", shop.ready["url"], "--alias", "web", "--json", folder=project,
        BROWSER=str(opener), DISPLAY="",
    )  # fmt: skip
    until = time.monotonic() + 60
    while not opened.exists() and login.poll() is None and time.monotonic() < until:
        time.sleep(0.1)

    with chromium.page(browser, tmp_path / "profile") as page:
        page.open(opened.read_text())
        page.fill("#username", shop.ready["username"])
        page.fill("#password", shop.ready["password"])
        page.click("#Login")
        assert "Salesforce CLI asks to" in page.wait("document.querySelector('#oaapprove') && document.body.innerText")
        page.click("#oaapprove")
        out, errors = login.communicate(timeout=120)

    assert json.loads(out)["status"] == 0, (out, errors)
    is_me(shop, sf.run("org", "display", "--target-org", "web"))


DEVICE = """
const {DeviceOauthService} = require('@salesforce/core');
(async () => {
  const service = await DeviceOauthService.create({loginUrl: process.argv[1], clientId: 'PlatformCLI'});
  const asked = await service.requestDeviceLogin();
  console.log(asked.user_code);
  const approved = await service.awaitDeviceApproval(asked);
  const login = await service.authorizeAndSave(approved);
  console.log(JSON.stringify({username: login.getUsername(), org: login.getFields().orgId}));
})().catch((error) => { console.error(error); process.exit(1); });
"""


@pytest.mark.ledger("auth.device", "documented", "auth.md section 2")
@pytest.mark.ledger("auth.device-multipart", "observed", "@salesforce/core posts multipart/form-data")
def test_the_clis_core_logs_in_by_a_code_on_another_screen(sf: Cli, home: Path) -> None:
    with RunningOrg(home=home) as org:
        login = sf.node("-e", DEVICE, org.ready["url"])
        assert login.stdout is not None
        browser = Browser(org)
        browser.submit("/setup/connect", user_code=login.stdout.readline().strip())
        browser.log_in(org.ready["username"], org.ready["password"])
        assert b"go back to the device" in browser.allow().raw
        out, errors = login.communicate(timeout=120)

        assert login.returncode == 0, errors
        assert json.loads(out) == {"username": org.ready["username"], "org": org.ready["org_id"]}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
