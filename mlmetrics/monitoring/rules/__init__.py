"""Rules for Prometheus: indicators, conditions, the table of alerts, objectives, drift."""
