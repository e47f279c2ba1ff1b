"""Exceptions whose attributes raise: the caller gets the same exception, and the call is a failure."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from mlmetrics import MLMetrics
from tests.recorded import errors, in_progress, label_values, outcomes


class RaisingType(type):
    """A metaclass that raises whatever its classes are asked."""

    def __getattribute__(cls, name: str) -> Any:
        raise LookupError(name)


class OfRaisingType(Exception, metaclass=RaisingType):  # noqa: N818 (a name to be found as it is)
    """An exception whose class raises when it is asked for attributes."""


class Raising(Exception):  # noqa: N818 (as above)
    """An exception that raises when it is asked for attributes, also for `__class__`."""

    def __getattribute__(self, name: str) -> Any:
        raise LookupError(name)


class Liar(Exception):  # noqa: N818 (as above)
    """An exception that claims to be a cancellation."""

    @property  # type: ignore[misc]  # that is the test
    def __class__(self) -> type:
        return asyncio.CancelledError


KINDS: dict[str, type[Exception]] = {"OfRaisingType": OfRaisingType, "Raising": Raising, "Liar": Liar}


def call_function(metrics: MLMetrics, error: Exception) -> None:
    """Raise it in a function."""

    @metrics.track_inference(model="m")
    def run() -> None:
        raise error

    run()


def call_coroutine(metrics: MLMetrics, error: Exception) -> None:
    """Raise it in a coroutine."""

    @metrics.track_inference(model="m")
    async def run() -> None:
        raise error

    run().send(None)


def call_generator(metrics: MLMetrics, error: Exception) -> None:
    """Raise it in a generator."""

    @metrics.track_inference(model="m")
    def run() -> Iterator[int]:
        yield 1
        raise error

    list(run())


def call_async_generator(metrics: MLMetrics, error: Exception) -> None:
    """Raise it in an async generator."""

    @metrics.track_inference(model="m")
    async def run() -> AsyncIterator[int]:
        for _ in (1,):
            raise error
        yield 1

    run().__aiter__().__anext__().send(None)  # type: ignore[attr-defined]  # a coroutine, driven by hand


def enter_timer(metrics: MLMetrics, error: Exception) -> None:
    """Raise it in a block."""
    with metrics.inference_timer(model="m"):
        raise error


@pytest.mark.parametrize("run", [call_function, call_coroutine, call_generator, call_async_generator, enter_timer])
@pytest.mark.parametrize("kind", KINDS)
def test_comes_out_and_is_a_failure(
    registry: CollectorRegistry, run: Callable[[MLMetrics, Exception], None], kind: str
) -> None:
    """The caller gets the same exception; the call is a failure with the name of the class as its type."""
    error = type.__call__(KINDS[kind])
    caught: BaseException | None = None
    try:
        run(MLMetrics(service="s", registry=registry), error)
    except BaseException as raised:  # noqa: BLE001 (that is what is compared)
        caught = raised
    assert error is caught
    assert {"failure": 1} == outcomes(registry)
    assert [kind] == label_values(registry, "ml_inference_errors_total", "error_type")
    assert in_progress(registry) == 0
    assert {} == errors(registry)


class Value(metaclass=RaisingType):
    """What is no number and no text, of a class that raises when it is asked for its name."""


RECORDED: dict[str, Callable[[MLMetrics], object]] = {
    "metric": lambda metrics: metrics.counter("cv_accepted", "CVs.").inc(Value()),  # type: ignore[arg-type]
    "feedback": lambda metrics: metrics.track_feedback("m", Value()),  # type: ignore[arg-type]
    "prediction_error": lambda metrics: metrics.track_prediction_error("m", Value()),  # type: ignore[arg-type]
    "label.predicted_class": lambda metrics: metrics.track_prediction("m", Value()),
    "label.model": lambda metrics: metrics.track_feedback(Value()),  # type: ignore[arg-type]
    "score": lambda metrics: metrics.track_matching_score("m", Value()),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("where", RECORDED)
def test_a_value_whose_class_raises(registry: CollectorRegistry, where: str) -> None:
    """What is recorded by mistake is counted, whatever its class does when it is asked for its name."""
    RECORDED[where](MLMetrics(service="s", registry=registry))
    assert {where: 1} == errors(registry)
