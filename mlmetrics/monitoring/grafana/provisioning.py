"""The folder `grafana`: the dashboards, and what tells Grafana where to find them and whom to ask."""

from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.durations import format_seconds
from mlmetrics.monitoring.grafana.dashboards import dashboard_texts
from mlmetrics.monitoring.prometheus.scrape import INTERVAL_SECONDS
from mlmetrics.monitoring.text import yaml_text

DASHBOARDS_PATH = "/etc/grafana/dashboards"
PROVISIONING_PATH = "/etc/grafana/provisioning"
DATASOURCE_UID = "mlmetrics-prometheus"
REFRESH_SECONDS = 30


def grafana_files(config: Config) -> dict[str, str]:
    """Return the files of the folder `grafana`."""
    boards = {f"dashboards/{uid}.json": text for uid, text in dashboard_texts(config).items()}
    return boards | {f"provisioning/{name}": text for name, text in provisioning_files(config).items()}


def provisioning_files(config: Config) -> dict[str, str]:
    """Return the files of Grafana's folder `provisioning`; it takes `$PROMETHEUS_URL` from its environment."""
    source = {
        "name": "Prometheus",
        "uid": DATASOURCE_UID,
        "type": "prometheus",
        "access": "proxy",
        "url": "$PROMETHEUS_URL",
        "isDefault": True,
        "editable": False,
        # The window of `$__rate_interval` is four of these, so that no scrape lost makes a gap.
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
