"""Files for Prometheus, Grafana, Docker Compose and Kubernetes, rendered from the catalogue and one configuration.

`verify` checks what runs. Nothing of the runtime is imported.
"""
