"""Names of services: from the title, the folder or the file, and what tells two of the same name apart."""

import re
from collections.abc import Iterator, Mapping, Sequence

from mlmetrics.cli.init.proposal import is_name, slug
from mlmetrics.cli.init.reading.applications import App
from mlmetrics.monitoring.config import RESERVED_JOBS

# Words that say nothing about a service where they stand alone.
_GENERIC = frozenset(
    {
        "api",
        "apis",
        "app",
        "application",
        "applications",
        "apps",
        "asgi",
        "back",
        "backend",
        "cmd",
        "code",
        "component",
        "components",
        "core",
        "demo",
        "deploy",
        "docker",
        "endpoint",
        "endpoints",
        "entrypoint",
        "fastapi",
        "http",
        "index",
        "lib",
        "libs",
        "main",
        "microservice",
        "microservices",
        "module",
        "modules",
        "my",
        "new",
        "package",
        "packages",
        "program",
        "project",
        "projects",
        "python",
        "rest",
        "root",
        "router",
        "routers",
        "run",
        "runner",
        "serve",
        "server",
        "servers",
        "service",
        "services",
        "serving",
        "site",
        "source",
        "src",
        "start",
        "the",
        "v1",
        "v2",
        "web",
        "webapp",
        "wsgi",
    }
)


def name_services(apps: Sequence[App], titles: Mapping[str, str], project: str) -> dict[str, str]:
    """Return the name of each application by its key; none for one that nothing tells apart from another.

    Args:
        apps: the applications.
        titles: their titles by key, as far as the code says them.
        project: the name of the project's folder, which is used where nothing else says more.
    """
    pieces = {app.key: list(_pieces(app, titles.get(app.key, ""))) for app in apps}
    good = {key: [each for each in own if not _is_generic(each)] for key, own in pieces.items()}
    generic = {key: [each for each in own if _is_generic(each)] for key, own in pieces.items()}
    names = {app.key: app.service if is_name(app.service) else "" for app in apps}
    names = {
        key: name or (good[key].pop(0) if good[key] else slug(project) or "service") for key, name in names.items()
    }
    for remaining in (good, generic):
        while _tell_apart(names, remaining):
            pass
    kept: dict[str, str] = {}
    for app in sorted(apps, key=lambda app: not app.service):
        if names[app.key] not in kept.values():
            kept[app.key] = names[app.key]
    return {app.key: kept[app.key] for app in apps if app.key in kept}


def _pieces(app: App, title: str) -> Iterator[str]:
    """Yield what a name can be made of, what says most first; nothing if its metrics have a name already."""
    if is_name(app.service):
        return
    folders = [folder.name for folder in app.path.parents if folder.name]
    texts = [title, *folders, app.path.stem, app.variable.removeprefix("self."), app.factory]
    yield from dict.fromkeys(name for name in map(slug, texts) if name)


def _is_generic(name: str) -> bool:
    words = re.split(r"[-_.]", name)
    return name in RESERVED_JOBS or all(word in _GENERIC or not word for word in words)


def _tell_apart(names: dict[str, str], pieces: dict[str, list[str]]) -> bool:
    """Add the next piece to names that several have, if it differs; tell whether a name has changed."""
    groups: dict[str, list[str]] = {}
    for key, name in names.items():
        groups.setdefault(name, []).append(key)
    for name, keys in groups.items():
        able = [key for key in keys if pieces[key]]
        if len(keys) == 1 or not able:
            continue
        following = [pieces[key].pop(0) for key in able]
        if len(set(following)) > 1 or len(able) < len(keys):
            for key, piece in zip(able, following, strict=True):
                names[key] = slug(f"{name}-{piece}")
        return True
    return False
