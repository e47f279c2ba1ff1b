"""The text that a registry is handed out as: by a scrape, by a push, in both formats."""
