"""Tests of the rendered monitoring, and of the checks against live servers."""
