"""Tests of the dashboards, also of their queries on a real Prometheus."""
