"""Files for Prometheus, Grafana, Docker Compose and Kubernetes, rendered from the catalogue and one configuration."""
