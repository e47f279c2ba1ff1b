"""The files that Prometheus and Alertmanager read, and the unit tests of rules beside them."""
