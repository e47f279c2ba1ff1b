"""Finds the routes of an ASGI application inside the middleware and other wrappers around it.

Wrappers keep their application under different names, so all their attributes are searched,
up to `MOST_LOOKED_AT` objects, because an application may hold anything.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from types import FunctionType, MethodType
from typing import Any

from mlmetrics.http.routed import RECORDED_BY, move
from mlmetrics.interruption import interrupted

MOST_LOOKED_AT = 100
FRAMEWORKS = frozenset({"starlette", "fastapi", "mlmetrics"})


@dataclass(frozen=True, slots=True)
class Level:
    """An object with routes.

    `changeable`: whether something between our middleware and it may pass on another scope than ours.
    """

    owner: Any
    changeable: bool

    @property
    def routes(self) -> Sequence[Any]:
        """Its present routes."""
        return routes_in(self.owner) or ()


class Noting:
    """Wraps a router that may get a copy of our scope, and notes the copy, because it is the one with the endpoint."""

    __slots__ = ("app",)

    def __init__(self, app: Any) -> None:
        self.app = app

    def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        """Pass a request on, without a coroutine of its own."""
        trace = scope.get(RECORDED_BY)
        if trace is not None:
            move(trace, scope)
        return self.app(scope, receive, send)


def level_of(app: Any) -> Level | None:
    """Return the first object with routes: the application itself or one that it holds; its `app` is searched first."""
    todo, seen = [(app, False)], set[int]()
    while todo and len(seen) < MOST_LOOKED_AT:
        one, changeable = todo.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if routes_in(one) is not None:
            own = attribute(one, "user_middleware", ())
            return Level(router_of(one), changeable or any(is_foreign(getattr(each, "cls", None)) for each in own))
        changeable = changeable or is_foreign(type(one))
        todo += [(each, changeable) for each in reversed(tuple(held_by(one)))]
    return None


def routes_in(one: Any) -> Sequence[Any] | None:
    """Return the routes of an object; None if it has none itself. A route served as an application counts as one."""
    routing = sys.modules.get("starlette.routing")
    if routing is None:
        return None
    if isinstance(one, routing.BaseRoute):
        return (one,)
    routes = attribute(one, "routes")
    if not isinstance(routes, list | tuple):
        return None
    known = isinstance(router_of(one), routing.Router)
    return routes if known or any(isinstance(route, routing.BaseRoute) for route in routes) else None


def router_of(one: Any) -> Any:
    """Return the router of an application, which identifies it; any other object itself."""
    return attribute(one, "router", one)


def held_by(one: Any) -> Iterator[Any]:
    """Yield the objects held by an object that may be applications, `app` first."""
    yield attribute(one, "app")
    if isinstance(one, FunctionType):
        held = [attribute(cell, "cell_contents") for cell in one.__closure__ or ()]
    elif isinstance(one, MethodType):
        held = [one.__self__]
    elif isinstance(one, partial):
        held = [one.func, *one.args, *one.keywords.values()]
    else:
        slots = [name for kind in type(one).__mro__ for name in vars(kind).get("__slots__", ())]
        held = [*getattr(one, "__dict__", {}).values(), *(attribute(one, name) for name in slots)]
    yield from (each for each in held if callable(each) and not isinstance(each, type))


def attribute(one: Any, name: str, default: Any = None) -> Any:
    """Return an attribute of any object; the default if reading it raises."""
    try:
        return getattr(one, name, default)
    except Exception as error:  # an attribute that cannot be read has no routes
        if interrupted(error):
            raise
        return default


def is_foreign(kind: Any) -> bool:
    """Whether a class of middleware may change the scope; those of the frameworks, except one, do not."""
    name = getattr(kind, "__name__", None)
    return name == "BaseHTTPMiddleware" or str(getattr(kind, "__module__", "")).partition(".")[0] not in FRAMEWORKS


def note(level: Level) -> None:
    """Wrap the router of a level in `Noting`, if the scopes that it gets may be copies."""
    inner = getattr(level.owner, "middleware_stack", None)
    if level.changeable and inner is not None and not isinstance(inner, Noting):
        level.owner.middleware_stack = Noting(inner)


def is_scrape(endpoint: Any) -> bool:
    """Whether an endpoint, or the function that it wraps, belongs to mlmetrics, and so serves the metrics."""
    for _ in range(MOST_LOOKED_AT):
        if isinstance(endpoint, FunctionType | MethodType):
            return str(endpoint.__module__).partition(".")[0] == __name__.partition(".")[0]
        endpoint = attribute(endpoint, "app")
        if endpoint is None:
            break
    return False
