"""
A local certificate authority and a certificate of the server, made once per folder.

Elliptic keys (P-256): making one takes a millisecond. Names are those of this machine's loopback; nobody else's certificate
could be forged with this CA unless its key leaves the folder (mode 600).
"""

from __future__ import annotations

import fcntl
import os
import ssl
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from landbridge.clock import Clock
from landbridge.storage.folder import write_private

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.x509 import Certificate

NAMES = ("localhost", "*.localhost")
ADDRESSES = ("127.0.0.1", "::1")
CA_KEY = "ca-key.pem"
MINTED = 500
"""Hosts whose certificates are kept at once."""
CA_YEARS, SERVER_DAYS, RENEW_DAYS = 10, 397, 30
"""397 days: the most that browsers take from a certificate of a server."""


@dataclass(frozen=True, slots=True)
class Certificates:
    """PEM files: trust `ca`; `server` holds the certificate with its key."""

    ca: Path
    server: Path

    def pem(self) -> bytes:
        """The server's key and chain, for a TLS of another make (gRPC's)."""
        return self.server.read_bytes()

    def context(self) -> ssl.SSLContext:
        """A TLS context for the server, 1.2 or newer."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.server)
        context.set_alpn_protocols(["http/1.1"])
        return context


def paths(folder: Path) -> Certificates:
    """Where the certificates of a folder are, made or not."""
    return Certificates(folder / "ca.pem", folder / "server.pem")


def ensure(folder: Path, clock: Clock) -> Certificates:
    """The certificates of a folder, made or renewed where needed. Two processes at once make one set."""
    found = paths(folder)
    # The machine's own time, not the org's: those who check the certificate do not jump with the org.
    now = clock.now() - timedelta(seconds=clock.offset)
    if _fresh(found, now):
        return found
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _locked(folder):
        if not _fresh(found, now):
            _make(folder, found, now)
    return found


class Mint:
    """Certificates for other hosts, signed by a folder's CA, kept in memory for as long as `landbridge exec` runs."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._contexts: dict[tuple[str, tuple[str, ...]], ssl.SSLContext] = {}

    def context(self, host: str, protocols: tuple[str, ...] = ("http/1.1",)) -> ssl.SSLContext:
        """The TLS context of a server called `host` that speaks these ALPN protocols."""
        found = self._contexts.get((host, protocols))
        if found is None:
            if len(self._contexts) >= MINTED:
                self._contexts.clear()
            found = self._contexts[host, protocols] = self._make(host, protocols)
        return found

    def _make(self, host: str, protocols: tuple[str, ...]) -> ssl.SSLContext:
        from cryptography import x509
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec

        signer = serialization.load_pem_private_key((self._folder / CA_KEY).read_bytes(), None)
        assert isinstance(signer, ec.EllipticCurvePrivateKey)
        ca = x509.load_pem_x509_certificate(paths(self._folder).ca.read_bytes())
        key = ec.generate_private_key(ec.SECP256R1())
        now = self._clock.now() - timedelta(seconds=self._clock.offset)
        # A common name has 64 characters at most; clients look at the alternative names alone.
        made = _certificate("Landbridge", key, (ca, signer), now, timedelta(days=SERVER_DAYS), (host,), ())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(list(protocols))
        # Python's TLS takes a certificate from a file alone: it is there for a moment, in a folder of mode 700.
        with tempfile.TemporaryDirectory(prefix="landbridge-") as place:
            file = Path(place) / "leaf.pem"
            write_private(file, _pem(key) + made.public_bytes(serialization.Encoding.PEM))
            context.load_cert_chain(file)
        return context


def _fresh(found: Certificates, now: datetime) -> bool:
    """Whether both files are there and young enough. Their age tells, without the 40 ms import that reads dates."""
    try:
        made = min(found.ca.stat().st_mtime, found.server.stat().st_mtime)
    except FileNotFoundError:
        return False
    return now - datetime.fromtimestamp(made, UTC) < timedelta(days=SERVER_DAYS - RENEW_DAYS)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _make(folder: Path, found: Certificates, now: datetime) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    ca_key, server_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca = _certificate("Landbridge local CA", ca_key, None, now, timedelta(days=365 * CA_YEARS))
    server = _certificate("localhost", server_key, (ca, ca_key), now, timedelta(days=SERVER_DAYS))
    encoding = serialization.Encoding.PEM
    write_private(folder / CA_KEY, _pem(ca_key))
    write_private(found.server, _pem(server_key) + server.public_bytes(encoding) + ca.public_bytes(encoding))
    write_private(found.ca, ca.public_bytes(encoding))
    found.ca.chmod(0o644)


def _pem(key: EllipticCurvePrivateKey) -> bytes:
    from cryptography.hazmat.primitives import serialization

    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _certificate(
    name: str,
    key: EllipticCurvePrivateKey,
    issuer: tuple[Certificate, EllipticCurvePrivateKey] | None,
    now: datetime,
    life: timedelta,
    names: Sequence[str] = NAMES,
    addresses: Sequence[str] = ADDRESSES,
) -> Certificate:
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signer = key if issuer is None else issuer[1]
    is_ca = issuer is None
    usage = x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=is_ca, crl_sign=is_ca, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer[0].subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + life)
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=0 if is_ca else None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    if not is_ca:
        spoken = [x509.DNSName(one) for one in names]
        numbers = [x509.IPAddress(ipaddress.ip_address(one)) for one in addresses]
        builder = builder.add_extension(x509.SubjectAlternativeName([*spoken, *numbers]), critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    return builder.sign(signer, hashes.SHA256())
