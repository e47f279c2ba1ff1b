"""The stack's resources for a cluster that runs the Prometheus operator and Grafana's dashboard sidecar."""

import json
from collections.abc import Mapping
from typing import Any

from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.deploy.prometheus_rule import kubernetes_files
from mlmetrics.monitoring.durations import format_seconds
from mlmetrics.monitoring.grafana.dashboards import dashboard_texts
from mlmetrics.monitoring.prometheus.scrape import SERVICE_INTERVAL_SECONDS
from mlmetrics.monitoring.text import yaml_text

NAME_LABEL = "app.kubernetes.io/name"
DASHBOARD_LABEL = {"grafana_dashboard": "1"}
PORT_NAME = "http"


def manifests(config: Config, labels: Mapping[str, str]) -> dict[str, str]:
    """Return the files of the folder `kubernetes`: rules, scraping, dashboards, and what names them all."""
    files = kubernetes_files(config, labels)
    files["pod-monitor.yaml"] = yaml_text(_pod_monitor(config, labels))
    files |= {
        f"dashboard-{uid}.yaml": yaml_text(_dashboard(config, uid, text, labels))
        for uid, text in dashboard_texts(config).items()
    }
    return files | {"kustomization.yaml": yaml_text(_kustomization(sorted(files)))}


def _metadata(config: Config, name: str, labels: Mapping[str, str]) -> dict[str, Any]:
    place = {"namespace": config.kubernetes_namespace} if config.kubernetes_namespace else {}
    managed = {"app.kubernetes.io/managed-by": "mlmetrics"}
    return {"name": name, **place, "labels": {**managed, **config.kubernetes_labels, **labels}}


def _pod_monitor(config: Config, labels: Mapping[str, str]) -> dict[str, Any]:
    names = [service.name for service in config.services]
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PodMonitor",
        "metadata": _metadata(config, "mlmetrics-services", labels),
        "spec": {
            # Rules and dashboards take the job for the service's name.
            "jobLabel": NAME_LABEL,
            "selector": {"matchExpressions": [{"key": NAME_LABEL, "operator": "In", "values": names}]},
            "podMetricsEndpoints": [
                {"port": PORT_NAME, "path": "/metrics", "interval": format_seconds(SERVICE_INTERVAL_SECONDS)}
            ],
        },
    }


def _dashboard(config: Config, uid: str, text: str, labels: Mapping[str, str]) -> dict[str, Any]:
    compact = json.dumps(json.loads(text), ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": _metadata(config, uid, {**labels, **DASHBOARD_LABEL}),
        "data": {f"{uid}.json": compact},
    }


def _kustomization(names: list[str]) -> dict[str, Any]:
    return {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": names}
