"""Rows for plain metrics that a project declares: counters, gauges and histograms of its own.

Names, labels and units are checked against Prometheus's conventions and the catalogue. As in prometheus_client,
a counter's name gets its `_total`, and a name its unit, where they are missing.
"""

import re
from collections.abc import Sequence
from math import inf

from mlmetrics.catalog import METRICS
from mlmetrics.catalog.metric import MODES, Kind, Metric
from mlmetrics.catalog.own import (
    IS_SET,
    NAME,
    RESERVED_LABELS,
    checked_buckets,
    clashing_name,
    labels_problem,
    suffix_problem,
)
from mlmetrics.errors import DeclarationError, shown

DEFAULT_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""Those of prometheus_client, without `+Inf`."""
LONGEST_NAME = 120
TOTAL = "_total"
LABEL = re.compile(r"(?!__)[a-zA-Z_][a-zA-Z0-9_]*")


def own_metric(  # noqa: PLR0917 (the order of prometheus_client)
    kind: Kind,
    name: str,
    documentation: str,
    labelnames: Sequence[str] = (),
    unit: str = "",
    buckets: Sequence[float] | None = None,
    multiprocess_mode: str = "",
) -> Metric:
    """Return the row of a metric of a project's own.

    Args:
        kind: `counter`, `gauge` or `histogram`.
        name: its name, in lower case with underscores, such as `cv_accepted`.
        documentation: what it measures, in a sentence.
        labelnames: the labels after `service`, such as `("country",)`.
        unit: the unit of its values, such as `seconds`.
        buckets: upper bounds of a histogram, ascending; prometheus_client's by default.
        multiprocess_mode: how the processes of a service are joined in a gauge.

    Raises:
        DeclarationError: a name cannot be used or is taken, or an option has no such value.
    """
    what = f"{kind}({shown(name)})"
    problem = (
        _name_problem(kind, name)
        or _text_problem(documentation)
        or labels_problem(labelnames, _label_problem)
        or _unit_problem(unit)
        or _mode_problem(kind, multiprocess_mode)
    )
    if problem is not None:
        raise DeclarationError(f"{what}: {problem}")
    bounds = _bounds(what, buckets) if kind == "histogram" else ()
    name, labels = str.__str__(name), ("service", *map(str.__str__, labelnames))  # as those of operations
    metric = Metric(
        _full_name(kind, name, unit), kind, documentation, labels, unit, bounds, multiprocess_mode=multiprocess_mode
    )
    if clashing_name([metric], METRICS) is not None:
        raise DeclarationError(f"{what}: mlmetrics has a metric of this name, {metric.name}; choose another name")
    return metric


def _full_name(kind: Kind, name: str, unit: str) -> str:
    stem = name.removesuffix(TOTAL) if kind == "counter" else name
    if unit and stem != unit and not stem.endswith(f"_{unit}"):
        stem += f"_{unit}"
    return stem + TOTAL if kind == "counter" else stem


def _name_problem(kind: Kind, name: object) -> str | None:
    """Return why a text cannot be the name of such a metric, None if it can."""
    if not isinstance(name, str) or NAME.fullmatch(name) is None or len(name) > LONGEST_NAME:
        return (
            f"expected a name of at most {LONGEST_NAME} lower-case letters and digits, words separated by '_', "
            "such as 'cv_accepted'"
        )
    stem = name.removesuffix(TOTAL) if kind == "counter" else name
    # By convention, a gauge of facts ends in `info`.
    return None if kind == "gauge" and stem.endswith("info") else suffix_problem(stem)


def _text_problem(documentation: object) -> str | None:
    if not isinstance(documentation, str) or not documentation.strip():
        return f"documentation={shown(documentation)}: expected a sentence that says what it measures"
    if documentation.encode("utf-8", "replace").decode("utf-8") != documentation:
        return f"documentation={shown(documentation)}: expected text; this one has unpaired surrogates"
    return None


def _label_problem(label: object) -> str | None:
    if not isinstance(label, str) or LABEL.fullmatch(label) is None:
        return "expected a name of letters, digits and '_', which does not begin with '__'"
    if label == "service":
        return "every metric of mlmetrics has it; its value is that of MLMetrics(service=...) or configure(service=...)"
    return IS_SET if label in RESERVED_LABELS else None


def _unit_problem(unit: object) -> str | None:
    if unit != "" and (not isinstance(unit, str) or NAME.fullmatch(unit) is None or unit == "total"):
        return f"unit={shown(unit)}: expected lower-case letters such as 'seconds' or 'bytes', or nothing"
    return None


def _mode_problem(kind: Kind, mode: object) -> str | None:
    if kind == "gauge" and mode not in MODES:
        return f"multiprocess_mode={shown(mode)}: expected one of {', '.join(MODES)}"
    return None


def _bounds(what: str, buckets: Sequence[float] | None) -> tuple[float, ...]:
    """Return the bounds as numbers; infinity may stand at their end, as in prometheus_client."""
    if buckets is None:
        return DEFAULT_BUCKETS
    if isinstance(buckets, list | tuple) and len(buckets) > 1 and buckets[-1] == inf:
        buckets = buckets[:-1]
    return checked_buckets(what, buckets)
