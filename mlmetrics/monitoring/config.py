"""The configuration: the sections of `mlmetrics.toml` as pydantic models, and `Config`, which holds all of them.

A key stands in one model, with its default, unit, description and check: here, or in `notify`, `operations` or
`remote_write`; the default numbers of alerts stand in their rows, `rules/rows`. `loading` reads a file; `schema`
describes it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, Field, field_validator

from mlmetrics.catalog import Metric, Operation
from mlmetrics.errors import ConfigurationError
from mlmetrics.monitoring.durations import format_seconds
from mlmetrics.monitoring.labels import is_label_name
from mlmetrics.monitoring.notify import Receivers
from mlmetrics.monitoring.operations import REQUEST, Requests
from mlmetrics.monitoring.reading import Expects, Flag, Section, key
from mlmetrics.monitoring.values import (
    BaseAddress,
    CallCount,
    Duration,
    Folder,
    FreeLabels,
    Labels,
    Number,
    Ratio,
    Target,
    Text,
    Threshold,
    Window,
    distinct,
)

Severity = Literal["critical", "warning", "info", "none"]
RESERVED_LABELS = ("alertname", "severity", "service", "job", "instance", "le")
_RULE_LABELS = {*RESERVED_LABELS, "objective", "scope", "long", "short", "window"}
RESERVED_JOBS = ("node", "prometheus", "alertmanager", "pushgateway")


class Project(Section):
    """Names and addresses that all rendered files use."""

    name: Text = key("Name of the Compose project.", default="mlmetrics")
    title: Text = key("Title of the main dashboard.", default="ML/AI Performance")
    runbooks: BaseAddress = key("Base address of the runbooks that alerts link to.", default="docs/runbooks")
    grafana: BaseAddress = key("Address of the Grafana that alerts link to.", default="http://localhost:3001")
    output: Folder = key(
        "Folder that `mlmetrics init` and `mlmetrics render` write to, from that of this file.", default=""
    )
    grouping: Annotated[tuple[str, ...], AfterValidator(distinct), Expects("a list of different label names")] = key(
        "Labels of targets, such as cluster, by which every rule and dashboard groups services.", default=()
    )
    external_labels: Labels = key(
        "Labels that Prometheus adds to alerts and samples that it sends elsewhere.", default={}
    )
    rule_labels: Labels = key("Labels that every alert gets.", default={})

    @field_validator("grouping")
    @classmethod
    def _check_grouping(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if not all(is_label_name(name) and name not in RESERVED_LABELS for name in names):
            raise ValueError('label names that targets carry, such as ["cluster", "namespace"]')
        return names

    @field_validator("rule_labels")
    @classmethod
    def _check_rule_labels(cls, labels: dict[str, str]) -> dict[str, str]:
        return _without_reserved(labels, _RULE_LABELS, "the rules set")


class Service(Section):
    """A service to scrape. Its name is also its job in Prometheus and the label `service` of its metrics."""

    name: Text = key("Name of the service: the label service of its metrics.")
    targets: Annotated[
        tuple[Target, ...],
        Field(min_length=1),
        AfterValidator(distinct),
        Expects("a list of at least 1 different texts"),
    ] = key("Addresses to scrape, as host:port.")
    confirmed: Flag = key(
        "Whether the addresses are known; if not, they are guesses of `mlmetrics init`, and ServiceDown is a warning.",
        default=True,
    )
    labels: Labels = key("Labels that Prometheus adds to its metrics.", default={})
    module: Text = key("Python module that the service's container runs; if empty, there is none.", default="")

    @field_validator("name")
    @classmethod
    def _check_name(cls, name: str) -> str:
        if name in RESERVED_JOBS:
            raise ValueError(f"another name: {', '.join(RESERVED_JOBS)} are jobs of the monitoring itself")
        return name

    @field_validator("labels")
    @classmethod
    def _check_labels(cls, labels: dict[str, str]) -> dict[str, str]:
        return _without_reserved(labels, {*RESERVED_LABELS}, "Prometheus or the rules set")


class Objective(Section):
    """A service level objective over 30 days: the share of calls that must succeed, or end within a threshold."""

    name: Text = key("Name of the objective.")
    service: Text = key("Name of a service of this file.")
    operation: Text = key(f"What is measured: {REQUEST}, or the name of an operation in use.")
    target: Annotated[
        Number,
        Field(ge=0.0001, le=0.99999),
        Expects("a ratio above 0 and below 1, such as 0.995: 0 requires nothing and 1 allows no error"),
    ] = key("Share of calls that must meet the objective.", unit="ratio, 0 to 1")
    threshold_seconds: Annotated[Number | None, Expects("seconds, as a number; leave it out to require success")] = key(
        "Calls must end within this time, instead of succeed. A bucket bound of the histogram.",
        name="threshold",
        unit="seconds",
        default=None,
    )
    only: Labels = key("Labels of the metric, each with the value whose calls are counted.", default={})
    minimum: CallCount = key("Calls that the short window needs before an alert fires.", unit="calls", default=10.0)


class Targets(Section):
    """Servers of the monitoring itself."""

    targets: Annotated[tuple[Text, ...], AfterValidator(distinct), Expects("a list of different texts")] = key(
        "Addresses, as host:port.", default=()
    )


class Kubernetes(Section):
    """The namespace and the labels of every Kubernetes resource."""

    namespace: Text = key("Namespace of the resources.", default="")
    labels: FreeLabels = key("Labels by which the Prometheus operator selects the resources.", default={})


class AlertKeys(Section):
    """The keys of `[alert.NAME]`. Each alert has those for which its row in the table has a default."""

    severity: Annotated[Severity, Expects(f"one of {', '.join(get_args(Severity))}")] = key("How urgent it is.")
    for_seconds: Duration = key("How long the condition must hold before the alert fires.", name="for")
    threshold: Threshold = key(
        "The bound between good and bad events; without `share`, the value above which the alert fires."
    )
    share: Ratio = key(
        "The alert fires if more than this share of the events is bad, or of the limit is used.", unit="ratio, 0 to 1"
    )
    window_seconds: Window = key("The time over which events are counted.", name="window")
    minimum: CallCount = key("Calls that the window needs before the alert fires.", unit="calls")
    enabled: Flag = key("Whether the alert is rendered.")


@dataclass(frozen=True, slots=True)
class AlertSettings:
    """The numbers of one alert, in the units of `AlertKeys`; None where the alert has no such number."""

    severity: Severity
    for_seconds: float = 0.0
    threshold: float | None = None
    share: float | None = None
    window_seconds: float | None = None
    minimum: float | None = None
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that rendering reads. Durations are not scaled; `span` returns them scaled.

    `operations` are those in use, and `metrics` all that the services may expose, by name: nothing is rendered
    that reads another metric of mlmetrics.
    """

    name: str
    title: str
    services: tuple[Service, ...]
    operations: tuple[Operation, ...]
    requests: Requests
    metrics: Mapping[str, Metric]
    alerts: Mapping[str, AlertSettings]
    objectives: tuple[Objective, ...]
    host_targets: tuple[str, ...]
    pushgateways: tuple[str, ...]
    alertmanagers: tuple[str, ...]
    remote_write: str
    grouping: tuple[str, ...]
    external_labels: Mapping[str, str]
    rule_labels: Mapping[str, str]
    kubernetes_labels: Mapping[str, str]
    kubernetes_namespace: str
    runbooks: str
    grafana: str
    output: str
    receivers: Receivers
    bounds: Mapping[str, tuple[float, ...]]
    time_scale: float = 1.0

    @property
    def jobs(self) -> tuple[str, ...]:
        """The names of the services, which are the jobs of Prometheus."""
        return tuple(service.name for service in self.services)

    @property
    def guessed_jobs(self) -> tuple[str, ...]:
        """The names of the services whose addresses are guesses."""
        return tuple(service.name for service in self.services if not service.confirmed)

    def span(self, seconds: float) -> str:
        """Return a duration as text, scaled by `time_scale`."""
        return format_seconds(seconds * self.time_scale)

    def buckets(self, metric: str) -> tuple[float, ...]:
        """Return the bounds that the services use for a histogram."""
        return self.bounds[metric]

    def scaled(self, time_scale: float) -> "Config":
        """Return the same configuration with every window and wait multiplied."""
        if not 0 < time_scale <= 1:
            raise ConfigurationError(
                f"time scale = {time_scale!r}: expected more than 0 and at most 1 (1 is real time)"
            )
        return replace(self, time_scale=time_scale)


def _without_reserved(labels: dict[str, str], reserved: set[str], owner: str) -> dict[str, str]:
    clash = sorted(reserved & set(labels))
    if clash:
        raise ValueError(f"other label names than {', '.join(clash)}, which {owner}")
    return labels
