"""`mlmetrics init`: find the services of a project, and write their monitoring."""
