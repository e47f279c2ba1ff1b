"""`prometheus.yml`: the targets and how often they are scraped, the rule files, Alertmanagers and remote write."""

from typing import Any

from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.remote_write import remote_write_document

INTERVAL_SECONDS = 15.0
SERVICE_INTERVAL_SECONDS = 10.0
# Targets need this time to answer, also when intervals are scaled down for a rehearsal.
_LEAST_INTERVAL_SECONDS = 0.5


def prometheus_document(config: Config, rule_files: list[str]) -> dict[str, Any]:
    """Return the configuration of Prometheus; retention (30 days) is an argument of its command line."""
    general: dict[str, Any] = {
        "scrape_interval": _interval(config, INTERVAL_SECONDS),
        "evaluation_interval": _interval(config, INTERVAL_SECONDS),
    }
    if config.external_labels:
        general["external_labels"] = dict(config.external_labels)
    document: dict[str, Any] = {"global": general, "rule_files": rule_files}
    if config.alertmanagers:
        document["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": list(config.alertmanagers)}]}]}
    if config.remote_write:
        document["remote_write"] = remote_write_document(config.remote_write)
    return document | {"scrape_configs": _jobs(config)}


def _jobs(config: Config) -> list[dict[str, Any]]:
    jobs: list[dict[str, Any]] = []
    for service in config.services:
        targets: dict[str, Any] = {"targets": list(service.targets)}
        if service.labels:
            targets["labels"] = dict(service.labels)
        jobs.append(
            {
                "job_name": service.name,
                "scrape_interval": _interval(config, SERVICE_INTERVAL_SECONDS),
                "static_configs": [targets],
            }
        )
    if config.host_targets:
        jobs.append({"job_name": "node", "static_configs": [{"targets": list(config.host_targets)}]})
    if config.pushgateways:
        # What was pushed has the `job` and `instance` that it was pushed under.
        targets = {"targets": list(config.pushgateways)}
        jobs.append({"job_name": "pushgateway", "honor_labels": True, "static_configs": [targets]})
    return jobs


def _interval(config: Config, seconds: float) -> str:
    return config.span(max(seconds, _LEAST_INTERVAL_SECONDS / config.time_scale))
