"""Tests of the unit tests of rules."""
