"""What panels of models have in common: a line for each model of a service, and its percentiles."""

from collections.abc import Iterator

from mlmetrics.monitoring.grafana.panels import Query
from mlmetrics.monitoring.grafana.queries import Queries

MODEL = ["service", "model"]
LEGEND = "{{model}} · {{service}}"


def percentiles(queries: Queries, histogram: str, *, exemplar: bool = False) -> Iterator[Query]:
    """Yield the 95th percentile of each model, with links to traces if `exemplar`, and the median."""
    yield Query(queries.quantile(0.95, MODEL, histogram), f"p95 {LEGEND}", exemplar=exemplar)
    yield Query(queries.quantile(0.5, MODEL, histogram), f"p50 {LEGEND}")
