"""Tests of what a provider's response says of itself."""
