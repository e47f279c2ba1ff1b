"""Every metric and label that a rule names exists: in the catalogue, in the rules, or in Prometheus itself."""

import re
from collections.abc import Iterator

import pytest

from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.prometheus.files import rule_groups
from mlmetrics.monitoring.rules.model import AlertingRule, RecordingRule
from tests.monitoring.configurations import CONFIGURATIONS
from tests.promql import listed_labels, parse, result_labels, selectors

TARGET_LABELS = {"job", "instance"}
FOREIGN = {
    "up": TARGET_LABELS,
    "scrape_duration_seconds": TARGET_LABELS,
    "process_resident_memory_bytes": TARGET_LABELS,
    "process_cpu_seconds_total": TARGET_LABELS,
    "process_start_time_seconds": TARGET_LABELS,
    "node_memory_MemTotal_bytes": TARGET_LABELS,
    "node_memory_MemAvailable_bytes": TARGET_LABELS,
    "node_cpu_seconds_total": {*TARGET_LABELS, "cpu", "mode"},
}


def exported(config: Config) -> dict[str, set[str]]:
    """Return the labels of every sample that services of a configuration may expose, and of other programs'."""
    own = {
        name: {*metric.labels, *TARGET_LABELS, *(["le"] if name.endswith("_bucket") else [])}
        for metric in config.metrics.values()
        for name in metric.sample_names
    }
    return own | FOREIGN


def rules(config: Config) -> Iterator[RecordingRule | AlertingRule]:
    """Return every rule of a configuration."""
    return (rule for groups in rule_groups(config).values() for group in groups for rule in group.rules)


class Labels:
    """The labels of every metric that a configuration's rules can read, recorded metrics too."""

    def __init__(self, config: Config) -> None:
        self._grouping = set(config.grouping)
        self._exported = exported(config)
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
            return result_labels(parse(rule.expression), self) | set(rule.labels)
        baseline = re.fullmatch(r"mlmetrics:(\w+):baseline_(\w+)", name)
        if baseline:
            exported = self._exported.get(f"{baseline[1]}_count") or self._exported[baseline[1]]
            return {*exported - TARGET_LABELS, *(["bin"] if baseline[2] == "cdf" else [])}
        return self._exported[name] | self._grouping


@pytest.mark.parametrize("name", CONFIGURATIONS)
class TestNames:
    """Rules read only metrics and labels that exist, because others can never fire."""

    def test_metrics_and_their_labels_exist(self, name: str) -> None:
        """Each metric is exported or recorded, and has the labels of its matchers."""
        labels_of = Labels(CONFIGURATIONS[name])
        found = [(rule, each) for rule in rules(CONFIGURATIONS[name]) for each in selectors(rule.expression)]
        assert [] != found
        for rule, each in found:
            assert each.labels() <= labels_of(each.metric), rule.expression

    def test_labels_of_aggregations_exist(self, name: str) -> None:
        """Each label in `by`, `on` or `ignoring` is a label of a metric in the rule."""
        labels_of = Labels(CONFIGURATIONS[name])
        every = set[str]()
        for rule in rules(CONFIGURATIONS[name]):
            known = set().union(*(labels_of(each.metric) for each in selectors(rule.expression)))
            listed = listed_labels(rule.expression)
            assert listed <= known, rule.expression
            every |= listed
        assert "service" in every

    def test_annotations_name_labels_that_the_alert_has(self, name: str) -> None:
        """Annotations use only labels that the alert has; others would be empty."""
        labels_of = Labels(CONFIGURATIONS[name])
        every = set[str]()
        for rule in rules(CONFIGURATIONS[name]):
            if isinstance(rule, AlertingRule):
                has = result_labels(parse(rule.expression), labels_of) | set(rule.labels)
                named = set(re.findall(r"\$labels\.(\w+)", " ".join(rule.annotations.values())))
                assert named <= has, rule.name
                every |= named
        assert "service" in every

    def test_shares_of_now_are_of_one_moment(self, name: str) -> None:
        """A share divides counters by counters: what another rule recorded is one evaluation older in vmalert."""
        shares = [rule for rule in rules(CONFIGURATIONS[name]) if rule.name.endswith(":cdf")]
        now = [rule for rule in shares if rule.labels.get("reference") == "now"]
        assert now
        read = {each.metric for rule in now for each in selectors(rule.expression)}
        assert not {metric for metric in read if ":" in metric}
