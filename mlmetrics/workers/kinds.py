"""The kinds of files: what stands in each, and how the values of several workers become one.

The first part of a file's name is its kind, by which prometheus_client's `MultiProcessCollector` knows how
to join it: a gauge's kind says its `multiprocess_mode`.
"""

from collections.abc import Callable
from typing import Literal, get_args

from mlmetrics.catalog.metric import Kind as MetricKind

Kind = Literal[
    "counter",
    "histogram",
    "gauge_livesum",
    "gauge_livesum_own",
    "gauge_mostrecent",
    "gauge_livemostrecent",
    "gauge_all",
    "gauge_liveall",
    "gauge_sum",
    "gauge_max",
    "gauge_livemax",
    "gauge_min",
    "gauge_livemin",
]
"""`gauge_livesum` holds calls in progress, which are never below 0; a gauge of a project's own may be."""
KINDS: tuple[Kind, ...] = get_args(Kind)
CALLS_IN_PROGRESS: Kind = "gauge_livesum"
_KINDS: dict[str, Kind] = {kind: kind for kind in KINDS}

Pair = tuple[float, float]
"""A value and its timestamp; 0 as the timestamp says that nothing has been recorded."""
Join = Callable[[Pair, Pair], Pair]


def added(one: Pair, other: Pair) -> Pair:
    """Return the sum."""
    return one[0] + other[0], 0.0


def newest(one: Pair, other: Pair) -> Pair:
    """Return the value with the later timestamp."""
    return other if other[1] >= one[1] else one


def lowest(one: Pair, other: Pair) -> Pair:
    """Return the lower value, of those that were recorded."""
    return other if other[1] and (other[0] < one[0] or not one[1]) else one


def highest(one: Pair, other: Pair) -> Pair:
    """Return the higher value, of those that were recorded."""
    return other if other[1] and (other[0] > one[0] or not one[1]) else one


_JOINS: dict[str, Join] = {"all": newest, "mostrecent": newest, "max": highest, "min": lowest}


def join_of(kind: Kind) -> Join:
    """Return how the values of one key are joined.

    Where each worker has its own label, several workers have had the same number, one after the other: the
    newest counts.
    """
    return _JOINS.get(kind.removeprefix("gauge_").removeprefix("live"), added)


def is_live(kind: str) -> bool:
    """Whether only workers that run count, so that the file of a dead one goes."""
    return kind.startswith("gauge_live")


def kind_of_gauge(mode: str) -> Kind:
    """Return the kind of a project's own gauge."""
    return "gauge_livesum_own" if mode == "livesum" else _KINDS[f"gauge_{mode}"]


def mode_of(kind: str) -> str:
    """Return the `multiprocess_mode` of a kind of gauge."""
    return kind.removeprefix("gauge_").removesuffix("_own")


def kind_of_metric(kind: Kind) -> MetricKind:
    """Return the kind of the metrics whose numbers stand in such a file."""
    return "counter" if kind == "counter" else "histogram" if kind == "histogram" else "gauge"


def known_kind(name: str) -> Kind | None:
    """Return the kind of this name, None if there is none."""
    return _KINDS.get(name)


MERGED_KINDS: tuple[Kind, ...] = tuple(kind for kind in KINDS if not is_live(kind))
"""What outlives a worker; its calls in progress do not."""
