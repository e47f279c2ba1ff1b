"""The demo: four services, a Prometheus and real traffic, then tables of what was measured."""
