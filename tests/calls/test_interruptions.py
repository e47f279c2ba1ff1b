"""A call has exactly one outcome when recording is interrupted by a signal, a full stack or an exit."""

# mypy: allow-untyped-calls
# A lambda has no types, and is often all that a test has to record.

import asyncio
import gc
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import structlog
from prometheus_client import CollectorRegistry

from mlmetrics import MLMetrics, PrometheusMiddleware, arg
from tests.recorded import absent, errors, in_progress, outcomes, value

ROOT = Path(__file__).parents[2]


class Interrupted(BaseException):
    """The exception of a signal handler, as of a soft time limit."""


class RingingClock:
    """A clock that sends a signal at its n-th reading."""

    def __init__(self, rings_at: int) -> None:
        self.rings_at = rings_at
        self.readings = 0

    def __call__(self) -> float:
        """Read it."""
        self.readings += 1
        if self.readings == self.rings_at:
            signal.raise_signal(signal.SIGALRM)
        return 0.0


@pytest.fixture
def raising_signal() -> Iterator[None]:
    """Let SIGALRM raise `Interrupted`."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise Interrupted

    before = signal.signal(signal.SIGALRM, interrupt)
    yield
    signal.signal(signal.SIGALRM, before)


async def coroutine(model: str) -> None:
    """Do nothing."""


def call_function(metrics: MLMetrics) -> None:
    """Call a recorded function."""
    metrics.track_inference(model="m")(lambda: None)()


def call_with_argument(metrics: MLMetrics) -> None:
    """Call a recorded function with a computed label."""
    metrics.track_inference(model=arg("model"))(lambda model: None)("m")


def call_coroutine(metrics: MLMetrics) -> None:
    """Await a recorded coroutine function."""
    asyncio.run(metrics.track_inference(model="m")(coroutine)("m"))


def call_generator(metrics: MLMetrics) -> None:
    """Exhaust a recorded generator."""

    def numbers() -> Iterator[int]:
        yield from range(3)

    list(metrics.track_inference(model="m")(numbers)())


def call_async_generator(metrics: MLMetrics) -> None:
    """Exhaust a recorded async generator."""

    async def numbers() -> AsyncIterator[int]:
        for number in range(3):
            yield number

    async def main() -> None:
        async for _ in metrics.track_inference(model="m")(numbers)():
            pass

    asyncio.run(main())


@pytest.mark.usefixtures("raising_signal")
@pytest.mark.parametrize("reading", range(1, 7))
@pytest.mark.parametrize(
    "run", [call_function, call_with_argument, call_coroutine, call_generator, call_async_generator]
)
def test_signal_that_raises_while_a_call_is_recorded(
    registry: CollectorRegistry, run: Callable[[MLMetrics], None], reading: int
) -> None:
    """Wherever a signal handler raises in a wrapper, a begun call has one outcome and does not stay in progress."""
    clock = RingingClock(reading)
    metrics = MLMetrics(service="s", registry=registry, clock=clock)
    interrupted = False
    try:
        run(metrics)
    except Interrupted:
        interrupted = True
    gc.collect()  # a stream that was interrupted while it recorded its end ends with its frame
    assert interrupted == (clock.readings >= reading)
    assert (0 if interrupted and reading == 1 else 1) == sum(outcomes(registry).values())
    assert in_progress(registry) == 0


@pytest.mark.parametrize("room", [400, 401])  # the stack is full in the function, or in the wrapper
@pytest.mark.parametrize("kind", ["function", "argument", "coroutine"])
def test_recursion_to_the_limit(registry: CollectorRegistry, kind: str, room: int) -> None:
    """A recorded function that calls itself until the stack is full leaves no call in progress."""
    metrics = MLMetrics(service="s", registry=registry)
    entered = []

    @metrics.track_inference(model="function")
    def function() -> None:
        entered.append(1)
        function()

    @metrics.track_inference(model=arg("model"))
    def argument(model: str = "argument") -> None:
        entered.append(1)
        argument(model)

    @metrics.track_inference(model="coroutine")
    async def coroutine() -> None:
        entered.append(1)
        await coroutine()

    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(room)
    try:
        with pytest.raises(RecursionError):  # noqa: PT012 (all of the block is what raises)
            if kind == "coroutine":
                coroutine().send(None)
            else:
                {"function": function, "argument": argument}[kind]()
    finally:
        sys.setrecursionlimit(limit)
    failures = outcomes(registry)
    assert {"failure"} == set(failures)
    assert len(entered) <= failures["failure"] <= len(entered) + 1
    assert in_progress(registry) == 0


@pytest.mark.parametrize("holder", ["kept", "sys.kept", "builtins.kept"])
@pytest.mark.parametrize("made", ["generator()", "iterator()", "future()", "asynchronous()"])
def test_streams_that_are_open_when_the_interpreter_ends(holder: str, made: str) -> None:
    """An interpreter that ends with open streams prints no warnings about them."""
    script = f"""
import builtins, sys
from concurrent.futures import Future
from prometheus_client import CollectorRegistry
from mlmetrics import MLMetrics
track = MLMetrics(service="s", registry=CollectorRegistry()).track_inference(model="m")

@track
def generator():
    yield 1
    yield 2

@track
def iterator():
    return map(int, "12")

@track
def future():
    return Future()

@track
async def asynchronous():
    yield 1
    yield 2

stream = {made}
if hasattr(stream, "__next__"):
    next(stream)
elif hasattr(stream, "__anext__"):
    try:
        stream.asend(None).send(None)
    except StopIteration:
        pass
{holder} = stream
del stream
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (0, "", "") == (done.returncode, done.stdout, done.stderr)


def test_base_exceptions_of_a_call(registry: CollectorRegistry) -> None:
    """`KeyboardInterrupt` and `SystemExit` from a call are failures of these types, and are raised on."""

    def leave(error: type[BaseException]) -> Any:
        raise error

    recorded = MLMetrics(service="s", registry=registry).track_inference(model="m")(leave)
    for error in (KeyboardInterrupt, SystemExit):
        with pytest.raises(error):
            recorded(error)
        assert 1 == value(registry, "ml_inference_errors_total", error_type=error.__name__)
    assert {"failure": 2} == outcomes(registry)


class TimeIsUpError(TimeoutError):
    """What an alarm raises, as time limits do: an `Exception`, which a guard could swallow."""


@pytest.fixture
def alarm() -> Iterator[Callable[..., Any]]:
    """Return something that rings, whatever it is called with; the handler raises `TimeIsUpError`."""

    def time_is_up(number: int, frame: FrameType | None) -> None:
        raise TimeIsUpError

    def ring(*_: object, **__: object) -> Any:
        signal.raise_signal(signal.SIGALRM)

    before = signal.signal(signal.SIGALRM, time_is_up)
    yield ring
    signal.signal(signal.SIGALRM, before)
    structlog.reset_defaults()


def ringing(ring: Callable[..., Any], method: str, kind: type = object, *args: Any) -> Any:
    """Return an object one of whose special methods rings."""
    return type("Ringing", (kind,), {method: ring})(*args)


def fail() -> None:
    """Fail as a call of the user's does."""
    raise ZeroDivisionError


def with_processor(ring: Callable[..., Any]) -> None:
    """Configure structlog with a processor that rings."""
    structlog.configure(processors=[ring])


def record_with_accuracy(metrics: MLMetrics, ring: Callable[..., Any]) -> None:
    """Record a parsing whose accuracy is read while it rings."""
    metrics.track_parsing(doc_type="d", accuracy=ring)(lambda: None)()


def record_with_accuracy_error(metrics: MLMetrics, ring: Callable[..., Any]) -> None:
    """Record a parsing whose accuracy cannot be read, and it rings while the error says why."""

    def read(_: object) -> Any:
        raise ringing(ring, "__str__", ValueError)

    metrics.track_parsing(doc_type="d", accuracy=read)(lambda: None)()


def record_with_size(metrics: MLMetrics, ring: Callable[..., Any]) -> None:
    """Record a parsing whose argument is measured while it rings."""
    metrics.track_parsing(doc_type="d", size=ring)(lambda content: None)(b"")


def record_with_usage(metrics: MLMetrics, ring: Callable[..., Any]) -> None:
    """Record an inference whose tokens are read while it rings."""
    metrics.track_inference(model="m", usage=ring)(lambda: None)()


def record_with_token_number(metrics: MLMetrics, ring: Callable[..., Any]) -> None:
    """Record an inference with a number of tokens that rings when it is asked for its value."""
    metrics.track_inference(model="m", usage=lambda _: {"input": ringing(ring, "__float__")})(lambda: None)()


def record_with_computed_label(metrics: MLMetrics, ring: Callable[..., Any]) -> None:
    """Record an inference whose label is computed while it rings."""
    metrics.track_inference(model=ring)(lambda: None)()


def record_with_label_text(metrics: MLMetrics, ring: Callable[..., Any]) -> None:
    """Record an inference whose label rings when it is asked for its text."""
    metrics.track_inference(model=arg("model"))(lambda model: None)(ringing(ring, "__format__", int, 1))


def record_with_label_hash(metrics: MLMetrics, ring: Callable[..., Any]) -> None:
    """Record an inference whose label rings when it is looked up."""
    metrics.track_inference(model=arg("model"))(lambda model: None)(ringing(ring, "__hash__", str, "m"))


def record_with_two_label_hashes(metrics: MLMetrics, ring: Callable[..., Any]) -> None:
    """Record an inference of two labels, one of which rings when the series is looked up."""
    function = metrics.track_inference(model=arg("model"), operation=arg("operation"))(lambda model, operation: None)
    function("m", ringing(ring, "__hash__", str, "o"))


def time_with_label_hash(metrics: MLMetrics, ring: Callable[..., Any]) -> None:
    """Make a timer whose label rings when it is looked up."""
    with metrics.inference_timer(model=ringing(ring, "__hash__", str, "m")):
        pass


def track_with_truth(metrics: MLMetrics, ring: Callable[..., Any]) -> None:
    """Record a finished inference whose success rings when it is asked."""
    metrics.track_ml_inference("m", "s", 1.0, ringing(ring, "__bool__"))


def fail_with_processor(metrics: MLMetrics, ring: Callable[..., Any]) -> None:
    """Record a failure whose log event rings in a processor of the user's."""
    with_processor(ring)
    metrics.track_inference(model="m")(fail)()


def be_slow_with_processor(metrics: MLMetrics, ring: Callable[..., Any]) -> None:
    """Record a slow inference whose log event rings in a processor of the user's."""
    with_processor(ring)
    metrics.configure(slow_seconds=1e-9)
    metrics.track_inference(model="m")(lambda: None)()


def record_wrong_score_with_processor(metrics: MLMetrics, ring: Callable[..., Any]) -> None:
    """Record a score that is none, which is logged once, and rings in a processor of the user's."""
    with_processor(ring)
    metrics.track_parsing(doc_type="d", accuracy=lambda _: 7.0)(lambda: None)()


def return_future_that_rings(metrics: MLMetrics, ring: Callable[..., Any]) -> None:
    """Return a future that rings when it is asked whether it is done."""
    kind = type("Ringing", (Future,), {"done": ring})
    metrics.track_inference(model="m")(lambda: kind())()  # noqa: PLW0108 (a class itself cannot be decorated)


def return_done_future_with_usage(metrics: MLMetrics, ring: Callable[..., Any]) -> None:
    """Return a future that is done, and ring while its usage is read."""
    future: Future[str] = Future()
    future.set_result("answer")
    metrics.track_inference(model="m", usage=ring)(lambda: future)()


def record_while_tracing_rings(metrics: MLMetrics, ring: Callable[..., Any]) -> None:
    """Record a first call, at which a tracer provider is looked for."""
    sys.modules["opentelemetry.trace"] = ringing(lambda _, name: ring, "__getattr__")
    metrics.track_inference(model="m")(lambda: None)()


# The operation, and its outcomes; None where the labels were not read, so that no series was made.
INTERRUPTED: dict[Callable[[MLMetrics, Callable[..., Any]], None], tuple[str, dict[str, float] | None]] = {
    record_with_accuracy: ("parsing", {"success": 1}),
    record_with_accuracy_error: ("parsing", {"success": 1}),
    record_with_size: ("parsing", {}),
    record_with_usage: ("inference", {"success": 1}),
    record_with_token_number: ("inference", {"success": 1}),
    record_with_computed_label: ("inference", None),
    record_with_label_text: ("inference", None),
    record_with_label_hash: ("inference", None),
    record_with_two_label_hashes: ("inference", None),
    time_with_label_hash: ("inference", None),
    track_with_truth: ("inference", {}),
    fail_with_processor: ("inference", {"failure": 1}),
    be_slow_with_processor: ("inference", {"success": 1}),
    record_wrong_score_with_processor: ("parsing", {"success": 1}),
    return_done_future_with_usage: ("inference", {"failure": 1}),
    return_future_that_rings: ("inference", {"failure": 1}),
    record_while_tracing_rings: ("inference", {"success": 1}),
}


@pytest.mark.parametrize("record", INTERRUPTED, ids=lambda record: record.__name__)
def test_alarm_while_a_guard_is_open(
    registry: CollectorRegistry,
    alarm: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    record: Callable[[MLMetrics, Callable[..., Any]], None],
) -> None:
    """A handler that raises while the user's code runs for us reaches the caller, and the call has its one outcome."""
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", sys.modules.get("opentelemetry.trace"))
    metrics = MLMetrics(service="s", registry=registry)
    with pytest.raises(TimeIsUpError) as caught:
        record(metrics, alarm)
    assert "time_is_up" == caught.traceback[-1].name
    monkeypatch.undo()
    operation, expected = INTERRUPTED[record]
    if expected is None:
        assert absent(registry, f"ml_{operation}_total")
        assert absent(registry, f"ml_{operation}_in_progress")
    else:
        assert expected == outcomes(registry, operation)
        assert 0 == in_progress(registry, operation)
    counted = {"accuracy"} if record is record_with_accuracy_error else set()
    counted |= {"score"} if record is record_wrong_score_with_processor else set()
    assert counted == set(errors(registry))


@pytest.mark.parametrize("where", ["headers", "status", "log"])
async def test_alarm_while_a_request_is_recorded(
    registry: CollectorRegistry, alarm: Callable[..., Any], where: str
) -> None:
    """The exception of a handler in the middleware reaches the server, and no request stays in progress."""
    statuses = {"status": ringing(alarm, "__int__"), "log": 500}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": statuses.get(where, 200), "headers": []})
        await send({"type": "http.response.body"})

    def headers() -> Iterator[tuple[bytes, bytes]]:
        yield from alarm()

    if where == "log":
        with_processor(alarm)
    middleware = PrometheusMiddleware(app, "s", registry)
    scope: dict[str, Any] = {"type": "http", "method": "GET", "path": "/x", "headers": []}
    if where == "headers":
        scope["headers"] = headers()

    async def answer(message: Any) -> None:
        """Take it."""

    with pytest.raises(TimeIsUpError):
        await middleware(scope, answer, answer)
    assert 0 == value(registry, "fastapi_requests_in_progress")
    assert {} == errors(registry)


ALARMS = """
import logging, os, signal, sys
from prometheus_client import CollectorRegistry
from mlmetrics import MLMetrics
from mlmetrics.exposition.text import render
from mlmetrics.recording import folding
from tests.recorded import errors, in_progress, outcomes, value

ALARMS = 1500
logging.getLogger("mlmetrics").addHandler(logging.NullHandler())
logging.getLogger("mlmetrics").propagate = False
registry = CollectorRegistry()
rung = reached = entered = left = returned = without_entry = without_return = 0

class TimeIsUpError(Exception):
    pass

def time_is_up(number, frame):
    global rung
    rung += 1
    raise TimeIsUpError

@MLMetrics(service="s", registry=registry).track_inference(model="m")
def function():
    global entered, left
    entered += 1
    left += 1

signal.signal(signal.SIGALRM, time_is_up)
while rung < ALARMS:
    entered_before, left_before = entered, left
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.0007)
        while True:
            entered_before, left_before = entered, left
            function()
            returned += 1
    except TimeIsUpError:
        reached += 1
        # Broken into before the function was entered, or after it was left: a call or none, a success or not.
        without_entry += entered == entered_before
        without_return += left > left_before

def expect(what, lowest, found, highest):
    if not lowest <= found <= highest:
        print(what, "is", found, "and not in", lowest, highest)

expect("rung", reached, rung, reached)
folding.WAIT_SECONDS = 0  # nobody else folds: nothing is waited for
counts = outcomes(registry)
ended = sum(counts.values())
expect("ended", entered, ended, entered + without_entry)
expect("successes", returned, counts["success"], returned + without_return)
expect("timed", ended, value(registry, "ml_inference_duration_seconds_count"), ended)
expect("errors", counts["failure"], value(registry, "ml_inference_errors_total"), counts["failure"])
expect("in progress", 0, in_progress(registry), 0)
expect("mistakes", 0, len(errors(registry)), 0)
for _ in range(20_000):
    function()
expect("further calls", ended + 20_000, sum(outcomes(registry).values()), ended + 20_000)
lines = render(registry).decode().splitlines()
expect("samples", 1, sum(line.startswith("ml_inference_total") and "success" in line for line in lines), 1)
function()
pid = os.fork()
expect("after the fork", ended + 20_001, sum(outcomes(registry).values()), ended + 20_001)
if pid == 0:
    os._exit(0)
os.waitpid(pid, 0)
"""


def test_alarms_in_a_loop_of_calls() -> None:
    """Each of 1,500 alarms in a loop of calls and folds reaches the loop, and every call is counted once."""
    done = subprocess.run([sys.executable, "-c", ALARMS], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (0, "", "") == (done.returncode, done.stdout, done.stderr)
