"""Recording: from appended numbers to what a scrape reads."""
