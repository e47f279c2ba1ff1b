"""The demo: four services, a Prometheus, the live page and real traffic, then tables of what was measured."""
