"""`landbridge flow`: what a flow file will do here, and what runs."""

from __future__ import annotations

import argparse
import asyncio
import json
from typing import Any

from landbridge import config
from landbridge.cli.where import org
from landbridge.errors import LandbridgeError
from landbridge.flows.checking import Declared, declared
from landbridge.flows.loading import load

ROOT = "/services/landbridge/v1/flows"


def run(options: argparse.Namespace) -> int:
    """`check FILE` or `list`."""
    if options.action == "check":
        return _check(options)
    with org(options) as client:
        found = client.call("GET", ROOT).body
    if options.format == "json":
        print(json.dumps(found, indent=2, ensure_ascii=False))
        return 0
    for file in found["files"]:
        print(f"{file['file']}  version {file['version']}  ({', '.join(file['flows'])})")
        for handler in file["handlers"]:
            waiting = ", ".join(
                f"{count} {state.replace('_', ' ')}" for state, count in sorted(handler["waiting"].items())
            )
            where = (
                f"{handler['topic']} read to {handler.get('read_to')}"
                if "topic" in handler
                else f"every {handler['every']:g} s"
            )
            print(f"  {handler['name']:40}  {where}  {waiting or 'nothing waits'}")
    if not found["files"]:
        print("no flow runs here: serve one with --flow FILE")
    return 0


def _check(options: argparse.Namespace) -> int:
    """0 when it can be served here, warnings aside; 1 otherwise."""
    found = declared(load(options.file))
    for line in found.says:
        print(line)
    findings = _in_source(found, options) if options.source else _in_org(found, options)
    for finding in findings:
        print(f"{finding['place']}: {'error' if finding['fatal'] else 'warning'}: {finding['text']}")
    errors = sum(finding["fatal"] for finding in findings)
    print(f"{options.file}: {errors} errors, {len(findings) - errors} warnings")
    return 1 if errors else 0


def _in_org(found: Declared, options: argparse.Namespace) -> list[dict[str, Any]]:
    import msgspec

    with org(options) as client:
        answer: list[dict[str, Any]] = client.call("POST", f"{ROOT}/check", msgspec.to_builtins(found)).body["findings"]
    return answer


def _in_source(found: Declared, options: argparse.Namespace) -> list[dict[str, Any]]:
    """In an org made of the source for this one look."""
    import msgspec

    from landbridge.server import Server  # the server's imports: only where one is opened

    if options.org is not None or options.data is not None:
        raise LandbridgeError("--source asks an org made of that source: leave --data and --org out")
    settings = config.load({"source": options.source, "capture": options.capture, "data": None})

    async def look() -> list[dict[str, Any]]:
        server = await Server.open(settings)
        try:
            answer: list[dict[str, Any]] = msgspec.to_builtins(server.crossing.check(found))
            return answer
        finally:
            await server.close()

    return asyncio.run(look())
