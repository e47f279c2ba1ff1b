"""Counts are exact: in many threads, in signal handlers, finalisers and collector callbacks, and across forks."""

# mypy: allow-untyped-calls
# A lambda has no types, and is often all that a test has to record.

import gc
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from mlmetrics import MLMetrics, arg
from mlmetrics.recording import cells, folding
from mlmetrics.recording.family import Family
from mlmetrics.recording.series import BOUND
from tests.recorded import errors, in_progress, outcomes, value
from tests.scripts import run_script

ROOT = Path(__file__).parents[2]
THREADS = 16
CALLS = 50_000


@pytest.fixture
def metrics(registry: CollectorRegistry) -> MLMetrics:
    """Return a toolkit on a registry of its own."""
    return MLMetrics(service="s", registry=registry)


def in_threads(work: Callable[[int], None], count: int) -> None:
    """Run a function in threads, with their numbers."""
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_threads(registry: CollectorRegistry, metrics: MLMetrics) -> None:
    """16 threads with 50,000 calls each, while somebody scrapes: every call is counted, once, and none is left."""
    function = metrics.track_inference(model=arg("model"))(lambda model, error: 1 / error)
    done = threading.Event()

    def work(number: int) -> None:
        model = f"model-{number % 4}"
        for index in range(CALLS):
            if index % 1000 == 0:
                with pytest.raises(ZeroDivisionError):
                    function(model, 0)
            else:
                function(model, 1)

    def scrape() -> None:
        while not done.is_set():
            generate_latest(registry)

    scraper = threading.Thread(target=scrape)
    scraper.start()
    in_threads(work, THREADS)
    done.set()
    scraper.join()
    failures = THREADS * CALLS // 1000
    assert {"success": THREADS * CALLS - failures, "failure": failures} == outcomes(registry)
    assert {"success": 4 * (CALLS - CALLS // 1000), "failure": 4 * CALLS // 1000} == outcomes(registry, model="model-0")
    assert THREADS * CALLS == value(registry, "ml_inference_duration_seconds_count")
    assert failures == value(registry, "ml_inference_errors_total", error_type="ZeroDivisionError")
    assert in_progress(registry) == 0
    assert {} == errors(registry)


def test_threads_that_declare_at_once(registry: CollectorRegistry, metrics: MLMetrics) -> None:
    """Threads that bring new label values at the same moment share series, and keep to the limit."""
    metrics.configure(max_label_values=50)
    function = metrics.track_inference(model=arg("model"))(lambda model: model)
    together = threading.Barrier(THREADS)

    def work(number: int) -> None:
        for index in range(100):
            if index % 10 == 0:
                together.wait()
            function(f"model-{index}")

    in_threads(work, THREADS)
    assert {"success": THREADS * 100} == outcomes(registry)
    assert {"success": THREADS * 50} == outcomes(registry, model="other")
    assert THREADS * 50 == value(registry, "mlmetrics_label_overflow_total", label="model")


def test_pending_numbers_do_not_pile_up(registry: CollectorRegistry, metrics: MLMetrics) -> None:
    """Without any scrape, what is kept of calls, streams, mistakes and overflows stays within its bound."""
    metrics.configure(max_label_values=1)
    streams = metrics.track_inference(model="m")(lambda: map(str, "ab"))
    labelled = metrics.track_inference(model=arg("model"))(lambda model: model)
    for number in range(3 * BOUND):
        list(streams())
        streams()
        labelled(number)
        metrics.track_matching_score("m", float("nan"))
    kept = [len(each.pending) for each in metrics.store._by_labels.values()]
    calls: list[Any] = [each for each in metrics.store._foldables if hasattr(each, "started")]
    kept += [len(each.started) + len(each.left) + len(each.succeeded) for each in calls]
    assert max(kept) <= 2 * BOUND + 2  # of calls, what has begun and what of it has ended
    assert 3 * BOUND == value(registry, "ml_inference_first_chunk_seconds_count")
    assert 3 * BOUND == errors(registry)["score"]


class Midway:
    """Does something in the middle of every fold: at the moment when a value is added to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, do: Callable[[], None]) -> None:
        self.times = 0
        add = cells.HistogramCell.add

        def interrupted(cell: Any, writes: Any, batch: Any) -> None:
            if self.times < 50:  # what is done may itself lead to a fold
                self.times += 1
                do()
            add(cell, writes, batch)

        monkeypatch.setattr(cells.HistogramCell, "add", interrupted)


class Finalised:
    """Calls something when it is collected."""

    def __init__(self, do: Callable[[], object]) -> None:
        self.do = do
        self.cycle = self

    def __del__(self) -> None:
        self.do()


def scrape_and_count(registry: CollectorRegistry, call: Callable[[], object], midway: Midway) -> None:
    """Make calls and scrapes by turns, and check that every call was counted once."""
    for index in range(3000):
        call()
        if index % 300 == 0:
            generate_latest(registry)
    assert midway.times
    assert {"success": 3000, "failure": midway.times} == outcomes(registry)
    assert 3000 + midway.times == value(registry, "ml_inference_duration_seconds_count")
    assert in_progress(registry) == 0


def failing(metrics: MLMetrics) -> Callable[[], None]:
    """Return a function that makes one failing call, which touches several series."""
    recorded = metrics.track_inference(model="m")(lambda: 1 / 0)

    def fail() -> None:
        with pytest.raises(ZeroDivisionError):
            recorded()

    return fail


def test_signal_handler_in_the_middle_of_a_fold(
    registry: CollectorRegistry, metrics: MLMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal handler that records and scrapes during a fold does not wait (pitfall 21)."""
    call = metrics.track_inference(model="m")(lambda: None)
    fail = failing(metrics)

    def handle(number: int, frame: FrameType | None) -> None:
        fail()
        list(metrics.store.families["ml_inference_total"].expose().samples)

    before = signal.signal(signal.SIGUSR1, handle)
    try:
        midway = Midway(monkeypatch, lambda: signal.raise_signal(signal.SIGUSR1))
        scrape_and_count(registry, call, midway)
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_finaliser_in_the_middle_of_a_fold(
    registry: CollectorRegistry, metrics: MLMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A `__del__` that records during a fold, run by the garbage collector, does not wait (pitfall 21)."""
    call, fail = metrics.track_inference(model="m")(lambda: None), failing(metrics)

    def collect() -> None:
        Finalised(fail)
        gc.collect()

    scrape_and_count(registry, call, Midway(monkeypatch, collect))


def test_collector_callback_in_the_middle_of_a_fold(
    registry: CollectorRegistry, metrics: MLMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A callback of the garbage collector that records during a fold does not wait (pitfall 21)."""
    call, fail = metrics.track_inference(model="m")(lambda: None), failing(metrics)
    wanted: list[bool] = []

    def callback(phase: str, _: dict[str, int]) -> None:
        if phase == "start" and wanted:
            wanted.pop()
            fail()

    def collect() -> None:
        wanted.append(True)
        gc.collect()

    gc.callbacks.append(callback)
    try:
        scrape_and_count(registry, call, Midway(monkeypatch, collect))
    finally:
        gc.callbacks.remove(callback)


def test_first_call_of_a_label_in_a_signal_handler(metrics: MLMetrics) -> None:
    """A handler that declares a new series interrupts one that is being declared, and neither is lost."""
    function = metrics.track_inference(model=arg("model"))(lambda model: model)

    def handle(number: int, frame: FrameType | None) -> None:
        function("handler")

    before = signal.signal(signal.SIGUSR1, handle)
    try:
        with metrics.store.declaring:
            signal.raise_signal(signal.SIGUSR1)
        function("program")
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert {"success": 1} == outcomes(metrics.registry, model="handler") == outcomes(metrics.registry, model="program")


def test_fold_that_fails_is_counted(
    registry: CollectorRegistry, metrics: MLMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fold that raises, as when memory runs out, reaches no caller; the numbers wait for the next one."""
    call = metrics.track_inference(model="m")(lambda: None)

    def full(*_: object, **__: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(Family, "cell", full)
        for _ in range(BOUND + 10):
            call()
    assert {"success": BOUND + 10} == outcomes(registry)
    assert errors(registry)["fold"] >= 1


def test_a_fold_is_never_waited_for(registry: CollectorRegistry, metrics: MLMetrics) -> None:
    """A caller at the bound goes on while another thread folds; a later one folds instead."""
    call = metrics.track_inference(model="m")(lambda: None)
    series: Any = next(each for each in metrics.store._foldables if hasattr(each, "started"))

    def work(_: int) -> None:
        for _ in range(2 * BOUND):
            call()

    waiting: list[int] = []

    def watch() -> None:
        in_threads(work, 1)
        waiting.append(len(series.succeeded))

    assert folding.hold(watch)
    assert [2 * BOUND] == waiting
    call()
    assert 0 == len(series.succeeded)
    assert {"success": 2 * BOUND + 1} == outcomes(registry)


def test_nobody_waits_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that folds and is asked to fold again does not wait for what it has itself (pitfall 21)."""
    done: list[bool] = []

    def never(_: float) -> None:
        raise AssertionError("it would wait for itself")

    def again() -> None:
        done.extend((folding.attempt(again), folding.hold(again)))

    monkeypatch.setattr(time, "sleep", never)
    assert folding.hold(again)
    assert [False, False] == done


FORK = """
import os, sys, threading, signal
from prometheus_client import CollectorRegistry
from mlmetrics import MLMetrics, arg
from mlmetrics.recording import cells, folding

signal.alarm(20)
registry = CollectorRegistry()
metrics = MLMetrics(service="s", registry=registry)
function = metrics.track_inference(model=arg("model"))(lambda model: model)

def successes(registry=registry):
    samples = (s for family in registry.collect() for s in family.samples)
    return sum(s.value for s in samples if s.name == "ml_inference_total" and s.labels["outcome"] == "success")

def check(expected, what):
    if successes() != expected:
        print(what, successes(), "instead of", expected)
        os._exit(1)

def running(expected, what, name="ml_inference_in_progress"):
    samples = (s for family in registry.collect() for s in family.samples)
    found = [s.value for s in samples if s.name == name]
    if sum(found) != expected or min(found) < 0:
        print(what, found, "instead of", expected)
        os._exit(1)

def waiting_threads():
    begun = threading.Semaphore(0)
    waiting = metrics.track_inference(model="waiting")(lambda: (begun.release(), threading.Event().wait()))
    for _ in range(5):
        threading.Thread(target=waiting, daemon=True).start()
        begun.acquire()

for _ in range(100):
    function("m")
"""
FORKS = {
    "with numbers appended": """
pid = os.fork()
for _ in range(50):
    function("m")
check(150, "child" if pid == 0 else "parent")
""",
    "while another thread folds": """
started, going_on = threading.Event(), threading.Event()
add = cells.HistogramCell.add
def slowly(cell, writes, batch):
    if threading.current_thread() is not threading.main_thread():
        started.set()
        going_on.wait()
    add(cell, writes, batch)
cells.HistogramCell.add = slowly
thread = threading.Thread(target=successes)
thread.start()
started.wait()
folding.WAIT_SECONDS = 0.2  # a fold that takes longer than a fork waits for it
pid = os.fork()
if pid:
    going_on.set()
    thread.join()
for _ in range(5000):
    function("m")
if pid:
    check(5100, "parent")
else:
    check(5100, "child")
""",
    "while another thread declares": """
held, done = threading.Event(), threading.Event()
def hold():
    with metrics.store.declaring:
        held.set()
        done.wait()
thread = threading.Thread(target=hold)
thread.start()
held.wait()
pid = os.fork()
done.set()
if pid == 0:
    function("new in the child")
    timer = metrics.inference_timer(model="timer")
    with timer, timer:
        pass
    check(103, "child")
else:
    thread.join()
    check(100, "parent")
""",
    "in the middle of a fold of one's own": """
add = cells.HistogramCell.add
pids = []
def forking(cell, writes, batch):
    if not pids:
        pids.append(-1)
        pids.append(os.fork())
    add(cell, writes, batch)
cells.HistogramCell.add = forking
successes()
pid = pids[1]
for _ in range(5000):
    function("m")
check(5100, "child" if pid == 0 else "parent")
""",
    "before the service is named": """
own = MLMetrics(registry=CollectorRegistry())
recorded = own.track_inference(model="m")(lambda: None)
pid = os.fork()
own.configure(service="named")
recorded()
for family in own.registry.collect():
    for sample in family.samples:
        if sample.name == "ml_inference_total" and sample.labels["service"] != "named":
            print(sample)
""",
    "while another thread registers": """
from mlmetrics.recording import collector
held, done = threading.Event(), threading.Event()
def hold():
    with collector._registering:
        held.set()
        done.wait()
thread = threading.Thread(target=hold)
thread.start()
held.wait()
pid = os.fork()
if pid == 0:
    MLMetrics(registry=CollectorRegistry()).track_inference(model="m")(len)("")
done.set()
check(100, "child" if pid == 0 else "parent")
""",
    "while calls of other threads run": """
from mlmetrics.http.requests import requests_of
waiting_threads()
method = requests_of(metrics.store, "s").method("GET")
for _ in range(5):
    method.begin(None)
pid = os.fork()
running(5 if pid else 0, "calls")
running(5 if pid else 0, "requests", "fastapi_requests_in_progress")
function("m")
running(5 if pid else 0, "calls after one more")
if pid == 0:
    method.begin(None)
    running(1, "requests after one more", "fastapi_requests_in_progress")
check(101, "child" if pid == 0 else "parent")
""",
    "while calls of other threads run, whose beginning is not folded yet": """
fold_all = metrics.store.fold_all
folding._forks.discard(metrics.store)
waiting_threads()
folding._forks.add(metrics.store)
before = folding.hold
folding.hold = lambda *_: False  # as when another thread folds for longer than a fork waits
pid = os.fork()
folding.hold = before
running(5 if pid else 0, "calls")
check(100, "child" if pid == 0 else "parent")
""",
    "within a call, which ends in both processes": """
pids = []
@metrics.track_inference(model="forking")
def forking():
    pids.append(os.fork())
    running(1 if pids[0] else 0, "the forking call")
forking()
pid = pids[0]
running(0, "calls afterwards")
with metrics.inference_timer(model="later"):
    running(1, "a later call")
running(0, "calls in the end")
check(102, "child" if pid == 0 else "parent")
""",
    "within a call, by multiprocessing": """
import multiprocessing
def work():
    running(0, "the call of the parent")
    function("m")
    running(0, "the child's own call")
    check(101, "child")
@metrics.track_inference(model="starting")
def start():
    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    process.join()
    running(1, "the starting call")
    if process.exitcode:
        os._exit(1)
start()
running(0, "calls in the end")
pid = os.fork()
""",
}


@pytest.mark.parametrize("when", FORKS)
def test_fork(when: str) -> None:
    """Parent and child go on after a fork, count each call once, and neither waits for a lock that nobody holds."""
    ending = """
if pid == 0:
    os._exit(0)
_, status = os.waitpid(pid, 0)
sys.exit(os.waitstatus_to_exitcode(status))
"""
    run_script("\n".join((FORK, FORKS[when], ending)))


def test_iterators_are_not_recorded_twice(registry: CollectorRegistry, metrics: MLMetrics) -> None:
    """A stream that ends in several ways at once, from several threads, has one outcome."""

    def numbers() -> Iterator[int]:
        yield from range(3)

    recorded = metrics.track_inference(model="m")(lambda: iter(numbers()))
    for _ in range(200):
        stream = recorded()
        next(stream)
        together = threading.Barrier(4)

        def end(number: int, stream: Any = stream, together: threading.Barrier = together) -> None:
            together.wait()
            try:
                stream.close() if number % 2 else list(stream)
            except ValueError as error:
                assert "already executing" in str(error)  # noqa: PT017 (one of several threads)

        in_threads(end, 4)
    assert 200 == sum(outcomes(registry).values())
    assert in_progress(registry) == 0
