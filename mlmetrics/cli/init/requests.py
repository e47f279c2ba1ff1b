"""What a project records of HTTP requests beside their number and duration, by its source and by live pages."""

import ast
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

from mlmetrics.catalog.requests import BODY_SIZES, WEBSOCKETS
from mlmetrics.cli.init.reading.applications import keyword
from mlmetrics.cli.init.reading.source import Function, Module, Source

BODIES, SOCKETS = "body_sizes", "websockets"
"""The keys of `[requests]`, which are arguments of `instrument` too."""
KEYS = (BODIES, SOCKETS)
InRequests = Mapping[str, frozenset[Path]]
"""The keys of what is recorded, each with the files that say so; pages are no files."""
_METRICS = {BODIES: BODY_SIZES, SOCKETS: WEBSOCKETS}
_INSTRUMENT, _MIDDLEWARE = "instrument", "PrometheusMiddleware"
_DECORATORS = {"websocket", "websocket_route"}
_CALLS = {"add_api_websocket_route", "add_websocket_route", "APIWebSocketRoute", "WebSocketRoute"}
_MOST_FILES = 3


def read_requests(source: Source) -> InRequests:
    """Return what the source says, by the arguments of `instrument` and by the routes of WebSockets.

    WebSockets are recorded unless whatever instruments an application leaves them out.
    """
    calls = [(module.path, call) for module in source.modules_with(_INSTRUMENT, _MIDDLEWARE) for call in _ours(module)]
    found = [(BODIES, path) for path, call in calls if _turns_on(call, BODIES, default=False)]
    if not calls or any(_turns_on(call, SOCKETS, default=True) for _, call in calls):
        routed = (module for module in source.modules_with("websocket", "WebSocket") if _has_route(module))
        found += [(SOCKETS, module.path) for module in routed]
    return joined_requests((key, [path]) for key, path in found)


def requests_on(names: Collection[str]) -> Iterator[str]:
    """Yield the keys of what a page records that has samples of these names."""
    for key, metrics in _METRICS.items():
        if any(sample in names for metric in metrics for sample in metric.sample_names):
            yield key


def joined_requests(found: Iterable[tuple[str, Iterable[Path]]]) -> InRequests:
    """Return what was found in several places together."""
    joined: dict[str, frozenset[Path]] = {}
    for key, paths in found:
        joined[key] = joined.get(key, frozenset()) | frozenset(paths)
    return joined


def requests_lines(requests: InRequests) -> list[str]:
    """Return the section of `mlmetrics.toml` that says what is recorded, none if there is nothing."""
    if not requests:
        return []
    files = sorted(path.as_posix() for path in frozenset[Path]().union(*requests.values()))[:_MOST_FILES]
    heading = f"[requests]  # {', '.join(files)}" if files else "[requests]"
    return ["", heading, *(f"{key} = true" for key in KEYS if key in requests)]


def _ours(module: Module) -> Iterator[ast.Call]:
    """Yield the calls that instrument an application: `instrument(...)`, and those of the middleware."""
    for call in module.calls:
        if _name(call.func) == _INSTRUMENT or any(_name(each) == _MIDDLEWARE for each in (call.func, *call.args)):
            yield call


def _turns_on(call: ast.Call, option: str, *, default: bool) -> bool:
    """Whether a call turns an option on; a value that only running it shows is taken for one that does."""
    value = keyword(call, option)
    return default if value is None else not (isinstance(value, ast.Constant) and value.value is False)


def _has_route(module: Module) -> bool:
    """Whether a module declares a route of WebSockets."""
    decorators = (each for node in module.nodes if isinstance(node, Function) for each in node.decorator_list)
    decorating = {_name(each.func) for each in decorators if isinstance(each, ast.Call)}
    return bool(decorating & _DECORATORS or {_name(call.func) for call in module.calls} & _CALLS)


def _name(node: ast.expr) -> str:
    """Return the last part of a dotted name, empty if an expression is none."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
