"""What a Prometheus knows: metrics, services and models to choose from, the targets of mlmetrics, and loaded rules."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mlmetrics.live.api import Server
from mlmetrics.live.data import PromQLError, Results
from mlmetrics.live.discovery import discovered
from mlmetrics.live.history import KEPT_SECONDS
from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.durations import parse_seconds

_COUNTERS = '{__name__=~"fastapi_requests_total|ml_.+_total"}'
_SCRAPES_OF_A_RATE = 4
_USUAL_INTERVAL_SECONDS = 15.0
Ask = Callable[[str], Results]


@dataclass(frozen=True, slots=True)
class Known:
    """What is known; without a configuration of its own, `config` is made from it."""

    names: frozenset[str] = frozenset()
    choices: Mapping[str, list[str]] = field(default_factory=lambda: {"services": [], "all_models": []})
    targets: list[dict[str, Any]] = field(default_factory=list)
    rate_seconds: float = _SCRAPES_OF_A_RATE * _USUAL_INTERVAL_SECONDS
    groups: list[dict[str, Any]] = field(default_factory=list)
    config: Config = field(default_factory=lambda: discovered((), lambda _name: (), ()))


def look(server: Server, ask: Ask, given: Config | None) -> Known:
    """Return what a server knows now.

    Raises:
        ServerError: It cannot be asked.
        PromQLError: It refuses what every Prometheus answers.
    """
    start = f"{time.time() - KEPT_SECONDS:.0f}"
    names = frozenset(server.get("label/__name__/values", start=start))
    services, models = (
        server.get(f"label/{label}/values", **{"match[]": _COUNTERS, "start": start}) for label in ("service", "model")
    )
    ours = {dict(labels).get("job", "") for labels, _ in ask("mlmetrics_build_info")}
    jobs = ours | set(given.jobs if given is not None else ())
    targets = [each for each in _targets(server) if each["labels"]["job"] in jobs]
    intervals = [parse_seconds(each["scrapeInterval"]) for each in targets if each.get("scrapeInterval")]
    samples = {_place(dict(labels)): value for labels, value in ask("scrape_samples_scraped")}
    places = sorted(_place(each["labels"]) for each in targets)
    return Known(
        names,
        {"services": sorted(services), "all_models": sorted(models)},
        [_state(each, samples.get(_place(each["labels"]), 0.0)) for each in targets],
        _SCRAPES_OF_A_RATE * max(intervals, default=_USUAL_INTERVAL_SECONDS),
        _groups(server),
        given if given is not None else discovered(names, lambda name: _labels(ask(name)), places),
    )


def _targets(server: Server) -> list[dict[str, Any]]:
    """Return the active targets; servers that scrape nothing themselves know of none."""
    try:
        found: list[dict[str, Any]] = server.get("targets", state="active")["activeTargets"]
    except PromQLError:
        return []
    return found


def _groups(server: Server) -> list[dict[str, Any]]:
    """Return the groups of rules; servers that evaluate nothing themselves know of none."""
    try:
        found: list[dict[str, Any]] = server.get("rules")["groups"]
    except PromQLError:
        return []
    return found


def _place(labels: Mapping[str, str]) -> tuple[str, str]:
    return labels.get("job", ""), labels.get("instance", "")


def _labels(results: Results) -> list[str]:
    return list(dict.fromkeys(label for labels, _ in results for label, _ in labels if label != "__name__"))


def _state(target: Mapping[str, Any], samples: float) -> dict[str, Any]:
    """Return the state of a target as the feed has it."""
    is_up = target["health"] == "up"
    return {
        "url": target["scrapeUrl"],
        "up": is_up,
        "why": "" if is_up else target.get("lastError") or "Prometheus has not read it yet",
        "samples": round(samples),
        "seconds": float(f"{target.get('lastScrapeDuration', 0):.3g}"),
    }
