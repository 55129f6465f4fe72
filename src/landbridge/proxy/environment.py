"""
What a program reads to find its proxy and whom to trust. Pure, but for the files of authorities.

The files hold the authorities that were trusted before and our CA: hosts that are passed through verify as ever.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from landbridge.proxy.head import ORG_DOMAINS

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
REPLACED = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH")
"""Variables whose file *replaces* what a program would trust: they need the system's authorities too."""
ADDED = "NODE_EXTRA_CA_CERTS"
"""Node adds this file to its own authorities."""
DIRECT = ("localhost", "127.0.0.1", "::1")

# `sf` looks a login host up in the DNS and asks a registry for new versions of itself: no host of the org exists outside.
QUIET = {
    "SFDX_DISABLE_DNS_CHECK": "true", "SF_AUTOUPDATE_DISABLE": "true", "SF_SKIP_NEW_VERSION_CHECK": "true",
    "SF_DISABLE_TELEMETRY": "true",
}  # fmt: skip

# Where systems keep their authorities, for a Python that was built to look elsewhere.
SYSTEM = (
    "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Authorities:
    """Our CA, the system's authorities (None where there is no such file), and a private folder for the files of both."""

    ours: Path
    system: Path | None
    folder: Path

    def with_ours(self, variable: str, before: str | None) -> Path:
        """A file of whom a variable named before (else of the system's authorities), and our CA."""
        return self._write(variable if before else "trusted", Path(before) if before else self.system)

    def added(self, variable: str, before: str | None) -> Path:
        """A file of whom a variable added before, and our CA."""
        return self._write(variable, Path(before)) if before else self.ours

    def _write(self, name: str, trusted: Path | None) -> Path:
        try:
            text = b"" if trusted is None else trusted.read_bytes().rstrip() + b"\n"
        except OSError:
            text = b""  # the program would have failed on that file as well
        path = self.folder / f"{name.lower()}.pem"
        path.write_bytes(text + self.ours.read_bytes())
        return path


def child(environ: Mapping[str, str], proxy: str, authorities: Authorities) -> dict[str, str]:
    """The environment of the program: what it was, with the proxy and the authorities laid over."""
    found = dict(environ)
    found |= dict.fromkeys(PROXIES, proxy)
    found.pop("ALL_PROXY", None)
    found.pop("all_proxy", None)
    found |= dict.fromkeys(("NO_PROXY", "no_proxy"), _direct(environ))
    for name in REPLACED:
        found[name] = str(authorities.with_ours(name, environ.get(name)))
    found[ADDED] = str(authorities.added(ADDED, environ.get(ADDED)))
    found["NODE_USE_ENV_PROXY"] = "1"
    return {**QUIET, **found}


def _direct(environ: Mapping[str, str]) -> str:
    """Hosts without a proxy: loopback, and those the user has named, unless the org stands in for some of them."""
    named = [host.strip() for host in f"{environ.get('NO_PROXY', '')},{environ.get('no_proxy', '')}".split(",")]
    return ",".join(dict.fromkeys([*DIRECT, *(host for host in named if host and not _meets_org(host))]))


def _meets_org(pattern: str) -> bool:
    name = pattern.lower().lstrip("*.")
    return not name or any(f".{domain}".endswith(f".{name}") or name.endswith(f".{domain}") for domain in ORG_DOMAINS)
