"""A project's own counters, gauges and histograms, with the verbs of prometheus_client."""
