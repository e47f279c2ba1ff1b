"""HTTP requests of FastAPI and other ASGI applications."""

from mlmetrics.catalog.metric import REQUEST_BUCKETS_SECONDS, Metric

_ROUTE = ("service", "method", "route")

REQUESTS = (
    Metric("fastapi_requests_total", "counter", "Finished HTTP requests.", (*_ROUTE, "status")),
    Metric(
        "fastapi_request_duration_seconds",
        "histogram",
        "Time from the request to the last byte of its response, background tasks excluded.",
        _ROUTE,
        "seconds",
        REQUEST_BUCKETS_SECONDS,
    ),
    Metric(
        "fastapi_request_first_byte_seconds",
        "histogram",
        "Time from the request to the first byte of its response's body.",
        _ROUTE,
        "seconds",
        REQUEST_BUCKETS_SECONDS,
    ),
    Metric("fastapi_requests_in_progress", "gauge", "HTTP requests being served now.", ("service", "method")),
)
