"""Checks that alerts can fire: on the live page of a service, and in a running Prometheus."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from mlmetrics.catalog import METRICS
from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.prometheus.files import rule_groups
from mlmetrics.monitoring.rules.alert import Alert
from mlmetrics.monitoring.rules.alerts import enabled_alerts
from mlmetrics.monitoring.rules.indicators import Sample
from mlmetrics.monitoring.rules.model import AlertingRule
from mlmetrics.monitoring.rules.slo import burn_alerts
from mlmetrics.monitoring.verify.metrics_page import MetricsPage, read_page
from mlmetrics.monitoring.verify.prometheus_api import PrometheusAPI, fetch

MANY_VALUES = 100
_LOOKS_LIKE_ID = re.compile(r"^(\d{5,}|[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|[0-9a-f]{24,}|[^@\s]+@[^@\s]+\.\w+)$")
_EXPOSED_NAMES = {name for metric in METRICS for name in metric.sample_names} | {
    "process_resident_memory_bytes",
    "process_cpu_seconds_total",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """An `error` must be corrected; a `note` may be intended, such as an absent metric in a service without models."""

    level: Literal["error", "note"]
    kind: str
    subject: str
    text: str


def check_page(config: Config, url: str) -> list[Finding]:
    """Return what is wrong with a service's live page, and which alerts could never fire on it."""
    page = read_page(*fetch(url))
    return [
        *(Finding("error", "malformed", url, text) for text in page.malformed),
        *_silent_alerts(config, page),
        *_growing_labels(page),
    ]


def _silent_alerts(config: Config, page: MetricsPage) -> Iterator[Finding]:
    burns = [alert for objective in config.objectives for alert in burn_alerts(config, objective)[:1]]
    for alert in (*enabled_alerts(config), *burns):
        subject = " ".join(filter(None, (alert.name, alert.labels.get("objective", ""))))
        for sample in _exposed_samples(alert):
            finding = _missing(subject, sample, page)
            if finding is not None:
                yield finding
                break


def _exposed_samples(alert: Alert) -> Iterator[Sample]:
    return (sample for sample in alert.condition.samples if sample.name in _EXPOSED_NAMES)


def _missing(subject: str, sample: Sample, page: MetricsPage) -> Finding | None:
    if sample.name not in page.names:
        return Finding("note", "never fires", subject, f"{sample.name} is not on the page")
    bounds = page.bounds[sample.name]
    if sample.bound is not None and sample.bound not in bounds:
        found = ", ".join(f"{bound:g}" for bound in sorted(bounds))
        text = f"{sample.name} has no bucket bound {sample.bound:g}, but {found}"
        return Finding("error", "never fires", subject, text)
    return None


def _growing_labels(page: MetricsPage) -> Iterator[Finding]:
    for (name, label), values in sorted(page.values.items()):
        ids = sum(bool(_LOOKS_LIKE_ID.match(value)) for value in values)
        if len(values) > MANY_VALUES:
            yield Finding("error", "label grows", f"{name}{{{label}}}", f"{len(values)} values")
        elif ids:
            yield Finding("error", "label grows", f"{name}{{{label}}}", f"{ids} of {len(values)} values look like ids")


def check_prometheus(config: Config, url: str) -> list[Finding]:
    """Return what is wrong in a running Prometheus: targets that are down, rules that are not loaded or fail."""
    prometheus = PrometheusAPI(url)
    return [
        *_target_findings(config, prometheus.targets()),
        *_rule_findings(config, prometheus.rule_groups()),
    ]


def _target_findings(config: Config, targets: list[dict[str, Any]]) -> Iterator[Finding]:
    jobs = {target["labels"]["job"] for target in targets}
    for service in config.services:
        if service.name not in jobs:
            yield Finding("error", "target", service.name, "is not scraped")
    for target in targets:
        if target["health"] != "up":
            text = f"{target['scrapeUrl']} is {target['health']}: {target['lastError'] or 'not scraped yet'}"
            yield Finding("error", "target", target["labels"]["job"], text)


def _rule_findings(config: Config, groups: list[dict[str, Any]]) -> Iterator[Finding]:
    loaded = {_identity(rule["name"], rule.get("labels", {})) for group in groups for rule in group["rules"]}
    for own_groups in rule_groups(config).values():
        for rule in (rule for group in own_groups for rule in group.rules):
            if _identity(rule.name, dict(rule.labels)) not in loaded:
                kind = "alert" if isinstance(rule, AlertingRule) else "record"
                yield Finding("error", "rule", rule.name, f"this {kind} is not loaded with labels {dict(rule.labels)}")
    for group in groups:
        for rule in group["rules"]:
            if rule["health"] == "err":
                yield Finding("error", "rule", rule["name"], f"fails: {rule['lastError']}")


def _identity(name: str, labels: dict[str, str]) -> tuple[str, tuple[tuple[str, str], ...]]:
    return name, tuple(sorted(labels.items()))
