"""What Prometheus and Alertmanager get: rules, objectives, drift and their proofs.

Built from the catalogue and one `mlmetrics.toml`; knows nothing of the runtime.
"""
