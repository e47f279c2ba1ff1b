"""Several processes on one host: each number is counted once, and every process exposes those of all."""

from pathlib import Path

import pytest

from tests.scripts import run_script

START = """
import os, signal, sys, threading
from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from mlmetrics import MLMetrics, arg
from mlmetrics.exposition.text import render

signal.alarm(30)
registry = CollectorRegistry()
metrics = MLMetrics(service="s", registry=registry)
function = metrics.track_inference(model=arg("model"))(lambda model: model)

def found(name, **labels):
    samples = (s for family in registry.collect() for s in family.samples)
    return [s.value for s in samples if s.name == name and labels.items() <= s.labels.items()]

def check(expected, name="ml_inference_total", what="", **labels):
    if sum(found(name, **labels)) != expected:
        print(what, name, labels, found(name, **labels), "instead of", expected, flush=True)
        os._exit(1)

def in_child(work):
    pid = os.fork()
    if pid == 0:
        work()
        os._exit(0)
    return pid

def wait(pid):
    _, status = os.waitpid(pid, 0)
    if os.waitstatus_to_exitcode(status) not in (0, -9):
        sys.exit(os.waitstatus_to_exitcode(status))
"""
PROGRAMS = {
    "every process exposes the calls of all": """
def work():
    for _ in range(50):
        function("m")
    check(150, outcome="success", what="child")
for _ in range(100):
    function("m")
wait(in_child(work))
check(150, outcome="success", what="parent")
check(150, "ml_inference_duration_seconds_count")
""",
    "what a killed process has recorded stays": """
def work():
    for _ in range(1000):
        function("m")
    os.kill(os.getpid(), signal.SIGKILL)
for _ in range(3):
    wait(in_child(work))
check(3000, outcome="success")
check(0, "ml_inference_in_progress")
""",
    "calls that a killed process was in are no longer in progress": """
reading, writing = os.pipe()
def stay():
    os.write(writing, b"x")
    signal.pause()
pid = in_child(lambda: metrics.track_inference(model="m")(stay)())
os.read(reading, 1)
check(1, "ml_inference_in_progress", what="while it runs")
os.kill(pid, signal.SIGKILL)
wait(pid)
check(0, "ml_inference_in_progress", what="after its death")
""",
    "a call within which the process forks is counted by the parent": """
pids = []
@metrics.track_inference(model="forking")
def forking():
    pids.append(os.fork())
    if pids[0]:
        check(1, "ml_inference_in_progress", what="within")
forking()
function("later")
if pids[0] == 0:
    os._exit(0)
wait(pids[0])
check(1, model="forking")
check(2, model="later")
check(0, "ml_inference_in_progress")
""",
    "a call that ends by an exception in the child is counted by the parent": """
pids = []
@metrics.track_inference(model="forking")
def forking():
    pids.append(os.fork())
    if pids[0] == 0:
        raise SystemExit
try:
    forking()
except SystemExit:
    os._exit(0)
wait(pids[0])
check(1, model="forking")
check(1, outcome="success", model="forking")
""",
    "a block within which the process forks is counted by the parent": """
with metrics.inference_timer(model="m"):
    pid = os.fork()
if pid == 0:
    os._exit(0)
wait(pid)
check(1, model="m")
check(0, "ml_inference_in_progress")
""",
    "a stream within which the process forks is counted by the parent": """
@metrics.track_inference(model="m")
def numbers():
    yield os.fork()
for pid in numbers():
    pass
if pid == 0:
    os._exit(0)
wait(pid)
check(1, model="m")
check(0, "ml_inference_in_progress")
""",
    "calls of other threads are no calls of the child": """
begun = threading.Semaphore(0)
waiting = metrics.track_inference(model="waiting")(lambda: (begun.release(), threading.Event().wait()))
for _ in range(5):
    threading.Thread(target=waiting, daemon=True).start()
    begun.acquire()
wait(in_child(lambda: (function("m"), check(5, "ml_inference_in_progress", what="child"))))
check(5, "ml_inference_in_progress", what="parent")
check(1, model="m")
os._exit(0)
""",
    "threads that begin together find the same place": """
threads = 8
for number in range(40):
    barrier = threading.Barrier(threads)
    def run():
        barrier.wait()
        with metrics.inference_timer(model=f"m{number}"):
            pass
        try:
            failing()
        except ZeroDivisionError:
            pass
    failing = metrics.track_inference(model=f"f{number}")(lambda: 1 / 0)
    started = [threading.Thread(target=run) for _ in range(threads)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
check(40 * threads, outcome="success")
check(40 * threads, outcome="failure")
check(0, "ml_inference_in_progress")
""",
    "a child that is forked in the middle of a scrape can scrape": """
for number in range(200):
    function(f"m{number}")
stop = threading.Event()
def scrape():
    while not stop.is_set():
        render(registry)
thread = threading.Thread(target=scrape)
thread.start()
for _ in range(15):
    wait(in_child(lambda: check(200, outcome="success", what="child")))
stop.set()
thread.join()
""",
    "numbers of earlier bounds stay in their histogram": """
def work():
    own = MLMetrics(service="s", registry=CollectorRegistry(), buckets={"ml_inference_duration_seconds": [1, 5]})
    for _ in range(10):
        own.track_ml_inference("m", "s", 4.0)
metrics.configure(buckets={"ml_inference_duration_seconds": [2, 10]})
wait(in_child(work))
metrics.track_ml_inference("m", "s", 1.0)
check(11, "ml_inference_duration_seconds_count")
check(41, "ml_inference_duration_seconds_sum")
check(11, outcome="success")
""",
    "a working directory that has been removed is no problem": """
folder = os.environ["PROMETHEUS_MULTIPROC_DIR"] + "/gone"
os.mkdir(folder)
os.chdir(folder)
os.rmdir(folder)
own = MLMetrics(registry=CollectorRegistry())
own.track_inference(model="m")(lambda: None)()
os.chdir("/")
""",
    "forks while other threads record lose and double nothing": """
stop, calls = threading.Event(), [0, 0]
def run(number):
    while not stop.is_set():
        function("m")
        calls[number] += 1
threads = [threading.Thread(target=run, args=(number,)) for number in range(2)]
for thread in threads:
    thread.start()
for _ in range(20):
    wait(in_child(lambda: [function("m") for _ in range(10)]))
stop.set()
for thread in threads:
    thread.join()
check(sum(calls) + 200, outcome="success")
check(sum(calls) + 200, "ml_inference_duration_seconds_count")
check(0, "ml_inference_in_progress")
""",
    "the client's own collector gives the same samples": """
def work():
    with metrics.parsing_timer(doc_type="cv") as call:
        call.score(0.5)
    try:
        metrics.track_inference(model="m")(lambda: 1 / 0)()
    except ZeroDivisionError:
        pass
    for _ in range(50):
        function("n")
wait(in_child(work))
work()
alone = CollectorRegistry()
MultiProcessCollector(alone)
def samples(registry):
    found = (s for family in registry.collect() for s in family.samples)
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for s in found if "scrape_duration" not in s.name}
ours, theirs = samples(registry), samples(alone)
if ours != theirs:
    print(sorted(set(ours.items()) ^ set(theirs.items())))
""",
    "a MultiProcessCollector beside ours doubles nothing": """
function("m")
MultiProcessCollector(registry)
check(1, outcome="success")
page = render(registry).decode()
if page.count("\\nml_inference_total{") != 3:
    print(page)
""",
    "the user's own metrics are merged as well": """
mine = Counter("mine", "Mine.", registry=registry)
function("m")
mine.inc()
wait(in_child(lambda: mine.inc(2)))
if b"\\nmine_total 3.0\\n" not in render(registry):
    print(render(registry).decode())
""",
    "files that cannot be read fail no scrape": """
import glob, pathlib
folder = pathlib.Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])
mine = Counter("mine", "Mine.", registry=registry)
function("m")
mine.inc()
(folder / "counter_1.db").write_bytes(b"")
(folder / "histogram_2.db").write_bytes(b"nonsense" * 9)
for _ in range(3):
    page = render(registry).decode()
if "\\nmine_total 1.0\\n" not in page:
    print(page)
check(1, outcome="success")
check(2, "mlmetrics_recording_errors_total", where="workers")
""",
    "CPU and memory are those of every process": """
reading, writing = os.pipe()
def stay():
    function("m")
    os.write(writing, b"x")
    signal.pause()
function("m")
pid = in_child(stay)
os.read(reading, 1)
lines = render(registry).decode().splitlines()
for name in ("resident_memory_bytes", "cpu_seconds_total", "open_fds", "start_time_seconds"):
    if len([line for line in lines if line.startswith(f'process_{name}{{worker="')]) != 2:
        print(name, [line for line in lines if line.startswith("process_")])
os.kill(pid, signal.SIGKILL)
wait(pid)
if render(registry).decode().count('\\nprocess_resident_memory_bytes{worker="') != 1:
    print("the dead process is still there")
""",
    "a scrape of some names gives these": """
function("m")
page = render(registry, names=["ml_inference_total", "process_open_fds"]).decode()
names = {line.partition("{")[0] for line in page.splitlines() if not line.startswith("#")}
if names != {"ml_inference_total", "process_open_fds"}:
    print(page)
""",
    "exemplars of every process are kept": """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
trace.set_tracer_provider(TracerProvider())
def work():
    with trace.get_tracer("t").start_as_current_span("s"):
        function("of the child")
with trace.get_tracer("t").start_as_current_span("s"):
    function("of the parent")
wait(in_child(work))
page = render(registry, openmetrics=True).decode()
for model in ("of the child", "of the parent"):
    if not any("trace_id" in line for line in page.splitlines() if f'model="{model}"' in line):
        print(model, page)
""",
    "two services in one directory stay apart": """
def work():
    os.environ["MLMETRICS_SERVICE"] = "other"
    own = MLMetrics(registry=CollectorRegistry())
    own.track_inference(model="m")(lambda: None)()
    os.chdir("/")
    del os.environ["MLMETRICS_SERVICE"]
    own = MLMetrics(registry=CollectorRegistry())
    own.track_inference(model="m")(lambda: None)()
function("m")
wait(in_child(work))
check(1, outcome="success")
""",
    "a service may be named after a fork": """
own = MLMetrics(registry=CollectorRegistry())
recorded = own.track_inference(model="m")(lambda: None)
def work():
    own.configure(service="named")
    recorded()
    labels = [s.labels for family in own.registry.collect() for s in family.samples if s.name == "ml_inference_total"]
    if {each["service"] for each in labels} != {"named"}:
        print(labels, flush=True)
        os._exit(1)
wait(in_child(work))
""",
    "buckets are refused after the first number": """
from mlmetrics.errors import ConfigurationError
function("m")
try:
    metrics.configure(buckets={"ml_inference_duration_seconds": [1.0]})
    print("accepted")
except ConfigurationError as error:
    if "already has samples" not in str(error):
        print(error)
""",
    "no number is recorded in a directory that is not there, and every call returns": """
import logging
logging.disable(logging.CRITICAL)
os.rmdir(os.environ["PROMETHEUS_MULTIPROC_DIR"])
if function("m") != "m":
    print("changed")
render(registry)
""",
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_several_processes(program: str, tmp_path: Path) -> None:
    """What the name of the program says holds, with a directory for several processes."""
    run_script(START + PROGRAMS[program], PROMETHEUS_MULTIPROC_DIR=str(tmp_path))
