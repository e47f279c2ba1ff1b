"""Tests of calls: declarations, wrappers, readers and outcomes."""
