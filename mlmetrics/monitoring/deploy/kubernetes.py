"""Manifests for a cluster that runs the Prometheus operator and Grafana's dashboard sidecar."""

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import yaml

from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.deploy import alertmanager_config
from mlmetrics.monitoring.durations import format_seconds
from mlmetrics.monitoring.grafana.provisioning import dashboard_texts
from mlmetrics.monitoring.prometheus.files import rule_groups
from mlmetrics.monitoring.prometheus.scrape import SERVICE_INTERVAL_SECONDS
from mlmetrics.monitoring.rules.model import Group
from mlmetrics.monitoring.text import HEADER, yaml_text

DASHBOARD_LABEL = {"grafana_dashboard": "1"}

Resource = dict[str, Any]


def manifests(config: Config, labels: Mapping[str, str]) -> dict[str, str]:
    """Return the files of the folder `kubernetes`: rules, scraping, receivers, dashboards, and a list of them all.

    Every resource gets `labels`, by which the operator's selectors find it.
    """
    resources = {
        f"mlmetrics-{name}": _rules(config, name, groups, labels) for name, groups in rule_groups(config).items()
    }
    resources["pod-monitor"] = _pod_monitor(config, labels)
    resources |= {
        f"dashboard-{uid}": _dashboard(config, uid, text, labels) for uid, text in dashboard_texts(config).items()
    }
    texts = {f"{name}.yaml": yaml_text(resource) for name, resource in resources.items()}
    if any(config.receivers.named()):
        texts["mlmetrics-notify.yaml"] = _notify(config, labels)
    return texts | {"kustomization.yaml": yaml_text(_skeleton("Kustomization") | {"resources": sorted(texts)})}


def _skeleton(kind: str) -> Resource:
    path = files("mlmetrics.monitoring.deploy") / "templates" / "kubernetes.yml"
    resource: Resource = yaml.safe_load(path.read_text(encoding="utf-8"))[kind]
    return resource


def _resource(kind: str, config: Config, name: str, labels: Mapping[str, str]) -> Resource:
    """Return the template of a kind with its metadata."""
    namespace = {"namespace": config.kubernetes_namespace} if config.kubernetes_namespace else {}
    managed = {"app.kubernetes.io/managed-by": "mlmetrics"}
    metadata = {"name": name, **namespace, "labels": {**managed, **config.kubernetes_labels, **labels}}
    return _skeleton(kind) | {"metadata": metadata}


def _rules(config: Config, name: str, groups: tuple[Group, ...], labels: Mapping[str, str]) -> Resource:
    resource = _resource("PrometheusRule", config, f"mlmetrics-{name}", labels)
    resource["spec"]["groups"] = [group.document() for group in groups]
    return resource


def _pod_monitor(config: Config, labels: Mapping[str, str]) -> Resource:
    resource = _resource("PodMonitor", config, "mlmetrics-services", labels)
    resource["spec"]["selector"]["matchExpressions"][0]["values"] = list(config.jobs)
    resource["spec"]["podMetricsEndpoints"][0]["interval"] = format_seconds(SERVICE_INTERVAL_SECONDS)
    return resource


def _notify(config: Config, labels: Mapping[str, str]) -> str:
    resource = _resource("AlertmanagerConfig", config, "mlmetrics-notify", labels)
    return yaml_text(resource | {"spec": alertmanager_config.spec(config)}, HEADER + alertmanager_config.advice(config))


def _dashboard(config: Config, uid: str, text: str, labels: Mapping[str, str]) -> Resource:
    compact = json.dumps(json.loads(text), ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return _resource("ConfigMap", config, uid, {**labels, **DASHBOARD_LABEL}) | {"data": {f"{uid}.json": compact}}
