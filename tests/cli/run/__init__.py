"""Tests of `mlmetrics run`."""
