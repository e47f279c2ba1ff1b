"""Requests: recorded by a middleware; and what has been recorded, served to whoever scrapes."""
