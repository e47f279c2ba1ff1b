"""The files that hold command lines: Dockerfile, Procfile, Makefile, scripts, units of systemd, and documentation."""

import re
from collections.abc import Iterator
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path

from mlmetrics.cli.init.reading.commands import Command, commands_in, expanded
from mlmetrics.cli.init.reading.evidence import Evidence, Trust
from mlmetrics.cli.init.reading.source import Source
from mlmetrics.cli.init.reading.values import Environment

DOCKERFILES = ("Dockerfile", "Dockerfile.*", "*.Dockerfile", "Containerfile")
# In the order in which they are believed.
_COMMAND_FILES = (
    *("Procfile", "*.service", "supervisord.conf", "Makefile", "*.mk", "justfile", "*.sh"),
    *("*.toml", "package.json", "*.yml", "*.yaml"),
)
_DOCUMENTATION = ("*.md", "*.rst")
_ASSIGNMENT = re.compile(r"\s*(?:export\s+|ENV\s+|ARG\s+|Environment=)?\"?(\w+)\s*[?:]?[= ]\s*\"?([^\s\"#]+)\"?\s*")
_PROGRAM = re.compile(r"uvicorn|gunicorn|hypercorn|granian|fastapi|python")
_LONGEST_LINE = 2000
_BIND = re.compile(r"^\s*bind\s*=\s*[\[\"'][^\n]*?:(\d{1,5})\b", re.MULTILINE)
_INSTRUCTION = re.compile(r"(CMD|ENTRYPOINT|EXPOSE|FROM)\s+(.*)", re.IGNORECASE | re.DOTALL)
_PREFIX = re.compile(r"^\s*(?:[-$>#@]+\s+)?(?:[\"']?[\w-]+[\"']?:\s+|\w+\s*=\s*(?=[\"']))?(?:[-@$]\s*)?")


def ports_in_command_files(source: Source, environment: Environment) -> Iterator[Evidence]:
    """Yield the ports of command lines, those that are trusted most first."""
    for path in source.files(*DOCKERFILES):
        yield from dockerfile_ports(source, environment, path, path.parent)
    for patterns, trust in ((_COMMAND_FILES, Trust.COMMAND), (_DOCUMENTATION, Trust.DOCUMENTATION)):
        for pattern in patterns:
            for path in source.files(pattern):
                if not is_composition(path):
                    yield from _ports_in_lines(source, environment, path, trust)


def is_composition(path: Path) -> bool:
    """Tell whether a file is Docker Compose's, by its name."""
    return any(fnmatch(path.name, f"{stem}*.y*ml") for stem in ("docker-compose", "compose"))


def dockerfile_ports(
    source: Source, environment: Environment, path: Path, folder: Path, command: str = ""
) -> Iterator[Evidence]:
    """Yield the port of the command of an image, and that which it exposes.

    Args:
        source: the project.
        environment: the variables of the project.
        path: the Dockerfile.
        folder: the folder that is copied into the image.
        command: replaces the command of the file.
    """
    entry, given, exposed, lines = "", command, "", dict.fromkeys(("CMD", "EXPOSE"), 1)
    for number, line in logical_lines(source.text(path)):
        match = _INSTRUCTION.match(line.strip())
        name = match[1].upper() if match else ""
        if match and name == "FROM":
            entry, given, exposed = "", command, ""
        elif match and name == "EXPOSE":
            exposed, lines["EXPOSE"] = match[2], number
        elif match and name == "ENTRYPOINT":
            entry, lines["CMD"] = match[2], number
        elif match and not command:
            given, lines["CMD"] = match[2], number
    variables = _Variables(source, environment, path)
    for text in (f"{_plain(entry)} {_plain(given)}".strip(), entry, given):
        found = list(commands_in(text, variables.get))
        base = Evidence(0, Trust.CONTAINER, path, lines["CMD"], "", folder=folder)
        yield from (_evidence(source, each, base) for each in found)
        if found:
            break
    ports = re.findall(r"\d+", expanded(exposed, variables.get))
    if len(ports) == 1:
        yield Evidence(int(ports[0]), Trust.EXPOSED, path, lines["EXPOSE"], "EXPOSE", folder=folder)


def _plain(text: str) -> str:
    return re.sub(r'"\s*,\s*"', " ", text).strip("[] ").strip('"') if text.startswith("[") else text


def _ports_in_lines(source: Source, environment: Environment, path: Path, trust: Trust) -> Iterator[Evidence]:
    if _PROGRAM.search(source.text(path)) is None:
        return
    variables = _Variables(source, environment, path)
    folder = Path() if trust is Trust.DOCUMENTATION and path.parent.name == "docs" else path.parent
    for number, line in logical_lines(source.text(path)):
        if _PROGRAM.search(line) is None or len(line) > _LONGEST_LINE:
            continue
        text = re.sub(r"`([^`]*)`", r"; \1 ;", line) if trust is Trust.DOCUMENTATION else line
        text = _PREFIX.sub("", text.replace("ExecStart=", "").replace("command=", "")).rstrip(", ")
        for command in commands_in(text, variables.get):
            if command.port:
                yield _evidence(source, command, Evidence(0, trust, path, number, "", folder=folder))


def _evidence(source: Source, command: Command, base: Evidence) -> Evidence:
    """Return what a command says; it may have changed to another folder, or name a file with the port."""
    inner = Path(*(part for part in (base.folder / command.folder).parts if part != "/"))
    bound = _BIND.search(source.text(base.folder / command.config)) if command.config else None
    by_default = command.by_default and bound is None
    return replace(
        base,
        port=int(bound[1]) if bound is not None else command.port or 0,
        words="the default of its server" if by_default else "a command line",
        served=command.served,
        program=command.program,
        folder=inner if (source.root / inner).is_dir() else base.folder,
    )


def logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines with their numbers; a line that ends with a backslash goes on in the next."""
    start, held = 1, ""
    for number, line in enumerate(text.splitlines(), 1):
        start = start if held else number
        held += line.rstrip("\\") if line.endswith("\\") else line
        if not line.endswith("\\"):
            yield start, held
            held = ""
    if held:
        yield start, held


class _Variables:
    """The variables that a command file sets itself, and those of the project."""

    def __init__(self, source: Source, environment: Environment, path: Path) -> None:
        self._environment, self._path = environment, path
        matches = (_ASSIGNMENT.fullmatch(line) for _, line in logical_lines(source.text(path)))
        self._own = {match[1]: match[2] for match in matches if match is not None}

    def get(self, name: str) -> str | None:
        """Return the value of a variable."""
        if name in self._own and "$" not in self._own[name]:
            return self._own[name]
        found = self._environment.get(name, self._path)
        return None if found is None else str(found.value)
