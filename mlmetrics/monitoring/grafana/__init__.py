"""Grafana: panels, dashboards and provisioning; needs the extra `cli`."""
