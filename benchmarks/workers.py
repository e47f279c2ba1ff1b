"""Several processes: calls, requests and scrapes with numbers in files, beside the floor, the client and ourselves.

prometheus_client decides at its import whether its values stand in files. So all of this is measured in a
process of its own (`python -m benchmarks.workers ROUNDS`), which has a directory in its environment.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from itertools import repeat
from pathlib import Path
from time import thread_time_ns
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from benchmarks.floor import calling, floor_sides, noop
from benchmarks.in_files import run_in_files
from benchmarks.ours import SERVICE, Toolkit
from benchmarks.peers import histogram, sample
from benchmarks.requests import make_app, requesting
from benchmarks.results import Missing, Row, medians
from benchmarks.timing import Ratio, Side, added, interleave, ratio
from mlmetrics.exposition.text import render
from mlmetrics.workers.directory import VARIABLE

MODELS = 1000
WORKERS = 4
DEAD = 1000
ROWS = ("workers/call", "workers/call_1000", "workers/client", "workers/request", "workers/scrape", "workers/dead")


def measure_workers(rounds: int) -> list[Row | Missing]:
    """Measure in a process with a directory."""
    done = run_in_files("benchmarks.workers", rounds)
    if done.returncode:
        problem = (done.stderr.strip().splitlines() or ["no output"])[-1]
        return [Missing(name, problem, wrong=True) for name in ROWS]
    return [Row(**{**row, "ratio": Ratio(**row["ratio"])}) for row in json.loads(done.stdout)]


@contextmanager
def directory_of(name: str | None) -> Iterator[Path | None]:
    """Have stores that are made meanwhile record into a directory of this name, or with None into memory."""
    before = os.environ[VARIABLE]
    folder = None if name is None else Path(before) / name
    if folder is None:
        del os.environ[VARIABLE]
    else:
        folder.mkdir()
        os.environ[VARIABLE] = str(folder)
    try:
        yield folder
    finally:
        os.environ[VARIABLE] = before


def client() -> Side:
    """Return the client's histogram, counter and gauge, each child looked up once, around a function."""
    registry = CollectorRegistry()
    labels = (SERVICE, "gpt-4", "")
    names = ("service", "model", "operation")
    durations = histogram(registry).labels(*labels)
    running = Gauge("calls_in_progress", "Calls.", names, registry=registry, multiprocess_mode="livesum").labels(
        *labels
    )
    counter = Counter("calls", "Calls.", (*names, "outcome"), registry=registry)
    failed, succeeded = counter.labels(*labels, "failure"), counter.labels(*labels, "success")

    def timed(number: int) -> int:
        with running.track_inprogress(), failed.count_exceptions(), durations.time():
            result = noop(number)
        succeeded.inc()
        return result

    return Side("client", calling(timed), lambda: sample(registry, "calls_seconds_count"))


def measure_calls(rounds: int) -> list[Row]:
    """Measure a decorated function of one series, 1,000 of them in turn, and the client."""
    with directory_of("calls"):
        toolkit = Toolkit(max_label_values=2 * MODELS)
        one = toolkit.metrics.track_inference(model="gpt-4")(noop)
        many = [toolkit.metrics.track_inference(model=f"model-{number}")(noop) for number in range(MODELS)]
        single = [Side("ours", calling(one), lambda: toolkit.calls("gpt-4")), client()]
        times = interleave([*floor_sides(), *single], rounds)
        every = Side("ours", in_turn(many), lambda: succeeded_of(toolkit) - toolkit.calls("gpt-4"))
        in_turn_times = interleave([Side("in turn", in_turn([noop] * MODELS)), *floor_sides(), every], rounds)
    floor, ours, theirs = added(times, "floor"), added(times, "ours"), added(times, "client")
    floor_then, ours_1000 = added(in_turn_times, "floor"), added(in_turn_times, "ours", "in turn")
    return [
        Row("workers/call", ratio(ours, floor), "ns", medians(ours=ours, floor=floor)),
        Row("workers/call_1000", ratio(ours_1000, floor_then), "ns", medians(ours=ours_1000, floor=floor_then)),
        Row("workers/client", ratio(theirs, ours), "ns", medians(client=theirs, ours=ours)),
    ]


def in_turn(functions: Sequence[Callable[[int], int]]) -> Callable[[int], None]:
    """Return a loop that calls the functions one after the other."""

    def run(units: int) -> None:
        whole, rest = divmod(units, len(functions))
        for chosen in (*repeat(functions, whole), functions[:rest]):
            for function in chosen:
                function(1)

    return run


def succeeded_of(toolkit: Toolkit) -> float:
    """Return how many calls of any model have succeeded."""
    return toolkit.value("ml_inference_total", outcome="success")


def measure_requests(rounds: int) -> list[Row]:
    """Measure a request with numbers in files beside one with numbers in memory."""
    loop = asyncio.new_event_loop()
    sides = [Side("bare", requesting(make_app(), loop))]
    for name, kept in (("memory", None), ("files", "requests")):
        with directory_of(kept):
            app, toolkit = make_app(), Toolkit()
            toolkit.metrics.instrument(app, service_name=SERVICE)
        sides.append(Side(name, requesting(app, loop, toolkit.fold), requests_of(toolkit)))
    times = interleave(sides, rounds)
    loop.close()
    files, memory = added(times, "files"), added(times, "memory")
    return [Row("workers/request", ratio(files, memory), "ns", medians(files=files, memory=memory))]


def requests_of(toolkit: Toolkit) -> Callable[[], float]:
    """Return a function that reads how many requests were recorded."""
    return lambda: toolkit.value("fastapi_requests_total", status="200")


def measure_scrapes(rounds: int) -> list[Row]:
    """Measure a scrape of four workers with 1,000 models beside the client's, and with 1,000 dead workers and none."""
    with directory_of("scrapes") as folder:
        toolkit = Toolkit(max_label_values=2 * MODELS)
        workers = [live_worker(toolkit) for _ in range(WORKERS)]
        files = CollectorRegistry()
        MultiProcessCollector(files, path=str(folder))
        page = render(toolkit.registry)
        times: dict[str, list[float]] = {"client": [], "ours": []}
        for _ in range(rounds):
            times["client"].append(milliseconds(lambda: generate_latest(files)))
            times["ours"].append(milliseconds(lambda: render(toolkit.registry)))
        for pid in workers:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    if page.count(b"ml_inference_duration_seconds_count{") != MODELS:
        raise SystemExit("not the series that should be there")
    return [Row("workers/scrape", ratio(times["client"], times["ours"]), "ms", medians(**times))]


def measure_dead(rounds: int) -> list[Row]:
    """Measure a scrape after 1,000 workers have died beside one where none has."""
    times: dict[str, list[float]] = {}
    toolkits = {}
    for name, dead in (("none", 1), ("dead", DEAD)):
        with directory_of(name):
            toolkits[name] = Toolkit()
            for _ in range(dead):
                pid = os.fork()
                if pid == 0:
                    toolkits[name].metrics.track_ml_inference("gpt-4", SERVICE, 0.1)
                    os._exit(0)
                os.waitpid(pid, 0)
            render(toolkits[name].registry)
            if toolkits[name].calls("gpt-4") != dead:
                raise SystemExit(f"{toolkits[name].calls('gpt-4')} calls of {dead} workers")
    for _ in range(rounds * 5):
        for name, toolkit in toolkits.items():
            times.setdefault(name, []).append(milliseconds(lambda registry=toolkit.registry: render(registry)))  # type: ignore[misc]  # mypy cannot type a default
    return [Row("workers/dead", ratio(times["dead"], times["none"]), "ms", medians(**times))]


def live_worker(toolkit: Toolkit) -> int:
    """Start a worker that has recorded a call of each model, and waits."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        for number in range(MODELS):
            toolkit.metrics.track_ml_inference(f"model-{number}", SERVICE, number / MODELS)
        os.write(writing, b"x")
        signal.pause()
    os.read(reading, 1)
    os.close(reading)
    os.close(writing)
    return pid


def milliseconds(run: Callable[[], Any]) -> float:
    """Return the processor time of a run."""
    start = thread_time_ns()
    run()
    return (thread_time_ns() - start) / 1e6


def main() -> None:
    """Print the rows as JSON."""
    rounds = int(sys.argv[1])
    few = max(3, rounds // 12)
    rows = [*measure_calls(rounds), *measure_requests(rounds), *measure_scrapes(few), *measure_dead(few)]
    sys.stdout.write(json.dumps([asdict(row) for row in rows]))


if __name__ == "__main__":
    main()
