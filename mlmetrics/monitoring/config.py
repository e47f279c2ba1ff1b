"""The configuration: what `mlmetrics.toml` says, as frozen values; `loading` reads them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from mlmetrics.catalog import BY_NAME
from mlmetrics.errors import ConfigurationError
from mlmetrics.monitoring.durations import format_seconds
from mlmetrics.monitoring.settings import Settings

Operation = Literal["request", "inference", "parsing", "matching"]
MEASURED_BY: dict[str, str] = {
    "request": "fastapi_request_duration_seconds",
    "inference": "ml_inference_duration_seconds",
    "parsing": "ml_parsing_duration_seconds",
    "matching": "ml_matching_duration_seconds",
}


@dataclass(frozen=True, slots=True)
class Service:
    """A service to scrape; its name is the job and what its metrics say in `service`.

    `module` is the Python module that runs it in a container, empty where it runs elsewhere.
    """

    name: str
    targets: tuple[str, ...]
    labels: Mapping[str, str] = field(default_factory=dict)
    module: str = ""


@dataclass(frozen=True, slots=True)
class Objective:
    """A promise over 30 days: the share of calls that succeed, or that end within `threshold_seconds`."""

    name: str
    service: str
    operation: Operation
    target: float
    threshold_seconds: float | None = None
    only: Mapping[str, str] = field(default_factory=dict)
    minimum: float = 10


@dataclass(frozen=True, slots=True)
class Notices:
    """Where Alertmanager sends: one address for each urgency; an empty one sends nowhere."""

    page: str = ""
    ticket: str = ""
    watchdog: str = ""


@dataclass(frozen=True, slots=True)
class Config:
    """All that the generators need; durations are unscaled, `span` writes them scaled."""

    name: str
    title: str
    services: tuple[Service, ...]
    alerts: Mapping[str, Settings]
    objectives: tuple[Objective, ...] = ()
    host_targets: tuple[str, ...] = ()
    alertmanagers: tuple[str, ...] = ()
    grouping: tuple[str, ...] = ()
    external_labels: Mapping[str, str] = field(default_factory=dict)
    rule_labels: Mapping[str, str] = field(default_factory=dict)
    kubernetes_labels: Mapping[str, str] = field(default_factory=dict)
    kubernetes_namespace: str = ""
    runbooks: str = "docs/runbooks"
    grafana: str = "http://localhost:3001"
    notices: Notices = Notices()
    bucket_overrides: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    time_scale: float = 1.0

    def span(self, seconds: float) -> str:
        """Return a duration as text, scaled by `time_scale`."""
        return format_seconds(seconds * self.time_scale)

    def buckets(self, metric: str) -> tuple[float, ...]:
        """Return the bounds that the services use for a histogram."""
        return self.bucket_overrides.get(metric, BY_NAME[metric].buckets)

    def scaled(self, time_scale: float) -> "Config":
        """Return the same configuration with every window and wait multiplied."""
        if not 0 < time_scale <= 1:
            message = f"time scale = {time_scale!r}: expected more than 0 and at most 1 (1 is real time)"
            raise ConfigurationError(message)
        return replace(self, time_scale=time_scale)
