"""What counters, gauges and histograms record, and what becomes of mistakes."""

import logging
import math
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.utils import floatToGoString
from structlog.testing import capture_logs

from mlmetrics import MLMetrics
from mlmetrics.recording.series import BOUND
from tests.recorded import errors, label_values, samples, value

if TYPE_CHECKING:
    from collections.abc import Callable


class Hostile:
    """An object whose every use raises."""

    def __float__(self) -> float:
        """Raise."""
        raise RuntimeError("float")

    def __hash__(self) -> int:
        """Raise."""
        raise RuntimeError("hash")

    def __eq__(self, other: object) -> bool:
        """Raise."""
        raise RuntimeError("eq")

    def __repr__(self) -> str:
        """Raise."""
        raise RuntimeError("repr")


NO_NUMBERS: tuple[Any, ...] = ("1", b"1", None, [1], Hostile(), object(), 10**400)
NOT_FINITE = (math.nan, math.inf, -math.inf)
NUMBERS: tuple[Any, ...] = (2, 2.0, True, Decimal(2), Fraction(2), np.float32(2), np.int8(2), np.array(2.0), 2**53)


class TestCounter:
    """`counter`."""

    @pytest.mark.parametrize("number", NUMBERS, ids=repr)
    def test_numbers(self, registry: CollectorRegistry, metrics: MLMetrics, number: Any) -> None:
        """Every kind of number is added up, also often."""
        accepted = metrics.counter("cv_accepted", "CVs.")
        for _ in range(100):
            accepted.inc(number)
        assert 100 * float(number) == value(registry, "cv_accepted_total")
        assert {} == errors(registry)

    @pytest.mark.parametrize("number", [*NO_NUMBERS, *NOT_FINITE, -1, -0.5, Decimal(-1)], ids=type)
    def test_mistakes(self, registry: CollectorRegistry, metrics: MLMetrics, number: Any) -> None:
        """What cannot be added, as a negative amount, is counted, and reaches nobody."""
        accepted = metrics.counter("cv_accepted", "CVs.")
        accepted.inc()
        accepted.inc(number)
        assert 1 == value(registry, "cv_accepted_total")
        assert {"metric": 1} == errors(registry)

    def test_mistakes_are_logged_once(self, metrics: MLMetrics) -> None:
        """The first mistake is logged, with the metric and what is wrong."""
        accepted = metrics.counter("cv_accepted", "CVs.")
        with capture_logs() as logs:
            for _ in range(3):
                accepted.inc(-1)
        assert ["cv_accepted_total.inc: a counter only goes up; got -1.0. Use a gauge"] == [
            event["problem"] for event in logs
        ]

    def test_stands_at_zero(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """Without labels from its declaration on, with labels from the first time that they are given."""
        metrics.counter("cv_accepted", "CVs.")
        metrics.counter("cv_refused", "CVs.", ("country",)).labels(country="fr")
        assert 0 == value(registry, "cv_accepted_total") == value(registry, "cv_refused_total", country="fr")

    def test_whole_numbers_beyond_floats(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """Numbers whose sum no float can hold do not take others with them: the sum is infinite."""
        metrics.counter("cv_bytes", "Bytes.").inc(3)
        for amount in [10**308] * 2:
            metrics.counter("cv_bytes", "Bytes.").inc(amount)
            metrics.histogram("cv_sizes", "Sizes.").observe(amount)
        assert math.inf == value(registry, "cv_bytes_total") == value(registry, "cv_sizes_sum")
        assert 2 == value(registry, "cv_sizes_count")
        assert {} == errors(registry)

    def test_is_folded(self, metrics: MLMetrics) -> None:
        """What waits to be folded stays near its bound."""
        accepted = metrics.counter("cv_accepted", "CVs.")
        for amount in (1, 2.5):
            for _ in range(3 * BOUND):
                accepted.inc(amount)
            assert len(accepted._pending) <= BOUND


class TestGauge:
    """`gauge`."""

    def test_order(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """Values that are set and changes count in their order."""
        waiting = metrics.gauge("cv_waiting", "CVs.")
        steps: list[tuple[Callable[[], None], float]] = [
            (waiting.inc, 1),
            (lambda: waiting.set(5), 5),
            (lambda: waiting.dec(7), -2),
            (lambda: waiting.set(0.5), 0.5),
            (lambda: waiting.inc(0.25), 0.75),
            (waiting.dec, -0.25),
        ]
        for step, expected in steps:
            step()
            assert expected == value(registry, "cv_waiting")
        for step, _ in steps:
            step()
        assert -0.25 == value(registry, "cv_waiting")

    @pytest.mark.parametrize("number", NUMBERS, ids=repr)
    def test_numbers(self, registry: CollectorRegistry, metrics: MLMetrics, number: Any) -> None:
        """Every kind of number is set, added and taken away."""
        waiting = metrics.gauge("cv_waiting", "CVs.")
        waiting.set(number)
        waiting.inc(number)
        waiting.inc(number)
        waiting.dec(number)
        assert 2 * float(number) == value(registry, "cv_waiting")

    @pytest.mark.parametrize("number", NOT_FINITE)
    def test_not_finite(self, registry: CollectorRegistry, metrics: MLMetrics, number: float) -> None:
        """What is not finite can be set, and neither added nor taken away."""
        waiting = metrics.gauge("cv_waiting", "CVs.")
        waiting.set(1)
        waiting.inc(number)
        waiting.dec(number)
        assert 1 == value(registry, "cv_waiting")
        assert {"metric": 2} == errors(registry)
        waiting.set(number)
        assert str(number) == str(value(registry, "cv_waiting"))

    @pytest.mark.parametrize("number", NO_NUMBERS, ids=type)
    @pytest.mark.parametrize("verb", ["inc", "dec", "set"])
    def test_mistakes(self, registry: CollectorRegistry, metrics: MLMetrics, verb: str, number: Any) -> None:
        """What is no number is counted, and reaches nobody."""
        waiting = metrics.gauge("cv_waiting", "CVs.")
        waiting.set(3)
        getattr(waiting, verb)(number)
        assert 3 == value(registry, "cv_waiting")
        assert {"metric": 1} == errors(registry)

    @pytest.mark.parametrize("mode", ["mostrecent", "livemostrecent"])
    def test_changes_of_the_newest(self, registry: CollectorRegistry, metrics: MLMetrics, mode: Any) -> None:
        """Where the newest value counts a change says nothing: it is counted as a mistake, as the client refuses it."""
        waiting = metrics.gauge("cv_waiting", "CVs.", multiprocess_mode=mode)
        waiting.set(3)
        waiting.inc()
        waiting.dec()
        with waiting.track_inprogress():
            assert 3 == value(registry, "cv_waiting")
        assert {"metric": 4} == errors(registry)

    def test_current_time(
        self, registry: CollectorRegistry, metrics: MLMetrics, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The time is in seconds since 1970."""
        monkeypatch.setattr("time.time", lambda: 1_700_000_000.5)
        metrics.gauge("cv_last", "Time.", unit="seconds").set_to_current_time()
        assert 1_700_000_000.5 == value(registry, "cv_last_seconds")


class TestHistogram:
    """`histogram`."""

    @pytest.mark.parametrize("number", NUMBERS, ids=repr)
    def test_numbers(self, registry: CollectorRegistry, metrics: MLMetrics, number: Any) -> None:
        """Every kind of number goes to its bucket; a bound belongs to its own."""
        pages = metrics.histogram("cv_pages", "Pages.", buckets=(1, 2, 2.0**53))
        pages.observe(number)
        assert 1 == value(registry, "cv_pages_bucket", le=floatToGoString(2.0**53))
        assert (float(number) <= 2) == value(registry, "cv_pages_bucket", le="2.0")
        assert float(number) == value(registry, "cv_pages_sum")

    def test_below_zero(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """Negative numbers are numbers."""
        drift = metrics.histogram("cv_drift", "Drift.", buckets=(-1, 0, 1))
        drift.observe(-0.5)
        assert (0, 1) == (
            value(registry, "cv_drift_bucket", le="-1.0"),
            value(registry, "cv_drift_bucket", le="0.0"),
        )
        assert -0.5 == value(registry, "cv_drift_sum")

    @pytest.mark.parametrize("number", [*NO_NUMBERS, *NOT_FINITE], ids=type)
    def test_mistakes(self, registry: CollectorRegistry, metrics: MLMetrics, number: Any) -> None:
        """What is no finite number is counted, and reaches nobody: one would spoil the sum for ever."""
        pages = metrics.histogram("cv_pages", "Pages.")
        pages.observe(number)
        pages.observe(1.5)
        assert (1, 1.5) == (value(registry, "cv_pages_count"), value(registry, "cv_pages_sum"))
        assert {"metric": 1} == errors(registry)


class Color(Enum):
    """Label values."""

    RED = "red"


class TestLabels:
    """`labels`."""

    def test_by_order_and_by_name(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """The same labels give the same series, whichever way they are given."""
        accepted = metrics.counter("cv_accepted", "CVs.", ("country", "city"))
        series = accepted.labels("fr", "Paris")
        for _ in range(2):
            assert series is accepted.labels(country="fr", city="Paris") is accepted.labels(city="Paris", country="fr")
        series.inc()
        accepted.labels("Paris", "fr").inc(2)
        assert 1 == value(registry, "cv_accepted_total", country="fr", city="Paris")
        assert 2 == value(registry, "cv_accepted_total", country="Paris", city="fr")

    @pytest.mark.parametrize(
        ("given", "text"),
        [("fr", "fr"), (3, "3"), (True, "True"), (1.5, "1.5"), (Color.RED, "red"), ("é" * 300, "é" * 200)],
    )
    def test_values_become_text(self, registry: CollectorRegistry, metrics: MLMetrics, given: Any, text: str) -> None:
        """Values are cleaned as those of all metrics."""
        accepted = metrics.counter("cv_accepted", "CVs.", ("country",))
        for _ in range(2):
            accepted.labels(country=given).inc()
            accepted.labels(given).inc()
        assert [text] == label_values(registry, "cv_accepted_total", "country")
        assert 4 == value(registry, "cv_accepted_total")

    def test_values_that_are_equal(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """1, 1.0 and True are equal, and are not the same text."""
        accepted = metrics.counter("cv_accepted", "CVs.", ("country",))
        for given in (1, True, 1.0, "1"):
            accepted.labels(country=given).inc()
        found = {each.labels["country"]: each.value for each in samples(registry, "cv_accepted_total")}
        assert {"1": 2, "True": 1, "1.0": 1} == found

    @pytest.mark.parametrize("given", [None, "", [], 10**5000, Hostile()], ids=type)
    def test_values_that_are_none(self, registry: CollectorRegistry, metrics: MLMetrics, given: Any) -> None:
        """What is no text is `unknown`, and counted."""
        accepted = metrics.counter("cv_accepted", "CVs.", ("country",))
        accepted.labels(country=given).inc()
        assert ["unknown"] == label_values(registry, "cv_accepted_total", "country")
        assert {"label.country": 1} == errors(registry)

    @pytest.mark.parametrize(
        ("values", "named", "country", "city"),
        [
            (("fr",), {}, "unknown", "unknown"),
            (("fr", "Paris", "x"), {}, "unknown", "unknown"),
            ((), {}, "unknown", "unknown"),
            (("fr",), {"city": "Paris"}, "fr", "Paris"),
            ((), {"country": "fr"}, "fr", "unknown"),
            ((), {"country": "fr", "town": "Paris"}, "fr", "unknown"),
            ((), {"country": "fr", "city": "Paris", "service": "x"}, "fr", "Paris"),
            ((("country", "fr"), ("city", "Paris")), {}, "unknown", "unknown"),
        ],
    )
    def test_wrong_labels(  # noqa: PLR0917 (pytest passes them)
        self,
        registry: CollectorRegistry,
        metrics: MLMetrics,
        values: tuple[Any, ...],
        named: dict[str, Any],
        country: str,
        city: str,
    ) -> None:
        """Labels that are missing or not declared are counted, and what is recorded is not lost."""
        accepted = metrics.counter("cv_accepted", "CVs.", ("country", "city"))
        accepted.labels(country="fr", city="Paris")
        for _ in range(2):
            accepted.labels(*values, **named).inc()
        assert 2 == value(registry, "cv_accepted_total", country=country, city=city, service="s")
        assert errors(registry) in ({"metric": 2}, {"label.city": 2, "label.country": 2})

    def test_without_labels(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """Verbs of a metric whose labels were not given are counted, and recorded as `unknown`."""
        metrics.counter("cv_accepted", "CVs.", ("country",)).inc()
        metrics.gauge("cv_waiting", "CVs.", ("country",)).set(2)
        metrics.histogram("cv_pages", "CVs.", ("country",)).observe(3)
        assert 1 == value(registry, "cv_accepted_total", country="unknown")
        assert 2 == value(registry, "cv_waiting", country="unknown")
        assert 3 == value(registry, "cv_pages_sum", country="unknown")
        assert {"metric": 3} == errors(registry)

    def test_of_what_has_none(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """Labels of a metric without labels, or given twice, are counted, and change nothing."""
        accepted = metrics.counter("cv_accepted", "CVs.")
        assert accepted is accepted.labels() is accepted.labels("fr") is accepted.labels(country="fr")
        series = metrics.counter("cv_refused", "CVs.", ("country",)).labels("fr")
        assert series is series.labels("de")
        assert {"metric": 4} == errors(registry)

    def test_limits(self, registry: CollectorRegistry) -> None:
        """Beyond the limit of values, and of series, they are `other`, and counted."""
        metrics = MLMetrics(service="s", registry=registry, max_label_values=3, max_series=4)
        accepted = metrics.counter("cv_accepted", "CVs.", ("country", "city"))
        for number in range(10):
            for city in ("a", "b"):
                accepted.labels(country=f"c{number}", city=city).inc()
        assert 20 == value(registry, "cv_accepted_total")
        assert ["c0", "c1", "other"] == label_values(registry, "cv_accepted_total", "country")
        overflow = {each.labels["label"]: each.value for each in samples(registry, "mlmetrics_label_overflow_total")}
        assert overflow["country"] == 14
        assert overflow["all labels together"] > 0
        assert len(accepted._by_name["country"]) == 2

    def test_any_name(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """A label may have a name that Python keeps for itself, or that our methods use."""
        accepted = metrics.counter("cv_accepted", "CVs.", ("class", "self", "values", "named"))
        accepted.labels(**{"class": "a", "self": "b", "values": "c", "named": "d"}).inc()
        assert 1 == value(registry, "cv_accepted_total", **{"class": "a", "self": "b", "values": "c", "named": "d"})

    def test_shown(self, metrics: MLMetrics) -> None:
        """A metric and a series say what they are."""
        accepted = metrics.counter("cv_accepted", "CVs.", ("country",))
        assert "<counter cv_accepted_total>" == repr(accepted)
        assert "<counter cv_accepted_total{'country': 'fr'}>" == repr(accepted.labels("fr"))


def test_a_log_that_raises(registry: CollectorRegistry, metrics: MLMetrics, monkeypatch: pytest.MonkeyPatch) -> None:
    """A logger that raises is no reason for a mistake in recording to reach the user."""
    monkeypatch.setattr("mlmetrics.logs.logger", lambda: logging.nothing)  # type: ignore[attr-defined]
    metrics.counter("cv_accepted", "CVs.").inc(-1)
    assert {"metric": 1} == errors(registry)
