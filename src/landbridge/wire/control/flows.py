"""Flows for `landbridge flow`: what runs and how far it is; whether what a file declares would work here."""

from __future__ import annotations

from typing import Any

import msgspec

from landbridge.errors import JsonParserError
from landbridge.flows.checking import Declared
from landbridge.wire.control.status import ROOT
from landbridge.wire.http.message import Call, Needs, Reply, Route, json_reply

_DECLARED = msgspec.json.Decoder(Declared)


def list_all(call: Call) -> Reply:
    """`GET /services/landbridge/v1/flows`: every flow file, its handlers, their position and what waits."""
    server, reader = call.server, call.reader
    files: list[dict[str, Any]] = [
        {
            "file": str(loaded.path), "version": loaded.version, "flows": [flow.name for flow in loaded.flows],
            "handlers": [server.crossing.shown(reader, name) for name in loaded.handlers],
        }
        for loaded in server.crossing.loaded.values()
    ]  # fmt: skip
    return json_reply({"tip": server.events.tip(), "files": files})


def check(call: Call) -> Reply:
    """`POST /services/landbridge/v1/flows/check`: what of a file's declarations would not work here. No code is sent."""
    try:
        declared = _DECLARED.decode(call.request.body)
    except msgspec.DecodeError as error:
        raise JsonParserError(str(error)) from None
    return json_reply({"findings": msgspec.to_builtins(call.server.crossing.check(declared))})


ROUTES = (
    Route("GET", f"{ROOT}/flows", list_all, Needs.READ, metered=False),
    Route("POST", f"{ROOT}/flows/check", check, Needs.NOTHING, metered=False),
)
