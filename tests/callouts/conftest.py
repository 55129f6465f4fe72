"""An org in this process with its credentials, for tests of what goes out."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from landbridge import Settings
from landbridge.access import Access
from landbridge.server import Server
from landbridge.soql import Asked, run
from landbridge.storage import Unit


class Org:
    """A server and the shortest words for what tests do with it."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.callouts = server.callouts

    async def credential(self, name: str, url: str, secrets: dict[str, str] | None = None, **changes: Any) -> None:
        await self.server.db.write(
            lambda tx: self.callouts.store.set(
                tx, name, {"url": url, **changes}, secrets or {}, self.server.org.admin_id
            ),
            Unit("test"),
        )

    async def log(self, where: str = "") -> list[dict[str, Any]]:
        """The journal's rows in order, everything written; `where` begins with WHERE."""
        from landbridge.callouts.journal import COLUMNS

        await self.callouts.journal.flush()
        statement = self.server.front.prepare(
            f"SELECT {', '.join(COLUMNS)} FROM Callout_Log__c {where} ORDER BY CreatedDate, Id",
            self.server.catalog, Access(self.server.org.admin_id), 67.0,
        )  # fmt: skip
        page = self.server.db.read_now(
            lambda reader: run(
                reader, statement, batch=2000, asked=Asked(self.server.clock.epoch()), locate=lambda _: ""
            )
        )
        found: list[dict[str, Any]] = msgspec.json.decode(page.records)
        return found


@pytest.fixture
async def org(home: Path) -> AsyncIterator[Org]:
    server = await Server.open(Settings(home=home))
    try:
        yield Org(server)
    finally:
        await server.close()


class Tls:
    """A CA of the test's own, a server certificate for 127.0.0.1, and client certificates on demand."""

    def __init__(self, folder: Path) -> None:
        from cryptography.hazmat.primitives.asymmetric import ec

        self.folder = folder
        self._now = datetime.now(UTC)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._ca = self._certificate("test CA", self._key, ca=True)
        self.ca_pem = _pem(self._ca)

    def pair(self, name: str) -> tuple[str, str]:
        """A certificate and its key, PEM, signed by the CA."""
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec

        key = ec.generate_private_key(ec.SECP256R1())
        text = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return _pem(self._certificate(name, key)), text.decode()

    def server(self, *, clients: bool = False, alpn: list[str] | None = None) -> ssl.SSLContext:
        """A server's context; with `clients` it wants a certificate of this CA."""
        certificate, key = self.pair("localhost")
        file = self.folder / "server.pem"
        file.write_text(certificate + key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        context.set_alpn_protocols(alpn or ["http/1.1"])
        if clients:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(cadata=self.ca_pem)
        return context

    def _certificate(self, name: str, key: Any, *, ca: bool = False) -> Any:
        import ipaddress

        from cryptography import x509
        from cryptography.hazmat.primitives import hashes
        from cryptography.x509.oid import NameOID

        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        names = [x509.DNSName("localhost"), x509.DNSName("erp.test"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject if ca else self._ca.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._now - timedelta(days=1))
            .not_valid_after(self._now + timedelta(days=30))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
        )
        return builder.sign(self._key, hashes.SHA256())


def _pem(certificate: Any) -> str:
    from cryptography.hazmat.primitives import serialization

    return str(certificate.public_bytes(serialization.Encoding.PEM).decode())


@pytest.fixture
def tls(tmp_path: Path) -> Tls:
    return Tls(tmp_path)
