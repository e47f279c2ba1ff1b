"""Numbers in files, by the structure of the code that adds them: nothing comes between reading and writing one."""

import dis
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from mlmetrics import MLMetrics, arg
from mlmetrics.calls import placed as calls
from mlmetrics.http import placed as http
from mlmetrics.recording import placed as recording
from tests.calls.test_hot_path import calls_made, timed

INTERRUPTIBLE = ("CALL", "JUMP_BACKWARD", "RESUME", "YIELD_VALUE", "SEND", "PRECALL", "FOR_ITER")
"""Where CPython may switch threads and run signal handlers: after calls, at backward jumps, and where code starts."""


@pytest.fixture
def metrics(registry: CollectorRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MLMetrics:
    """Return a toolkit that records into files."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    return MLMetrics(service="s", registry=registry)


def additions(code: CodeType) -> Iterator[list[str]]:
    """Yield the names of the instructions of each `view[index] += amount`, from reading the number to writing it."""
    names = [instruction.opname for instruction in dis.get_instructions(code)]
    for end, name in enumerate(names):
        if name == "STORE_SUBSCR" and (read := [place for place in range(end) if names[place] == "BINARY_SUBSCR"]):
            yield names[read[-1] : end]


def codes_of(module: types.ModuleType) -> Iterator[CodeType]:
    """Yield the code of every method that a module defines."""
    for kind in vars(module).values():
        if isinstance(kind, type) and kind.__module__ == module.__name__:
            yield from (each.__code__ for each in vars(kind).values() if isinstance(each, types.FunctionType))


@pytest.mark.parametrize("module", [recording, calls, http])
def test_nothing_interrupts_an_addition(module: types.ModuleType) -> None:
    """Every addition in a module is one that neither another thread nor a signal handler can divide."""
    found = [each for code in codes_of(module) for each in additions(code) if "BINARY_OP" in each]
    assert found
    assert not [each for each in found if any(name.startswith(INTERRUPTIBLE) for name in each)]


@pytest.mark.parametrize("kind", ["function", "coroutine"])
def test_nothing_interrupts_an_addition_of_a_wrapper(metrics: MLMetrics, kind: str) -> None:
    """So is every addition of a wrapper: one where a call begins, and four where it ends, besides those of an error."""

    def function() -> None:
        """Do nothing."""

    async def coroutine() -> None:
        """Do nothing."""

    recorded: Callable[..., Any] = function if kind == "function" else coroutine
    found = list(additions(metrics.track_inference(model="m")(recorded).__code__))
    assert len(found) >= 5
    assert not [each for each in found if any(name.startswith(INTERRUPTIBLE) for name in each)]


def test_plain_function(metrics: MLMetrics) -> None:
    """A call of a recorded function makes four calls: the clock twice, the function, and the search for the bucket."""

    def answer() -> int:
        return 1

    recorded = metrics.track_inference(model="m")(answer)
    recorded()
    expected = ["wrapper", "perf_counter", "answer", "perf_counter", "bisect_left"]
    assert expected == calls_made(lambda: recorded())  # noqa: PLW0108 (counted is what is inside)


def test_computed_label(metrics: MLMetrics) -> None:
    """A label that is an argument costs one look-up more."""

    def answer(model: str) -> str:
        return model

    recorded = metrics.track_inference(model=arg("model"))(answer)
    recorded("m")
    expected = ["wrapper", "by_value", "perf_counter", "answer", "perf_counter", "bisect_left"]
    assert expected == calls_made(lambda: recorded("m"))


def test_timer(metrics: MLMetrics) -> None:
    """A block in a timer takes no lock, and asks for no place that is known."""
    run = timed(metrics)
    run()
    assert not {"acquire", "place", "number_place", "mmap_key"} & set(calls_made(run))
