"""From a request's scope to the template of its route: `/t/{tenant}/items/{id}`.

What the framework puts in the scope differs between versions and lacks prefixes. So the
templates are read once from the routes of the application, and a request only gives its
endpoint. Endpoints with several templates, and requests that reached no endpoint, are matched
by their path, in the router's order.
"""

import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlmetrics.http.levels import Level, is_scrape, level_of, note
from mlmetrics.http.series import UNMATCHED

MOUNT_TAIL = "/{path}"
MOUNT_TAIL_PATTERN = "/(?P<path>.*)$"
GROUP_NAME = re.compile(r"\?P<\w+>")
SUCCESS = 200


@dataclass(frozen=True, slots=True)
class Place:
    """One template, the paths that belong to it, and the endpoint that serves them.

    The endpoint is kept, because it is recognized by its `id`, which could be reused otherwise.
    `shown`: whether it is part of the application's schema, which its documentation pages are not.
    `scrape`: whether it answers with the metrics.
    `http`, `websocket`: what it serves.
    """

    template: str
    pattern: re.Pattern[str]
    endpoint: Any
    methods: frozenset[str] | None
    success: int
    shown: bool = True
    scrape: bool = False
    http: bool = True
    websocket: bool = False


@dataclass(frozen=True, slots=True)
class Prefix:
    """The path of the mounts above a route, as a template and as a pattern, and the mounted applications."""

    template: str = ""
    pattern: str = ""
    owners: tuple[Any, ...] = ()

    def within(self, level: Level) -> "Prefix":
        """Return the same prefix for the routes of this level."""
        return Prefix(self.template, self.pattern, (*self.owners, level.owner))

    def has(self, level: Level) -> bool:
        """Whether this level is mounted within itself."""
        return any(owner is level.owner for owner in self.owners)


class Routes:
    """The templates of one application; read at the start, and again when its routes have changed.

    `own` are the templates of the first reading. Only these have no limit, because an application may
    add any number of routes while it serves requests.
    """

    def __init__(self, app: Any) -> None:
        self._app = app
        self._read()
        self.own = frozenset(place.template for place in (*self.places, *self.sockets))

    def _read(self) -> None:
        levels = tuple(levels_in(level_of(self._app), ()))
        for level in levels:
            note(level)
        self._levels = tuple((level, tuple(level.routes)) for level in levels)
        found = tuple(places_of(level_of(self._app), Prefix()))
        self.places = tuple(place for place in found if place.http)
        self.sockets = tuple(place for place in found if place.websocket)
        self._endpoints = frozenset(id(place.endpoint) for place in self.places)
        self._only = only_templates(self.places)
        self._only_sockets = only_templates(self.sockets)
        self._scrapes = frozenset(id(place.endpoint) for place in self.places if place.scrape)

    def changed(self) -> bool:
        """Whether routes were added, removed or replaced since the last reading; if so, they are read again."""
        if all(tuple(level.routes) == routes for level, routes in self._levels):
            return False
        self._read()
        return True

    def scrapes(self) -> Iterator[str]:
        """Yield the paths without parameters at which the metrics are served."""
        for place in self.places:
            path = place.template.removesuffix(MOUNT_TAIL)
            if place.scrape and "{" not in path and self._match(path, "GET") in (place.template, UNMATCHED):
                yield path

    def is_scrape(self, endpoint: Any) -> bool:
        """Whether an endpoint answers with the metrics."""
        return id(endpoint) in self._scrapes

    def knows(self, endpoint: Any) -> bool:
        """Whether the endpoint is that of a known route; None is not."""
        return id(endpoint) in self._endpoints

    def of_endpoint(self, endpoint: Any) -> str | None:
        """Return the template of an endpoint that has only one; else None, and the path decides."""
        template = self._only.get(id(endpoint))
        return None if template == UNMATCHED else template

    def of_path(self, path: str, method: str, *, redirected: bool) -> str:
        """Return the template that a path matches, or `unmatched`."""
        found = self._match(path, method)
        if found == UNMATCHED and redirected and path != "/":
            return self._match(path.rstrip("/") if path.endswith("/") else f"{path}/", method)
        return found

    def of_request(self, scope: Mapping[str, Any], root_path: str, *, redirected: bool) -> str:
        """Return the template of a request: that of its endpoint if it has one only, else the one its path matches."""
        template = self.of_endpoint(scope.get("endpoint"))
        if template is None:
            template = self.of_path(path_within(scope, root_path), scope["method"], redirected=redirected)
        return template

    def knows_socket(self, endpoint: Any) -> bool:
        """Whether the endpoint is that of a known route for WebSockets."""
        return any(place.endpoint is endpoint for place in self.sockets)

    def of_socket(self, endpoint: Any, path: str) -> str:
        """Return the template of a WebSocket: that of its endpoint if that has only one, else the one of its path."""
        template = self._only_sockets.get(id(endpoint), UNMATCHED)
        if template == UNMATCHED:
            template = next((place.template for place in self.sockets if place.pattern.match(path)), UNMATCHED)
        return template

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


def only_templates(places: Iterable[Place]) -> dict[int, str]:
    """Return, by the `id` of the endpoint, the template of each endpoint that has only one."""
    templates: dict[int, set[str]] = {}
    for place in places:
        templates.setdefault(id(place.endpoint), set()).add(place.template)
    return {endpoint: next(iter(found)) for endpoint, found in templates.items() if len(found) == 1}


def path_within(scope: Mapping[str, Any], root_path: str) -> str:
    """Return the path of a request without the prefix that a proxy or a server added."""
    path: str = scope["path"]
    if root_path and path.startswith(root_path) and path[len(root_path) : len(root_path) + 1] in ("", "/"):
        return path[len(root_path) :] or "/"
    return path


def levels_in(level: Level | None, above: tuple[Any, ...]) -> Iterator[Level]:
    """Yield a level, and the levels of its mounts and included routers."""
    if level is None or any(level.owner is owner for owner in above):
        return
    yield level
    for route in level.routes:
        if not hasattr(route, "methods"):
            inner = getattr(route, "original_router", None) or getattr(route, "app", None)
            yield from levels_in(inner_level(route, inner), (*above, level.owner))


def inner_level(mount: Any, app: Any) -> Level | None:
    """Return the level of a mounted application; if a wrapper hides its routes, those that the mount keeps."""
    level = level_of(app)
    if level is None and getattr(mount, "routes", None):
        return level_of(getattr(mount, "_base_app", None))
    return level


def places_of(level: Level | None, prefix: Prefix) -> Iterator[Place]:
    """All places of a level and of the levels beneath it, in the router's order."""
    if level is None or prefix.has(level):
        return
    from starlette.routing import Host, Mount, WebSocketRoute  # noqa: PLC0415 (what has routes is Starlette's)

    prefix = prefix.within(level)
    for route in contexts(level.routes):
        original = getattr(route, "original_route", route)
        if isinstance(original, Host):
            yield from places_of(level_of(route.app), prefix)
        elif isinstance(original, Mount):
            yield from mounted(route, prefix)
        elif hasattr(route, "path_regex"):
            yield place_of(route, prefix, websocket=isinstance(original, WebSocketRoute))


def contexts(routes: Sequence[Any]) -> Iterable[Any]:
    """Return the routes, with those of included routers inserted in their place if FastAPI keeps them separate."""
    expand = getattr(sys.modules.get("fastapi.routing"), "iter_route_contexts", None)
    return routes if expand is None else expand(routes)


def place_of(route: Any, prefix: Prefix, *, websocket: bool) -> Place:
    """Return the place of a route beneath its mounts."""
    pattern = prefix.pattern + bare(route.path_regex.pattern)
    methods = getattr(route, "methods", None)
    return Place(
        prefix.template + route.path_format,
        re.compile(pattern),
        route.endpoint,
        None if methods is None else frozenset(methods),
        getattr(route, "status_code", None) or SUCCESS,
        shown=getattr(getattr(route, "original_route", route), "include_in_schema", True),
        scrape=is_scrape(route.endpoint),
        http=not websocket,
        websocket=websocket,
    )


def mounted(mount: Any, prefix: Prefix) -> Iterator[Place]:
    """Yield the places of a mounted application, then one for paths of the mount that match none of them."""
    template = prefix.template + mount.path_format.removesuffix(MOUNT_TAIL)
    pattern = prefix.pattern + bare(mount.path_regex.pattern.removesuffix(MOUNT_TAIL_PATTERN))
    level = inner_level(mount, mount.app)
    yield from places_of(level, Prefix(template, pattern, prefix.owners))
    rest = template + MOUNT_TAIL if level is None or prefix.has(level) else UNMATCHED
    scrape = is_scrape(mount.app)
    yield Place(rest, re.compile(f"{pattern}/"), mount.app, None, SUCCESS, scrape=scrape, websocket=True)


def bare(pattern: str) -> str:
    """Return a route's pattern without its `^` and its group names, because names may repeat in a longer path."""
    return GROUP_NAME.sub("", pattern.removeprefix("^"))
