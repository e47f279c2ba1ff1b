"""Operations of a project's own, known by what services expose of them."""

import re
from collections.abc import Callable, Collection, Iterator

from mlmetrics.catalog import SHIPPED, Operation
from mlmetrics.catalog.own import own_operation
from mlmetrics.errors import DeclarationError

_FINISHED = re.compile(r"ml_(\w+)_total")
_OUTCOME = "outcome"
_NOT_OWN = {"service", _OUTCOME}


def own_operations(names: Collection[str], labels_of: Callable[[str], Collection[str]]) -> Iterator[Operation]:
    """Yield the rows of the operations that have finished calls, by name.

    Args:
        names: the names of all samples.
        labels_of: returns the labels of a sample; the first one is taken as the operation's subject.
    """
    for finished in sorted(names):
        match = _FINISHED.fullmatch(finished)
        if match is None or match[1] in SHIPPED or _OUTCOME not in (labels := labels_of(finished)):
            continue
        own = [label for label in labels if label not in _NOT_OWN]
        try:
            yield own_operation(match[1], own, score=f"ml_{match[1]}_score_count" in names)
        except DeclarationError:
            continue  # a metric of somebody else's
