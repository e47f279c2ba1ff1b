"""Plain metrics of several processes: joined as prometheus_client joins its own, live ones and dead ones."""

from pathlib import Path

import pytest

from tests.recording.test_host import START
from tests.scripts import run_script

COMMON = """
import random, time
from mlmetrics.workers.reaper import reap_all
from prometheus_client import Gauge, Histogram
from prometheus_client.multiprocess import mark_process_dead

MODES = ("all", "liveall", "max", "livemax", "min", "livemin", "mostrecent", "livemostrecent", "sum", "livesum")
DIRECTORY = os.environ["PROMETHEUS_MULTIPROC_DIR"]

def page():
    text = render(registry).decode()
    from prometheus_client.parser import text_string_to_metric_families
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            name, _, mode = sample.name.removesuffix("_g").partition("_")
            labels = {k: v for k, v in sample.labels.items() if k not in ("service", "pid", "worker")}
            key = name, mode, tuple(sorted(labels.items()))
            found.setdefault(key, []).append(sample.value)
    return found

def same(step):
    found = page()
    ours = {key[1:]: sorted(values) for key, values in found.items() if key[0] == "ours"}
    theirs = {key[1:]: sorted(values) for key, values in found.items() if key[0] == "theirs"}
    if ours != theirs or not ours:
        keys = {*ours, *theirs}
        print(step, {key: (ours.get(key), theirs.get(key)) for key in keys if ours.get(key) != theirs.get(key)})
        os._exit(1)
    return ours
"""
EQUAL = """
def both(labelnames):
    ours = {mode: metrics.gauge(f"ours_{mode}_g", "Ours.", labelnames, multiprocess_mode=mode) for mode in MODES}
    theirs = {
        mode: Gauge(f"theirs_{mode}_g", "Theirs.", labelnames, registry=None, multiprocess_mode=mode) for mode in MODES
    }
    return [(ours[mode], theirs[mode], mode) for mode in MODES]

gauges = both(("a",))
counters = [metrics.counter("ours_counted", "C.", ("a",)), Counter("theirs_counted", "C.", ("a",), registry=None)]
histograms = [metrics.histogram("ours_seen", "C.", ("a",), buckets=(1, 3)),
              Histogram("theirs_seen", "C.", ("a",), registry=None, buckets=(1, 3))]

def record(number):
    chosen = random.Random(number)
    for _ in range(40):
        label, amount = chosen.choice("xyz"), chosen.randrange(-20, 20) / 4
        verb = chosen.choice(["inc", "dec", "set", "set"])
        for ours, theirs, mode in gauges:
            verb_here = "set" if "mostrecent" in mode else verb
            for each in (ours, theirs):
                getattr(each.labels(label), verb_here)(amount)
        for each in counters:
            each.labels(a=label).inc(abs(amount))
        for each in histograms:
            each.labels(a=label).observe(amount)

children = []
for number in range(4):
    done, told = os.pipe()
    def work(number=number):
        record(number)
        os.write(told, b"x")
        signal.pause()
    children.append(in_child(work))
    os.read(done, 1)
seen = same("all live")
assert len(seen["all", (("a", "x"),)]) == 4, seen
for step, child in enumerate(children):
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    mark_process_dead(child)
    found = same(f"{step} dead")
    assert ("livesum", (("a", "x"),)) in found or step == 3, found
    if step == 1:
        reap_all(DIRECTORY)
        assert any(name.startswith("gauge_min_dead-") for name in os.listdir(DIRECTORY))
        same("reaped")
reap_all(DIRECTORY)
same("all reaped")
record(9)
same("the parent")
"""
PROGRAMS = {
    "equal to the client's": EQUAL,
    "the client reads our files": """
from prometheus_client.multiprocess import MultiProcessCollector
gauges = {mode: metrics.gauge(f"own_{mode}_g", "Ours.", multiprocess_mode=mode) for mode in MODES}
def work(number):
    for mode, gauge in gauges.items():
        gauge.set(number)
def scraped(registry):
    return {sample.name.removesuffix("_g"): sample.value for family in registry.collect() for sample in family.samples
            if sample.name.startswith("own_") and "all" not in sample.name}
for number in (3, 1, 2):
    wait(in_child(lambda: work(number)))
theirs = CollectorRegistry()
MultiProcessCollector(theirs)
everybody = scraped(theirs)
assert everybody == {"own_max": 3, "own_livemax": 3, "own_min": 1, "own_livemin": 1, "own_sum": 6, "own_livesum": 6,
                     "own_mostrecent": 2, "own_livemostrecent": 2}, everybody
ours = {key[1]: values for key, values in ((("own",) + tuple(k[1:2]), v) for k, v in page().items() if k[0] == "own")}
assert ours["max"] == [3] and ours["min"] == [1] and ours["sum"] == [6] and ours["mostrecent"] == [2], ours
assert sum(ours["livesum"]) == 0 and "livemin" in ours, ours
""",
    "a worker that has recorded nothing does not count": """
gauges = {mode: metrics.gauge(f"own_{mode}_g", "Ours.", multiprocess_mode=mode) for mode in MODES}
def work(value):
    for gauge in gauges.values():
        gauge.set(value)
page()
wait(in_child(lambda: work(-5)))
found = page()
assert found["own", "max", ()] == [-5] and found["own", "mostrecent", ()] == [-5], found
wait(in_child(lambda: work(7)))
found = page()
assert found["own", "min", ()] == [-5] and found["own", "max", ()] == [7] and found["own", "sum", ()] == [2], found
""",
    "the worker's number is used again": """
waiting = metrics.gauge("own_waiting", "CVs.", ("a",))
waiting.labels("x").set(1)
def work(value, label):
    waiting.labels(label).set(value)
def values():
    samples = (s for f in registry.collect() for s in f.samples if s.name == "own_waiting")
    return {(s.labels.pop("a"), s.labels.pop("worker")): s.value for s in samples if s.labels["service"] == "s"}
wait(in_child(lambda: work(2, "x")))
assert values() == {("x", "0"): 1, ("x", "1"): 2}, values()
wait(in_child(lambda: work(3, "y")))
assert values() == {("x", "0"): 1, ("x", "1"): 2, ("y", "1"): 3}, values()
wait(in_child(lambda: work(4, "x")))
assert values() == {("x", "0"): 1, ("x", "1"): 4, ("y", "1"): 3}, values()
""",
    "below zero": """
waiting = metrics.gauge("own_waiting", "CVs.", multiprocess_mode="livesum")
waiting.set(5)
def work():
    waiting.dec(7)
    assert page()["own", "waiting", ()] == [-2]
wait(in_child(work))
assert page()["own", "waiting", ()] == [5]
""",
    "a metric that only some have declared": """
def work():
    metrics.counter("own_counted", "C.", ("a",)).labels("x").inc(2)
    for mode in MODES:
        metrics.gauge(f"own_{mode}_g", "G.", multiprocess_mode=mode).set(3)
    metrics.histogram("own_seen", "H.", buckets=(1, 2)).observe(1.5)
wait(in_child(work))
wait(in_child(work))
found = page()
assert found["own", "counted_total", (("a", "x"),)] == [4], found
assert found["own", "sum", ()] == [6] and found["own", "max", ()] == [3], found
assert found["own", "all", ()] in ([3], [3, 3]), found
assert found["own", "seen_bucket", (("le", "2.0"),)] == [2], found
own = metrics.gauge("own_sum_g", "G.", multiprocess_mode="sum")
own.inc()
assert page()["own", "sum", ()] == [7]
""",
    "a mode that was another one at an earlier start": """
def work():
    metrics.gauge("own_waiting", "G.", multiprocess_mode="max").set(3)
wait(in_child(work))
metrics.gauge("own_waiting", "G.", multiprocess_mode="sum").set(4)
assert page()["own", "waiting", ()] == [4]
check(1, "mlmetrics_recording_errors_total", where="workers")
""",
    "a fork in a block": """
running = metrics.gauge("own_running", "G.", multiprocess_mode="livesum")
counted = metrics.counter("own_counted", "C.")
with running.track_inprogress():
    counted.inc()
    wait(in_child(lambda: counted.inc()))
    assert page()["own", "running", ()] == [1] and page()["own", "counted_total", ()] == [2]
assert page()["own", "running", ()] == [0]
""",
    "threads": """
counted = metrics.counter("own_counted", "C.", ("a",))
waiting = metrics.gauge("own_waiting", "G.", ("a",), multiprocess_mode="sum")
seen = metrics.histogram("own_seen", "H.", buckets=(1, 2))
def work(number):
    up = number % 2
    for index in range(20_000):
        counted.labels(a=str(index % 3)).inc()
        gauge = waiting.labels(a="x")
        gauge.inc(2) if up else gauge.dec()
        seen.observe(1.5)
    if number == 3:
        wait(in_child(lambda: counted.labels(a="0").inc()))
threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
check(16 * 20_000 + 1, "own_counted_total")
check(8 * 20_000, "own_waiting")
check(16 * 20_000, "own_seen_count")
""",
    "a handler that forks and records": """
counted = metrics.counter("own_counted", "C.")
waiting = metrics.gauge("own_waiting", "G.", multiprocess_mode="sum")
last = metrics.gauge("own_last", "G.", multiprocess_mode="mostrecent")
calls, children = [0], []
def handler(*_):
    pid = os.fork()
    if pid == 0:
        counted.inc()
        waiting.inc()
        os._exit(0)
    counted.inc()
    waiting.dec()
    children.append(pid)
signal.signal(signal.SIGUSR1, handler)
def send():
    for sent in range(20):
        os.kill(os.getpid(), signal.SIGUSR1)
        while len(children) == sent:
            time.sleep(0.001)
thread = threading.Thread(target=send)
thread.start()
while thread.is_alive():
    counted.inc()
    waiting.inc()
    last.set(7)
    calls[0] += 1
thread.join()
for child in children:
    wait(child)
check(calls[0] + 2 * len(children), "own_counted_total")
check(calls[0], "own_waiting")
check(7, "own_last")
""",
}


@pytest.mark.parametrize("what", PROGRAMS)
def test_several_processes(tmp_path: Path, what: str) -> None:
    """What the processes have recorded is exact, whoever answers."""
    run_script(START + COMMON + PROGRAMS[what], PROMETHEUS_MULTIPROC_DIR=str(tmp_path))
