"""The rows of the table of alerts, a file for each domain, as in the catalogue."""
