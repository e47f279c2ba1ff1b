"""Checks of anybody's rule files and dashboards against what live pages and a Prometheus have."""
