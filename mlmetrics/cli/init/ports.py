"""Finds the port of an application in the project: `uvicorn.run(..., port=...)` or `uvicorn x:app --port`."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mlmetrics.cli.init.discovery import App, source_files

_COMMAND = re.compile(
    r"\b(?:uvicorn|gunicorn|hypercorn)\b[^\n]*?\b([\w.]+):(\w+)[^\n]*?(?:--port|--bind|-b|-p)[=\s\",]+(?:[\w.]*:)?(\d+)"
)
_COMMAND_FILES = ("Dockerfile*", "Procfile", "Makefile", "*.sh", "*.yml", "*.yaml", "*.toml", "*.md", "*.service")


@dataclass(frozen=True, slots=True)
class PortUse:
    """A port and what is served on it: a module or, without one, the application in the file or folder `path`."""

    port: int
    module: str
    path: Path | None


def find_ports(root: Path) -> list[PortUse]:
    """Return the ports that a tree mentions; calls in Python come before command lines."""
    return [*_from_calls(root), *_from_commands(root)]


def port_of(app: App, uses: list[PortUse]) -> int | None:
    """Return the port of an application, None if the project does not say it."""
    for each in uses:
        same_file = each.path == app.path and not each.module
        if same_file or (each.module and _names(app, each)):
            return each.port
    return None


def _names(app: App, use: PortUse) -> bool:
    """Tell whether a command line is about this application; it may be run from another folder."""
    if not f".{app.module}".endswith(f".{use.module}"):
        return False
    return use.path is None or app.path.is_relative_to(use.path)


def _from_calls(root: Path) -> Iterator[PortUse]:
    for path in source_files(root, "*.py"):
        try:
            calls = [node for node in ast.walk(ast.parse(path.read_bytes())) if isinstance(node, ast.Call)]
        except (OSError, SyntaxError, ValueError):
            continue
        for call in calls:
            port = next((_number(word.value) for word in call.keywords if word.arg == "port"), None)
            if ast.unparse(call.func) in ("uvicorn.run", "run") and port is not None:
                yield PortUse(port, _module(call), path.relative_to(root) if not _module(call) else None)


def _module(call: ast.Call) -> str:
    first = call.args[0] if call.args else None
    text = first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else ""
    return text.partition(":")[0]


def _number(node: ast.expr) -> int | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, int) else None


def _from_commands(root: Path) -> Iterator[PortUse]:
    for path in source_files(root, *_COMMAND_FILES):
        # A command may be a list, as in a Dockerfile.
        text = path.read_text(encoding="utf-8", errors="replace").replace('", "', " ")
        for match in _COMMAND.finditer(text):
            yield PortUse(int(match[3]), match[1], path.parent.relative_to(root))
