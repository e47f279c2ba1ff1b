"""A collector of OTLP on loopback, and the histograms that are decoded from what a real exporter sent to it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler
from typing import Any

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.sdk.metrics import Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, PeriodicExportingMetricReader

from tests.apps import HandlerServer, QuietHandler

CUMULATIVE, DELTA = AggregationTemporality.CUMULATIVE, AggregationTemporality.DELTA
NEVER = float("inf")

Key = tuple[str, frozenset[tuple[str, str]]]
"""The name of a histogram, and the attributes of one of its points."""


@dataclass(frozen=True, slots=True)
class Point:
    """What a point of a histogram says."""

    count: int
    total: float
    bounds: tuple[float, ...]
    buckets: tuple[int, ...]
    unit: str


class Collector(HandlerServer):
    """Keeps the body of every request."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    def handler(self) -> type[BaseHTTPRequestHandler]:
        """Return the class that answers."""
        collector = self

        class Handler(QuietHandler):
            def do_POST(self) -> None:  # noqa: N802 (the name that http.server looks for)
                collector.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
                self.answer(200, b"")

        return Handler

    def metrics(self) -> list[Any]:
        """Return every metric that was sent, decoded, in the order of the requests."""
        requests = [ExportMetricsServiceRequest.FromString(body) for body in list(self.bodies)]
        return [
            metric
            for request in requests
            for resource in request.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        ]

    def points(self) -> dict[Key, Point]:
        """Return the points by name and attributes: deltas are added up, of cumulative points the last one stays."""
        found: dict[Key, Point] = {}
        for metric in self.metrics():
            assert metric.WhichOneof("data") == "histogram", metric.name
            for sent in metric.histogram.data_points:
                key = metric.name, frozenset((each.key, each.value.string_value) for each in sent.attributes)
                bounds, buckets = tuple(sent.explicit_bounds), tuple(sent.bucket_counts)
                point = Point(sent.count, sent.sum, bounds, buckets, metric.unit)
                is_delta = metric.histogram.aggregation_temporality == DELTA.value
                found[key] = _sum(found[key], point) if is_delta and key in found else point
        return found


def _sum(one: Point, other: Point) -> Point:
    assert one.bounds == other.bounds
    buckets = tuple(map(sum, zip(one.buckets, other.buckets, strict=True)))
    return replace(one, count=one.count + other.count, total=one.total + other.total, buckets=buckets)


@contextmanager
def exporting(temporality: AggregationTemporality = CUMULATIVE, **options: Any) -> Iterator[tuple[Any, Collector]]:
    """Give a meter provider whose reader collects when it is flushed, and what its exporter sends to."""
    with Collector() as collector:
        exporter = OTLPMetricExporter(f"{collector.url}/v1/metrics", preferred_temporality={Histogram: temporality})
        reader = PeriodicExportingMetricReader(exporter, export_interval_millis=NEVER)
        provider = MeterProvider([reader], shutdown_on_exit=False, **options)
        yield provider, collector
        provider.shutdown()


def attributes(**given: str) -> Mapping[str, str]:
    """Return attributes by short names, such as `model` for `gen_ai.request.model`."""
    names = {
        "operation": "gen_ai.operation.name",
        "provider": "gen_ai.provider.name",
        "model": "gen_ai.request.model",
        "answered": "gen_ai.response.model",
        "of": "gen_ai.token.type",
        "error": "error.type",
        "tool": "gen_ai.tool.name",
        "agent": "gen_ai.agent.name",
    }
    return {names[name]: value for name, value in given.items()}


def key(name: str, **given: str) -> Key:
    """Return the key of a point, by the end of its name and the short names of its attributes."""
    return f"gen_ai.{name}", frozenset(attributes(**given).items())
