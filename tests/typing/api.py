"""What type checkers must say about the public API: read by mypy and pyright, never run.

An ignore here is an expectation: both checkers report those that they do not need, so a
wrong use that came to be accepted is an error too.
"""

import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from functools import partial
from pathlib import Path
from typing import assert_type, overload

from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp

from mlmetrics import (
    Call,
    Counter,
    Gauge,
    Histogram,
    Instrumentation,
    JobRun,
    MLMetrics,
    OwnOperation,
    PrometheusMiddleware,
    agent_timer,
    arg,
    batch_job,
    configure,
    counter,
    gauge,
    header,
    histogram,
    inference_timer,
    instrument,
    instrument_opentelemetry,
    instrument_sentence_transformers,
    instrument_tenacity,
    instrument_transformers,
    matching_timer,
    metrics_app,
    model_load_timer,
    operation,
    parsing_timer,
    push_metrics,
    start_metrics_server,
    tool_timer,
    track_agent,
    track_feedback,
    track_file_processing,
    track_inference,
    track_matching,
    track_matching_score,
    track_ml_inference,
    track_parsing,
    track_parsing_accuracy,
    track_prediction,
    track_prediction_error,
    track_tool,
    watch,
)

# Functions of every kind keep their signature.


@track_inference(model="gpt-4")
def function(text: str, *, limit: int = 3) -> list[str]:
    return [text] * limit


@track_inference
def bare(text: str) -> str:
    return text


@track_parsing(doc_type=arg("kind"), accuracy="confidence", size=len)
async def coroutine(content: bytes, kind: str) -> float:
    return float(len(content) + len(kind))


@track_inference(model="gpt-4", operation="chat")
def generator(text: str) -> Generator[str, int, bool]:
    yield text
    return True


@track_inference(model="gpt-4")
def iterator(text: str) -> Iterator[str]:
    yield text


@track_inference(model="gpt-4")
async def async_generator(text: str) -> AsyncGenerator[str, int]:
    yield text


@track_inference(model="gpt-4")
async def async_iterator(text: str) -> AsyncIterator[str]:
    yield text


@track_matching(matcher="tfidf", score=lambda result: result)
def matching(left: str, right: str) -> float:
    return float(left == right)


@track_inference(model="spam-filter", score="confidence", predicted_class=lambda result: result["label"])
def classifying(text: str) -> dict[str, str | float]:
    return {"label": text, "confidence": 0.5}


@overload
def overloaded(value: str) -> str: ...
@overload
def overloaded(value: bytes) -> bytes: ...
@track_inference(model="gpt-4")
def overloaded(value: str | bytes) -> str | bytes:
    return value


@overload
def narrow(value: str) -> str: ...
@overload
def narrow(value: bytes) -> bytes: ...
def narrow(value: str | bytes) -> str | bytes:
    return value


narrow_tracked = track_inference(model="gpt-4")(narrow)
bound_tracked = track_inference(model="gpt-4")(partial(function, limit=1))


class Model:
    """A model whose methods are tracked."""

    @track_inference(model="gpt-4")
    def method(self, text: str) -> str:
        """Return `text`."""
        return text

    @track_inference(model=lambda call: "gpt-4")
    async def async_method(self, text: str) -> str:
        """Return `text`."""
        return text

    @classmethod
    @track_inference(model="gpt-4")
    def class_method(cls, text: str) -> str:
        """Return `text`."""
        return text

    @staticmethod
    @track_inference(model="gpt-4")
    def static_method(text: str) -> str:
        """Return `text`."""
        return text

    @track_inference(model="gpt-4")
    @classmethod
    def class_method_beneath(cls, text: str) -> str:
        """Return `text`."""
        return text

    @track_inference(model="gpt-4")
    @staticmethod
    def static_method_beneath(text: str) -> str:
        """Return `text`."""
        return text


assert_type(function("a", limit=2), list[str])
assert_type(bare("a"), str)
assert_type(generator("a"), Generator[str, int, bool])
assert_type(iterator("a"), Iterator[str])
assert_type(async_generator("a"), AsyncGenerator[str, int])
assert_type(async_iterator("a"), AsyncIterator[str])
assert_type(matching("a", "b"), float)
assert_type(classifying("a"), dict[str, str | float])
assert_type(overloaded("a"), str)
assert_type(overloaded(b"a"), bytes)
assert_type(narrow_tracked("a"), str)
assert_type(narrow_tracked(b"a"), bytes)
assert_type(bound_tracked("a"), list[str])
assert_type(Model().method("a"), str)
assert_type(Model.class_method("a"), str)
assert_type(Model.static_method("a"), str)
assert_type(Model.class_method_beneath("a"), str)
assert_type(Model.static_method_beneath("a"), str)

callback: Callable[[str], str] = bare


async def awaited() -> None:
    assert_type(await coroutine(b"a", kind="pdf"), float)
    assert_type(await Model().async_method("a"), str)


function(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
function("a", 2)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
function("a", limits=2)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
narrow_tracked(1)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
Model().method(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

# Declarations: labels are text, a parameter's name, or computed.

track_inference(model=4)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
track_inference(score=0.5)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
track_inference(modle="gpt-4")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
arg(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


@track_tool(tool="search", failure=lambda result: None if result else "nothing")
def searching(query: str) -> list[str]:
    return [query]


@track_agent
async def planning(task: str) -> str:
    return task


assert_type(searching("to be"), list[str])
searching(query=3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
track_tool(score=0.5)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]

# Timers are context managers of both kinds, and yield a call.

with inference_timer(model="gpt-4") as call:
    assert_type(call, Call)
    assert_type(call.duration, float)
    call.tokens(input=120, output=48)
    call.predicted(["invoice", "letter"])
    call.fail("quota")
    call.fail(4)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    call.cached(hit=True)
    assert_type(call.label(model="gpt-4-turbo", operation="chat"), None)
    call.label(model=4)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    call.fell_back("claude-haiku")
    call.blocked("pii")
    call.finish_reason("stop")
    call.finish_reason(None)
    with call.waiting() as nothing:
        assert_type(nothing, None)
    call.blocked(3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    call.tokens(input="many")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

with parsing_timer(doc_type="pdf") as call:
    call.score(0.93)
    call.size(2048)


# A timer is a decorator as well, which keeps the type of what it decorates.


@inference_timer(model="gpt-4")
def answered(prompt: str) -> int:
    return len(prompt)


@parsing_timer(doc_type="pdf")
async def parsed_later(prompt: str) -> int:
    return len(prompt)


@model_load_timer("bge-small")
def loaded(path: str) -> bytes:
    return path.encode()


assert_type(answered("to be"), int)
assert_type(loaded("model"), bytes)
answered(3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
inference_timer(model="gpt-4")(3)  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]


async def timed() -> None:
    assert_type(await parsed_later("to be"), int)
    async with inference_timer() as call:
        assert_type(call, Call)
        call.first_chunk()
    async with matching_timer(matcher="tfidf") as call:
        call.score(0.5)
    async with agent_timer(agent="planner") as call, call.waiting():
        call.fail("lost")
    async with model_load_timer("bge-small", version="1") as load:
        assert_type(load.duration, float)


with tool_timer(tool="search") as call:
    call.fail("nothing found")
with model_load_timer("bge-small") as load:
    pass
with model_load_timer("bge-small", 1):  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    pass


# Direct functions take what the first users pass.

track_ml_inference("gpt-4", "mon-service", 0.2, success=True)
track_parsing_accuracy("document", "pdf", 0.93)
track_matching_score("tfidf", 0.4)
track_file_processing("pdf", "mon-service", 2048)
track_prediction("spam-filter", 3)
track_feedback("spam-filter", good=False)
track_prediction_error("arrival-time", 2.5, service="mon-service")
track_feedback("spam-filter", good="bad")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
track_ml_inference("gpt-4", "mon-service")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
track_parsing_accuracy("document", "pdf", "high")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

# An operation of one's own: its decorator keeps signatures, its labels are keywords.

retrieval = operation("retrieval", labelnames=("index", "region"), score=True, subject="region", buckets=(0.1, 1))
assert_type(retrieval, OwnOperation)
assert_type(retrieval.labelnames, tuple[str, ...])


@retrieval.track
def found(query: str, *, limit: int = 3) -> list[str]:
    return [query] * limit


@retrieval.track(index="docs", region=arg("region"), score="relevance", service="mon-service", stream=False)
async def found_later(query: str, region: str) -> float:
    return float(query == region)


@retrieval.track(index=lambda call: "docs", score=lambda result: 0.5)
def found_each(query: str) -> Generator[str, int, bool]:
    yield query
    return True


class Store:
    """A store whose methods are tracked."""

    @retrieval.track(index="docs")
    @classmethod
    def find(cls, query: str) -> str:
        """Return `query`."""
        return query


assert_type(found("a", limit=2), list[str])
assert_type(found_each("a"), Generator[str, int, bool])
assert_type(Store.find("a"), str)
narrow_found = retrieval.track(index="docs")(narrow)
assert_type(narrow_found("a"), str)
assert_type(narrow_found(b"a"), bytes)
found(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
retrieval.track(index=4)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
operation("retrieval", labelnames=(1,))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
operation("retrieval", scores=True)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]

with retrieval.timer(index="docs") as call:
    assert_type(call, Call)
    call.score(0.8)
retrieval.record(0.2, success=False, index="docs", service="mon-service")
retrieval.record_score(0.4, index="docs")
retrieval.timer(index=4)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
retrieval.record("soon")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def timed_retrieval() -> None:
    assert_type(await found_later("a", region="b"), float)
    async with retrieval.timer(index="docs") as call:
        assert_type(call, Call)


# A batch job is a context manager of both kinds, and a decorator; options of a push are checked by name and type.

with batch_job("nightly", push_to="localhost:9091", ca_file="ca.pem", retries=2) as run:
    assert_type(run, JobRun)
    run.item()
    run.items(3)
    run.fail("no input")
    run.items("many")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


@batch_job("nightly")
async def job(number: int) -> str:
    async with batch_job("part of it") as part:
        assert_type(part, JobRun)
    return str(number)


async def worked() -> None:
    assert_type(await job(3), str)


assert_type(push_metrics("localhost:9091", job="import", basic_auth=("user", "password"), push_add=True), bool)
push_metrics("localhost:9091", job="import", time_out=3)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
batch_job("nightly", push_to="localhost:9091", timeout="3")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

# The libraries of models are instrumented until their handles are left.

with instrument_transformers() as instrumentation, instrument_sentence_transformers():
    assert_type(instrumentation, Instrumentation)
instrument_transformers("gpt2")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]

# A model of any library is watched until its handle is left.

with watch(object(), model="spam-filter", operation="predict", service="mon-service") as watching:
    assert_type(watching, Instrumentation)
    watching.uninstrument()
watch(object(), model=4)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
watch(model="spam-filter")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]

# Metrics of one's own have the verbs of their kind; what they decorate keeps its type.

accepted = counter("cv_accepted", "Accepted CVs.", ("country",))
assert_type(accepted, Counter)
assert_type(accepted.labels(country="fr"), Counter)
accepted.labels("fr").inc(2)
waiting = gauge("cv_waiting", "CVs that wait.", multiprocess_mode="livesum")
assert_type(waiting, Gauge)
waiting.set(3)
pages = histogram("cv_pages", "Pages.", buckets=[1, 2.5])
assert_type(pages, Histogram)
pages.observe(2)
accepted.set(3)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
accepted.inc("1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
gauge("cv_age", "Age.", multiprocess_mode="every")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


@pages.time()
@accepted.labels("fr").count_exceptions(ValueError)
@waiting.track_inprogress()
async def counted(text: str, *, limit: int = 3) -> list[str]:
    return [text] * limit


async def was_counted() -> None:
    assert_type(await counted("a", limit=1), list[str])
    with pages.time() as measured:
        pass
    assert_type(measured.duration, float | None)


# What goes to a meter provider as well goes there until its handle ends it.

with instrument_opentelemetry() as sending:
    assert_type(sending, Instrumentation)

# A toolkit of one's own has the same functions.

toolkit = MLMetrics(service="matching-service", registry=CollectorRegistry())
configure(service="matching-service")
configure(trace_ids=lambda: ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"))
configure(trace_ids=lambda: "1-5759e988-bd862e3fe1be46a994272793")
configure(trace_ids=lambda: None)
configure(trace_ids=lambda: 3)  # type: ignore[arg-type, return-value]  # pyright: ignore[reportArgumentType]
configure(registry="mine")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


@toolkit.track_inference(model="gpt-4")
def of_a_toolkit(text: str) -> str:
    return text


assert_type(of_a_toolkit("a"), str)
with instrument_tenacity() as handle, toolkit.instrument_stamina() as other:
    assert_type(handle, Instrumentation)
    assert_type(other.uninstrument(), None)
application: ASGIApp = metrics_app()

# An application is instrumented until its handle is left; what is not recorded is a path, a pattern or a method.

skipped: list[str | re.Pattern[str]] = ["/health", re.compile("^/internal/")]
with instrument(application, registry=CollectorRegistry(), skip_paths=skipped, skip_methods=("HEAD",)) as served:
    assert_type(served, Instrumentation)
assert_type(toolkit.instrument(application, "mon-service", "/metrics"), Instrumentation)
PrometheusMiddleware(application, registry=CollectorRegistry(), skip_paths=skipped, skip_methods={"HEAD"})
assert_type(instrument(application, body_sizes=True, websockets=False, request_id="header"), Instrumentation)
instrument(application, request_id="log")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
instrument(application, websockets="no")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
instrument(application, labels={"tenant": header("x-tenant"), "region": "eu", "plan": lambda scope: scope["plan"]})
own_labels = {"tenant": header("x-tenant")}
toolkit.instrument(application, labels=own_labels)
PrometheusMiddleware(application, labels={"region": "eu"})
assert_type(header("x-tenant")({"headers": []}), str)
header(b"x-tenant")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
instrument(application, labels={"region": 7})  # type: ignore[dict-item]  # pyright: ignore[reportArgumentType]
instrument(application, skip_paths=[b"/"])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
instrument(application, skip_methods=[1])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
secret, secret_file = "", Path()
guarded: ASGIApp = metrics_app(token_file=secret_file, gzip=False)
metrics_app(token=b"secret")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
instrument(application, "mon-service", token=secret, gzip=False)
toolkit.instrument(application, token_file=str(secret_file))
with start_metrics_server(0, token=secret, certfile="cert.pem", keyfile=Path("key.pem")) as server:
    assert_type(server.port, int)
with toolkit.start_metrics_server(0, token_file=secret_file, gzip=True, certfile="cert.pem"):
    pass
