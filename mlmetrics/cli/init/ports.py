"""The port of each application: what the project says about it, in the order of trust, and what compose publishes."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mlmetrics.cli.init.proposal import slug
from mlmetrics.cli.init.reading.applications import App, Applications
from mlmetrics.cli.init.reading.command_files import ports_in_command_files
from mlmetrics.cli.init.reading.composition import Container, containers
from mlmetrics.cli.init.reading.evidence import Evidence, Trust
from mlmetrics.cli.init.reading.serving import ports_of, servings
from mlmetrics.cli.init.reading.source import Module, ends_with, module_parts
from mlmetrics.cli.init.reading.values import Values

_DEFAULT_FILES = ("main.py", "app.py", "api.py", "app/main.py", "app/app.py", "app/api.py")


@dataclass(frozen=True, slots=True)
class Port:
    """A port, None if the project says none; a port that is not `certain` is a guess. `why` says where it is from."""

    number: int | None
    certain: bool
    why: str


class Ports:
    """Finds the ports of a project's applications."""

    def __init__(self, applications: Applications, values: Values) -> None:
        self._applications = applications
        self._source = applications.source
        self._servings = list(servings(applications, values))
        self.containers = containers(applications.source, values.environment)
        self._evidence: dict[str, list[Evidence]] = {}
        self._container: dict[str, Container] = {}
        for each in (*ports_of(self._servings, values), *self._of_commands(values)):
            for app in self._meant(each):
                self._evidence.setdefault(app.key, []).append(each)
        for container in sorted(self.containers, key=lambda each: not each.published):
            for app in self._run_by(container):
                self._container.setdefault(app.key, container)

    def _of_commands(self, values: Values) -> Iterator[Evidence]:
        yield from (each for container in self.containers for each in container.evidence)
        yield from ports_in_command_files(self._source, values.environment)

    def of(self, app: App) -> Port:
        """Return the port of an application, as Prometheus on this machine reaches it."""
        evidence = sorted(self._evidence.get(app.key, []), key=lambda each: each.trust)
        evidence = [each for each in evidence if each.port]
        container = self._container.get(app.key)
        if container is not None and not container.host_network:
            return _published(container, evidence)
        if container is not None:  # what its command says is what runs
            evidence.sort(key=lambda each: each not in container.evidence)
        if not evidence:
            return Port(None, certain=False, why="the project does not say it")
        best = evidence[0]
        others = [each for each in evidence if each.port != best.port and _contradict(each, best)]
        why = f"{best.words} in {best.place}"
        if others:
            return Port(best.port, certain=False, why=f"{why}; {others[0].port} in {others[0].place}")
        return Port(best.port, best.trust.certain, why)

    def container_of(self, app: App) -> Container | None:
        """Return the service of a composition that runs an application."""
        return self._container.get(app.key)

    def _meant(self, each: Evidence) -> list[App]:
        """Return the applications that a piece of evidence is about."""
        if each.app:
            return [app for app in self._applications.found if app.key == each.app]
        if each.program:
            modules = [module.path for module in self._modules_meant(each, each.program)]
            served = [serving.app for serving in self._servings if serving.module.path in modules]
            made = [app for path in modules for app in self._applications.in_module(path)]
            return list(dict.fromkeys(served)) or made[:1]
        if each.served:
            found = (self._served_as(each, module) for module in self._modules_meant(each, each.served))
            return [app for app in dict.fromkeys(found) if app is not None]
        inside = self._inside(each.folder)
        return inside if len(inside) == 1 else []

    def _served_as(self, each: Evidence, module: Module) -> App | None:
        """Return what a server takes from a module: what is named, else `app` or the only application."""
        name = each.served.partition(":")[2]
        if name:
            return self._applications.named(name.partition("(")[0], module)
        own = self._applications.in_module(module.path)
        return self._applications.named("app", module) or (own[0] if own else None)

    def _modules_meant(self, each: Evidence, name: str) -> list[Module]:
        """Return the modules that a command means by a name or a path; it may be run from another folder."""
        if name == ".":
            return self._parsed([path for file in _DEFAULT_FILES if (path := each.folder / file) in self._source.paths])
        if name.endswith(".py"):
            parts: tuple[str, ...] = PurePosixPath(name).with_suffix("").parts
            parts = tuple(part for part in parts if part not in ("/", ".", "src"))
        else:
            parts = tuple(name.partition(":")[0].split("."))
        for length in range(len(parts), 0, -1) if name.startswith("/") else (len(parts),):
            found = self._with_parts(parts[-length:], each)
            if found:
                return found
        return []

    def _with_parts(self, parts: tuple[str, ...], each: Evidence) -> list[Module]:
        paths = [path for path in self._source.python_paths if _is_meant(path, parts)]
        near = [path for path in paths if path.is_relative_to(each.folder)]
        exact = [path for path in paths if module_parts(path) in (parts, (*parts, "__main__"))]
        far = paths if each.trust is Trust.CONTAINER and len(paths) == 1 else []
        best = sorted(near, key=lambda path: len(path.parts)) or exact or far
        return self._parsed(best)

    def _parsed(self, paths: list[Path]) -> list[Module]:
        module = self._source.module(paths[0]) if paths else None
        return [] if module is None else [module]

    def _inside(self, folder: Path) -> list[App]:
        return [app for app in self._applications.found if app.path.is_relative_to(folder)]

    def _run_by(self, container: Container) -> list[App]:
        """Return the applications that a container runs: by its command, else the one in its folder or of its name."""
        known = [each for each in container.evidence if each.served or each.program]
        if known:
            return [app for each in known for app in self._meant(each)]
        if container.folder is None:
            return []
        inside = self._inside(container.folder)
        if len(inside) == 1:
            return inside
        name = slug(container.name)
        return [app for app in inside if name in {slug(part) for part in app.path.with_suffix("").parts}][:1]


def _is_meant(path: Path, parts: tuple[str, ...]) -> bool:
    return any(ends_with(path, each) for each in (parts, (*parts, "__main__")))


def _published(container: Container, evidence: list[Evidence]) -> Port:
    """Return the port of the host behind which a container's application listens."""
    where = f"{container.name} of docker compose"
    for each in evidence:
        if each.port in container.published:
            host = container.published[each.port]
            return Port(host, certain=True, why=f"published by {where} in {container.place(host)}")
    if len(container.published) == 1:
        (host,) = container.published.values()
        why = f"published by {where} in {container.place(host)}"
        inner = evidence[0] if evidence else None
        if inner is None:
            return Port(host, certain=True, why=why)
        return Port(host, certain=False, why=f"{why}, but {inner.port} is that of {inner.words} in {inner.place}")
    if container.published:
        host = min(container.published.values())
        return Port(host, certain=False, why=f"one of those published by {where} in {container.place(host)}")
    if evidence:
        best = evidence[0]
        return Port(best.port, certain=False, why=f"{best.words} in {best.place}; {where} does not publish it")
    return Port(None, certain=False, why=f"{where} publishes none")


def _contradict(one: Evidence, other: Evidence) -> bool:
    """Tell whether two different ports leave it open which holds; a command line only replaces a default."""
    return one.trust == other.trust or {one.trust, other.trust} == {Trust.CODE, Trust.CONTAINER}
