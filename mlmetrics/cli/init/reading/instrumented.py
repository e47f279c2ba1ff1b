"""Which applications are instrumented already, wherever in the project that is done."""

import ast
from collections.abc import Iterator
from dataclasses import replace

from mlmetrics.cli.init.reading.applications import App, Applications, argument, keyword, parameters
from mlmetrics.cli.init.reading.source import Function, Module, Source
from mlmetrics.cli.init.reading.values import Values

_PACKAGE = "mlmetrics"
_INSTRUMENT, _MIDDLEWARE = "instrument", "PrometheusMiddleware"
_Use = tuple[ast.expr, ast.expr | None]
"""The expression of an application, and that of the name of its service."""


def with_instrumentation(applications: Applications, values: Values) -> list[App]:
    """Return the applications; those that are instrumented say so, with the name of the service if it is known."""
    names: dict[str, str] = {}
    source = applications.source
    for module in source.modules_with("(") if any(source.modules_with(_PACKAGE)) else ():
        for call in module.calls:
            for node, service in _uses(source, module, call):
                found = values.find(service, module)
                name = str(found.value) if found is not None and not found.default else ""
                for app in _applications_meant(applications, node, module):
                    names[app.key] = names.get(app.key) or name
    return [
        replace(app, instrumented=True, service=names[app.key]) if app.key in names else app
        for app in applications.found
    ]


def _uses(source: Source, module: Module, call: ast.Call) -> Iterator[_Use]:
    """Yield what a call instruments: `instrument(app)`, `app.add_middleware(...)`, `FastAPI(middleware=[...])`."""
    service = keyword(call, "service_name")
    if _is_ours(source, module, call.func, _MIDDLEWARE) or _instruments(source, module, call.func):
        app = call.args[0] if call.args else keyword(call, "app")
        if app is not None:
            yield app, service
    if (
        isinstance(call.func, ast.Attribute)
        and call.func.attr == "add_middleware"
        and call.args
        and _is_ours(source, module, call.args[0], _MIDDLEWARE)
    ):
        yield call.func.value, service
    middleware = keyword(call, "middleware")
    for each in ast.walk(middleware) if middleware is not None else ():
        if isinstance(each, ast.Call) and any(_is_ours(source, module, given, _MIDDLEWARE) for given in each.args):
            yield call, keyword(each, "service_name")


def _instruments(source: Source, module: Module, function: ast.expr) -> bool:
    """Tell whether a call is of our `instrument`, or of that method of an `MLMetrics`."""
    if _is_ours(source, module, function, _INSTRUMENT):
        return True
    if not (isinstance(function, ast.Attribute) and function.attr == _INSTRUMENT):
        return False
    owner: ast.expr | None = function.value
    if isinstance(owner, ast.Name):
        there = source.found_at(module, owner.id)
        module, name = there if there is not None else (module, owner.id)
        owner = module.assigned(name)
    return isinstance(owner, ast.Call) and _is_ours(source, module, owner.func, "MLMetrics")


def _is_ours(source: Source, module: Module, node: ast.expr, name: str) -> bool:
    parts = source.origin(module, node).split(".")
    return parts[0] == _PACKAGE and parts[-1] == name


def _applications_meant(
    applications: Applications, node: ast.expr, module: Module, seen: tuple[str, ...] = ()
) -> Iterator[App]:
    """Yield the application that an expression means or, for a parameter, those that the function is called with."""
    app = applications.meant(node, module)
    if app is not None:
        yield app
        return
    if not isinstance(node, ast.Name):
        return
    for scope in module.functions_around(node):
        if node.id in parameters(scope) and scope.name not in seen:
            for place, given in _arguments_of(applications.source, module, scope, node.id):
                yield from _applications_meant(applications, given, place, (*seen, scope.name))


def _arguments_of(
    source: Source, module: Module, function: Function, parameter: str
) -> Iterator[tuple[Module, ast.expr]]:
    """Yield what a function of the project is called with for a parameter, and where."""
    for place in source.modules_with(function.name):
        for call in place.calls:
            if _calls(source, place, call.func, module, function):
                given = argument(call, function, parameter)
                if given is not None:
                    yield place, given


def _calls(source: Source, place: Module, called: ast.expr, module: Module, function: Function) -> bool:
    if isinstance(called, ast.Name):
        if place is module and called.id == function.name:
            return True
        there = source.found_at(place, called.id)
        return there is not None and there[0] is module and there[1] == function.name
    if isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name):
        there = source.found_at(place, called.value.id)
        return called.attr == function.name and there is not None and there[0] is module and not there[1]
    return False
