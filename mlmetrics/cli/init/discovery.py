"""FastAPI applications in a source tree, found by parsing it; nothing is imported or run."""

import ast
import os
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

_SKIPPED = {"__pycache__", "build", "dist", "env", "node_modules", "site-packages", "test", "tests", "venv"}
_INSTRUMENTED = {"instrument", "PrometheusMiddleware"}


@dataclass(frozen=True, slots=True)
class App:
    """A `FastAPI(...)` in the code: its variable (empty if it is returned directly) and the function around it.

    `service` is the name that it is instrumented with, if the code gives it as a literal.
    """

    path: Path
    line: int
    variable: str
    factory: str
    title: str
    instrumented: bool
    service: str = ""

    @property
    def module(self) -> str:
        """The dotted name by which servers import it, from the folder that is on the path."""
        parts = [part for part in self.path.with_suffix("").parts if part not in ("src", "__init__")]
        return ".".join(parts)


def source_files(root: Path, *patterns: str) -> Iterator[Path]:
    """Yield the files in a tree that match a pattern, without tests, environments and generated files."""
    for folder, names, files in os.walk(root):
        names[:] = sorted(name for name in names if name not in _SKIPPED and not name.startswith("."))
        fitting = (name for name in sorted(files) if any(fnmatch(name, pattern) for pattern in patterns))
        yield from (Path(folder) / name for name in fitting)


def find_apps(root: Path) -> list[App]:
    """Return the applications in a tree; a file that is not valid Python is skipped."""
    found: list[App] = []
    for path in source_files(root, "*.py"):
        try:
            tree = ast.parse(path.read_bytes(), str(path))
        except (OSError, SyntaxError, ValueError):
            continue
        reader = _Reader(path.relative_to(root), tree)
        reader.visit(tree)
        found += reader.apps
    return found


class _Reader(ast.NodeVisitor):
    """Reads one module, and keeps the names of the functions around the node that it visits."""

    def __init__(self, path: Path, tree: ast.Module) -> None:
        self.apps: list[App] = []
        self._path = path
        self._functions: list[str] = []
        self._constructors = set(_constructors(tree))
        calls = [
            node for node in ast.walk(tree) if isinstance(node, ast.Call) and _INSTRUMENTED & set(_names_used(node))
        ]
        names = {_keyword(call, "service_name") for call in calls} - {""}
        self._instrumented = bool(calls)
        self._service = names.pop() if len(names) == 1 else ""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        """Read a function's body under its name."""
        self._enter(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        """Read an async function's body under its name."""
        self._enter(node)

    def _enter(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._functions.append(node.name)
        self.generic_visit(node)
        self._functions.pop()

    def visit_Assign(self, node: ast.Assign) -> None:
        """Note `app = FastAPI(...)`."""
        self._note(node, node.value, node.targets[0])

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        """Note `app: FastAPI = FastAPI(...)`."""
        self._note(node, node.value, node.target)

    def visit_Return(self, node: ast.Return) -> None:
        """Note `return FastAPI(...)`."""
        self._note(node, node.value, None)

    def _note(self, node: ast.stmt, value: ast.expr | None, target: ast.expr | None) -> None:
        if not isinstance(value, ast.Call) or ast.unparse(value.func) not in self._constructors:
            return
        variable = ast.unparse(target) if target is not None else ""
        factory = self._functions[-1] if self._functions else ""
        line, title = node.end_lineno or node.lineno, _keyword(value, "title")
        self.apps.append(App(self._path, line, variable, factory, title, self._instrumented, self._service))


def _constructors(tree: ast.Module) -> Iterator[str]:
    """Yield the names that `FastAPI` has in a module, however it was imported."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "fastapi":
            yield from (name.asname or name.name for name in node.names if name.name == "FastAPI")
        elif isinstance(node, ast.Import):
            yield from (f"{name.asname or name.name}.FastAPI" for name in node.names if name.name == "fastapi")


def _names_used(node: ast.Call) -> Iterator[str]:
    yield _name_of(node.func)
    yield from (_name_of(argument) for argument in node.args)


def _name_of(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _keyword(call: ast.Call, name: str) -> str:
    return next((_text(word.value) for word in call.keywords if word.arg == name), "")


def _text(node: ast.expr) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
