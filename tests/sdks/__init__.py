"""Tests that need the SDKs of the providers."""
