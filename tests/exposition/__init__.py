"""The text that scrapes and pushes get, and which format it is in."""
