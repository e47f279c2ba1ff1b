"""The files of a project: its Python modules, parsed once if needed, their imports, and where names come from."""

import ast
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatch
from functools import cached_property
from pathlib import Path

from mlmetrics.monitoring.output import MANIFEST
from mlmetrics.monitoring.targets import FOLDERS

Function = ast.FunctionDef | ast.AsyncFunctionDef
_SKIPPED = {"__pycache__", "build", "dist", "env", "node_modules", "site-packages", "test", "tests", "venv"}
_TESTS = ("test_*.py", "*_test.py", "conftest.py")
_RENDERED_FOLDERS = {*FOLDERS.values(), "runbooks"}
_LONGEST_CHAIN = 8


@dataclass(frozen=True, slots=True)
class Import:
    """What a name in a module was imported as: a module or, with `name`, something in it."""

    module: str
    name: str = ""


@dataclass(frozen=True)
class Module:
    """A Python file, by its path in the project."""

    path: Path
    tree: ast.Module
    imports: dict[str, Import] = field(default_factory=dict)

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """Every node of the file, in the order of `ast.walk`."""
        return list(ast.walk(self.tree))

    @cached_property
    def calls(self) -> list[ast.Call]:
        """Every call in the file, from its first line to its last."""
        calls = [node for node in self.nodes if isinstance(node, ast.Call)]
        return sorted(calls, key=lambda call: (call.lineno, call.col_offset))

    @cached_property
    def parents(self) -> dict[ast.AST, ast.AST]:
        """The node around each node."""
        return {child: node for node in self.nodes for child in ast.iter_child_nodes(node)}

    def functions_around(self, node: ast.AST) -> list[Function]:
        """Return the functions around a node, the innermost first."""
        return [each for each in self._around(node) if isinstance(each, Function)]

    def class_around(self, node: ast.AST) -> ast.ClassDef | None:
        """Return the innermost class around a node."""
        return next((each for each in self._around(node) if isinstance(each, ast.ClassDef)), None)

    def _around(self, node: ast.AST) -> Iterator[ast.AST]:
        while node in self.parents:
            node = self.parents[node]
            yield node

    def definition(self, name: str) -> Function | ast.ClassDef | None:
        """Return the function or class of this name at the top of the file."""
        found = (node for node in self.tree.body if isinstance(node, Function | ast.ClassDef) and node.name == name)
        return next(found, None)

    def assigned(self, name: str, scope: Function | None = None) -> ast.expr | None:
        """Return the value that a name gets last in a function or, without one, at the top of the file."""
        found: ast.expr | None = None
        for node in self.nodes:
            if not isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr) or node.value is None:
                continue
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(target, ast.Name) and target.id == name for target in targets):
                around = self.functions_around(node)
                if (around[0] if around else None) is scope:
                    found = node.value
        return found


class Source:
    """A project's files without tests, environments, hidden folders and what `mlmetrics init` rendered."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._texts: dict[Path, str] = {}
        self._modules: dict[Path, Module | None] = {}

    @cached_property
    def paths(self) -> list[Path]:
        """The files, by their path in the project."""
        found: list[Path] = []
        for folder, names, files in os.walk(self.root):
            rendered = MANIFEST in files
            skipped = _SKIPPED | _RENDERED_FOLDERS if rendered else _SKIPPED
            names[:] = sorted(name for name in names if name not in skipped and not name.startswith("."))
            own = (name for name in sorted(files) if name.endswith(".py") or not rendered)
            found += (Path(folder, name).relative_to(self.root) for name in own)
        return found

    def files(self, *patterns: str) -> Iterator[Path]:
        """Yield the files whose name fits a pattern."""
        yield from (path for path in self.paths if any(fnmatch(path.name, pattern) for pattern in patterns))

    def text(self, path: Path) -> str:
        """Return the text of a file, empty if it cannot be read; bytes that are not UTF-8 are replaced."""
        if path not in self._texts:
            try:
                self._texts[path] = (self.root / path).read_text(encoding="utf-8", errors="replace")
            except OSError:
                self._texts[path] = ""
        return self._texts[path]

    @cached_property
    def python_paths(self) -> list[Path]:
        """The Python files that are no tests."""
        return [path for path in self.files("*.py") if not any(fnmatch(path.name, pattern) for pattern in _TESTS)]

    def module(self, path: Path) -> Module | None:
        """Return a Python file, parsed when it is first asked for; None if it is not valid Python."""
        if path not in self._modules:
            try:
                tree = ast.parse((self.root / path).read_bytes(), str(path))
                self._modules[path] = Module(path, tree, dict(_imports(path, tree)))
            except (OSError, SyntaxError, ValueError, RecursionError):
                self._modules[path] = None
        return self._modules[path]

    def modules_with(self, *words: str) -> Iterator[Module]:
        """Yield the modules whose text has one of these words; in large projects, most have none."""
        paths = (path for path in self.python_paths if any(word in self.text(path) for word in words))
        yield from (module for path in paths if (module := self.module(path)) is not None)

    @cached_property
    def _by_last_part(self) -> dict[str, list[Path]]:
        found: dict[str, list[Path]] = {}
        for path in self.python_paths:
            found.setdefault((module_parts(path) or ("",))[-1], []).append(path)
        return found

    def module_named(self, name: str, near: Path) -> Module | None:
        """Return the module of a dotted name; of several, the one whose path is most like that of the importer."""
        parts = tuple(name.split("."))
        fitting = [path for path in self._by_last_part.get(parts[-1], ()) if ends_with(path, parts)]
        best = max(fitting, key=lambda path: (_in_common(path, near), -len(path.parts)), default=None)
        return None if best is None else self.module(best)

    def found_at(self, module: Module, name: str) -> tuple[Module, str] | None:
        """Return the module of the project in which an imported name is defined, and its name there.

        The name is empty if the import is of a whole module.
        """
        for _ in range(_LONGEST_CHAIN):
            imported = module.imports.get(name)
            if imported is None:
                return None
            if imported.name:
                inner = self.module_named(f"{imported.module}.{imported.name}", module.path)
                if inner is not None:
                    return inner, ""
            target = self.module_named(imported.module, module.path) if imported.module else None
            if target is None or target is module:
                return None
            if not imported.name or imported.name not in target.imports:
                return target, imported.name
            module, name = target, imported.name
        return None

    def origin(self, module: Module, node: ast.expr) -> str:
        """Return the dotted name of what an expression names, as its own package calls it, empty if it is no name."""
        if isinstance(node, ast.Attribute):
            base = self.origin(module, node.value)
            return f"{base}.{node.attr}" if base else ""
        if not isinstance(node, ast.Name):
            return ""
        imported = module.imports.get(node.id)
        for _ in range(_LONGEST_CHAIN):
            if imported is None:
                return node.id
            own = self.module_named(imported.module, module.path) if imported.module else None
            if own is None or imported.name not in own.imports or own is module:
                break
            module, imported = own, own.imports[imported.name]
        return node.id if imported is None else ".".join(part for part in (imported.module, imported.name) if part)


def module_parts(path: Path) -> tuple[str, ...]:
    """Return the parts of the dotted name of a Python file, from the top of the project."""
    return tuple(part for part in path.with_suffix("").parts if part not in ("src", "__init__"))


def ends_with(path: Path, parts: tuple[str, ...]) -> bool:
    """Tell whether the dotted name of a Python file ends with these parts."""
    return module_parts(path)[-len(parts) :] == parts


def _in_common(path: Path, other: Path) -> int:
    count = 0
    for mine, its in zip(path.parts, other.parts, strict=False):
        if mine != its:
            break
        count += 1
    return count


def _imports(path: Path, tree: ast.Module) -> Iterator[tuple[str, Import]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                top = name.name.partition(".")[0]
                yield (name.asname, Import(name.name)) if name.asname else (top, Import(top))
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = path.parent.parts
                outer = parts[: len(parts) - node.level + 1]
                base = ".".join([*(part for part in outer if part != "src"), *([base] if base else [])])
            for name in node.names:
                yield name.asname or name.name, Import(base, name.name)
