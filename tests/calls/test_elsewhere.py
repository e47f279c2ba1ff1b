"""Recorded functions of `__main__` run in other processes, and are counted there."""

import copy
import pickle
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from mlmetrics import MLMetrics
from tests.recorded import outcomes

ROOT = Path(__file__).parents[2]

PROGRAM = """
import asyncio, subprocess, sys
import cloudpickle, joblib
from prometheus_client import CollectorRegistry
from mlmetrics import (
    MLMetrics, arg, configure, counter, gauge, inference_timer, operation,
    track_inference, track_matching, track_parsing,
)

configure(service="batch", buckets={{"ml_inference_duration_seconds": [1.0, 2.0]}})
own = MLMetrics(service="own", registry=CollectorRegistry())

accepted = counter("cv_accepted", "Accepted CVs.", ("country",))
french = accepted.labels("fr")
waiting = gauge("cv_waiting", "CVs that wait.", multiprocess_mode="sum")
owned_pages = own.histogram("cv_pages", "Pages.", buckets=(1, 5))

class Result(dict):
    "A result of a class of `__main__`, whose type a wrapper remembers."

@track_inference(
    model="function", usage=lambda result: {{"output": 2}},
    score=lambda result: 0.25, predicted_class=lambda result: "even",
)
def function(number, *, factor=2):
    return Result(product=number * factor)

@track_inference(model=arg("model"))
def labelled(number, model="default"):
    return number

@track_inference(model=lambda call: "computed " + call.arguments["number"])
def computed(number):
    return number

@track_inference(model="stream", stream=True)
def streaming():
    return map(int, "12")

@track_inference(model="coroutine")
async def coroutine(number):
    return number

@track_inference(model="generator")
def generator(number):
    yield from range(number)

@track_inference(model="async generator")
async def async_generator(number):
    for each in range(number):
        yield each

@own.track_inference(model="own")
def owned(number):
    return number

retrieval = operation("retrieval", ("index", "region"), score=True, subject="region", buckets=(4.0, 8.0))
configure(buckets={{"ml_retrieval_score": [0.25, 0.75]}})
embedding = own.operation("embedding")

@retrieval.track(index="docs", region=arg("region"), score="relevance")
def retrieve(region):
    return {{"relevance": 0.5}}

@embedding.track
def embed(text):
    return [1.0]

class Parser:
    @track_parsing(doc_type="pdf", size=len)
    def parse(self, content):
        return {{"confidence": 0.5}}

    @track_matching(matcher="class method", score=lambda result: result)
    @classmethod
    def match(cls):
        return 0.25

    @track_matching(matcher="static method")
    @staticmethod
    def compare():
        return 0.25

async def drain(stream):
    return [each async for each in stream]

def read(registry):
    wanted = ("ml_inference_total", "ml_parsing_total", "ml_matching_total", "ml_inference_tokens_total",
              "ml_inference_score_sum", "ml_prediction_total",
              "ml_inference_first_chunk_seconds_count", "parsing_accuracy_score_sum", "file_processing_size_bytes_sum",
              "cv_accepted_total", "cv_waiting", "cv_pages_sum",
              "ml_retrieval_total", "ml_retrieval_score_sum", "ml_embedding_total",
              "ml_inference_in_progress", "mlmetrics_recording_errors_total")
    counted = {{}}
    for family in registry.collect():
        for sample in family.samples:
            if sample.name in wanted and sample.value:
                labels = [text for text in sample.labels.values() if text]
                counted[" ".join([sample.name, *labels])] = sample.value
    return counted

def bounds(registry):
    found = [sample for family in registry.collect() for sample in family.samples]
    names = ("ml_inference_duration_seconds", "ml_retrieval_duration_seconds", "ml_retrieval_score")
    return [list(dict.fromkeys(each.labels["le"] for each in found if each.name == name + "_bucket")) for name in names]

def work(task):
    function(1, factor=3), labelled(1, "argument"), labelled(1), computed("label"), owned(1)
    list(streaming()), list(generator(2)), asyncio.run(coroutine(1)), asyncio.run(drain(async_generator(2)))
    Parser().parse(b"abc"), Parser.match(), Parser.compare()
    retrieve("eu"), embed("text")
    accepted.labels(country="fr").inc(), french.inc(2), waiting.set(3), owned_pages.observe(2)
    with inference_timer(model="timer"), retrieval.timer(index="docs", region="us"):
        pass
    from prometheus_client import REGISTRY
    return read(REGISTRY), bounds(REGISTRY), read(own.registry)

def expected(times):
    once = {{
        "ml_matching_total batch class method success": 1,
        "ml_matching_total batch static method success": 1,
        "ml_inference_tokens_total batch function output": 2,
        "ml_inference_score_sum batch function": 0.25,
        "ml_prediction_total batch function even": 1,
        "ml_parsing_total batch pdf success": 1,
        "parsing_accuracy_score_sum batch pdf": 0.5,
        "file_processing_size_bytes_sum batch pdf": 3,
        "ml_retrieval_total batch docs eu success": 1,
        "ml_retrieval_total batch docs us success": 1,
        "ml_retrieval_score_sum batch docs eu": 0.5,
        "cv_accepted_total batch fr": 3,
    }}
    for model in ("stream", "generator", "async generator"):
        once[f"ml_inference_first_chunk_seconds_count batch {{model}}"] = 1
        once[f"ml_inference_total batch {{model}} success"] = 1
    for model in ("function", "argument", "default", "computed label", "coroutine", "timer"):
        once[f"ml_inference_total batch {{model}} success"] = 1
    counted = {{name: times * number for name, number in once.items()}} | {{"cv_waiting batch": 3}}
    uppers = [["1.0", "2.0", "+Inf"], ["4.0", "8.0", "+Inf"], ["0.25", "0.75", "+Inf"]]
    return counted, uppers, {{
        "ml_inference_total own own success": times, "ml_embedding_total own success": times,
        "cv_pages_sum own": 2 * times,
    }}

for _ in range(3):
    function(1), labelled(1, "argument"), owned(1), retrieve("eu")  # numbers of this process, which do not travel
{run}
"""
JOBLIB = """
seen = joblib.Parallel(2, backend="loky")(joblib.delayed(work)(task) for task in range(4))
assert all(got in [expected(times) for times in range(1, 5)] for got in seen), seen
assert [{"product": 2}] * 3 == joblib.Parallel(2)(joblib.delayed(function)(1) for _ in range(3))
"""
CLOUDPICKLE = """
child = "import pickle, sys; work = pickle.loads(sys.stdin.buffer.read()); sys.stdout.write(repr([work(1), work(2)]))"
done = subprocess.run([sys.executable, "-c", child], input=cloudpickle.dumps(work), capture_output=True, check=True)
assert [expected(1), expected(2)] == eval(done.stdout), done.stdout
"""
BACK = """
from prometheus_client import REGISTRY
returned, copied, again = cloudpickle.loads(cloudpickle.dumps((function, owned, retrieval)))
returned(1), copied(1), again.record(0.5, index="docs", region="eu")
assert 4 == read(REGISTRY)["ml_retrieval_total batch docs eu success"]
assert 4 == read(REGISTRY)["ml_inference_total batch function success"]
assert 4 == read(own.registry)["ml_inference_total own own success"]
"""


@pytest.mark.parametrize("run", [JOBLIB, CLOUDPICKLE, BACK], ids=["joblib", "cloudpickle", "and back"])
def test_functions_of_main(run: str, tmp_path: Path) -> None:
    """Functions of every kind run in another process, which counts them in its own registries."""
    program = tmp_path / "program.py"
    program.write_text(textwrap.dedent(PROGRAM).format(run=run))
    done = subprocess.run(
        [sys.executable, program],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (0, "") == (done.returncode, done.stderr)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each))])  # noqa: S301 (bytes of our own)
def test_copies_of_a_toolkit_record_into_its_registry(copied: object, registry: CollectorRegistry) -> None:
    """A copied or pickled toolkit records into the same registry."""
    assert callable(copied)
    metrics = copied(MLMetrics(service="s", registry=registry))
    metrics.track_inference(model="m")(copied)(3)
    assert registry is metrics.registry
    assert {"success": 1} == outcomes(registry, service="s")


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each))])  # noqa: S301 (bytes of our own)
def test_copies_of_an_operation_record_into_its_series(copied: Any, registry: CollectorRegistry) -> None:
    """A copied or pickled operation is the same operation."""
    operation = MLMetrics(service="s", registry=registry).operation("retrieval", ["index"], score=True)
    for each in (operation, copied(operation)):
        each.record(0.5, index="docs")
    assert {"success": 2} == outcomes(registry, "retrieval", index="docs")
