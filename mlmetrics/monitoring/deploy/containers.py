"""The four servers as containers: pinned, not root, read-only, listening on loopback only."""

from typing import Any

from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.grafana.provisioning import DASHBOARDS_PATH, PROVISIONING_PATH

Container = dict[str, Any]

LOOPBACK = "127.0.0.1"
IMAGES = {
    "prometheus": "prom/prometheus:v3.5.0",
    "alertmanager": "prom/alertmanager:v0.28.1",
    "node-exporter": "prom/node-exporter:v1.9.1",
    "grafana": "grafana/grafana:11.6.0",
}
PORTS = {"prometheus": 9090, "alertmanager": 9093, "node-exporter": 9100}
HARDENED: Container = {
    "restart": "unless-stopped",
    "read_only": True,
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges:true"],
}
VOLUMES: dict[str, Container] = {"prometheus-data": {}, "alertmanager-data": {}, "grafana-data": {}}
RETENTION_DAYS = 30
_NOBODY = "65534:65534"
_GRAFANA = "472:0"


def health(test: list[str]) -> Container:
    """Return how a container is asked whether it is well."""
    return {"test": ["CMD", *test], "interval": "15s", "timeout": "5s", "retries": 5, "start_period": "10s"}


def servers(config: Config, grafana_port: int) -> dict[str, Container]:
    """Return the containers; they read the folders `prometheus` and `grafana` beside the file."""
    return {
        "prometheus": _prometheus(),
        "alertmanager": _alertmanager(),
        "node-exporter": _node_exporter(),
        "grafana": _grafana(config, grafana_port),
    }


def _asked(port: int, path: str) -> Container:
    return health(["wget", "-q", "-O", "/dev/null", f"http://127.0.0.1:{port}{path}"])


def _prometheus() -> Container:
    return {
        "image": IMAGES["prometheus"],
        "user": _NOBODY,
        **HARDENED,
        "command": [
            "--config.file=/etc/prometheus/prometheus.yml",
            "--storage.tsdb.path=/prometheus",
            f"--storage.tsdb.retention.time={RETENTION_DAYS}d",
            f"--web.listen-address={LOOPBACK}:{PORTS['prometheus']}",
            "--enable-feature=exemplar-storage",
        ],
        "volumes": ["./prometheus:/etc/prometheus:ro", "prometheus-data:/prometheus"],
        "healthcheck": _asked(PORTS["prometheus"], "/-/healthy"),
    }


def _alertmanager() -> Container:
    return {
        "image": IMAGES["alertmanager"],
        "user": _NOBODY,
        **HARDENED,
        "command": [
            "--config.file=/etc/alertmanager/alertmanager.yml",
            "--storage.path=/alertmanager",
            f"--web.listen-address={LOOPBACK}:{PORTS['alertmanager']}",
            "--cluster.listen-address=",
        ],
        "volumes": [
            "./prometheus/alertmanager.yml:/etc/alertmanager/alertmanager.yml:ro",
            "alertmanager-data:/alertmanager",
        ],
        "healthcheck": _asked(PORTS["alertmanager"], "/-/healthy"),
    }


def _node_exporter() -> Container:
    return {
        "image": IMAGES["node-exporter"],
        "user": _NOBODY,
        **HARDENED,
        "pid": "host",
        "command": ["--path.rootfs=/host", f"--web.listen-address={LOOPBACK}:{PORTS['node-exporter']}"],
        "volumes": ["/:/host:ro,rslave"],
        "healthcheck": _asked(PORTS["node-exporter"], "/"),
    }


def _grafana(config: Config, port: int) -> Container:
    return {
        "image": IMAGES["grafana"],
        "user": _GRAFANA,
        **HARDENED,
        "tmpfs": ["/tmp"],  # noqa: S108 - a mount of the container
        "environment": {
            "GF_SERVER_HTTP_ADDR": LOOPBACK,
            "GF_SERVER_HTTP_PORT": str(port),
            "GF_SERVER_ROOT_URL": config.grafana,
            "PROMETHEUS_URL": f"http://{LOOPBACK}:{PORTS['prometheus']}",
            "GF_SECURITY_ADMIN_USER": "${GRAFANA_ADMIN_USER:-admin}",
            "GF_SECURITY_ADMIN_PASSWORD": "${GRAFANA_ADMIN_PASSWORD:?set it in .env, see .env.example}",
            "GF_ANALYTICS_REPORTING_ENABLED": "false",
            "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
            "GF_USERS_ALLOW_SIGN_UP": "false",
            "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH": f"{DASHBOARDS_PATH}/mlmetrics-performance.json",
        },
        "volumes": [
            f"./grafana/provisioning:{PROVISIONING_PATH}:ro",
            f"./grafana/dashboards:{DASHBOARDS_PATH}:ro",
            "grafana-data:/var/lib/grafana",
        ],
        "depends_on": {"prometheus": {"condition": "service_healthy"}},
        "healthcheck": _asked(port, "/api/health"),
    }
