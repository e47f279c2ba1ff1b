"""Configuration, rules, dashboards and deployment files, and checks of what runs.

Built from the catalogue and one `mlmetrics.toml`; knows nothing of the runtime.
"""
