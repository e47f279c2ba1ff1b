"""HTTP requests and WebSockets of FastAPI and other ASGI applications."""

from mlmetrics.catalog.metric import BODY_BUCKETS_BYTES, REQUEST_BUCKETS_SECONDS, WEBSOCKET_BUCKETS_SECONDS, Metric

_ROUTE = ("service", "method", "route")

REQUESTS = (
    Metric("fastapi_requests_total", "counter", "Finished HTTP requests.", (*_ROUTE, "status"), extensible=True),
    Metric(
        "fastapi_request_duration_seconds",
        "histogram",
        "Time from the request to the last byte of its response, background tasks excluded.",
        _ROUTE,
        "seconds",
        REQUEST_BUCKETS_SECONDS,
        extensible=True,
    ),
    Metric(
        "fastapi_request_first_byte_seconds",
        "histogram",
        "Time from the request to the first byte of its response's body.",
        _ROUTE,
        "seconds",
        REQUEST_BUCKETS_SECONDS,
        extensible=True,
    ),
    Metric("fastapi_requests_in_progress", "gauge", "HTTP requests being served now.", ("service", "method")),
)

BODY_SIZES = (
    Metric(
        "fastapi_request_size_bytes",
        "histogram",
        "Bytes of the request's body that passed.",
        _ROUTE,
        "bytes",
        BODY_BUCKETS_BYTES,
        extensible=True,
    ),
    Metric(
        "fastapi_response_size_bytes",
        "histogram",
        "Bytes of the response's body that were sent.",
        _ROUTE,
        "bytes",
        BODY_BUCKETS_BYTES,
        extensible=True,
    ),
)
"""What is recorded with `body_sizes=True`."""

_SOCKET = ("service", "route")
WEBSOCKETS = (
    Metric(
        "fastapi_websockets_open",
        "gauge",
        "WebSockets that are accepted and not yet closed.",
        _SOCKET,
        multiprocess_mode="livesum",
    ),
    Metric(
        "fastapi_websocket_duration_seconds",
        "histogram",
        "Time from the acceptance of a WebSocket to its end.",
        _SOCKET,
        "seconds",
        WEBSOCKET_BUCKETS_SECONDS,
    ),
    Metric(
        "fastapi_websockets_total",
        "counter",
        "WebSockets that have ended, by their close code; `refused` by the application, or `failed` as it raised.",
        (*_SOCKET, "close"),
    ),
    Metric(
        "fastapi_websocket_messages_total",
        "counter",
        "Messages of WebSockets: `received` from clients, and `sent`.",
        (*_SOCKET, "direction"),
    ),
)
DIRECTIONS = ("received", "sent")
