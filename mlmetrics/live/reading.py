"""What a query reads: the metrics, and how far back."""

from collections.abc import Iterator
from functools import lru_cache

import promql_parser as promql

from mlmetrics.monitoring.verify.files.promql import children, name_of, parse, selectors


@lru_cache(maxsize=4096)
def metrics_of(query: str) -> frozenset[str]:
    """Return the names of the metrics that a query reads."""
    return frozenset(name_of(each) for each in selectors(parse(query)))


@lru_cache(maxsize=4096)
def seconds_back(query: str) -> float:
    """Return how far back a query reads: the longest window and offset together."""
    return max(_reaches(parse(query)), default=0.0)


def _reaches(node: promql.Expr) -> Iterator[float]:
    match node:
        case promql.MatrixSelector():
            yield node.range.total_seconds() + _offset(node.vector_selector)
        case promql.VectorSelector():
            yield _offset(node)
        case _:
            for child in children(node):
                yield from _reaches(child)


def _offset(selector: promql.VectorSelector) -> float:
    return selector.offset.total_seconds() if selector.offset is not None else 0.0
