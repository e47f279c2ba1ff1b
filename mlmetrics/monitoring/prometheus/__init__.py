"""The configuration files of Prometheus and Alertmanager."""
