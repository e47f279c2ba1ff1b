"""Tests of what a real OTLP exporter sends of our recordings."""
