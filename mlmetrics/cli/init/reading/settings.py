"""Settings classes: which class an object is of, and the field that an attribute of it names."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from mlmetrics.cli.init.reading.applications import keyword, parameters
from mlmetrics.cli.init.reading.source import Function, Module, Source

_DEEPEST = 6
Class = tuple[ast.ClassDef, Module]


@dataclass(frozen=True, slots=True)
class Field:
    """A field: its default value, its type, and the environment variables that replace it."""

    value: ast.expr | None
    type: ast.expr | None
    module: Module
    variables: tuple[str, ...] = ()


class Settings:
    """Finds the fields of settings classes: of pydantic, of dataclasses, and plain ones."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def field(self, node: ast.Attribute, module: Module) -> Field | None:
        """Return the field that `settings.port`, `get_settings().port` or `settings.server.port` names."""
        owner = self._class_of(node.value, module)
        return None if owner is None else self._field(owner, node.attr)

    def _field(self, owner: Class, name: str, depth: int = 0) -> Field | None:
        definition, module = owner
        variables = self._variables(owner, name)
        for node in ast.walk(definition):
            if not isinstance(node, ast.AnnAssign | ast.Assign):
                continue
            targets: list[ast.expr] = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(ast.unparse(target) in (name, f"self.{name}") for target in targets):
                kind = node.annotation if isinstance(node, ast.AnnAssign) else None
                return Field(node.value, kind, module, variables)
        if depth > _DEEPEST:
            return None
        bases = (self._definition(base, module) for base in definition.bases)
        found = (self._field(base, name, depth + 1) for base in bases if base is not None)
        return next((field for field in found if field is not None), None)

    def _variables(self, owner: Class, name: str) -> tuple[str, ...]:
        """Return the environment variables that pydantic reads a field of a `BaseSettings` from."""
        definition, _ = owner
        if not self._reads_environment(owner):
            return ()
        prefix = ""
        for node in ast.walk(definition):
            value: ast.expr | None = None
            if isinstance(node, ast.Call):
                value = keyword(node, "env_prefix")
            elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "env_prefix":
                value = node.value
            if isinstance(value, ast.Constant):
                prefix = str(value.value)
        aliases = [
            str(alias.value)
            for node in definition.body
            if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == name and isinstance(node.value, ast.Call)
            and isinstance(alias := keyword(node.value, "validation_alias", "alias", "env"), ast.Constant)
        ]  # fmt: skip
        return tuple(aliases) or (f"{prefix}{name}",)

    def _reads_environment(self, owner: Class, depth: int = 0) -> bool:
        definition, module = owner
        if any(self._source.origin(module, base).endswith("BaseSettings") for base in definition.bases):
            return True
        bases = (self._definition(base, module) for base in definition.bases)
        return depth <= _DEEPEST and any(self._reads_environment(base, depth + 1) for base in bases if base is not None)

    def _class_of(self, node: ast.expr | None, module: Module, depth: int = 0) -> Class | None:
        """Return the class that an expression is an object of, or itself."""
        if node is None or depth > _DEEPEST:
            return None
        match node:
            case ast.Name(id="self"):
                around = module.class_around(node)
                return None if around is None else (around, module)
            case ast.Name():
                return self._class_of_name(node, module, depth + 1)
            case ast.Attribute():
                return self._class_of_attribute(node, module, depth + 1)
            case ast.Call():
                return self._made_by(node, module, depth + 1)
        return None

    def _class_of_attribute(self, node: ast.Attribute, module: Module, depth: int) -> Class | None:
        there = self._source.found_at(module, node.value.id) if isinstance(node.value, ast.Name) else None
        if there is not None and not there[1]:
            return self._class_of_global(node.attr, there[0], depth)
        owner = self._class_of(node.value, module, depth)
        field = None if owner is None else self._field(owner, node.attr)
        return None if field is None else self._class_of_field(field, depth)

    def _class_of_field(self, field: Field, depth: int) -> Class | None:
        declared = None if field.type is None else self._definition(field.type, field.module)
        return declared or self._class_of(field.value, field.module, depth)

    def _class_of_name(self, node: ast.Name, module: Module, depth: int) -> Class | None:
        for scope in module.functions_around(node):
            value = module.assigned(node.id, scope)
            if value is not None:
                return self._class_of(value, module, depth)
            if node.id in parameters(scope):
                declared = next((each.annotation for each in _arguments(scope) if each.arg == node.id), None)
                return None if declared is None else self._definition(declared, module)
        return self._class_of_global(node.id, module, depth)

    def _class_of_global(self, name: str, module: Module, depth: int) -> Class | None:
        value = module.assigned(name)
        if value is not None:
            return self._class_of(value, module, depth)
        definition = module.definition(name)
        if isinstance(definition, ast.ClassDef):
            return definition, module
        there = self._source.found_at(module, name)
        return (
            None
            if there is None or not there[1] or depth > _DEEPEST
            else self._class_of_global(*there[::-1], depth + 1)
        )

    def _made_by(self, node: ast.Call, module: Module, depth: int) -> Class | None:
        """Return the class that a call makes an object of: its own, or that which a function returns."""
        found = self._definition(node.func, module)
        if found is not None:
            return found
        function = self._function(node.func, module)
        if function is None:
            return None
        definition, there = function
        declared = None if definition.returns is None else self._definition(definition.returns, there)
        if declared is not None:
            return declared
        values = (each.value for each in ast.walk(definition) if isinstance(each, ast.Return))
        return next(filter(None, (self._class_of(value, there, depth) for value in values)), None)

    def _definition(self, node: ast.expr, module: Module) -> Class | None:
        """Return the class that an expression names."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node = ast.Name(node.value)
        found = self._named(node, module)
        return (found[0], found[1]) if found is not None and isinstance(found[0], ast.ClassDef) else None

    def _function(self, node: ast.expr, module: Module) -> tuple[Function, Module] | None:
        found = self._named(node, module)
        return (found[0], found[1]) if found is not None and isinstance(found[0], Function) else None

    def _named(self, node: ast.expr, module: Module) -> tuple[Function | ast.ClassDef, Module] | None:
        if isinstance(node, ast.Name):
            definition = module.definition(node.id)
            if definition is not None:
                return definition, module
            there = self._source.found_at(module, node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            outer = self._source.found_at(module, node.value.id)
            there = None if outer is None or outer[1] else (outer[0], node.attr)
        else:
            return None
        if there is None:
            return None
        definition = there[0].definition(there[1])
        return None if definition is None else (definition, there[0])


def _arguments(function: Function) -> Iterator[ast.arg]:
    yield from (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)
