"""`landbridge exec` as a person uses it: real processes, and what they print and how they end."""

from __future__ import annotations

import base64
import os
import pty
import shutil
import signal
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from landbridge.auth import certificates
from landbridge.clock import Clock
from tests.support.running import RunningOrg

LOGIN = "/services/data"
CURL = ["curl", "-sS", "-m", "20"]


@pytest.fixture
def environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LANDBRIDGE_")}
    return {**kept, "LANDBRIDGE_HOME": str(home)}


def start(environment: dict[str, str], *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "landbridge", "exec", *map(str, arguments)], env=environment, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def run(environment: dict[str, str], *arguments: object) -> tuple[int, str, str]:
    process = start(environment, *arguments)
    out, errors = process.communicate(timeout=60)
    return process.returncode, out, errors


@pytest.fixture
def elsewhere() -> Iterator[str]:
    """A host that is not the org's: answers any request with its path."""

    class Echo(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            line = self.rfile.readline().split()[1]
            while self.rfile.readline().strip():
                pass
            self.wfile.write(
                b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (len(line), line)
            )

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"localhost:{server.server_address[1]}"
        server.shutdown()


def python(*lines: str) -> list[str]:
    return [sys.executable, "-c", "\n".join(lines)]


OPENER = """
import os, sys, urllib.request, ssl
os.environ["NO_PROXY"] = os.environ["no_proxy"] = ""
"""


# --- the program and its end ---------------------------------------------------------------------------------------


def test_the_exit_code_and_the_output_are_the_programs(environment: dict[str, str]) -> None:
    code, out, errors = run(environment, "--", *python("import sys", "print('here')", "sys.exit(7)"))

    assert (code, out, errors) == (7, "here\n", "")


def test_a_program_that_is_not_there_is_told(environment: dict[str, str], tmp_path: Path) -> None:
    assert run(environment, "--", "no-such-program")[::2] == (127, "landbridge: there is no program no-such-program\n")
    assert run(environment, "--", tmp_path)[0] == 126
    assert run(environment)[2] == "landbridge: name the program: landbridge exec -- python script.py\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_reaches_the_program_whose_end_is_ours(environment: dict[str, str], number: signal.Signals) -> None:
    script = (
        "import signal, sys, time",
        f"signal.signal({int(number)}, lambda *_: sys.exit(42))",
        "print('up', flush=True)",
        "time.sleep(60)",
    )
    process = start(environment, "--", *python(*script))
    assert process.stdout is not None
    process.stdout.readline()

    process.send_signal(number)

    assert process.wait(30) == 42
    process.communicate()


def test_a_program_that_dies_of_a_signal_is_told_as_a_shell_would(environment: dict[str, str]) -> None:
    assert run(environment, "--", *python("import os", "os.kill(os.getpid(), 9)"))[0] == 137


def test_nothing_is_left_behind(environment: dict[str, str], tmp_path: Path) -> None:
    environment["TMPDIR"] = str(tmp_path)

    code, out, _ = run(environment, "--", *python("import os", "print(os.environ['SSL_CERT_FILE'])"))

    assert code == 0
    assert out.startswith(str(tmp_path))
    assert list(tmp_path.iterdir()) == []


# --- where hosts lead ----------------------------------------------------------------------------------------------


@pytest.mark.client
@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed: apt-get install curl")
@pytest.mark.parametrize("scheme", ["https", "http"])
def test_curl_reaches_the_org_by_salesforces_name(environment: dict[str, str], scheme: str) -> None:
    code, out, errors = run(environment, "--", *CURL, f"{scheme}://login.salesforce.com{LOGIN}")

    assert (code, errors) == (0, "")
    assert '"version":"67.0"' in out


@pytest.mark.parametrize("scheme", ["https", "http"])
def test_an_org_at_a_url_is_reached_as_well(environment: dict[str, str], org: RunningOrg, scheme: str) -> None:
    environment["REQUESTS_CA_BUNDLE"] = ""
    script = python(
        "import json, sys, urllib.request",
        f"ask = urllib.request.Request('https://acme.my.salesforce.com/services/data/v67.0/', headers={{'Authorization': 'Bearer {org.ready['access_token']}'}})",
        "print(json.load(urllib.request.urlopen(ask))['identity'])",
    )

    code, out, errors = run(environment, "--org", f"{scheme}://localhost:{org.port}", "--", *script)

    assert (code, errors) == (0, "")
    assert out.strip() == f"https://acme.my.salesforce.com/id/{org.ready['org_id']}/{org.ready['user_id']}"


def test_a_folder_that_a_server_owns_is_reached_through_it(
    environment: dict[str, str], home: Path, tmp_path: Path
) -> None:
    script = python(
        "import urllib.request",
        "print(urllib.request.urlopen('http://login.salesforce.com/services/landbridge/v1/health').read().decode())",
    )
    with RunningOrg(home=home, data=tmp_path / "org") as org:
        code, out, errors = run(environment, "--data", tmp_path / "org", "--", *script)

        assert (code, errors) == (0, "")
        assert org.ready["org_id"] in out


@pytest.mark.attack("exec led to an org with a foreign certificate", "502: https is verified")
def test_an_https_org_with_a_foreign_certificate_is_not_believed(
    environment: dict[str, str], org: RunningOrg, tmp_path: Path
) -> None:
    environment["LANDBRIDGE_HOME"] = str(tmp_path / "another user")
    script = python("import urllib.request", "urllib.request.urlopen('https://login.salesforce.com/services/data')")

    code, _, errors = run(environment, "--org", f"https://localhost:{org.port}", "--", *script)

    assert code == 1
    assert "502" in errors


@pytest.mark.attack("the exec proxy used for another host", "tunnelled end to end, or 403 with --only-org")
def test_other_hosts_pass_through_or_are_refused(environment: dict[str, str], elsewhere: str) -> None:
    script = python(
        OPENER,
        f"print(urllib.request.urlopen('http://{elsewhere}/plain').read().decode())",
        "import http.client",
        "from urllib.parse import urlsplit",
        "from base64 import b64encode",
        "proxy = urlsplit(os.environ['HTTPS_PROXY'])",
        "c = http.client.HTTPConnection(proxy.hostname, proxy.port)",
        "pair = b64encode(f'{proxy.username}:{proxy.password}'.encode()).decode()",
        f"c.set_tunnel('localhost', {elsewhere.split(':')[1]}, headers={{'Proxy-Authorization': 'Basic ' + pair}})",
        "c.request('GET', '/tunnel')",
        "print(c.getresponse().read().decode())",
    )

    assert run(environment, "--", *script) == (0, "/plain\n/tunnel\n", "")
    code, out, errors = run(environment, "--only-org", "--", *script)
    assert (code, out) == (1, "")
    assert "403" in errors


def test_the_proxy_that_was_there_before_leads_outside(
    environment: dict[str, str], elsewhere: str, tmp_path: Path
) -> None:
    # A second `exec` inside the first: what the inner one does not lead to its org goes through the outer one.
    (tmp_path / "ask.py").write_text(
        OPENER + f"import http.client\nurl = 'http://{elsewhere}/plain'\n"
        "print(urllib.request.urlopen(url).read().decode())\n"
        "from urllib.parse import urlsplit\nfrom base64 import b64encode\nproxy = urlsplit(os.environ['HTTPS_PROXY'])\n"
        "pair = b64encode(f'{proxy.username}:{proxy.password}'.encode()).decode()\n"
        "c = http.client.HTTPConnection(proxy.hostname, proxy.port)\n"
        f"c.set_tunnel('localhost', {elsewhere.split(':')[1]}, headers={{'Proxy-Authorization': 'Basic ' + pair}})\n"
        "c.request('GET', '/tunnel')\nprint(c.getresponse().read().decode())\n"
    )
    inner = (
        "env",
        "NO_PROXY=",
        "no_proxy=",
        sys.executable,
        "-m",
        "landbridge",
        "exec",
        "--",
        sys.executable,
        tmp_path / "ask.py",
    )

    assert run(environment, "--", *inner) == (0, "/plain\n/tunnel\n", "")
    code, out, errors = run(environment, "--only-org", "--", *inner)
    assert (code, out) == (1, "")
    assert "403" in errors


# --- who may use it ------------------------------------------------------------------------------------------------


@pytest.fixture
def running(environment: dict[str, str]) -> Iterator[tuple[str, int, str]]:
    """A proxy that runs: host, port and credential as its program has them."""
    process = start(
        environment,
        "--",
        *python("import os", "print(os.environ['HTTPS_PROXY'], flush=True)", "import time", "time.sleep(60)"),
    )
    assert process.stdout is not None
    parts = urlsplit(process.stdout.readline().strip())
    assert parts.hostname
    assert parts.port
    yield parts.hostname, parts.port, f"{parts.username}:{parts.password}"
    process.terminate()
    process.communicate(timeout=30)


def ask(port: int, head: str) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(head.encode())
        return connection.recv(65536)


@pytest.mark.attack(
    "the exec proxy used by another program or user", "407 without the random credential of its program's environment"
)
def test_the_proxy_is_of_one_program(running: tuple[str, int, str]) -> None:
    host, port, credential = running
    pair = base64.b64encode(credential.encode()).decode()

    def connect(authorization: str) -> bytes:
        return ask(port, f"CONNECT login.salesforce.com:443 HTTP/1.1\r\n{authorization}\r\n").split(b"\r\n")[0]

    assert host == "127.0.0.1"
    assert len(credential) > 40
    assert connect("").startswith(b"HTTP/1.1 407 ")
    assert connect("Proxy-Authorization: Basic bGFuZGJyaWRnZTpndWVzcw==\r\n").startswith(b"HTTP/1.1 407 ")
    assert connect(f"Proxy-Authorization: Basic {pair}\r\n") == b"HTTP/1.1 200 Connection established"


@pytest.mark.attack("the exec proxy used from another machine", "it listens on 127.0.0.1 alone")
def test_the_proxy_listens_on_loopback_alone(running: tuple[str, int, str]) -> None:
    _, port, _ = running
    addresses = {row[4][0] for row in socket.getaddrinfo(socket.gethostname(), None)} - {"127.0.0.1", "::1"}

    for address in addresses:
        with pytest.raises(OSError, match="refused|unreachable"):
            socket.create_connection((address, port), timeout=5)


def test_a_head_without_an_end_is_refused(running: tuple[str, int, str]) -> None:
    _, port, _ = running

    assert ask(port, "GET http://a.example.com/ HTTP/1.1\r\n" + "X: y\r\n" * 7000).startswith(b"HTTP/1.1 431 ")


@pytest.mark.attack(
    "a certificate of the exec proxy for another host", "each is for its host alone; private keys stay in memory"
)
def test_a_minted_certificate_is_for_its_host_alone(home: Path) -> None:
    import ssl

    folder = home / "minting"
    certificates.ensure(folder, Clock())
    mint = certificates.Mint(folder, Clock())
    client = ssl.create_default_context(cafile=str(certificates.paths(folder).ca))

    def shake(asked: str) -> str:
        left, right = socket.socketpair()
        with left, right:
            served = threading.Thread(target=_serve_tls, args=(right, mint.context("login.salesforce.com")))
            served.start()
            try:
                with client.wrap_socket(left, server_hostname=asked) as secure:
                    return str(secure.version())
            except ssl.SSLCertVerificationError as error:
                return error.verify_message
            finally:
                left.close()
                served.join()

    assert shake("login.salesforce.com") == "TLSv1.3"
    assert "doesn't match" in shake("test.salesforce.com") or "mismatch" in shake("test.salesforce.com").lower()
    assert mint.context("login.salesforce.com") is mint.context("login.salesforce.com")
    assert [path.name for path in folder.iterdir() if path.suffix == ".pem" and path.stat().st_mode & 0o077] == [
        "ca.pem"
    ]


def _serve_tls(connection: socket.socket, context: object) -> None:
    import contextlib
    import ssl

    assert isinstance(context, ssl.SSLContext)
    with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True) as secure:
        secure.recv(1)


def test_ctrl_c_at_a_terminal_reaches_the_program_once(environment: dict[str, str], tmp_path: Path) -> None:
    script = (
        "import signal, sys, time",
        "hits = []",
        "def hit(*_): hits.append(1)",
        "signal.signal(signal.SIGINT, hit)",
        "print('up', flush=True)",
        "until = time.monotonic() + 30",
        "while not hits and time.monotonic() < until: time.sleep(0.01)",
        "time.sleep(0.5)",
        "print('hits', len(hits), flush=True)",
        "sys.exit(9)",
    )
    child, terminal = pty.fork()
    if child == 0:
        os.execve(sys.executable, [sys.executable, "-m", "landbridge", "exec", "--", *python(*script)], environment)
    seen = b""
    with os.fdopen(terminal, "r+b", buffering=0) as keyboard:
        while b"up" not in seen:
            seen += keyboard.read(1)
        keyboard.write(b"\x03")
        while b"hits 1" not in seen and b"hits 2" not in seen:
            seen += keyboard.read(1)
        _, status = os.waitpid(child, 0)

    assert b"hits 1" in seen, seen
    assert os.waitstatus_to_exitcode(status) == 9
