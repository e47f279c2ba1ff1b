"""What the user has answered, on a terminal or by flags; it is kept, so that nothing is asked twice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from mlmetrics.cli.init.proposal import Proposal, parse_service
from mlmetrics.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Answers:
    """Services by the key of their application, None for one that is left out, and services that were not found.

    If they are `alone`, the given services replace those that are found.
    """

    services: Mapping[str, Proposal | None]
    given: tuple[Proposal, ...] = ()
    alone: bool = False
    title: str = ""
    nobody_told: bool = False
    """Whether the user was asked who is told of alerts, and named nobody."""
    seen: tuple[Mapping[str, Any], ...] = ()
    """What is on the pages of running services: operations, and what of requests."""

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Self:
        """Return the answers from what `data` returned; what cannot be read is asked again."""
        services = data.get("services")
        given = data.get("given")
        return cls(
            {
                key: service
                for key, each in (services.items() if isinstance(services, Mapping) else ())
                if (service := _service(each)) is not None or each is None
            },
            tuple(service for each in given if (service := _service(each))) if isinstance(given, list) else (),
            bool(data.get("alone")),
            str(data.get("title", "")),
            bool(data.get("nobody_told")),
            tuple(each for each in data.get("seen") or () if isinstance(each, Mapping)),
        )

    def data(self, others: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answers as JSON takes them, with those to other questions."""
        services = {key: None if each is None else _data(each) for key, each in self.services.items()}
        found: dict[str, Any] = {
            "services": services,
            "given": [_data(each) for each in self.given],
            "alone": self.alone,
            "title": self.title,
            "nobody_told": self.nobody_told,
            "seen": list(self.seen),
        }
        kept = {name: value for name, value in others.items() if name not in found}
        return kept | {name: value for name, value in found.items() if value}

    def with_services(self, answered: Mapping[str, Proposal | None]) -> Self:
        """Return the answers with more of them."""
        return replace(self, services={**self.services, **answered})

    def with_flags(self, named: Sequence[Proposal], left_out: Sequence[str], known: Mapping[str, str]) -> Self:
        """Return the answers with those of `--service` and `--leave-out`.

        Args:
            named: the services of `--service`. If none of their names is known, they replace what is found.
            left_out: the names of `--leave-out`.
            known: the keys of the applications that were found, by name.

        Raises:
            ConfigurationError: A service is left out that was not found.
        """
        given_names = {each.name for each in self.given}
        for name in left_out:
            if name not in known and name not in given_names:
                expected = ", ".join(sorted({*known, *given_names}))
                raise ConfigurationError(f"--leave-out = {name!r}: expected a service that is found: {expected}")
        settled: dict[str, Proposal | None] = {known[each.name]: each for each in named if each.name in known}
        settled |= {known[name]: None for name in left_out if name in known}
        added = [each for each in named if each.name not in known]
        replaces = bool(named) and not any(each.name in known or each.name in given_names for each in named)
        changed = {each.name for each in added}
        kept = [] if replaces else [each for each in self.given if each.name not in {*changed, *left_out}]
        return replace(
            self.with_services(settled),
            given=(*kept, *added),
            alone=bool(kept or added) and (replaces or (self.alone and not settled)),
        )


def _service(each: object) -> Proposal | None:
    """Return what `_data` returned, None if it cannot be read."""
    if not isinstance(each, Mapping):
        return None
    try:
        return parse_service(f"{each.get('name')}={each.get('target')}")
    except ConfigurationError:
        return None


def _data(each: Proposal) -> dict[str, str]:
    return {"name": each.name, "target": each.target}
