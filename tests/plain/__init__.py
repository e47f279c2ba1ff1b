"""Tests of a project's own counters, gauges and histograms."""
