"""Dashboards: their rules, and their queries on a real Prometheus."""
