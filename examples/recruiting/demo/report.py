"""The tables at the end of the demo, and the check that every metric of the example has samples."""

import math
from collections.abc import Callable

from rich import box
from rich.console import Console
from rich.table import Table

from examples.recruiting.addresses import SERVICES
from examples.recruiting.demo.figures import Condition, Figures, Labels, Values

# Scrapes and probes do not count as traffic.
TRAFFIC: Condition = {"route": "!/metrics|/health"}
COUNTED = (
    "fastapi_requests_total",
    "fastapi_request_duration_seconds_count",
    "ml_inference_duration_seconds_count",
    "ml_inference_total",
    "ml_inference_tokens_total",
    "ml_inference_cost_usd_total",
    "parsing_accuracy_score_count",
    "matching_score_distribution_count",
    "file_processing_size_bytes_count",
)
GAUGES = ("fastapi_requests_in_progress",)
OUTCOMES = ("success", "failure", "cancelled")


def missing_metrics(figures: Figures) -> list[str]:
    """Return the metrics of the example without samples: nothing was counted, or a gauge has no series."""
    empty = [name for name in COUNTED if not figures.total(name, ()).get((), 0)]
    absent = [name for name in GAUGES if not figures.count(name)]
    return [name.removesuffix("_count") for name in (*empty, *absent)]


def print_tables(figures: Figures, console: Console) -> None:
    """Print what was measured: services, models, tokens, parsing, failures, matchers, files."""
    for make in TABLES:
        table = make(figures)
        table.box = box.ROUNDED if console.is_terminal else box.ASCII
        console.print(table)


def services_table(figures: Figures) -> Table:
    """Per service: up, requests, share refused (4xx), error rate (5xx), p95."""
    table = _table("Services", "service", "up", "requests", "refused 4xx", "errors 5xx", "p95")
    up = figures.up()
    requests = figures.total("fastapi_requests_total", ("service",), TRAFFIC)
    refused = figures.total("fastapi_requests_total", ("service",), TRAFFIC | {"status": "4.."})
    errors = figures.total("fastapi_requests_total", ("service",), TRAFFIC | {"status": "5.."})
    p95 = figures.quantile(0.95, "fastapi_request_duration_seconds", ("service",), TRAFFIC)
    for name in (service.name for service in SERVICES):
        key = (name,)
        shares = (_share(part.get(key, 0), requests.get(key, 0)) for part in (refused, errors))
        table.add_row(name, "yes" if up[name] else "NO", _whole(requests, key), *shares, _seconds(p95, key))
    return table


def models_table(figures: Figures) -> Table:
    """Per model: calls by outcome, p95."""
    table = _table("Models", "service", "model", "calls", *OUTCOMES, "p95")
    by = ("service", "model")
    outcomes = figures.total("ml_inference_total", (*by, "outcome"))
    p95 = figures.quantile(0.95, "ml_inference_duration_seconds", by)
    for key, calls in sorted(figures.total("ml_inference_total", by).items()):
        counts = (_whole(outcomes, (*key, outcome)) for outcome in OUTCOMES)
        table.add_row(*key, f"{calls:.0f}", *counts, _seconds(p95, key))
    return table


def tokens_table(figures: Figures) -> Table:
    """Per model that is paid by tokens: tokens by type, cost, calls whose tokens nobody told, p95 of the first word."""
    table = _table("Tokens and cost", "service", "model", "input", "output", "US dollars", "not told", "first word p95")
    by = ("service", "model")
    tokens = figures.total("ml_inference_tokens_total", (*by, "token_type"))
    cost = figures.total("ml_inference_cost_usd_total", by)
    untold = figures.total("ml_inference_usage_missing_total", by)
    first = figures.quantile(0.95, "ml_inference_first_chunk_seconds", by)
    for key in sorted({key[:2] for key in tokens}):
        counts = (f"{tokens.get((*key, kind), 0):,.0f}" for kind in ("input", "output"))
        table.add_row(*key, *counts, _shown(cost, key, "{:.4f}".format), _whole(untold, key), _seconds(first, key))
    return table


def failed_inferences_table(figures: Figures) -> Table:
    """Per model and error type: failed calls."""
    table = _table("Failed inferences", "service", "model", "error type", "calls")
    by = ("service", "model", "error_type")
    for key, count in sorted(figures.total("ml_inference_errors_total", by).items()):
        table.add_row(*key, f"{count:.0f}")
    return table


def parsing_table(figures: Figures) -> Table:
    """Per parser and document type: calls by outcome, median accuracy."""
    table = _table("Parsing", "parser", "document type", *OUTCOMES, "median accuracy")
    by = ("parser", "doc_type")
    outcomes = figures.total("ml_parsing_total", (*by, "outcome"))
    medians = figures.quantile(0.5, "parsing_accuracy_score", by)
    for key in sorted({key[:2] for key in outcomes}):
        table.add_row(*key, *(_whole(outcomes, (*key, outcome)) for outcome in OUTCOMES), _score(medians, key))
    return table


def failures_table(figures: Figures) -> Table:
    """Per parser and error type: documents refused."""
    table = _table("Documents refused", "parser", "error type", "documents")
    for key, count in sorted(figures.total("ml_parsing_errors_total", ("parser", "error_type")).items()):
        table.add_row(*key, f"{count:.0f}")
    return table


def matchers_table(figures: Figures) -> Table:
    """Per matcher: matches, median score."""
    table = _table("Matching", "matcher", "matches", "median score")
    medians = figures.quantile(0.5, "matching_score_distribution", ("matcher",))
    for key, count in sorted(figures.total("matching_score_distribution_count", ("matcher",)).items()):
        table.add_row(*key, f"{count:.0f}", _score(medians, key))
    return table


def files_table(figures: Figures) -> Table:
    """Per service and file type: files, bytes."""
    table = _table("Files", "service", "type", "files", "bytes")
    by = ("service", "file_type")
    sizes = figures.total("file_processing_size_bytes_sum", by)
    for key, count in sorted(figures.total("file_processing_size_bytes_count", by).items()):
        table.add_row(*key, f"{count:.0f}", f"{sizes.get(key, 0):,.0f}")
    return table


TABLES = (
    services_table,
    models_table,
    tokens_table,
    failed_inferences_table,
    parsing_table,
    failures_table,
    matchers_table,
    files_table,
)


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    for column in columns:
        text = column in ("service", "model", "parser", "document type", "matcher", "type", "error type", "up")
        table.add_column(column, justify="left" if text else "right", no_wrap=True)
    return table


def _share(part: float, whole: float) -> str:
    return f"{part / whole:.1%}" if whole else "-"


def _shown(values: Values, key: Labels, show: Callable[[float], str]) -> str:
    value = values.get(key, math.nan)
    return "-" if math.isnan(value) else show(value)


def _whole(values: Values, key: Labels) -> str:
    return _shown(values, key, "{:.0f}".format)


def _score(values: Values, key: Labels) -> str:
    return _shown(values, key, "{:.2f}".format)


def _seconds(values: Values, key: Labels) -> str:
    return _shown(values, key, lambda value: f"{value * 1000:.1f} ms" if value < 1 else f"{value:.2f} s")
