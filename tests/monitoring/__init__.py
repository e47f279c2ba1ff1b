"""Tests of what Prometheus and Alertmanager get."""
