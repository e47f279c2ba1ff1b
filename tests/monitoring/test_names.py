"""Every metric and label that a rule names exists: in the catalogue, in the rules, or in Prometheus itself."""

import re
from collections.abc import Iterator

import pytest

from mlmetrics.catalog import METRICS
from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.prometheus.files import rule_groups
from mlmetrics.monitoring.rules.model import Alarm, Record
from tests.monitoring.configurations import CONFIGURATIONS
from tests.promql import listed_labels, selectors

TARGET_LABELS = {"job", "instance"}
FOREIGN = {
    "up": TARGET_LABELS,
    "scrape_duration_seconds": TARGET_LABELS,
    "process_resident_memory_bytes": TARGET_LABELS,
    "process_cpu_seconds_total": TARGET_LABELS,
    "node_memory_MemTotal_bytes": TARGET_LABELS,
    "node_memory_MemAvailable_bytes": TARGET_LABELS,
    "node_cpu_seconds_total": {*TARGET_LABELS, "cpu", "mode"},
}
LABELS_OF = {
    name: {*metric.labels, *TARGET_LABELS, *(["le"] if name.endswith("_bucket") else [])}
    for metric in METRICS
    for name in metric.sample_names
} | FOREIGN
RECORDED_LABELS = {"reference", "bin", "objective", "window"}


def rules(config: Config) -> Iterator[Record | Alarm]:
    """Return every rule of a configuration."""
    return (rule for groups in rule_groups(config).values() for group in groups for rule in group.rules)


def recorded(config: Config) -> set[str]:
    """Return the names that the rules record, and those of baselines."""
    names = {rule.name for rule in rules(config) if isinstance(rule, Record)}
    return names | {name.replace(":psi", f":baseline_{what}") for name in names for what in ("cdf", "samples")}


@pytest.mark.parametrize("name", CONFIGURATIONS)
class TestNames:
    """A name that nobody exports makes a rule that can never fire."""

    def test_metrics_exist(self, name: str) -> None:
        """Each metric is in the catalogue, recorded by a rule, or known of Prometheus and node_exporter."""
        config = CONFIGURATIONS[name]
        known = {*LABELS_OF, *recorded(config)}
        for rule in rules(config):
            assert {each.metric for each in selectors(rule.expression)} <= known, rule.expression

    def test_labels_of_selectors_exist(self, name: str) -> None:
        """Each matcher is about a label that its metric has."""
        config = CONFIGURATIONS[name]
        for rule in rules(config):
            for each in selectors(rule.expression):
                known = RECORDED_LABELS if each.metric in recorded(config) else LABELS_OF[each.metric]
                assert each.labels() <= known, rule.expression

    def test_labels_of_aggregations_exist(self, name: str) -> None:
        """Each label that is aggregated by is one of the metrics in the rule, or a configured one."""
        config = CONFIGURATIONS[name]
        for rule in rules(config):
            metrics = {each.metric for each in selectors(rule.expression)} & set(LABELS_OF)
            known = {*config.grouping, *RECORDED_LABELS, *(label for metric in metrics for label in LABELS_OF[metric])}
            if not metrics:
                known |= {label for labels in LABELS_OF.values() for label in labels}
            assert listed_labels(rule.expression) <= known, rule.expression

    def test_annotations_name_labels_that_the_alert_has(self, name: str) -> None:
        """An annotation with a label that was aggregated away would read as empty."""
        config = CONFIGURATIONS[name]
        for rule in rules(config):
            if isinstance(rule, Alarm):
                text = " ".join(rule.annotations.values())
                for label in re.findall(r"\$labels\.(\w+)", text):
                    assert label in rule.labels or re.search(rf"\b{label}\b", known_labels(rule, config)), rule.name
                assert "$labels.alertname" not in text


def known_labels(rule: Alarm, config: Config) -> str:
    """Return the labels that an alert's expression leaves, as a text to search."""
    by = " ".join(listed_labels(rule.expression))
    drift = " ".join(label for metric in METRICS for label in metric.labels) if ":psi" in rule.expression else ""
    target = "job instance service" if "up{" in rule.expression or "node_memory" in rule.expression else ""
    return " ".join([by, drift, target, *config.grouping, "service job reference objective"])
