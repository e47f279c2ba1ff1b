"""Checks against live servers: a /metrics page, a Prometheus, the panels of dashboards."""
