"""HTTP: the middleware that records requests, and the ways to serve the metrics to a scraper."""
