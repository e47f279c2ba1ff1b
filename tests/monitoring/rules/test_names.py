"""Every metric and label that a rule names exists: in the catalogue, in the rules, or in Prometheus itself."""

import re
from collections.abc import Iterator

import promql_parser
import pytest

from mlmetrics.catalog import METRICS
from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.prometheus.files import rule_groups
from mlmetrics.monitoring.rules.model import AlertingRule, RecordingRule
from tests.monitoring.configurations import CONFIGURATIONS
from tests.monitoring.promql import label_lists, result_labels, selectors

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
EXPORTED = {
    name: {*metric.labels, *TARGET_LABELS, *(["le"] if name.endswith("_bucket") else [])}
    for metric in METRICS
    for name in metric.sample_names
} | FOREIGN


def rules(config: Config) -> Iterator[RecordingRule | AlertingRule]:
    """Return every rule of a configuration."""
    return (rule for groups in rule_groups(config).values() for group in groups for rule in group.rules)


class Labels:
    """The labels of every metric that a configuration's rules can read, what they record included."""

    def __init__(self, config: Config) -> None:
        self._grouping = set(config.grouping)
        self._recorded: dict[str, RecordingRule] = {}
        for rule in rules(config):
            if isinstance(rule, RecordingRule):
                self._recorded.setdefault(rule.name, rule)

    def __call__(self, name: str) -> set[str]:
        """Return the labels of a metric.

        Raises:
            KeyError: There is no such metric.
        """
        if name in self._recorded:
            rule = self._recorded[name]
            return result_labels(promql_parser.parse(rule.expression), self) | set(rule.labels)
        histogram = re.fullmatch(r"mlmetrics:(\w+):baseline_(cdf|samples)", name)
        if histogram:
            return {*EXPORTED[f"{histogram[1]}_count"] - TARGET_LABELS, *(["bin"] if histogram[2] == "cdf" else [])}
        return EXPORTED[name] | self._grouping


@pytest.mark.parametrize("name", CONFIGURATIONS)
class TestNames:
    """A name that nobody exports makes a rule that can never fire."""

    def test_metrics_and_their_labels_exist(self, name: str) -> None:
        """Each metric is exported or recorded, and has the labels that it is matched by."""
        labels_of = Labels(CONFIGURATIONS[name])
        for rule in rules(CONFIGURATIONS[name]):
            for metric, matched in selectors(rule.expression):
                assert matched <= labels_of(metric), rule.expression

    def test_labels_of_aggregations_exist(self, name: str) -> None:
        """Each label in a `by`, `on` or `ignoring` is one of a metric in the rule."""
        labels_of = Labels(CONFIGURATIONS[name])
        for rule in rules(CONFIGURATIONS[name]):
            known = set().union(*(labels_of(metric) for metric, _ in selectors(rule.expression)))
            for listed in label_lists(rule.expression):
                assert listed <= known, rule.expression

    def test_annotations_name_labels_that_the_alert_has(self, name: str) -> None:
        """An annotation with a label that was aggregated away would read as empty."""
        labels_of = Labels(CONFIGURATIONS[name])
        for rule in rules(CONFIGURATIONS[name]):
            if isinstance(rule, AlertingRule):
                has = result_labels(promql_parser.parse(rule.expression), labels_of) | set(rule.labels)
                named = set(re.findall(r"\$labels\.(\w+)", " ".join(rule.annotations.values())))
                assert named <= has, rule.name


class TestResultLabels:
    """`result_labels` knows which labels an expression leaves."""

    @pytest.mark.parametrize(
        ("expression", "labels"),
        [
            ("x", {"a", "b"}),
            ("sum by (a) (rate(x[5m])) > 0.5", {"a"}),
            ("sum without (a) (x)", {"b"}),
            ("x - ignoring (b) x", {"a"}),
            ("x / on (a) x", {"a"}),
            ("x / on (a) group_left () x", {"a", "b"}),
            ('label_replace(max by (a) (x), "c", "$1", "a", "(.+)")', {"a", "c"}),
            ('x or absent(x{a="1",b=~"2"})', {"a"}),
            ("1 - x", {"a", "b"}),
            ("vector(1)", set()),
        ],
    )
    def test_of_each_kind_of_expression(self, expression: str, labels: set[str]) -> None:
        """Aggregations, matching and functions each keep their labels."""
        assert labels == result_labels(promql_parser.parse(expression), lambda _: {"a", "b"})
