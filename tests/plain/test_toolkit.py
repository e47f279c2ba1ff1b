"""How counters, gauges and histograms are declared, and what is refused."""

from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families

import mlmetrics
from mlmetrics import DeclarationError, MLMetrics, RegistrationError
from mlmetrics.exposition.text import render
from tests.recorded import absent, samples, value

if TYPE_CHECKING:
    from collections.abc import Callable

KINDS = ("counter", "gauge", "histogram")
NAMES = {
    "upper case": "cvAccepted",
    "a colon, for recording rules": "cv:accepted",
    "a digit first": "2cv",
    "two underscores": "cv__accepted",
    "an underscore last": "cv_",
    "empty": "",
    "no text": 3,
    "too long": "c" * 121,
    "other letters": "cv_acceptés",
    "of one kind of sample": "cv_bucket",
    "of a count": "cv_count",
    "of a sum": "cv_sum",
    "of a time of creation": "cv_created",
}
LABELS = {
    "the service": ("service",),
    "the outcome": ("outcome",),
    "the error type": ("error_type",),
    "a bucket's": ("le",),
    "a summary's": ("quantile",),
    "the scrape's": ("job",),
    "the target's": ("instance",),
    "the worker": ("worker",),
    "the token type": ("token_type",),
    "Prometheus's": ("__name__",),
    "no name": ("a-b",),
    "no text": (1,),
    "twice": ("country", "country"),
    "a text": "country",
    "no sequence": 3,
}
MODES = ("all", "liveall", "max", "livemax", "min", "livemin", "mostrecent", "livemostrecent", "sum", "livesum")


def declare(metrics: MLMetrics, kind: str, *args: Any, **kwargs: Any) -> Any:
    """Declare a metric of a kind."""
    return getattr(metrics, kind)(*args, **kwargs)


class TestDeclaring:
    """What all three kinds share."""

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("why", NAMES)
    def test_names_that_are_refused(self, metrics: MLMetrics, kind: str, why: str) -> None:
        """A name that Prometheus's conventions do not allow is refused, and nothing is registered for it."""
        before = set(metrics.store.families)
        with pytest.raises(DeclarationError, match=f"^{kind}\\("):
            declare(metrics, kind, NAMES[why], "Accepted CVs.")
        assert before == set(metrics.store.families)

    @pytest.mark.parametrize(
        ("kind", "name"), [("gauge", "cv_total"), ("histogram", "cv_total"), ("counter", "cv_info")]
    )
    def test_endings_of_another_kind(self, metrics: MLMetrics, kind: str, name: str) -> None:
        """An ending that says another kind is refused."""
        with pytest.raises(DeclarationError, match="a meaning of its own"):
            declare(metrics, kind, name, "CVs.")

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("why", LABELS)
    def test_labels_that_are_refused(self, metrics: MLMetrics, kind: str, why: str) -> None:
        """Labels that mlmetrics or Prometheus sets, and what is no label, are refused."""
        with pytest.raises(DeclarationError, match="label"):
            declare(metrics, kind, "cv_accepted", "Accepted CVs.", labelnames=LABELS[why])

    @pytest.mark.parametrize("text", ["", " ", None, 3, "a\ud800"])
    def test_documentation(self, metrics: MLMetrics, text: Any) -> None:
        """A metric says what it measures, in text that a page can hold."""
        with pytest.raises(DeclarationError, match="documentation"):
            metrics.counter("cv_accepted", text)

    @pytest.mark.parametrize("unit", ["Seconds", "s s", 3, "total", "_"])
    def test_units_that_are_refused(self, metrics: MLMetrics, unit: Any) -> None:
        """A unit becomes part of the name, so it is checked as one."""
        with pytest.raises(DeclarationError, match="unit"):
            metrics.gauge("cv_age", "Age.", unit=unit)

    @pytest.mark.parametrize(
        ("kind", "name", "unit"),
        [
            ("counter", "cv_accepted", ""),
            ("counter", "cv_accepted_total", ""),
            ("counter", "cv_waited", "seconds"),
            ("counter", "cv_waited_seconds_total", "seconds"),
            ("gauge", "cv_age", "seconds"),
            ("gauge", "cv_age_seconds", "seconds"),
            ("gauge", "cv_info", ""),
            ("histogram", "cv_size", "bytes"),
        ],
    )
    def test_is_exposed_as_the_clients(self, metrics: MLMetrics, kind: str, name: str, unit: str) -> None:
        """Both text formats are those of prometheus_client's metric of the same declaration, with the service."""
        joined = {"multiprocess_mode": "sum"} if kind == "gauge" else {}
        ours = declare(metrics, kind, name, 'Of "CVs" \\ \n all.', ("country",), unit=unit, **joined)
        registry = CollectorRegistry()
        made: Callable[..., Any] = {"counter": Counter, "gauge": Gauge, "histogram": Histogram}[kind]
        theirs = made(name, 'Of "CVs" \\ \n all.', ("country", "service"), unit=unit, registry=registry)
        record = {"counter": "inc", "gauge": "set", "histogram": "observe"}[kind]
        getattr(ours.labels(country="fr"), record)(0.3)
        getattr(theirs.labels(country="fr", service="s"), record)(0.3)
        for generate, is_open in ((generate_latest, False), (generate_openmetrics, True)):
            expected = [line for line in generate(registry).decode().splitlines() if "_created" not in line]
            page = render(metrics.registry, openmetrics=is_open).decode()

            assert set(expected) <= set(page.splitlines())
        assert list(openmetrics_families(render(metrics.registry, openmetrics=True).decode()))

    @pytest.mark.parametrize("kind", KINDS)
    def test_twice_alike(self, metrics: MLMetrics, kind: str) -> None:
        """Declared again in the same way, also by another toolkit of the registry, it is the same metric."""
        first = declare(metrics, kind, "cv_accepted", "Accepted CVs.", ("country",))
        assert first is declare(metrics, kind, "cv_accepted", "Accepted CVs.", labelnames=["country"])
        again = MLMetrics(service="s", registry=metrics.registry)
        assert first is declare(again, kind, "cv_accepted", "Accepted CVs.", ("country",))

    def test_twice_otherwise(self, metrics: MLMetrics) -> None:
        """Declared again with other labels, another text or another kind, it is refused, and the first goes on."""
        accepted = metrics.counter("cv_accepted", "Accepted CVs.", ("country",))
        with pytest.raises(DeclarationError, match="cv_accepted_total"):
            metrics.counter("cv_accepted", "Accepted CVs.", ("city",))
        with pytest.raises(DeclarationError, match="cv_accepted_total"):
            metrics.counter("cv_accepted", "CVs.", ("country",))
        with pytest.raises(DeclarationError, match="cv_accepted"):
            metrics.gauge("cv_accepted", "Accepted CVs.", ("country",))
        metrics.gauge("cv_waiting", "CVs.", multiprocess_mode="sum")
        with pytest.raises(DeclarationError, match="cv_waiting"):
            metrics.gauge("cv_waiting", "CVs.", multiprocess_mode="max")
        accepted.labels(country="fr").inc()
        assert 1 == value(metrics.registry, "cv_accepted_total")

    @pytest.mark.parametrize(
        ("kind", "name"),
        [
            ("counter", "ml_inference"),
            ("gauge", "ml_inference_in_progress"),
            ("histogram", "parsing_accuracy_score"),
            ("gauge", "mlmetrics_build_info"),
            ("histogram", "fastapi_requests"),
        ],
    )
    def test_names_of_the_catalogue(self, metrics: MLMetrics, kind: str, name: str) -> None:
        """A name that a metric of mlmetrics has, or one of its samples, is refused."""
        with pytest.raises(DeclarationError, match="another name"):
            declare(metrics, kind, name, "Mine.")

    def test_names_of_the_registry(self, metrics: MLMetrics) -> None:
        """A name that a metric of prometheus_client has in the registry is refused; both go on as they were."""
        theirs = Counter("cv_accepted", "CVs.", registry=metrics.registry)
        with pytest.raises(RegistrationError, match="cv_accepted_total"):
            metrics.counter("cv_accepted", "Accepted CVs.")
        theirs.inc()
        metrics.counter("cv_refused", "Refused CVs.").inc()
        assert 1 == value(metrics.registry, "cv_accepted_total") == value(metrics.registry, "cv_refused_total")

    def test_prometheus_client_after_ours(self, metrics: MLMetrics) -> None:
        """prometheus_client refuses a name that is ours, as any other."""
        metrics.histogram("cv_pages", "Pages.")
        with pytest.raises(ValueError, match="cv_pages"):
            Gauge("cv_pages_count", "Mine.", registry=metrics.registry)

    def test_cleared_registry(self, metrics: MLMetrics) -> None:
        """A registry that was cleared has them again after the next declaration, with what was recorded."""
        accepted = metrics.counter("cv_accepted", "Accepted CVs.")
        accepted.inc()
        for collector in tuple(metrics.registry._collector_to_names):
            metrics.registry.unregister(collector)
        assert absent(metrics.registry, "cv_accepted_total")
        assert accepted is metrics.counter("cv_accepted", "Accepted CVs.")
        accepted.inc()
        assert 2 == value(metrics.registry, "cv_accepted_total")


class TestService:
    """The label `service` is the toolkit's."""

    def test_of_two_toolkits(self, registry: CollectorRegistry) -> None:
        """Two services of one registry count apart."""
        for service, amount in (("api", 1), ("matching", 2)):
            MLMetrics(service=service, registry=registry).counter("cv_accepted", "CVs.").inc(amount)
        assert 1 == value(registry, "cv_accepted_total", service="api")
        assert 2 == value(registry, "cv_accepted_total", service="matching")

    @pytest.mark.in_memory  # in files, the service is named by the first number
    def test_is_named_later(self, registry: CollectorRegistry) -> None:
        """A service that is configured after the declaration, and before the first scrape, counts."""
        metrics = MLMetrics(registry=registry)
        accepted = metrics.counter("cv_accepted", "CVs.")
        accepted.inc()
        metrics.configure(service="late")
        assert [{"service": "late"}] == [sample.labels for sample in samples(registry, "cv_accepted_total")]


class Unshown:
    """An object that cannot be shown."""

    def __repr__(self) -> str:
        """Raise."""
        raise ZeroDivisionError


@pytest.mark.parametrize("what", ["name", "documentation", "labelnames", "label", "unit", "multiprocess_mode"])
def test_objects_that_cannot_be_shown(metrics: MLMetrics, what: str) -> None:
    """Any object may come by mistake; the message says of which class it is."""
    given = {"name": "cv_waiting", "documentation": "CVs."}
    mistake: dict[str, Any] = {"labelnames": (Unshown(),)} if what == "label" else {what: Unshown()}
    with pytest.raises(DeclarationError, match="<Unshown whose repr raised ZeroDivisionError>"):
        metrics.gauge(**given | mistake)


class TestBuckets:
    """Upper bounds of histograms."""

    @pytest.mark.parametrize("bounds", [(), (2, 1), (1, 1), ("a",), 3, (float("nan"),), (float("inf"),), "12"])
    def test_that_are_refused(self, metrics: MLMetrics, bounds: Any) -> None:
        """Bounds ascend, each once, and are finite but for the last."""
        with pytest.raises(DeclarationError, match="buckets"):
            metrics.histogram("cv_pages", "Pages.", buckets=bounds)

    @pytest.mark.parametrize("bounds", [None, (1, 2.5), [1, 2.5, float("inf")]])
    def test_are_the_clients(self, metrics: MLMetrics, bounds: Any) -> None:
        """They are those of prometheus_client's histogram of the same declaration, infinity at the end or not."""
        metrics.histogram("cv_pages", "Pages.", buckets=bounds)
        registry = CollectorRegistry()
        Histogram("cv_pages", "Pages.", registry=registry, **({"buckets": bounds} if bounds else {}))
        found = [sample.labels["le"] for sample in samples(metrics.registry, "cv_pages_bucket")]
        assert [sample.labels["le"] for sample in samples(registry, "cv_pages_bucket")] == found

    def test_configured(self, registry: CollectorRegistry) -> None:
        """Bounds that are configured take the place of those declared, and of nothing that is not declared."""
        metrics = MLMetrics(service="s", registry=registry)
        pages = metrics.histogram("cv_pages", "Pages.", buckets=(3, 4))
        with pytest.raises(mlmetrics.ConfigurationError, match="cv_pagse"):
            metrics.configure(buckets={"cv_pages": [5, 6], "cv_pagse": [1, 2]})
        metrics.configure(buckets={"cv_pages": [1, 2]})
        pages.observe(1.5)
        assert ["1.0", "2.0", "+Inf"] == [sample.labels["le"] for sample in samples(registry, "cv_pages_bucket")]
        assert 1 == value(registry, "cv_pages_bucket", le="2.0")

    def test_configured_for_no_histogram(self, metrics: MLMetrics) -> None:
        """Bounds for a counter of the project's own are refused."""
        metrics.counter("cv_accepted", "CVs.")
        with pytest.raises(mlmetrics.ConfigurationError, match="cv_accepted_total"):
            metrics.configure(buckets={"cv_accepted_total": [1, 2]})


class TestModes:
    """How several processes are joined in a gauge."""

    @pytest.mark.parametrize("mode", ["every", "", None, 3, "ALL"])
    def test_that_are_refused(self, metrics: MLMetrics, mode: Any) -> None:
        """A mode that prometheus_client does not have is refused."""
        with pytest.raises(DeclarationError, match="multiprocess_mode"):
            metrics.gauge("cv_waiting", "CVs.", multiprocess_mode=mode)

    def test_are_the_clients(self) -> None:
        """The modes are those of prometheus_client."""
        assert Gauge._MULTIPROC_MODES == set(MODES)

    @pytest.mark.parametrize("mode", MODES)
    def test_in_one_process(self, metrics: MLMetrics, mode: Any) -> None:
        """In one process a gauge of every mode is what was set."""
        metrics.gauge("cv_waiting", "CVs.", multiprocess_mode=mode).set(3)
        assert 3 == value(metrics.registry, "cv_waiting")


def test_default_toolkit() -> None:
    """The functions of the module are those of the default toolkit."""
    toolkit = mlmetrics.counter.__self__  # type: ignore[attr-defined]
    assert toolkit is mlmetrics.gauge.__self__ is mlmetrics.histogram.__self__  # type: ignore[attr-defined]
    assert toolkit is mlmetrics.configure.__self__  # type: ignore[attr-defined]
