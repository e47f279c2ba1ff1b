"""Prometheus reads metrics that are guarded by a token and TLS, as its own configuration has them."""

from pathlib import Path

from prometheus_client import CollectorRegistry

from mlmetrics import MLMetrics
from tests.integration.certificates import Authority
from tests.servers import Prometheus, wait_until

SCRAPE = """
global: {{scrape_interval: 1s}}
scrape_configs:
- job_name: guarded
  scheme: https
  authorization: {{credentials_file: {token}}}
  tls_config: {{ca_file: {authority}}}
  static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
- job_name: stranger
  scheme: https
  tls_config: {{ca_file: {authority}}}
  static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


def test_prometheus_shows_the_token(tmp_path: Path) -> None:
    """It is let in by the file that the server reads, also after the token was replaced there; a stranger is not."""
    authority, token = Authority(tmp_path), tmp_path / "token"
    certfile, keyfile = authority.certificate("worker")
    token.write_text("first-token\n", encoding="utf-8")
    metrics = MLMetrics(service="worker", registry=CollectorRegistry())
    metrics.track_ml_inference("gpt-4", "worker", 0.2)
    with metrics.start_metrics_server(0, token_file=token, certfile=certfile, keyfile=keyfile) as server:
        config = SCRAPE.format(token=token, authority=authority.path, port=server.port)
        with Prometheus(config) as prometheus:
            prometheus.wait_for('up{job="guarded"} == 1')
            found = prometheus.wait_for('ml_inference_total{job="guarded",model="gpt-4",outcome="success"}')
            assert "1" == found[0]["value"][1]
            token.write_text("second-token\n", encoding="utf-8")
            metrics.track_ml_inference("gpt-4", "worker", 0.2)
            prometheus.wait_for('ml_inference_total{job="guarded",model="gpt-4",outcome="success"} == 2')
            assert "" == next(each for each in prometheus.targets() if each["labels"]["job"] == "guarded")["lastError"]
            prometheus.wait_for('up{job="stranger"} == 0')
            wait_until(
                lambda: any("401" in each["lastError"] for each in prometheus.targets()),
                timeout=30,
                what=lambda: f"{prometheus.targets()}",
            )
