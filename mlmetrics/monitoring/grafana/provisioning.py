"""The folder `grafana`: the dashboards, and the files that tell Grafana where they and Prometheus are."""

from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.durations import format_seconds
from mlmetrics.monitoring.grafana.boards.fleet import fleet
from mlmetrics.monitoring.grafana.boards.models import models
from mlmetrics.monitoring.grafana.boards.objectives import objectives
from mlmetrics.monitoring.grafana.boards.operations import operations
from mlmetrics.monitoring.grafana.boards.performance import performance
from mlmetrics.monitoring.grafana.boards.quality import quality
from mlmetrics.monitoring.grafana.layout import json_text
from mlmetrics.monitoring.prometheus.scrape import INTERVAL_SECONDS
from mlmetrics.monitoring.text import yaml_text

DASHBOARDS_PATH = "/etc/grafana/dashboards"
PROVISIONING_PATH = "/etc/grafana/provisioning"
DATASOURCE_UID = "mlmetrics-prometheus"
REFRESH_SECONDS = 30
BOARDS = (performance, models, quality, operations, objectives, fleet)


def dashboard_texts(config: Config) -> dict[str, str]:
    """Return the dashboards as JSON, by their uid; those without a panel are left out."""
    boards = (build(config) for build in BOARDS)
    return {str(board.uid): json_text(board) for board in boards if board.panels}


def grafana_files(config: Config) -> dict[str, str]:
    """Return the files of the folder `grafana`."""
    dashboards = {f"dashboards/{uid}.json": text for uid, text in dashboard_texts(config).items()}
    return dashboards | {f"provisioning/{name}": text for name, text in provisioning_files(config).items()}


def provisioning_files(config: Config) -> dict[str, str]:
    """Return the files of Grafana's folder `provisioning`; the address of Prometheus is in `$PROMETHEUS_URL`."""
    source = {
        "name": "Prometheus",
        "uid": DATASOURCE_UID,
        "type": "prometheus",
        "access": "proxy",
        "url": "$PROMETHEUS_URL",
        "isDefault": True,
        "editable": False,
        # `$__rate_interval` is four of these in Grafana, so that one lost scrape leaves no gap.
        "jsonData": {
            "httpMethod": "POST",
            "prometheusType": "Prometheus",
            "timeInterval": format_seconds(INTERVAL_SECONDS),
        },
    }
    provider = {
        "name": config.name,
        "type": "file",
        "allowUiUpdates": False,
        "disableDeletion": True,
        "updateIntervalSeconds": REFRESH_SECONDS,
        "options": {"path": DASHBOARDS_PATH},
    }
    return {
        "datasources/prometheus.yml": yaml_text({"apiVersion": 1, "datasources": [source]}),
        "dashboards/mlmetrics.yml": yaml_text({"apiVersion": 1, "providers": [provider]}),
    }
