"""What an expression in a project's code is worth: literals, variables, defaults of options, settings, environment."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from mlmetrics.cli.init.reading.applications import argument, keyword, parameters
from mlmetrics.cli.init.reading.evidence import LAST_PORT
from mlmetrics.cli.init.reading.settings import Settings
from mlmetrics.cli.init.reading.source import Function, Module, Source

_CONVERSIONS = {"int", "str", "float"}
_DECLARATIONS = {"typer.Option", "typer.Argument", "pydantic.Field", "dataclasses.field", "click.Option"}
_LOOKUPS = {"get", "getenv", "config", "env", "int", "str"}
_OPTIONS = {"click.option", "click.argument"}
_DEEPEST = 8


@dataclass(frozen=True, slots=True)
class Found:
    """A value and where it stands. A `default` holds unless the program is started with another."""

    value: int | str
    path: Path
    line: int
    default: bool = False

    @property
    def number(self) -> int | None:
        """The value as the number of a port, None if it is none."""
        number = int(self.value) if re.fullmatch(r"[1-9]\d{0,4}", str(self.value)) else 0
        return number if 0 < number <= LAST_PORT else None


class Values:
    """Finds what expressions are worth, without running them."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._settings = Settings(source)
        self.environment = Environment(source)

    def find(self, node: ast.expr | None, module: Module, depth: int = 0) -> Found | None:
        """Return the value of an expression in a module, None if the code does not say it."""
        if depth > _DEEPEST:
            return None
        found: Found | None = None
        match node:
            case ast.Constant(value=(int() | str()) as value) if not isinstance(value, bool):
                found = Found(value, module.path, node.lineno)
            case ast.Call():
                found = self._call(node, module, depth + 1)
            case ast.Subscript(slice=ast.Constant(value=str() as name)):
                found = self._item(node, name, module, depth + 1)
            case ast.BoolOp(op=ast.Or(), values=options):
                found = self._first_of(options, module, depth + 1)
            case ast.IfExp(body=body, orelse=other):
                found = self._first_of([body, other], module, depth + 1)
            case ast.Name():
                found = self._name(node, module, depth + 1)
            case ast.Attribute():
                found = self._attribute(node, module, depth + 1)
        return found

    def _first_of(self, options: list[ast.expr], module: Module, depth: int) -> Found | None:
        found = (self.find(option, module, depth) for option in options)
        return _default(next((each for each in found if each is not None), None))

    def _call(self, node: ast.Call, module: Module, depth: int) -> Found | None:
        origin = self._source.origin(module, node.func)
        first = node.args[0] if node.args else None
        if origin in _CONVERSIONS and len(node.args) == 1 and not node.keywords:
            return self.find(first, module, depth)
        if origin in _DECLARATIONS:
            return _default(self.find(keyword(node, "default") or first, module, depth))
        name = first.value if isinstance(first, ast.Constant) else None
        called = node.func.attr if isinstance(node.func, ast.Attribute) else origin.rpartition(".")[2]
        if isinstance(name, str) and called in _LOOKUPS:
            other = keyword(node, "default") or (node.args[1] if len(node.args) > 1 else None)
            return self.environment.get(name, module.path) or _default(self.find(other, module, depth))
        return None

    def _item(self, node: ast.Subscript, name: str, module: Module, depth: int) -> Found | None:
        if self._source.origin(module, node.value) == "os.environ":
            return self.environment.get(name, module.path)
        table = module.assigned(node.value.id) if isinstance(node.value, ast.Name) else None
        if isinstance(table, ast.Dict):
            pairs = zip(table.keys, table.values, strict=True)
            values = (value for key, value in pairs if isinstance(key, ast.Constant) and key.value == name)
            return self.find(next(values, None), module, depth)
        return None

    def _name(self, node: ast.Name, module: Module, depth: int) -> Found | None:
        for scope in module.functions_around(node):
            value = module.assigned(node.id, scope)
            if value is not None:
                return self.find(value, module, depth)
            if node.id in parameters(scope):
                return self._parameter(scope, node.id, module, depth)
        return self._global(node.id, module, depth)

    def _global(self, name: str, module: Module, depth: int) -> Found | None:
        value = module.assigned(name)
        if value is not None:
            return self.find(value, module, depth)
        there = self._source.found_at(module, name)
        return (
            None if there is None or not there[1] or depth > _DEEPEST else self._global(there[1], there[0], depth + 1)
        )

    def _parameter(self, function: Function, name: str, module: Module, depth: int) -> Found | None:
        """Return the default of an option of click, that of the parameter, or what the function is called with."""
        for option in function.decorator_list:
            if isinstance(option, ast.Call) and self._source.origin(module, option.func) in _OPTIONS:
                names = [str(each.value) for each in option.args if isinstance(each, ast.Constant)]
                if name in _destinations(names):
                    return _default(self.find(keyword(option, "default"), module, depth))
        found = _default(self.find(_parameter_default(function, name), module, depth))
        if found is not None:
            return found
        calls = (call for call in module.calls if isinstance(call.func, ast.Name) and call.func.id == function.name)
        given = (self.find(argument(call, function, name), module, depth) for call in calls)
        return next((each for each in given if each is not None), None)

    def _attribute(self, node: ast.Attribute, module: Module, depth: int) -> Found | None:
        if isinstance(node.value, ast.Name):
            there = self._source.found_at(module, node.value.id)
            if there is not None and not there[1]:
                return self._global(node.attr, there[0], depth)
        field = self._settings.field(node, module)
        if field is not None:
            for name in field.variables:
                found = self.environment.get(name, field.module.path)
                if found is not None:
                    return found
            return _default(self.find(field.value, field.module, depth))
        return next(filter(None, self._options(node.attr, module, depth)), None)

    def _options(self, name: str, module: Module, depth: int) -> Iterator[Found | None]:
        """Yield the default of an argparse option in a module, or in those of the project that it imports from."""
        others = (self._source.module_named(each.module, module.path) for each in module.imports.values())
        for place in (module, *(other for other in others if other is not None)):
            for call in place.calls:
                called = call.func.attr if isinstance(call.func, ast.Attribute) else ""
                names = [str(each.value) for each in call.args if isinstance(each, ast.Constant)]
                dest = keyword(call, "dest")
                if called == "add_argument" and (
                    dest.value == name if isinstance(dest, ast.Constant) else name in _destinations(names)
                ):
                    yield _default(self.find(keyword(call, "default"), place, depth))
                elif called == "set_defaults":
                    yield _default(self.find(keyword(call, name), place, depth))


class Environment:
    """The variables in the `.env` files of a project."""

    _LINE = re.compile(r"\s*(?:export\s+)?(\w+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^#\n]*?))\s*(?:#.*)?")
    _FILES = (".env", ".env.example", ".env.sample", ".env.template")

    def __init__(self, source: Source) -> None:
        self._source = source

    def get(self, name: str, near: Path) -> Found | None:
        """Return a variable from the file that is nearest above a path; examples give defaults only."""
        for file in self._FILES:
            for folder in near.parents:
                found = self._in_file(name, folder / file)
                if found is not None:
                    return found
        return None

    def _in_file(self, name: str, path: Path) -> Found | None:
        for number, line in enumerate(self._source.text(path).splitlines(), 1):
            match = self._LINE.fullmatch(line)
            if match is not None and match[1].lower() == name.lower():
                value = next((text for text in match.groups()[1:] if text is not None), "")
                return Found(value, path, number, default=path.name != ".env") if value else None
        return None


def _default(found: Found | None) -> Found | None:
    return None if found is None else replace(found, default=True)


def _destinations(names: list[str]) -> set[str]:
    """Return the names of the variable that an option of these names, such as `--port`, may have."""
    return {each.lstrip("-").replace("-", "_") for name in names for each in name.split("/")}


def _parameter_default(function: Function, name: str) -> ast.expr | None:
    spec = function.args
    positional = [*spec.posonlyargs, *spec.args]
    padded = [None] * (len(positional) - len(spec.defaults)) + list(spec.defaults)
    pairs = [*zip(positional, padded, strict=True), *zip(spec.kwonlyargs, spec.kw_defaults, strict=True)]
    return next((default for each, default in pairs if each.arg == name), None)
