"""The structure of the hot path: what a recorded call does, and does not do."""

# mypy: allow-untyped-calls
# A lambda has no types, and is often all that a test has to record.

import asyncio
import dis
import gc
import sys
import threading
from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from mlmetrics import MLMetrics, arg
from mlmetrics.calls import unfinished
from mlmetrics.recording import folding, store
from tests.recorded import outcomes

BUILDS = {"BUILD_MAP", "BUILD_CONST_KEY_MAP", "BUILD_LIST", "BUILD_SET", "MAKE_FUNCTION", "LOAD_BUILD_CLASS"}


@pytest.fixture
def metrics(registry: CollectorRegistry) -> MLMetrics:
    """Return a toolkit on a registry of its own."""
    return MLMetrics(service="s", registry=registry)


def calls_made(run: Callable[[], object]) -> list[str]:
    """Return the names of the Python and C functions that are called while something runs."""
    names: list[str] = []

    def note(frame: Any, event: str, argument: Any) -> None:
        if event == "call":
            names.append(frame.f_code.co_name)
        elif event == "c_call":
            names.append(argument.__name__)

    gc.disable()  # other packages have functions that a collection calls
    try:
        sys.setprofile(note)
        run()
    finally:
        sys.setprofile(None)
        gc.enable()
    return [name for name in names if name not in ("run", "setprofile", "<lambda>")]


def timed(metrics: MLMetrics) -> Callable[[], object]:
    """Return a function that runs a block in a timer."""

    def run() -> None:
        with metrics.inference_timer(model="m"):
            pass

    return run


def instructions(code: CodeType) -> Iterator[dis.Instruction]:
    """Yield the instructions of the path on which nothing is raised."""
    handlers = {entry.target for entry in dis.Bytecode(code).exception_entries}  # type: ignore[attr-defined]  # typeshed has it private
    first = min(handlers, default=sys.maxsize)
    for instruction in dis.get_instructions(code):
        if instruction.offset >= first:
            return
        yield instruction


@pytest.mark.in_memory
def test_plain_function(metrics: MLMetrics) -> None:
    """A call of a recorded function makes five calls: the clock twice, two appends, the function."""

    def answer() -> int:
        return 1

    recorded = metrics.track_inference(model="m")(answer)
    recorded()
    expected = ["wrapper", "perf_counter", "append", "answer", "perf_counter", "append", "len"]
    assert expected == calls_made(lambda: recorded())  # noqa: PLW0108 (counted is what is inside)


@pytest.mark.in_memory
def test_computed_label(metrics: MLMetrics) -> None:
    """A label that is an argument costs one more look-up."""

    def answer(model: str) -> str:
        return model

    recorded = metrics.track_inference(model=arg("model"))(answer)
    recorded("m")
    made = calls_made(lambda: recorded("m"))
    expected = ["wrapper", "by_value", "perf_counter", "append", "answer", "perf_counter", "append", "len"]
    assert expected == made


def test_type_that_is_no_stream(metrics: MLMetrics, monkeypatch: pytest.MonkeyPatch) -> None:
    """A type of results is looked at once, and then known; of types without end only so many are kept."""
    monkeypatch.setattr(unfinished, "MOST_PLAIN_TYPES", len(unfinished.SILENT_TYPES) + 2)
    looked_at = []
    for number in range(3):
        result = type(f"Result{number}", (), {})()
        recorded = metrics.track_inference(model="m")(lambda result=result: result)
        first, later = calls_made(recorded), calls_made(recorded)
        assert "replace" in first
        looked_at.append("replace" in later)
    assert [False, False, True] == looked_at
    assert {"success": 6} == outcomes(metrics.registry)


@pytest.mark.in_memory
def test_timer(metrics: MLMetrics) -> None:
    """A timer calls no Python function but those that make, enter and leave it."""
    run = timed(metrics)
    run()
    expected = ["inference_timer", "__new__", "__enter__", "perf_counter", "append", "__exit__", "perf_counter"]
    assert [*expected, "append", "len"] == calls_made(run)


@pytest.mark.in_memory
def test_generator_chunk(metrics: MLMetrics) -> None:
    """A chunk of a recorded generator costs the clock and an append."""

    def numbers() -> Iterator[int]:
        yield from range(4)

    stream = metrics.track_inference(model="m")(numbers)()
    next(stream)
    made = calls_made(lambda: next(stream))
    assert ["next", "wrapper", "next", "numbers", "perf_counter", "append", "len"] == made


@pytest.mark.parametrize("kind", ["function", "argument", "coroutine", "timer enter", "timer exit"])
def test_builds_nothing(metrics: MLMetrics, kind: str) -> None:
    """Without errors, a wrapper makes no dict, list, closure or class, and imports nothing."""

    async def coroutine() -> None:
        """Do nothing."""

    timer = type(metrics.inference_timer(model="m"))
    wrapped: dict[str, Any] = {
        "function": metrics.track_inference(model="m")(lambda: 1),
        "argument": metrics.track_inference(model=arg("x"))(lambda x: x),
        "coroutine": metrics.track_inference(model="m")(coroutine),
        "timer enter": timer.__enter__,
        "timer exit": timer.__exit__,
    }
    way = list(instructions(wrapped[kind].__code__))
    # `function(*args, **kwargs)` itself merges the keywords into the one dict of every such call.
    built = [each for each in way if each.opname in BUILDS]
    forwarded = [each for each in way if each.opname in ("DICT_MERGE", "CALL_FUNCTION_EX")]
    assert [] == [each.opname for each in built if each.opname != "BUILD_MAP"]
    assert sum(each.opname == "BUILD_MAP" for each in built) <= sum(each.opname == "DICT_MERGE" for each in forwarded)
    assert not [each for each in way if each.opname.startswith("IMPORT")]


def test_takes_no_lock(metrics: MLMetrics, registry: CollectorRegistry) -> None:
    """While another thread holds the locks of folds and of the store, calls of every kind continue and are counted."""

    async def coroutine() -> None:
        """Do nothing."""

    def numbers() -> Iterator[int]:
        yield from range(3)

    function = metrics.track_inference(model="m")(lambda: None)
    recorded = metrics.track_inference(model="m")(coroutine)
    stream = metrics.track_inference(model="m")(numbers)
    run = timed(metrics)
    run()
    held, let_go = threading.Event(), threading.Event()

    def stand() -> None:
        held.set()
        let_go.wait()

    def hold() -> None:
        with metrics.store.declaring:
            folding.hold(stand)

    def work() -> None:
        for _ in range(2000):  # beyond the bound at which a call folds
            function()
            run()
            list(stream())
        asyncio.run(recorded())

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait()
    worker = threading.Thread(target=work)
    worker.start()
    worker.join(30)
    stuck = worker.is_alive()
    let_go.set()
    holder.join()
    worker.join()
    assert not stuck
    assert {"success": 1 + 3 * 2000 + 1} == outcomes(registry)


def test_no_client_metric_is_used(metrics: MLMetrics, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call looks up no labels and touches no value of prometheus_client before it folds."""
    recorded = metrics.track_inference(model="m")(lambda: None)
    recorded()

    def refuse(*_: object) -> None:
        raise AssertionError("a call touched what only folds touch")

    monkeypatch.setattr(store.Store, "_cell", refuse)
    monkeypatch.setattr(store.Store, "_series", refuse)
    monkeypatch.setattr(store.Store, "admit", refuse)
    for _ in range(100):
        recorded()
    monkeypatch.undo()
    assert {"success": 101} == outcomes(metrics.registry)
