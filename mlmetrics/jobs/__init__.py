"""Batch and short-lived jobs: how a run is recorded, and how its metrics reach a Pushgateway."""
