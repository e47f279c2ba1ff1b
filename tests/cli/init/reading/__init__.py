"""Tests of what is read from projects."""
