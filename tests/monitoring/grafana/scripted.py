"""A service whose requests behave by their number, so that the values of panels are known.

Of 20 numbers in a row 2 answer 500 and 2 take 0.3 s; 4 inferences fail and 2 take 7 s; 5 predictions are "rare", and 4
verdicts are bad. Of what surrounds 20 calls, 10 are tried again, 5 are found in a cache, 4 answers are cut off, and 2
calls fail after they have gone on to another model. 2 responses are large. Of 20 WebSockets, 4 are closed by the
application after the first message.
"""

import asyncio
from collections.abc import AsyncIterator

from fastapi import FastAPI, Response, WebSocket
from prometheus_client import REGISTRY

from mlmetrics import (
    agent_timer,
    configure,
    inference_timer,
    instrument,
    model_load_timer,
    parsing_timer,
    tool_timer,
    track_feedback,
    track_file_processing,
    track_inference,
    track_matching,
    track_ml_inference,
    track_model_load,
    track_parsing_accuracy,
    track_prediction_error,
)
from mlmetrics.calls.surroundings import record_attempt, record_limits
from mlmetrics.recording.collector import store_for

NAME = "scripted-service"
MODEL = "scripted-model"
TALKER = "scripted-talker"
SORTER = "scripted-sorter"
ASKED, FALLBACK = "scripted-asked", "scripted-fallback"
LIMIT, REMAINING = 200, 50
CYCLE = 20
ACCURACIES = (0.55, 0.72, 0.93, 0.97)
FAST_SECONDS, SLOW_SECONDS = 0.3, 7.0
SLEEP_SECONDS = 0.3
REASONING_SECONDS = 0.3
REQUEST_BYTES, RESPONSE_BYTES, LARGE_RESPONSE_BYTES = 1000, 200, 100_000
ROUTE, CLOSED, LEFT = "/echo", 4001, 1001
DOLLARS, TOKENS = 0.002, {"input": 120, "output": 48}

configure(service=NAME, max_label_values=4)
app = FastAPI()
instrument(app, service_name=NAME)
track_model_load(MODEL, 1.5, version="2026-01")


@track_inference(model=TALKER)
async def talk() -> AsyncIterator[str]:
    """Stream two words."""
    for word in ("so", "be it"):
        await asyncio.sleep(0.002)
        yield word


def reason() -> None:
    """Record what the instrument of an SDK reads of a stream: the reasoning, and the model that answered."""
    store = store_for(REGISTRY)
    reasoning = store.histogram("ml_inference_first_reasoning_seconds", (NAME, TALKER, ""))
    store.record(reasoning, REASONING_SECONDS)
    answered = store.gauge("ml_inference_response_model_info", (NAME, TALKER, "scripted", f"{TALKER}-2026-01"))
    store.record(answered, 1)


@track_matching(matcher="scripted", score=float)
def match(number: int) -> float:
    """Score a number by its place in the cycle."""
    return number / CYCLE


@track_inference(model=SORTER, score="confidence", predicted_class="label")
def sort(number: int) -> dict[str, object]:
    """Predict a class; the model is sure of its common one."""
    rare = number % 4 == 0
    return {"label": "rare" if rare else "common", "confidence": 0.35 if rare else 0.85}


def judge(number: int) -> None:
    """Record what became known of a prediction."""
    track_feedback(SORTER, good=number % 5 != 0)
    track_prediction_error(SORTER, 3.0 if number % 2 else 1.5)


def infer(number: int) -> None:
    """Record one inference of the known model."""
    seconds = SLOW_SECONDS if number % 10 == 5 else FAST_SECONDS
    track_ml_inference(MODEL, NAME, seconds, success=number % 5 != 0)


def bill() -> None:
    """Record the cost of a call."""
    with inference_timer(model=TALKER) as call:
        call.tokens(**TOKENS)
        call.cost(DOLLARS)
        call.batch(8)
        call.queued(0.02)


def surround(number: int) -> None:
    """Record what surrounds a call, as a program says it and as the instrument of an SDK sees it."""
    with inference_timer(model=ASKED) as call:
        with call.waiting():
            if number % 2 == 0:
                record_attempt(call._series, "rate_limit", again=True)
        record_limits(call._series, {"requests": (LIMIT, REMAINING)})
        call.cached(hit=number % 4 == 0)
        call.finish_reason("length" if number % 5 == 0 else "stop")
        if number % 10 == 0:
            call.blocked("pii")
            call.fell_back(FALLBACK)
            call.fail("Refused")


def act(number: int) -> None:
    """Record an agent that loads a model and uses a tool; both fail now and then."""
    with agent_timer(agent="scripted") as run, tool_timer(tool="scripted") as call:
        with model_load_timer(ASKED, version="2026-01"):
            pass
        if number % 5 == 0:
            call.fail("NotFound")
        if number % 10 == 0:
            run.fail("GaveUp")


def parse(number: int) -> None:
    """Record a document, the fourth of each cycle being a failure, and one score that is not a number."""
    track_parsing_accuracy("scripted", "pdf", ACCURACIES[number % 4])
    track_file_processing(f"type-{number % 6}", NAME, 2048)
    with parsing_timer(doc_type="pdf", parser="scripted") as call:
        if number == 4:
            call.fail("Torn")
            call.score(float("nan"))


def weigh(number: int) -> None:
    """Record the sizes of the bodies of a request."""
    store = store_for(REGISTRY)
    labels = (NAME, "GET", "/tasks/{number}")
    store.record(store.histogram("fastapi_request_size_bytes", labels), REQUEST_BYTES)
    size = LARGE_RESPONSE_BYTES if number % 10 == 0 else RESPONSE_BYTES
    store.record(store.histogram("fastapi_response_size_bytes", labels), size)


@app.websocket(ROUTE)
async def echo(websocket: WebSocket) -> None:
    """Send each text back, and close at an empty one."""
    await websocket.accept()
    async for text in websocket.iter_text():
        if not text:
            await websocket.close(CLOSED)
            return
        await websocket.send_text(text)


async def converse(number: int) -> None:
    """Open a WebSocket as a client that sends two texts and leaves; every fifth one sends the empty text second."""
    incoming: list[dict[str, object]] = [
        {"type": "websocket.connect"},
        {"type": "websocket.receive", "text": "so"},
        {"type": "websocket.receive", "text": "" if number % 5 == 0 else "be it"},
        {"type": "websocket.disconnect", "code": LEFT},
    ]

    async def receive() -> dict[str, object]:
        return incoming.pop(0)

    async def send(_: object) -> None:
        """Take what the application sends."""

    await app({"type": "websocket", "path": ROUTE, "query_string": b"", "headers": []}, receive, send)


@app.get("/tasks/{number}")
async def work(number: int) -> Response:
    """Do the work of a number."""
    infer(number)
    bill()
    reason()
    parse(number)
    match(number)
    sort(number)
    judge(number)
    surround(number)
    act(number)
    weigh(number)
    await converse(number)
    async for _ in talk():
        pass
    if number % 10 == 7:
        await asyncio.sleep(SLEEP_SECONDS)
    return Response(status_code=500 if number % 10 == 3 else 200)
