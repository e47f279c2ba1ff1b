"""FastAPI applications: where each is made, and which one an expression somewhere in the project means."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mlmetrics.cli.init.reading.source import Function, Module, Source

_CONSTRUCTORS = {"fastapi.FastAPI", "fastapi.applications.FastAPI"}
_DEEPEST = 8


@dataclass(frozen=True, slots=True)
class App:
    """A `FastAPI(...)` in the code: its variable (empty if it is returned directly) and the function around it.

    `line` is the last line of the statement. `service` is the name that it is instrumented with, if the code says it.
    """

    path: Path
    line: int
    variable: str
    factory: str
    title: str = ""
    instrumented: bool = False
    service: str = ""

    @property
    def key(self) -> str:
        """What answers about it are kept under."""
        return f"{self.path.as_posix()}:{self.variable or f'{self.factory}()'}"


class Applications:
    """The applications of a project."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._by_call: dict[ast.Call, App] = {}
        self.titles: dict[str, tuple[Module, ast.expr]] = {}
        """By key, the expression of the title of those that have one."""
        for module in source.modules_with("FastAPI"):
            self._read(module)
        mounted = {app.key for app in self._mounted()}
        self.found = [app for app in dict.fromkeys(self._by_call.values()) if app.key not in mounted]
        """Every application that is served by itself, in the order of the paths; mounted ones are parts of others."""

    def _read(self, module: Module) -> None:
        known: dict[str, App] = {}
        for call in module.calls:
            if not self._is_constructor(module, call.func):
                continue
            functions = module.functions_around(call)
            factory, statement = functions[0].name if functions else "", module.parents[call]
            target = ""
            if isinstance(statement, ast.Assign):
                target = ast.unparse(statement.targets[0])
            elif isinstance(statement, ast.AnnAssign):
                target = ast.unparse(statement.target)
            elif not (isinstance(statement, ast.Return) and factory):
                continue
            app = App(module.path, getattr(statement, "end_lineno", None) or call.lineno, target, factory)
            self._by_call[call] = known.setdefault(app.key, app)
            title = keyword(call, "title")
            if title is not None:
                self.titles.setdefault(app.key, (module, title))

    def _is_constructor(self, module: Module, function: ast.expr) -> bool:
        if self.source.origin(module, function) in _CONSTRUCTORS:
            return True
        definition = module.definition(function.id) if isinstance(function, ast.Name) else None
        bases = definition.bases if isinstance(definition, ast.ClassDef) else []
        return any(self.source.origin(module, base) in _CONSTRUCTORS for base in bases)

    def _mounted(self) -> Iterator[App]:
        """Yield the applications that are mounted in others."""
        for module in self.source.modules_with(".mount("):
            for call in module.calls:
                if isinstance(call.func, ast.Attribute) and call.func.attr == "mount" and len(call.args) > 1:
                    app = self.meant(call.args[1], module)
                    outer = self.meant(call.func.value, module)
                    if app is not None and outer != app:
                        yield app

    def in_module(self, path: Path) -> list[App]:
        """Return the applications that a file makes."""
        return [app for app in self.found if app.path == path]

    def meant(self, node: ast.expr, module: Module, depth: int = 0) -> App | None:
        """Return the application that an expression means, None if that is not clear."""
        if depth > _DEEPEST:
            return None
        if isinstance(node, ast.Call):
            return self._by_call.get(node) or self._made_by_factory(node.func, module)
        if isinstance(node, ast.Name):
            return self._local(node, module, depth)
        return self._attribute(node, module, depth) if isinstance(node, ast.Attribute) else None

    def _local(self, node: ast.Name, module: Module, depth: int) -> App | None:
        for scope in module.functions_around(node):
            value = module.assigned(node.id, scope)
            if value is not None:
                return self.meant(value, module, depth + 1)
            if node.id in parameters(scope):
                return None
        return self.named(node.id, module, depth)

    def named(self, name: str, module: Module, depth: int = 0) -> App | None:
        """Return the application that a name at the top of a module means: a variable, an import or a factory."""
        value = module.assigned(name)
        if value is not None:
            return self.meant(value, module, depth + 1)
        if isinstance(module.definition(name), Function):
            return self._of_function(name, module)
        there = self.source.found_at(module, name)
        if there is None or not there[1] or depth > _DEEPEST:
            return None
        return self.named(there[1], there[0], depth + 1)

    def _attribute(self, node: ast.Attribute, module: Module, depth: int) -> App | None:
        text = ast.unparse(node)
        own = [app for app in self._by_call.values() if app.path == module.path and app.variable == text]
        if own:
            return own[0]
        there = self._module_of(node.value, module)
        return None if there is None else self.named(node.attr, there, depth + 1)

    def _module_of(self, node: ast.expr, module: Module) -> Module | None:
        if isinstance(node, ast.Name):
            there = self.source.found_at(module, node.id)
            if there is not None and not there[1]:
                return there[0]
        dotted = self.source.origin(module, node)
        return self.source.module_named(dotted, module.path) if "." in dotted else None

    def _made_by_factory(self, function: ast.expr, module: Module) -> App | None:
        if isinstance(function, ast.Name):
            definition = module.definition(function.id)
            if isinstance(definition, Function):
                return self._of_function(function.id, module)
            there = self.source.found_at(module, function.id)
            return None if there is None or not there[1] else self._of_function(there[1], there[0])
        if isinstance(function, ast.Attribute):
            inner = self._module_of(function.value, module)
            return None if inner is None else self._of_function(function.attr, inner)
        return None

    def _of_function(self, name: str, module: Module, depth: int = 0) -> App | None:
        """Return the application that a function makes or gets from another and returns."""
        made = [app for app in self._by_call.values() if app.path == module.path and app.factory == name]
        if made:
            return made[0]
        definition = module.definition(name)
        if not isinstance(definition, Function) or depth > _DEEPEST:
            return None
        values = (node.value for node in ast.walk(definition) if isinstance(node, ast.Return) and node.value)
        found = (self.meant(value, module, depth + 2) for value in values if not isinstance(value, ast.Constant))
        return next((app for app in found if app is not None), None)

    def imported_as(self, text: str, near: Path) -> App | None:
        """Return the application that servers import as `module:name`; the name may be of a factory."""
        name, _, attribute = text.partition(":")
        module = self.source.module_named(name, near)
        return None if module is None else self.named(attribute.removesuffix("()") or "app", module)


def parameters(function: Function) -> list[str]:
    """Return the names of a function's parameters, without `*args` and `**kwargs`."""
    return [each.arg for each in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)]


def keyword(call: ast.Call, *names: str) -> ast.expr | None:
    """Return the value of the first of these keywords that a call has."""
    return next((word.value for name in names for word in call.keywords if word.arg == name), None)


def argument(call: ast.Call, function: Function, name: str) -> ast.expr | None:
    """Return what a call gives for a parameter of the function that it calls."""
    given = keyword(call, name)
    names = parameters(function)
    offset = 1 if names and names[0] in ("self", "cls") else 0
    index = names.index(name) - offset
    return given if given is not None or not 0 <= index < len(call.args) else call.args[index]
