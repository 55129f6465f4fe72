"""
The route table: method and path to a route and its variables. Pure.

A path is looked up segment by segment in a tree; a literal segment beats a variable, `{name...}` takes the rest. Segments are
decoded after splitting, so an encoded slash stays inside its value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import unquote

from landbridge.errors import MethodNotAllowed, NotFound
from landbridge.wire.http.message import Route

OLDEST, NEWEST = 20.0, 68.0
REMEMBERED, LONGEST = 1_024, 256
"""Paths of POSTs that are remembered, and how long one may be."""
_VERSION = re.compile(r"v(\d{2})\.(\d)\Z", re.ASCII)
_REST = re.compile(r"\{(\w+)\.\.\.\}\Z")


@dataclass(slots=True)
class _Node:
    literal: dict[str, _Node] = field(default_factory=dict)
    variable: _Node | None = None
    routes: dict[str, tuple[Route, tuple[str, ...]]] = field(default_factory=dict)
    """Method -> route and the names of its variables, in order."""
    rest: dict[str, tuple[Route, tuple[str, ...]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Match:
    """A route with its variables, which are read and never changed; `version` is 0.0 where the path has none."""

    route: Route
    params: dict[str, str]
    version: float


class RouteTable:
    """All routes of a server."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes = tuple(routes)
        self._root = _Node()
        self._posts: dict[str, Match] = {}
        for route in self.routes:
            self._add(route)

    def _add(self, route: Route) -> None:
        node, names = self._root, []
        for segment in route.pattern.strip("/").split("/"):
            rest = _REST.match(segment)
            if rest is not None:
                names.append(rest[1])
                node.rest[route.method] = (route, tuple(names))
                return
            if segment.startswith("{"):
                names.append(segment[1:-1])
                node.variable = node.variable or _Node()
                node = node.variable
            else:
                node = node.literal.setdefault(segment, _Node())
        if route.method in node.routes:
            raise ValueError(f"two routes for {route.method} {route.pattern}")
        node.routes[route.method] = (route, tuple(names))

    def match(self, method: str, path: str) -> Match:
        """
        The route of a request. Raises NotFound, MethodNotAllowed. HEAD is served as GET.

        Paths of POSTs are remembered: they name a resource and seldom a record, so the same few come again and again.
        """
        if method != "POST":
            return self._match(method, path)
        found = self._posts.get(path)
        if found is None:
            found = self._match(method, path)
            if len(self._posts) >= REMEMBERED:
                self._posts.clear()
            if len(path) <= LONGEST:
                self._posts[path] = found
        return found

    def _match(self, method: str, path: str) -> Match:
        segments = path.strip("/").split("/")
        found = self._straight(segments) or self._find(self._root, segments, 0, [])
        if found is None:
            raise NotFound
        routes, values = found
        entry = routes.get("GET" if method == "HEAD" else method)
        if entry is None:
            allowed = set(routes) | ({"HEAD"} if "GET" in routes else set())
            raise MethodNotAllowed(method, sorted(allowed))
        route, names = entry
        params = {name: unquote(value) if "%" in value else value for name, value in zip(names, values, strict=True)}
        return Match(route, params, _version(params))

    def _straight(self, segments: list[str]) -> tuple[dict[str, tuple[Route, tuple[str, ...]]], list[str]] | None:
        """The way without a turn back, which nearly every path takes: literals where there are, else variables."""
        node, values = self._root, []
        for segment in segments:
            step = node.literal.get(segment)
            if step is None:
                step = node.variable
                if step is None or not segment:
                    return None
                values.append(segment)
            node = step
        return (node.routes, values) if node.routes else None

    def _find(
        self, node: _Node, segments: list[str], index: int, values: list[str]
    ) -> tuple[dict[str, tuple[Route, tuple[str, ...]]], list[str]] | None:
        if index == len(segments):
            return (node.routes, values) if node.routes else None
        segment = segments[index]
        literal = node.literal.get(segment)
        if literal is not None:
            found = self._find(literal, segments, index + 1, values)
            if found is not None:
                return found
        if node.variable is not None and segment:
            found = self._find(node.variable, segments, index + 1, [*values, segment])
            if found is not None:
                return found
        return (node.rest, [*values, "/".join(segments[index:])]) if node.rest else None


def _version(params: dict[str, str]) -> float:
    """The API version in a path, as a number. Raises NotFound for one that no org answers."""
    text = params.get("version")
    return 0.0 if text is None else _number(text)


@lru_cache(maxsize=256)
def _number(text: str) -> float:
    match = _VERSION.match(text)
    if match is None:
        if re.fullmatch(r"\d{2}\.\d", text):  # /services/Soap/u/64.0
            return float(text)
        raise NotFound
    version = float(f"{match[1]}.{match[2]}")
    if not OLDEST <= version <= NEWEST:
        raise NotFound
    return version
