"""Tests of what is shipped: the built wheel, installed away from its sources."""
