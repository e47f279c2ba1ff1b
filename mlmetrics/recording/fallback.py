"""The store of whatever names no registry."""

from collections.abc import Callable

from prometheus_client import REGISTRY

from mlmetrics.recording.collector import store_for
from mlmetrics.recording.store import Store


class _Default:
    """How to find the store that is used if no registry is given; by default that of prometheus_client's `REGISTRY`."""

    def __init__(self) -> None:
        self.find: Callable[[], Store] = lambda: store_for(REGISTRY)
        self.asked = False


_default = _Default()


def default_store() -> Store:
    """Return the store that is used if no registry is given."""
    _default.asked = True
    return _default.find()


def follow(find: Callable[[], Store]) -> None:
    """Have what names no registry record where a toolkit does.

    What was made before the toolkit was loaded has a store by now: the toolkit settles on it,
    and refuses to go to another registry, as if it had been there from the start.
    """
    _default.find = find
    if _default.asked:
        find()
