"""Folds that a signal handler breaks off at every place where it can: nothing is lost, doubled or stuck."""

# mypy: allow-untyped-calls
# A lambda has no types, and is often all that a test has to record.

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.samples import Exemplar

from mlmetrics import MLMetrics
from mlmetrics.calls.operation import CallSeries
from mlmetrics.catalog import INFERENCE
from mlmetrics.exposition.text import render
from mlmetrics.http.requests import requests_of
from mlmetrics.http.series import MethodSeries, RouteSeries
from mlmetrics.recording import collector, folding
from mlmetrics.recording.series import BOUND
from tests.interruption import Interruption, points
from tests.recorded import errors, in_progress, outcomes, value

FOLDING = (
    "/recording/folding.py",
    "/recording/series.py",
    "/recording/cells.py",
    "/recording/store.py",
    "/recording/admitting.py",
    "/recording/family.py",
    "/recording/collector.py",
    "/calls/operation.py",
    "/http/series.py",
    "/exposition/text.py",
    "/prometheus_client/values.py",
)
OF_THE_SCRAPE = ("mlmetrics_scrape", "mlmetrics_memory", "mlmetrics_cpu")
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


class Recorded:
    """A registry with numbers of every kind that wait to be folded."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.metrics = MLMetrics(service="s", registry=self.registry)
        self.store = store = self.metrics.store
        self.calls: Any = self.metrics.calls(INFERENCE).series("s", ("m", ""))
        self.unmeasured = self.calls.counter("total", "success")  # on the same value as the calls that were measured
        requests = requests_of(store, "s")
        self.method: Any = requests.method("GET")
        self.route: Any = requests.route("GET", "/x")
        self.route.declare(200, 500)
        self.counter = store.counter("ml_inference_cost_usd_total", ("s", "m", ""))
        self.gauge = store.gauge("ml_model_info", ("s", "m", "1"))
        self.changed = store.gauge("ml_model_info", ("s", "m", "2"))
        self.histogram = store.histogram("ml_inference_batch_size", ("s", "m", ""))

    def append(self) -> None:
        """Record once of everything, and twice what differs."""
        calls = self.calls
        for ended in (calls.succeeded, calls.failed, calls.cancelled, calls.left):
            calls.started.extend((None, None))
            ended.extend((0.25, 4.0))  # of `left` only the length counts
        calls.started.append(None)
        calls.exemplars.append(Exemplar({"trace_id": "1"}, 4.0, 1.0))
        self.method.started.extend((None, None))
        self.method.ended.append(None)
        self.route.finished.extend(((200, 0.25, 0.125), (404, 4.0, None), (200, 0.25, 0.5)))
        self.route.exemplars.append(Exemplar({"trace_id": "2"}, 0.25, 1.0))
        self.unmeasured.record(1)
        for series in (self.counter, self.gauge, self.histogram):
            series.record(2.0)
            series.record(3.0)
        changed: Any = self.changed
        for entry in (2.0, (3.0,), (-1.0,)):
            changed.record(entry)

    def fold_all(self) -> bool:
        """Fold as a scrape does."""
        return folding.hold(self.store.fold_all)

    def samples(self) -> Samples:
        """Scrape, and return what there is, but for what a scrape says of itself."""
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in self.registry.collect()
            for sample in family.samples
            if not sample.name.startswith(OF_THE_SCRAPE)
        }


def expected(times: int) -> Samples:
    """Return what is scraped when numbers were appended so many times and nothing broke in."""
    recorded = Recorded()
    for _ in range(times):
        recorded.append()
    recorded.unmeasured.record(1)
    return recorded.samples()


WORK: dict[str, Callable[[Recorded], object]] = {
    "calls": lambda recorded: recorded.store.fold(recorded.calls),
    "requests of a method": lambda recorded: recorded.store.fold(recorded.method),
    "requests of a route": lambda recorded: recorded.store.fold(recorded.route),
    "a counter": lambda recorded: recorded.store.fold(recorded.counter),
    "a gauge": lambda recorded: recorded.store.fold(recorded.gauge),
    "a gauge that is changed": lambda recorded: recorded.store.fold(recorded.changed),
    "a histogram": lambda recorded: recorded.store.fold(recorded.histogram),
}


def filled(*, opened: bool) -> Recorded:
    """Return what has numbers to fold, for the first time or for a later one."""
    recorded = Recorded()
    recorded.append()
    if opened:
        recorded.samples()
        recorded.append()
    return recorded


def interrupt_everywhere(work: Callable[[Recorded], object], *, opened: bool, files: tuple[str, ...] = FOLDING) -> int:
    """Interrupt the work at each of its delivery points in turn, and check what comes of it; returns their number."""
    times = 2 if opened else 1
    now, later = expected(times), expected(times + 1)
    places = points(lambda: partial(work, filled(opened=opened)), *files)
    for at in places:
        recorded = filled(opened=opened)
        interruption = Interruption(at, *files)
        assert interruption.during(partial(work, recorded))
        turn = folding._state.turn
        assert ([None], 0) == (turn.token, turn.owner), interruption.place
        # Another series of the same value is folded first: what was left must come before it.
        recorded.unmeasured.record(1)
        recorded.store.fold(recorded.unmeasured)
        assert now == recorded.samples(), interruption.place
        recorded.append()
        assert later == recorded.samples(), interruption.place
    return len(places)


@pytest.mark.parametrize("opened", [False, True], ids=["first", "later"])
@pytest.mark.parametrize("kind", WORK)
def test_interrupted_fold(kind: str, *, opened: bool) -> None:
    """A fold of any kind, broken off anywhere, leaves the turn free, and the next one makes it exact."""
    assert interrupt_everywhere(WORK[kind], opened=opened) > 20


def test_interrupted_folds_of_everything() -> None:
    """A fold of all series, as a scrape does it, can be interrupted anywhere."""
    assert interrupt_everywhere(Recorded.fold_all, opened=True) > 100


def test_interrupted_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that waits for another one's fold, and is broken off, has not taken what it waited for."""
    turn, done = folding._state.turn, list[int]()
    # Somebody folds until the first time that this one has slept.
    monkeypatch.setattr("time.sleep", lambda _: turn.token.append(None))

    def wait() -> Callable[[], object]:
        turn.token.clear()
        return lambda: folding.hold(done.append, 1)

    places = points(wait, "/recording/folding.py")
    for at in places:
        interruption = Interruption(at, "/recording/folding.py")
        assert interruption.during(wait())
        assert 0 == turn.owner, interruption.place
        assert len(turn.token) <= 1, interruption.place
        if not turn.token:  # the other thread's fold is not over yet, and ends now
            turn.token.append(None)
        assert folding.attempt(done.append, 1), interruption.place
    assert len(places) > 10


def test_interrupted_scrape() -> None:
    """A scrape that is broken off anywhere, in the midst of its text too, harms no later one."""
    modules = tuple(f"/recording/{name}.py" for name in ("collector", "family", "folding", "store"))
    work: Callable[[Recorded], object] = lambda recorded: render(recorded.registry)  # noqa: E731
    assert interrupt_everywhere(work, opened=True, files=(*modules, "/exposition/text.py")) > 100


def test_interrupted_call_at_the_bound() -> None:
    """A call that folds, and is interrupted while it does, has its one outcome; the handler's error is the caller's."""
    registries: list[CollectorRegistry] = []

    def fill() -> Callable[[], object]:
        registries.append(CollectorRegistry())
        function = MLMetrics(service="s", registry=registries[-1]).track_inference(model="m")(lambda: None)
        for _ in range(BOUND):
            function()
        return function

    places = points(fill, *FOLDING)
    for at in places:
        interruption = Interruption(at, *FOLDING)
        assert interruption.during(fill())
        registry = registries[-1]
        assert {"success": BOUND + 1} == outcomes(registry), interruption.place
        assert BOUND + 1 == value(registry, "ml_inference_duration_seconds_count"), interruption.place
        assert in_progress(registry) == 0
        assert {} == errors(registry)
    assert len(places) > 20


def declare(recorded: Recorded) -> tuple[CallSeries, Any, MethodSeries, RouteSeries]:
    """Declare a series of every kind that is not there yet."""
    requests = requests_of(recorded.store, "s")
    return (
        recorded.metrics.calls(INFERENCE).series("s", ("new", "")),
        recorded.store.counter("ml_inference_cost_usd_total", ("s", "new", "")),
        requests.method("PUT"),
        requests.route("PUT", "/x"),
    )


def test_series_that_is_interrupted_while_it_is_declared() -> None:
    """What a series records after its declaration was broken off anywhere is folded."""
    files = (*FOLDING, "/calls/stored.py")
    places = points(lambda: partial(declare, Recorded()), *files)
    for at in places:
        recorded = Recorded()
        interruption = Interruption(at, *files)
        assert interruption.during(partial(declare, recorded))
        calls, cost, method, route = declare(recorded)
        calls.begin(None)
        calls.succeed(0.5)
        cost.record(2.0)
        method.begin(None)
        route.finish((201, 0.5, None))
        registry = recorded.registry
        assert {"success": 1} == outcomes(registry, model="new"), interruption.place
        assert 2 == value(registry, "ml_inference_cost_usd_total", model="new"), interruption.place
        assert 1 == value(registry, "fastapi_requests_in_progress", method="PUT"), interruption.place
        assert 1 == value(registry, "fastapi_requests_total", method="PUT"), interruption.place
    assert len(places) > 20


DECLARING = ("/recording/collector.py", "/recording/declaring.py", "/calls/recorder.py", "/calls/own.py")


def test_operation_that_is_interrupted_while_it_is_declared() -> None:
    """An operation whose declaration was broken off anywhere is there, registered and whole, after the next one."""

    def declared(recorded: Recorded) -> object:
        return recorded.metrics.operation("retrieval", ("index",), score=True)

    places = points(lambda: partial(declared, Recorded()), *DECLARING)
    for at in places:
        recorded = Recorded()
        interruption = Interruption(at, *DECLARING)
        assert interruption.during(partial(declared, recorded))
        assert "unlocked" in repr(collector._registering), interruption.place
        recorded.metrics.operation("retrieval", ("index",), score=True).record(0.5, index="docs")
        registry = recorded.registry
        assert {"success": 1} == outcomes(registry, "retrieval", index="docs"), interruption.place
        assert {"ml_retrieval_score", "ml_retrieval_total"} <= registry._names_to_collectors.keys()
        assert 0 == value(registry, "mlmetrics_recording_errors_total", where="label.index"), interruption.place
    assert len(places) > 20


def test_numbers_that_cannot_be_added_up(registry: CollectorRegistry) -> None:
    """Numbers that are no floats are counted as a mistake, and do not stand in the way of others."""
    store = MLMetrics(service="s", registry=registry).store
    cost = store.counter("ml_inference_cost_usd_total", ("s", "m", ""))
    numbers: list[Any] = [Decimal(1), 2.0]
    for number in numbers:
        cost.record(number)
    assert 0 == value(registry, "ml_inference_cost_usd_total")
    cost.record(3.0)
    assert 3 == value(registry, "ml_inference_cost_usd_total")
    assert {"fold": 1} == errors(registry)
