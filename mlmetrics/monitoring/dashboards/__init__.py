"""Grafana dashboards as code, one module each; needs the extra `cli`."""
