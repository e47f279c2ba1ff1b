"""Tests of `mlmetrics check` on live pages, on a real Prometheus and on its panels."""
