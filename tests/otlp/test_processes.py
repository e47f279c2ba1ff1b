"""Programs of their own: what is sent at their end, from forked children, and to a provider that comes later."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.otlp.collector import Collector, key

pytestmark = pytest.mark.in_memory  # in files single numbers are not kept

ROOT = Path(__file__).parents[2]
PROGRAM = """
import os, signal, sys, threading
from opentelemetry import metrics as api
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, PeriodicExportingMetricReader
from prometheus_client import CollectorRegistry
from mlmetrics import MLMetrics
from mlmetrics.integrations import opentelemetry

signal.alarm(60)
exporter = OTLPMetricExporter(sys.argv[1], preferred_temporality={Histogram: AggregationTemporality.DELTA})
metrics = MLMetrics("s", CollectorRegistry())

def made():
    return MeterProvider([PeriodicExportingMetricReader(exporter, export_interval_millis=3_600_000)])

def record(model, times):
    for _ in range(times):
        metrics.track_ml_inference(model, "s", 0.5)

def wait(*pids):
    for pid in pids:
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if code:
            sys.exit(code)
"""


def sent(program: str) -> dict[str, tuple[int, float]]:
    """Run a program to its end; return the count and the sum that were sent for each model."""
    with Collector() as collector:
        command = [sys.executable, "-c", PROGRAM + program, f"{collector.url}/v1/metrics"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert (0, "") == (done.returncode, done.stderr)
        points = collector.points()
    names = {key("client.operation.duration", operation="inference", model=model): model for model in MODELS}
    return {names[key]: (point.count, point.total) for key, point in points.items()}


MODELS = ("before", "parent", *(f"child{number}" for number in range(20)))


def test_at_the_end_of_a_program() -> None:
    """What waits is sent before the provider shuts down."""
    program = """
metrics.instrument_opentelemetry(made())
record("parent", 3)
"""
    assert {"parent": (3, 1.5)} == sent(program)


def test_a_provider_that_comes_later() -> None:
    """Without a provider, numbers go to that of `set_meter_provider` from when there is one."""
    program = """
opentelemetry.PERIOD_SECONDS = 3600
handle = metrics.instrument_opentelemetry()
record("parent", 3)
api.set_meter_provider(made())
record("parent", 4)
"""
    assert {"parent": (7, 3.5)} == sent(program)


def test_of_a_forked_child() -> None:
    """What waited at the fork is the parent's; each process sends its own, from a thread of its own."""
    program = """
opentelemetry.PERIOD_SECONDS = 3600
provider = made()
metrics.instrument_opentelemetry(provider)
record("before", 5)
pid = os.fork()
if pid == 0:
    threads = [thread.name for thread in threading.enumerate() if thread.is_alive()]
    record("child0", 3)
    provider.force_flush()
    os._exit(threads.count("mlmetrics-opentelemetry") != 1)
wait(pid)
record("parent", 2)
"""
    assert {"before": (5, 2.5), "parent": (2, 1.0), "child0": (3, 1.5)} == sent(program)


def test_forks_while_numbers_are_handed_over() -> None:
    """No child finds a lock of the SDK taken by a thread that it does not have, and none sends what is its parent's."""
    program = """
opentelemetry.PERIOD_SECONDS = 0.0001
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
reader = InMemoryMetricReader({Histogram: AggregationTemporality.DELTA})
provider = MeterProvider([reader], shutdown_on_exit=False)
metrics.instrument_opentelemetry(provider)
busy = True

def work():
    while busy:
        record("before", 100)

def counted():
    data = reader.get_metrics_data()
    return sum(
        point.count
        for resource in data.resource_metrics for scope in resource.scope_metrics for metric in scope.metrics
        for point in metric.data.data_points if point.attributes["gen_ai.request.model"].startswith("child")
    )

threading.Thread(target=work).start()
for number in range(20):
    pid = os.fork()
    if pid == 0:
        signal.alarm(20)
        record(f"child{number}", 5)
        os._exit(counted() != 5)
    wait(pid)
busy = False
"""
    assert {} == sent(program)


def test_calls_while_a_child_ends() -> None:
    """A child that ends as programs do sends what it has recorded."""
    program = """
metrics.instrument_opentelemetry(made())
pid = os.fork()
record("parent" if pid else "child0", 4)
if pid:
    wait(pid)
"""
    assert {"parent": (4, 2.0), "child0": (4, 2.0)} == sent(program)
