"""From a request's scope to the template of its route: `/t/{tenant}/items/{id}`.

What the framework leaves in the scope differs between versions and lacks prefixes, so
the templates are read from the application once, by walking it; a request then only
says which endpoint it came to. Endpoints with several templates, and requests that came
to none, are matched by their path, in the order in which the router would.
"""

import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .series import UNMATCHED

MOUNT_TAIL = "/{path}"
MOUNT_TAIL_PATTERN = "/(?P<path>.*)$"
GROUP_NAME = re.compile(r"\?P<\w+>")
MOST_WRAPPERS = 32
SUCCESS = 200


@dataclass(frozen=True, slots=True)
class Place:
    """One template, the paths that belong to it, and the endpoint that serves them.

    The endpoint is kept because it is known by its identity, which must stay its own.
    `shown` is whether it is part of the application's schema, unlike its documentation pages.
    """

    template: str
    pattern: re.Pattern[str]
    endpoint: Any
    methods: frozenset[str] | None
    success: int
    shown: bool = True


@dataclass(frozen=True, slots=True)
class Prefix:
    """What the mounts above a route put before it: as a template and as a pattern."""

    template: str = ""
    pattern: str = ""


class Routes:
    """The templates of one application; read when it is made, and again when it has grown."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._size = -1
        self._read()

    def _read(self) -> None:
        self._size = size_of(routes_of(self._app))
        self.places = tuple(places_in(routes_of(self._app), Prefix()))
        templates: dict[int, set[str]] = {}
        for place in self.places:
            templates.setdefault(id(place.endpoint), set()).add(place.template)
        self._endpoints = frozenset(templates)
        self._only = {endpoint: next(iter(found)) for endpoint, found in templates.items() if len(found) == 1}

    def grown(self) -> bool:
        """Whether routes came or went since; if so they are read."""
        if size_of(routes_of(self._app)) == self._size:
            return False
        self._read()
        return True

    def knows(self, endpoint: Any) -> bool:
        """Whether an endpoint is among those that were read; None is, as that of no route."""
        return endpoint is None or id(endpoint) in self._endpoints

    def of_endpoint(self, endpoint: Any) -> str | None:
        """The template of an endpoint that has only one, so that no path need be looked at."""
        template = self._only.get(id(endpoint))
        return None if template == UNMATCHED else template

    def of_path(self, path: str, method: str, *, redirected: bool) -> str:
        """The template that a path belongs to, or `unmatched`."""
        found = self._match(path, method)
        if found == UNMATCHED and redirected and path != "/":
            return self._match(path.rstrip("/") if path.endswith("/") else f"{path}/", method)
        return found

    def _match(self, path: str, method: str) -> str:
        partial = None
        for place in self.places:
            if place.pattern.match(path):
                if place.template == UNMATCHED:
                    break
                if place.methods is None or method in place.methods:
                    return place.template
                partial = partial or place.template
        return partial or UNMATCHED


def path_within(scope: Mapping[str, Any], root_path: str) -> str:
    """The path of a request without the prefix that a proxy or a server put before it."""
    path: str = scope["path"]
    if root_path and path.startswith(root_path) and path[len(root_path) : len(root_path) + 1] in ("", "/"):
        return path[len(root_path) :] or "/"
    return path


def routes_of(app: Any) -> Sequence[Any] | None:
    """The routes of an application, looked for beneath the middleware around it; None if it has no such thing."""
    for _ in range(MOST_WRAPPERS):
        routes = getattr(app, "routes", None)
        if isinstance(routes, list | tuple):
            return routes
        app = getattr(app, "app", None)
    return None


def size_of(routes: Sequence[Any] | None) -> int:
    """The number of routes, those of mounts and included routers among them."""
    size = 0
    for route in routes or ():
        inner = getattr(route, "original_router", None) or getattr(route, "app", None)
        size += 1 + (0 if hasattr(route, "methods") else size_of(routes_of(inner)))
    return size


def places_in(routes: Sequence[Any] | None, prefix: Prefix) -> Iterator[Place]:
    """Every place that the routes serve over HTTP, in the router's order."""
    if not routes:
        return
    from starlette.routing import Host, Mount, WebSocketRoute  # noqa: PLC0415 (what has routes is Starlette's)

    for route in contexts(routes):
        original = getattr(route, "original_route", route)
        if isinstance(original, Host):
            yield from places_in(routes_of(route.app), prefix)
        elif isinstance(original, Mount):
            yield from mounted(route, prefix)
        elif not isinstance(original, WebSocketRoute) and hasattr(route, "path_regex"):
            yield place_of(route, prefix)


def contexts(routes: Sequence[Any]) -> Iterable[Any]:
    """The routes with those of included routers in their place, where FastAPI keeps these apart."""
    expand = getattr(sys.modules.get("fastapi.routing"), "iter_route_contexts", None)
    return routes if expand is None else expand(routes)


def place_of(route: Any, prefix: Prefix) -> Place:
    """The place of a route beneath its mounts."""
    pattern = prefix.pattern + bare(route.path_regex.pattern)
    methods = getattr(route, "methods", None)
    return Place(
        prefix.template + route.path_format,
        re.compile(pattern),
        route.endpoint,
        None if methods is None else frozenset(methods),
        getattr(route, "status_code", None) or SUCCESS,
        shown=getattr(getattr(route, "original_route", route), "include_in_schema", True),
    )


def mounted(mount: Any, prefix: Prefix) -> Iterator[Place]:
    """The places of a mounted application, then the mount itself for what none of them is."""
    template = prefix.template + mount.path_format.removesuffix(MOUNT_TAIL)
    pattern = prefix.pattern + bare(mount.path_regex.pattern.removesuffix(MOUNT_TAIL_PATTERN))
    routes = routes_of(mount.app)
    yield from places_in(routes, Prefix(template, pattern))
    rest = template + MOUNT_TAIL if routes is None else UNMATCHED
    yield Place(rest, re.compile(f"{pattern}/"), mount.app, None, SUCCESS)


def bare(pattern: str) -> str:
    """A route's pattern without its beginning and its group names, which may repeat along a path."""
    return GROUP_NAME.sub("", pattern.removeprefix("^"))
