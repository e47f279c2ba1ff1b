"""Rules for Prometheus: conditions, alerts, objectives, drift."""
