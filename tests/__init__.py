"""Tests of mlmetrics; the folders mirror those of the package."""
