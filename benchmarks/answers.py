"""What answers of language models cost: reading their usage, a chunk of an SDK's stream, and instrumenting the SDK."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from itertools import islice, repeat
from pathlib import Path
from typing import Any

from benchmarks.floor import calling, drive, floor_sides
from benchmarks.ours import Toolkit
from benchmarks.results import Missing, Row, medians
from benchmarks.timing import NotTheSameError, Side, added, interleave, ratio
from mlmetrics.responses.kinds import hearing
from mlmetrics.responses.said import Said

ROOT = Path(__file__).parents[1]
MODEL = "gpt-5"
ROWS = ("answer/usage", "answer/none", "answer/chunk", "answer/async_chunk", "answer/instrument")
HEAD = {"id": "chatcmpl-1", "created": 1_741_569_952, "model": MODEL}
CHOICE = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Good day."}}
USAGE = {
    "prompt_tokens": 19,
    "completion_tokens": 10,
    "total_tokens": 29,
    "prompt_tokens_details": {"cached_tokens": 4},
    "completion_tokens_details": {"reasoning_tokens": 3},
}
ANSWER = {**HEAD, "object": "chat.completion", "choices": [CHOICE], "usage": USAGE}
DELTA = {"index": 0, "delta": {"content": "Good "}, "finish_reason": None}
CHUNK = {**HEAD, "object": "chat.completion.chunk", "choices": [DELTA]}
MICROSECOND, MILLISECOND = 1e3, 1e6
PROGRAM = """
import json, time
import openai
from prometheus_client import CollectorRegistry
from mlmetrics import MLMetrics
metrics = MLMetrics("benchmark", CollectorRegistry())
metrics.track_ml_inference("any", "benchmark", 1.0)  # the series of the toolkit, which any first use makes
start = time.thread_time_ns()
metrics.instrument_openai()
print(json.dumps(time.thread_time_ns() - start))
"""


def measure_answers(rounds: int) -> list[Row | Missing]:
    """Measure all of it, if the SDK is installed."""
    if find_spec("openai") is None:
        return [Missing(name, "openai is not installed") for name in ROWS]
    few = max(3, rounds // 12)
    return [measure_usage(rounds), measure_none(rounds), *measure_chunks(rounds), measure_instrument(few)]


def measure_usage(rounds: int) -> Row:
    """Measure reading the usage of an answer of the SDK."""
    answer = sdk("types.chat").ChatCompletion.model_validate(ANSWER)

    def loop(units: int) -> None:
        for _ in repeat(None, units):
            pass

    def read(units: int) -> None:
        for _ in repeat(None, units):
            said = Said()
            hear = hearing(type(answer))
            if hear is None or not hear(answer, said) or said.usage is None:
                raise NotTheSameError("no usage was read")

    times = added(interleave([Side("loop", loop), Side("read", read)], rounds), "read", "loop")
    return Row("answer/usage", ratio(times, [MICROSECOND] * len(times)), "ns", medians(usage=times))


class Plain:
    """An answer of a type that says nothing of tokens."""


def measure_none(rounds: int) -> Row:
    """Measure a decorated function whose answers are known to have no usage, beside one that does not look for any."""
    plain, toolkit = Plain(), Toolkit()
    auto = toolkit.metrics.track_inference(model="auto")(lambda _: plain)
    without = toolkit.metrics.track_inference(model="without", usage=None)(lambda _: plain)
    sides = [
        Side("bare", calling(lambda _: plain)),
        Side("auto", calling(auto, toolkit.fold), lambda: toolkit.calls("auto")),
        Side("without", calling(without, toolkit.fold), lambda: toolkit.calls("without")),
    ]
    times = interleave(sides, rounds)
    looked, not_looked = added(times, "auto"), added(times, "without")
    return Row("answer/none", ratio(looked, not_looked), "ns", medians(auto=looked, without=not_looked))


def measure_chunks(rounds: int) -> list[Row]:
    """Measure a chunk of a stream that the SDK has made, sync and async, and the floor of a call."""
    return [measure_chunk("answer/chunk", reading, rounds), measure_chunk("answer/async_chunk", reading_async, rounds)]


def measure_chunk(name: str, loop: Callable[[str, Callable[[], object]], Callable[[int], None]], rounds: int) -> Row:
    """Measure a chunk that `loop` reads."""
    toolkit = Toolkit()
    bare, floor = floor_sides()
    with toolkit.metrics.instrument_openai():
        sides = [
            *(Side("bare call", bare.run), floor),
            Side("bare", loop("/other", toolkit.fold)),
            Side("ours", loop("/chat/completions", toolkit.fold), lambda: chunks_of(toolkit)),
        ]
        times = interleave(sides, rounds)
    ours, least = added(times, "ours"), added(times, "floor", "bare call")
    return Row(name, ratio(ours, least), "ns", medians(ours=ours, floor=least, bare=times["bare"]))


def reading(path: str, finish: Callable[[], object]) -> Callable[[int], None]:
    """Return a loop over a stream that is asked for at this path; only one that asks a model is recorded.

    It does not end, and its chunks are there already: asking for it, and parsing them, takes hundreds of times as long
    as what is measured, and is not ours.
    """
    openai, chunk = sdk(), sdk("types.chat").ChatCompletionChunk.model_validate(CHUNK)

    class Chunks(openai.Stream[type(chunk)]):  # type: ignore[misc]  # the SDK may be missing
        def __stream__(self) -> Iterator[Any]:
            yield from repeat(chunk)

    client = openai.OpenAI(api_key="any", base_url="http://localhost", http_client=in_memory("Client"))
    asked = {"body": {"model": MODEL}, "cast_to": type(chunk), "stream": True, "stream_cls": Chunks}
    stream = iter(client.post(path, **asked))

    def run(units: int) -> None:
        for _ in islice(stream, units):
            pass
        finish()

    return run


def reading_async(path: str, finish: Callable[[], object]) -> Callable[[int], None]:
    """Return a loop over an async stream."""
    openai, chunk = sdk(), sdk("types.chat").ChatCompletionChunk.model_validate(CHUNK)

    class Chunks(openai.AsyncStream[type(chunk)]):  # type: ignore[misc]  # as above
        async def __stream__(self) -> AsyncIterator[Any]:
            for each in repeat(chunk):
                yield each

    client = openai.AsyncOpenAI(api_key="any", base_url="http://localhost", http_client=in_memory("AsyncClient"))
    asked = {"body": {"model": MODEL}, "cast_to": type(chunk), "stream": True, "stream_cls": Chunks}
    stream = aiter(asyncio.run(client.post(path, **asked)))

    async def read(units: int) -> None:
        for _ in repeat(None, units):
            await anext(stream)

    def run(units: int) -> None:
        drive(read(units))
        finish()

    return run


def in_memory(kind: str) -> Any:
    """Return an HTTP client, of the library that the SDK uses, whose every request gets an empty stream."""
    name = sdk().DefaultHttpxClient.__mro__[1].__module__.partition(".")[0]
    library = sys.modules[name]
    answer = library.MockTransport(lambda _: library.Response(200, text="data: [DONE]\n\n"))
    return getattr(library, kind)(transport=answer, verify=False)


def sdk(module: str = "") -> Any:
    """Return a module of the SDK."""
    return import_module(f"openai.{module}".rstrip("."))


def chunks_of(toolkit: Toolkit) -> float:
    """Return the recorded chunks: the first has its own metric, the others the interval before them."""
    gaps = toolkit.value("ml_inference_chunk_interval_seconds_count", model=MODEL)
    return gaps + toolkit.value("ml_inference_first_chunk_seconds_count", model=MODEL)


def measure_instrument(rounds: int) -> Row:
    """Measure `instrument_openai` in new processes that have imported the SDK."""
    command = [sys.executable, "-c", PROGRAM]
    times = [
        float(json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout))  # noqa: S603 (ours)
        / MILLISECOND
        for _ in repeat(None, rounds)
    ]
    return Row("answer/instrument", ratio(times, [1.0] * len(times)), "ms", medians(instrument=times))
