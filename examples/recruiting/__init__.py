"""Four small services of a recruiting product, instrumented with mlmetrics' public API."""
