"""
From a file to its flows. An author's mistake is a LandbridgeError with file and line, never a traceback of ours.
"""

from __future__ import annotations

import importlib.util
import sys
import traceback
import typing
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from landbridge.errors import LandbridgeError
from landbridge.flows.events import Convert, converter
from landbridge.flows.flow import Every, Flow, On, Place
from landbridge.flows.org import Attempt, Org


class FlowError(LandbridgeError):
    """Something in an author's file is wrong; the text begins with file and line."""

    def __init__(self, place: Place, text: str) -> None:
        super().__init__(f"{place}: {text}")
        self.place = place


@dataclass(frozen=True, slots=True)
class Handler:
    """
    A handler ready to be called: how its event is made (None for a schedule), and which parameters take what.
    """

    declared: On | Every
    convert: Convert | None
    annotation: Any
    parameters: tuple[tuple[str, str], ...]
    """(parameter name, "event" | "org" | "attempt"), in the order of the function's parameters."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """One file with its flows. `version` changes when the file does (12 hex digits)."""

    path: Path
    version: str
    flows: tuple[Flow, ...]
    handlers: dict[str, Handler]
    """By subscription name."""


def load(path: Path) -> Loaded:
    """Run an author's file and take what it declares. Raises FlowError."""
    try:
        source = path.read_bytes()
    except OSError as error:
        raise LandbridgeError(f"the flow file {path} can't be read: {error.strerror}") from error
    version = sha256(source).hexdigest()[:12]
    module = _run(path, source, version)
    flows = tuple({id(value): value for value in vars(module).values() if isinstance(value, Flow)}.values())
    if not flows:
        raise FlowError(Place(str(path), 1), 'the file declares no flow: `flow = Flow("name")`')
    handlers = {one.name: _handler(one, vars(module)) for flow in flows for one in flow.handlers}
    for flow in flows:
        if not flow.handlers:
            raise FlowError(
                Place(str(path), 1), f"flow {flow.name} has no handler: decorate one with @flow.on or @flow.every"
            )
    return Loaded(path, version, flows, handlers)


def _run(path: Path, source: bytes, version: str) -> Any:
    """The file as a module of its own: not in sys.modules under a name another server's flow could have."""
    name = f"landbridge_flow_{path.stem}_{version}_{sha256(str(path.resolve()).encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_loader(name, loader=None, origin=str(path))
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    module.__file__ = str(path)
    folder = str(path.resolve().parent)
    sys.modules[name] = module  # dataclasses and type hints look their module up
    sys.path.insert(0, folder)  # files beside it can be imported while it loads
    try:
        exec(compile(source, str(path), "exec"), vars(module))  # noqa: S102  # the author's own file, as `python FILE` would
    except SyntaxError as error:
        raise FlowError(Place(str(path), error.lineno or 1), f"this is not Python: {error.msg}") from error
    except Exception as error:
        raise FlowError(_place(path, error), f"{type(error).__name__}: {error}") from error
    finally:
        sys.path.remove(folder)
    return module


def _place(path: Path, error: BaseException) -> Place:
    """The author's own line in a traceback: the last one in their file."""
    line = 1
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename == str(path):
            line = frame.lineno or line
    return Place(str(path), line)


def _handler(declared: On | Every, names: dict[str, Any]) -> Handler:
    function = declared.function
    try:
        hints = typing.get_type_hints(function, globalns=names)
    except Exception as error:
        raise FlowError(declared.place, f"an annotation of {function.__name__} can't be read: {error}") from error
    code = function.__code__
    wanted: list[tuple[str, str]] = []
    event: Any = None
    found_event = False
    for name in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]:
        hint = hints.get(name)
        if hint is Org or (hint is None and name == "org"):
            wanted.append((name, "org"))
        elif hint is Attempt or (hint is None and name == "attempt"):
            wanted.append((name, "attempt"))
        elif not found_event:
            wanted.append((name, "event"))
            event, found_event = hint, True
        else:
            raise FlowError(
                declared.place,
                f"{function.__name__} has a parameter {name!r} that is no event, Org or Attempt: annotate it",
            )
    if isinstance(declared, Every):
        if found_event:
            raise FlowError(
                declared.place, f"{function.__name__} runs by the clock: it gets no event, only Org and Attempt"
            )
        return Handler(declared, None, None, tuple(wanted))
    if not found_event:
        raise FlowError(
            declared.place, f"{function.__name__} takes no event: give it a parameter, e.g. `change: ChangeEvent`"
        )
    try:
        convert: Callable[[Any], Any] = converter(event)
    except TypeError as error:
        raise FlowError(declared.place, f"{function.__name__}: {error}") from error
    return Handler(declared, convert, event, tuple(wanted))
