"""Watched sessions of ONNX Runtime: every way to run x {call, batch, raise, cancel}, with exact counts."""

import asyncio
import gc
import threading
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper

from mlmetrics import MLMetrics
from tests import recorded
from tests.models.calls import calls_of, error_types, expected, failed, operations

X = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
WAIT_SECONDS = 30


def model_bytes(shape: tuple[Any, ...] = ("rows", 3)) -> bytes:
    """Return a model that doubles its input."""
    inputs = [helper.make_tensor_value_info("X", TensorProto.FLOAT, shape)]
    outputs = [helper.make_tensor_value_info("Y", TensorProto.FLOAT, shape)]
    graph = helper.make_graph([helper.make_node("Add", ["X", "X"], ["Y"])], "double", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    found: bytes = model.SerializeToString()
    return found


@pytest.fixture
def session() -> Any:
    """Return a session of the model."""
    return onnxruntime.InferenceSession(model_bytes(), providers=["CPUExecutionProvider"])


def run(session: Any, rows: Any) -> Any:
    """Run it."""
    return session.run(None, {"X": rows})[0]


def run_with_ort_values(session: Any, rows: Any) -> Any:
    """Run it on a value that ONNX Runtime holds."""
    values = session.run_with_ort_values(["Y"], {"X": onnxruntime.OrtValue.ortvalue_from_numpy(rows)})
    return values[0].numpy()


def run_async(session: Any, rows: Any) -> Any:
    """Run it, and wait for its callback."""
    came, got = threading.Event(), list[Any]()

    def callback(results: Any, user_data: Any, status: str) -> None:
        got.extend((results, user_data, status))
        came.set()

    session.run_async(None, {"X": rows}, callback, session)
    assert came.wait(WAIT_SECONDS)
    results, user_data, status = got
    assert session is user_data
    if status:
        raise ValueError(status)
    return results[0]


def run_with_iobinding(session: Any, rows: Any) -> Any:
    """Run it on bound memory."""
    binding = session.io_binding()
    binding.bind_cpu_input("X", rows)
    binding.bind_output("Y")
    session.run_with_iobinding(binding)
    return binding.copy_outputs_to_cpu()[0]


WAYS = [
    way
    for way in (run, run_with_ort_values, run_async, run_with_iobinding)
    if hasattr(onnxruntime.InferenceSession, way.__name__)
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
class TestMatrix:
    """Every way to run a session."""

    @pytest.mark.parametrize("rows", [0, 1, 4])
    def test_call(self, metrics: MLMetrics, session: Any, way: Any, rows: int) -> None:
        """A run is one inference; its batch is the first dimension of the first input, where that is known."""
        metrics.watch(session, model="m")
        for _ in range(2):
            np.testing.assert_array_equal(2 * X[:rows], way(session, X[:rows]))
        counts = expected(2, 2 * rows)
        if way is run_with_iobinding:
            counts = {"calls": 2.0, "timed": 2.0}
        assert counts == calls_of(metrics.registry, way.__name__)
        assert {way.__name__: 2.0} == operations(metrics.registry)
        assert {} == recorded.errors(metrics.registry)

    def test_raise(self, metrics: MLMetrics, session: Any, way: Any) -> None:
        """A run that raises, or that says so to its callback, is a failure."""
        metrics.watch(session, model="m")
        with pytest.raises(Exception, match="Got invalid dimensions") as raised:
            way(session, X[:, :2])
        counts = calls_of(metrics.registry, way.__name__)
        assert failed(1) == {name: count for name, count in counts.items() if name not in {"batches", "items"}}
        error_type = "error" if way is run_async else raised.type.__name__
        assert {error_type: 1.0} == error_types(metrics.registry)

    def test_cancel(self, metrics: MLMetrics, session: Any, way: Any) -> None:
        """A run that is cancelled before the session has it has that outcome alone."""

        class Cancelled(onnxruntime.InferenceSession):  # type: ignore[misc]  # may be missing
            def __getattribute__(self, name: str) -> Any:
                if name in {"_sess", "_validate_input"}:
                    raise asyncio.CancelledError
                return super().__getattribute__(name)

        cancelled = Cancelled.__new__(Cancelled)
        cancelled.__dict__.update(vars(session))
        metrics.watch(cancelled, model="m")
        with pytest.raises(asyncio.CancelledError):
            way(cancelled, X) if way is not run_with_iobinding else cancelled.run_with_iobinding(session.io_binding())
        assert {"calls": 1.0} == calls_of(metrics.registry, way.__name__)
        assert {"cancelled": 1.0} == recorded.outcomes(metrics.registry)

    def test_uninstrument(self, metrics: MLMetrics, session: Any, way: Any) -> None:
        """When its handle is left, nothing is recorded."""
        with metrics.watch(session, model="m"):
            pass
        np.testing.assert_array_equal(2 * X, way(session, X))
        assert {} == operations(metrics.registry)


class TestSession:
    """What is apart from the ways to run."""

    def test_stays(self, metrics: MLMetrics, session: Any) -> None:
        """It stays the object that it is."""
        state = dict(vars(session))
        metrics.watch(session)
        run(session, X)
        assert onnxruntime.InferenceSession is type(session)
        assert state == vars(session)
        assert expected(1, 4) == calls_of(metrics.registry, "run", "InferenceSession")

    def test_refused(self, metrics: MLMetrics, session: Any) -> None:
        """What the session refuses before it runs is a failure."""
        metrics.watch(session, model="m")
        with pytest.raises(ValueError, match="Required inputs"):
            session.run(None, {})
        assert failed(1) == calls_of(metrics.registry, "run")

    def test_no_dimension(self, metrics: MLMetrics) -> None:
        """An input without dimensions is one item; a list has its length."""
        scalar = onnxruntime.InferenceSession(model_bytes(()), providers=["CPUExecutionProvider"])
        metrics.watch(scalar, model="m")
        assert 6.0 == run(scalar, np.array(3.0, np.float32))
        assert expected(1, 1) == calls_of(metrics.registry, "run")

    def test_threads(self, metrics: MLMetrics, session: Any) -> None:
        """Runs in several threads are all counted."""
        metrics.watch(session, model="m")
        threads = [threading.Thread(target=lambda: [run(session, X) for _ in range(50)]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert expected(200, 800) == calls_of(metrics.registry, "run")

    def test_no_callback(self, metrics: MLMetrics) -> None:
        """What cannot be called is handed on as it is, for the session to refuse."""

        class Refusing(onnxruntime.InferenceSession):  # type: ignore[misc]  # may be missing
            def __init__(self) -> None:
                """Load nothing."""

            def run_async(
                self, output_names: Any, input_feed: Any, callback: Any, user_data: Any, run_options: Any = None
            ) -> None:
                """Refuse it."""
                raise TypeError(callback)

        refusing = Refusing()
        metrics.watch(refusing, model="m")
        with pytest.raises(TypeError, match=r"^3$"):
            refusing.run_async(None, {"X": X}, 3, None)
        assert {"TypeError": 1.0} == error_types(metrics.registry)

    def test_never_called_back(self, metrics: MLMetrics) -> None:
        """A run whose callback never comes is cancelled when it is dropped."""

        class Silent(onnxruntime.InferenceSession):  # type: ignore[misc]  # may be missing
            def __init__(self) -> None:
                """Load nothing."""

            def run_async(
                self, output_names: Any, input_feed: Any, callback: Any, user_data: Any, run_options: Any = None
            ) -> None:
                """Forget the callback."""

        silent = Silent()
        metrics.watch(silent, model="m")
        silent.run_async(None, {"X": X}, print, None)
        gc.collect()
        assert {"cancelled": 1.0} == recorded.outcomes(metrics.registry)
