"""A program that uses every public name while mlmetrics is switched off; run by `test_switch` with the variable set."""


# mypy: allow-untyped-calls

import asyncio
import inspect
import logging
import os
import pickle
import sys
import tempfile
import threading
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
import openai
import structlog
from fastapi import FastAPI
from prometheus_client import REGISTRY, CollectorRegistry, Counter, generate_latest
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]  # it has no types

import mlmetrics
from mlmetrics.workers.directory import VARIABLE

THEIRS = Counter("theirs", "A counter of the program's own.")
LOGGED: list[Any] = []
Case = Callable[[], object]


def refused(work: Case) -> bool:
    """Return whether a declaration is refused, as it is when mlmetrics is on."""
    try:
        work()
    except mlmetrics.MLMetricsError:
        return True
    return False


def decorator(decorate: Any, **wrong: Any) -> Case:
    """Return the case of a decorator: every kind of target is returned itself, and wrong arguments are refused."""

    def function(value: int = 1) -> int:
        return value

    async def coroutine() -> int:
        return 1

    def generator() -> Any:
        yield 1

    async def async_generator() -> Any:
        yield 1

    def case() -> None:
        targets: list[Any] = [function, coroutine, generator, async_generator, partial(function, 2), Callable_()]
        for target in (*targets, classmethod(function), staticmethod(function)):  # type: ignore[arg-type]  # any function
            assert decorate(target) is target, target
            assert decorate()(target) is target, target
        assert refused(lambda: decorate(**wrong)(function))
        assert refused(lambda: decorate(3))

    return case


class Callable_:  # noqa: N801 (the name without it is taken)
    """An object that can be called."""

    def __call__(self) -> int:
        """Return 1."""
        return 1


def say_all(call: Any) -> None:
    """Say everything that can be said of a call, right and wrong."""
    for _ in range(2):
        call.tokens(input=3, output=4)
        call.tokens(output=-1, unknown=2)
        call.cost(0.5)
        call.cost("much")
        call.score(0.5)
        call.score(7)
        call.predicted("spam")
        call.predicted(iter("ab"))
        call.size(2000)
        call.size(2000, file_type="pdf")
        call.batch(8)
        call.queued(1)
        call.first_chunk()
        call.cached(hit=True)
        call.fell_back("small")
        call.blocked("pii")
        call.finish_reason("stop")
        call.label(model="other", no_label=3)
        with call.waiting():
            pass
    call.fail("quota")
    call.cancel()
    assert isinstance(call.duration, float)


def timer(make: Any) -> Case:
    """Return the case of a timer, in a block of either kind and as a decorator."""

    async def block() -> None:
        async with make() as call:
            say_all(call)

    def function() -> int:
        return 1

    def case() -> None:
        shared = make()
        assert shared(function) is function
        for _ in range(3000):
            with shared as call:
                call.tokens(input=3, output=4)
                call.score(0.5)
        for _ in range(3):
            with make() as call:
                say_all(call)
            assert call.duration > 0
        raised = TimeoutError()
        try:
            with make() as call, shared:
                raise raised
        except TimeoutError as error:
            assert error is raised  # noqa: PT017 (no pytest here)
        asyncio.run(block())

    return case


def waiting() -> dict[str, int]:
    """Return how many hooks wait for the import of each module."""
    importer: Any = import_module("wrapt.importer")
    return {name: len(hooks) for name, hooks in importer._post_import_hooks.items()}


def instrument(function: Any) -> Case:
    """Return the case of an instrument: it returns a handle, and nothing is replaced or waits for an import."""

    def case() -> None:
        before = waiting()
        with function() as handle:
            assert isinstance(handle, mlmetrics.Instrumentation)
            assert not handle._undo
        handle.uninstrument()
        assert before == waiting()

    return case


def openai_as_it_was() -> None:
    """Instrument an SDK: its functions stay the objects that they are."""
    completions = openai.resources.chat.completions.Completions
    create = completions.create
    instrument(mlmetrics.instrument_openai)()
    assert completions.create is create


def watched_as_it_was() -> None:
    """Watch a model: it stays the object that it is, and so does its class."""
    model = LogisticRegression()
    before = vars(model).copy(), type(model), LogisticRegression.predict
    instrument(partial(mlmetrics.watch, model))()
    assert before == (vars(model), type(model), LogisticRegression.predict)
    assert refused(lambda: mlmetrics.watch(3))


def requests(app: Any, *paths: str) -> list[httpx.Response]:
    """Return the answers of an application."""

    async def ask() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            return [await client.get(path, headers={"X-Request-ID": "theirs"}) for path in paths]

    return asyncio.run(ask())


def is_page(answer: httpx.Response) -> bool:
    """Whether an answer has what the registry holds, which is nothing of ours."""
    return answer.status_code == 200 and "theirs_total" in answer.text and "ml" not in answer.text


def served() -> None:
    """Serve an instrumented application: it answers as before, and its page of metrics is there."""
    app = FastAPI()

    @app.get("/")
    async def read() -> str:
        return "read"

    @app.get("/broken")
    async def broken() -> str:
        raise TimeoutError

    mlmetrics.instrument(app, service_name="s")
    found, failed, missing, page = requests(app, "/", "/broken", "/missing", "/metrics")
    assert [200, 500, 404] == [each.status_code for each in (found, failed, missing)]
    assert "x-request-id" not in found.headers
    assert is_page(page)
    assert refused(lambda: mlmetrics.instrument(FastAPI(), service_name=""))
    assert refused(lambda: mlmetrics.instrument(3))


def passed_through() -> None:
    """Put the middleware around an application: it hands over what it was given, and adds nothing."""
    seen = []

    async def app(*given: Any) -> None:
        seen.append(given)

    middleware = mlmetrics.PrometheusMiddleware(app, service_name="s")
    scope: dict[str, Any] = {"type": "http", "path": "/", "method": "GET", "headers": []}
    given = scope, passed_through, say_all
    asyncio.run(middleware(*given))
    assert len(seen) == 1
    assert all(each is other for each, other in zip(seen[0], given, strict=True))
    assert sorted(scope) == ["headers", "method", "path", "type"]
    assert isinstance(middleware, mlmetrics.PrometheusMiddleware)
    assert refused(lambda: mlmetrics.PrometheusMiddleware(app, service_name=""))


def labelled() -> None:
    """Label requests by a header: nothing is read from them, and declarations are checked."""
    read: list[Any] = []
    app = FastAPI()
    app.get("/")(lambda: "read")
    registry = CollectorRegistry()

    def plan(scope: Any) -> str:
        read.append(scope)
        return "free"

    mlmetrics.instrument(app, registry=registry, labels={"tenant": mlmetrics.header("x-tenant"), "plan": plan})
    assert requests(app, "/")[0].status_code == 200
    assert not read
    assert refused(lambda: mlmetrics.header("x tenant"))
    assert refused(lambda: mlmetrics.instrument(FastAPI(), labels={"le": "x"}))
    assert refused(lambda: mlmetrics.instrument(FastAPI(), registry=registry, labels={"region": "eu"}))


def endpoint() -> None:
    """Answer in a route of the program's own, with what the registry holds."""
    answer = asyncio.run(mlmetrics.metrics_endpoint())
    assert answer.status_code == 200
    assert b"theirs_total" in answer.body


def server() -> None:
    """Start the server: it answers, because a scrape that fails looks like a service that is down."""
    with mlmetrics.start_metrics_server(0) as running:
        answer = httpx.get(f"http://127.0.0.1:{running.port}/metrics")
    assert is_page(answer)


def lifespan() -> None:
    """Run the lifespan: it yields, and does nothing else."""

    async def run() -> None:
        async with mlmetrics.lifespan(None):
            pass

    asyncio.run(run())


def job() -> None:
    """Run a batch job: it pushes nothing; nobody listens there, and nothing fails."""

    def function() -> int:
        return 1

    made = mlmetrics.batch_job("nightly", push_to="127.0.0.1:9", raise_on_error=True, delete_at_exit=True)
    assert made(function) is function
    with made as run:
        run.item()
        run.items(-3)
        run.fail("late")
        run.label(batch_job="weekly")
    assert isinstance(run, mlmetrics.JobRun)
    assert refused(lambda: mlmetrics.batch_job(""))
    assert refused(lambda: mlmetrics.batch_job("nightly", retries=3))


def pushed() -> None:
    """Push nothing."""
    assert mlmetrics.push_metrics("127.0.0.1:9", "job", raise_on_error=True)
    assert refused(lambda: mlmetrics.push_metrics("127.0.0.1:9", ""))


def own_metric(make: Any, kind: type, *verbs: str) -> Case:
    """Return the case of a metric of the program's own."""

    def function() -> int:
        return 1

    def case() -> None:
        plain, labelled = make(f"{kind.__name__.lower()}_plain", "A plain one."), None
        labelled = make(f"{kind.__name__.lower()}_labelled", "One with labels.", labelnames=("country",))
        assert isinstance(plain, kind)
        for each in (plain, labelled.labels(country="fr"), labelled.labels("de"), labelled.labels(1, 2), labelled):
            for verb in verbs:
                method = getattr(each, verb)
                if verb in {"time", "track_inprogress", "count_exceptions"}:
                    with method():
                        pass
                    assert method()(function) is function
                else:
                    for number in (2, -1, "many"):
                        method(number)
        assert refused(lambda: make("No name", "With a space."))
        assert refused(lambda: make("theirs_total" if kind is mlmetrics.Counter else "theirs", "Taken by the program."))

    return case


def own_operation() -> None:
    """Use an operation of the program's own."""
    made = mlmetrics.operation("retrieval", labelnames=("index",), score=True)
    assert isinstance(made, mlmetrics.OwnOperation)
    decorator(made.track, no_label="x")()
    timer(made.timer)()
    made.record(1.0, index="docs")
    made.record(-1.0, success=False)
    made.record_score(0.5, index="docs")
    made.record_score(7)
    assert refused(lambda: mlmetrics.operation("retrieval", labelnames=("other",)))
    assert refused(lambda: mlmetrics.operation("No name"))
    assert refused(lambda: made.timer(no_label="x"))


def toolkit() -> None:
    """Make a toolkit, and send it to another process and back."""
    metrics = mlmetrics.MLMetrics(service="s")
    assert pickle.loads(pickle.dumps(metrics)).service == "s"  # noqa: S301 (our own)
    assert refused(lambda: mlmetrics.MLMetrics(service=""))
    assert refused(lambda: mlmetrics.MLMetrics(slow_seconds=-1))


def configured() -> None:
    """Configure: the options are checked."""
    mlmetrics.configure(service="s", slow_seconds=1, max_label_values=3, buckets={"ml_inference_duration_seconds": [1]})
    mlmetrics.configure(prices={"m": {"input": 1, "output": 2}}, log_interval_seconds=0)
    assert refused(lambda: mlmetrics.configure(slow_seconds=-1))
    assert refused(lambda: mlmetrics.configure(buckets={"ml_inference_duration_seconds": [2, 1]}))


def outside() -> None:
    """Ask for the current call: there is none, and nothing of that is counted."""

    @mlmetrics.track_inference
    def ask() -> mlmetrics.Call:
        call = mlmetrics.current_call()
        say_all(call)
        return call

    assert isinstance(ask(), mlmetrics.Call)


def loading() -> None:
    """Load a model as ever."""
    with mlmetrics.model_load_timer("m", version="1") as load:
        pass
    assert load(baseline) is baseline
    assert load.duration >= 0


def baseline() -> None:
    """Render for Prometheus, which records nothing, as ever."""
    with tempfile.TemporaryDirectory() as folder:
        path = mlmetrics.export_baseline([0.5] * 10, Path(folder, "b.yml"), labels={"service": "s", "matcher": "m"})
        assert path.exists()


def is_class(name: str) -> Case:
    """Return the case of a class that other cases use."""

    def case() -> None:
        assert inspect.isclass(getattr(mlmetrics, name))

    return case


def direct(function: Any, *arguments: Any) -> Case:
    """Return the case of a direct function."""

    def case() -> None:
        for _ in range(3):
            assert function(*arguments) is None
        assert function(*(None for _ in arguments)) is None

    return case


USED_BY_OTHERS = (
    *(
        "BoundCall",
        "Call",
        "ConfigurationError",
        "Counter",
        "DeclarationError",
        "Gauge",
        "Histogram",
        "Instrumentation",
    ),
    *("JobRun", "MLMetricsError", "MissingExtraError", "OwnOperation", "RegistrationError"),
)


def cases() -> dict[str, Case]:
    """Return a case for every public name."""
    return {
        "__version__": lambda: mlmetrics.__version__,
        **{name: is_class(name) for name in USED_BY_OTHERS},
        "MLMetrics": toolkit,
        "PrometheusMiddleware": passed_through,
        "agent_timer": timer(mlmetrics.agent_timer),
        "arg": lambda: refused(lambda: mlmetrics.track_inference(model=mlmetrics.arg("none"))(toolkit)) or 1 / 0,
        "batch_job": job,
        "configure": configured,
        "counter": own_metric(mlmetrics.counter, mlmetrics.Counter, "inc", "count_exceptions"),
        "current_call": outside,
        "export_baseline": baseline,
        "gauge": own_metric(mlmetrics.gauge, mlmetrics.Gauge, "inc", "dec", "set", "time", "track_inprogress"),
        "header": labelled,
        "histogram": own_metric(mlmetrics.histogram, mlmetrics.Histogram, "observe", "time"),
        "inference_timer": timer(mlmetrics.inference_timer),
        "instrument": served,
        **{name: instrument(getattr(mlmetrics, name)) for name in mlmetrics.__all__ if name.startswith("instrument_")},
        "instrument_openai": openai_as_it_was,
        "lifespan": lifespan,
        "matching_timer": timer(mlmetrics.matching_timer),
        "metrics_app": lambda: is_page(requests(mlmetrics.metrics_app(), "/")[0]) or 1 / 0,
        "metrics_endpoint": endpoint,
        "model_load_timer": loading,
        "operation": own_operation,
        "parsing_timer": timer(mlmetrics.parsing_timer),
        "push_metrics": pushed,
        "start_metrics_server": server,
        "tool_timer": timer(mlmetrics.tool_timer),
        "track_agent": decorator(mlmetrics.track_agent, agent=""),
        "track_feedback": direct(partial(mlmetrics.track_feedback, good=True), "m"),
        "track_file_processing": direct(mlmetrics.track_file_processing, "pdf", "s", 2000),
        "track_inference": decorator(mlmetrics.track_inference, model=""),
        "track_matching": decorator(mlmetrics.track_matching, matcher=""),
        "track_matching_score": direct(mlmetrics.track_matching_score, "m", 0.5),
        "track_ml_inference": direct(mlmetrics.track_ml_inference, "m", "s", 1.0),
        "track_model_load": direct(mlmetrics.track_model_load, "m", 1.0),
        "track_parsing": decorator(mlmetrics.track_parsing, size=3),
        "track_parsing_accuracy": direct(mlmetrics.track_parsing_accuracy, "p", "pdf", 0.5),
        "track_prediction": direct(mlmetrics.track_prediction, "m", "spam"),
        "track_prediction_error": direct(mlmetrics.track_prediction_error, "m", 2.5),
        "track_tool": decorator(mlmetrics.track_tool, tool=""),
        "watch": watched_as_it_was,
    }


def main() -> None:
    """Run every case, or the one that is named; then look for what nothing may have left behind."""
    logging.basicConfig(level=logging.DEBUG, handlers=[handler := logging.Handler()])
    handler.emit = LOGGED.append  # type: ignore[method-assign, assignment]  # a handler that keeps what it gets
    structlog.configure()
    found = cases()
    missing = sorted(set(mlmetrics.__all__) - set(found))
    assert not missing, f"no case for {missing}"
    for name, case in found.items():
        sys.stdout.write(f"{name}\n")
        case()
    page = generate_latest(REGISTRY).decode()
    assert "ml_" not in page, page
    assert "mlmetrics_" not in page, page
    assert not [record for record in LOGGED if record.name.startswith("mlmetrics")]
    threads = {thread.name for thread in threading.enumerate() if "mlmetrics" in thread.name}
    assert threads <= {"mlmetrics-scrape"}, threads
    directory = os.environ.get(VARIABLE)
    assert directory is None or not list(Path(directory).glob("*-ml.*"))
    sys.stdout.write("all\n")


if __name__ == "__main__":
    main()
