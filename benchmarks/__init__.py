"""Benchmarks: the cost of recording, compared with the alternatives in one run: `python -m benchmarks`."""
