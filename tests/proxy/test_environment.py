"""What a program is told of its proxy and of whom to trust."""

from __future__ import annotations

from pathlib import Path

import pytest

from landbridge.proxy.environment import PROXIES, REPLACED, Authorities, child

URL = "http://landbridge:secret@127.0.0.1:1"


@pytest.fixture
def authorities(tmp_path: Path) -> Authorities:
    (tmp_path / "ca.pem").write_text("OURS\n")
    (tmp_path / "system.pem").write_text("SYSTEM\n")
    return Authorities(tmp_path / "ca.pem", tmp_path / "system.pem", tmp_path)


def test_every_variable_is_set_and_the_rest_is_left_alone(authorities: Authorities) -> None:
    found = child({"PATH": "/bin", "ALL_PROXY": "socks5://x", "SF_DISABLE_TELEMETRY": "false"}, URL, authorities)

    assert found["PATH"] == "/bin"
    assert {found[name] for name in PROXIES} == {URL}
    assert "ALL_PROXY" not in found
    assert {Path(found[name]).read_text() for name in REPLACED} == {"SYSTEM\nOURS\n"}
    assert found["NODE_EXTRA_CA_CERTS"] == str(authorities.ours)
    assert (found["NODE_USE_ENV_PROXY"], found["SF_DISABLE_TELEMETRY"]) == ("1", "false")


def test_whom_the_user_trusted_before_stays_trusted(authorities: Authorities, tmp_path: Path) -> None:
    (tmp_path / "own.pem").write_text("OWN")
    before = {"REQUESTS_CA_BUNDLE": str(tmp_path / "own.pem"), "NODE_EXTRA_CA_CERTS": str(tmp_path / "own.pem")}

    found = child({**before, "CURL_CA_BUNDLE": "/nowhere"}, URL, authorities)

    assert Path(found["REQUESTS_CA_BUNDLE"]).read_text() == "OWN\nOURS\n"
    assert Path(found["NODE_EXTRA_CA_CERTS"]).read_text() == "OWN\nOURS\n"
    assert Path(found["CURL_CA_BUNDLE"]).read_text() == "OURS\n"
    assert Path(found["SSL_CERT_FILE"]).read_text() == "SYSTEM\nOURS\n"


def test_no_proxy_keeps_what_the_org_does_not_stand_in_for(authorities: Authorities) -> None:
    said = "*, .com, salesforce.com, *.my.salesforce.com, intranet.example.com,localhost"

    found = child({"NO_PROXY": said, "no_proxy": "other.example.com"}, URL, authorities)

    assert found["NO_PROXY"] == "localhost,127.0.0.1,::1,intranet.example.com,other.example.com"
    assert found["no_proxy"] == found["NO_PROXY"]
