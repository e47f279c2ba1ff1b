"""Batch jobs: what is recorded of a run, and what is refused."""
