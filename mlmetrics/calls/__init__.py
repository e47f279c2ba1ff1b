"""Calls: one run of an operation, how it begins and ends, and the wrappers that record it."""
