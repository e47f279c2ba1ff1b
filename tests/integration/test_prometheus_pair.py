"""A pair of Prometheus that read one file and write to VictoriaMetrics, while one of them is gone.

The outage takes ten scrapes of a second; `make scale` takes the issue's minute (`OUTAGE_SECONDS=60`).
"""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import pairwise

import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from mlmetrics import MLMetrics
from mlmetrics.monitoring.loading import parse
from mlmetrics.monitoring.prometheus.files import server_files
from tests.monitoring.configurations import ONE_SERVICE
from tests.servers import Prometheus, ThreadServer, VictoriaMetrics

OUTAGE_SECONDS = float(os.environ.get("OUTAGE_SECONDS", "10"))
AROUND_SECONDS = 4.0
# The rendered interval of services, 10 s, in a tenth of real time.
TIME_SCALE = 0.1
SCRAPE_SECONDS = 1.0
# Samples of two members, one kept for each second, are less than two seconds apart; a busy machine may add half a one.
LARGEST_GAP_SECONDS = 2.5 * SCRAPE_SECONDS


@pytest.fixture
def storage() -> Iterator[VictoriaMetrics]:
    """Run a VictoriaMetrics that keeps one sample for each interval, and hides none that are new."""
    with VictoriaMetrics([f"-dedup.minScrapeInterval={SCRAPE_SECONDS:g}s", "-search.latencyOffset=0s"]) as running:
        yield running


@pytest.fixture
def pair(storage: VictoriaMetrics) -> Iterator[tuple[Prometheus, Prometheus]]:
    """Run a service, and two Prometheus on the one rendered file."""
    metrics, app = MLMetrics(service="solo", registry=CollectorRegistry()), FastAPI()
    metrics.instrument(app, service_name="solo")
    with ExitStack() as started:
        service = started.enter_context(ThreadServer(app))
        config = parse(ONE_SERVICE.replace("solo:80", f"127.0.0.1:{service.port}")).scaled(TIME_SCALE)
        files = server_files(replace(config, remote_write=f"{storage.url}/api/v1/write"))
        text = files.pop("prometheus.yml")
        first, second = (started.enter_context(Prometheus(text, files)) for _ in range(2))
        for each in (first, second):
            each.wait_for("up == 1")
        yield first, second


def test_no_gap_while_one_is_gone(storage: VictoriaMetrics, pair: tuple[Prometheus, Prometheus]) -> None:
    """While one member is killed and away its own series have a gap, and those in VictoriaMetrics have none."""
    first, second = pair
    began = clock(second)
    wait_until(second, began + AROUND_SECONDS)
    first.kill()
    wait_until(second, clock(second) + OUTAGE_SECONDS)
    first.start_again()
    first.wait_for(f"timestamp(up) > {clock(second)}")
    wait_until(second, end := clock(second) + AROUND_SECONDS)
    storage.wait_for(f"timestamp(up) > {end}", timeout=60)
    assert largest_gap(of_member(first, began, end)) >= OUTAGE_SECONDS
    stored = of_storage(storage, began, end)
    assert len(stored) > 30
    assert {"up"} & set(stored)
    assert {} == {name: gap for name, gap in gaps(stored).items() if gap > LARGEST_GAP_SECONDS}


def test_members_write_the_same_series(storage: VictoriaMetrics, pair: tuple[Prometheus, Prometheus]) -> None:
    """What both members send is one series each, so that VictoriaMetrics finds duplicates and sums count once."""
    for each in pair:
        wait_until(each, clock(each) + AROUND_SECONDS)
    storage.wait_for("up", timeout=60)
    assert [1.0] == [float(series["value"][1]) for series in storage.query("sum(up)")]
    # What is sent arrives some seconds later.
    (counted,) = storage.wait_for(f"count_over_time(up[{AROUND_SECONDS:g}s])", timeout=60)
    assert float(counted["value"][1]) <= AROUND_SECONDS / SCRAPE_SECONDS + 1


def clock(prometheus: Prometheus) -> float:
    """Return the time as a Prometheus has it."""
    now = prometheus.query_value("time()")
    assert now is not None
    return now


def wait_until(prometheus: Prometheus, end: float) -> None:
    """Wait until a Prometheus has scraped after a time."""
    prometheus.wait_for(f"timestamp(up) > {end}", timeout=OUTAGE_SECONDS + 60)


def of_member(prometheus: Prometheus, start: float, end: float) -> list[float]:
    """Return the times of the samples of `up` that a Prometheus has between two times."""
    body = prometheus.get("/api/v1/query", query=f"up[{end - start:.0f}s]", time=f"{end:.3f}").json()
    (series,) = body["data"]["result"]
    return [time for time, _ in series["values"]]


def of_storage(storage: VictoriaMetrics, start: float, end: float) -> dict[str, list[float]]:
    """Return the times of all samples that were scraped from the service, by series."""
    window = {"start": f"{start:.3f}", "end": f"{end:.3f}"}
    lines = storage.get("/api/v1/export", **{"match[]": '{job="solo"}'}, **window).text.splitlines()
    return {_name(each["metric"]): [time / 1000 for time in each["timestamps"]] for each in map(json.loads, lines)}


def _name(labels: dict[str, str]) -> str:
    name = labels.pop("__name__")
    known = {"job", "instance"}
    return name + "".join(f"{label}={text}" for label, text in sorted(labels.items()) if label not in known)


def gaps(series: dict[str, list[float]]) -> dict[str, float]:
    """Return the largest gap of each series that was there from the first to the last moment, and of the others too."""
    return {name: largest_gap(times) for name, times in series.items()}


def largest_gap(times: Sequence[float]) -> float:
    """Return the longest time between two samples in a row; 0 if there is one sample."""
    return max((later - earlier for earlier, later in pairwise(times)), default=0.0)
