"""The files that Grafana reads when it starts."""

from pathlib import Path
from typing import Any

import yaml

from mlmetrics.monitoring.deploy.compose import compose_text
from mlmetrics.monitoring.grafana.provisioning import DASHBOARDS_PATH, DATASOURCE_UID, grafana_files
from mlmetrics.monitoring.loading import load

ROOT = Path(__file__).parents[3]
CONFIG = load(ROOT / "mlmetrics.toml")


def provisioned(name: str) -> dict[str, Any]:
    """Return a provisioning file."""
    found: dict[str, Any] = yaml.safe_load(grafana_files(CONFIG)[f"provisioning/{name}"])
    return found


def test_data_source() -> None:
    """The data source is Prometheus at the address in the environment, with the interval of the scrapes."""
    source = provisioned("datasources/prometheus.yml")["datasources"][0]
    assert (DATASOURCE_UID, "prometheus", "$PROMETHEUS_URL") == (source["uid"], source["type"], source["url"])
    assert "15s" == source["jsonData"]["timeInterval"]


def test_dashboards() -> None:
    """The folder of dashboards is the one that the Compose file mounts, and dashboards cannot be edited."""
    provider = provisioned("dashboards/mlmetrics.yml")["providers"][0]
    composition = yaml.safe_load(compose_text(CONFIG))
    assert f"./grafana/dashboards:{DASHBOARDS_PATH}:ro" in composition["services"]["grafana"]["volumes"]
    assert (DASHBOARDS_PATH, False) == (provider["options"]["path"], provider["allowUiUpdates"])
