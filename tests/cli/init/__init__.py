"""`mlmetrics init` on projects that are not ours."""
