"""Tests of `mlmetrics init` on projects of other people."""
