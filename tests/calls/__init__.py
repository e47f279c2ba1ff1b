"""Calls: what is declared, read, and decided about one run."""
