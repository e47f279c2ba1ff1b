"""The project's own Docker Compose files: which service runs which application, and the port that it publishes."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from mlmetrics.cli.init.reading.command_files import DOCKERFILES, dockerfile_ports
from mlmetrics.cli.init.reading.commands import Lookup, commands_in, expanded
from mlmetrics.cli.init.reading.evidence import Evidence, Trust
from mlmetrics.cli.init.reading.source import Source
from mlmetrics.cli.init.reading.values import Environment
from mlmetrics.monitoring.text import MARK

_FILES = ("compose", "docker-compose")
_PUBLISHED = re.compile(
    r"(?:(?P<host>\d+(?:\.\d+){3}|\[[\da-f:]+\]):)?(?:(?P<published>\d+):)?(?P<target>\d+)(?:/tcp)?"
)


class _Loader(yaml.SafeLoader):
    """Reads YAML with the tags of Docker Compose, such as `!reset`, as if they were not there."""


_Loader.add_multi_constructor("!", lambda loader, _, node: _untagged(loader, node))


def _untagged(loader: yaml.SafeLoader, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return None


@dataclass
class Container:
    """A service of a composition: its folder, what it publishes (port of the host by that inside), and its command."""

    name: str
    path: Path
    line: int
    folder: Path | None = None
    host_network: bool = False
    published: dict[int, int] = field(default_factory=dict)
    places: dict[int, str] = field(default_factory=dict)
    """The file and line of each port of the host."""
    evidence: list[Evidence] = field(default_factory=list)

    def place(self, host: int) -> str:
        """Return the file and line that publish a port of the host."""
        return self.places[host]


def containers(source: Source, environment: Environment) -> list[Container]:
    """Return the services of the project's compositions; an override file adds to its own."""
    found: list[Container] = []
    stems = [path for path in source.files("*.yml", "*.yaml") if path.stem in _FILES]
    for path in stems:
        if source.text(path).startswith(MARK):
            continue
        by_name: dict[str, Container] = {}
        overrides = (path.with_name(f"{path.stem}.override{suffix}") for suffix in (".yml", ".yaml"))
        for file in (path, *overrides):
            for name, service in _services(source, file):
                container = by_name.setdefault(name, Container(name, file, _line_of(source, file, name)))
                _read(source, environment, container, service, file)
        found += by_name.values()
    return found


def _services(source: Source, path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    try:
        document = yaml.load(source.text(path), Loader=_Loader)  # noqa: S506 - a SafeLoader that knows more tags
    except yaml.YAMLError:
        return
    services = document.get("services") if isinstance(document, Mapping) else None
    for name, service in services.items() if isinstance(services, Mapping) else ():
        if isinstance(service, Mapping):
            yield str(name), service


def _read(
    source: Source, environment: Environment, container: Container, service: Mapping[str, Any], path: Path
) -> None:
    variables = dict(_variables(service.get("environment")))

    def lookup(name: str) -> str | None:
        found = environment.get(name, path)
        return variables.get(name) or (None if found is None else str(found.value))

    container.host_network = container.host_network or service.get("network_mode") == "host"
    for host, inner in _published(service.get("ports"), lookup):
        container.published[inner] = host
        container.places[host] = f"{path.as_posix()}:{_line_of(source, path, container.name, str(host))}"
    build = service.get("build")
    context = build.get("context", ".") if isinstance(build, Mapping) else build
    if isinstance(context, str):
        container.folder = _joined(path.parent, context)
    command = " ".join(_text(service.get(key)) for key in ("entrypoint", "command")).strip()
    folder = container.folder or path.parent
    found = [
        Evidence(each.port or 0, Trust.CONTAINER, path, container.line, "a command of docker compose",
                 served=each.served, program=each.program, folder=folder)
        for each in commands_in(command, lookup)
    ]  # fmt: skip
    if found:
        container.evidence = found
    elif isinstance(context, str):
        given = build.get("dockerfile") if isinstance(build, Mapping) else None
        file = _joined(folder, given) if isinstance(given, str) else folder / DOCKERFILES[0]
        container.evidence = list(dockerfile_ports(source, environment, file, folder, command))


def _joined(folder: Path, relative: str) -> Path:
    """Return a path of the project; `..` is followed by its name, since the files may not be there."""
    parts: list[str] = list(folder.parts)
    for part in PurePosixPath(relative).parts:
        if part == "..":
            del parts[-1:]
        elif part not in (".", "/"):
            parts.append(part)
    return Path(*parts)


def _text(command: object) -> str:
    if isinstance(command, list):
        return " ".join(f"'{word}'" if " " in str(word) else str(word) for word in command)
    return command if isinstance(command, str) else ""


def _variables(given: object) -> Iterator[tuple[str, str]]:
    if isinstance(given, Mapping):
        yield from ((str(name), str(value)) for name, value in given.items() if value is not None)
    for each in given if isinstance(given, list) else ():
        name, equals, value = str(each).partition("=")
        if equals:
            yield name, value


def _published(ports: object, lookup: Lookup) -> Iterator[tuple[int, int]]:
    """Yield the port of the host and that of the container, of each pair that is fixed and reached on this machine."""
    for each in ports if isinstance(ports, list) else ():
        if isinstance(each, Mapping):
            published, target = (expanded(str(each.get(key, "")), lookup) for key in ("published", "target"))
            text = f"{published}:{target}"
        else:
            text = expanded(str(each), lookup)
        match = _PUBLISHED.fullmatch(text)
        if match is not None and match["published"]:
            yield int(match["published"]), int(match["target"])


def _line_of(source: Source, path: Path, name: str, text: str = "") -> int:
    """Return the line of a service or, below it, the first with a text."""
    lines = list(enumerate(source.text(path).splitlines(), 1))
    start = next((number for number, line in lines if re.match(rf"\s+[\"']?{re.escape(name)}[\"']?:", line)), 1)
    return next((number for number, line in lines[start - 1 :] if text in line), start)
