"""PromQL text: quoting, selectors, bucket bounds and aggregation, written in one way everywhere."""

import re
from collections.abc import Iterable, Mapping, Sequence

from prometheus_client.utils import floatToGoString

_RE2_SPECIAL = re.compile(r"([\\.+*?()|\[\]{}^$])")


def quote(text: str) -> str:
    """Return a PromQL string literal for any text."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def any_of(values: Iterable[str]) -> str:
    """Return the quoted regular expression that matches exactly these values."""
    return quote("|".join(_RE2_SPECIAL.sub(r"\\\1", value) for value in values))


def number(value: float) -> str:
    """Return a number as PromQL writes it, without a needless `.0`."""
    return f"{value:.12g}"


def bound(value: float) -> str:
    """Return the text of `le` for a bucket bound, as the Python client exposes it."""
    return str(floatToGoString(value))


def bound_matcher(value: float) -> str:
    """Return the matcher of one bucket; clients differ in whether they write `5` or `5.0`."""
    text = bound(value)
    whole = text.removesuffix(".0")
    pattern = _RE2_SPECIAL.sub(r"\\\1", whole) + ("(\\.0)?" if whole != text else "")
    return f"le=~{quote(pattern)}"


def selector(name: str, *matchers: str) -> str:
    """Return a metric name with its matchers, without empty ones."""
    inside = ",".join(matcher for matcher in matchers if matcher)
    return f"{name}{{{inside}}}" if inside else name


def series_of(name: str, labels: Mapping[str, str]) -> str:
    """Return the selector of series with these labels."""
    return selector(name, *(f"{label}={quote(text)}" for label, text in labels.items()))


def job_matcher(jobs: Sequence[str]) -> str:
    """Return the matcher of the declared jobs, empty if none is declared."""
    return f"job=~{any_of(jobs)}" if jobs else ""


def sum_by(labels: Sequence[str], expression: str) -> str:
    """Return the sum of an expression by labels, or over all series if there are no labels."""
    return f"sum by ({', '.join(labels)}) ({expression})" if labels else f"sum({expression})"
