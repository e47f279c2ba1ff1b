"""Every metric and label that a rule names exists: in the catalogue, in the rules, or in Prometheus itself."""

import re
from collections.abc import Iterator

import pytest

from mlmetrics.catalog import METRICS
from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.prometheus.files import rule_groups
from mlmetrics.monitoring.rules.model import Alarm, Record
from tests.monitoring.configurations import CONFIGURATIONS

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
WORDS = {
    *("and", "or", "by", "without", "on", "ignoring", "group_left", "offset", "sum", "max", "rate", "increase"),
    *("absent", "abs", "ln", "clamp_min", "vector", "label_replace", "bool"),
}
_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"')
_LABELS = re.compile(r"\b(by|without|on|ignoring|group_left) \(([^()]*)\)")
_NAME = re.compile(r"(?<![\w:])[a-zA-Z_:][\w:]*(?![\w:])")
_SELECTOR = re.compile(r"([a-zA-Z_:][\w:]*)\{([^}]*)\}")


def rules(config: Config) -> Iterator[Record | Alarm]:
    """Return every rule of a configuration."""
    return (rule for groups in rule_groups(config).values() for group in groups for rule in group.rules)


def recorded(config: Config) -> set[str]:
    """Return the names that the rules record, and those of baselines."""
    names = {rule.name for rule in rules(config) if isinstance(rule, Record)}
    return names | {name.replace(":psi", f":baseline_{what}") for name in names for what in ("cdf", "samples")}


def bare(expression: str) -> str:
    """Return an expression without texts, windows and durations."""
    return re.sub(r"\[\w+\]|offset \w+", "", _TEXT.sub('""', expression))


@pytest.mark.parametrize("name", CONFIGURATIONS)
class TestNames:
    """A name that nobody exports makes a rule that can never fire."""

    def test_metrics_exist(self, name: str) -> None:
        """Each metric is in the catalogue, recorded by a rule, or known of Prometheus and node_exporter."""
        config = CONFIGURATIONS[name]
        known = {*LABELS_OF, *recorded(config), *WORDS}
        for rule in rules(config):
            expression = re.sub(r"\{[^}]*\}", "", _LABELS.sub("", bare(rule.expression)))
            assert set(_NAME.findall(expression)) <= known, rule.expression

    def test_labels_of_selectors_exist(self, name: str) -> None:
        """Each matcher is about a label that its metric has."""
        config = CONFIGURATIONS[name]
        for rule in rules(config):
            for metric, matchers in _SELECTOR.findall(bare(rule.expression)):
                labels = {re.split(r"[=!]", matcher)[0] for matcher in matchers.split(",")}
                known = RECORDED_LABELS if metric in recorded(config) else LABELS_OF[metric]
                assert labels <= known, rule.expression

    def test_labels_of_aggregations_exist(self, name: str) -> None:
        """Each label that is aggregated by is one of the metrics in the rule, or a configured one."""
        config = CONFIGURATIONS[name]
        for rule in rules(config):
            metrics = set(_NAME.findall(re.sub(r"\{[^}]*\}", "", bare(rule.expression)))) & set(LABELS_OF)
            known = {*config.grouping, *RECORDED_LABELS, *(label for metric in metrics for label in LABELS_OF[metric])}
            if not metrics:
                known |= {label for labels in LABELS_OF.values() for label in labels}
            for _, labels in _LABELS.findall(bare(rule.expression)):
                assert set(filter(None, labels.split(", "))) <= known, rule.expression

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
    by = " ".join(labels for _, labels in _LABELS.findall(bare(rule.expression)))
    drift = " ".join(label for metric in METRICS for label in metric.labels) if ":psi" in rule.expression else ""
    target = "job instance service" if "up{" in rule.expression or "node_memory" in rule.expression else ""
    return " ".join([by, drift, target, *config.grouping, "service job reference objective"])
