"""Rows for operations that a project declares: checked against Prometheus's conventions and against the catalogue."""

import keyword
import re
from collections.abc import Callable, Iterable, Sequence
from math import isfinite
from typing import Any

from mlmetrics.catalog import BATCH_JOB, METRICS, OPERATIONS
from mlmetrics.catalog.metric import LATENCY_BUCKETS_SECONDS, SCORE_BUCKETS, Metric
from mlmetrics.catalog.operation import SCORE, Operation
from mlmetrics.errors import DeclarationError, shown

NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
OWN_SCORE = re.compile(rf"ml_{NAME.pattern}_score")
"""The histogram of the scores of a project's own operation."""
LONGEST_NAME = 60
RESERVED_LABELS = ("service", "outcome", "error_type", "le", "quantile", "job", "instance", "worker", "token_type")
"""Labels that mlmetrics or Prometheus sets."""
IS_SET = "mlmetrics or Prometheus sets this label; choose another name"
KEYWORDS = ("service", "stream", "score", "usage", "failure", "content", "duration", "success")
"""The keywords of `track` and `record` that are no labels."""
SUFFIXES = ("total", "count", "sum", "bucket", "created", "info")
"""Endings by which Prometheus tells one kind of sample from another."""


def own_operation(
    name: str,
    labelnames: Sequence[str] = (),
    *,
    score: bool = False,
    subject: str | None = None,
    buckets: Sequence[float] | None = None,
) -> Operation:
    """Return the row of an operation of a project's own.

    Args:
        name: its name, in lower case with underscores, such as `retrieval`.
        labelnames: the labels after `service`, such as `("index",)`.
        score: whether its results have scores, 0 to 1.
        subject: the label that a declaration may leave out, whose value is then the function's name; by default
            the first one.
        buckets: upper bounds of the histogram of durations, in seconds, ascending.

    Raises:
        DeclarationError: a name cannot be used, or an argument is of another kind.
    """
    problem = operation_problem(name) or labels_problem(labelnames, _label_problem)
    if problem is not None:
        raise DeclarationError(f"operation({shown(name)}): {problem}")
    # A class of the user's may be none to compare.
    name, labels = str.__str__(name), tuple(map(str.__str__, labelnames))
    if score is not True and score is not False:
        raise DeclarationError(
            f"operation({name!r}): score={shown(score)}: expected True or False; what gives the score of "
            "a result is said in track(score=...)"
        )
    if subject is not None and subject not in labels:
        raise DeclarationError(f"operation({name!r}): subject={shown(subject)}: expected one of its labels: {labels}")
    bounds = LATENCY_BUCKETS_SECONDS if buckets is None else checked_buckets(f"operation({name!r})", buckets)
    scores = Metric(
        f"ml_{name}_score",
        "histogram",
        f"Scores of {name.replace('_', ' ')} results, 0 to 1.",
        ("service", *labels),
        "",
        SCORE_BUCKETS,
        SCORE,
    )
    operation = Operation(
        name, labels, subject or next(iter(labels), ""), score=scores if score else None, buckets=bounds, ships=False
    )
    clash = clashing_name(operation.metrics, METRICS)
    if clash is not None:
        raise DeclarationError(
            f"operation({name!r}): its metric {clash} has the name of one of mlmetrics' own; choose another name"
        )
    return operation


def operation_problem(name: object) -> str | None:
    """Return why a text cannot be the name of an operation, None if it can."""
    if not isinstance(name, str) or NAME.fullmatch(name) is None or len(name) > LONGEST_NAME:
        return (
            f"expected a name of at most {LONGEST_NAME} lower-case letters and digits, words separated by '_', "
            "such as 'retrieval'"
        )
    if name in {operation.name for operation in OPERATIONS}:
        use = name if name == BATCH_JOB.name else f"track_{name}"
        return f"mlmetrics has an operation of this name; use {use}, or choose another name"
    return suffix_problem(name)


def suffix_problem(name: str) -> str | None:
    """Return why a name ends in a way that it must not, None if it does not."""
    last = name.rpartition("_")[2]
    if last in SUFFIXES:
        return f"Prometheus gives names that end in {last!r} a meaning of its own; choose another name"
    return None


def labels_problem(labelnames: object, label_problem: Callable[[object], str | None]) -> str | None:
    """Return why these cannot be the labels of a metric or an operation, None if they can.

    Args:
        labelnames: what was given as their names.
        label_problem: returns why one of them cannot be a label, None if it can.
    """
    if isinstance(labelnames, str) or not isinstance(labelnames, Sequence):
        return f"labelnames={shown(labelnames)}: expected a tuple of label names, such as ('index',)"
    if len({shown(label) for label in labelnames}) != len(labelnames):
        return f"labelnames={shown(tuple(labelnames))}: expected different names"
    return next((f"label {shown(label)}: {why}" for label in labelnames if (why := label_problem(label))), None)


def _label_problem(label: object) -> str | None:
    if not isinstance(label, str) or not label.isascii() or not label.isidentifier() or keyword.iskeyword(label):
        return "expected a name of letters, digits and '_' that Python takes as a keyword"
    if label.startswith("__"):
        return "Prometheus keeps names that begin with '__' for itself"
    if label in RESERVED_LABELS:
        return IS_SET
    return "it is a keyword of `track` or `record`; choose another name" if label in KEYWORDS else None


def clashing_name(metrics: Iterable[Metric], known: Iterable[Metric]) -> str | None:
    """Return the first metric whose name, or the name of one of whose samples, a known metric has."""
    taken = {name for metric in known for name in all_names(metric)}
    return next((metric.name for metric in metrics if taken & all_names(metric)), None)


def all_names(metric: Metric) -> set[str]:
    """Return every name that a metric takes in a registry: of itself, of its family and of its samples."""
    family = metric.name.removesuffix("_total") if metric.kind == "counter" else metric.name
    return {metric.name, family, *metric.sample_names, f"{family}_created"}


def checked_buckets(what: str, buckets: Any) -> tuple[float, ...]:
    """Return upper bounds as numbers.

    Raises:
        DeclarationError: one is no finite number, or they do not ascend.
    """
    bounds = upper_bounds(buckets)
    if bounds is None:
        raise DeclarationError(
            f"{what}: buckets={shown(buckets)}: expected finite, ascending upper bounds, each once (+Inf is added)"
        )
    return bounds


def upper_bounds(buckets: Any) -> tuple[float, ...] | None:
    """Return upper bounds as numbers; None if there is none, one is no finite number, or they do not ascend."""
    try:
        bounds = () if isinstance(buckets, str) else tuple(float(bound) for bound in buckets)
    except (ArithmeticError, TypeError, ValueError):
        return None
    ascend = all(isfinite(bound) for bound in bounds) and sorted(set(bounds)) == list(bounds)
    return bounds if bounds and ascend else None
