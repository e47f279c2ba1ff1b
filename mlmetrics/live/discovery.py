"""The configuration for what is read: its services and, where no file gives them, the operations on its pages."""

import contextlib
import json
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace
from functools import lru_cache

from mlmetrics.catalog import SHIPPED
from mlmetrics.errors import ConfigurationError
from mlmetrics.monitoring.config import Config, Service
from mlmetrics.monitoring.loading import parse
from mlmetrics.monitoring.verify.own_operations import own_operations

_PLACEHOLDER = '[[service]]\nname = "service"\ntargets = ["localhost:5051"]\n'
MOST_OPERATIONS = 20
"""Of a project's own: each has a row of tiles, alerts of its own, and costs time in every tick."""
Target = tuple[str, str]
"""A job and an address."""


def discovered(
    names: Collection[str], labels_of: Callable[[str], Collection[str]], targets: Iterable[Target]
) -> Config:
    """Return the configuration with default numbers, the services of the targets, and the operations on their pages.

    Args:
        names: the names of all samples.
        labels_of: returns the labels of a sample, those of the target included.
        targets: the job and the address of each target.
    """
    sections: tuple[str, ...] = ()
    config = _defaults_with(sections)
    for row in own_operations(names, lambda name: _own(labels_of(name))):
        labels = ", ".join(_text(label) for label in row.labels if label != "service")
        score = "true" if row.score is not None else "false"
        section = f"[[operation]]\nname = {_text(row.name)}\nlabels = [{labels}]\nscore = {score}\n"
        if len(sections) == MOST_OPERATIONS:
            break
        with contextlib.suppress(ConfigurationError):  # a name that no configuration takes
            config = _defaults_with((*sections, section))
            sections = (*sections, section)
    return replace(config, services=tuple(_services(targets)))


def of_targets(config: Config, targets: Iterable[Target]) -> Config:
    """Return a configuration with the services that are read in place of those that it names.

    Otherwise every service that is not read would be down, and one that the configuration does not name would be left
    out of what is shown of its services.
    """
    named = {service.name: service for service in config.services}
    return replace(config, services=tuple(named.get(each.name, each) for each in _services(targets)))


def _services(targets: Iterable[Target]) -> Iterator[Service]:
    """Yield the services; one with a name that a configuration does not take is left out."""
    places: dict[str, list[str]] = {}
    for job, instance in targets:
        places.setdefault(job, []).append(instance)
    for job, instances in places.items():
        with contextlib.suppress(ValueError):
            yield Service(name=job, targets=tuple(instances))


@lru_cache(maxsize=64)
def _defaults_with(sections: tuple[str, ...]) -> Config:
    """Return the defaults with more operations; reading a configuration takes a while."""
    shipped = (f"[[operation]]\nname = {_text(name)}\n" for name in SHIPPED)
    return parse("\n".join((_PLACEHOLDER, *shipped, *sections)))


def _own(labels: Collection[str]) -> list[str]:
    """Return the labels without those of the target."""
    return [label for label in labels if label not in ("job", "instance")]


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
