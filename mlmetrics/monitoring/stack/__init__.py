"""The servers around the services: what Grafana finds at start, containers, and a cluster's resources."""
