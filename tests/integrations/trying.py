"""What the tests of tenacity and stamina share: a function that fails, and what was counted."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from mlmetrics import MLMetrics
from tests import recorded

ERRORS, RETRIES = "ml_inference_attempt_errors_total", "ml_inference_retries_total"
Counts = dict[tuple[str, str], float]


class Failing:
    """A function, sync or async, that raises these errors one after the other, and then returns `done`."""

    def __init__(self, *errors: BaseException) -> None:
        self._errors = iter(errors)

    def ask(self) -> str:
        """Raise the next error, if there is one."""
        error = next(self._errors, None)
        if error is not None:
            raise error
        return "done"

    async def ask_async(self) -> str:
        """Raise the next error, if there is one."""
        return self.ask()


class LimitedError(Exception):
    """An error of a client that has the status of the response."""

    status_code = 429


def counted(registry: CollectorRegistry, name: str) -> Counts:
    """Return the counts that are not 0, by model and reason."""
    found = recorded.samples(registry, name)
    return {(each.labels["model"], each.labels["reason"]): each.value for each in found if each.value}


@pytest.fixture
def metrics(registry: CollectorRegistry) -> MLMetrics:
    """Return a toolkit."""
    return MLMetrics(service="tests", registry=registry)


@pytest.fixture
def tenacity(metrics: MLMetrics) -> Iterator[Any]:
    """Return tenacity, instrumented."""
    import tenacity  # noqa: PLC0415 (only where it is asked for)

    with metrics.instrument_tenacity():
        yield tenacity


@pytest.fixture
def stamina(metrics: MLMetrics) -> Iterator[Any]:
    """Return stamina, instrumented, without its waiting."""
    with metrics.instrument_stamina(), unwaiting() as stamina:
        yield stamina


@contextmanager
def unwaiting() -> Iterator[Any]:
    """Give stamina, which makes three attempts and does not wait between them."""
    import stamina  # noqa: PLC0415 (as above)

    stamina.set_testing(True, attempts=3)
    try:
        yield stamina
    finally:
        stamina.set_testing(False)
