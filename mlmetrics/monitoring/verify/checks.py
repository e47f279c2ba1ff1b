"""Checks on the live pages of services, and on a running Prometheus: can alerts fire, and are the numbers whole."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.prometheus.files import rule_groups
from mlmetrics.monitoring.rules.model import AlertingRule
from mlmetrics.monitoring.verify.absence import OURS
from mlmetrics.monitoring.verify.finding import Finding
from mlmetrics.monitoring.verify.metrics_page import MetricsPage
from mlmetrics.monitoring.verify.prometheus_api import PrometheusAPI
from mlmetrics.monitoring.verify.silence import silent_alerts

MANY_VALUES = 100
_LOOKS_LIKE_ID = re.compile(r"^(\d{5,}|[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|[0-9a-f]{24,}|[^@\s]+@[^@\s]+\.\w+)$")
# Counters of ours that say that other numbers on the page are wrong.
_LOSSES = {
    "mlmetrics_recording_errors_total": ("recording", "{value:g} measurements could not be recorded at this place"),
    "mlmetrics_label_overflow_total": ("overflow", "{value:g} recordings got the value 'other'"),
}


def check_pages(config: Config, pages: Mapping[str, MetricsPage]) -> list[Finding]:
    """Return what is wrong with services' live pages, and which alerts could never fire on any of them."""
    if not pages:
        return []
    untyped = [Finding("error", "malformed", url, text, url) for url, page in pages.items() for text in page.untyped]
    return [
        *untyped,
        *page_losses(pages),
        *silent_alerts(config, pages),
        *(finding for url, page in pages.items() for finding in _strange_names(config, url, page)),
        *(finding for url, page in pages.items() for finding in _growing_labels(url, page)),
    ]


def page_losses(pages: Mapping[str, MetricsPage]) -> Iterator[Finding]:
    """Yield what is malformed on pages, and the measurements that they say were lost."""
    for url, page in pages.items():
        yield from (Finding("error", "malformed", url, text, url) for text in page.malformed)
        for name, (kind, text) in _LOSSES.items():
            for labels, value in sorted(page.above_zero(name).items()):
                shown = ", ".join(f'{label}="{each}"' for label, each in labels)
                yield Finding("error", kind, f"{name}{{{shown}}}", text.format(value=value), url)


def _strange_names(config: Config, url: str, page: MetricsPage) -> Iterator[Finding]:
    """Yield the names by which rules and panels select or group, and which a page of ours does not have."""
    if OURS not in page.names:
        return
    samples = (sample for metric in config.metrics.values() for sample in metric.sample_names)
    named = {service for sample in samples for service in page.values.get((sample, "service"), ())}
    expected = {service.name for service in config.services}
    if named and not named & expected:
        text = f"no [[service]] has this name, but {_listed(expected)}: objectives of the page's calls never fire"
        yield Finding("error", "service", _listed(named), text, url)
    for operation in config.operations:
        found = page.labels(operation.finished)
        missing = [label for label in operation.labels if label not in found]
        if found and missing:
            own = _listed(set(found) - {"service", "outcome"})
            text = f"has no label {', '.join(missing)}, but {own}: alerts and panels cannot tell its calls apart"
            yield Finding("error", "label", operation.finished, text, url)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def _growing_labels(url: str, page: MetricsPage) -> Iterator[Finding]:
    for (name, label), values in sorted(page.values.items()):
        ids = sum(bool(_LOOKS_LIKE_ID.match(value)) for value in values)
        subject = f"{name}{{{label}}}"
        if len(values) > MANY_VALUES:
            yield Finding("error", "label grows", subject, f"{len(values)} values", url)
        elif ids:
            yield Finding("error", "label grows", subject, f"{ids} of {len(values)} values look like ids", url)


def check_prometheus(config: Config, url: str) -> list[Finding]:
    """Return what is wrong in a running Prometheus: targets that are down, rules that are not loaded or fail."""
    prometheus = PrometheusAPI(url)
    return [
        *_target_findings(config, url, prometheus.targets()),
        *_rule_findings(config, url, prometheus.rule_groups()),
    ]


def _target_findings(config: Config, url: str, targets: list[dict[str, Any]]) -> Iterator[Finding]:
    jobs = {target["labels"]["job"] for target in targets}
    for service in config.services:
        if service.name not in jobs:
            yield Finding("error", "target", service.name, "is not scraped", url)
    for target in targets:
        if target["health"] != "up":
            text = f"{target['scrapeUrl']} is {target['health']}: {target['lastError'] or 'not scraped yet'}"
            yield Finding("error", "target", target["labels"]["job"], text, url)


def _rule_findings(config: Config, url: str, groups: list[dict[str, Any]]) -> Iterator[Finding]:
    loaded = {_identity(rule["name"], rule.get("labels", {})) for group in groups for rule in group["rules"]}
    for own_groups in rule_groups(config).values():
        for rule in (rule for group in own_groups for rule in group.rules):
            if _identity(rule.name, dict(rule.labels)) not in loaded:
                kind = "alert" if isinstance(rule, AlertingRule) else "record"
                text = f"this {kind} is not loaded with labels {dict(rule.labels)}"
                yield Finding("error", "rule", rule.name, text, url)
    for group in groups:
        for rule in group["rules"]:
            if rule["health"] == "err":
                yield Finding("error", "rule", rule["name"], f"fails: {rule['lastError']}", url)


def _identity(name: str, labels: dict[str, str]) -> tuple[str, tuple[tuple[str, str], ...]]:
    return name, tuple(sorted(labels.items()))
