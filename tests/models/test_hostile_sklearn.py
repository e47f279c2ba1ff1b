"""Watched estimators where other threads, forks, the garbage collector and other patches come between."""

import os
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator  # type: ignore[import-untyped]  # ships no types

from mlmetrics import MLMetrics
from mlmetrics.integrations import methods
from mlmetrics.recording.series import BOUND
from tests import recorded
from tests.models.calls import calls_of, expected, operations

X = np.zeros((4, 3))
WAIT_SECONDS = 30


class Running(BaseEstimator):  # type: ignore[misc]  # without types
    """An estimator that runs a function, if there is one."""

    def __init__(self, run: Callable[[], object] | None = None) -> None:
        self.run = run

    def predict(self, X: Any) -> Any:  # noqa: N803 (as in scikit-learn)
        """Run it, and return a number for each row."""
        if self.run is not None:
            self.run()
        return np.zeros(len(X))

    def predict_proba(self, X: Any) -> Any:  # noqa: N803 (as in scikit-learn)
        """Return as many rows."""
        return np.tile([0.25, 0.75], (len(X), 1))


def kept(metrics: MLMetrics) -> int:
    """Return the length of the longest list of numbers that are not folded yet."""
    lists = [each for series in metrics.store._foldables for each in getattr(series, "lists", ())]
    return max(map(len, lists))


def in_threads(*runs: Callable[[], object]) -> None:
    """Run each function in a thread of its own, and wait for all."""
    threads = [threading.Thread(target=run, daemon=True) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_SECONDS)
        assert not thread.is_alive()


class TestThreads:
    """A thread that is inside a watched call."""

    @pytest.mark.parametrize("first_leaves", [True, False])
    def test_overlapping(self, metrics: MLMetrics, first_leaves: bool) -> None:  # noqa: FBT001 (a case)
        """Parts of two calls in two threads are no calls, whichever of them ends before the part begins."""
        first_in, second_in, gone = threading.Event(), threading.Event(), threading.Event()
        part = Running()

        def in_first() -> None:
            first_in.set()
            (second_in if first_leaves else gone).wait(WAIT_SECONDS)
            part.predict(X)

        def in_second() -> None:
            second_in.set()
            if first_leaves:
                gone.wait(WAIT_SECONDS)
            part.predict(X)

        first, second = Running(in_first), Running(in_second)
        for each, model in ((first, "whole"), (second, "whole"), (part, "part")):
            metrics.watch(each, model=model)

        def run_first() -> None:
            first.predict(X)
            gone.set()

        def run_second() -> None:
            first_in.wait(WAIT_SECONDS)
            second.predict(X)
            gone.set()

        in_threads(run_first, run_second)
        part.predict(X)
        assert expected(2, 8) == calls_of(metrics.registry, "predict", "whole")
        assert expected(1, 4) == calls_of(metrics.registry, "predict", "part")

    def test_many(self, metrics: MLMetrics) -> None:
        """Calls of many threads at once are all counted, and none of their parts."""
        part = Running()
        whole = Running(lambda: part.predict(X))
        metrics.watch(whole, model="whole")
        metrics.watch(part, model="part")
        in_threads(*[lambda: [whole.predict(X) for _ in range(500)]] * 8)
        assert expected(4000, 16000) == calls_of(metrics.registry, "predict", "whole")
        assert {} == calls_of(metrics.registry, "predict", "part")

    @pytest.mark.parametrize("first", [True, False])
    def test_forked(self, metrics: MLMetrics, first: bool) -> None:  # noqa: FBT001 (a case)
        """In a forked child no thread of the parent is inside, whose identifiers new threads may get."""
        inside, forked = [threading.Event(), threading.Event()], threading.Event()

        def wait(entered: threading.Event) -> Callable[[], object]:
            def run() -> None:
                entered.set()
                forked.wait(WAIT_SECONDS)

            return run

        estimators = [Running(wait(each)) for each in inside]
        for each in estimators:
            metrics.watch(each, model="m")
        threads = [threading.Thread(target=each.predict, args=(X,)) for each in estimators[: 1 if first else 2]]
        for thread, entered in zip(threads, inside, strict=False):
            thread.start()
            entered.wait(WAIT_SECONDS)
        found = metrics_inside(estimators[0])
        assert threads[-1].ident in found
        child = os.fork()
        if not child:
            os._exit(any(thread.ident in found for thread in threads))
        forked.set()
        for thread in threads:
            thread.join(WAIT_SECONDS)
        assert 0 == os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert expected(len(threads), 4 * len(threads)) == calls_of(metrics.registry, "predict")


def metrics_inside(estimator: Any) -> Any:
    """Return the threads inside of the calls that are recorded with those of an estimator."""
    return next(entry[0] for each in methods._replaced.values() for entry in each._held.get(id(estimator), ()))


class TestCollection:
    """An object that is collected while somebody changes classes."""

    def test_waits_for_nobody(self, metrics: MLMetrics) -> None:
        """The collector may run where a lock is held that the other thread waits for, so it does not wait.

        What it could not put back then is put back by whoever comes next.
        """

        class Mine(Running):
            pass

        held, over = threading.Event(), threading.Event()
        gone, other = [Mine()], Running()
        identity = id(gone[0])
        metrics.watch(gone[0], model="m")
        metrics.watch(other, model="m")

        def hold() -> None:
            with methods._changes.lock:
                held.set()
                over.wait(WAIT_SECONDS)

        thread = threading.Thread(target=hold)
        thread.start()
        held.wait(WAIT_SECONDS)
        in_threads(gone.clear)
        assert thread.is_alive()
        assert not [each for each in methods._replaced.values() if identity in each._entries]
        assert "predict" in vars(Mine)
        over.set()
        thread.join(WAIT_SECONDS)
        del other
        assert "predict" not in vars(Mine)


class TestOtherPatches:
    """A method that the program replaces while it is watched."""

    def test_stays_with_the_next_watch(self, metrics: MLMetrics) -> None:
        """What the program has put there since stays there, and is what the next watch records."""

        class Mine(Running):
            pass

        one, two = Mine(), Mine()
        first = metrics.watch(one, model="one")
        ours: Any = vars(Mine)["predict"]

        def theirs(self: Any, X: Any) -> Any:  # noqa: N803 (as in scikit-learn)
            return ours(self, X) + 1

        Mine.predict = theirs  # type: ignore[method-assign]  # what is tested
        second = metrics.watch(two, model="two")
        assert 4 == one.predict(X).sum() == two.predict(X).sum()
        assert expected(1, 4) == calls_of(metrics.registry, "predict", "one")
        assert expected(1, 4) == calls_of(metrics.registry, "predict", "two")
        second.uninstrument()
        assert theirs is vars(Mine)["predict"]
        first.uninstrument()
        assert theirs is vars(Mine)["predict"]
        assert 4 == one.predict(X).sum()
        assert {"predict": 2.0} == operations(metrics.registry)

    def test_forgets_what_is_collected(self, metrics: MLMetrics) -> None:
        """An object that was watched before is forgotten all the same: another one may get its identity."""

        class Mine(Running):
            pass

        one, two = Mine(), Mine()
        metrics.watch(one, model="one")
        before: Any = vars(Mine)["predict"]

        def theirs(self: Any, X: Any) -> Any:  # noqa: N803 (as in scikit-learn)
            return before(self, X)

        Mine.predict = theirs  # type: ignore[method-assign]  # what is tested
        metrics.watch(two, model="two")
        assert [id(one), id(two)] == [key for each in _of(Mine) for key in each._entries]
        del one
        assert [id(two)] == [key for each in _of(Mine) for key in each._entries]

    def test_subclass(self, metrics: MLMetrics) -> None:
        """An object of a class and one of a subclass of it are watched apart, and end in any order."""

        class Sub(Running):
            def predict(self, X: Any) -> Any:  # noqa: N803 (as in scikit-learn)
                return super().predict(X) + 1

        base, sub = Running(), Sub()
        handles = [metrics.watch(base, model="base"), metrics.watch(sub, model="sub")]
        assert 4 == sub.predict(X).sum()
        base.predict(X)
        handles[0].uninstrument()
        sub.predict(X)
        base.predict(X)
        handles[1].uninstrument()
        sub.predict(X)
        assert expected(1, 4) == calls_of(metrics.registry, "predict", "base")
        assert expected(2, 8) == calls_of(metrics.registry, "predict", "sub")


def _of(kind: type) -> list[Any]:
    return [each for (owner, name, *_), each in methods._replaced.items() if (owner, name) == (kind, "predict")]


class TestManyCalls:
    """Numbers wait for a scrape that may never come."""

    @pytest.mark.parametrize("given", [X, object()], ids=["rows", "no batch"])
    def test_calls(self, metrics: MLMetrics, given: Any) -> None:
        """Calls are folded, also those whose batches cannot be counted."""

        class Taking(Running):
            def predict(self, X: Any) -> Any:  # noqa: N803 (as in scikit-learn)
                return X

        taking = Taking()
        metrics.watch(taking, model="m")
        for _ in range(3 * BOUND):
            taking.predict(given)
            assert BOUND >= kept(metrics)
        assert 3 * BOUND == calls_of(metrics.registry, "predict")["calls"]

    def test_scores(self, metrics: MLMetrics) -> None:
        """So are the scores of large batches."""
        running, rows = Running(), np.zeros((999, 3))
        metrics.watch(running, model="m")
        for _ in range(6):
            running.predict_proba(rows)
            assert BOUND >= kept(metrics)
        assert expected(6, 6 * 999, 6 * 999) == calls_of(metrics.registry, "predict_proba")


class TestSignatures:
    """What a method is called with."""

    def test_gathered(self, metrics: MLMetrics) -> None:
        """A method that gathers its arguments has its object among them, or raises as ever without one."""

        class Gathering(Running):
            def predict(*args: Any, **kwargs: Any) -> Any:
                return len(args) + len(kwargs)

        gathering = Gathering()
        metrics.watch(gathering, model="m")
        assert [2, 2, 0] == [gathering.predict(X), gathering.predict(X=X), Gathering.predict()]
        assert expected(2, 8) == calls_of(metrics.registry, "predict")
        assert {} == recorded.errors(metrics.registry)
