"""Runnable examples of mlmetrics."""
