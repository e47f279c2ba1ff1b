"""Tests of the files that Prometheus and Alertmanager read."""
