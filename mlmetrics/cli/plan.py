"""`mlmetrics plan`: what a number of pods asks of a Prometheus, before there are so many."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import click

from mlmetrics.catalog import INFERENCE, OPERATIONS, Operation
from mlmetrics.catalog.models import BATCHES, COST, QUEUE, STREAMS, TOKENS
from mlmetrics.catalog.surroundings import LENGTHS
from mlmetrics.cli.options import attempt, config_option
from mlmetrics.monitoring.durations import format_seconds, parse_seconds
from mlmetrics.monitoring.loading import load as load_configuration
from mlmetrics.monitoring.prometheus.scrape import SERVICE_INTERVAL_SECONDS
from mlmetrics.monitoring.sizing import (
    LARGEST_MEASURED_SERIES,
    NOTHING,
    SOURCES,
    Load,
    Plan,
    Pod,
    exposed_by_pod,
    plan_for,
)

_COLUMNS = ("pods", "series", "samples/s", "a day", "memory", "cores", "scrapes/s", "received/s", "")
_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_THOUSAND = 1000
_Command = TypeVar("_Command", bound=Callable[..., Any])


def _seconds(_context: click.Context, _parameter: click.Parameter, text: str) -> float:
    try:
        seconds = parse_seconds(text)
    except ValueError:
        seconds = 0.0
    if not seconds:
        raise click.BadParameter(f"{text!r}: expected a duration such as 10s or 1m")
    return seconds


def _values(context: click.Context, parameter: click.Parameter, texts: tuple[str, ...]) -> dict[str, int]:
    given: dict[str, int] = {}
    for text in texts:
        label, _, number = text.partition("=")
        if not (label and number.isdecimal()):
            raise click.BadParameter(f"{text!r}: expected LABEL=N such as index=40", context, parameter)
        given[label] = int(number)
    return given


def _count(name: str, label: str, what: str) -> Callable[[_Command], _Command]:
    """Return the option for the number of values of a label."""
    return click.option(f"--{name}", label, type=click.IntRange(min=0), metavar="N", help=what)


def _records(name: str, parts: tuple[str, ...], what: str) -> Callable[[_Command], _Command]:
    """Return the option for what models record beside their calls."""
    return click.option(f"--{name}", f"records_{name}", flag_value=parts, type=click.UNPROCESSED, help=what)


@click.command()
@config_option
@click.option("--pods", type=click.IntRange(min=1), metavar="N", help="Pods to scrape; else the file's targets.")
@_count("routes", "route", "Routes of a pod.  [default: 10]")
@_count("models", "model", "Models that a pod calls; as for the next three, else 1 if the file's operations say so.")
@_count("doc-types", "doc_type", "Document types that a pod parses.")
@_count("matchers", "matcher", "Matchers of a pod.")
@_count("file-types", "file_type", "File types whose sizes a pod records.")
@_count("error-types", "error_type", "Error types of each model, document type and matcher.  [default: 2]")
@click.option(
    "--values",
    multiple=True,
    callback=_values,
    metavar="LABEL=N",
    help="Values of any other label, such as index=40 of an operation of your own.  [default: 1]",
)
@_records("streams", (STREAMS,), "The models stream their answers.")
@_records("usage", (TOKENS, COST, LENGTHS), "Tokens and cost of the models are recorded.")
@_records("batches", (BATCHES, QUEUE), "Batch size and queue time of the models are recorded.")
@click.option(
    "--interval",
    "interval_seconds",
    default=format_seconds(SERVICE_INTERVAL_SECONDS),
    show_default=True,
    callback=_seconds,
    metavar="DURATION",
    help="The time between two scrapes of a pod.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what programs can read.")
@click.pass_context
def plan(
    context: click.Context,
    /,
    *,
    config_path: Path,
    pods: int | None,
    values: dict[str, int],
    interval_seconds: float,
    as_json: bool,
    **options: Any,
) -> None:
    """Tell the series, samples, bytes, memory and time that pods cost a Prometheus.

    The configuration is optional; the operations in use, bucket bounds and targets are read from it.
    """
    parts = frozenset[str]().union(*(options.pop(name) or () for name in [*options] if name.startswith("records_")))
    given = values | {label: number for label, number in options.items() if number is not None}
    plain = tuple(each.recording(frozenset()) if each.name == INFERENCE.name else each for each in OPERATIONS)
    pod, bounds = Pod(_with_parts(plain, parts), {**NOTHING, **given}), None
    if config_path.exists() or context.get_parameter_source("config_path") == click.core.ParameterSource.COMMANDLINE:
        config = attempt(lambda: load_configuration(config_path))
        pod, bounds = Pod(_with_parts(config.operations, parts), given, config.requests), config.bounds
        pods = pods or sum(len(service.targets) for service in config.services)
    if not pods:
        raise click.UsageError("give the number of pods with --pods, or a configuration whose targets are counted")
    _refuse_unknown(pod, values)
    result = plan_for(exposed_by_pod(pod, bounds), pods, interval_seconds)
    if as_json:
        click.echo(json.dumps({**asdict(result), "sources": dict(SOURCES)}, indent=2))
    else:
        click.echo("\n".join(_lines(result)))


def _with_parts(operations: Iterable[Operation], parts: frozenset[str]) -> tuple[Operation, ...]:
    """Return the operations; inferences record these parts besides those of their row."""
    return tuple(
        INFERENCE.recording(parts | each.parts, calls=each.calls) if each.name == INFERENCE.name else each
        for each in operations
    )


def _refuse_unknown(pod: Pod, values: Iterable[str]) -> None:
    """Raise if a label is none of the operations'; its number would count for nothing."""
    known = {label for operation in pod.operations for metric in operation.metrics for label in metric.labels}
    for label in values:
        if label not in known:
            raise click.UsageError(f"--values {label}=…: expected a label of an operation: {', '.join(sorted(known))}")


def _lines(result: Plan) -> Iterator[str]:
    compressed = _bytes(result.compressed_bytes)
    yield f"One pod: {result.series_per_pod:,} series, scraped every {format_seconds(result.interval_seconds)}."
    yield f"One scrape: {_bytes(result.page_bytes)}, {compressed} compressed, {result.scrape_seconds * 1000:.1f} ms."
    yield ""
    rows = [_COLUMNS, *(_row(each) for each in result.loads)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    yield from ("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    yield ""
    yield from (f"{what}: {source}" for what, source in SOURCES.items())
    yield f"extrapolated: beyond the {LARGEST_MEASURED_SERIES:,} series of the largest measured run"


def _row(each: Load) -> tuple[str, ...]:
    return (
        f"{each.pods:,}",
        f"{each.series:,}",
        f"{each.samples_per_second:,.0f}",
        _bytes(each.bytes_per_day),
        _bytes(each.memory_bytes),
        f"{each.cores:.2f}",
        f"{each.scrapes_per_second:,.1f}",
        _bytes(each.page_bytes_per_second),
        "extrapolated" if each.extrapolated else "",
    )


def _bytes(size: float) -> str:
    """Return a size with three digits and its unit."""
    unit = 0
    while size >= _THOUSAND and unit < len(_UNITS) - 1:
        size, unit = size / _THOUSAND, unit + 1
    return f"{size:.3g} {_UNITS[unit]}"
