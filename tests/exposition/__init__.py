"""Tests of the text for scrapes and pushes, and of the choice of its format."""
