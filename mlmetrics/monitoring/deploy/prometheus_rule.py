"""The rules as `PrometheusRule` resources, for clusters that run the Prometheus operator."""

from collections.abc import Mapping
from typing import Any

from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.prometheus.files import rule_groups
from mlmetrics.monitoring.rules.model import Group
from mlmetrics.monitoring.text import yaml_text


def prometheus_rule(config: Config, name: str, groups: tuple[Group, ...], labels: Mapping[str, str]) -> dict[str, Any]:
    """Return one resource; `labels` let the operator's `ruleSelector` find it."""
    metadata: dict[str, Any] = {"name": f"mlmetrics-{name}"}
    if config.kubernetes_namespace:
        metadata["namespace"] = config.kubernetes_namespace
    metadata["labels"] = {"app.kubernetes.io/managed-by": "mlmetrics", **config.kubernetes_labels, **labels}
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": metadata,
        "spec": {"groups": [group.document() for group in groups]},
    }


def kubernetes_files(config: Config, labels: Mapping[str, str]) -> dict[str, str]:
    """Return the rules as `PrometheusRule` resources."""
    return {
        f"mlmetrics-{name}.yaml": yaml_text(prometheus_rule(config, name, groups, labels))
        for name, groups in rule_groups(config).items()
    }
