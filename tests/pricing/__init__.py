"""Tests of what tokens cost."""
