"""What services may record of requests besides, on the main dashboard: the sizes of bodies, and WebSockets."""

from mlmetrics.monitoring.grafana import panels
from mlmetrics.monitoring.grafana.panels import Panel, Query
from mlmetrics.monitoring.grafana.queries import Queries
from mlmetrics.monitoring.rules.promql import sum_by

BODY_SIZES = "fastapi_request_size_bytes_count"
WEBSOCKETS = "fastapi_websockets_total"
"""The samples that the rows are about."""
BY_SERVICE, BY_ROUTE, BY_CLOSE, BY_DIRECTION = (
    ["service", *more] for more in ([], ["route"], ["close"], ["direction"])
)
NO_BODY = "The services do not record sizes, or there was no request in this time"
NO_SOCKET = "The services have no WebSockets"
NONE_ENDED = "No WebSocket has ended in this time"


def body_sizes(queries: Queries) -> tuple[Panel, ...]:
    """Return the panels of the sizes of bodies."""
    received, sent = "fastapi_request_size_bytes", "fastapi_response_size_bytes"
    return (
        _sizes(queries, "Size of requests", "Bodies of requests: 50 % and 95 % have at most this size.", received),
        _sizes(queries, "Size of responses", "Bodies of responses: 50 % and 95 % have at most this size.", sent),
        panels.timeseries(
            "Bytes of bodies",
            "Bytes of bodies each second, by service.",
            panels.BYTES_PER_SECOND,
            Query(queries.per_second(BY_SERVICE, f"{received}_sum"), "received · {{service}}"),
            Query(queries.per_second(BY_SERVICE, f"{sent}_sum"), "sent · {{service}}"),
            empty=NO_BODY,
        ),
    )


def _sizes(queries: Queries, title: str, description: str, sizes: str) -> Panel:
    return panels.timeseries(
        title,
        description,
        panels.BYTES,
        Query(queries.quantile(0.95, BY_SERVICE, sizes), "p95 {{service}}"),
        Query(queries.quantile(0.5, BY_SERVICE, sizes), "p50 {{service}}"),
        empty=NO_BODY,
    )


def websockets(queries: Queries) -> tuple[Panel, ...]:
    """Return the panels of WebSockets."""
    seconds = "fastapi_websocket_duration_seconds"
    return (
        panels.timeseries(
            "WebSockets open",
            "WebSockets that are accepted and not yet closed, by route.",
            panels.COUNT,
            Query(sum_by(BY_ROUTE, queries.select("fastapi_websockets_open")), "{{route}} · {{service}}"),
            empty=NO_SOCKET,
            width=6,
        ),
        panels.timeseries(
            "WebSockets ended",
            "WebSockets that end each second, by close code; `refused`, or `failed` as the application raised.",
            panels.PER_SECOND,
            Query(queries.per_second(BY_CLOSE, WEBSOCKETS), "{{close}} · {{service}}"),
            empty=NO_SOCKET,
            width=6,
            stacked=True,
        ),
        panels.timeseries(
            "Messages of WebSockets",
            "Messages each second, received from clients and sent to them.",
            panels.PER_SECOND,
            Query(queries.per_second(BY_DIRECTION, "fastapi_websocket_messages_total"), "{{direction}} · {{service}}"),
            empty="No message has passed through a WebSocket yet",
            width=6,
        ),
        panels.timeseries(
            "Length of WebSockets",
            "50 % and 95 % of the WebSockets that end were open at most this long, by route.",
            panels.SECONDS,
            Query(queries.quantile(0.95, BY_ROUTE, seconds), "p95 {{route}} · {{service}}"),
            Query(queries.quantile(0.5, BY_ROUTE, seconds), "p50 {{route}} · {{service}}"),
            empty=NONE_ENDED,
            width=6,
        ),
    )
