"""A fleet in small: simulated pods, and a Prometheus that scrapes them."""
