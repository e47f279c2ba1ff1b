"""The text of a registry, held against what prometheus_client writes of the same registry."""

import threading
from collections.abc import Iterator
from time import perf_counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Enum, Gauge, Histogram, Info, Summary, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar

from mlmetrics.exposition.text import render
from mlmetrics.http.requests import requests_of
from mlmetrics.recording.collector import store_for
from tests.http.asking import value

ODD = ["\n", "\\", '"', "\\n", 'a"b\\c\nd', "# EOF", "{}", "é漢😀", "\x00", " "]
HOSTILE = st.text(max_size=20) | st.sampled_from(ODD)
ENCODABLE = HOSTILE.filter(lambda text: text.encode("utf-8", "ignore").decode() == text)
FEW = settings(max_examples=40)
SECONDS = st.floats(allow_nan=False, allow_infinity=False, min_value=0, max_value=1e9)


def assert_same(registry: CollectorRegistry) -> None:
    """Fail unless both formats are the client's, byte for byte."""
    store_for(registry)
    assert generate_latest(registry) == render(registry)
    assert generate_openmetrics(registry) == render(registry, openmetrics=True)


def assert_valid(registry: CollectorRegistry) -> None:
    """Fail unless the strict parser of the client takes the OpenMetrics form."""
    assert list(text_string_to_metric_families(render(registry, openmetrics=True).decode()))


def add_foreign(registry: CollectorRegistry, prefix: str, label: str, number: float) -> None:
    """Register one of each kind of the client's own metrics."""
    Counter(f"{prefix}_events", 'Help with \\ and "\n".', ["a"], registry=registry).labels(label).inc(number)
    Gauge(f"{prefix}_level", "", registry=registry).set(-number)
    Histogram(f"{prefix}_seconds", "Took.", ["z"], registry=registry).labels(label).observe(number, {"trace_id": "abc"})
    Summary(f"{prefix}_size", "Big.", registry=registry).observe(number)
    Info(f"{prefix}_build", "Made.", registry=registry).info({"version": label})
    Enum(f"{prefix}_state", "Is.", states=["on", "off"], registry=registry).state("off")


class Odd(Collector):
    """A collector of other people's that yields what the client's own metrics do not."""

    def collect(self) -> Iterator[Metric]:
        """Yield families with time stamps, units, infinite and undefined values, or without samples."""
        counter = CounterMetricFamily("odd_joules", "Energy.", labels=["x"], unit="joules", created=123.5)
        counter.add_metric(["1"], float("inf"), created=1.25, timestamp=1700000000.5)
        yield counter
        gauge = GaugeMetricFamily("odd_gauge", "Undefined.")
        gauge.add_metric([], float("nan"))
        yield gauge
        yield GaugeMetricFamily("odd_empty", "Without samples.")
        yield Metric("odd_untyped", "Of no type.", "unknown")


class TestRender:
    """Byte for byte what `generate_latest` writes."""

    def test_an_empty_registry(self, registry: CollectorRegistry) -> None:
        """A registry without anything of anybody's is the same too, and ends as it must."""
        assert_same(registry)
        assert_valid(registry)
        assert render(registry, openmetrics=True).endswith(b"\n# EOF\n")

    @FEW
    @given(
        labels=st.lists(st.tuples(ENCODABLE, ENCODABLE), max_size=4),
        seconds=st.lists(SECONDS, max_size=30),
        statuses=st.lists(st.integers(100, 599), min_size=1, max_size=3),
    )
    def test_our_own_families(self, labels: list[tuple[str, str]], seconds: list[float], statuses: list[int]) -> None:
        """Any label text, any durations, any number of series."""
        registry = CollectorRegistry()
        store = store_for(registry)
        for service, route in labels:
            series = requests_of(store, service).route("GET", route)
            for number, second in enumerate(seconds):
                series.finish((statuses[number % len(statuses)], second, second / 2))
            store.histogram("parsing_accuracy_score", (service, route, "pdf")).record(0.5)
            store.gauge("ml_model_info", (service, route, "1")).record(1)
        assert_same(registry)
        assert_valid(registry)

    @FEW
    @given(number=SECONDS, label=ENCODABLE, ours_first=st.booleans())
    def test_foreign_families_around_ours(self, number: float, label: str, ours_first: bool) -> None:  # noqa: FBT001 (drawn)
        """The client's own metrics and other people's collectors, before and after ours, in their order."""
        registry = CollectorRegistry()
        if ours_first:
            store_for(registry)
        add_foreign(registry, "before", label, number)
        requests_of(store_for(registry), "s").route("GET", label).finish((200, number, None))
        add_foreign(registry, "after", label, number)
        registry.register(Odd())
        assert_same(registry)

    @FEW
    @given(seconds=st.lists(SECONDS, min_size=1), value=ENCODABLE, stamp=st.floats(1, 2e9))
    def test_exemplars(self, seconds: list[float], value: str, stamp: float) -> None:
        """Pitfall 22: trace ids stand on the buckets of OpenMetrics, and nowhere in the text format."""
        registry = CollectorRegistry()
        series = requests_of(store_for(registry), "s").route("GET", "/x")
        for second in seconds:
            series.finish((200, second, None))
            series.mark(Exemplar({"trace_id": value[:20], "span_id": "b"}, second, stamp))
        # The strict parser does not know an escaped quote here, though the format has it.
        assert_same(registry)
        assert b"span_id" in render(registry, openmetrics=True)
        assert b"span_id" not in render(registry)

    def test_a_target_info(self) -> None:
        """A registry with target information begins with it, as ever."""
        registry = CollectorRegistry(target_info={"service": 'a"b'})
        assert_same(registry)

    def test_names_restrict(self, registry: CollectorRegistry) -> None:
        """Only families with samples of these names are written, the client's and ours alike."""
        add_foreign(registry, "other", "x", 1)
        requests_of(store_for(registry), "s").route("GET", "/x").finish((200, 1, None))
        names = ["other_level", "fastapi_requests_total"]
        text = render(registry, names=names).decode()
        assert {"other_level", "fastapi_requests_total"} == {
            line.partition("{")[0].partition(" ")[0] for line in text.splitlines() if not line.startswith("#")
        }
        assert generate_latest(registry.restricted_registry(["other_level"])) == render(registry, names=["other_level"])


class TestSelf:
    """What a scrape says of scrapes."""

    def test_the_previous_scrape_was_measured(self, registry: CollectorRegistry) -> None:
        """The first scrape knows of none; the second says how long the first took."""
        began = perf_counter()
        render(registry)
        # Not a matter of speed: a time of day or a sum would be far beyond what this test took.
        assert 0 < value(registry, "mlmetrics_scrape_duration_seconds") <= perf_counter() - began

    def test_errors_are_counted_and_raised(self, registry: CollectorRegistry) -> None:
        """A collector that raises fails the scrape, and leaves its mark on the next."""
        store_for(registry)
        failing = [True]

        class Failing(Collector):
            def collect(self) -> list[Any]:
                if failing[0]:
                    raise ZeroDivisionError
                return []

            def describe(self) -> list[Any]:
                return []

        registry.register(Failing())
        with pytest.raises(ZeroDivisionError):
            render(registry)
        failing[0] = False
        assert b"\nmlmetrics_scrape_errors_total 1.0\n" in render(registry)

    def test_recording_goes_on_during_scrapes(self, registry: CollectorRegistry) -> None:
        """Threads that record while others scrape lose nothing, and no histogram is torn."""
        series = requests_of(store := store_for(registry), "s").route("GET", "/x")
        torn: list[str] = []

        def record() -> None:
            for _ in range(20_000):
                series.finish((200, 0.02, 0.01))
                if len(series.finished) > 100:
                    store.fold(series)

        def scrape() -> None:
            for _ in range(30):
                lines = [line for line in render(registry).decode().splitlines() if 'route="/x"' in line]
                last = {
                    line.rpartition(" ")[2]
                    for line in lines
                    if line.startswith("fastapi_request_duration_seconds_")
                    and ('le="+Inf"' in line or "_count" in line)
                }
                if len(last) > 1:
                    torn.append(str(last))

        threads = [threading.Thread(target=target) for target in (record, record, record, scrape, scrape)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [] == torn
        assert 60_000 == value(registry, "fastapi_requests_total", route="/x")
