"""Ports in Python code: `uvicorn.run(app, port=...)` and its relatives, whatever the port is written as."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mlmetrics.cli.init.reading.applications import App, Applications, keyword
from mlmetrics.cli.init.reading.evidence import PROGRAM_DEFAULT_PORT, Evidence, Trust
from mlmetrics.cli.init.reading.source import Module
from mlmetrics.cli.init.reading.values import Found, Values

_PACKAGES = ("uvicorn", "granian")
_SERVERS = {"uvicorn.run", "uvicorn.main.run", "uvicorn.Config", "uvicorn.config.Config", "granian.Granian"}


@dataclass(frozen=True, slots=True)
class Serving:
    """A call that serves an application, in a module that is run as a program."""

    module: Module
    call: ast.Call
    app: App


def servings(applications: Applications, values: Values) -> Iterator[Serving]:
    """Yield each call that serves an application of the project."""
    for module in applications.source.modules_with(*_PACKAGES):
        for call in module.calls:
            if applications.source.origin(module, call.func) in _SERVERS:
                app = _served(applications, values, module, call)
                if app is not None:
                    yield Serving(module, call, app)


def ports_of(served: Iterable[Serving], values: Values) -> Iterator[Evidence]:
    """Yield the port that each of these calls names."""
    for each in served:
        found = _port(values, each.module, each.call)
        if found is not None and found.number is not None:
            trust = Trust.DEFAULT if found.default else Trust.CODE
            words = "a default" if found.default else "its code"
            yield Evidence(found.number, trust, found.path, found.line, words, app=each.app.key)


def _port(values: Values, module: Module, call: ast.Call) -> Found | None:
    given = keyword(call, "port")
    if given is None:
        unknown = any(word.arg is None for word in call.keywords)
        return None if unknown else Found(PROGRAM_DEFAULT_PORT, module.path, call.lineno, default=True)
    return values.find(given, module)


def _served(applications: Applications, values: Values, module: Module, call: ast.Call) -> App | None:
    node = call.args[0] if call.args else keyword(call, "app", "target")
    if node is None:
        return None
    app = applications.meant(node, module)
    if app is not None:
        return app
    if isinstance(node, ast.JoinedStr):  # f"{__name__}:app"
        texts = [str(part.value) for part in node.values if isinstance(part, ast.Constant)]
        return applications.named("".join(texts).removeprefix(":") or "app", module)
    found = values.find(node, module)
    if found is not None and isinstance(found.value, str) and ":" in found.value:
        name, _, attribute = found.value.partition(":")
        if name == "__main__":
            return applications.named(attribute, module)
        return applications.imported_as(found.value, module.path)
    own = applications.in_module(module.path)
    return own[0] if len(own) == 1 else None
