"""Tests that scrape, alert and push with real servers."""
