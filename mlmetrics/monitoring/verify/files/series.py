"""What is known of a metric: its labels, the bounds of its buckets, and whether it only grows.

It is read from live pages, from a Prometheus if there is one, and from the recording rules of the given files.
"""

import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from mlmetrics.monitoring.verify.absence import Exposed
from mlmetrics.monitoring.verify.files.intervals import ALL, Interval
from mlmetrics.monitoring.verify.metrics_page import MetricsPage
from mlmetrics.monitoring.verify.own_operations import own_operations
from mlmetrics.monitoring.verify.prometheus_api import PrometheusAPI

SPAN_SECONDS = 3600.0
TARGET_LABELS = frozenset({"job", "instance"})
"""The labels that Prometheus adds to every series that it scrapes."""
USUAL_TARGET_LABELS = frozenset(
    {
        *("app", "availability_zone", "az", "cluster", "container", "datacenter", "dc", "endpoint", "env"),
        *("environment", "host", "kubernetes_name", "kubernetes_namespace", "kubernetes_node", "kubernetes_pod_name"),
        *("metrics_path", "namespace", "node", "pod", "prometheus", "prometheus_replica", "region", "replica"),
        *("service", "team", "tenant", "zone"),
    }
)
"""Labels that service discovery, relabelling and external labels usually add: a page does not tell whether it is so."""
# What Prometheus writes itself, with the labels of a target; of its alerts nobody knows the labels.
OF_TARGETS = frozenset(
    {
        *("up", "scrape_body_size_bytes", "scrape_duration_seconds", "scrape_sample_limit"),
        *("scrape_samples_post_metric_relabeling", "scrape_samples_scraped", "scrape_series_added"),
        "scrape_timeout_seconds",
    }
)
OF_ALERTS = frozenset({"ALERTS", "ALERTS_FOR_STATE"})


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels that series may have, those that all of them have, and whether they may have any others (`open`)."""

    may: frozenset[str] = frozenset()
    always: frozenset[str] = frozenset()
    open: bool = False

    def has(self, label: str) -> bool:
        """Tell whether a series may have a label; its name is one, until it is computed with."""
        return self.open or label in self.may or label == "__name__"

    def without(self, labels: Iterable[str]) -> "Labels":
        """Return the same without some labels; those are gone even if it is open."""
        gone = frozenset(labels)
        return Labels(self.may - gone, self.always - gone, self.open)

    def only(self, labels: Iterable[str]) -> "Labels":
        """Return some of the labels."""
        kept = frozenset(labels)
        return Labels(kept if self.open else self.may & kept, self.always & kept)

    def plus(self, labels: Iterable[str]) -> "Labels":
        """Return the same with more labels that series may have."""
        return Labels(self.may | frozenset(labels), self.always, self.open)

    def either(self, other: "Labels") -> "Labels":
        """Return the labels of the series of both together."""
        return Labels(self.may | other.may, self.always & other.always, self.open or other.open)


ANY = Labels(open=True)


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric: its labels, its series where they are known, whether it is a counter, and the range of its values."""

    labels: Labels
    series: Sequence[Mapping[str, str]] = ()
    counter: bool | None = None
    values_between: Interval = ALL

    def values(self, label: str) -> set[str]:
        """Return the values that a label has on the known series."""
        return {series[label] for series in self.series if label in series}

    @property
    def bounds(self) -> set[float]:
        """The upper bounds of its buckets, infinity among them; empty if it has none."""
        return {bound for text in self.values("le") if (bound := number_of(text)) is not None}


def number_of(text: str) -> float | None:
    """Return the number that a text is, None if it is none."""
    try:
        return float(text)
    except ValueError:
        return None


@dataclass
class Known:
    """Everything that is known of metrics, by their names.

    `recorded` gives the labels of what the recording rules of the given files record; `target_labels` are those that
    the user says Prometheus adds.
    """

    pages: Sequence[MetricsPage] = ()
    prometheus: PrometheusAPI | None = None
    target_labels: frozenset[str] = frozenset()
    recorded: Mapping[str, Callable[[], Metric]] = field(default_factory=dict)
    _found: dict[str, Metric | None] = field(default_factory=dict, init=False)

    def metric(self, name: str) -> Metric | None:
        """Return a metric; None if it is nowhere."""
        if name not in self._found:
            self._found[name] = Metric(ANY)  # what a rule sees that reads its own result
            self._found[name] = self._metric(name)
        return self._found[name]

    def has_samples(self, name: str) -> bool:
        """Tell whether a metric has a sample somewhere, or is recorded by a rule."""
        return name in OF_TARGETS | OF_ALERTS | set(self.recorded) | self.names

    def any_has(self, label: str) -> bool:
        """Tell whether any series has a label, or may have it."""
        if self.is_of_target(label) or any(each == label for page in self.pages for _, each in page.values):
            return True
        return label in self._stored_labels

    @cached_property
    def _stored_labels(self) -> Sequence[str]:
        return self.prometheus.label_names(time.time() - SPAN_SECONDS) if self.prometheus else ()

    def declared(self, name: str) -> bool:
        """Tell whether a page declares the type of a metric, with samples or without."""
        return any(name in page.growing for page in self.pages)

    @cached_property
    def names(self) -> set[str]:
        """The names of all metrics on the pages and in the Prometheus."""
        found = {name for page in self.pages for name in page.names}
        return found | set(self._stored_names)

    @cached_property
    def exposed(self) -> Exposed:
        """What services with mlmetrics may expose: also of the operations of their own that are there."""
        return Exposed(own_operations(self.names, self._own_labels))

    def _own_labels(self, name: str) -> list[str]:
        metric = self.metric(name)
        return [] if metric is None else [label for label in metric.labels.may if not self.is_of_target(label)]

    @cached_property
    def _stored_names(self) -> Sequence[str]:
        if self.prometheus is None:
            return ()
        return self.prometheus.label_values("__name__", "", time.time() - SPAN_SECONDS)

    @cached_property
    def _labels_of_targets(self) -> frozenset[str]:
        """The labels that the Prometheus gives to what it scrapes, or that it usually may give."""
        if self.prometheus is None:
            return TARGET_LABELS | self.target_labels | USUAL_TARGET_LABELS
        labels = {label for target in self.prometheus.targets() for label in target["labels"]}
        return TARGET_LABELS | self.target_labels | labels

    def is_of_target(self, label: str) -> bool:
        """Tell whether Prometheus adds a label to what it scrapes, or usually may."""
        return label in self._labels_of_targets

    def matching(self, pattern: str) -> set[str]:
        """Return the names that a regular expression matches, wholly."""
        expression = pattern_of(pattern)
        return {name for name in self.names | set(self.recorded) if expression is None or expression.fullmatch(name)}

    def _metric(self, name: str) -> Metric | None:
        if name in OF_ALERTS:
            return Metric(ANY)
        if name in self.recorded:
            return self.recorded[name]()
        scraped, stored = self._on_pages(name), self._in_prometheus(name)
        if not scraped and not stored:
            if name in OF_TARGETS:
                return Metric(Labels(self._labels_of_targets, TARGET_LABELS))
            return Metric(ANY, counter=self._grows(name)) if self.declared(name) else None
        own = _labels_of([*scraped, *stored])
        # A label that the target has too is kept under another name.
        moved = {f"exported_{label}" for label in own.may & self._labels_of_targets} if scraped else set()
        always = own.always if stored else own.always | TARGET_LABELS
        return Metric(Labels(own.may | self._labels_of_targets | moved, always), [*scraped, *stored], self._grows(name))

    def _on_pages(self, name: str) -> list[dict[str, str]]:
        return [series for page in self.pages if name in page.names for series in page.series[name]]

    def _in_prometheus(self, name: str) -> list[dict[str, Any]]:
        if self.prometheus is None or name not in self._stored_names:
            return []
        return self.prometheus.series(name, time.time() - SPAN_SECONDS)

    def _grows(self, name: str) -> bool | None:
        found = [page.growing[name] for page in self.pages if page.growing.get(name) is not None]
        if found:
            return found[0]
        return True if name.endswith(("_total", "_bucket", "_count")) else None


def _labels_of(series: Sequence[Mapping[str, str]]) -> Labels:
    """Return the labels of series; one that a page shows without a value may have one on another series."""
    shown = frozenset(label for each in series for label in each)
    filled = [frozenset(label for label, text in each.items() if text) for each in series]
    return Labels(shown, frozenset.intersection(*filled)).without({"__name__"})


def pattern_of(text: str) -> re.Pattern[str] | None:
    """Return a regular expression of a query; None if Python cannot read it."""
    try:
        return re.compile(text, re.DOTALL)
    except re.error:
        return None


def matches(operator: str, text: str, value: str) -> bool:
    """Tell whether a matcher accepts the value of a label; a missing label is the empty text."""
    if operator in {"=", "!="}:
        return (value == text) is (operator == "=")
    pattern = pattern_of(text)
    return pattern is None or bool(pattern.fullmatch(value)) is (operator == "=~")
