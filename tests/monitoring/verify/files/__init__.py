"""Tests of the checks of anybody's rule files and dashboards."""
