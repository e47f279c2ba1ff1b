"""Tests of `watch` with real libraries and tiny models."""
